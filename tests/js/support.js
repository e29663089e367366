// What the tests of the JavaScript module are made of: the module, peers, and ways to wait for what happens.
//
// NSWS_JS_MODULE and NSWS_JS_PLATFORM name the module and the addon that plays the platform; tests/interop/run.py brings the
// peers NSWS_ECHO_URL (Python websockets) and NSWS_NODE_URL (Node ws), and NSWS_CERT_DIR. Nothing here sleeps: a wait ends when
// what it waits for has happened, or, when a test fails, after the guard.

'use strict';

const assert = require('node:assert/strict');
const net = require('node:net');
const v8 = require('node:v8');
const vm = require('node:vm');
const { WebSocket: Ws, WebSocketServer: WsServer } = require('ws');

const webSocket = require(process.env.NSWS_JS_MODULE);
const platform = require(process.env.NSWS_JS_PLATFORM);

const GUARD_MS = 60000 * Number(process.env.NSWS_TEST_SLOW || 1);
const echoUrl = process.env.NSWS_ECHO_URL;
const nodeUrl = process.env.NSWS_NODE_URL;
const certificates = process.env.NSWS_CERT_DIR;

function guarded(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${GUARD_MS} ms: ${what}`)), GUARD_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Every event of a client or server, in order.
class Recorder {
  constructor(subject, names) {
    this.subject = subject;
    this.events = [];
    this.waiting = [];
    for (const name of names) {
      subject.on(name, (...values) => {
        this.events.push({ name, values });
        this.waiting = this.waiting.filter((look) => !look());
      });
    }
  }

  get names() {
    return this.events.map((event) => event.name);
  }

  of(name) {
    return this.events.filter((event) => event.name === name);
  }

  // The arguments of the nth event of this name, from 1.
  wait(name, nth = 1) {
    const seen = new Promise((resolve) => {
      const look = () => {
        const found = this.of(name)[nth - 1];
        if (found) resolve(found.values);
        return Boolean(found);
      };
      if (!look()) this.waiting.push(look);
    });
    return guarded(seen, `${name} ${nth}; there were ${this.names.join(', ') || 'none'}`);
  }
}

const CLIENT_EVENTS = ['open', 'openInfo', 'message', 'close', 'error', 'dataEnd', 'headerReceive', 'drain', 'reconnecting'];
const SERVER_EVENTS = ['connect', 'messageReceive', 'close', 'error', 'drain'];

function newClient() {
  const client = webSocket.createWebSocket();
  return { client, events: new Recorder(client, CLIENT_EVENTS) };
}

async function openClient(url = echoUrl, options = undefined) {
  const made = newClient();
  await made.client.connect(url, options);
  await made.events.wait('open');
  return made;
}

async function closeClient({ client, events }) {
  await client.close();
  return events.wait('close');
}

function newServer() {
  const server = webSocket.createWebSocketServer();
  return { server, events: new Recorder(server, SERVER_EVENTS) };
}

// A port that is free now: the module does not take 0.
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    // Not one that the system gives to others.
    const listen = () => probe.listen(20000 + Math.floor(Math.random() * 12000), '127.0.0.1');
    probe.on('error', (error) => (error.code === 'EADDRINUSE' ? listen() : reject(error)));
    probe.on('listening', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
    listen();
  });
}

// Starts a server on some port; another program may take the port that was free.
async function startServer(config = {}) {
  const made = newServer();
  for (;;) {
    made.port = await freePort();
    try {
      await made.server.start({ serverIP: '127.0.0.1', serverPort: made.port, ...config });
      made.url = `${config.serverCert ? 'wss' : 'ws'}://127.0.0.1:${made.port}/`;
      return made;
    } catch (error) {
      if (error.code !== 2302007) throw error;
    }
  }
}

// Stops it, when every connection has had its close.
async function stopServer({ server, events }) {
  await server.stop();
  const connections = events.of('connect').length;
  if (connections > 0) await events.wait('close', connections);
}

// A client of Node's ws.
function wsClient(url, options = {}) {
  const socket = new Ws(url, { perMessageDeflate: false, ...options });
  socket.binaryType = 'arraybuffer';
  return guarded(new Promise((resolve, reject) => {
    socket.on('open', () => resolve(socket));
    socket.on('error', reject);
  }), `open of ${url}`);
}

// The error that a call ends with, in each form that it has. Each must be an Error with this code and the code's message.
async function errorOf(promise) {
  return guarded(promise, 'a rejection').then(
    (value) => assert.fail(`resolved to ${value}`),
    (error) => {
      assert(error instanceof Error, `${error} is no Error`);
      assert.equal(typeof error.code, 'number');
      assert(error.message.length > 0);
      return error;
    },
  );
}

// A call with a callback, as a promise of the callback's arguments. The call itself returns undefined, and later calls once.
function called(call) {
  return guarded(new Promise((resolve, reject) => {
    let returned = false;
    let calls = 0;
    const result = call((...values) => {
      if (!returned) reject(new Error('called back inside the call'));
      if (++calls > 1) reject(new Error('called back twice'));
      setImmediate(() => resolve(values));
    });
    returned = true;
    if (result !== undefined) reject(new Error(`returned ${result}`));
  }), 'a callback');
}

async function callbackErrorOf(call) {
  const values = await called(call);
  assert.equal(values.length, 1);
  assert(values[0] instanceof Error);
  return values[0];
}

async function isTrue(promise) {
  assert.equal(await guarded(promise, 'a resolution'), true);
}

async function callbackIsTrue(call) {
  assert.deepEqual(await called(call), [undefined, true]);
}

// Turns of the event loop until it is so; each may collect garbage.
async function until(condition, what, collect = false) {
  const end = Date.now() + GUARD_MS;
  while (!(await condition())) {
    if (Date.now() > end) assert.fail(`not within ${GUARD_MS} ms: ${what}`);
    if (collect) gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

v8.setFlagsFromString('--expose-gc');
const gc = vm.runInNewContext('gc');

module.exports = {
  CLIENT_EVENTS, SERVER_EVENTS, Recorder, Ws, WsServer, assert, callbackErrorOf, callbackIsTrue, called, certificates,
  closeClient, echoUrl, errorOf, freePort, gc, guarded, isTrue, newClient, newServer, nodeUrl, openClient, platform, startServer,
  stopServer, until, webSocket, wsClient,
};
