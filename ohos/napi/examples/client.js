// A client that shows each event: sends the text that it is given, and closes.
//
//     node client.js URL [MESSAGE...]

'use strict';

const { webSocket } = require('..');

const [url, ...messages] = process.argv.slice(2);
const client = webSocket.createWebSocket();

client.on('headerReceive', (headers) => console.log(`headerReceive: upgrade is ${headers.upgrade}`));
client.on('open', async (err, { status, message }) => {
  console.log(`open: ${status} ${message}`);
  try {
    for (const text of messages) await client.send(text);
    await client.send(new Uint8Array([1, 2, 3]).buffer);
  } catch (error) {
    console.log(`not sent: ${error.code} ${error.message}`);
  }
});
client.on('openInfo', (err, { protocol }) => console.log(`openInfo: protocol "${protocol}"`));
client.on('message', (err, data) => {
  if (typeof data === 'string') {
    console.log(`message: ${data}`);
    return;
  }
  console.log(`message: ${data.byteLength} bytes`);
  client.close({ code: 1000, reason: 'all said' }, (error) => console.log(error ? `not closed: ${error.message}` : 'closing'));
});
client.on('dataEnd', () => console.log('dataEnd'));
client.on('close', (err, { code, reason }) => console.log(`close: ${code} ${reason}`));
client.on('error', (error) => console.log(`error: ${error.code}, phase ${error.phase}: ${error.message}`));

client.connect(url, { header: { 'x-example': 'client.js' }, protocol: '', pingInterval: 30, pongTimeout: 10 }, (error) => {
  console.log(error ? `not connected: ${error.code} ${error.message}` : 'connecting');
});
