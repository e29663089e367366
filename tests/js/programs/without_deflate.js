// Asks for compression in a build that has none, and prints what happens.

'use strict';

const webSocket = require(process.env.NSWS_JS_WITHOUT_DEFLATE);
const port = Number(process.argv[2]);

async function codeOf(promise) {
  return promise.then((value) => value, (error) => error.code);
}

async function main() {
  const server = webSocket.createWebSocketServer();
  server.on('messageReceive', ({ data, clientConnection }) => server.send(data, clientConnection));
  console.log('start', await codeOf(server.start({ serverIP: '127.0.0.1', serverPort: port, compression: true })));
  console.log('no address', await codeOf(webSocket.createWebSocketServer().start({ serverIP: 'x', serverPort: port, compression: true })));
  console.log('no URL', await codeOf(webSocket.createWebSocket().connect('http://host/', { compression: true })));
  const client = webSocket.createWebSocket();
  client.on('open', () => client.send('x'.repeat(5000)));
  client.on('message', (_, { length }) => {
    console.log('message', length);
    client.close();
    server.stop();
  });
  console.log('connect', await codeOf(client.connect(`ws://127.0.0.1:${port}/`, { compression: true })));
}
main();
