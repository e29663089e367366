//! An attempt to connect, step by step: name, TCP, proxy, TLS, opening handshake.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustls::ClientConfig;

use super::dial::{dial, Tried};
use super::event::{HeaderReceiveEvent, OpenEvent, Timings};
use super::handshake;
use super::live::Client;
use super::options::ConnectOptions;
use crate::error::{Code, Error, Phase, Result};
use crate::frame::extension::Agreed;
use crate::log::{log, Level};
use crate::platform;
use crate::proxy::{self, Choice, Server};
use crate::runtime::in_time;
use crate::tls::{self, TlsOptions, Trust};
use crate::transport::{Tcp, Transport};
use crate::url::Target;

/// Where a session connects to, and how; decided in `connect`, on the caller's thread.
pub(super) struct Plan {
    pub target: Target,
    pub options: ConnectOptions,
    pub proxy: Choice,
    /// For wss.
    pub tls: Option<TlsOptions>,
}

impl Plan {
    /// Reads the environment, so it is for the caller's thread: on another it would race with setenv().
    pub fn new(target: Target, options: ConnectOptions) -> Plan {
        let trusted = options.trusts_environment;
        let variable = |name: &str| trusted.then(|| std::env::var_os(name)).flatten();
        let proxy = Choice::new(&options.proxy, &target, variable);
        let tls = target.secure.then(|| tls_options(&options, variable));
        Plan { target, options, proxy, tls }
    }
}

/// Reads the environment if the system's CAs are wanted.
fn tls_options(options: &ConnectOptions, variable: impl Fn(&str) -> Option<OsString>) -> TlsOptions {
    TlsOptions {
        trust: match options.skip_server_cert_verification {
            true => Trust::Anybody,
            false => Trust::new(options.ca_path.as_deref(), variable),
        },
        pins: options.pinned_public_keys.clone(),
        client_cert: options.client_cert.clone(),
        min_version: options.min_tls_version,
    }
}

/// What a successful attempt leaves.
pub(super) struct Opened {
    pub transport: Transport,
    /// What arrived behind the server's answer.
    pub early: Vec<u8>,
    pub header_receive: HeaderReceiveEvent,
    pub open: OpenEvent,
    pub compression: Option<Agreed>,
    pub timings: Timings,
}

/// Which step is under way, for the error when the time runs out.
struct Progress {
    step: Mutex<(Phase, String)>,
    tried: Tried,
}

impl Progress {
    /// `doing` begins a sentence.
    fn enter(&self, phase: Phase, doing: String) {
        log(Level::Debug, || format!("{}: {doing}", phase.name().to_string_lossy()));
        *self.step.lock() = (phase, doing);
        self.tried.clear();
    }

    fn timeout(&self, after: Duration) -> Error {
        let (phase, doing) = &*self.step.lock();
        let tried = self.tried.list_after(doing);
        let message = format!("{doing}{tried} did not end within {} ms.", after.as_millis());
        Error::event(*phase, Code::Timeout, message)
    }
}

/// Tries to connect within the time that the options allow.
pub(super) async fn attempt(client: &Client, plan: &Plan) -> Result<Opened> {
    let address = plan.target.address();
    let first = (Phase::Proxy, format!("The platform's answer about the proxy for {address}"));
    let progress = Progress { step: Mutex::new(first), tried: Tried::default() };
    let after = plan.options.connect_timeout;
    match in_time(after, steps(client, plan, &progress)).await {
        Some(result) => result,
        None => Err(progress.timeout(after)),
    }
}

async fn steps(client: &Client, plan: &Plan, progress: &Progress) -> Result<Opened> {
    let Plan { target, options, proxy, tls } = plan;
    let mut timings = Timings::default();
    let address = target.address();

    let blocking = client.runtime.blocking();
    let ask_platform = |url: String| async move {
        match platform::knows_proxy() {
            true => blocking.ask(move || platform::proxy(&url)).await,
            false => Ok(None),
        }
    };
    let proxy = proxy.choose(target, ask_platform).await?;
    let next = Next::new(target, proxy.as_ref());
    let addresses = look_up(client, &next, progress, &mut timings.dns).await?;
    let connected = async {
        let mut stream = connect(&next, &addresses, progress).await?;
        if let Some(proxy) = &proxy {
            let kind = proxy.kind().name();
            progress.enter(Phase::Proxy, format!("Opening a tunnel to {address} through {proxy} ({kind})"));
            proxy::open(&mut stream, proxy, target).await?;
        }
        Ok(stream)
    };
    let stream = timed(&mut timings.tcp, connected).await?;

    // The server, as errors call it: what answers in its place may be the proxy.
    let peer = match &proxy {
        Some(proxy) => format!("{address} through {proxy}"),
        None => address,
    };
    let mut transport = match tls {
        None => Transport::Plain(stream),
        Some(tls) => {
            progress.enter(Phase::Tls, format!("The TLS handshake with {peer}"));
            let config = tls_config(client, tls).await.map_err(|error| Error {
                message: format!("TLS with {peer} can't be set up: {error}"),
                ..error
            })?;
            let handshake = tls::connect(config, &target.host, &peer, stream);
            let secured = timed(&mut timings.tls, handshake).await?;
            timings.tls_resumed = secured.resumed;
            Transport::Tls(Box::new(secured.stream.into()))
        }
    };

    progress.enter(Phase::Handshake, format!("The opening handshake with {peer}"));
    let request = handshake::Request::new(target, options, &peer)?;
    let answer = timed(&mut timings.handshake, request.exchange(&mut transport)).await?;
    Ok(Opened {
        transport,
        early: answer.early,
        header_receive: HeaderReceiveEvent { status: answer.status, headers: answer.headers },
        open: OpenEvent {
            status: answer.status,
            message: "Switching Protocols".into(),
            protocol: answer.protocol,
            extensions: answer.compression.map(|agreed| agreed.describe()).unwrap_or_default(),
        },
        compression: answer.compression,
        timings,
    })
}

