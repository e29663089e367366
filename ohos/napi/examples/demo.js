// Shows the module: a server in JavaScript with a client in JavaScript and one in C, and a client in JavaScript of a server in C.
//
//     node demo.js FOLDER_OF_THE_C_EXAMPLES

'use strict';

const { spawn } = require('node:child_process');
const net = require('node:net');
const path = require('node:path');

const examples = process.argv[2];

function freePort() {
  return new Promise((resolve) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

// Runs a program, and shows each line that it prints behind its name.
function run(name, command, ...values) {
  const child = spawn(command, values, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.text = '';
  let shown = 0;
  child.stdout.setEncoding('utf8').on('data', (data) => {
    child.text += data;
    const whole = child.text.lastIndexOf('\n') + 1;
    for (const line of child.text.slice(shown, whole).split('\n').filter(Boolean)) console.log(`  ${name.padEnd(10)} ${line}`);
    shown = Math.max(shown, whole);
  });
  child.ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${name} ended with ${code}.`))));
  });
  // What it has said, as soon as that matches.
  child.says = (pattern) => new Promise((resolve, reject) => {
    const look = () => pattern.test(child.text) && resolve(child.text.match(pattern));
    child.stdout.on('data', look);
    child.ended.then(() => reject(new Error(`${name} never said ${pattern}.`)), reject);
    look();
  });
  return child;
}

const js = (name, program, ...values) => run(name, process.execPath, path.join(__dirname, program), ...values.map(String));
const c = (name, program, ...values) => run(name, path.join(examples, program), ...values);

async function serverInJavaScript() {
  const port = await freePort();
  const url = `ws://127.0.0.1:${port}/`;
  console.log('\nA server in JavaScript, and a client in JavaScript');
  const server = js('JS server', 'server.js', port);
  await server.says(/^listening$/m);
  const client = js('JS client', 'client.js', url, 'hello from JavaScript');
  await client.ended;
  await client.says(/^message: you said: hello from JavaScript$/m);

  console.log('\nA client in C of the same server');
  const chat = c('C client', 'chat', url);
  chat.stdin.write('hello from C\n');
  await chat.says(/: you said: hello from C$/m);
  chat.stdin.end();
  await chat.ended;

  console.log('\nA client stops the server');
  await js('JS client', 'client.js', url, 'stop').ended;
  await server.ended;
}

async function serverInC() {
  console.log('\nA server in C, which takes words only, and a client in JavaScript, which sends bytes at last');
  const server = c('C server', 'tv_server', '--ip', '127.0.0.1');
  const [, url] = await server.says(/^\((ws:.*)\)$/m);
  const client = js('JS client', 'client.js', `${url}?name=JavaScript`, 'hello from JavaScript');
  await client.ended;
  await client.says(/^message: JavaScript: hello from JavaScript$/m);
  await client.says(/^close: 1003 /m);
  server.stdin.end();
  await server.ended;
}

serverInJavaScript()
  .then(serverInC)
  .then(() => console.log('\nAll as expected.'))
  .catch((error) => {
    console.error(`Not as expected: ${error.message}`);
    process.exit(1);
  });
