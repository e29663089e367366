// The demo's client of the Node `ws` library: sends each line of standard input, prints what comes.
//
//     demo_client.js URL

'use strict';

const readline = require('readline');
const WebSocket = require('ws');

const socket = new WebSocket(process.argv[2], 'chat');
socket.on('open', () => console.log('open'));
socket.on('message', (data) => console.log(`message: ${data}`));
socket.on('unexpected-response', (request, response) => {
  console.log(`refused: ${response.statusCode}`);
  process.exit(1);
});
socket.on('error', (error) => console.log(`error: ${error.message}`));
socket.on('close', (code, reason) => {
  console.log(`close: ${code} ${reason}`);
  process.exit(0);
});
readline.createInterface({ input: process.stdin }).on('line', (line) => socket.send(line));
