//! An attempt to connect, step by step: name, TCP, TLS, opening handshake.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::{handshake, Client, HeaderReceiveEvent, OpenEvent, Timings};
use crate::connection::{Tcp, Transport};
use crate::error::{Code, Error, Phase, Result};
use crate::log::{log, Level};
use crate::options::ConnectOptions;
use crate::tls;
use crate::url::Target;

/// What a successful attempt leaves.
pub(super) struct Opened {
    pub transport: Transport,
    /// What arrived behind the server's answer.
    pub early: Vec<u8>,
    pub header_receive: HeaderReceiveEvent,
    pub open: OpenEvent,
    pub timings: Timings,
}

/// Which step is under way, for the error when the time runs out.
struct Step(AtomicI32);

impl Step {
    fn enter(&self, phase: Phase, target: &Target) {
        log(Level::Debug, || format!("{}: {}", target.address(), phase.name().to_string_lossy()));
        self.0.store(phase as i32, Ordering::Relaxed);
    }

    fn phase(&self) -> Phase {
        let phase = self.0.load(Ordering::Relaxed);
        Phase::ALL.iter().copied().find(|known| *known as i32 == phase).unwrap_or(Phase::Call)
    }
}

/// Tries to connect within the time that the options allow.
pub(super) async fn attempt(client: &Client, target: &Target, options: &ConnectOptions) -> Result<Opened> {
    let step = Step(AtomicI32::new(Phase::Dns as i32));
    match tokio::time::timeout(options.connect_timeout, steps(client, target, options, &step)).await {
        Ok(result) => result,
        Err(_) => {
            let (phase, ms) = (step.phase(), options.connect_timeout.as_millis());
            let doing = match phase {
                Phase::Dns => "The name lookup of",
                Phase::Tcp => "The TCP connection to",
                Phase::Tls => "The TLS handshake with",
                _ => "The opening handshake with",
            };
            let message = format!("{doing} {} did not end within {ms} ms.", target.address());
            Err(Error::event(phase, Code::Timeout, message))
        }
    }
}

async fn steps(client: &Client, target: &Target, options: &ConnectOptions, step: &Step) -> Result<Opened> {
    let mut timings = Timings::default();
    let address = target.address();

    step.enter(Phase::Dns, target);
    let addresses = match target.host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, target.port)],
        Err(_) => timed(&mut timings.dns, look_up(client, target)).await?,
    };

    step.enter(Phase::Tcp, target);
    let stream = timed(&mut timings.tcp, connect(&address, &addresses)).await?;

    let mut transport = match target.secure {
        false => Transport::Plain(Tcp(stream)),
        true => {
            step.enter(Phase::Tls, target);
            let config = client.runtime.tls.client_config(&options.into()).await.map_err(|error| Error {
                message: format!("TLS with {address} can't be set up: {error}"),
                ..error
            })?;
            let handshake = tls::connect(config, &target.host, &address, Tcp(stream));
            Transport::Tls(Box::new(timed(&mut timings.tls, handshake).await?.into()))
        }
    };

    step.enter(Phase::Handshake, target);
    let request = handshake::Request::new(target, options)?;
    let answer = timed(&mut timings.handshake, request.exchange(&mut transport)).await?;
    Ok(Opened {
        transport,
        early: answer.early,
        header_receive: HeaderReceiveEvent { status: answer.status, headers: answer.headers },
        open: OpenEvent {
            status: answer.status,
            message: "Switching Protocols".into(),
            protocol: answer.protocol,
        },
        timings,
    })
}

async fn timed<T>(duration: &mut Duration, step: impl std::future::Future<Output = T>) -> T {
    let start = Instant::now();
    let result = step.await;
    *duration = start.elapsed();
    result
}

async fn look_up(client: &Client, target: &Target) -> Result<Vec<SocketAddr>> {
    let not_found = |cause: String| {
        let message = format!("The host name {} could not be resolved: {cause}.", target.host);
        Error::event(Phase::Dns, Code::NameNotFound, message)
    };
    match client.runtime.look_up(&target.host, target.port).await {
        Ok(addresses) if addresses.is_empty() => Err(not_found("it has no address".into())),
        Ok(addresses) => Ok(addresses),
        Err(error) => {
            Err(Error { os_error: error.raw_os_error().unwrap_or(0), ..not_found(error.to_string()) })
        }
    }
}

/// Tries the addresses one after another.
async fn connect(peer: &str, addresses: &[SocketAddr]) -> Result<TcpStream> {
    let mut failures = Vec::new();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Only latency is lost without it.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => failures.push((address, error)),
        }
    }
    let Some((_, last)) = failures.last() else {
        return Err(Error::event(Phase::Tcp, Code::NameNotFound, format!("{peer} has no address.")));
    };
    let tried: Vec<String> = failures.iter().map(|(address, _)| address.to_string()).collect();
    let what = match tried.as_slice() {
        [one] if one == peer => format!("Can't connect to {peer}"),
        tried => format!("Can't connect to {peer} (tried {})", tried.join(", ")),
    };
    Err(Error::io(Phase::Tcp, what, last))
}
