// What is expected of a server, call by call; its clients are Node's ws and this module's own.

'use strict';

const { after, afterEach, describe, it } = require('node:test');
const net = require('node:net');
const {
  SERVER_EVENTS, Ws, assert, certificates, closeClient, errorOf, freePort, guarded, isTrue, newServer, openClient, platform,
  startServer, stopServer, until, webSocket, wsClient,
} = require('./support');

const PARAMETER = 401;
const open = new Set();

function fresh() {
  const made = newServer();
  open.add(made);
  return made;
}

async function started(config) {
  const made = await startServer(config);
  open.add(made);
  return made;
}

// A started server and a client of it: {server, events, socket, connection}.
async function connected(config, options) {
  const made = await started(config);
  const socket = await wsClient(made.url, options);
  const [connection] = await made.events.wait('connect');
  return { ...made, socket, connection };
}

function messageOf(socket) {
  return guarded(new Promise((resolve) => socket.once('message', (data, isBinary) => resolve(isBinary ? data : data.toString()))), 'a message');
}

function closeOf(socket) {
  return guarded(new Promise((resolve) => socket.once('close', (code, reason) => resolve([code, reason.toString()]))), 'the close');
}

afterEach(async () => {
  platform.reset();
  for (const { server } of open) await server.stop().catch(() => {});
  open.clear();
});

describe('createWebSocketServer', () => {
  it('makes a different object each time', () => {
    const [one, other] = [webSocket.createWebSocketServer(), webSocket.createWebSocketServer()];
    assert.notEqual(one, other);
    for (const name of ['start', 'send', 'close', 'listAllConnections', 'stop', 'on', 'off']) assert.equal(typeof one[name], 'function');
  });
  it('returns null on a device that is no TV', () => {
    platform.beTv(false);
    assert.equal(webSocket.createWebSocketServer(), null);
    platform.beTv(true);
    assert.notEqual(webSocket.createWebSocketServer(), null);
  });
});

