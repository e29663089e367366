// Compression where the library was built without it: a program that asks for it works all the same.

'use strict';

const { it } = require('node:test');
const path = require('node:path');
const { execFile } = require('node:child_process');
const { promisify } = require('node:util');
const { assert, freePort, guarded } = require('./support');

it('in a build without compression the option is ignored, with a line in the log for each call', async () => {
  const program = path.join(__dirname, 'programs/without_deflate.js');
  const running = promisify(execFile)(process.execPath, [program, String(await freePort())]);
  const { stdout, stderr } = await guarded(running, 'the end of the program');
  assert.equal(stdout, 'start true\nno address 2302004\nno URL 2302001\nconnect true\nmessage 5000\n');
  assert.equal(stderr, 'log 2: This build has no compression: the option is ignored.\n'.repeat(4));
});
