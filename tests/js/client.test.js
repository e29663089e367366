// What is expected of a client, call by call, in callback and in Promise form.

'use strict';

const { after, afterEach, before, describe, it } = require('node:test');
const {
  CLIENT_EVENTS, assert, callbackErrorOf, callbackIsTrue, called, certificates, closeClient, echoUrl, errorOf, guarded, isTrue,
  newClient, nodeUrl, openClient, platform, until, webSocket,
} = require('./support');

const PARAMETER = 401;
const open = new Set();

// A client that is closed when its test is over.
function fresh() {
  const made = newClient();
  open.add(made);
  return made;
}

async function opened(url, options) {
  const made = await openClient(url, options);
  open.add(made);
  return made;
}

afterEach(async () => {
  platform.reset();
  for (const { client } of open) await client.close().catch(() => {});
  open.clear();
});

// A call that takes a callback as its last argument, in both forms.
function bothForms(name, arrange, call, check, checkCallback) {
  it(`${name}, as a Promise`, async () => {
    const made = await arrange();
    await check(call(made.client), made);
  });
  it(`${name}, with a callback`, async () => {
    const made = await arrange();
    await checkCallback((callback) => call(made.client, callback), made);
  });
}

function fails(name, code, arrange, call) {
  const check = async (error) => assert.equal((await error).code, code);
  bothForms(name, arrange, call, (promise) => check(errorOf(promise)), (start) => check(callbackErrorOf(start)));
}

function succeeds(name, arrange, call) {
  bothForms(name, arrange, call, isTrue, callbackIsTrue);
}

const last = (callback) => (callback ? [callback] : []);

describe('createWebSocket', () => {
  it('createWebSocket() twice: two different objects', () => {
    const [one, other] = [webSocket.createWebSocket(), webSocket.createWebSocket()];
    assert.notEqual(one, other);
    for (const name of ['connect', 'send', 'close', 'on', 'off']) assert.equal(typeof one[name], 'function');
  });

  it('TlsProtocol is 0 to 3', () => {
    assert.deepEqual({ ...webSocket.TlsProtocol }, { TLS_V_1_0: 0, TLS_V_1_1: 1, TLS_V_1_2: 2, TLS_V_1_3: 3 });
  });

  it('a method that is called on something else throws', () => {
    const { connect } = webSocket.createWebSocket();
    for (const self of [undefined, {}, webSocket.createWebSocketServer(), Buffer.alloc(1)]) {
      assert.throws(() => connect.call(self, echoUrl));
    }
  });
});

describe('connect: the URL', () => {
  for (const url of [null, undefined, 5, {}, true, Symbol('url'), []]) {
    fails(`connect(${String(url)}): 401`, PARAMETER, fresh, (client, callback) => client.connect(url, ...last(callback)));
  }
  it('connect(): 401', async () => assert.equal((await errorOf(fresh().client.connect())).code, PARAMETER));
  for (const url of ['', 'hello', '123', 'http://127.0.0.1/', 'ws:///path', 'ws://host/#fragment', 'ws://host\0/', `ws://h/${'x'.repeat(2048)}`]) {
    const name = JSON.stringify(url.slice(0, 20));
    fails(`connect(${name}): 2302001`, 2302001, fresh, (client, callback) => client.connect(url, ...last(callback)));
  }
  for (const url of ['ws://', 'wss://', 'WS://']) {
    bothForms(`connect("${url}"): -1, and an error event 200`, fresh, (client, callback) => client.connect(url, ...last(callback)),
      async (promise, { events }) => {
        const error = await errorOf(promise);
        assert.deepEqual([error.code, error.message], [-1, 'Websocket connect failed']);
        const [event] = await events.wait('error');
        assert.deepEqual([event.code, event.data, event.phase], [200, '0', 'parse']);
      },
      async (start, { events }) => {
        const error = await callbackErrorOf(start);
        assert.deepEqual([error.code, error.message], [-1, 'Websocket connect failed']);
        assert.equal((await events.wait('error'))[0].code, 200);
      });
  }
  for (const [name, url] of [['Python websockets', echoUrl], ['Node ws', nodeUrl]]) {
    bothForms(`connect(url) to ${name}: true, and open with status 101`, fresh, (client, callback) => client.connect(url, ...last(callback)),
      async (promise, { events }) => {
        await isTrue(promise);
        assert.equal((await events.wait('open'))[1].status, 101);
      },
      async (start, { events }) => {
        await callbackIsTrue(start);
        assert.equal((await events.wait('open'))[1].status, 101);
      });
  }
});

