// The module for Node.js: `const { webSocket } = require('netstack-websocket')`, or `import webSocket from 'netstack-websocket'`.

'use strict';

// NSWS_JS_MODULE names a build that lies elsewhere. Not require(): a bundler would look for the file, and can't bundle it.
const file = process.env.NSWS_JS_MODULE || `${typeof __dirname === 'string' ? __dirname : '.'}/websocket.node`;
const binary = { exports: {} };
try {
  process.dlopen(binary, file);
} catch (error) {
  throw new Error(
    `netstack-websocket: ${file} can't be loaded. It is made for one system, by CMake: build it (README.md of the package says how), `
    + 'or set NSWS_JS_MODULE to where it is. In a bundle, leave netstack-websocket external, or put websocket.node and '
    + `libnetstack_websocket.so.0 beside the bundle. The cause: ${error.message}`,
    { cause: error },
  );
}

exports.webSocket = binary.exports;
exports.default = binary.exports;
Object.defineProperty(exports, '__esModule', { value: true });
