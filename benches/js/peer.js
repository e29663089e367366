// The other end of the benchmark, in a process of its own, always on npm `ws`: an echo server, or a client that drives one.
//
//     node peer.js server                  prints its port
//     node peer.js client URL CASE COUNT   prints the seconds that COUNT round trips or messages took

'use strict';

const { WebSocket, WebSocketServer } = require('ws');
const { drive } = require('./cases');

const [role, url, name, count] = process.argv.slice(2);

if (role === 'server') {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false, maxPayload: 64 << 20 });
  server.on('connection', (socket) => {
    socket._socket.setNoDelay(true);
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  server.on('listening', () => console.log(server.address().port));
  process.stdin.on('end', () => process.exit(0)).resume();
} else {
  const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 64 << 20 });
  socket.binaryType = 'arraybuffer';
  socket.on('open', async () => {
    const send = (data) => socket.send(data);
    const seconds = await drive(name, Number(count), send, (listener) => socket.on('message', listener));
    console.log(seconds);
    socket.close();
  });
}
