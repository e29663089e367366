// Programs that the typings must accept, and, marked so, some that they must not.

import webSocket from '../../../ohos/napi/@ohos.net.webSocket';
import { webSocket as named } from '../../../ohos/napi';

const same: typeof webSocket = named;
const client: webSocket.WebSocket = same.createWebSocket();

// Every overload, with a callback and as a promise.
const done: Promise<boolean>[] = [
  client.connect('ws://host/'),
  client.connect('ws://host/', {}),
  client.send('text'),
  client.send(new ArrayBuffer(1)),
  client.close(),
  client.close({ code: 1000, reason: 'done' }),
];
void done;
client.connect('ws://host/', (err, value) => { const [code, ok]: [number, boolean] = [err.code, value]; void [code, ok]; });
client.connect('ws://host/', {}, (_, value) => { const ok: boolean = value; void ok; });
client.send('text', (err) => void err.message);
client.close((err) => void err.message);
client.close({}, (err) => void err.message);

const options: webSocket.WebSocketRequestOptions = {
  header: { 'x-name': 'value', 'x-many': ['a', 'b'] },
  caPath: '/ca.pem',
  clientCert: { certPath: '/cert.pem', keyPath: '/key.pem', keyPassword: 'secret' },
  proxy: { host: 'proxy', port: 8080, exclusionList: ['localhost'] },
  protocol: 'chat',
  skipServerCertVerification: false,
  pingInterval: 30,
  pongTimeout: 10,
  minSupportTlsProtocol: webSocket.TlsProtocol.TLS_V_1_3,
  supportOriginPort: true,
  pinnedPublicKeys: ['sha256//AAAA'],
  reconnect: { maxAttempts: Infinity, minDelay: 100 },
  compression: true,
};
options.proxy = 'system';
options.proxy = 'no-proxy';

client.on('open', (_, { status, message }) => void [status.toFixed(), message.length]);
client.on('openInfo', (_, info: webSocket.WebSocketOpenInfo) => void info.protocol.length);
client.on('openInfo', (_, info: webSocket.OpenInfo) => void info.protocol?.length);
client.on('message', (_, value) => void (typeof value === 'string' ? value.length : value.byteLength));
client.on('close', (_, { code, reason, wasClean }) => void [code.toFixed(), reason.length, wasClean === true]);
client.on('error', (error) => void [error.code.toFixed(), error.message, error.phase, error.data]);
client.on('dataEnd', () => {});
client.on('headerReceive', (headers) => void headers['set-cookie']);
client.on('drain', () => {});
const figures: webSocket.Statistics = client.getStatistics();
void (figures.rtt + figures.wireBytesSent + figures.tlsVersion.length + Number(figures.tlsResumed));
client.on('reconnecting', ({ attempt, delay }) => void (attempt + delay));
client.off('open');
client.off('message', (_, value) => void value);

const server: webSocket.WebSocketServer = webSocket.createWebSocketServer();
const config: webSocket.WebSocketServerConfig = {
  serverIP: '127.0.0.1',
  serverPort: 8080,
  serverCert: { certPath: '/cert.pem', keyPath: '/key.pem' },
  protocol: 'chat',
  maxConcurrentClientsNumber: 10,
  maxConnectionsForOneClient: 10,
  allowedOrigins: ['https://example.com'],
  compression: true,
};
async function serve(): Promise<webSocket.WebSocketConnection[]> {
  const started: boolean = await server.start(config);
  const listed: webSocket.WebSocketConnection[] = server.listAllConnections();
  const [first] = await server.listAllConnections();
  const sent: boolean = await server.send('text', first);
  const closed: boolean = await server.close(first, { code: 1000 });
  const stopped: boolean = await server.stop();
  void [started, sent, closed, stopped];
  return listed;
}
void serve;
server.on('connect', ({ clientIP, clientPort }) => void [clientIP.length, clientPort.toFixed()]);
server.on('messageReceive', ({ data, clientConnection }) => void [data, clientConnection.clientIP]);
server.on('close', (connection, { code, reason, closeReason }) => void [connection.clientIP, code, reason, closeReason]);
server.on('error', (error) => void error.clientConnection?.clientPort);
server.on('drain', (connection) => void connection.clientPort);
server.off('connect');

// @ts-expect-error no such event
client.on('nothing', () => {});
// @ts-expect-error a listener is needed
client.on('open');
// @ts-expect-error typed arrays are no ArrayBuffer
client.send(5);
// @ts-expect-error the port is required
server.start({});
// @ts-expect-error a connection is needed
server.send('text');
// @ts-expect-error no such word
options.proxy = 'none';
// @ts-expect-error no class to construct
new webSocket.WebSocket();
