// One side of a measurement, in a process of its own, on this module ("ours") or npm's ("ws").
//
//     node side.js KIND server PORT       an echo server; prints "ready"
//     node side.js KIND client PORT CASE  drives it, and prints the figure

'use strict';

const { drive } = require('./cases');

const [kind, role, port, name] = process.argv.slice(2);
const url = `ws://127.0.0.1:${port}/`;
const limits = { perMessageDeflate: false, maxPayload: 64 << 20 };

const sides = {
  ours: {
    async server() {
      const server = webSocket().createWebSocketServer();
      server.on('messageReceive', ({ data, clientConnection }) => server.send(data, clientConnection));
      await server.start({ serverIP: '127.0.0.1', serverPort: Number(port) });
    },
    client() {
      const client = webSocket().createWebSocket();
      client.on('open', async () => {
        console.log(await drive(name, (data) => client.send(data), (listener) => client.on('message', listener)));
        client.close();
      });
      client.connect(url);
    },
  },
  ws: {
    server() {
      const { WebSocketServer } = require('ws');
      const server = new WebSocketServer({ host: '127.0.0.1', port: Number(port), ...limits });
      server.on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })));
      return new Promise((resolve) => server.on('listening', resolve));
    },
    client() {
      const { WebSocket } = require('ws');
      const socket = new WebSocket(url, limits);
      socket.binaryType = 'arraybuffer';
      socket.on('open', async () => {
        console.log(await drive(name, (data) => socket.send(data), (listener) => socket.on('message', listener)));
        socket.close();
      });
    },
  },
};

function webSocket() {
  return require('../../ohos/napi').webSocket;
}

(async () => {
  await sides[kind][role]();
  if (role === 'server') console.log('ready');
})();
