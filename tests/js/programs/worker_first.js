'use strict';

const { Worker } = require('node:worker_threads');
const path = require('node:path');

const url = process.argv[2];
const worker = new Worker(path.join(__dirname, 'echo_worker.js'), { workerData: { url } });
worker.on('message', (value) => console.log('worker', value));
worker.on('exit', () => {
  const webSocket = require(process.env.NSWS_JS_MODULE);
  const client = webSocket.createWebSocket();
  client.on('open', () => client.send('echo'));
  client.on('message', (_, value) => {
    console.log('main', value);
    client.close();
  });
  client.connect(url);
});
