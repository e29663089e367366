// Is busy while messages arrive: receives a few, blocks its thread until the gate is opened, and then takes the rest.

'use strict';

const { parentPort, workerData } = require('node:worker_threads');

const webSocket = require(process.env.NSWS_JS_MODULE);

const { url, count, gate } = workerData;
const client = webSocket.createWebSocket();
let received = 0;
let inOrder = true;
client.on('message', (_, value) => {
  inOrder = inOrder && new DataView(value).getUint32(0, true) === received;
  if (++received === 10) {
    parentPort.postMessage('busy');
    Atomics.wait(gate, 0, 0);
  }
  if (received === count) {
    client.close();
    parentPort.postMessage({ received, inOrder });
  }
});
client.connect(url);
