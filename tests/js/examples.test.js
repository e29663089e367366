// The example programs: run with each other, and what they print.

'use strict';

const { it } = require('node:test');
const { spawn } = require('node:child_process');
const path = require('node:path');
const { assert, echoUrl, freePort, guarded, until } = require('./support');

const examples = path.resolve(__dirname, '../../ohos/napi/examples');

function run(name, ...values) {
  const child = spawn(process.execPath, [path.join(examples, name), ...values.map(String)], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { child.text += data; });
  child.says = (text) => until(() => child.text.includes(text), `"${text}" in ${child.text}`);
  child.ended = guarded(new Promise((resolve) => child.on('close', (status) => resolve([status, child.text]))), `${name} to end`);
  return child;
}

const session = (lines) => ['connecting', 'headerReceive: upgrade is websocket', 'open: 101 Switching Protocols', 'openInfo: protocol ""', ...lines, ''].join('\n');

it('the client against a server of another library', async () => {
  const [status, text] = await run('client.js', echoUrl, 'hello', '你好').ended;
  assert.equal(text, session(['message: hello', 'dataEnd', 'message: 你好', 'dataEnd', 'message: 3 bytes', 'dataEnd', 'closing', 'close: 1000 all said']));
  assert.equal(status, 0);
});

it('the client and the server', async () => {
  const port = await freePort();
  const server = run('server.js', port);
  await server.says('listening');
  const [status, text] = await run('client.js', `ws://127.0.0.1:${port}/`, 'hello').ended;
  assert.equal(text, session([
    'message: welcome', 'dataEnd', 'message: 1 here', 'dataEnd', 'message: you said: hello', 'dataEnd', 'message: 3 bytes', 'dataEnd',
    'closing', 'close: 1000 all said',
  ]));
  assert.equal(status, 0);
  const closed = await run('client.js', `ws://127.0.0.1:${port}/`, 'close me').ended;
  assert.match(closed[1], /close: 4000 as you wish\n/);
  const stopped = await run('client.js', `ws://127.0.0.1:${port}/`, 'stop').ended;
  assert.match(stopped[1], /close: 1001 server is going away\n/);
  const [serverStatus, said] = await server.ended;
  assert.equal(serverStatus, 0);
  assert.match(said, /^listening\nconnect: 127\.0\.0\.1\nmessage: hello\nmessage: 3 bytes\nclose: 1000 all said\n/);
});

it('the client says what failed', async () => {
  assert.match((await run('client.js', 'ws://127.0.0.1:1/').ended)[1], /^connecting\nerror: 200, phase tcp: .+\n$/);
  assert.match((await run('client.js', 'http://127.0.0.1/').ended)[1], /^not connected: 2302001 /);
});

it('the server says why it did not start', async () => {
  assert.match((await run('server.js', '70000').ended)[1], /^not started: 2302005 /);
});
