'use strict';

const { parentPort, workerData } = require('node:worker_threads');

const webSocket = require(process.env.NSWS_JS_MODULE);

const client = webSocket.createWebSocket();
client.on('open', () => client.send('echo'));
client.on('message', (_, value) => {
  parentPort.postMessage(value);
  client.close();
});
client.connect(workerData.url);
