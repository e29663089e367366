// npm's ws, as its own examples use it. peer.h and client.h describe the command line.
'use strict';
const fs = require('fs');
const { parseArgs } = require('util');
const WebSocket = require('ws');

const refuse = () => process.exit(2);
let task;
try {
  const text = { type: 'string' };
  const flag = { type: 'boolean', default: false };
  task = parseArgs({
    args: process.argv.slice(3),
    options: {
      cert: text, key: text, ca: text, port: text, connections: text, window: text, size: text, count: text,
      documents: text, deflate: flag, broadcast: flag, 'no-ping': flag, connect: flag,
    },
  }).values;
} catch {
  refuse();
}
const connections = Number(task.connections ?? 1);
const window = Number(task.window ?? 1);
const size = Number(task.size ?? 32);
const count = Number(task.count ?? 1);
// The window of 15 bits, the context kept, level 6, as everyone has it.
const deflate = (task.deflate || task.documents !== undefined) && { threshold: 0, zlibDeflateOptions: { level: 6 } };

function serve() {
  const tls = task.cert && { cert: fs.readFileSync(task.cert), key: fs.readFileSync(task.key) };
  const http = tls ? require('https').createServer(tls) : require('http').createServer();
  const server = new WebSocket.Server({ server: http, perMessageDeflate: deflate, maxPayload: 16 << 20 });
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data, binary) => {
      if (task.broadcast) server.clients.forEach((client) => client.send(data, { binary }));
      else socket.send(data, { binary });
    });
  });
  http.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => console.log(http.address().port));
  process.stdin.on('end', () => process.exit(0)).resume();
}

const event = (emitter, name) => new Promise((resolve) => emitter.once(name, resolve));

// Reads the CAs once, and resumes sessions.
function makeAgent() {
  const { Agent } = require('https');
  return new Agent({ secureContext: require('tls').createSecureContext({ ca: fs.readFileSync(task.ca) }) });
}

let agent;

async function open() {
  const tls = task.ca !== undefined;
  if (tls) agent ??= makeAgent();
  const socket = new WebSocket(`${tls ? 'wss' : 'ws'}://127.0.0.1:${task.port}/`, { perMessageDeflate: deflate, agent });
  socket.on('error', (error) => { throw error; });
  await event(socket, 'open');
  return socket;
}

async function visits(number) {
  for (let i = 0; i < number; i++) {
    const socket = await open();
    socket.close();
    await event(socket, 'close');
  }
}

const binary = task.documents === undefined;

function makeMessages() {
  if (binary) return [Buffer.alloc(size, 'a')];
  const all = fs.readFileSync(task.documents);
  return Array.from({ length: all.length / 4096 }, (_, i) => all.subarray(i * 4096, (i + 1) * 4096));
}

const messages = makeMessages();

function exchange(socket, share, times) {
  let unsent = share, unanswered = share, sentAt;
  const send = () => {
    unsent--;
    if (times) sentAt = process.hrtime.bigint();
    socket.send(messages[unsent % messages.length], { binary });
  };
  return new Promise((resolve) => {
    socket.removeAllListeners('message');
    socket.on('message', () => {
      if (times) times.push(Number(process.hrtime.bigint() - sentAt));
      unanswered--;
      if (unsent > 0) send();
      else if (unanswered === 0) resolve();
    });
    for (let i = 0; i < window; i++) send();
  });
}

async function client() {
  const share = (number) => Math.max(window, Math.floor(number / connections));
  const times = connections === 1 && window === 1 ? [] : undefined;
  const sockets = [];
  const begin = process.hrtime.bigint();
  let openedIn = 0n;
  if (task.connect) await visits(Math.floor(count / 20) + 5);
  else {
    for (let i = 0; i < connections; i++) {
      sockets.push(await open());
      if (i === 0) openedIn = process.hrtime.bigint() - begin;
    }
    await Promise.all(sockets.map((socket) => exchange(socket, share(count / 20))));
  }
  // The end may come before anything is asked for.
  process.stdin.on('end', () => process.exit(0));
  console.log(`ready ${openedIn}`);
  await event(process.stdin, 'data');
  const start = process.hrtime.bigint();
  if (task.connect) await visits(count);
  else await Promise.all(sockets.map((socket) => exchange(socket, share(count), times)));
  const messages = task.connect ? count : share(count) * connections;
  const figures = { messages, wall_ns: Number(process.hrtime.bigint() - start) / messages };
  if (times && !task.connect) {
    times.sort((a, b) => a - b);
    figures.p50_ns = times[times.length >> 1];
    figures.p99_ns = times[Math.floor(times.length * 0.99)];
  }
  console.log(JSON.stringify(figures));
  process.stdin.resume();
}

if (process.argv[2] === 'client') client();
else serve();