describe('connect: the options', () => {
  // What connects and opens.
  function connects(name, options) {
    bothForms(`connect(url, ${name}): true`, fresh, (client, callback) => client.connect(echoUrl, options, ...last(callback)),
      async (promise, { events }) => {
        await isTrue(promise);
        await events.wait('open');
      },
      async (start, { events }) => {
        await callbackIsTrue(start);
        await events.wait('open');
      });
  }
  function refuses(name, options, code = PARAMETER) {
    fails(`connect(url, ${name}): ${code}`, code, fresh, (client, callback) => client.connect(echoUrl, options, ...last(callback)));
  }

  for (const options of [null, undefined]) {
    it(`connect(url, ${options}, callback): 401`, async () => {
      const error = await callbackErrorOf((callback) => fresh().client.connect(echoUrl, options, callback));
      assert.equal(error.code, PARAMETER);
    });
    it(`connect(url, ${options}): true`, async () => {
      const { client, events } = fresh();
      await isTrue(client.connect(echoUrl, options));
      await events.wait('open');
    });
  }
  for (const options of [5, 'options', true]) refuses(JSON.stringify(options), options);
  it('connect(url, options, no function): 401', async () => {
    assert.equal((await errorOf(fresh().client.connect(echoUrl, {}, 5))).code, PARAMETER);
  });

  connects('{}', {});
  connects('unknown members', { unknown: 1, another: {} });
  for (const value of [null, undefined, 5, 'text', true, [], () => {}]) {
    connects(`{header: ${String(value)}}`, { header: value });
  }
  for (const value of [null, undefined, 5, {}, true]) {
    connects(`{caPath: ${String(value)}}`, { caPath: value });
    connects(`{clientCert: ${String(value)}}`, { clientCert: value });
  }
  connects('{caPath: ""}', { caPath: '' });
  connects('{clientCert: ill-typed members}', { clientCert: { certPath: 5, keyPath: null, keyPassword: {} } });
  for (const value of [null, undefined, 5, 'text', {}]) {
    connects(`ill-typed booleans and intervals: ${String(value)}`, {
      skipServerCertVerification: value,
      supportOriginPort: value,
      minSupportTlsProtocol: value,
      ...(typeof value === 'number' ? {} : { pingInterval: value, pongTimeout: value }),
    });
  }
  connects('intervals out of range', { pingInterval: -1, pongTimeout: 1e9 });
  connects('a pongTimeout above the pingInterval', { pingInterval: 10, pongTimeout: 20 });
  connects('no heartbeat', { pingInterval: 0, pongTimeout: 5 });
  connects('ill-typed header values', { header: { a: 5, b: null, c: undefined, d: {}, e: [1, 'two'], f: '' } });

  connects('{protocol: ""}', { protocol: '' });
  connects('{protocol: "123"}', { protocol: '123' });
  for (const value of [null, undefined, 5, {}, true]) refuses(`{protocol: ${String(value)}}`, { protocol: value });

  connects("{proxy: 'system'}", { proxy: 'system' });
  connects("{proxy: 'no-proxy'}", { proxy: 'no-proxy' });
  connects('{proxy: null}', { proxy: null });
  connects('{proxy: undefined}', { proxy: undefined });
  for (const value of ['another', '', 5, true]) refuses(`{proxy: ${JSON.stringify(value)}}`, { proxy: value });
  for (const port of [-1, 65536, NaN, '80', {}]) {
    refuses(`{proxy: {port: ${String(port)}}}`, { proxy: { host: '127.0.0.1', port, exclusionList: [] } });
  }

  refuses('{caPath: a missing file}', { caPath: '/no/such/file' }, 2302002);
  refuses('{clientCert: a missing file}', { clientCert: { certPath: '/no/such/file', keyPath: '/no/such/file' } }, 2302002);
  refuses('{pinnedPublicKeys: no pin}', { pinnedPublicKeys: ['none'] });
  refuses('{header: {upgrade}}', { header: { Upgrade: 'x' } });
  refuses('{header: a line break}', { header: { a: 'b\r\nc: d' } });
  refuses('{header: a NUL}', { header: { a: 'b\0' } });
  it('an exception of an option\'s getter ends the call', async () => {
    const options = { get header() { throw new RangeError('no header'); } };
    await assert.rejects(fresh().client.connect(echoUrl, options), RangeError);
    const values = await new Promise((resolve) => fresh().client.connect(echoUrl, options, (...all) => resolve(all)));
    assert.equal(values.length, 1);
    assert(values[0] instanceof RangeError);
  });
});

describe('connect: the heartbeat', () => {
  const crypto = require('node:crypto');
  const net = require('node:net');
  // A server that opens and then says nothing, not even a pong.
  const links = [];
  const pinged = new Set();
  const server = net.createServer((socket) => links.push(socket.on('error', () => {}).once('data', (request) => {
    const [, key] = /sec-websocket-key: (.*)\r\n/i.exec(request.toString());
    const accept = crypto.createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    socket.once('data', () => pinged.add(socket));
  })));
  before(() => new Promise((resolve) => server.listen(0, '127.0.0.1', resolve)));
  after(() => {
    server.close();
    for (const link of links) link.destroy();
  });
  const silent = (options) => opened(`ws://127.0.0.1:${server.address().port}/`, { pingInterval: 1, ...options });

  it('a pongTimeout above the pingInterval counts as that; one that is not given is 30 s all the same', async () => {
    const waits = await Promise.all([{}, { pongTimeout: undefined }, { pongTimeout: null }, { pongTimeout: '1' }].map(silent));
    await until(() => pinged.size === waits.length, 'a ping of each');
    const { events } = await silent({ pongTimeout: 30 });
    const [error] = await events.wait('error');
    assert.deepEqual([error.code, error.phase], [200, 'heartbeat']);
    assert.equal((await events.wait('close'))[1].code, 1006);
    // Their pings were sent before those of the one that has ended.
    for (const { events: { names } } of waits) assert.deepEqual(names, ['headerReceive', 'open', 'openInfo']);
  });
});

describe('connect: the order of the checks', () => {
  for (const [state, arrange] of [
    ['idle', fresh],
    ['connecting', async () => { const made = fresh(); await made.client.connect(echoUrl); return made; }],
    ['open', opened],
    ['closing', async () => { const made = await opened(); await made.client.close(); return made; }],
  ]) {
    for (const url of ['hello', '', 'ws://host/#fragment', 'ws://host\0/', `${echoUrl}${'x'.repeat(3000)}`]) {
      const name = JSON.stringify(url.slice(0, 20));
      fails(`connect(${name}) when ${state}: 2302001`, 2302001, arrange, (client, callback) => client.connect(url, ...last(callback)));
      fails(`connect(${name}, {caPath: a NUL}) when ${state}: 2302001`, 2302001, arrange,
        (client, callback) => client.connect(url, { caPath: '/no\0pe' }, ...last(callback)));
    }
    for (const options of [{}, { caPath: '/no\0pe' }, { clientCert: { certPath: '/no\0pe' } }]) {
      fails(`a host that is not allowed, ${JSON.stringify(options)} when ${state}: 2302998`, 2302998, async () => {
        const made = await arrange();
        platform.allowHosts(false);
        return made;
      }, (client, callback) => client.connect(echoUrl, options, ...last(callback)));
    }
    fails(`connect(url, {pinnedPublicKeys: no pin}) when ${state}: 401`, PARAMETER, arrange,
      (client, callback) => client.connect('hello', { caPath: '/no\0pe', pinnedPublicKeys: ['none'] }, ...last(callback)));
  }
  for (const [name, options] of [['caPath', { caPath: '/no\0pe' }], ['certPath', { clientCert: { certPath: 'a\0b', keyPath: 'x' } }],
    ['keyPath', { clientCert: { certPath: `${certificates}/ca.pem`, keyPath: 'a\0b' } }]]) {
    it(`connect(url, {${name}: a NUL}): 2302002, with a sentence`, async () => {
      const error = await errorOf(fresh().client.connect(echoUrl, options));
      assert.deepEqual([error.code, error.data], [2302002, 'The path of a file holds a NUL.']);
    });
  }
  it('without the permission: 201, whatever the files are', async () => {
    platform.allowNetwork(false);
    for (const url of [echoUrl, 'hello', 'ws://']) {
      for (const options of [{ caPath: '/no\0pe' }, { clientCert: { certPath: 'a\0b' } }, { caPath: '/no/such/file' }]) {
        assert.equal((await errorOf(fresh().client.connect(url, options))).code, 201);
      }
    }
  });
});

