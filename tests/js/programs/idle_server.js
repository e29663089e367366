'use strict';

const webSocket = require(process.env.NSWS_JS_MODULE);

(() => {
  const server = webSocket.createWebSocketServer();
  server.on('connect', () => {});
  server.start({ serverIP: '127.0.0.1', serverPort: Number(process.argv[2]) }).then(() => {
    console.log('listening');
    let turns = 0;
    setInterval(() => { if (++turns === 20) console.log('still here'); }, 5).unref();
  });
})();
