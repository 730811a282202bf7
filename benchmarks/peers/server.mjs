// The same call on Node, without an AGI library: node:net, and node:http with kept connections for the look-up.
import http from 'node:http'
import net from 'node:net'

const [port, upstream] = process.argv.slice(2)
const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity })

const lookUp = (number) =>
  new Promise((resolve, reject) => {
    http
      .get(`${upstream}?number=${encodeURIComponent(number)}`, { agent }, (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (text) => (body += text))
        response.on('end', () => resolve(JSON.parse(body)))
      })
      .on('error', reject)
  })

async function carry(ask) {
  await ask('ANSWER')
  await ask('STREAM FILE welcome ""')
  const typed = await ask('GET DATA number 5000 4')
  const found = await lookUp(typed)
  await ask(`SET VARIABLE QUEUE ${JSON.stringify(found.queue)}`)
  await ask(`SET VARIABLE PRIORITY "${found.priority}"`)
  await ask(`SET VARIABLE NAME ${JSON.stringify(found.customer.name)}`)
  await ask('EXEC NoOp done')
}

net
  .createServer({ noDelay: true }, (socket) => {
    let text = ''
    let begun = false
    let waiting = () => {}
    const ask = (command) =>
      new Promise((resolve) => {
        waiting = resolve
        socket.write(`${command}\n`)
      })
    socket.setEncoding('utf8')
    socket.on('error', () => {})
    socket.on('data', (piece) => {
      text += piece
      if (!begun) {
        const end = text.indexOf('\n\n')
        if (end < 0) return
        text = text.slice(end + 2)
        begun = true
        carry(ask).then(() => socket.end(), () => socket.destroy())
        return
      }
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const line = text.slice(0, end)
        text = text.slice(end + 1)
        waiting(line.split('result=')[1] ?? '')
      }
    })
  })
  .listen(Number(port), '127.0.0.1', 1024)
