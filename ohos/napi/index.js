// The module for Node.js: `const { webSocket } = require('netstack-websocket')`, or `import webSocket from 'netstack-websocket'`.

'use strict';

// NSWS_JS_MODULE names a build that lies elsewhere. Not require(): a bundler would look for the file, and can't bundle it.
// Bundlers may leave no __dirname, or a relative one; a file of the working directory may be anyone's.
const folder = typeof __dirname === 'string' && __dirname.startsWith('/') ? __dirname : undefined;
const file = process.env.NSWS_JS_MODULE || (folder && `${folder}/websocket.node`);
const binary = { exports: {} };
try {
  if (!file) throw new Error('This bundle does not tell which folder it is in.');
  process.dlopen(binary, file);
} catch (error) {
  throw new Error(
    `netstack-websocket: ${file || 'websocket.node'} can't be loaded. It is made for one system: README.md of the package says which, or how to build it. `
    + 'NSWS_JS_MODULE names a build that lies elsewhere. In a bundle, leave netstack-websocket external; beside a bundle in CommonJS format, '
    + `websocket.node and libnetstack_websocket.so.0 work too. The cause: ${error.message}`,
    { cause: error },
  );
}

exports.webSocket = binary.exports;
exports.default = binary.exports;
Object.defineProperty(exports, '__esModule', { value: true });
