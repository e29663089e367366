// The Node `ws` library as clients, which do what standard input says: see python_client.py, whose commands these are.

'use strict';

const fs = require('fs');
const readline = require('readline');
const WebSocket = require('ws');

const ca = fs.readFileSync(`${process.argv[2]}/ca.pem`);
const open = new Map();
const busy = [];
let version;
let perMessageDeflate = false;

function payload(kind, length) {
  const data = Buffer.alloc(Number(length));
  for (let i = 0; i < data.length; i++) data[i] = kind === 'text' ? 97 + (i % 26) : i % 251;
  return data;
}

// A connection with a queue of what it receives: messages, then its end.
function connect(url, protocols = '-', header = '') {
  const [name, value] = header.split(': ');
  const tls = version ? { minVersion: version, maxVersion: version } : {};
  const offered = protocols === '-' ? [] : protocols.split(',');
  const headers = name ? { [name]: value } : {};
  const socket = new WebSocket(url, offered, { ca, headers, perMessageDeflate, maxPayload: 64 << 20, ...tls });
  const one = { socket, queue: [], waiting: [] };
  const put = (item) => (one.waiting.length ? one.waiting.shift()(item) : one.queue.push(item));
  one.next = () => (one.queue.length ? Promise.resolve(one.queue.shift()) : new Promise((done) => one.waiting.push(done)));
  socket.on('message', (data, isBinary) => put({ data, isBinary }));
  one.end = new Promise((done) => socket.on('close', (code, reason) => {
    const end = { end: `closed ${code} ${reason}`.trimEnd(), code };
    put(end);
    done(end);
  }));
  one.opened = new Promise((done) => {
    socket.on('open', () => done(`open ${socket.protocol || '-'}`));
    socket.on('unexpected-response', (request, response) => {
      done(`refused ${response.statusCode}`);
      request.destroy();
    });
    socket.on('error', (error) => done(`failed ${error.code || error.message}`));
  });
  return one;
}

async function talk(one) {
  for (;;) {
    if (one.socket.readyState === WebSocket.OPEN) one.socket.send(payload('binary', 100));
    const { code } = await one.next();
    if (code) return code;
  }
}

const commands = {
  deflate: async (bits, takeover) => {
    const none = takeover === '0';
    // zlib, with which this end compresses, has no raw window of 8 bits.
    perMessageDeflate = {
      threshold: 0, serverMaxWindowBits: Number(bits), clientMaxWindowBits: Math.max(Number(bits), 9),
      serverNoContextTakeover: none, clientNoContextTakeover: none,
    };
    return 'ok';
  },
  tls: async (wanted) => ((version = `TLSv${wanted}`), 'ok'),
  open: async (name, url, rest = '-') => {
    const [, protocols, header] = rest.match(/^(\S+) ?(.*)$/);
    const one = connect(url, protocols, header);
    open.set(name, one);
    return one.opened;
  },
  busy: async (count, url) => {
    const all = Array.from({ length: Number(count) }, () => connect(url));
    await Promise.all(all.map((one) => one.opened));
    for (const one of all) busy.push(talk(one));
    return `busy ${busy.length}`;
  },
  over: async () => {
    const counts = {};
    for (const code of await Promise.all(busy)) counts[code] = (counts[code] || 0) + 1;
    return Object.keys(counts).sort().map((code) => `${code}=${counts[code]}`).join(' ');
  },
  send: async (name, kind, length) => {
    open.get(name).socket.send(payload(kind, length), { binary: kind === 'binary' });
    return 'sent';
  },
  say: async (name, words) => (open.get(name).socket.send(words), 'sent'),
  echo: async (name, kind, length) => {
    const sent = payload(kind, length);
    open.get(name).socket.send(sent, { binary: kind === 'binary' });
    const { data, isBinary } = await open.get(name).next();
    return data && isBinary === (kind === 'binary') && data.equals(sent) ? 'same' : 'different';
  },
  read: async (name) => {
    const { data, isBinary, end } = await open.get(name).next();
    return end || (isBinary ? `binary ${data.length}` : `text ${data}`);
  },
  ping: async (name) => {
    const { socket } = open.get(name);
    const pong = new Promise((done) => socket.once('pong', done));
    socket.ping('knock');
    return `${await pong}` === 'knock' ? 'pong' : 'wrong';
  },
  close: async (name, code, reason = '') => {
    open.get(name).socket.close(Number(code), reason);
    return (await open.get(name).end).end;
  },
  closed: async (name) => (await open.get(name).end).end,
  address: async (name) => {
    const { localAddress, localPort } = open.get(name).socket._socket;
    return `${localAddress} ${localPort}`;
  },
};

// The first words and the rest of the line.
function split(line, limit) {
  const words = line.split(' ');
  return words.length <= limit ? words : [...words.slice(0, limit), words.slice(limit).join(' ')];
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [command, ...rest] = split(line, 1);
    const limit = ['over', 'tls', 'busy', 'say'].includes(command) ? 1 : 2;
    console.log(await commands[command](...(rest.length ? split(rest[0], limit) : [])));
  }
  process.exit(0);
})();