/// The TLS configuration for these options, and for what the platform says now about the user's CAs.
async fn tls_config(client: &Client, options: &TlsOptions) -> Result<Arc<ClientConfig>> {
    let blocking = client.runtime.blocking();
    let trusted = options.depend_on_users_cas()
        && platform::has_hooks()
        && blocking.ask(platform::trusts_user_ca).await.unwrap_or(false);
    let options = options.clone().with_users_cas(trusted);
    client.tls.client_config(&options, |make| blocking.read_files(make)).await
}

async fn timed<T>(duration: &mut Duration, step: impl std::future::Future<Output = T>) -> T {
    let start = Instant::now();
    let result = step.await;
    *duration = start.elapsed();
    result
}

/// Who is connected to: the target, or the proxy on the way there. With a proxy, the target's name isn't looked up.
struct Next<'a> {
    host: &'a str,
    port: u16,
    /// Host and port, in a sentence.
    name: String,
    /// What is looked up, in a sentence.
    host_name: String,
    /// The phases of looking up and connecting.
    phases: (Phase, Phase),
}

impl<'a> Next<'a> {
    fn new(target: &'a Target, proxy: Option<&'a Server>) -> Next<'a> {
        match proxy {
            None => Next {
                host: &target.host,
                port: target.port,
                name: target.address(),
                host_name: format!("The host name {}", target.host),
                phases: (Phase::Dns, Phase::Tcp),
            },
            Some(proxy) => Next {
                host: proxy.host(),
                port: proxy.port(),
                name: proxy.to_string(),
                host_name: format!("The host name of {proxy}"),
                phases: (Phase::Proxy, Phase::Proxy),
            },
        }
    }
}

async fn look_up(
    client: &Client,
    next: &Next<'_>,
    progress: &Progress,
    took: &mut Duration,
) -> Result<Vec<SocketAddr>> {
    let Next { host, port, name, host_name, phases: (phase, _) } = next;
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, *port)]);
    }
    progress.enter(*phase, format!("The name lookup of {name}"));
    let not_found = |cause: String| {
        Error::event(*phase, Code::NameNotFound, format!("{host_name} could not be resolved: {cause}."))
    };
    match timed(took, client.runtime.blocking().look_up(host, *port)).await {
        Ok(addresses) if addresses.is_empty() => Err(not_found("it has no address".into())),
        Ok(addresses) => Ok(addresses),
        Err(error) => {
            Err(Error { os_error: error.raw_os_error().unwrap_or(0), ..not_found(error.to_string()) })
        }
    }
}

async fn connect(next: &Next<'_>, addresses: &[SocketAddr], progress: &Progress) -> Result<Tcp> {
    let Next { name, phases: (_, phase), .. } = next;
    progress.enter(*phase, format!("The TCP connection to {name}"));
    let Some(stream) = dial(addresses, &progress.tried).await else {
        let what = format!("Can't connect to {name}");
        let error = progress.tried.with_last_failure(|last| Error::io(*phase, &what, last));
        let error = error.unwrap_or_else(|| Error::event(*phase, Code::NameNotFound, format!("{what}.")));
        return Err(match progress.tried.list_after(&what) {
            list if list.is_empty() => error,
            list => Error { message: format!("{what}{list}."), ..error },
        });
    };
    // Only latency is lost without it.
    let _ = stream.set_nodelay(true);
    Ok(Tcp(stream))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;

    use super::*;
    use crate::platform::Hooks;
    use crate::runtime::{Config, Runtime};

    #[test]
    fn an_environment_that_is_not_trusted_names_no_ca() {
        let plan = |trusts_environment| {
            let target = Target::parse("wss://host/").unwrap();
            Plan::new(target, ConnectOptions { trusts_environment, ..ConnectOptions::default() })
        };
        let without = tls_options(&ConnectOptions::default(), |_| None);
        let named = tls_options(&ConnectOptions::default(), |name| {
            (name == "SSL_CERT_FILE").then(|| "/ca.pem".into())
        });
        assert!(named != without);
        assert!(plan(false).tls == Some(without));
    }

    #[test]
    fn another_answer_about_the_users_cas_is_noticed() {
        static TRUSTED: AtomicBool = AtomicBool::new(false);
        let hook: platform::Ask = Box::new(|| TRUSTED.load(Ordering::Acquire));
        platform::set(Some(Hooks { trusts_user_ca: Some(hook), ..Hooks::default() }));
        let client = Client::new(Runtime::start(Config::DEFAULT).unwrap(), &Arc::default()).unwrap();
        let config = |trusted: bool| {
            TRUSTED.store(trusted, Ordering::Release);
            let (of, (to, made)) = (client.clone(), channel());
            client.runtime.spawn(&client.lane, async move {
                let options = tls_options(&ConnectOptions::default(), |_| None);
                to.send(tls_config(&of, &options).await.unwrap()).unwrap();
            });
            made.recv().unwrap()
        };
        let without = config(false);
        let with = config(true);
        assert!(!Arc::ptr_eq(&without, &with));
        assert!(Arc::ptr_eq(&without, &config(false)) && Arc::ptr_eq(&with, &config(true)));
        platform::set(None);
    }
}
