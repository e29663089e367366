// Typings of the module @ohos.net.webSocket: what the reference of API 21 describes, and what this implementation adds. The
// additions are marked "Beyond the reference"; a program that uses them does not run on OpenHarmony's own implementation.

// As in @ohos.base.
interface BusinessError<T = void> extends Error {
  code: number;
  data?: T;
}
type Callback<T> = (data: T) => void;
type AsyncCallback<T, E = void> = (err: BusinessError<E>, data: T) => void;
type ErrorCallback<T extends Error = BusinessError> = (err: T) => void;

/**
 * WebSocket clients and servers.
 *
 * Errors of a call go to its callback, or reject its promise; only `on` and `off` throw. Their `code` is one of
 * 201 permission denied, 401 parameter error, -1 no connection or no room to send now, 2302001 URL, 2302002 certificate file,
 * 2302003 already connected, 2302004 address, 2302005 port, 2302006 no such connection, 2302007 port in use, 2302998 host not
 * allowed, 2302999 anything else; `data` may hold a sentence that says more.
 */
declare namespace webSocket {
  /** Makes a client. */
  function createWebSocket(): WebSocket;

  /** Makes a server; `null` on a device that runs none: the reference has servers on smart TVs, newer releases on all devices. */
  function createWebSocketServer(): WebSocketServer;

  /** A proxy. */
  export interface HttpProxy {
    host: string;
    /** 0 to 65535; 0 is 80. */
    port: number;
    username?: string;
    password?: string;
    /** Hosts that are reached without it: names, `.suffixes`, `*` patterns, addresses, networks. */
    exclusionList: Array<string>;
  }

  /** The system's proxy, none, or a given one. */
  export type ProxyConfiguration = 'system' | 'no-proxy' | HttpProxy;

  /** A client's certificate. */
  export interface ClientCert {
    /** A PEM file with the certificate and those that lead to its CA. */
    certPath: string;
    /** A PEM file with its private key. */
    keyPath: string;
    /** What opens the key, if it is encrypted. */
    keyPassword?: string;
  }

  /** TLS versions. Nothing older than 1.2 is spoken. */
  export enum TlsProtocol {
    TLS_V_1_0 = 0,
    TLS_V_1_1 = 1,
    TLS_V_1_2 = 2,
    TLS_V_1_3 = 3,
  }

  /** Beyond the reference: connecting again by itself when an attempt fails or the connection is lost. */
  export interface ReconnectOptions {
    /** How often in a row; `Infinity`: without end. */
    maxAttempts: number;
    /** Milliseconds before the first; it doubles each time. Default 1000. */
    minDelay?: number;
    /** The most milliseconds between two. Default 30000. */
    maxDelay?: number;
  }

  /** What `connect` may be told. Ill-typed members count as absent, but for `protocol` and `proxy`. */
  export interface WebSocketRequestOptions {
    /** Request headers: a string or an array of strings for each name. Names are sent in lower case; an empty value is not sent. */
    header?: Object;
    /** A PEM file with CA certificates that are trusted instead of the system's. */
    caPath?: string;
    clientCert?: ClientCert;
    /** Default 'system'. */
    proxy?: ProxyConfiguration;
    /** Sub-protocols to offer, separated by commas. */
    protocol?: string;
    /** Whether any server certificate is accepted. Default false. */
    skipServerCertVerification?: boolean;
    /** Seconds from one ping to the next. Default 30, 0: no heartbeat, at most 30000. */
    pingInterval?: number;
    /** Seconds that the peer may be silent after a ping. Default 30; a given value counts as at most `pingInterval`; 0: for ever. */
    pongTimeout?: number;
    /** The oldest acceptable version of TLS. Default 1.2. */
    minSupportTlsProtocol?: TlsProtocol;
    /** Whether the `Origin` header has a port that is not the default one. Default false. */
    supportOriginPort?: boolean;
    /**
     * Beyond the reference: the keys that the server's certificate may have, each as `sha256//` and the base64 of the SHA-256 of
     * its public key.
     */
    pinnedPublicKeys?: Array<string>;
    /** Beyond the reference. */
    reconnect?: ReconnectOptions;
    /**
     * Beyond the reference: whether permessage-deflate (RFC 7692) is offered. Default false. A build without compression ignores
     * it, with a line in the log. Compressing beside secrets tells their length.
     */
    compression?: boolean;
  }

  /** What `close` may be told. */
  export interface WebSocketCloseOptions {
    /** 1000 to 1003, 1007 to 1014, 3000 to 4999; any other is sent as 1000, the default. */
    code?: number;
    /** At most 123 bytes of UTF-8. */
    reason?: string;
  }

  /** How a connection ended. */
  export interface CloseResult {
    /** The code that the peer sent; 1000 if it sent none, 1006 if the link was lost. */
    code: number;
    reason: string;
    /** Beyond the reference: whether both sides have said goodbye. */
    wasClean?: boolean;
  }

