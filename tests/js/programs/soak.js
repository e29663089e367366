// 100,000 messages both ways, as a client and as a server, and 1,000 times create, connect, close, collect: to be run under a memory
// checker. Prints how much the resident memory has grown after a first part of each.

'use strict';

const v8 = require('node:v8');
const vm = require('node:vm');
const { WebSocket, WebSocketServer } = require('ws');
const webSocket = require(process.env.NSWS_JS_MODULE);

v8.setFlagsFromString('--expose-gc');
const gc = vm.runInNewContext('gc');

const MESSAGES = 100000;
const CYCLES = 1000;
const payloads = ['short', 'x'.repeat(2000), new ArrayBuffer(10), new ArrayBuffer(20000)];

async function resident() {
  for (let i = 0; i < 10; i++) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().rss;
}

// Keeps 100 messages under way until all have come back.
function converse(count, send, onMessage) {
  return new Promise((resolve) => {
    let sent = 0;
    let received = 0;
    onMessage(() => {
      if (++received === count) resolve();
      else if (sent < count) send(payloads[sent++ % payloads.length]);
    });
    while (sent < 100) send(payloads[sent++ % payloads.length]);
  });
}

async function grownBy(name, step, first, rest) {
  await step(first);
  const before = await resident();
  await step(rest);
  console.log(JSON.stringify({ name, grown: (await resident()) - before }));
}

async function asClient() {
  const peer = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  peer.on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })));
  await new Promise((resolve) => peer.on('listening', resolve));
  const url = `ws://127.0.0.1:${peer.address().port}/`;

  const client = webSocket.createWebSocket();
  await new Promise((resolve) => {
    client.on('open', resolve);
    client.connect(url);
  });
  await grownBy('client', (count) => converse(count, (data) => client.send(data), (listener) => {
    client.off('message');
    client.on('message', listener);
  }), MESSAGES / 5, MESSAGES);
  const closed = new Promise((resolve) => client.on('close', resolve));
  client.close();
  await closed;

  await grownBy('cycles', async (count) => {
    for (let i = 0; i < count; i++) {
      const each = webSocket.createWebSocket();
      each.on('open', () => each.send('hello'));
      each.on('message', () => each.close());
      const over = new Promise((resolve) => each.on('close', resolve));
      each.connect(url);
      await over;
      if (i % 100 === 0) gc();
    }
  }, CYCLES / 2, CYCLES);
  for (const socket of peer.clients) socket.terminate();
  peer.close();
}

async function asServer() {
  const server = webSocket.createWebSocketServer();
  server.on('messageReceive', ({ data, clientConnection }) => server.send(data, clientConnection));
  let port = 20000 + process.pid % 10000;
  for (;;) {
    try {
      await server.start({ serverIP: '127.0.0.1', serverPort: port });
      break;
    } catch (error) {
      if (error.code !== 2302007) throw error;
      port++;
    }
  }
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false });
  await new Promise((resolve) => socket.on('open', resolve));
  await grownBy('server', (count) => converse(count, (data) => socket.send(data), (listener) => {
    socket.removeAllListeners('message');
    socket.on('message', listener);
  }), MESSAGES / 5, MESSAGES);
  const closed = new Promise((resolve) => server.on('close', resolve));
  socket.close();
  await closed;
  await server.stop();
}

asClient().then(asServer);
