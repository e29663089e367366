// The module for Node.js: `const { webSocket } = require('netstack-websocket')`.

'use strict';

// NSWS_JS_MODULE names a build that lies elsewhere.
const webSocket = require(process.env.NSWS_JS_MODULE || './websocket.node');

module.exports = { webSocket, default: webSocket };