  /** The result of the opening handshake. */
  export interface OpenInfo {
    status: number;
    message: string;
    /** The sub-protocol that the server chose, or "". With the event 'openInfo' alone. */
    protocol?: string;
  }

  /** The result of the opening handshake, with the event 'openInfo'. */
  export interface WebSocketOpenInfo {
    status: number;
    message: string;
    /** The sub-protocol that the server chose, or "". */
    protocol: string;
  }

  /** The headers of the server's answer, names in lower case; `set-cookie` is an array. */
  export type ResponseHeaders = {
    [k: string]: string | string[] | undefined;
  };

  /** Beyond the reference: what is known of a failure besides its `code`, `message` and `data`, the HTTP status as text. */
  export interface ConnectionError extends BusinessError<string> {
    /** parse, dns, tcp, proxy, tls, handshake, protocol, heartbeat or io. */
    phase?: string;
    /** A finer code, such as "NSWS_DETAIL_REFUSED". */
    detail?: string;
    /** The operating system's error number. */
    osError?: number;
    /** With a server: the connection that failed. */
    clientConnection?: WebSocketConnection;
  }

  /** Beyond the reference: the client will connect again. */
  export interface Reconnecting {
    /** The number of the attempt since the last success, from 1. */
    attempt: number;
    /** The wait before it, in milliseconds. */
    delay: number;
  }

  /** Beyond the reference: figures of a client's current connection, or of the last one. Times are in milliseconds. */
  export interface Statistics {
    messagesSent: number;
    messagesReceived: number;
    /** Payload bytes of the messages sent. */
    bytesSent: number;
    /** Payload bytes of the messages received. */
    bytesReceived: number;
    /** Bytes that went to the system, with handshakes, the frames' headers and TLS. */
    wireBytesSent: number;
    /** Bytes that came from the system, in the same way. */
    wireBytesReceived: number;
    /** What waits to be sent. */
    queuedBytes: number;
    /** How often the client has connected again by itself since `connect`. */
    reconnects: number;
    /** The name lookup; 0 for an address. */
    dns: number;
    /** The TCP connection, and the way through the proxy. */
    tcp: number;
    /** Of `tcp`, the way through the proxy. */
    proxy: number;
    /** The TLS handshake; 0 for ws. */
    tls: number;
    /** The opening handshake. */
    handshake: number;
    /** From the opening handshake to the first message; 0 before. */
    firstMessage: number;
    /** The last ping's time to its pong; 0 before the first. */
    rtt: number;
    /** The same, smoothed over the last pings. */
    smoothedRtt: number;
    /** "TLS 1.2" or "TLS 1.3"; "" for ws. */
    tlsVersion: string;
    /** The cipher suite, such as "TLS_AES_256_GCM_SHA384"; "" for ws. */
    tlsCipher: string;
    /** The TLS handshake went on from an earlier session. */
    tlsResumed: boolean;
    /** The IP address at the other end of TCP, the server's or its proxy's; "" before the first connection. */
    peerAddress: string;
    peerPort: number;
    /** The extensions that were agreed to, or "". */
    extensions: string;
  }

  /** A client. It keeps the process alive while it is connected. */
  export interface WebSocket {
    /**
     * Starts to connect; `open` or `error` follows. `ws://` or `wss://`, at most 2048 characters.
     * The result says that the attempt is under way.
     */
    connect(url: string, callback: AsyncCallback<boolean>): void;
    connect(url: string, options: WebSocketRequestOptions, callback: AsyncCallback<boolean>): void;
    connect(url: string, options?: WebSocketRequestOptions): Promise<boolean>;

    /** Sends text or bytes, from `open` on; at most 5 MiB. The result says that they will be sent. */
    send(data: string | ArrayBuffer, callback: AsyncCallback<boolean>): void;
    send(data: string | ArrayBuffer): Promise<boolean>;

    /** Sends what was accepted, and closes; `close` follows. */
    close(callback: AsyncCallback<boolean>): void;
    close(options: WebSocketCloseOptions, callback: AsyncCallback<boolean>): void;
    close(options?: WebSocketCloseOptions): Promise<boolean>;

    /** Beyond the reference: figures up to now. */
    getStatistics(): Statistics;

    /** Adds a listener; each function counts once. Several are called in the order of their registration. */
    on(type: 'open', callback: AsyncCallback<OpenInfo>): void;
    on(type: 'openInfo', callback: AsyncCallback<WebSocketOpenInfo>): void;
    on(type: 'message', callback: AsyncCallback<string | ArrayBuffer>): void;
    on(type: 'close', callback: AsyncCallback<CloseResult>): void;
    on(type: 'error', callback: ErrorCallback<ConnectionError>): void;
    on(type: 'error', callback: ErrorCallback): void;
    on(type: 'dataEnd', callback: Callback<void>): void;
    on(type: 'headerReceive', callback: Callback<ResponseHeaders>): void;
    /** Beyond the reference: there is room again after a `send` that had none (-1). */
    on(type: 'drain', callback: Callback<void>): void;
    /** Beyond the reference. */
    on(type: 'reconnecting', callback: Callback<Reconnecting>): void;

