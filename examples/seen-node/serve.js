// What every plugin of opentalk in JavaScript does, as HOOKS.md, section 8, has it.
'use strict';

const fs = require('fs');
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const load = (file) => grpc.loadPackageDefinition(loader.loadSync(path.join(__dirname, file), {
  keepCase: true, longs: Number, defaults: true, oneofs: true,
}));

const { opentalk } = load('opentalk.proto');
const { plugin } = load('go-plugin.proto');
const health = load('health.proto').grpc.health.v1;

const version = 1; // of the contract
const codes = {
  failed: grpc.status.UNKNOWN,
  denied: grpc.status.PERMISSION_DENIED,
  'not-found': grpc.status.NOT_FOUND,
  invalid: grpc.status.INVALID_ARGUMENT,
  'too-big': grpc.status.OUT_OF_RANGE,
  version: grpc.status.UNIMPLEMENTED,
};

// fail ends a handler with an error of a code, which is shown to the person together with what they can do about it.
function fail(code, text, hint = '') {
  throw Object.assign(new Error(text), { code: codes[code], details: hint ? `${text}\n${hint}` : text });
}

const status = (err) => ({ code: err.code || codes.failed, details: err.details || String(err.message || err) });

// answer makes a gRPC handler of a function that returns a reply or a promise of one.
const answer = (f) => async (call, callback) => {
  try {
    callback(null, await f(call.request));
  } catch (err) {
    callback(status(err));
  }
};

// decide makes the handler of Filter, which is one call for all requests, of such a function.
const decide = (f) => (stream) => {
  stream.on('data', async (request) => {
    let reply;
    try {
      reply = await f(request);
    } catch (err) {
      const { code, details } = status(err);
      reply = { status: code, message: details };
    }
    stream.write({ ...reply, call: request.call });
  });
  stream.on('error', () => {});
  stream.on('end', () => stream.end());
};

// broker keeps where the chat serves, by the number that Start names.
class Broker {
  constructor() {
    this.addresses = new Map();
    this.waiting = new Map();
  }

  startStream(stream) {
    stream.on('data', (info) => {
      const address = info.network === 'unix' ? `unix:${info.address}` : info.address;
      this.addresses.set(info.service_id, address);
      this.waiting.get(info.service_id)?.(address);
    });
    stream.on('error', () => {});
    stream.on('end', () => stream.end());
  }

  find(id) {
    return this.addresses.get(id) || new Promise((found) => this.waiting.set(id, found));
  }
}

// connect returns the chat, each of whose calls is a function that returns a promise.
function connect(address) {
  const client = new opentalk.v1.Host(address, grpc.credentials.createInsecure(), {
    'grpc.default_authority': 'localhost', 'grpc.max_receive_message_length': 8 << 20,
  });
  const host = {};
  for (const name of Object.keys(opentalk.v1.Host.service)) {
    host[name] = (request) => new Promise((resolve, reject) => {
      client[name](request, (err, reply) => (err ? reject(err) : resolve(reply)));
    });
  }
  return host;
}

// serve runs a plugin: an object with its registration and a function for each call that it answers, (request, host) => reply.
function serve(it) {
  if (process.env.OPENTALK_PLUGIN !== 'a plugin of opentalk') {
    console.error('this is a plugin of opentalk, which starts it: /plugin in the chat tells how');
    process.exit(2);
  }
  process.on('SIGINT', () => {});
  process.stdin.on('end', () => process.exit(0)).resume();

  const broker = new Broker();
  let host;
  const handlers = {
    Start: answer(async (request) => {
      if (request.version !== version) {
        fail('version', `the plugin was made for version ${version} of the plugin contract, this opentalk has version ${request.version}`);
      }
      host = connect(await broker.find(request.host_id));
      return { version, registration: it.registration };
    }),
    Stop: answer(async (request) => (it.Stop ? it.Stop(request) : {})),
  };
  for (const name of ['Run', 'Complete', 'Filter', 'Observe']) {
    if (it[name]) {
      const kind = name === 'Filter' ? decide : answer;
      handlers[name] = kind((request) => it[name](request, host));
    }
  }

  const server = new grpc.Server();
  server.addService(opentalk.v1.Plugin.service, handlers);
  server.addService(health.Health.service, { Check: (_, callback) => callback(null, { status: 1 }) });
  server.addService(plugin.GRPCBroker.service, { StartStream: (stream) => broker.startStream(stream) });
  server.addService(plugin.GRPCController.service, {
    Shutdown: (_, callback) => {
      callback(null, {});
      setImmediate(() => process.exit(0));
    },
  });
  const socket = path.join(process.env.PLUGIN_UNIX_SOCKET_DIR, `node-${process.pid}`);
  process.on('exit', () => fs.rmSync(socket, { force: true }));
  server.bindAsync(`unix:${socket}`, grpc.ServerCredentials.createInsecure(), (err) => {
    if (err) {
      console.error(err.message);
      process.exit(1);
    }
    process.stdout.write(`1|1|unix|${socket}|grpc\n`);
  });
}

module.exports = { fail, serve };
