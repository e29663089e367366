// A server in JavaScript, and who talks to it: a client in JavaScript, and the C program examples/c/chat.
//
//     node demo.js CHAT

'use strict';

const { spawn } = require('node:child_process');
const net = require('node:net');
const path = require('node:path');

const chat = process.argv[2];

function freePort() {
  return new Promise((resolve) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

// Runs a program; each line that it prints is shown behind its name. `input` is what it is told.
function run(name, command, values, input = '') {
  const child = spawn(command, values, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.text = '';
  child.stdout.on('data', (data) => {
    child.text += data;
    for (const line of String(data).split('\n').filter(Boolean)) console.log(`${name.padEnd(10)} ${line}`);
  });
  child.says = (text) => new Promise((resolve, reject) => {
    const look = () => child.text.includes(text) && resolve();
    child.stdout.on('data', look);
    child.on('exit', (code) => reject(new Error(`${name} ended with ${code} before it said "${text}"`)));
    look();
  });
  child.ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${name} ended with ${code}`))));
  });
  child.stdin.write(input);
  return child;
}

const js = (name, program, ...values) => run(name, process.execPath, [path.join(__dirname, program), ...values.map(String)]);

(async () => {
  const port = await freePort();
  const url = `ws://127.0.0.1:${port}/`;
  const server = js('JS server', 'server.js', port);
  await server.says('listening');
  await js('JS client', 'client.js', url, 'hello from JavaScript').ended;
  const c = run('C client', chat, [url], 'hello from C\n');
  await c.says('you said: hello from C');
  c.stdin.end();
  await c.ended;
  await js('JS client', 'client.js', url, 'stop').ended;
  await server.ended;
  console.log('A client and a server in JavaScript have talked to each other and to a C program.');
})().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
