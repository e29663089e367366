// How long things live: objects and the garbage collector, environments and Workers, the process.

'use strict';

const { after, describe, it } = require('node:test');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { Worker } = require('node:worker_threads');
const {
  WsServer, assert, echoUrl, freePort, gc, guarded, newServer, openClient, startServer, until, webSocket, wsClient,
} = require('./support');

const programs = path.join(__dirname, 'programs');

// Ends what a failed test leaves open, which would keep the process alive.
const enders = [];
after(() => enders.forEach((end) => end()));

function startWorker(name, workerData) {
  const worker = new Worker(path.join(programs, name), { workerData });
  enders.push(() => worker.terminate());
  return worker;
}

function endServer(server) {
  for (const socket of server.clients) socket.terminate();
  server.close();
}

// A server of Node's ws that counts its connections.
async function countingServer() {
  const server = new WsServer({ host: '127.0.0.1', port: 0 });
  enders.push(() => endServer(server));
  server.codes = [];
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('close', (code) => server.codes.push(code));
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  await new Promise((resolve) => server.on('listening', resolve));
  server.url = `ws://127.0.0.1:${server.address().port}/`;
  return server;
}

// Runs a program and waits for its end: {status, signal, output}.
function run(name, ...values) {
  const child = spawn(process.execPath, [path.join(programs, name), ...values], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { output += data; });
  child.says = (text) => until(() => output.includes(text), `"${text}" in ${output}`);
  child.ended = guarded(new Promise((resolve) => child.on('close', (status, signal) => resolve({ status, signal, output }))), `${name} to end`);
  return child;
}

describe('the garbage collector', () => {
  it('an unreachable client that was never connected is freed', async () => {
    let gone = 0;
    const registry = new FinalizationRegistry(() => gone++);
    for (let i = 0; i < 20; i++) {
      const client = webSocket.createWebSocket();
      client.on('message', () => client.send('a listener that knows its client'));
      registry.register(client);
    }
    await until(() => gone === 20, 'all clients collected', true);
  });
  it('a connected client with listeners stays, whoever forgets it; closed, it goes', async () => {
    const server = await countingServer();
    let gone = 0;
    let received = 0;
    const registry = new FinalizationRegistry(() => gone++);
    await (async () => {
      const { client } = await openClient(server.url);
      client.on('message', () => { received++; });
      registry.register(client);
    })();
    const [socket] = server.clients;
    for (let i = 1; i <= 20; i++) {
      gc();
      socket.send('are you there?');
      await until(() => received === i, 'the message', true);
    }
    assert.equal(gone, 0);
    socket.close();
    await until(() => gone === 1, 'the client collected', true);
    server.close();
  });
  it('a connected client that nobody can hear of any more is freed, and its connection closed', async () => {
    const server = await countingServer();
    let gone = 0;
    const registry = new FinalizationRegistry(() => gone++);
    await (async () => {
      const client = webSocket.createWebSocket();
      await client.connect(server.url);
      registry.register(client);
    })();
    await until(() => gone === 1, 'the client collected', true);
    await until(() => server.codes.length + server.clients.size <= 1 && server.clients.size === 0, 'the connection closed');
    server.close();
  });
  it('a client that lost its listeners while it was open is freed, with code 1001', async () => {
    const server = await countingServer();
    await (async () => {
      const { client } = await openClient(server.url);
      for (const name of ['open', 'openInfo', 'message', 'close', 'error', 'dataEnd', 'headerReceive', 'drain', 'reconnecting']) client.off(name);
    })();
    await until(() => server.codes.length === 1, 'the connection closed', true);
    assert.deepEqual(server.codes, [1001]);
    server.close();
  });
  it('a client that its own close listener forgets and collects is held until it has been told', async () => {
    const names = [];
    await new Promise((resolve) => {
      let client = webSocket.createWebSocket();
      client.on('open', () => client.close());
      client.on('close', () => {
        client = null;
        for (let i = 0; i < 5; i++) gc();
        names.push('close');
        setImmediate(resolve);
      });
      client.on('close', () => names.push('close again'));
      client.connect(echoUrl);
    });
    assert.deepEqual(names, ['close', 'close again']);
  });
  it('a server that is collected releases its port', async () => {
    const port = await freePort();
    await (async () => {
      const server = webSocket.createWebSocketServer();
      await server.start({ serverIP: '127.0.0.1', serverPort: port });
    })();
    const next = webSocket.createWebSocketServer();
    await until(() => next.start({ serverIP: '127.0.0.1', serverPort: port }).then(() => true, () => false), 'the port', true);
    await next.stop();
  });
  it('a listening server with listeners stays, whoever forgets it; stopped, it goes', async () => {
    let gone = 0;
    let stop;
    const registry = new FinalizationRegistry(() => gone++);
    const url = await (async () => {
      const { server, url } = await startServer();
      registry.register(server);
      server.on('messageReceive', ({ data, clientConnection }) => {
        if (data === 'stop') server.stop();
        else server.send(data, clientConnection);
      });
      return url;
    })();
    for (let i = 0; i < 10; i++) {
      gc();
      const socket = await wsClient(url);
      socket.send('echo');
      await guarded(new Promise((resolve) => socket.on('message', resolve)), 'the echo');
      if (i === 9) stop = socket;
      else socket.close();
    }
    assert.equal(gone, 0);
    stop.send('stop');
    await until(() => gone === 1, 'the server collected', true);
  });
  it('callbacks that wait are called, whoever forgets the client', async () => {
    const called = new Promise((resolve) => {
      webSocket.createWebSocket().send('x', (error) => resolve(error));
    });
    gc();
    assert.equal((await guarded(called, 'the callback')).code, -1);
  });
});

