//! The server beside a bare tokio-tungstenite one and one on libwebsockets, with the same clients, in one run.
//!
//! ```text
//! cargo bench --bench server                      all measures
//! cargo bench --bench server -- rtt idle          some of them
//! cargo bench --bench server -- --quick           shorter and rougher
//! ```
//!
//! Each server runs in a process of its own, where its CPU time and memory are read. libwebsockets takes part where its
//! headers and a C compiler are (Debian: libwebsockets-dev). The servers take turns; what is printed are medians.

mod bare;
mod load;
#[path = "../client/meter.rs"]
#[allow(dead_code)]
mod meter;
#[path = "../client/os.rs"]
#[allow(dead_code)]
mod os;
mod ours;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long idle connections are left alone before they are weighed: threads that are spare have gone by then.
const SETTLE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Ours,
    Bare,
    Lws,
}

/// What ours may have of another's.
enum Target {
    None,
    /// Of the bare server's.
    OfBare(f64),
    /// Of the bare server's and of libwebsockets'.
    OfBareAndLws(f64, f64),
    AtMost(f64),
    AtLeast(f64),
}

struct Row {
    text: &'static str,
    figure: &'static str,
    target: Target,
}

struct Measure {
    name: &'static str,
    /// Server and clients share a core: no wake-up crosses cores, which repeats best.
    same_core: bool,
    count: usize,
    quick_count: usize,
    rounds: u32,
    run: fn(port: u16, server: u32, count: usize) -> Vec<(&'static str, f64)>,
    rows: &'static [Row],
}

const MEASURES: &[Measure] = &[
    Measure {
        name: "rtt",
        same_core: true,
        count: 100_000,
        quick_count: 20_000,
        rounds: 7,
        run: |port, server, count| load::round_trips(port, server, 32, count),
        rows: &[
            Row {
                text: "32 B round trip, same core: p50, us",
                figure: "p50_us",
                target: Target::OfBare(1.15),
            },
            Row { text: "  p99, us", figure: "p99_us", target: Target::None },
            Row { text: "  server CPU per message, us", figure: "cpu_us", target: Target::None },
        ],
    },
    Measure {
        name: "pipeline",
        same_core: true,
        count: 1_000_000,
        quick_count: 200_000,
        rounds: 7,
        run: |port, server, count| load::pipeline(port, server, 128, 256, count),
        rows: &[
            Row {
                text: "128 B pipelined, 256 under way, same core: server CPU per message, ns",
                figure: "cpu_ns",
                target: Target::OfBareAndLws(1.6, 0.2),
            },
            Row { text: "  messages per second", figure: "per_second", target: Target::None },
        ],
    },
    Measure {
        name: "visits",
        same_core: false,
        count: 2_000,
        quick_count: 500,
        rounds: 3,
        run: |port, server, count| load::visits(port, server, 32, count),
        rows: &[
            Row {
                text: "clients that come, echo and go, any core: per second",
                figure: "per_second",
                target: Target::AtLeast(200.0),
            },
            Row { text: "  refused", figure: "refused", target: Target::AtMost(0.0) },
            Row { text: "  server CPU each, us", figure: "cpu_us", target: Target::None },
        ],
    },
    Measure {
        name: "idle",
        same_core: false,
        count: 1_000,
        quick_count: 1_000,
        rounds: 3,
        run: |port, server, count| load::idle(port, server, 128, count),
        rows: &[
            Row {
                text: "idle connection, 100 to 1,000: private memory, KiB",
                figure: "private_kib",
                target: Target::AtMost(24.0),
            },
            Row { text: "  descriptors each", figure: "descriptors", target: Target::AtMost(1.0) },
            Row { text: "  threads each", figure: "threads", target: Target::AtMost(0.0) },
        ],
    },
];

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    os::raise_descriptor_limit();
    match arguments.first().map(String::as_str) {
        Some("--ours") => ours::serve(),
        Some("--bare") => bare::serve(),
        _ => {
            let quick = arguments.iter().any(|argument| argument == "--quick");
            // cargo passes --bench.
            arguments.retain(|argument| !argument.starts_with("--"));
            compare(&arguments, quick);
        }
    }
}

/// A server's last call: it ends the process when stdin ends.
fn end_with_stdin() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    std::process::exit(0);
}

