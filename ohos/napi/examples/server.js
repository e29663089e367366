// A server that greets its clients, answers their messages, and announces arrivals and departures. examples/web/index.html is
// one of the clients that it can have.
//
//     node server.js [PORT [CERTIFICATE KEY]]

'use strict';

const { webSocket } = require('..');

const [port = '8080', certPath = '', keyPath = ''] = process.argv.slice(2);
const server = webSocket.createWebSocketServer();

// A client may be gone, or going, by the time it is answered.
function tell(connection, data) {
  server.send(data, connection).catch((error) => console.log(`not sent: ${error.code} ${error.message}`));
}

server.on('connect', (connection) => {
  console.log(`connect: ${connection.clientIP}`);
  tell(connection, 'welcome');
  const connections = server.listAllConnections();
  for (const each of connections) tell(each, `${connections.length} here`);
});
server.on('messageReceive', ({ data, clientConnection }) => {
  if (typeof data !== 'string') {
    console.log(`message: ${data.byteLength} bytes`);
    tell(clientConnection, data);
    return;
  }
  console.log(`message: ${data}`);
  if (data === 'stop') server.stop();
  else if (data === 'close me') server.close(clientConnection, { code: 4000, reason: 'as you wish' });
  else tell(clientConnection, `you said: ${data}`);
});
server.on('close', (connection, { code, reason }) => console.log(`close: ${code} ${reason}`));
server.on('error', (error) => console.error(`error: ${error.message}`));

server.start({
  serverIP: '127.0.0.1',
  serverPort: Number(port),
  serverCert: { certPath, keyPath },
  // Chosen from the sub-protocols that a client offers; a client that offers none may connect, too.
  protocol: 'chat',
  maxConcurrentClientsNumber: 10,
  maxConnectionsForOneClient: 10,
}).then(() => console.log('listening'), (error) => console.error(`not started: ${error.code} ${error.message}`));