describe('connect: the state', () => {
  fails('connect twice: 2302003 while connecting', 2302003, async () => {
    const made = fresh();
    await made.client.connect(echoUrl);
    return made;
  }, (client, callback) => client.connect(echoUrl, ...last(callback)));
  fails('connect twice: 2302003 when open', 2302003, opened, (client, callback) => client.connect(echoUrl, ...last(callback)));

  it('the first connection is unharmed', async () => {
    const { client, events } = await opened();
    assert.equal((await errorOf(client.connect(echoUrl))).code, 2302003);
    await client.send('still there');
    assert.equal((await events.wait('message'))[1], 'still there');
    assert.equal(events.of('error').length, 0);
  });

  it('a client connects again after close and after error', async () => {
    const made = await opened();
    await closeClient(made);
    await isTrue(made.client.connect('ws://127.0.0.1:1/'));
    await made.events.wait('error');
    await isTrue(made.client.connect(echoUrl));
    await made.events.wait('open', 2);
    await made.client.send('again');
    assert.equal((await made.events.wait('message'))[1], 'again');
  });

  it('a client connects again inside its close listener', async () => {
    const { client, events } = await opened();
    client.on('close', () => client.connect(echoUrl));
    await client.close();
    await events.wait('open', 2);
    client.off('close');
  });
});

describe('send', () => {
  const bad = [null, undefined, 5, true, {}, [], new Int8Array(4), Buffer.from('x'), new DataView(new ArrayBuffer(2)), new SharedArrayBuffer(4)];
  for (const data of bad) {
    const name = data && data.constructor ? data.constructor.name : String(data);
    fails(`send(${name}): 401`, PARAMETER, opened, (client, callback) => client.send(data, ...last(callback)));
  }
  it('send(data, callback) from its own callback, again and again: messages arrive meanwhile', async () => {
    const { client } = await opened();
    let heard = false;
    const message = new Promise((resolve) => client.on('message', resolve));
    const again = () => { if (!heard) client.send('again', again); };
    again();
    await guarded(message);
    heard = true;
  });
  it('send(): 401', async () => assert.equal((await errorOf((await opened()).client.send())).code, PARAMETER));
  it('send(data, no function): 401', async () => {
    assert.equal((await errorOf((await opened()).client.send('x', 5))).code, PARAMETER);
  });
  for (const [name, data] of [['""', ''], ['a string', 'hello'], ['an ArrayBuffer', new Uint8Array([1, 0, 2]).buffer],
    ['an empty ArrayBuffer', new ArrayBuffer(0)], ['a long message', 'long'.repeat(1 << 20)], ['text beyond ASCII', '号外 🎉 é']]) {
    const echoed = async ({ events }) => assert.deepEqual((await events.wait('message'))[1], data);
    bothForms(`send(${name}): true, and it arrives`, opened, (client, callback) => client.send(data, ...last(callback)),
      async (promise, made) => { await isTrue(promise); await echoed(made); },
      async (start, made) => { await callbackIsTrue(start); await echoed(made); });
  }
  it('send twice in a row: true, in order', async () => {
    const { client, events } = await opened();
    assert.deepEqual(await Promise.all([client.send('one'), client.send('two')]), [true, true]);
    await events.wait('message', 2);
    assert.deepEqual(events.of('message').map((event) => event.values[1]), ['one', 'two']);
  });
  it('a lone surrogate is sent as U+FFFD', async () => {
    const { client, events } = await opened();
    await client.send('a\ud800b');
    assert.equal((await events.wait('message'))[1], 'a\ufffdb');
  });
  it('a string of any length arrives whole', async () => {
    const { client, events } = await opened();
    // Around the size of the buffer that strings are put into, with characters of every length.
    const texts = [];
    for (const character of ['x', 'é', '号', '🎉']) {
      const most = Math.floor((16 << 10) / Buffer.byteLength(character));
      for (let length = most - 3; length <= most + 2; length++) texts.push(character.repeat(length), `x${character.repeat(length)}`);
    }
    for (const text of texts) await client.send(text);
    await events.wait('message', texts.length);
    assert.deepEqual(events.of('message').map((event) => event.values[1]), texts);
  });
  it('the data is copied by the call', async () => {
    const { client, events } = await opened();
    const data = new Uint8Array([1, 2, 3]);
    await client.send(data.buffer);
    data.fill(9);
    assert.deepEqual(new Uint8Array((await events.wait('message'))[1]), new Uint8Array([1, 2, 3]));
  });
  fails('send more than 5 MiB: 401', PARAMETER, opened, (client, callback) => client.send(new ArrayBuffer((5 << 20) + 1), ...last(callback)));
  fails('send without a connection: -1', -1, fresh, (client, callback) => client.send('x', ...last(callback)));
  fails('send before open: -1', -1, async () => {
    const made = fresh();
    await made.client.connect(echoUrl);
    return made;
  }, (client, callback) => client.send('x', ...last(callback)));
  fails('send after close: -1', -1, async () => {
    const made = await opened();
    await closeClient(made);
    return made;
  }, (client, callback) => client.send('x', ...last(callback)));
});

