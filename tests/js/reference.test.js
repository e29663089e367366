// Every example of the API reference of @ohos.net.webSocket: checked by `tsc --strict` against this module's typings, and run.
//
// The reference is not part of this project: NSWS_REFERENCE says where it is, else ../shared/spec/webSocket-api.md beside the
// repository. Its text has lost some line breaks and semicolons, which REPAIRS puts back; URLs and ports are replaced by those of
// loopback peers, and nothing else. examples.test.js makes the same calls in programs of our own, and always runs.

'use strict';

const { after, before, describe, it } = require('node:test');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const vm = require('node:vm');
const ts = require('typescript');
const { WsServer, assert, freePort, guarded, until, webSocket, wsClient } = require('./support');

const root = path.resolve(__dirname, '../..');
const reference = process.env.NSWS_REFERENCE || path.resolve(root, '../shared/spec/webSocket-api.md');

// What the document lost, and how often.
const REPAIRS = [
  [/(let url = "ws:\/\/") (?=\S)/g, '$1;\n', 4],
  [/(status: number = 0) (message: string)/g, '$1; $2', 4],
  [/(options\.code = 1000) (options\.reason)/g, '$1; $2', 2],
  [/(\(value as OutValue\)\.message\)) (ws\.send|let promise)/g, '$1;\n$2', 2],
  [/(maxConnectionsForOneClient: 10, \}) (localServer =)/g, '$1;\n$2', 5],
  [/(\(value as OutValue\)\.message\)\) \}) (ws\.on)/g, '$1;\n$2', 1],
];

// Blocks that continue after the document's import.
const WITHOUT_IMPORT = [1, 22];

// What strict TypeScript reports in the reference's own text: `options` is declared and never assigned, so it may be undefined where
// it may not, and a caught error is unknown. ArkTS has other rules.
const DIAGNOSTICS = { 3: [2345], 8: [2345], 25: [18046, 18046] };

function blocks() {
  const found = [...fs.readFileSync(reference, 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]);
  assert.equal(found.length, 36);
  const all = found.join('\u0000');
  let repaired = all;
  for (const [pattern, replacement, times] of REPAIRS) {
    assert.equal([...repaired.matchAll(pattern)].length, times, `${pattern} is no longer what the document lost`);
    repaired = repaired.replace(pattern, replacement);
  }
  return repaired.split('\u0000').map((text, i) => {
    const has = text.includes("from '@kit.NetworkKit'");
    assert.equal(has, !WITHOUT_IMPORT.includes(i));
    return has ? text : `import { webSocket } from '@kit.NetworkKit';\n${text}`;
  });
}

// The examples and stubs of the kits in one folder, as a TypeScript program.
function diagnosticsOf(texts) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'nsws-reference-'));
  try {
    const write = (name, text) => fs.writeFileSync(path.join(folder, name), text);
    write('base.d.ts', fs.readFileSync(path.join(__dirname, 'stubs/@kit.BasicServicesKit.d.ts')));
    write('webSocket.d.ts', fs.readFileSync(path.join(root, 'ohos/napi/@ohos.net.webSocket.d.ts')));
    write('network.d.ts', "import webSocket from './webSocket';\nexport { webSocket };\n");
    const files = texts.map((text, i) => {
      write(`example${i}.ts`, text);
      return path.join(folder, `example${i}.ts`);
    });
    const program = ts.createProgram(files, {
      strict: true,
      noEmit: true,
      target: ts.ScriptTarget.ES2021,
      module: ts.ModuleKind.CommonJS,
      moduleResolution: ts.ModuleResolutionKind.Node10,
      lib: ['lib.es2021.d.ts', 'lib.dom.d.ts'],
      types: [],
      baseUrl: folder,
      paths: { '@kit.NetworkKit': ['network'], '@kit.BasicServicesKit': ['base'] },
    });
    const general = [...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics()];
    const declared = program.getSourceFiles().filter((file) => file.fileName.endsWith('.d.ts') && file.fileName.startsWith(folder));
    for (const file of declared) general.push(...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file));
    assert.equal(ts.formatDiagnostics(general, { getCanonicalFileName: (name) => name, getCurrentDirectory: () => folder, getNewLine: () => '\n' }), '');
    return files.map((name) => {
      const file = program.getSourceFile(name);
      return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
    });
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

