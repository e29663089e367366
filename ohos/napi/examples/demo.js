// Shows the module: a server and its client in one script.

'use strict';

const net = require('node:net');
const { webSocket } = require('..');

const coloured = process.stdout.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
const line = (colour, arrow, text) => console.log(`  ${coloured ? `\x1b[${colour}m${arrow}\x1b[0m` : arrow} ${text}`);
const does = (text) => line(33, '->', text);
const hears = (name, text) => line(32, '<-', `${name.padEnd(15)} ${text}`);

function freePort() {
  return new Promise((resolve) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

async function main() {
  const server = webSocket.createWebSocketServer();
  server.on('messageReceive', ({ data, clientConnection }) => server.send(`you said ${data}`, clientConnection));
  const serverPort = await freePort();
  await server.start({ serverIP: '127.0.0.1', serverPort });

  const client = webSocket.createWebSocket();
  const closed = new Promise((resolve) => {
    client.on('open', (err, { status }) => {
      hears('open', status);
      does('hello');
      client.send('hello');
    });
    client.on('message', (err, data) => {
      hears('message', data);
      does('close');
      client.close({ code: 1000, reason: 'bye' });
    });
    client.on('close', (err, { code, reason }) => {
      hears('close', `${code} "${reason}"`);
      resolve();
    });
    client.on('error', (error) => {
      hears('error', error.message);
      process.exit(1);
    });
  });
  does(`connect to ws://127.0.0.1:${serverPort}/`);
  await client.connect(`ws://127.0.0.1:${serverPort}/`);
  await closed;
  await server.stop();
}

main();
