'use strict';

const { workerData } = require('node:worker_threads');

const webSocket = require(process.env.NSWS_JS_MODULE);

const client = webSocket.createWebSocket();
client.on('open', () => {
  client.send('x');
  client.send('y');
});
client.on('message', () => process.exit(7));
client.connect(workerData.url);
