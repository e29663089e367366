'use strict';

const webSocket = require(process.env.NSWS_JS_MODULE);

const client = webSocket.createWebSocket();
client.on('error', (error) => console.log('error', error.code));
client.connect('ws://127.0.0.1:1/');
