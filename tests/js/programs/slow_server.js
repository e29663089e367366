// A server that is busy while messages arrive: takes a few, blocks its thread until the gate is opened, and then takes the rest, which
// are numbered on each connection.

'use strict';

const net = require('node:net');
const { parentPort, workerData } = require('node:worker_threads');

const webSocket = require(process.env.NSWS_JS_MODULE);

const { count, gate } = workerData;
const server = webSocket.createWebSocketServer();
const next = new Map();
let received = 0;
let inOrder = true;
server.on('messageReceive', ({ data, clientConnection }) => {
  const expected = next.get(clientConnection) || 0;
  inOrder = inOrder && new DataView(data).getUint32(0, true) === expected;
  next.set(clientConnection, expected + 1);
  if (++received === 10) {
    parentPort.postMessage('busy');
    Atomics.wait(gate, 0, 0);
  }
  if (received === count) {
    parentPort.postMessage({ received: [...next.values()], inOrder });
    server.stop();
  }
});

function freePort() {
  return new Promise((resolve) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

(async () => {
  for (;;) {
    const port = await freePort();
    try {
      await server.start({ serverIP: '127.0.0.1', serverPort: port });
      parentPort.postMessage(port);
      return;
    } catch (error) {
      if (error.code !== 2302007) throw error;
    }
  }
})();