// Runs an example: what it creates, and what it prints.
function run(text, { url, port }) {
  const substituted = text.replace('"ws://"', JSON.stringify(url)).replace('8080', String(port));
  const { outputText } = ts.transpileModule(substituted, {
    compilerOptions: { target: ts.ScriptTarget.ES2021, module: ts.ModuleKind.CommonJS },
  });
  const made = { lines: [], clients: [], servers: [] };
  const recording = {
    ...webSocket,
    createWebSocket() {
      made.clients.push(webSocket.createWebSocket());
      return made.clients[made.clients.length - 1];
    },
    createWebSocketServer() {
      made.servers.push(webSocket.createWebSocketServer());
      return made.servers[made.servers.length - 1];
    },
  };
  const log = (...values) => made.lines.push(values.join(' '));
  const kits = { '@kit.NetworkKit': { webSocket: recording }, '@kit.BasicServicesKit': {} };
  vm.runInThisContext(`(function (require, exports, console) {${outputText}\n})`)((name) => kits[name], {}, { info: log, error: log });
  return made;
}

describe('the examples of the reference', { skip: !fs.existsSync(reference) && `NO REFERENCE: ${reference} is not there` }, () => {
  let texts;
  let echo;
  before(async () => {
    texts = blocks();
    echo = new WsServer({ host: '127.0.0.1', port: 0 });
    echo.on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })));
    await new Promise((resolve) => echo.on('listening', resolve));
    echo.url = `ws://127.0.0.1:${echo.address().port}/`;
  });
  after(() => {
    for (const socket of echo.clients) socket.terminate();
    echo.close();
  });

  it('are accepted by tsc --strict, but for what is strict TypeScript\'s own', () => {
    diagnosticsOf(texts).forEach((diagnostics, i) => {
      const said = diagnostics.map((diagnostic) => diagnostic.messageText).map(String).join('\n');
      assert.deepEqual(diagnostics.map((diagnostic) => diagnostic.code), DIAGNOSTICS[i] || [], `example ${i}: ${said}\n${texts[i]}`);
    });
  });

  const failedWith = (prefix, code) => (line) => {
    assert(line.startsWith(prefix), line);
    assert.equal(JSON.parse(line.slice(prefix.length)).code, code);
  };

  // What the examples print: as they are, with a real URL, and after what `drive` does with what they made.
  const asTheyAre = {
    2: ['connect fail. Code: -1, message: Websocket connect failed'],
    3: ['connect fail. Code: 401, message: Parameter error.'],
    4: [failedWith('connect fail, error:', -1)],
    5: ['connect fail. Code: -1, message: Websocket connect failed'],
    // These two are not templates in the reference.
    6: ['connect fail. Code: ${err.code}, message: ${err.message}'],
    7: ['close fail. Code: 2302999, message: Internal error.'],
    8: ['close fail. Code: 401, message: Parameter error.'],
    9: [failedWith('close fail, error:', 2302999)],
  };
  const withUrl = {
    2: ['connect success'],
    4: ['connect success'],
    5: ['connect success', 'on open, status:101, message:Switching Protocols', 'send success'],
    6: ['connect success', 'on open, status:101, message:Switching Protocols', 'send success'],
  };
  const started = 'webSocket server start success';
  const connected = /^New client connected! Client ip: 127\.0\.0\.1, Client port: \d+$/;
  const session = {
    10: ['on open, status:101, message:Switching Protocols'],
    11: [],
    12: ['on message, message:hello'],
    13: [],
    14: ['on close, code is 1000, reason is '],
    15: [],
    16: [/^on error\. Code: 200, message: .+/],
    17: [],
    18: ['on dataEnd'],
    19: [],
    20: [/^on headerReceive \{.*"upgrade":"websocket"/],
    21: [],
  };
  const conversation = {
    24: [started, connected, 'message send successfully'],
    25: [started, connected, 'client list cnt: 1, client connections list is: [object Object]'],
    26: [started, connected, 'close client successfully'],
    28: [connected],
    29: [],
    30: ['on message received, client: [object Object], data: hello'],
    31: [],
    32: ['client close, client: [object Object], closeReason: Code: 4000, reason: bye'],
    33: [],
    34: [/^error\. Code: 200, message: .+/],
    35: [],
  };
  const alone = { 0: [], 1: [], 22: [], 23: [started], 27: [started, 'server stop service successfully'] };

  function compare(lines, expected) {
    assert.equal(lines.length, expected.length, lines.join('\n'));
    expected.forEach((want, i) => {
      if (typeof want === 'function') want(lines[i]);
      else if (want instanceof RegExp) assert.match(lines[i], want);
      else assert.equal(lines[i], want);
    });
  }

  // When everything that was begun has ended, nothing more is printed.
  async function end({ clients, servers }) {
    for (const client of clients) {
      const over = new Promise((resolve) => client.on('close', resolve));
      if (await client.close().then(() => true, () => false)) await guarded(over, 'close');
    }
    for (const server of servers) await server.stop().catch(() => {});
  }

  for (const [name, cases, url] of [['as it is', asTheyAre, 'ws://'], ['with a URL', withUrl, undefined], ['alone', alone, 'ws://']]) {
    for (const [i, expected] of Object.entries(cases)) {
      it(`example ${i} ${name}`, async () => {
        const made = run(texts[i], { url: url || echo.url, port: await freePort() });
        await until(() => made.lines.length >= expected.length, `${expected.length} lines`);
        await end(made);
        compare(made.lines, expected);
      });
    }
  }

  for (const [i, expected] of Object.entries(session)) {
    it(`example ${i} in a session`, async () => {
      const made = run(texts[i], { url: echo.url });
      const [client] = made.clients;
      const fails = new Promise((resolve) => client.on('error', resolve));
      await client.connect('ws://127.0.0.1:1/');
      await guarded(fails, 'the error');
      const opens = new Promise((resolve) => client.on('open', resolve));
      await client.connect(echo.url);
      await guarded(opens, 'open');
      const answered = new Promise((resolve) => client.on('dataEnd', resolve));
      await client.send('hello');
      await guarded(answered, 'the echo');
      await end(made);
      compare(made.lines, expected);
    });
  }

  for (const [i, expected] of Object.entries(conversation)) {
    it(`example ${i} with a client`, async () => {
      const port = await freePort();
      const made = run(texts[i], { port });
      const [server] = made.servers;
      const closes = new Promise((resolve) => server.on('close', resolve));
      if (!texts[i].includes('.start(')) await server.start({ serverIP: '127.0.0.1', serverPort: port });
      if (i === '34') {
        // A client that breaks the rules.
        const socket = await wsClient(`ws://127.0.0.1:${port}/`);
        socket._socket.write(Buffer.from([0xf1, 0x80, 0, 0, 0, 0]));
      } else {
        const arrives = new Promise((resolve) => server.on('messageReceive', resolve));
        const socket = await wsClient(`ws://127.0.0.1:${port}/`);
        const isClosed = i === '26';
        if (!isClosed) {
          socket.send('hello');
          await guarded(arrives, 'the message');
          await until(() => made.lines.length >= (i === '32' ? 0 : expected.length), 'the lines');
          socket.close(4000, 'bye');
        }
      }
      await guarded(closes, 'close');
      await end(made);
      compare(made.lines, expected);
    });
  }

  it('all 36 are run', () => {
    const ran = [asTheyAre, withUrl, session, conversation, alone].flatMap(Object.keys).map(Number);
    assert.deepEqual([...new Set(ran)].sort((a, b) => a - b), Array.from({ length: 36 }, (_, i) => i));
  });
});

if (!fs.existsSync(reference)) console.log(`SKIPPED: the reference is not at ${reference}`);