describe('close', () => {
  function closes(name, call, code = 1000) {
    const closed = async ({ events }) => {
      const [error, result] = await events.wait('close');
      assert.equal(error, undefined);
      assert.equal(result.code, code);
      assert.equal(typeof result.reason, 'string');
    };
    bothForms(`${name}: true, and close ${code}`, opened, call,
      async (promise, made) => { await isTrue(promise); await closed(made); },
      async (start, made) => { await callbackIsTrue(start); await closed(made); });
  }
  closes('close()', (client, callback) => client.close(...last(callback)));
  closes('close({})', (client, callback) => client.close({}, ...last(callback)));
  closes('close({code: 1000, reason})', (client, callback) => client.close({ code: 1000, reason: 'done' }, ...last(callback)));
  closes('close({code: 4321})', (client, callback) => client.close({ code: 4321 }, ...last(callback)), 4321);
  closes('close({code: 1014})', (client, callback) => client.close({ code: 1014 }, ...last(callback)), 1014);
  for (const code of [-100, 0, 100, 999, 1004, 1005, 1006, 1015, 2999, 5000, 1000.5, NaN, '1001', null, {}]) {
    closes(`close({code: ${String(code)}})`, (client, callback) => client.close({ code, reason: 'text' }, ...last(callback)));
  }
  for (const reason of [null, undefined, 5, {}]) {
    closes(`close({reason: ${String(reason)}})`, (client, callback) => client.close({ code: -100, reason }, ...last(callback)));
  }
  it('close(null): true', async () => isTrue((await opened()).client.close(null)));
  for (const options of [null, undefined, 5, 'text']) {
    it(`close(${String(options)}, callback): 401`, async () => {
      const { client } = await opened();
      assert.equal((await callbackErrorOf((callback) => client.close(options, callback))).code, PARAMETER);
    });
  }
  for (const options of [5, 'text', true]) {
    it(`close(${JSON.stringify(options)}): 401`, async () => assert.equal((await errorOf((await opened()).client.close(options))).code, PARAMETER));
  }
  for (const [name, reason] of [['above 123 bytes', 'x'.repeat(124)], ['with a NUL', 'a\0b']]) {
    fails(`a reason ${name}: 401`, PARAMETER, opened, (client, callback) => client.close({ reason }, ...last(callback)));
  }
  bothForms('close after connect resolved but before open: true, and only close 1006 follows', async () => {
    const made = fresh();
    await made.client.connect(echoUrl);
    return made;
  }, (client, callback) => client.close(...last(callback)),
  async (promise, { events }) => {
    await isTrue(promise);
    const [, result] = await events.wait('close');
    assert.deepEqual({ ...result }, { code: 1006, reason: '', wasClean: false });
    assert.deepEqual(events.names, ['close']);
  },
  async (start, { events }) => {
    await callbackIsTrue(start);
    await events.wait('close');
    assert.deepEqual(events.names, ['close']);
  });
  it('close when the attempt has failed and its error is on the way: only close 1006', async () => {
    const { client, events } = fresh();
    await client.connect('ws://127.0.0.1:1/');
    // The attempt fails while this thread does something else.
    const end = Date.now() + 200;
    while (Date.now() < end);
    await isTrue(client.close());
    await events.wait('close');
    await client.connect(echoUrl);
    await events.wait('open');
    assert.deepEqual(events.names.slice(0, 2), ['close', 'headerReceive']);
  });
  fails('close twice: 2302999', 2302999, async () => {
    const made = await opened();
    await made.client.close();
    return made;
  }, (client, callback) => client.close(...last(callback)));
  fails('close without a connection: 2302999', 2302999, fresh, (client, callback) => client.close(...last(callback)));
  fails('close after close: 2302999', 2302999, async () => {
    const made = await opened();
    await closeClient(made);
    return made;
  }, (client, callback) => client.close(...last(callback)));
  it('close flushes what was accepted', async () => {
    const { client, events } = await opened(`${nodeUrl}`);
    for (let i = 0; i < 1000; i++) client.send(`message ${i}`);
    await client.close();
    const [, result] = await events.wait('close');
    assert.equal(result.code, 1000);
  });
});

