// The Node `ws` library as an echo server, over ws and wss; one wss server has no TLS newer than 1.2, one ws server compresses.
//
//     /                       sends back every message
//     /close/CODE/REASON      closes, after the first message
//     /ping                   pings, and says "pong" when the answer is right
//     /fragments              sends "hello" in three fragments

'use strict';

const fs = require('fs');
const https = require('https');
const { WebSocketServer } = require('ws');

const folder = process.argv[2];
const limits = { perMessageDeflate: false, maxPayload: 64 * 1024 * 1024 };

function serve(socket, request) {
  const [, what, code, reason] = request.url.split('?')[0].split('/');
  socket.on('message', (data, isBinary) => {
    if (what === 'close') socket.close(Number(code), decodeURIComponent(reason || ''));
    else socket.send(data, { binary: isBinary });
  });
  socket.on('error', (error) => process.stderr.write(`node peer: ${error.message}\n`));
  if (what === 'ping') {
    socket.on('pong', (data) => socket.send(data.toString() === 'knock' ? 'pong' : 'wrong'));
    socket.ping('knock');
  }
  if (what === 'fragments') {
    socket.send('he', { fin: false });
    socket.send('l', { fin: false });
    socket.send('lo', { fin: true });
  }
}

function secure(options) {
  const certificate = { cert: fs.readFileSync(`${folder}/good.pem`), key: fs.readFileSync(`${folder}/good.key`) };
  const server = https.createServer({ ...certificate, ...options });
  new WebSocketServer({ server, ...limits }).on('connection', serve);
  return server.listen(0, '127.0.0.1');
}

const plain = new WebSocketServer({ host: '127.0.0.1', port: 0, ...limits });
plain.on('connection', serve);
const deflating = new WebSocketServer({ host: '127.0.0.1', port: 0, ...limits, perMessageDeflate: { threshold: 0 } });
deflating.on('connection', serve);
const modern = secure({});
const old = secure({ maxVersion: 'TLSv1.2' });

let starting = 4;
for (const server of [plain, deflating, modern, old]) {
  server.on('listening', () => {
    if (--starting > 0) return;
    console.log(JSON.stringify({
      NSWS_NODE_URL: `ws://127.0.0.1:${plain.address().port}/`,
      NSWS_DEFLATE_NODE_URL: `ws://127.0.0.1:${deflating.address().port}/`,
      NSWS_NODE_WSS_URL: `wss://127.0.0.1:${modern.address().port}/`,
      NSWS_WSS_TLS_1_2_PORT: old.address().port,
    }));
  });
}

// run.py holds the other end of our standard input: when that closes, this ends.
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
