'use strict';

const webSocket = require(process.env.NSWS_JS_MODULE);

const [url, port] = process.argv.slice(2);
const server = webSocket.createWebSocketServer();
server.on('messageReceive', ({ data, clientConnection }) => server.send(data, clientConnection));
server.start({ serverIP: '127.0.0.1', serverPort: Number(port) });
let opened = 0;
for (const target of [url, `ws://127.0.0.1:${port}/`]) {
  const client = webSocket.createWebSocket();
  let messages = 0;
  client.on('open', () => {
    for (let i = 0; i < 100; i++) client.send('ping-pong');
  });
  client.on('message', (_, value) => {
    client.send(value);
    if (++messages === 200 && ++opened === 2) process.exit(3);
  });
  client.connect(target);
}