describe('on and off', () => {
  for (const name of CLIENT_EVENTS) {
    it(`on('${name}', null) and off('${name}', null) throw 401`, () => {
      const client = webSocket.createWebSocket();
      for (const value of [null, 5, 'text', {}]) {
        assert.throws(() => client.on(name, value), { code: PARAMETER });
        assert.throws(() => client.off(name, value), { code: PARAMETER });
      }
      assert.throws(() => client.on(name), { code: PARAMETER });
      assert.throws(() => client.on(name, undefined), { code: PARAMETER });
    });
    it(`off('${name}') before on, twice, and of a function that is not registered: no error`, () => {
      const client = webSocket.createWebSocket();
      for (let i = 0; i < 2; i++) assert.equal(client.off(name), undefined);
      assert.equal(client.off(name, undefined), undefined);
      assert.equal(client.off(name, () => {}), undefined);
      assert.equal(client.on(name, () => {}), undefined);
      assert.equal(client.off(name, () => {}), undefined);
      for (let i = 0; i < 2; i++) client.off(name);
    });
  }
  for (const name of ['nothing', '', null, undefined, 5, {}]) {
    it(`on(${String(name)}, f) throws 401`, () => {
      const client = webSocket.createWebSocket();
      assert.throws(() => client.on(name, () => {}), { code: PARAMETER });
      assert.throws(() => client.off(name), { code: PARAMETER });
    });
  }
  it('on after connect: delivered', async () => {
    const client = webSocket.createWebSocket();
    await client.connect(echoUrl);
    await new Promise((resolve) => client.on('open', resolve));
    await client.close();
  });
  it('a message that comes right behind open is not lost to who listens in its continuation', async () => {
    const client = webSocket.createWebSocket();
    const opens = new Promise((resolve) => client.on('open', resolve));
    await client.connect(`${nodeUrl}fragments`);
    await opens;
    const message = await new Promise((resolve) => client.on('message', (_, value) => resolve(value)));
    assert.equal(message, 'hello');
    await client.close();
  });
  it('several listeners are called in order, the same function once', async () => {
    const { client, events } = await opened();
    const calls = [];
    const first = () => calls.push('first');
    for (const listener of [first, () => calls.push('second'), first]) client.on('message', listener);
    await client.send('x');
    await events.wait('message');
    await client.send('y');
    await events.wait('message', 2);
    await until(() => calls.length >= 4, 'two calls each');
    assert.deepEqual(calls, ['first', 'second', 'first', 'second']);
  });
  it('off with a function removes that one, off without removes all', async () => {
    const { client, events } = await opened();
    const calls = [];
    const [one, two, three] = ['one', 'two', 'three'].map((name) => () => calls.push(name));
    for (const listener of [one, two, three]) client.on('dataEnd', listener);
    client.off('dataEnd', two);
    await client.send('x');
    await events.wait('message');
    await client.send('y');
    await events.wait('message', 2);
    assert.deepEqual(calls.slice(0, 2), ['one', 'three']);
    client.off('dataEnd');
    const before = calls.length;
    await client.send('z');
    await events.wait('message', 3);
    await closeClient({ client, events });
    assert.equal(calls.length, before);
  });
  it('a listener may remove itself and others while it is called', async () => {
    const { client, events } = await opened();
    const calls = [];
    const second = () => calls.push('second');
    const first = () => {
      calls.push('first');
      client.off('message', first);
      client.off('message', second);
      client.on('message', () => calls.push('third'));
    };
    client.on('message', first);
    client.on('message', second);
    await client.send('x');
    await client.send('y');
    await events.wait('message', 2);
    await closeClient({ client, events });
    assert.deepEqual(calls, ['first', 'third']);
  });
});

