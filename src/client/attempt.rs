//! An attempt to connect, step by step: name, TCP, proxy, TLS, opening handshake.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::future::{poll_fn, Future};
use std::net::{IpAddr, SocketAddr};
use std::pin::{pin, Pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;

use super::dial::{dial, Tried};
use super::event::{HeaderReceiveEvent, OpenEvent};
use super::link_options::LinkOptions;
use super::live::Client;
use super::plan::Plan;
use super::stats::{Agreement, Timings};
use super::{handshake, redirect, refusal};
use crate::error::{Code, Error, Phase, Result};
use crate::frame::extension::Agreed;
use crate::log::{log, Level};
use crate::platform;
use crate::proxy::{self, Server};
use crate::runtime::{boxed, in_time};
use crate::tls::{self, TlsOptions};
use crate::transport::{Tcp, Transport};
use crate::url::Target;

/// What a successful attempt leaves.
pub(super) struct Opened {
    pub transport: Transport,
    /// Host and port, where redirects have led.
    pub address: String,
    /// What arrived behind the server's answer.
    pub early: Vec<u8>,
    pub header_receive: HeaderReceiveEvent,
    pub open: OpenEvent,
    pub compression: Option<Agreed>,
    pub timings: Timings,
    pub agreement: Agreement,
}

/// Which step is under way, for the error when the time runs out.
struct Progress {
    step: Mutex<(Phase, String)>,
    tried: Tried,
}

impl Progress {
    /// `doing` begins a sentence.
    fn enter(&self, phase: Phase, doing: fmt::Arguments<'_>) {
        log(Level::Debug, || format!("{}: {doing}", phase.name().to_string_lossy()));
        {
            let mut step = self.step.lock();
            step.0 = phase;
            step.1.clear();
            // Writing to a String can't fail.
            let _ = step.1.write_fmt(doing);
        }
        self.tried.clear();
    }

    fn timeout(&self, after: Duration) -> Error {
        let (phase, doing) = &*self.step.lock();
        let tried = self.tried.list_after(doing);
        let message = format!("{doing}{tried} did not end within {} ms.", after.as_millis());
        Error::event(*phase, Code::Timeout, message)
    }
}

/// What a failed attempt leaves.
pub(super) struct Failed {
    pub error: Error,
    /// What the server had presented in TLS, if it is known.
    pub certificates: Vec<CertificateDer<'static>>,
    /// If the server has refused: its answer may go on.
    transport: Option<Transport>,
}

impl From<Error> for Box<Failed> {
    fn from(error: Error) -> Box<Failed> {
        tls::Failed::from(error).into()
    }
}

impl From<tls::Failed> for Box<Failed> {
    fn from(tls::Failed { error, certificates }: tls::Failed) -> Box<Failed> {
        Failed { error, certificates, transport: None }.into()
    }
}

/// Tries to connect within the time that the options allow, following as many redirects as they do. `config` is for TLS with the
/// first server, if it is there already.
pub(super) async fn attempt(
    client: &Client,
    first: &Plan,
    mut config: Option<Arc<ClientConfig>>,
) -> Result<Box<Opened>, Box<Failed>> {
    let after = first.options.connect_timeout;
    let until = Instant::now() + after;
    let left = || until.saturating_duration_since(Instant::now());
    let mut followed: Option<Plan> = None;
    let mut redirects = 0;
    loop {
        let plan = followed.as_ref().unwrap_or(first);
        let address = plan.target.address();
        let step = (Phase::Proxy, format!("Asking the platform for the proxy to {address}"));
        let progress = Progress { step: Mutex::new(step), tried: Tried::default() };
        let timeout = || progress.timeout(after).into();
        let opened = {
            // Pinned here: passed by value, it would take its room twice.
            let steps = pin!(steps(client, plan, config.take(), &address, &progress));
            in_time(left(), steps).await
        };
        let mut failed = match opened {
            Some(Ok(opened)) => return Ok(opened.into()),
            Some(Err(failed)) => failed,
            None => return Err(timeout()),
        };
        let Some(mut transport) = failed.transport.take() else { return Err(failed) };
        let error = &mut failed.error;
        let redirect = boxed(|| redirect(client, plan, error, redirects));
        let Some(next) = in_time(left(), redirect).await else { return Err(timeout()) };
        match next {
            Some(Ok(next)) => {
                log(Level::Info, || format!("{address}: redirected to {}", next.target.address()));
                redirects += 1;
                followed = Some(next);
                continue;
            }
            Some(Err((detail, why))) => {
                error.detail = detail;
                refusal::add_clause(error, &why);
            }
            None => {}
        }
        let is_own = is_the_servers_own(first, plan);
        boxed(|| refusal::read_body(&mut transport, error, left(), is_own)).await;
        failed.certificates = transport.peer_certificates().to_vec();
        return Err(failed);
    }
}

/// Whether an answer is from the server that the URL names and not from a portal, which has no certificate of the URL's host. It
/// may have one of its own, where a redirect leads.
fn is_the_servers_own(first: &Plan, last: &Plan) -> bool {
    let is_verified = |plan: &Plan| plan.target.secure && !plan.options.skip_server_cert_verification;
    is_verified(first) || (is_verified(last) && first.target.host == last.target.host)
}

/// The plan for where an answer leads, or why it isn't followed. `None`: it is no redirect.
async fn redirect(
    client: &Client,
    plan: &Plan,
    error: &Error,
    redirects: u32,
) -> Option<Result<Plan, (Code, String)>> {
    let target = redirect::target(plan, error.http_status, error.refusal.as_deref()?)?;
    let most = plan.options.max_redirects;
    if most == 0 {
        return Some(Err((Code::HttpStatus, "redirects are not followed".into())));
    }
    if redirects >= most {
        return Some(Err((Code::Redirect, format!("more than {most} redirects are not followed"))));
    }
    let target = match target {
        Ok(target) => target,
        Err(why) => return Some(Err((Code::Redirect, why.into()))),
    };
    if platform::has_hooks() {
        let (host, url) = (target.host.clone(), target.url());
        let asked = client.runtime.blocking().ask(move || platform::check_host(&host, &url)).await;
        if !matches!(asked, Ok(Ok(()))) {
            return Some(Err((Code::Redirect, "it is not allowed to access this domain".into())));
        }
    }
    Some(Ok(plan.redirected(target)))
}

async fn steps(
    client: &Client,
    plan: &Plan,
    config: Option<Arc<ClientConfig>>,
    address: &str,
    progress: &Progress,
) -> Result<Opened, Box<Failed>> {
    let Plan { target, options, proxy, tls } = plan;
    let mut timings = Timings::default();
    let blocking = client.runtime.blocking();
    let ask_platform = |url: String| async move {
        match platform::knows_proxy() {
            true => blocking.ask(move || platform::proxy(&url)).await,
            false => Ok(None),
        }
    };
    let proxy = proxy.choose(target, ask_platform).await?;
    let next = Next::new(target, address, proxy.as_ref());
    let addresses = look_up(client, &next, &options.link, progress, &mut timings.dns).await?;
    let connected = async {
        let (mut stream, peer) = connect(&next, addresses, &options.link, progress).await?;
        if let Some(proxy) = &proxy {
            let kind = proxy.kind().name();
            progress
                .enter(Phase::Proxy, format_args!("Opening a tunnel to {address} through {proxy} ({kind})"));
            timed(&mut timings.proxy, proxy::open(&mut stream, proxy, target)).await?;
        }
        Ok::<_, Error>((stream, peer))
    };
    let mut took = Duration::ZERO;
    let (stream, peer) = timed(&mut took, pin!(connected)).await?;
    timings.tcp = took;
    let mut agreement = Agreement { peer: Some(peer), ..Agreement::default() };

    // The server, as errors call it: what answers in its place may be the proxy.
    let peer = match &proxy {
        Some(proxy) => format!("{address} through {proxy}"),
        None => address.to_owned(),
    };
    let mut transport = match target.secure {
        false => Transport::Plain(stream),
        true => {
            progress.enter(Phase::Tls, format_args!("The TLS handshake with {peer}"));
            let config = match config {
                Some(config) => config,
                None => tls_config(client, tls).await.map_err(|error| Error {
                    message: format!("TLS with {peer} can't be set up: {error}"),
                    ..error
                })?,
            };
            let name = options.tls_server_name.as_ref().unwrap_or(&target.host);
            let handshake = pin!(tls::connect(config, name, &peer, stream));
            let handshake = meanwhile(handshake, || client.runtime.expect_callbacks());
            let (stream, secured) = timed(&mut timings.tls, handshake).await?;
            agreement.tls = secured;
            Transport::Tls(Box::new(stream.into()))
        }
    };

    progress.enter(Phase::Handshake, format_args!("The opening handshake with {peer}"));
    let request = handshake::Request::new(target, options, &peer)?;
    let answered = {
        let exchange = pin!(request.exchange(&mut transport));
        let exchange = meanwhile(exchange, || client.runtime.expect_callbacks());
        timed(&mut timings.handshake, exchange).await
    };
    let answer = match answered {
        Ok(answer) => answer,
        Err(error) => {
            return Err(Failed { error, certificates: Vec::new(), transport: Some(transport) }.into())
        }
    };
    agreement.extensions = answer.compression.map(|agreed| agreed.describe()).unwrap_or_default();
    Ok(Opened {
        transport,
        address: address.to_owned(),
        early: answer.early,
        header_receive: HeaderReceiveEvent { status: answer.status, headers: answer.headers },
        open: OpenEvent {
            status: answer.status,
            message: "Switching Protocols".into(),
            protocol: answer.protocol,
            extensions: agreement.extensions.clone(),
        },
        compression: answer.compression,
        timings,
        agreement,
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

async fn timed<T>(duration: &mut Duration, step: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let result = step.await;
    *duration = start.elapsed();
    result
}

/// Does `work` once the future waits, if it ever does.
async fn meanwhile<F: Future>(mut future: Pin<&mut F>, work: impl FnOnce()) -> F::Output {
    let mut work = Some(work);
    poll_fn(|context| {
        let poll = future.as_mut().poll(context);
        if poll.is_pending() {
            work.take().into_iter().for_each(|work| work());
        }
        poll
    })
    .await
}

/// The host to connect to: the target, or the proxy on the way there. With a proxy, the target's name isn't looked up.
struct Next<'a> {
    host: &'a str,
    /// The interface that a link-local address belongs to.
    zone: Option<&'a str>,
    port: u16,
    /// Host and port, in a sentence.
    name: Cow<'a, str>,
    is_proxy: bool,
    /// The phases of looking up and connecting.
    phases: (Phase, Phase),
}

impl<'a> Next<'a> {
    fn new(target: &'a Target, address: &'a str, proxy: Option<&'a Server>) -> Next<'a> {
        match proxy {
            None => Next {
                host: &target.host,
                zone: target.zone.as_deref(),
                port: target.port,
                name: address.into(),
                is_proxy: false,
                phases: (Phase::Dns, Phase::Tcp),
            },
            Some(proxy) => Next {
                host: proxy.host(),
                zone: None,
                port: proxy.port(),
                name: proxy.to_string().into(),
                is_proxy: true,
                phases: (Phase::Proxy, Phase::Proxy),
            },
        }
    }
}

async fn look_up(
    client: &Client,
    next: &Next<'_>,
    link: &LinkOptions,
    progress: &Progress,
    took: &mut Duration,
) -> Result<Vec<SocketAddr>> {
    let Next { host, zone, port, name, is_proxy, phases: (phase, _) } = next;
    let with_zone = zone.map(|zone| format!("{host}%{zone}"));
    // The system knows the number of an interface.
    let host = match (&with_zone, host.parse::<IpAddr>()) {
        (Some(with_zone), _) => with_zone,
        (None, Ok(address)) => return Ok(vec![SocketAddr::new(address, *port)]),
        (None, Err(_)) => *host,
    };
    if let Some(known) = link.known(host, *port) {
        return Ok(known);
    }
    progress.enter(*phase, format_args!("The name lookup of {name}"));
    let not_found = |cause: String| {
        let what = match (&with_zone, is_proxy) {
            (Some(with_zone), _) => format!("The address {with_zone}"),
            (None, true) => format!("The host name of {name}"),
            (None, false) => format!("The host name {host}"),
        };
        Error::event(*phase, Code::NameNotFound, format!("{what} could not be resolved: {cause}."))
    };
    match timed(took, client.runtime.blocking().look_up(host, *port)).await {
        Ok(addresses) if addresses.is_empty() => Err(not_found("it has no address".into())),
        Ok(addresses) => Ok(addresses),
        Err(error) => {
            let os_error = error.raw_os_error().unwrap_or(0);
            // What Rust puts before the system's words, our sentence says.
            let cause = error.to_string().replace("failed to lookup address information: ", "");
            Err(Error { os_error, ..not_found(cause) })
        }
    }
}

async fn connect(
    next: &Next<'_>,
    addresses: Vec<SocketAddr>,
    link: &LinkOptions,
    progress: &Progress,
) -> Result<(Tcp, SocketAddr)> {
    let Next { name, phases: (_, phase), .. } = next;
    progress.enter(*phase, format_args!("The TCP connection to {name}"));
    let addresses = link.narrow(addresses, *phase, name)?;
    let Some((stream, peer)) = dial(&addresses, link, &progress.tried).await else {
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
    Ok((Tcp::new(stream), peer))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;

    use super::*;
    use crate::client::plan::tls_options;
    use crate::client::ConnectOptions;
    use crate::platform::Hooks;
    use crate::runtime::{Config, Runtime};

    #[test]
    fn another_answer_about_the_users_cas_is_noticed() {
        static TRUSTED: AtomicBool = AtomicBool::new(false);
        let hook: platform::Ask = Box::new(|| TRUSTED.load(Ordering::Acquire));
        platform::set(Some(Hooks { trusts_user_ca: Some(hook), ..Hooks::default() }));
        let client = Client::new(Runtime::start(Config::DEFAULT).unwrap(), &Arc::default()).unwrap();
        let config = |trusted: bool| {
            TRUSTED.store(trusted, Ordering::Release);
            let (of, (to, made)) = (client.clone(), channel());
            client.runtime.spawn(
                &client.lane,
                Box::pin(async move {
                    let options = tls_options(&ConnectOptions::default(), |_| None);
                    to.send(tls_config(&of, &options).await.unwrap()).unwrap();
                }),
            );
            made.recv().unwrap()
        };
        let without = config(false);
        let with = config(true);
        assert!(!Arc::ptr_eq(&without, &with));
        assert!(Arc::ptr_eq(&without, &config(false)) && Arc::ptr_eq(&with, &config(true)));
        platform::set(None);
    }
}