describe('a JavaScript thread that is busy', () => {
  it('slows its own peer: what waits for it is bounded, and nothing is lost', async () => {
    const COUNT = 20000;
    const SIZE = 16384;
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const server = new WsServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
    enders.push(() => endServer(server));
    let written = 0;
    let lastWrite = Date.now();
    server.on('connection', async (socket) => {
      for (let i = 0; i < COUNT; i++) {
        const message = Buffer.alloc(SIZE);
        message.writeUInt32LE(i);
        await new Promise((resolve) => socket.send(message, resolve));
        written++;
        lastWrite = Date.now();
      }
    });
    await new Promise((resolve) => server.on('listening', resolve));
    const worker = startWorker('slow_worker.js', { url: `ws://127.0.0.1:${server.address().port}/`, count: COUNT, gate });
    const said = [];
    worker.on('message', (message) => said.push(message));
    const ended = new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject));
    await until(() => said[0] === 'busy', 'the Worker to be busy');
    // The only clock here: how long a reader must not read to count as one that doesn't.
    await until(() => written < COUNT ? Date.now() - lastWrite > 500 : assert.fail('everything was read'), 'the server to be stopped');
    assert(written * SIZE < 64 << 20, `${written * SIZE} bytes were taken from the server`);
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    await until(() => said.length === 2, 'all messages');
    assert.deepEqual(said[1], { received: COUNT, inOrder: true });
    await ended;
    server.close();
  });
  it('as a server: its clients wait, nothing is lost, and no other environment is delayed', async () => {
    const COUNT = 20000;
    const SIZE = 16384;
    const FEW = 5;
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const worker = startWorker('slow_server.js', { count: COUNT + FEW, gate });
    const said = [];
    worker.on('message', (message) => said.push(message));
    const ended = new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject));
    await until(() => said.length === 1, 'the port');
    const [flood, few] = [await wsClient(`ws://127.0.0.1:${said[0]}/`), await wsClient(`ws://127.0.0.1:${said[0]}/`)];
    enders.push(() => flood.terminate(), () => few.terminate());
    const numbered = (number, size) => {
      const message = Buffer.alloc(size);
      message.writeUInt32LE(number);
      return message;
    };
    let written = 0;
    const flooded = (async () => {
      for (; written < COUNT; written++) await new Promise((resolve) => flood.send(numbered(written, SIZE), resolve));
    })();
    await until(() => said[1] === 'busy', 'the server to be busy');
    for (let i = 0; i < FEW; i++) few.send(numbered(i, 4));

    // This thread talks to a server of its own until, for many answers in a row, nothing of the flood was read.
    const { client, events } = await openClient();
    enders.push(() => client.close().catch(() => {}));
    let answers = 0;
    for (let without = 0; without < 300; without++) {
      const before = written;
      await client.send('are you there?');
      await events.wait('message', ++answers);
      if (written !== before) without = 0;
      assert(written < COUNT, 'everything was read');
    }
    assert(written * SIZE < 64 << 20, `${written * SIZE} bytes were taken of the flood`);
    // So does a Worker that only starts now.
    const other = startWorker('echo_worker.js', { url: echoUrl });
    assert.equal(await guarded(new Promise((resolve, reject) => other.on('message', resolve).on('error', reject)), 'another Worker'), 'echo');
    await other.terminate();
    assert.equal(said.length, 2);

    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    await flooded;
    await until(() => said.length === 3, 'all messages');
    assert.deepEqual(said[2], { received: [COUNT, FEW], inOrder: true });
    await ended;
    await client.close();
    await events.wait('close');
  });
});

describe('Workers', () => {
  it('each has its own environment', async () => {
    const workers = Array.from({ length: 3 }, () => startWorker('echo_worker.js', { url: echoUrl }));
    const results = await Promise.all(workers.map((worker) => guarded(new Promise((resolve, reject) => {
      worker.on('message', resolve);
      worker.on('error', reject);
    }), 'a Worker\'s result')));
    assert.deepEqual(results, ['echo', 'echo', 'echo']);
    await Promise.all(workers.map((worker) => worker.terminate()));
  });
  it('they are torn down in the middle of traffic, again and again', async () => {
    for (let i = 0; i < 10; i++) {
      const worker = startWorker('traffic_worker.js', { url: echoUrl });
      await guarded(new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject)), 'traffic');
      await guarded(worker.terminate(), 'the end of a Worker');
    }
    // The environment that is left is not affected.
    const { client, events } = await openClient();
    await client.send('unharmed');
    assert.equal((await events.wait('message'))[1], 'unharmed');
    await client.close();
    await events.wait('close');
  });
  it('the module is loaded by a Worker first, and by the main thread when that is gone', async () => {
    const { status, output } = await run('worker_first.js', echoUrl).ended;
    assert.equal(status, 0, output);
    assert.match(output, /worker echo\n.*main echo/s);
  });
  it('a Worker that exits by itself with open sockets', async () => {
    const worker = startWorker('exiting_worker.js', { url: echoUrl });
    const status = await guarded(new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject)), 'its end');
    assert.equal(status, 7);
  });
});

