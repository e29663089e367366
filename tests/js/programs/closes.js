'use strict';

const webSocket = require(process.env.NSWS_JS_MODULE);

const client = webSocket.createWebSocket();
client.on('open', () => {
  console.log('open');
  client.close();
});
client.on('close', () => console.log('close'));
client.connect(process.argv[2]);
