//! What the Rust peers have in common: their command line, TCP and TLS, the opening handshake, and their end. `peer.h`
//! describes the command line.

use std::io::Read;
use std::process::exit;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A connection after its opening handshake.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// The command line.
#[derive(Clone)]
pub struct Task {
    pub client: bool,
    pub port: u16,
    pub connections: usize,
    pub window: usize,
    pub size: usize,
    pub count: usize,
    cert: Option<String>,
    key: Option<String>,
    ca: Option<String>,
}

impl Task {
    /// What this process was asked for. A peer that can't do it ends with status 2.
    pub fn read() -> Task {
        let mut words = std::env::args().skip(1);
        let client = words.next().as_deref() == Some("client");
        let mut task = Task {
            client,
            port: 0,
            connections: 1,
            window: 1,
            size: 32,
            count: 1,
            cert: None,
            key: None,
            ca: None,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| refuse());
            let number = |text: String| text.parse().unwrap_or_else(|_| refuse());
            match word.as_str() {
                "--port" => task.port = number(value()) as u16,
                "--connections" => task.connections = number(value()),
                "--window" => task.window = number(value()),
                "--size" => task.size = number(value()),
                "--count" => task.count = number(value()),
                "--cert" => task.cert = Some(value()),
                "--key" => task.key = Some(value()),
                "--ca" => task.ca = Some(value()),
                "--no-ping" => {} // they send none
                _ => refuse(),
            }
        }
        task
    }
}

fn refuse() -> ! {
    exit(2)
}

/// One thread, as every peer has.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime")
}

/// Ends the process with its stdin.
fn end_with_stdin() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        exit(0)
    });
}

/// What a server does with each connection. A trait, and not a closure, so that TCP and TLS each get code of their own.
pub trait Serve: Copy + Send + 'static {
    fn serve<S: Stream>(self, stream: S) -> impl std::future::Future<Output = ()> + Send;
}

/// Serves until stdin ends.
pub fn serve(task: &Task, how: impl Serve) {
    let tls = task.cert.as_ref().zip(task.key.as_ref()).map(|(cert, key)| {
        let chain = CertificateDer::pem_file_iter(cert).expect("cert").map(|one| one.expect("cert")).collect();
        let key = PrivateKeyDer::from_pem_file(key).expect("key");
        let config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("TLS versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("certificate");
        TlsAcceptor::from(Arc::new(config))
    });
    end_with_stdin();
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("an address").port());
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let tls = tls.clone();
            tokio::spawn(async move {
                stream.set_nodelay(true).ok()?;
                match tls {
                    None => how.serve(accept(stream).await?).await,
                    Some(tls) => how.serve(accept(tls.accept(stream).await.ok()?).await?).await,
                }
                Some(())
            });
        }
    });
}

/// The opening handshake of a server. A client sends nothing behind its request.
async fn accept<S: Stream>(mut stream: S) -> Option<S> {
    let mut request = Vec::with_capacity(1024);
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    let request = String::from_utf8_lossy(&request);
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))?;
    let hash = ring::digest::digest(
        &ring::digest::SHA1_FOR_LEGACY_USE_ONLY,
        format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes(),
    );
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        data_encoding::BASE64.encode(hash.as_ref())
    );
    stream.write_all(answer.as_bytes()).await.ok()?;
    stream.flush().await.ok()?;
    Some(stream)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// How a client reaches its server.
#[derive(Clone)]
pub struct Connector {
    port: u16,
    tls: Option<TlsConnector>,
}

impl Connector {
    pub fn new(task: &Task) -> Connector {
        let tls = task.ca.as_ref().map(|path| {
            let mut roots = rustls::RootCertStore::empty();
            for certificate in CertificateDer::pem_file_iter(path).expect("CA") {
                roots.add(certificate.expect("CA")).expect("CA");
            }
            let config = rustls::ClientConfig::builder_with_provider(provider())
                .with_safe_default_protocol_versions()
                .expect("TLS versions")
                .with_root_certificates(roots)
                .with_no_client_auth();
            TlsConnector::from(Arc::new(config))
        });
        Connector { port: task.port, tls }
    }

    /// Connects, and runs the opening handshake.
    pub async fn connect(&self) -> Box<dyn Stream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("connect");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        let mut stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some(tls) => {
                let name = ServerName::try_from("localhost").expect("a name");
                Box::new(tls.connect(name, stream).await.expect("TLS"))
            }
        };
        let request = format!(
            "GET / HTTP/1.1\r\nHost: localhost:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            self.port
        );
        stream.write_all(request.as_bytes()).await.expect("request");
        stream.flush().await.expect("request");
        let mut answer = Vec::with_capacity(1024);
        while !answer.ends_with(b"\r\n\r\n") {
            // The server says nothing before it is asked, so nothing lies behind the answer.
            assert_ne!(stream.read_buf(&mut answer).await.expect("answer"), 0, "the server hung up");
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
        stream
    }
}