describe('the process', () => {
  it('ends by itself when all is closed', async () => {
    const { status, output } = await run('closes.js', echoUrl).ended;
    assert.equal(status, 0, output);
    assert.match(output, /open\nclose\n$/);
  });
  it('ends by itself when an attempt has failed', async () => {
    const { status, output } = await run('fails.js').ended;
    assert.equal(status, 0, output);
    assert.match(output, /error 200/);
  });
  it('ends by itself when objects were made and not used', async () => {
    const { status } = await run('unused.js').ended;
    assert.equal(status, 0);
  });
  it('lives as long as an idle connection does', async () => {
    const server = await countingServer();
    const program = run('idle_client.js', server.url);
    await program.says('open');
    // Nothing happens for many turns of its loop.
    await program.says('still here');
    for (const socket of server.clients) socket.close();
    const { status, output } = await program.ended;
    assert.equal(status, 0, output);
    server.close();
  });
  it('lives as long as a server listens', async () => {
    const program = run('idle_server.js', String(await freePort()));
    await program.says('listening');
    await program.says('still here');
    program.kill('SIGTERM');
    assert.equal((await program.ended).signal, 'SIGTERM');
  });
  it('ends with open sockets: process.exit()', async () => {
    const { status, signal, output } = await run('exits.js', echoUrl, String(await freePort())).ended;
    assert.deepEqual([status, signal], [3, null], output);
  });
  it('an exception of a listener is uncaught: the process ends, or a handler sees it and all listeners are called', async () => {
    const crashed = await run('throws.js', echoUrl).ended;
    assert.equal(crashed.status, 1);
    assert.match(crashed.output, /Error: of a listener/);
    const handled = await run('throws.js', echoUrl, 'handle').ended;
    assert.equal(handled.status, 0, handled.output);
    assert.equal(handled.output, 'caught of a listener\nanother listener one\ncaught of a listener\nanother listener two\ncaught of a callback\n');
  });
});

// Whether a process has these bytes in memory that it can write to.
function holds(pid, bytes) {
  const memory = fs.openSync(`/proc/${pid}/mem`, 'r');
  const maps = fs.readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n').map((line) => /^(\w+)-(\w+) rw/.exec(line)).filter(Boolean);
  const found = maps.some(([, start, end]) => {
    const [from, to] = [start, end].map((text) => Number.parseInt(text, 16));
    const block = Buffer.alloc(to - from);
    try {
      return block.subarray(0, fs.readSync(memory, block, 0, block.length, from)).includes(bytes);
    } catch (error) {
      // What the kernel maps for itself can't be read.
      assert.equal(error.code, 'EIO');
      return false;
    }
  });
  fs.closeSync(memory);
  return found;
}

it('passwords of URLs, proxies and keys are wiped', async () => {
  const program = run('passwords.js');
  enders.push(() => program.kill());
  await program.says('over');
  assert(holds(program.pid, Buffer.from('exclusionList')));
  for (const [shift, length] of [20, 6].entries()) {
    const codes = Array.from({ length }, (_, i) => 0x430 + (7 * i + shift) % 32);
    assert(!holds(program.pid, Buffer.from(String.fromCharCode(...codes))), `a password of ${length} characters`);
  }
  program.kill();
  await program.ended;
});

it('1,000 cycles of create, connect, close, collect keep the memory', { timeout: 300000 }, async () => {
  const server = await countingServer();
  const cycle = async () => {
    const client = webSocket.createWebSocket();
    const closed = new Promise((resolve) => client.on('close', resolve));
    client.on('open', () => client.send('x'));
    client.on('message', () => client.close());
    await client.connect(server.url);
    await closed;
  };
  const resident = async () => {
    for (let i = 0; i < 5; i++) {
      gc();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return process.memoryUsage().rss;
  };
  for (let i = 0; i < 300; i++) await cycle();
  // The collector's own growth levels off; a leak's does not.
  const grown = [];
  do {
    const before = await resident();
    for (let i = 0; i < 1000; i++) await cycle();
    grown.push(await resident() - before);
  } while (grown.at(-1) >= 8 << 20 && grown.length < 3);
  // Under ASan, what is freed stays for a while.
  if (!process.env.LD_PRELOAD) assert(grown.at(-1) < 8 << 20, `grown by ${grown} bytes`);
  server.close();
});
