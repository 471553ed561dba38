#!/usr/bin/env node
// A plugin of opentalk: "/seen NAME" tells when somebody last wrote, and what. serve.js does what every plugin in JavaScript
// needs; this file is the plugin itself.
'use strict';

const { fail, serve } = require('./serve');

const handlers = { command: 1, message: 2 };

// The call of the chat that is answered is passed on with whatever is asked of it meanwhile.
const from = (request) => ({ extension: 'seen-node', call: request.call });

serve({
  registration: {
    extensions: [{
      name: 'seen-node',
      version: '1.0.0',
      description: 'tells when somebody last wrote',
      needs: ['storage'],
      commands: [{
        handler: handlers.command, name: 'seen', usage: 'NAME', help: 'when somebody last wrote', example: '/seen bob', min: 1, max: 1,
        complete: true,
      }],
      observes: [{ handler: handlers.message, kind: 'message' }],
    }],
  },

  async Run(request, host) {
    const name = request.args[0];
    const { found, value } = await host.Get({ from: from(request), key: name });
    if (!found) {
      fail('not-found', `${name} has not written here`, 'names are as /members shows them');
    }
    const seen = JSON.parse(value);
    return { lines: [`${name} wrote "${seen.text}" in ${seen.round} on ${new Date(seen.at).toISOString()}`] };
  },

  async Complete(request, host) {
    const { keys } = await host.Keys({ from: from(request), prefix: request.args[0] });
    return { candidates: keys.slice(0, 200) };
  },

  async Observe(request, host) {
    if (request.event !== 'message') {
      return {};
    }
    const { message } = request.message;
    const value = Buffer.from(JSON.stringify({ text: message.text, round: message.round, at: message.written_ms }));
    await host.Set({ from: from(request), key: message.from.handle, value });
    return {};
  },
});
