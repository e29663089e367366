'use strict';

const webSocket = require(process.env.NSWS_JS_MODULE);

webSocket.createWebSocket().on('open', () => {});
webSocket.createWebSocketServer().on('connect', () => {});