fn compare(names: &[String], quick: bool) {
    let lws = build_lws();
    if lws.is_none() {
        println!("libwebsockets: not measured; there is no compiler or no libwebsockets-dev");
    }
    println!("{:<72} {:>9} {:>9} {:>9}  target", "", "ours", "bare", "lws");
    for measure in
        MEASURES.iter().filter(|measure| names.is_empty() || names.iter().any(|n| n == measure.name))
    {
        let mut figures: HashMap<(Side, &str), Vec<f64>> = HashMap::new();
        let (rounds, count) = match quick {
            true => (measure.rounds.min(3), measure.quick_count),
            false => (measure.rounds, measure.count),
        };
        for _ in 0..rounds {
            for side in [Side::Ours, Side::Bare, Side::Lws] {
                let Some(server) = start(side, lws.as_ref()) else { continue };
                for (name, value) in run_round(measure, server, count) {
                    figures.entry((side, name)).or_default().push(value);
                }
            }
        }
        for row in measure.rows {
            let of = |side| {
                let mut values = figures.get(&(side, row.figure))?.clone();
                Some(meter::quantile(&mut values, 0.5))
            };
            print(row, of(Side::Ours).expect("ours is always measured"), of(Side::Bare), of(Side::Lws));
        }
    }
}

fn start(side: Side, lws: Option<&PathBuf>) -> Option<Child> {
    let this = std::env::current_exe().expect("this program");
    let mut command = match side {
        Side::Ours => Command::new(this),
        Side::Bare => Command::new(this),
        Side::Lws => Command::new(lws?),
    };
    match side {
        Side::Ours => command.arg("--ours"),
        Side::Bare => command.arg("--bare"),
        Side::Lws => &mut command,
    };
    let cores = os::cores();
    let last = cores[cores.len() - 1];
    // The server inherits the cores, before its first thread starts.
    os::pin(0, &[last]);
    let server = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a server");
    os::pin(0, &cores);
    Some(server)
}

fn run_round(measure: &Measure, mut server: Child, count: usize) -> Vec<(&'static str, f64)> {
    let cores = os::cores();
    let mut port = String::new();
    BufReader::new(server.stdout.take().expect("piped")).read_line(&mut port).expect("the port");
    if measure.same_core {
        os::pin(0, &cores[cores.len() - 1..]);
    }
    let figures = (measure.run)(port.trim().parse().expect("a port"), server.id(), count);
    os::pin(0, &cores);
    drop(server.stdin.take());
    let _ = server.wait();
    figures
}

/// The server on libwebsockets, if it can be built here.
fn build_lws() -> Option<PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/server/lws_echo.c");
    let program = std::env::current_exe().ok()?.with_file_name("lws_echo");
    let built = Command::new("cc")
        .args(["-O2", "-o"])
        .args([program.as_os_str(), source.as_ref(), "-lwebsockets".as_ref()])
        .stderr(Stdio::null())
        .status();
    built.is_ok_and(|status| status.success()).then_some(program)
}

fn print(row: &Row, ours: f64, bare: Option<f64>, lws: Option<f64>) {
    let show = |value: Option<f64>| match value {
        None => "-".to_owned(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    };
    let ratio = |other: Option<f64>| other.map_or(f64::NAN, |other| ours / other);
    let (target, met) = match row.target {
        Target::None => (String::new(), None),
        Target::OfBare(most) => (format!("{:.2} of bare, <= {most}", ratio(bare)), Some(ratio(bare) <= most)),
        Target::OfBareAndLws(most, of_lws) => (
            format!("{:.2} of bare, <= {most}; {:.2} of lws, <= {of_lws}", ratio(bare), ratio(lws)),
            Some(ratio(bare) <= most && lws.is_none_or(|lws| ours / lws <= of_lws)),
        ),
        Target::AtMost(most) => (format!("<= {most}"), Some(ours <= most)),
        Target::AtLeast(least) => (format!(">= {least}"), Some(ours >= least)),
    };
    let verdict = match met {
        None => "",
        Some(true) => ": ok",
        Some(false) => ": MISS",
    };
    let line = format!(
        "{:<72} {:>9} {:>9} {:>9}  {target}{verdict}",
        row.text,
        show(Some(ours)),
        show(bare),
        show(lws)
    );
    println!("{}", line.trim_end());
}