describe('start', () => {
  for (const config of [undefined, null, 5, 'text', true]) {
    it(`start(${String(config)}): 401`, async () => assert.equal((await errorOf(fresh().server.start(config))).code, PARAMETER));
  }
  it('start(): 401', async () => assert.equal((await errorOf(fresh().server.start())).code, PARAMETER));
  for (const serverPort of [undefined, null, '8080', 0, -1, 65536, 1e10, NaN, 80.5, {}]) {
    it(`a port ${String(serverPort)}: 2302005`, async () => {
      const error = await errorOf(fresh().server.start({ serverPort, maxConcurrentClientsNumber: 10, maxConnectionsForOneClient: 10 }));
      assert.equal(error.code, 2302005);
    });
  }
  for (const serverIP of ['hello', 'localhost', '256.0.0.1', '1.2.3', ' 127.0.0.1', '127.0.0.1\0', '203.0.113.7']) {
    it(`an address ${JSON.stringify(serverIP)}: 2302004`, async () => {
      assert.equal((await errorOf(fresh().server.start({ serverIP, serverPort: await freePort() }))).code, 2302004);
    });
  }
  for (const member of ['maxConcurrentClientsNumber', 'maxConnectionsForOneClient']) {
    for (const value of [11, 100, -1, Infinity]) {
      it(`${member} ${value}: 2302999`, async () => {
        assert.equal((await errorOf(fresh().server.start({ serverPort: await freePort(), [member]: value }))).code, 2302999);
      });
    }
    for (const value of [undefined, null, 0, 1, 10, '11', {}]) {
      it(`${member} ${String(value)}: true`, async () => { await started({ [member]: value }); });
    }
  }
  it('certificate files that are missing: 2302002', async () => {
    const good = { certPath: `${certificates}/good.pem`, keyPath: `${certificates}/good.key` };
    for (const serverCert of [{ ...good, certPath: '/no/such/file' }, { ...good, keyPath: '/no/such/file' }, { certPath: good.certPath }]) {
      const error = await errorOf(fresh().server.start({ serverPort: await freePort(), serverCert }));
      assert.equal(error.code, 2302002);
    }
  });
  it('an undefined serverIP, empty certificate paths, an ill-typed protocol: true', async () => {
    await started({ serverIP: undefined, serverCert: { certPath: '', keyPath: '' }, protocol: 5 });
    await started({ serverIP: '', serverCert: null, protocol: undefined });
  });
  it('with protocol set: true, and it is negotiated', async () => {
    const { url } = await started({ protocol: 'chat.v2, chat.v1' });
    const { client, events } = await openClient(url, { protocol: 'chat.v1' });
    assert.equal((await events.wait('openInfo'))[1].protocol, 'chat.v1');
    await closeClient({ client, events });
  });
  it('with a certificate set: true, and it speaks wss and only wss', async () => {
    const serverCert = { certPath: `${certificates}/good.pem`, keyPath: `${certificates}/good.key` };
    const { url, events } = await started({ serverCert });
    const made = await openClient(url, { caPath: `${certificates}/ca.pem` });
    await made.client.send('secret');
    assert.equal((await events.wait('messageReceive'))[0].data, 'secret');
    await closeClient(made);
    await assert.rejects(wsClient(url.replace('wss', 'ws')));
  });
  it('compression: true, and it is agreed to with a client that offers it', async () => {
    const text = 'long '.repeat(20000);
    for (const [compression, agreed] of [[true, 'permessage-deflate'], [false, ''], [undefined, ''], ['true', '']]) {
      const { server, events, url } = await started({ compression });
      const socket = await wsClient(url, { perMessageDeflate: true });
      assert.equal(socket.extensions, agreed);
      socket.send(text);
      const [{ data, clientConnection }] = await events.wait('messageReceive');
      assert.equal(data, text);
      const answer = messageOf(socket);
      await server.send(data, clientConnection);
      assert.equal(await answer, text);
    }
  });
  it('allowedOrigins: pages of others are refused with 403', async () => {
    const origin = 'https://tv.example';
    const { url } = await started({ allowedOrigins: ['http://10.0.0.7:8080', origin] });
    await wsClient(url, { origin });
    // A program, which sends none.
    await wsClient(url);
    await assert.rejects(wsClient(url, { origin: 'https://elsewhere.example' }), /403/);
    const none = await started({ allowedOrigins: [] });
    await assert.rejects(wsClient(none.url, { origin }), /403/);
    for (const allowedOrigins of [undefined, null]) await wsClient((await started({ allowedOrigins })).url, { origin });
  });
  for (const allowedOrigins of [['no origin'], ['https://tv.example/path'], ['https://tv.example\0'], 'https://tv.example', {}, 7]) {
    it(`allowedOrigins ${JSON.stringify(allowedOrigins)}: 401`, async () => {
      assert.equal((await errorOf(fresh().server.start({ serverPort: await freePort(), allowedOrigins }))).code, PARAMETER);
    });
  }
  it('a port in use: 2302007', async () => {
    const other = net.createServer();
    await new Promise((resolve) => other.listen(0, '127.0.0.1', resolve));
    const error = await errorOf(fresh().server.start({ serverIP: '127.0.0.1', serverPort: other.address().port }));
    assert.equal(error.code, 2302007);
    other.close();
  });
  it('start twice: 2302003, and the first is unharmed', async () => {
    const { server, events, url } = await started();
    assert.equal((await errorOf(server.start({ serverIP: '127.0.0.1', serverPort: await freePort() }))).code, 2302003);
    (await wsClient(url)).close();
    await events.wait('connect');
  });
  it('the order of the checks: permission, address, port, limits, certificate files, the port in use', async () => {
    const other = net.createServer();
    await new Promise((resolve) => other.listen(0, '127.0.0.1', resolve));
    const wrong = {
      serverIP: 'hello', serverPort: 0, maxConcurrentClientsNumber: 11, serverCert: { certPath: '/no/such/file', keyPath: '' },
    };
    const steps = [
      [201, () => platform.allowNetwork(true)],
      [2302004, () => { wrong.serverIP = '127.0.0.1'; }],
      [2302005, () => { wrong.serverPort = other.address().port; }],
      [2302999, () => { wrong.maxConcurrentClientsNumber = 10; }],
      [2302002, () => { wrong.serverCert = undefined; }],
      [2302007, () => {}],
    ];
    platform.allowNetwork(false);
    const { server } = fresh();
    for (const [code, repair] of steps) {
      assert.equal((await errorOf(server.start(wrong))).code, code);
      repair();
    }
    other.close();
  });
  it('what has failed is told in the words of the configuration, by the error and by an error event', async () => {
    const { server, events } = fresh();
    const port = await freePort();
    const nul = 'a\0b';
    let failures = 0;
    for (const [config, code, data] of [
      [{ serverPort: 0 }, 2302005, /^config\.serverPort is not between 1 and 65535\.$/],
      [{ serverPort: port, maxConcurrentClientsNumber: 11 }, 2302999, /^config\.maxConcurrentClientsNumber or maxConnectionsForOneClient is above 10\.$/],
      [{ serverPort: port, serverIP: 'hello' }, 2302004, /^config\.serverIP "hello" is not an IPv4 or IPv6 address\.$/],
      [{ serverPort: port, serverIP: nul }, 2302004, /^config\.serverIP "a\\+0b" is not/],
      [{ serverPort: port, serverIP: '224.0.0.1' }, 2302004, /^config\.serverIP 224\.0\.0\.1 is not/],
      [{ serverPort: port, allowedOrigins: ['server_ip'] }, PARAMETER, /^config\.allowedOrigins: "server_ip" is not an origin/],
      [{ serverPort: port, allowedOrigins: [nul] }, PARAMETER, /^config\.allowedOrigins holds a NUL\.$/],
      [{ serverPort: port, protocol: nul }, PARAMETER, /^config\.protocol holds a NUL\.$/],
      [{ serverPort: port, protocol: 'a b(' }, PARAMETER, /^Sub-protocol 1 /],
      [null, PARAMETER, /^start\(\) takes a configuration\.$/],
      [{ serverPort: port, serverCert: { certPath: '/no/such/file', keyPath: '' } }, 2302002, /\/no\/such\/file/],
      [{ serverPort: port, serverCert: { certPath: `${certificates}/good.pem` } }, 2302002, /^config\.serverCert\.keyPath is empty and can't be opened: /],
      [{ serverPort: port, serverCert: { certPath: nul, keyPath: '' } }, 2302002, /NUL/],
    ]) {
      const error = await errorOf(server.start(config));
      assert.equal(error.code, code);
      assert.match(error.data, data);
      assert.doesNotMatch(error.data, /\/dev\/null|65536/);
      if (code === 2302999) assert.equal(error.message, 'Websocket other unknown error.');
      const [event] = await events.wait('error', ++failures);
      assert.deepEqual([event.code, event.message], [200, error.data]);
    }
    assert.equal(events.events.length, failures);
  });
  it('a getter that throws rejects', async () => {
    await assert.rejects(fresh().server.start({ get serverPort() { throw new RangeError('no port'); } }), RangeError);
  });
  it('stop frees the port at once, and start again is allowed', async () => {
    const { server, port, url, events } = await started();
    for (let i = 0; i < 3; i++) {
      await isTrue(server.stop());
      const other = net.createServer();
      await new Promise((resolve, reject) => other.on('error', reject).listen(port, '127.0.0.1', resolve));
      await new Promise((resolve) => other.close(resolve));
      await isTrue(server.start({ serverIP: '127.0.0.1', serverPort: port }));
    }
    (await wsClient(url)).close();
    await events.wait('close');
  });
});

describe('events and payloads', () => {
  it('connect, messageReceive, close: what they carry, in order', async () => {
    const { server, events, socket, connection } = await connected();
    assert.deepEqual(Object.keys(connection), ['clientIP', 'clientPort']);
    assert.equal(connection.clientIP, '127.0.0.1');
    assert.equal(connection.clientPort, socket._socket.localPort);
    socket.send('text');
    socket.send(new Uint8Array([1, 0, 255]));
    socket.send('');
    await events.wait('messageReceive', 3);
    const [text, binary, empty] = events.of('messageReceive').map((event) => event.values);
    assert.equal(text.length, 1);
    assert.deepEqual(text[0], { data: 'text', clientConnection: connection });
    assert.equal(text[0].clientConnection, connection);
    assert(binary[0].data instanceof ArrayBuffer);
    assert.deepEqual(new Uint8Array(binary[0].data), new Uint8Array([1, 0, 255]));
    assert.equal(empty[0].data, '');
    socket.close(4000, 'bye');
    const [who, result] = await events.wait('close');
    assert.equal(who, connection);
    assert.deepEqual({ ...result }, { code: 4000, reason: 'bye', closeReason: 'bye', wasClean: true });
    assert.deepEqual(events.names, ['connect', 'messageReceive', 'messageReceive', 'messageReceive', 'close']);
    assert.deepEqual([...server.listAllConnections()], []);
  });
  it('a client that goes without a word: an error that names it, then close 1006', async () => {
    const { events, socket, connection } = await connected();
    socket.terminate();
    const [who, result] = await events.wait('close');
    assert.equal(who, connection);
    assert.deepEqual([result.code, result.reason], [1006, 'The link is down']);
    const [error] = await events.wait('error');
    assert.equal(error.code, 200);
    assert.equal(error.clientConnection, connection);
    assert.deepEqual(events.names, ['connect', 'error', 'close']);
  });
  for (const name of SERVER_EVENTS) {
    it(`on('${name}', no function) and off('${name}', no function) throw 401; off twice is no error`, () => {
      const server = webSocket.createWebSocketServer();
      for (const value of [null, 5, {}]) {
        assert.throws(() => server.on(name, value), { code: PARAMETER });
        assert.throws(() => server.off(name, value), { code: PARAMETER });
      }
      for (let i = 0; i < 2; i++) server.off(name);
      server.on(name, () => {});
      server.off(name, () => {});
      for (let i = 0; i < 2; i++) server.off(name);
    });
  }
  it('off: not delivered any more', async () => {
    const { server, events, socket } = await connected();
    const calls = [];
    const listener = () => calls.push(1);
    server.on('messageReceive', listener);
    socket.send('one');
    await events.wait('messageReceive', 1);
    server.off('messageReceive', listener);
    socket.send('two');
    await events.wait('messageReceive', 2);
    for (const name of SERVER_EVENTS.filter((name) => name !== 'close')) server.off(name);
    socket.send('three');
    socket.close();
    await events.wait('close');
    assert.equal(calls.length, 1);
    assert.equal(events.of('messageReceive').length, 2);
  });
});

describe('send', () => {
  for (const data of [null, undefined, 5, {}, new Int8Array(2), Buffer.from('x')]) {
    const name = data && data.constructor ? data.constructor.name : String(data);
    it(`send(${name}, connection): 401`, async () => {
      const { server, connection } = await connected();
      assert.equal((await errorOf(server.send(data, connection))).code, PARAMETER);
    });
  }
  for (const connection of [undefined, null, 5, 'text', {}, { clientIP: '127.0.0.1' }, { clientIP: 5, clientPort: 5 }, { clientIP: '1.2.3.4', clientPort: '5' }]) {
    it(`send(data, ${JSON.stringify(connection)}): 401`, async () => {
      assert.equal((await errorOf((await started()).server.send('x', connection))).code, PARAMETER);
    });
    it(`close(${JSON.stringify(connection)}): 401`, async () => {
      assert.equal((await errorOf((await started()).server.close(connection))).code, PARAMETER);
    });
  }
  it('send and close to an unknown connection: 2302006', async () => {
    const { server, connection } = await connected();
    for (const unknown of [{ clientIP: '1.2.3.4', clientPort: 5 }, { ...connection, clientPort: 1 }, { clientIP: 'hello', clientPort: 1 }, { clientIP: '', clientPort: 0 }, { ...connection, clientPort: -1 }]) {
      assert.equal((await errorOf(server.send('x', unknown))).code, 2302006);
      assert.equal((await errorOf(server.close(unknown))).code, 2302006);
    }
  });
  it('strings and ArrayBuffers arrive as text and binary, in order, also to an equal connection', async () => {
    const { server, socket, connection } = await connected();
    const received = [];
    socket.on('message', (data, isBinary) => received.push(isBinary ? data.byteLength : data.toString()));
    for (const data of ['', 'text', '号外', new ArrayBuffer(0), new ArrayBuffer(100000)]) await isTrue(server.send(data, { ...connection }));
    await until(() => received.length === 5, 'five messages');
    socket.close();
    assert.deepEqual(received, ['', 'text', '号外', 0, 100000]);
  });
  it('an IPv6 client is found in every spelling', async (t) => {
    const { server, events } = fresh();
    const port = await freePort();
    try {
      await server.start({ serverIP: '::1', serverPort: port });
    } catch (error) {
      if (error.code !== 2302004) throw error;
      t.skip('no IPv6 here');
      return;
    }
    const socket = await wsClient(`ws://[::1]:${port}/`);
    const [connection] = await events.wait('connect');
    assert.equal(connection.clientIP, '::1');
    const message = messageOf(socket);
    await isTrue(server.send('hello', { ...connection, clientIP: '0:0:0:0:0:0:0:1' }));
    assert.equal(await message, 'hello');
    socket.close();
  });
  it('inside connect', async () => {
    const { server, url } = await started();
    server.on('connect', (connection) => server.send('welcome', connection));
    const socket = new Ws(url);
    assert.equal(await messageOf(socket), 'welcome');
    socket.close();
  });
});

describe('close', () => {
  const cases = [[undefined, [1000, '']], [{}, [1000, '']], [null, [1000, '']], [{ code: 3333, reason: 'why' }, [3333, 'why']],
    [{ code: -1 }, [1000, '']], [{ code: 200, reason: 'x' }, [1000, 'x']], [{ code: '1001', reason: 5 }, [1000, '']]];
  for (const [options, expected] of cases) {
    it(`close(connection, ${JSON.stringify(options)}): true, and the client sees ${expected}`, async () => {
      const { server, socket, connection, events } = await connected();
      const closed = closeOf(socket);
      await isTrue(server.close(connection, options));
      assert.deepEqual(await closed, expected);
      await events.wait('close');
    });
  }
  it('close(connection) without options at all', async () => {
    const { server, socket, connection } = await connected();
    await isTrue(server.close(connection));
    assert.deepEqual(await closeOf(socket), [1000, '']);
  });
  for (const options of [5, 'text', true]) {
    it(`close(connection, ${JSON.stringify(options)}): 401`, async () => {
      const { server, connection } = await connected();
      assert.equal((await errorOf(server.close(connection, options))).code, PARAMETER);
    });
  }
  it('a reason above 123 bytes: 401', async () => {
    const { server, connection } = await connected();
    assert.equal((await errorOf(server.close(connection, { reason: 'x'.repeat(124) }))).code, PARAMETER);
  });
  it('close twice: 2302999 while it closes, 2302006 when it is over', async () => {
    const { server, connection, events } = await connected();
    const first = server.close(connection);
    assert.equal((await errorOf(server.close(connection))).code, 2302999);
    await isTrue(first);
    await events.wait('close');
    assert.equal((await errorOf(server.close(connection))).code, 2302006);
    assert.equal((await errorOf(server.send('x', connection))).code, 2302006);
  });
});

describe('listAllConnections', () => {
  it('an array, as the reference declares, and awaited, as it is used there', async () => {
    const { server, connection, url, events } = await connected();
    await wsClient(url);
    await events.wait('connect', 2);
    const list = server.listAllConnections();
    assert(Array.isArray(list));
    assert.equal(list.length, 2);
    assert(list.includes(connection));
    assert.equal(JSON.stringify(list).length, JSON.stringify([...list]).length);
    const awaited = await list;
    assert(Array.isArray(awaited));
    assert.deepEqual(awaited, [...list]);
    assert.deepEqual(await list.then((all) => all.length), 2);
    assert.deepEqual(await list.catch(() => {}).finally(() => {}), awaited);
    assert.deepEqual(Object.keys(list), ['0', '1']);
  });
  it('empty before start, when nobody is there, and after stop', async () => {
    const { server } = fresh();
    assert.deepEqual(await server.listAllConnections(), []);
    const made = await connected();
    await made.server.stop();
    // At once, though the client's close is still to come.
    assert.deepEqual(await made.server.listAllConnections(), []);
    await made.events.wait('close');
    assert.deepEqual(await made.server.listAllConnections(), []);
  });
});

describe('stop', () => {
  it('stop: true; clients get 1001 "server is going away", and each its close', async () => {
    const { server, socket, url, events } = await connected();
    const other = await wsClient(url);
    await events.wait('connect', 2);
    const closed = [closeOf(socket), closeOf(other)];
    await isTrue(server.stop());
    for (const close of closed) assert.deepEqual(await close, [1001, 'server is going away']);
    await events.wait('close', 2);
    await assert.rejects(wsClient(url));
  });
  it('stop before start, and stop twice: 2302999', async () => {
    const { server } = fresh();
    assert.equal((await errorOf(server.stop())).code, 2302999);
    const made = await started();
    await isTrue(made.server.stop());
    assert.equal((await errorOf(made.server.stop())).code, 2302999);
  });
});

// Calls are made in one turn, so that the state is the same for all; wrong arguments first, which change nothing.
describe('every argument, in every state', () => {
  const values = [undefined, null, 5, true, [], 'text', Symbol('x'), 5n];
  const nobody = { clientIP: '127.0.0.1', clientPort: 5 };
  const states = {
    new: () => fresh(),
    listening: () => started(),
    connected: () => connected(),
    stopped: async () => { const made = await connected(); await stopServer(made); return made; },
  };
  const expected = {
    new: { start: true, send: 2302006, close: 2302006, stop: 2302999 },
    listening: { start: 2302003, send: 2302006, close: 2302006, stop: true },
    connected: { start: 2302003, send: true, close: true, stop: true },
    stopped: { start: true, send: 2302006, close: 2302006, stop: 2302999 },
  };
  for (const [state, arrange] of Object.entries(states)) {
    it(`when ${state}`, async () => {
      const { server, connection = nobody } = await arrange();
      const serverPort = await freePort();
      const startsWrong = values.filter((value) => !Array.isArray(value)).map((value) => server.start(value));
      const wrong = [
        ...startsWrong,
        ...values.map((value) => server.send('x', value)),
        ...values.filter((value) => value !== 'text').map((value) => server.send(value, connection)),
        ...values.map((value) => server.close(value)),
        ...[5, true, 'text', Symbol('x'), 5n].map((value) => server.close(connection, value)),
      ];
      // Where it doesn't listen, before it is started.
      const stopped = expected[state].stop === true ? undefined : server.stop();
      const right = {
        start: server.start({ serverIP: '127.0.0.1', serverPort }),
        send: server.send('x', connection),
        close: server.close(connection),
        stop: stopped || server.stop(),
      };
      for (const promise of wrong) assert.equal((await errorOf(promise)).code, PARAMETER);
      const answers = {};
      for (const [name, promise] of Object.entries(right)) answers[name] = await promise.catch((error) => error.code);
      assert.deepEqual(answers, expected[state]);
    });
  }
});

describe('without the permission to use the network: 201, whatever the state', () => {
  for (const state of ['new', 'listening', 'connected', 'stopped']) {
    const arrange = async () => {
      const made = state === 'new' ? fresh() : state === 'connected' ? await connected() : await started();
      if (state === 'stopped') await made.server.stop();
      platform.allowNetwork(false);
      return made;
    };
    const connection = { clientIP: '127.0.0.1', clientPort: 5 };
    for (const [name, call] of Object.entries({
      start: (server) => server.start({ serverPort: 8080 }),
      send: (server, known) => server.send('x', known || connection),
      close: (server, known) => server.close(known || connection),
      listAllConnections: (server) => server.listAllConnections(),
      stop: (server) => server.stop(),
    })) {
      it(`${name} when ${state}`, async () => {
        const made = await arrange();
        assert.equal((await errorOf(call(made.server, made.connection))).code, 201);
      });
    }
  }
  it('listAllConnections that nobody awaits: an empty array, and the process goes on', async () => {
    const { server } = await connected();
    platform.allowNetwork(false);
    const seen = [];
    const note = (reason) => seen.push(reason);
    process.on('unhandledRejection', note);
    const list = server.listAllConnections();
    assert.deepEqual([Array.isArray(list), list.length], [true, 0]);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    process.off('unhandledRejection', note);
    assert.deepEqual(seen, []);
    assert.equal((await errorOf(list)).code, 201);
  });
});

describe('limits', () => {
  it('past maxConnectionsForOneClient: refused with 503', async () => {
    const { url } = await connected({ maxConnectionsForOneClient: 2 });
    const second = await wsClient(url);
    const third = new Ws(url);
    const status = await guarded(new Promise((resolve) => third.on('unexpected-response', (_, response) => resolve(response.statusCode))), 'an answer');
    assert.equal(status, 503);
    second.close();
  });
});

after(() => platform.reset());
