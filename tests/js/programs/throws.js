'use strict';

const webSocket = require(process.env.NSWS_JS_MODULE);

const [url, handle] = process.argv.slice(2);
if (handle) process.on('uncaughtException', (error) => console.log('caught', error.message));
const client = webSocket.createWebSocket();
client.on('message', () => { throw new Error('of a listener'); });
client.on('message', (_, value) => {
  console.log('another listener', value);
  if (value === 'two') client.close(() => { throw new Error('of a callback'); });
});
client.on('open', () => {
  client.send('one');
  client.send('two');
});
client.connect(url);