    /** Removes a listener, or all of them. */
    off(type: 'open', callback?: AsyncCallback<OpenInfo>): void;
    off(type: 'openInfo', callback?: AsyncCallback<WebSocketOpenInfo>): void;
    off(type: 'message', callback?: AsyncCallback<string | ArrayBuffer>): void;
    off(type: 'close', callback?: AsyncCallback<CloseResult>): void;
    off(type: 'error', callback?: ErrorCallback<ConnectionError>): void;
    off(type: 'error', callback?: ErrorCallback): void;
    off(type: 'dataEnd', callback?: Callback<void>): void;
    off(type: 'headerReceive', callback?: Callback<ResponseHeaders>): void;
    /** Beyond the reference. */
    off(type: 'drain', callback?: Callback<void>): void;
    /** Beyond the reference. */
    off(type: 'reconnecting', callback?: Callback<Reconnecting>): void;
  }

  /** A server's certificate. */
  export interface ServerCert {
    /** A PEM file with the certificate and those that lead to its CA. */
    certPath: string;
    /** A PEM file with its private key. */
    keyPath: string;
  }

  /** What `start` is told. */
  export interface WebSocketServerConfig {
    /** The address to listen on. Default "0.0.0.0". */
    serverIP?: string;
    /** 1 to 65535. */
    serverPort: number;
    /** With it, the server speaks wss and only wss. */
    serverCert?: ServerCert;
    /** Sub-protocols that the server speaks, separated by commas, the preferred one first. */
    protocol?: string;
    /** How many addresses may be connected at once, 1 to 10. Default 10. */
    maxConcurrentClientsNumber?: number;
    /** How many connections each may have, 1 to 10. Default 10. */
    maxConnectionsForOneClient?: number;
    /**
     * Beyond the reference: the origins of the web pages that may connect, such as "https://example.com"; a page of another one
     * gets 403. Programs that send no `Origin` pass. By default every page may connect; an empty array allows none.
     *
     * Any web page in a browser that can reach this server can connect to it, from the address of the browser's user, even to a
     * server on a TV at home. Without this list, the page can do what the user's own programs can, and 51 connection attempts of
     * a page ban everyone behind that address for a minute.
     */
    allowedOrigins?: Array<string>;
    /** Beyond the reference: whether permessage-deflate is agreed to; as in WebSocketRequestOptions. */
    compression?: boolean;
  }

  /** A connection that a server has accepted. */
  export interface WebSocketConnection {
    clientIP: string;
    clientPort: number;
  }

  /** A message of a client. */
  export interface WebSocketMessage {
    data: string | ArrayBuffer;
    clientConnection: WebSocketConnection;
  }

  /** A connection of a server is over. `closeReason` is the reason once more. */
  export type ClientConnectionCloseCallback = (
    clientConnection: WebSocketConnection,
    closeReason: CloseResult & { closeReason?: string },
  ) => void;

  /** A server. It keeps the process alive while it listens. */
  export interface WebSocketServer {
    /** Listens: true when clients can connect. A failure is an 'error' event as well. */
    start(config: WebSocketServerConfig): Promise<boolean>;

    /** The connections, none after `stop`; the array can be awaited as well. Without the permission it is empty, and awaiting it fails with 201. */
    listAllConnections(): WebSocketConnection[] & Promise<WebSocketConnection[]>;

    /** Sends text or bytes to a client; at most 5 MiB. */
    send(data: string | ArrayBuffer, connection: WebSocketConnection): Promise<boolean>;

    /** Closes a client's connection. */
    close(connection: WebSocketConnection, options?: webSocket.WebSocketCloseOptions): Promise<boolean>;

    /** Stops listening, and closes every connection with 1001. */
    stop(): Promise<boolean>;

    /** Adds a listener; each function counts once. */
    on(type: 'connect', callback: Callback<WebSocketConnection>): void;
    on(type: 'messageReceive', callback: Callback<WebSocketMessage>): void;
    on(type: 'close', callback: ClientConnectionCloseCallback): void;
    on(type: 'error', callback: ErrorCallback<ConnectionError>): void;
    on(type: 'error', callback: ErrorCallback): void;
    /** Beyond the reference: there is room again for a client after a `send` that had none (-1). */
    on(type: 'drain', callback: Callback<WebSocketConnection>): void;

    /** Removes a listener, or all of them. */
    off(type: 'connect', callback?: Callback<WebSocketConnection>): void;
    off(type: 'messageReceive', callback?: Callback<WebSocketMessage>): void;
    off(type: 'close', callback?: ClientConnectionCloseCallback): void;
    off(type: 'error', callback?: ErrorCallback<ConnectionError>): void;
    off(type: 'error', callback?: ErrorCallback): void;
    /** Beyond the reference. */
    off(type: 'drain', callback?: Callback<WebSocketConnection>): void;
  }
}

export default webSocket;
