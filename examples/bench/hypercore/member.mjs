// A member of a chat made of hypercores, one for each to write, for the benchmark to compare with: it is told what to do in
// lines, and tells what has happened in events, as opentalk is with --json.
import Corestore from 'corestore'
import { once } from 'node:events'
import net from 'node:net'
import readline from 'node:readline'

const tell = (event, keys) => process.stdout.write(JSON.stringify({ event, ...keys }) + '\n')

const store = new Corestore(process.argv[2])
const own = store.get({ name: 'own' })
await own.ready()

// Everybody keeps what everybody writes, and shows it in the order in which it was written.
async function follow (key) {
  const core = store.get({ key })
  await core.ready()
  core.download({ start: 0, end: -1 })
  let shown = 0
  let showing = false
  const show = async () => {
    if (showing) return
    showing = true
    while (shown < core.length) {
      const upTo = Math.min(core.length, shown + 64)
      const blocks = []
      while (shown < upTo) blocks.push(core.get(shown++))
      for (const block of await Promise.all(blocks)) tell('message', { text: block.toString() })
      if (shown === core.length) tell('progress', { what: 'catching up', done: shown, total: core.length })
    }
    showing = false
  }
  core.on('append', show)
  show()
}

// A connection begins with the key of each side's own core, 32 bytes.
async function link (socket, isInitiator) {
  socket.setNoDelay(true)
  socket.on('error', () => {})
  socket.write(own.key)
  if (socket.readableLength < 32) await once(socket, 'readable')
  const key = socket.read(32)
  follow(key)
  const stream = store.replicate(isInitiator)
  stream.on('error', () => {})
  socket.pipe(stream).pipe(socket)
  stream.noiseStream.opened.then(() => tell('peer', { device: key.toString('hex'), state: 'online' }))
}

const server = net.createServer((socket) => link(socket, false))
server.listen(0, '127.0.0.1')
await once(server, 'listening')
tell('ready')

for await (const line of readline.createInterface({ input: process.stdin })) {
  const [command, ...rest] = line.split(' ')
  switch (command) {
    case '/new':
      tell('round')
      break
    case '/invite':
      tell('invite', { invite: `127.0.0.1:${server.address().port}` })
      break
    case '/join':
      for (const address of rest) {
        const [host, port] = address.split(':')
        const socket = net.connect(port, host)
        await once(socket, 'connect')
        link(socket, true)
      }
      tell('round')
      break
    case '/fill': { // so many blocks of 800 bytes
      for (let left = Number(rest[0]); left > 0; left -= 1000) {
        const blocks = []
        for (let n = Math.min(left, 1000); n > 0; n--) blocks.push(Buffer.from(`${left - n} `.padEnd(800, 'x')))
        await own.append(blocks)
      }
      tell('reply')
      break
    }
    default:
      // One line after another would wait for the disk each time; what has come meanwhile is appended together.
      own.append(Buffer.from(line))
  }
}
process.exit(0)
