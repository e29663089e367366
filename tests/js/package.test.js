// `cmake --install` makes the module a package that npm packs, copies and installs, that holds its library, and that can be imported
// in every way in which programs import. NSWS_JS_BUILD is the build.

'use strict';

const { after, before, it } = require('node:test');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { promisify } = require('node:util');
const { assert, echoUrl } = require('./support');

const run = promisify(execFile);
const modules = process.env.NODE_PATH.split(':')[0];
// Without the variables by which this test finds the module.
const { NSWS_JS_MODULE, LD_LIBRARY_PATH, NODE_PATH, ...env } = process.env;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'nsws-package-'));
const user = path.join(folder, 'user');
let installed;

const npm = (cwd, ...options) => run('npm', [...options, '--offline', '--no-audit', '--no-fund'], { cwd, env });
const node = (...options) => run(process.execPath, options, { cwd: user, env });

function write(name, text) {
  fs.mkdirSync(path.dirname(path.join(user, name)), { recursive: true });
  fs.writeFileSync(path.join(user, name), text);
}

before(async () => {
  await run('cmake', ['--install', process.env.NSWS_JS_BUILD, '--prefix', path.join(folder, 'prefix')]);
  const made = fs.readdirSync(path.join(folder, 'prefix'), { recursive: true });
  installed = path.join(folder, 'prefix', made.find((name) => name.endsWith('node_modules/netstack-websocket')));
  write('package.json', '{ "private": true }');
  const { stdout } = await npm(folder, 'pack', '--json', installed);
  await npm(user, 'install', path.join(folder, JSON.parse(stdout)[0].filename));
  // Only the tarball's content remains.
  fs.renameSync(path.join(folder, 'prefix'), path.join(folder, 'gone'));
});
after(() => fs.rmSync(folder, { recursive: true }));

const TALK = `
const client = webSocket.createWebSocket();
client.on('open', () => client.send('hello'));
client.on('message', (_, text) => { console.log(text); client.close(); });
client.connect(process.argv[process.argv.length - 1]);
`;
// Both names are the module.
const LOOK = "console.log(byDefault === webSocket, typeof byDefault.createWebSocket, webSocket.TlsProtocol.TLS_V_1_3);\n";
const LOOKS = 'true function 3\n';

it('a packed and installed package connects, with the library that it holds', async () => {
  write('talk.js', `const { webSocket } = require('netstack-websocket');${TALK}`);
  assert.equal((await node('talk.js', echoUrl)).stdout, 'hello\n');
  const there = fs.realpathSync(path.join(user, 'node_modules/netstack-websocket'));
  const { stdout } = await run('ldd', [path.join(there, 'websocket.node')]);
  assert.match(stdout, new RegExp(`libnetstack_websocket\\.so\\.\\d+ => ${there}/libnetstack_websocket`));
  const described = JSON.parse(fs.readFileSync(path.join(there, 'package.json')));
  for (const name of described.files) assert(fs.existsSync(path.join(there, name)), name);
});

it('a package that npm copies works, as npm 9 installs a folder', async () => {
  const other = path.join(folder, 'other');
  fs.mkdirSync(other);
  fs.writeFileSync(path.join(other, 'package.json'), '{ "private": true }');
  const source = path.join(folder, 'gone', path.relative(path.join(folder, 'prefix'), installed));
  await npm(other, 'install', '--install-links', source);
  assert(!fs.lstatSync(path.join(other, 'node_modules/netstack-websocket')).isSymbolicLink());
  const program = `const { webSocket } = require('netstack-websocket');${TALK}`;
  const { stdout } = await run(process.execPath, ['-e', program, echoUrl], { cwd: other, env });
  assert.equal(stdout, 'hello\n');
});

it('CommonJS', async () => {
  write('one.cjs', `const { webSocket, default: byDefault } = require('netstack-websocket');\n${LOOK}`);
  assert.equal((await node('one.cjs')).stdout, LOOKS);
});

it('ECMAScript modules', async () => {
  write('one.mjs', `import byDefault, { webSocket } from 'netstack-websocket';\n${LOOK}`);
  assert.equal((await node('one.mjs')).stdout, LOOKS);
  write('later.mjs', `const { webSocket, default: byDefault } = await import('netstack-websocket');\n${LOOK}`);
  assert.equal((await node('later.mjs')).stdout, LOOKS);
});