describe('payloads and order', () => {
  it('a session: headerReceive, open, openInfo, message and dataEnd, close', async () => {
    const made = await opened(echoUrl, { protocol: 'chat.v1, chat.v2' });
    const { client, events } = made;
    await client.send('text');
    await client.send(new ArrayBuffer(8));
    await events.wait('message', 2);
    await closeClient(made);
    assert.deepEqual(events.names, ['headerReceive', 'open', 'openInfo', 'message', 'dataEnd', 'message', 'dataEnd', 'close']);

    const [headers, open, openInfo, text, end, binary] = events.events.map((event) => event.values);
    assert.equal(headers.length, 1);
    assert.equal(headers[0].upgrade, 'websocket');
    assert.deepEqual(headers[0]['set-cookie'], ['first=1', 'second=2']);
    assert.deepEqual(Object.keys(headers[0]), Object.keys(headers[0]).map((name) => name.toLowerCase()));
    assert.deepEqual(open, [undefined, { status: 101, message: 'Switching Protocols' }]);
    assert.deepEqual(openInfo, [undefined, { status: 101, message: 'Switching Protocols', protocol: 'chat.v2' }]);
    assert.deepEqual(text, [undefined, 'text']);
    assert.deepEqual(end, []);
    assert(binary[1] instanceof ArrayBuffer);
    assert.equal(binary[1].byteLength, 8);
    assert.deepEqual(events.events[7].values, [undefined, { code: 1000, reason: '', wasClean: true }]);
  });
  it('ArrayBuffers of all sizes have the bytes that were sent, and can be changed', async () => {
    const { client, events } = await opened();
    const sizes = [0, 1, 4095, 4096, 4097, 100000];
    const data = sizes.map((size) => Uint8Array.from({ length: size }, (_, i) => i * 7 % 256));
    for (const bytes of data) await client.send(bytes.buffer);
    await events.wait('message', sizes.length);
    events.of('message').forEach((event, i) => {
      const bytes = new Uint8Array(event.values[1]);
      assert.deepEqual(bytes, data[i]);
      if (bytes.length) bytes[0] = 255;
    });
  });
  it('a header named __proto__, twice, is a property like any other', async () => {
    const net = require('node:net');
    const crypto = require('node:crypto');
    const server = net.createServer((socket) => socket.once('data', (request) => {
      const [, key] = /sec-websocket-key: (.*)\r\n/i.exec(request.toString());
      const accept = crypto.createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      socket.on('error', () => {});
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n__proto__: a\r\n__PROTO__: b\r\n'
        + `constructor: c\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    }));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { events, client } = fresh();
    await client.connect(`ws://127.0.0.1:${server.address().port}/`);
    const [headers] = await events.wait('headerReceive');
    assert.equal(Object.getPrototypeOf(headers), Object.prototype);
    assert.deepEqual(Object.getOwnPropertyDescriptor(headers, '__proto__').value, ['a', 'b']);
    assert.equal(Object.getOwnPropertyDescriptor(headers, 'constructor').value, 'c');
    server.close();
  });
  it('an error after a failed connect: {code: 200}, with what is known', async () => {
    const { client, events } = fresh();
    await isTrue(client.connect('ws://127.0.0.1:1/'));
    const values = await events.wait('error');
    assert.equal(values.length, 1);
    const [error] = values;
    assert(error instanceof Error);
    assert.deepEqual([error.code, error.data, error.phase, error.detail], [200, '0', 'tcp', 'NSWS_DETAIL_REFUSED']);
    assert.match(error.message, /127\.0\.0\.1.*1/);
    assert.equal(typeof error.osError, 'number');
    assert.equal(JSON.parse(JSON.stringify(error)).message, error.message);
    assert.deepEqual(events.names, ['error']);
  });
  it('an error has the HTTP status of the refusal', async () => {
    const http = require('node:http').createServer((request, response) => response.writeHead(404).end());
    await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
    const { client, events } = fresh();
    await client.connect(`ws://127.0.0.1:${http.address().port}/`);
    const [error] = await events.wait('error');
    assert.deepEqual([error.code, error.data, error.phase], [200, '404', 'handshake']);
    http.close();
  });
  it('the peer closes: its code and reason; without a code 1000', async () => {
    const made = await opened(`${nodeUrl}close/4001/enough`);
    await made.client.send('x');
    assert.deepEqual(await made.events.wait('close'), [undefined, { code: 4001, reason: 'enough', wasClean: true }]);
    const { WsServer } = require('./support');
    const server = new WsServer({ host: '127.0.0.1', port: 0 });
    server.on('connection', (socket) => socket.close());
    await new Promise((resolve) => server.on('listening', resolve));
    const other = await opened(`ws://127.0.0.1:${server.address().port}/`);
    assert.deepEqual(await other.events.wait('close'), [undefined, { code: 1000, reason: '', wasClean: true }]);
    server.close();
  });
  it('the link is lost: an error, then close 1006', async () => {
    const { WsServer } = require('./support');
    const server = new WsServer({ host: '127.0.0.1', port: 0 });
    server.on('connection', (socket) => socket.on('message', () => socket.terminate()));
    await new Promise((resolve) => server.on('listening', resolve));
    const { client, events } = await opened(`ws://127.0.0.1:${server.address().port}/`);
    await client.send('x');
    const [, result] = await events.wait('close');
    assert.deepEqual({ ...result }, { code: 1006, reason: 'The link is down', wasClean: false });
    assert.deepEqual(events.names.slice(-2), ['error', 'close']);
    assert.equal(events.of('error')[0].values[0].code, 200);
    server.close();
  });
  it('request headers arrive: names in lower case, arrays as several, Sec-WebSocket-Protocol as protocol', async () => {
    const { WsServer } = require('./support');
    const server = new WsServer({ host: '127.0.0.1', port: 0 });
    const connected = new Promise((resolve) => server.on('connection', (socket, request) => resolve(request)));
    await new Promise((resolve) => server.on('listening', resolve));
    const header = { 'X-One': '1', 'X-Many': ['a', 'b'], 'Sec-WebSocket-Protocol': 'chat' };
    const { events } = await opened(`ws://127.0.0.1:${server.address().port}/path?query=1`, { header, supportOriginPort: true });
    const request = await connected;
    assert.equal(request.url, '/path?query=1');
    assert.equal(request.headers['x-one'], '1');
    assert.equal(request.headers['x-many'], 'a, b');
    assert(request.rawHeaders.includes('x-many') && !request.rawHeaders.includes('X-Many'));
    assert.equal(request.headers.origin, `http://127.0.0.1:${server.address().port}`);
    assert.equal((await events.wait('openInfo'))[1].protocol, 'chat');
    server.close();
  });
  it('Origin has no port, whatever the port of the URL, unless supportOriginPort is true', async () => {
    const { WsServer } = require('./support');
    const server = new WsServer({ host: '127.0.0.1', port: 0 });
    const origins = [];
    server.on('connection', (socket, request) => origins.push(request.headers.origin));
    await new Promise((resolve) => server.on('listening', resolve));
    const url = `ws://127.0.0.1:${server.address().port}/`;
    for (const options of [undefined, {}, { supportOriginPort: false }, { supportOriginPort: true }]) await opened(url, options);
    assert.deepEqual(origins, [...Array(3).fill('http://127.0.0.1'), `http://127.0.0.1:${server.address().port}`]);
    server.close();
  });
});

describe('TLS', () => {
  const secure = process.env.NSWS_ECHO_WSS_URL;
  it('a server that nobody vouches for is an error, phase tls', async () => {
    const { client, events } = fresh();
    await isTrue(client.connect(secure));
    const [error] = await events.wait('error');
    assert.deepEqual([error.code, error.phase, error.detail], [200, 'tls', 'NSWS_DETAIL_CERT_ISSUER']);
  });
  it('caPath names the CA', async () => {
    const { client, events } = await opened(secure, { caPath: `${certificates}/ca.pem`, minSupportTlsProtocol: webSocket.TlsProtocol.TLS_V_1_3 });
    await client.send('secret');
    assert.equal((await events.wait('message'))[1], 'secret');
  });
  it('skipServerCertVerification accepts any', async () => {
    await opened(secure, { skipServerCertVerification: true });
  });
  it('minSupportTlsProtocol refuses an older server; 0 and 1 mean 1.2', async () => {
    const old = `wss://127.0.0.1:${process.env.NSWS_WSS_TLS_1_2_PORT}/`;
    for (const minSupportTlsProtocol of [0, 1, 2]) await opened(old, { skipServerCertVerification: true, minSupportTlsProtocol });
    const { client, events } = fresh();
    await client.connect(old, { skipServerCertVerification: true, minSupportTlsProtocol: 3 });
    assert.equal((await events.wait('error'))[0].phase, 'tls');
  });
});

describe('the CAs of NODE_EXTRA_CA_CERTS', () => {
  const { execFile } = require('node:child_process');
  const { promisify } = require('node:util');
  const program = `
    const { webSocket } = { webSocket: require(process.env.NSWS_JS_MODULE) };
    const client = webSocket.createWebSocket();
    client.on('open', () => { console.log('open'); client.close(); });
    client.on('error', (error) => console.log(error.detail));
    client.connect(process.env.NSWS_ECHO_WSS_URL);`;
  const run = async (more) => (await promisify(execFile)(process.execPath, ['-e', program], { env: { ...process.env, ...more } })).stdout;
  it('are trusted besides the system\'s, as Node trusts them', async () => {
    const ca = `${certificates}/ca.pem`;
    assert.equal(await run({ NODE_EXTRA_CA_CERTS: ca }), 'open\n');
    assert.equal(await run({ NODE_EXTRA_CA_CERTS: '/no/such/file' }), 'NSWS_DETAIL_CERT_ISSUER\n');
    assert.equal(await run({ NODE_EXTRA_CA_CERTS: `${certificates}/client-only.pem`, SSL_CERT_FILE: ca }), 'open\n');
    assert.equal(await run({ NODE_EXTRA_CA_CERTS: '' }), 'NSWS_DETAIL_CERT_ISSUER\n');
  });
});

describe('client certificates and pins', () => {
  const https = require('node:https');
  const fs = require('node:fs');
  const { X509Certificate, createHash } = require('node:crypto');
  const { WsServer } = require('./support');
  const read = (name) => fs.readFileSync(`${certificates}/${name}`);
  const caPath = `${certificates}/ca.pem`;
  const clientCert = { certPath: `${certificates}/client-only.pem`, keyPath: `${certificates}/client-only.key` };
  let server;
  let url;
  before(async () => {
    server = https.createServer({ cert: read('good.pem'), key: read('good.key'), ca: read('ca.pem'), requestCert: true });
    new WsServer({ server });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `wss://127.0.0.1:${server.address().port}/`;
  });
  after(() => server.close());

  it('a server that asks for a certificate gets it', async () => {
    await opened(url, { caPath, clientCert });
  });
  it('without one, an error says so', async () => {
    const { client, events } = fresh();
    await client.connect(url, { caPath });
    assert.equal((await events.wait('error'))[0].code, 200);
  });
  it('a key that is not the certificate\'s: an error, phase tls', async () => {
    const { client, events } = fresh();
    await isTrue(client.connect(url, { caPath, clientCert: { ...clientCert, keyPath: `${certificates}/good.key` } }));
    const [error] = await events.wait('error');
    assert.deepEqual([error.phase, error.detail], ['tls', 'NSWS_DETAIL_KEY_MISMATCH']);
  });
  it('pinnedPublicKeys: the server\'s key, or no connection', async () => {
    const key = new X509Certificate(read('good.pem')).publicKey.export({ type: 'spki', format: 'der' });
    const pin = `sha256//${createHash('sha256').update(key).digest('base64')}`;
    const other = `sha256//${createHash('sha256').update('another').digest('base64')}`;
    await opened(url, { caPath, clientCert, pinnedPublicKeys: [other, pin] });
    const { client, events } = fresh();
    await client.connect(url, { caPath, clientCert, pinnedPublicKeys: [other] });
    assert.equal((await events.wait('error'))[0].detail, 'NSWS_DETAIL_PIN_MISMATCH');
  });
});

describe('proxies', () => {
  const http = require('node:http');
  const net = require('node:net');
  let proxy;
  let asked;
  before(async () => {
    asked = [];
    proxy = http.createServer().on('connect', (request, socket, head) => {
      asked.push([request.url, request.headers['proxy-authorization']]);
      const [host, port] = request.url.split(':');
      const target = net.connect(port, host, () => {
        socket.write('HTTP/1.1 200 Connected\r\n\r\n');
        target.write(head);
        target.pipe(socket).pipe(target);
      });
      for (const end of [target, socket]) end.on('error', () => {});
    });
    await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  });
  after(() => proxy.close());
  const given = (more) => ({ proxy: { host: '127.0.0.1', port: proxy.address().port, exclusionList: [], ...more } });

  it('a given proxy is used, with its user and password', async () => {
    asked.length = 0;
    await opened(echoUrl, given());
    await opened(echoUrl, given({ username: 'user', password: 'secret' }));
    const target = new URL(echoUrl).host;
    assert.deepEqual(asked, [[target, undefined], [target, `Basic ${Buffer.from('user:secret').toString('base64')}`]]);
  });
  it('but not for an excluded host', async () => {
    asked.length = 0;
    await opened(echoUrl, given({ exclusionList: ['example.com', '127.0.0.1'] }));
    assert.deepEqual(asked, []);
  });
  it('a proxy without a name is none', async () => {
    asked.length = 0;
    await opened(echoUrl, { proxy: { host: '', port: 0, exclusionList: [] } });
    await opened(echoUrl, { proxy: {} });
    assert.deepEqual(asked, []);
  });
  it('a proxy that can\'t be reached: an error, phase proxy', async () => {
    const { client, events } = fresh();
    await isTrue(client.connect(echoUrl, { proxy: { host: '127.0.0.1', port: 1, exclusionList: [] } }));
    assert.equal((await events.wait('error'))[0].phase, 'proxy');
  });
});

describe('beyond the reference', () => {
  it('getStatistics(): figures of the connection and of the way to it', async () => {
    const { client: idle } = fresh();
    const before = idle.getStatistics();
    assert.deepEqual([before.messagesSent, before.peerAddress, before.tlsVersion, before.tlsResumed], [0, '', '', false]);
    const { client, events } = await opened(process.env.NSWS_ECHO_WSS_URL, { caPath: `${certificates}/ca.pem` });
    await client.send('hello');
    await events.wait('message');
    const figures = client.getStatistics();
    assert.deepEqual(Object.keys(figures).sort(), Object.keys(before).sort());
    assert.deepEqual([figures.messagesSent, figures.messagesReceived, figures.bytesSent, figures.bytesReceived], [1, 1, 5, 5]);
    assert.ok(figures.wireBytesSent > 100 && figures.wireBytesReceived > 100);
    assert.match(figures.tlsVersion, /^TLS 1\.[23]$/);
    assert.match(figures.tlsCipher, /^TLS_/);
    assert.ok(['127.0.0.1', '::1'].includes(figures.peerAddress) && figures.peerPort > 0);
    for (const name of ['tcp', 'tls', 'handshake', 'firstMessage']) assert.ok(figures[name] > 0, name);
    assert.throws(() => client.getStatistics.call({}));
  });

  const { WsServer } = require('./support');
  it('reconnect: a lost connection is had again, and close ends it', async () => {
    const server = new WsServer({ host: '127.0.0.1', port: 0 });
    server.on('connection', (socket) => socket.on('message', () => socket.terminate()));
    await new Promise((resolve) => server.on('listening', resolve));
    const { client, events } = await opened(`ws://127.0.0.1:${server.address().port}/`, { reconnect: { maxAttempts: 3, minDelay: 1 } });
    await client.send('hang up');
    await events.wait('open', 2);
    assert.deepEqual(events.names.slice(-6), ['error', 'close', 'reconnecting', 'headerReceive', 'open', 'openInfo']);
    const [{ attempt, delay }] = events.of('reconnecting')[0].values;
    assert.equal(attempt, 1);
    assert.equal(typeof delay, 'number');
    await isTrue(client.close());
    assert.equal((await events.wait('close', 2))[1].code, 1000);
    server.close();
  });
  it('reconnect: while it waits, close abandons it, and connect says 2302003', async () => {
    const { client, events } = fresh();
    await client.connect('ws://127.0.0.1:1/', { reconnect: { maxAttempts: Infinity, minDelay: 60000, maxDelay: 60000 } });
    await events.wait('reconnecting');
    assert.equal((await errorOf(client.connect(echoUrl))).code, 2302003);
    await isTrue(client.close());
    assert.equal((await events.wait('close'))[1].code, 1006);
    await isTrue(client.connect(echoUrl));
    await events.wait('open');
  });
  it('compression: it is offered, and a long message passes both ways', async () => {
    const server = new WsServer({ host: '127.0.0.1', port: 0, perMessageDeflate: true });
    const offered = [];
    server.on('connection', (socket, request) => {
      offered.push(request.headers['sec-websocket-extensions']);
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    await new Promise((resolve) => server.on('listening', resolve));
    const url = `ws://127.0.0.1:${server.address().port}/`;
    const text = 'long '.repeat(20000);
    for (const compression of [true, false, undefined, 'true', 1]) {
      const { client, events } = await opened(url, { compression });
      await client.send(text);
      assert.equal((await events.wait('message'))[1], text);
      await client.close();
    }
    assert.match(offered[0], /^permessage-deflate/);
    assert.deepEqual(offered.slice(1), [undefined, undefined, undefined, undefined]);
    server.close();
  });
  it('a full send queue: -1, then drain, and what was accepted arrives', async () => {
    const server = new WsServer({ host: '127.0.0.1', port: 0 });
    let received = 0;
    const connected = new Promise((resolve) => server.on('connection', (socket) => {
      socket._socket.pause();
      socket.on('message', () => received++);
      resolve(socket);
    }));
    await new Promise((resolve) => server.on('listening', resolve));
    const { client, events } = await opened(`ws://127.0.0.1:${server.address().port}/`);
    const socket = await connected;
    const data = new ArrayBuffer(1 << 20);
    let accepted = 0;
    let refused;
    while (!refused) await client.send(data).then(() => accepted++, (error) => { refused = error; });
    assert.equal(refused.code, -1);
    socket._socket.resume();
    assert.deepEqual(await events.wait('drain'), []);
    await until(() => received === accepted, 'what was accepted');
    server.close();
  });
});

const states = {
  new: async () => fresh(),
  connecting: async () => { const made = fresh(); await made.client.connect(echoUrl); return made; },
  open: () => opened(),
  closing: async () => { const made = await opened(); await made.client.close(); return made; },
  closed: async () => { const made = await opened(); await closeClient(made); return made; },
};

// Calls are made in one turn, so that the state is the same for all; wrong arguments first, which change nothing.
describe('every argument, in every state', () => {
  const wrong = [undefined, null, 5, true, {}, [], Symbol('x'), 5n, new Int8Array(2)];
  const calls = {
    connect: { wrong: wrong.map((value) => [value]), right: [echoUrl] },
    send: { wrong: wrong.map((value) => [value]), right: ['x'] },
    // Without a callback, null and undefined are no options.
    close: { wrong: [5, true, Symbol('x'), 5n, 'text'].map((value) => [value]), right: [] },
  };
  const expected = {
    new: { connect: true, send: -1, close: 2302999 },
    connecting: { connect: 2302003, send: -1, close: true },
    open: { connect: 2302003, send: true, close: true },
    closing: { connect: 2302003, send: -1, close: 2302999 },
    closed: { connect: true, send: -1, close: 2302999 },
  };
  const codeOf = (promise) => guarded(promise, 'an answer').catch((error) => error.code);
  for (const [state, arrange] of Object.entries(states)) {
    for (const [method, { wrong, right }] of Object.entries(calls)) {
      it(`${method} when ${state}, as a Promise`, async () => {
        const { client } = await arrange();
        const answers = [...wrong, right].map((values) => codeOf(client[method](...values)));
        assert.deepEqual(await Promise.all(answers), [...wrong.map(() => PARAMETER), expected[state][method]]);
      });
      it(`${method} when ${state}, with a callback`, async () => {
        const { client } = await arrange();
        const answers = [...wrong, right].map((values) => called((callback) => client[method](...values, callback)));
        const codes = (await Promise.all(answers)).map(([error, value]) => (error ? error.code : value));
        assert.deepEqual(codes, [...wrong.map(() => PARAMETER), expected[state][method]]);
      });
    }
  }
});

describe('without the permission to use the network', () => {
  for (const [state, arrange] of Object.entries(states)) {
    const denied = async () => {
      const made = await arrange();
      platform.allowNetwork(false);
      return made;
    };
    for (const url of [echoUrl, 'ws://', '', 'hello', 'http://127.0.0.1/', 'ws://host\0/']) {
      const name = JSON.stringify(url === echoUrl ? 'ws://...' : url);
      fails(`connect(${name}) when ${state}: 201`, 201, denied, (client, callback) => client.connect(url, ...last(callback)));
    }
    fails(`connect with a wrong URL type when ${state}: 401`, PARAMETER, denied, (client, callback) => client.connect(5, ...last(callback)));
    fails(`send when ${state}: 201`, 201, denied, (client, callback) => client.send('x', ...last(callback)));
    fails(`close when ${state}: 201`, 201, denied, (client, callback) => client.close(...last(callback)));
    fails(`wrong parameters come first when ${state}: 401`, PARAMETER, denied, (client, callback) => client.send(5, ...last(callback)));
  }
  fails('a host that is not allowed: 2302998', 2302998, async () => {
    platform.allowHosts(false);
    return fresh();
  }, (client, callback) => client.connect(echoUrl, ...last(callback)));
});

after(() => platform.reset());
