//! What the Rust peers have in common: their command line, TCP and TLS, and their end. `peer.h` describes the command line.

use std::io::Read;
use std::process::exit;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// TCP, with or without TLS.
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
    pub connect: bool,
    /// A server sends each message to all.
    pub broadcast: bool,
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
            connect: false,
            broadcast: false,
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
                "--connect" => task.connect = true,
                "--broadcast" => task.broadcast = true,
                "--no-ping" => {} // they send none
                _ => refuse(),
            }
        }
        task
    }
}

/// What is measured begins after this: see `client.h`.
fn ready(opened_in: Duration) {
    println!("ready {}", opened_in.as_nanos());
    if std::io::stdin().read_line(&mut String::new()).unwrap_or(0) == 0 {
        exit(0);
    }
}

/// The second phase is over: its figures, and the end.
fn report(start: Instant, count: usize, mut times: Vec<Duration>) {
    print!("{{\"messages\": {count}, \"wall_ns\": {:.1}", start.elapsed().as_nanos() as f64 / count as f64);
    if !times.is_empty() {
        times.sort_unstable();
        let at = |part: usize| times[times.len() * part / 100].as_nanos();
        print!(", \"p50_ns\": {}, \"p99_ns\": {}", at(50), at(99));
    }
    println!("}}");
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// A client's connection, as its library has it: messages are kept under way until all have come back.
pub trait Exchange: Sized + 'static {
    /// The opening handshake, over a stream to a server.
    fn open(stream: Box<dyn Stream>) -> impl std::future::Future<Output = Self>;
    /// Keeps `window` messages of `size` bytes under way until `count` have come back. `times` gets each round trip, if
    /// there is only one message under way.
    fn exchange(
        &mut self,
        window: usize,
        size: usize,
        count: usize,
        times: Option<&mut Vec<Duration>>,
    ) -> impl std::future::Future<Output = ()>;
    /// The closing handshake.
    fn close(self) -> impl std::future::Future<Output = ()>;
}

/// A client from its command line to its end.
pub fn run_client<E: Exchange>(task: &Task) {
    runtime().block_on(tokio::task::LocalSet::new().run_until(async {
        let start = Instant::now();
        let connector = Connector::new(task);
        if task.connect {
            let visits = async |count: usize| {
                for _ in 0..count {
                    E::open(connector.connect().await).await.close().await;
                }
            };
            visits(task.count / 20 + 5).await;
            ready(Duration::ZERO);
            let start = Instant::now();
            visits(task.count).await;
            return report(start, task.count, Vec::new());
        }
        let mut links = vec![E::open(connector.connect().await).await];
        let opened_in = start.elapsed();
        for _ in 1..task.connections {
            links.push(E::open(connector.connect().await).await);
        }
        let share = |count: usize| (count / task.connections).max(task.window);
        links = phase(links, task, share(task.count / 20), None).await;
        ready(opened_in);
        let mut times = Vec::with_capacity(task.count);
        let start = Instant::now();
        let timed = (task.window == 1 && task.connections == 1).then_some(&mut times);
        let links = phase(links, task, share(task.count), timed).await;
        report(start, share(task.count) * task.connections, times);
        drop(links);
    }));
}

async fn phase<E: Exchange>(
    mut links: Vec<E>,
    task: &Task,
    share: usize,
    times: Option<&mut Vec<Duration>>,
) -> Vec<E> {
    let (window, size) = (task.window, task.size);
    if let [link] = links.as_mut_slice() {
        link.exchange(window, size, share, times).await;
        return links;
    }
    let flows: Vec<_> = links
        .into_iter()
        .map(|mut link| {
            tokio::task::spawn_local(async move {
                link.exchange(window, size, share, None).await;
                link
            })
        })
        .collect();
    let mut links = Vec::new();
    for flow in flows {
        links.push(flow.await.expect("a flow"));
    }
    links
}

/// What was asked for isn't possible with this peer.
pub fn refuse() -> ! {
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

/// What a server does with each stream, from the opening handshake on. A trait, and not a closure, so that TCP and TLS each get code of their own.
pub trait Serve: Copy + Send + 'static {
    fn serve<S: Stream>(self, stream: S) -> impl std::future::Future<Output = ()> + Send;
}

/// Serves until stdin ends.
pub fn serve(task: &Task, how: impl Serve) {
    let tls = task.cert.as_ref().zip(task.key.as_ref()).map(|(cert, key)| {
        let chain =
            CertificateDer::pem_file_iter(cert).expect("cert").map(|one| one.expect("cert")).collect();
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
                    None => how.serve(stream).await,
                    Some(tls) => how.serve(tls.accept(stream).await.ok()?).await,
                }
                Some(())
            });
        }
    });
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// How a client reaches its server.
struct Connector {
    port: u16,
    tls: Option<TlsConnector>,
}

impl Connector {
    fn new(task: &Task) -> Connector {
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

    async fn connect(&self) -> Box<dyn Stream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("connect");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        match &self.tls {
            None => Box::new(stream),
            Some(tls) => {
                let name = ServerName::try_from("127.0.0.1").expect("a name");
                Box::new(tls.connect(name, stream).await.expect("TLS"))
            }
        }
    }
}
