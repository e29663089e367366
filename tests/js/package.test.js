// What `cmake --install` makes of the module is a package that npm installs, and that finds its library. NSWS_JS_BUILD is the build.

'use strict';

const { it } = require('node:test');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { promisify } = require('node:util');
const { assert, echoUrl } = require('./support');

const run = promisify(execFile);
const build = process.env.NSWS_JS_BUILD;

const PROGRAM = `
const { webSocket } = require('netstack-websocket');
const client = webSocket.createWebSocket();
client.on('open', () => client.send('hello'));
client.on('message', (_, text) => { console.log(text); client.close(); });
client.connect(process.argv[1]);
`;

it('the installed package works where npm puts it, and has its typings', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'nsws-package-'));
  try {
    await run('cmake', ['--install', build, '--prefix', path.join(folder, 'prefix')]);
    const [made] = fs.readdirSync(path.join(folder, 'prefix'), { recursive: true }).filter((name) => name.endsWith('node_modules/netstack-websocket'));
    const installed = path.join(folder, 'prefix', made);
    const user = path.join(folder, 'user');
    fs.mkdirSync(path.join(user, 'node_modules'), { recursive: true });
    // As npm installs a folder.
    fs.symlinkSync(installed, path.join(user, 'node_modules/netstack-websocket'));
    const { NSWS_JS_MODULE, LD_LIBRARY_PATH, ...env } = process.env;
    const { stdout } = await run(process.execPath, ['-e', PROGRAM, echoUrl], { cwd: user, env });
    assert.equal(stdout, 'hello\n');
    const described = JSON.parse(fs.readFileSync(path.join(installed, 'package.json')));
    for (const name of [described.main, described.types, '@ohos.net.webSocket.d.ts', 'examples/client.js']) {
      assert(fs.existsSync(path.join(installed, name)), name);
    }
    // It is the installed library that is loaded, not the build's.
    const { stdout: libraries } = await run('ldd', [path.join(installed, 'websocket.node')]);
    assert.match(libraries, new RegExp(`libnetstack_websocket\\.so\\.\\d+ => ${folder}/prefix/`));
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});
