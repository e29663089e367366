// Uses passwords that the JavaScript engine keeps as UTF-16: what is there as UTF-8 is a copy of the module's.

'use strict';

const webSocket = require(process.env.NSWS_JS_MODULE);

const passwords = [20, 6].map((length, shift) => String.fromCharCode(...Array.from({ length }, (_, i) => 0x430 + (7 * i + shift) % 32)));

async function fails(url, options) {
  const client = webSocket.createWebSocket();
  const failed = new Promise((resolve) => client.on('error', resolve));
  // A wrong key is told at once, what can't be reached later.
  await Promise.race([failed, client.connect(url, options).then(() => failed, () => {})]);
}

(async () => {
  // The beginning of freed memory is overwritten at once, and memory of a common size soon.
  const username = 'a-user-with-a-long-name'.repeat(40);
  for (const password of passwords) {
    const proxy = { host: '127.0.0.1', port: 1, username, password, exclusionList: [] };
    await fails(`ws://${username}:${password}@127.0.0.1:1/`, { proxy: 'no-proxy' });
    await fails(`wss://${username}:${password}@127.0.0.1:1/`, { proxy });
    await fails('wss://127.0.0.1:1/', { clientCert: { certPath: __filename, keyPath: __filename, keyPassword: password }, proxy: 'no-proxy' });
  }
  console.log('over');
  setInterval(() => {}, 1 << 30);
})();