const TYPED = `import byDefault, { webSocket } from 'netstack-websocket';
const client: webSocket.WebSocket = byDefault.createWebSocket();
const options: byDefault.WebSocketRequestOptions = { protocol: 'chat' };
client.on('openInfo', (_, info: webSocket.WebSocketOpenInfo) => console.log(info.protocol.length, options));
${LOOK}`;

for (const [name, file, options, made] of [
  ['commonjs with esModuleInterop', 'typed.ts', ['--module', 'commonjs', '--moduleResolution', 'node10', '--esModuleInterop'], 'typed.js'],
  ['nodenext, in a module', 'typed.mts', ['--module', 'nodenext'], 'typed.mjs'],
  ['nodenext, in CommonJS', 'typed.cts', ['--module', 'nodenext'], 'typed.cjs'],
  ['bundler', 'src/typed.ts', ['--module', 'esnext', '--moduleResolution', 'bundler'], undefined],
]) {
  it(`TypeScript: ${name}`, async () => {
    write(file, TYPED);
    const tsc = [path.join(modules, 'typescript/bin/tsc'), '--strict', '--target', 'es2021', '--lib', 'es2021,dom'];
    await node(...tsc, ...options, file).catch((error) => assert.fail(error.stdout));
    // tsc leaves this to a bundler, and there is none here.
    if (made) assert.equal((await node(made)).stdout, LOOKS);
  });
}

for (const [format, extension] of [['cjs', 'cjs'], ['esm', 'mjs']]) {
  const bundle = async (name, more) => {
    write('bundled.ts', TYPED);
    const esbuild = require('esbuild');
    await esbuild.build({
      absWorkingDir: user, entryPoints: ['bundled.ts'], bundle: true, platform: 'node', format, outfile: name, logLevel: 'silent', ...more,
    });
  };
  it(`esbuild, ${format}: the package left external`, async () => {
    await bundle(`external.${extension}`, { external: ['netstack-websocket'] });
    assert.equal((await node(`external.${extension}`)).stdout, LOOKS);
  });
  it(`esbuild, ${format}: the package in the bundle, its binary elsewhere`, async () => {
    await bundle(`whole/all.${extension}`, {});
    const elsewhere = { ...env, NSWS_JS_MODULE: path.join(user, 'node_modules/netstack-websocket/websocket.node') };
    const { stdout } = await run(process.execPath, [path.join(user, `whole/all.${extension}`)], { env: elsewhere });
    assert.equal(stdout, LOOKS);
  });
}

it('esbuild, cjs: the binary beside the bundle', async () => {
  for (const name of ['websocket.node', 'libnetstack_websocket.so.0']) {
    fs.copyFileSync(path.join(user, 'node_modules/netstack-websocket', name), path.join(user, 'whole', name));
  }
  assert.equal((await node('whole/all.cjs')).stdout, LOOKS);
});

it('esbuild, esm: a binary in the working directory is not loaded', async () => {
  // It would be loaded if it were looked for: the one of the test above.
  const failed = run(process.execPath, [path.join(user, 'whole/all.mjs')], { env, cwd: path.join(user, 'whole') });
  const { stdout, stderr } = await failed.then(() => assert.fail('it was loaded'), (error) => error);
  assert.equal(stdout, '');
  assert.match(stderr, /websocket\.node can't be loaded.*NSWS_JS_MODULE.*external.*does not tell which folder/);
});

it('a __dirname that a bundler made relative does not lead to the working directory', async () => {
  const source = fs.readFileSync(path.join(user, 'node_modules/netstack-websocket/index.js'), 'utf8');
  const program = `new Function('__dirname', 'exports', ${JSON.stringify(source)})('.', {})`;
  const failed = run(process.execPath, ['-e', program], { env, cwd: path.join(user, 'whole') });
  const { stderr } = await failed.then(() => assert.fail('it was loaded'), (error) => error);
  assert.match(stderr, /does not tell which folder/);
});

it('without its binary, the error says what to do', async () => {
  const root = path.resolve(__dirname, '../../ohos/napi');
  const failed = (what) => run(process.execPath, ['-e', what], { env, cwd: folder }).then(() => assert.fail('it was loaded'), (error) => error.stderr);
  const said = await failed(`require(${JSON.stringify(root)})`);
  assert.match(said, /websocket\.node can't be loaded.*build it.*NSWS_JS_MODULE/);
  assert.match(said, /The cause: .*No such file/);
});
