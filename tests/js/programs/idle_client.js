'use strict';

const webSocket = require(process.env.NSWS_JS_MODULE);

(() => {
  const client = webSocket.createWebSocket();
  client.on('open', () => {
    console.log('open');
    // A timer that does not hold the process itself.
    let turns = 0;
    const timer = setInterval(() => { if (++turns === 20) console.log('still here'); }, 5);
    timer.unref();
  });
  client.connect(process.argv[2]);
})();
