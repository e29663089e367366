// Sends and receives without end, as a client and as a server.

'use strict';

const { parentPort, workerData } = require('node:worker_threads');

const webSocket = require(process.env.NSWS_JS_MODULE);

let messages = 0;

function talk(url) {
  const client = webSocket.createWebSocket();
  client.on('open', () => {
    for (let i = 0; i < 200; i++) client.send(i % 2 ? 'text' : new ArrayBuffer(5000));
  });
  client.on('message', (_, value) => {
    client.send(value);
    if (++messages === 2000) parentPort.postMessage('traffic');
  });
  client.connect(url);
}

async function serve() {
  const server = webSocket.createWebSocketServer();
  server.on('messageReceive', ({ data, clientConnection }) => server.send(data, clientConnection).catch(() => {}));
  for (let serverPort = 20000 + Math.floor(Math.random() * 10000); ; serverPort++) {
    try {
      await server.start({ serverIP: '127.0.0.1', serverPort });
      return `ws://127.0.0.1:${serverPort}/`;
    } catch (error) {
      if (error.code !== 2302007) throw error;
    }
  }
}

talk(workerData.url);
serve().then(talk);
