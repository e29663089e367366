// A server that greets its clients, answers what they say, and tells everyone who comes and goes.
//
//     node server.js [PORT]

'use strict';

const { webSocket } = require('..');

const server = webSocket.createWebSocketServer();

function tellAll(text) {
  for (const connection of server.listAllConnections()) {
    server.send(text, connection).catch((error) => console.error(`not told: ${error.message}`));
  }
}

server.on('connect', (connection) => {
  console.log(`connect: ${connection.clientIP}`);
  server.send('welcome', connection);
  tellAll(`${server.listAllConnections().length} here`);
});
server.on('messageReceive', ({ data, clientConnection }) => {
  if (typeof data !== 'string') {
    console.log(`message: ${data.byteLength} bytes`);
    server.send(data, clientConnection);
    return;
  }
  console.log(`message: ${data}`);
  if (data === 'stop') server.stop();
  else if (data === 'close me') server.close(clientConnection, { code: 4000, reason: 'as you wish' });
  else server.send(`you said: ${data}`, clientConnection);
});
server.on('close', (connection, { code, reason }) => console.log(`close: ${code} ${reason}`));
server.on('error', (error) => console.error(`error: ${error.message}`));

server.start({
  serverIP: '127.0.0.1',
  serverPort: Number(process.argv[2] || 8080),
  maxConcurrentClientsNumber: 10,
  maxConnectionsForOneClient: 10,
}).then(() => console.log('listening'), (error) => console.error(`not started: ${error.code} ${error.message}`));
