// Measures the module beside npm's ws, as a client and as a server; the other side is always ws.
//
//     NSWS_JS_MODULE=.../websocket.node NODE_PATH=build/js/node_modules node benches/js/run.js [ROUNDS]
//
// The two take turns, so that what else the machine does is spread over both; a figure is the median of the rounds. Round
// trips are of 32 B of text.

'use strict';

const { spawn } = require('node:child_process');
const net = require('node:net');
const path = require('node:path');
const { CASES } = require('./cases');

const rounds = Number(process.argv[2] || 9);
const side = path.join(__dirname, 'side.js');

function freePort() {
  return new Promise((resolve) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

// Starts a side; its first line of output.
function start(kind, role, port, name) {
  const { cores } = CASES[name];
  const pinned = cores ? ['taskset', '-c', String(cores[role])] : [];
  const [command, ...rest] = [...pinned, process.execPath, side, kind, role, String(port), name];
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.line = new Promise((resolve, reject) => {
    child.on('exit', (code) => reject(new Error(`${kind} ${role} ended with ${code}`)));
    child.stdout.on('data', (data) => {
      text += data;
      if (text.includes('\n')) resolve(text.trim());
    });
  });
  return child;
}

async function startServer(kind, name) {
  for (;;) {
    const port = await freePort();
    const server = start(kind, 'server', port, name);
    try {
      await server.line;
      return [server, port];
    } catch {
      // Somebody else was quicker to take the port.
    }
  }
}

async function measure(server, client, name) {
  const [echo, port] = await startServer(server, name);
  const figure = Number(await start(client, 'client', port, name).line);
  echo.removeAllListeners('exit');
  echo.kill();
  return figure;
}

const median = (figures) => figures.sort((a, b) => a - b)[figures.length >> 1];

(async () => {
  console.log(`${rounds} rounds each, median; µs for each message\n`);
  console.log('role    case                        ours        ws   ours/ws');
  for (const role of ['client', 'server']) {
    for (const name of Object.keys(CASES)) {
      const figures = { ours: [], ws: [] };
      for (let round = 0; round < rounds; round++) {
        for (const kind of ['ours', 'ws']) {
          figures[kind].push(role === 'client' ? await measure('ws', kind, name) : await measure(kind, 'ws', name));
        }
      }
      const [ours, ws] = [median(figures.ours), median(figures.ws)];
      console.log(`${role}  ${name.padEnd(24)} ${ours.toFixed(1).padStart(8)}  ${ws.toFixed(1).padStart(8)}  ${(ours / ws).toFixed(2).padStart(8)}`);
    }
  }
})();
