//! The client beside a bare tokio-tungstenite client, against the same peer, in one run.
//!
//! ```text
//! cargo bench --bench client                      all measures
//! cargo bench --bench client -- rtt idle          some of them
//! cargo bench --bench client -- --quick           shorter and rougher
//! ```
//!
//! Each round of each side runs in a process of its own, and so does the peer: nobody's CPU time, memory or threads
//! count for another. The sides take turns; what is printed are medians over the rounds.

mod bare;
mod meter;
mod os;
mod ours;
mod peer;
mod tls;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long idle clients are left alone before they are weighed: threads that are spare have gone by then.
const SETTLE: Duration = Duration::from_secs(2);
/// How long one round may take.
const ROUND_LIMIT: Duration = Duration::from_secs(120);

/// What one round of one side has to do.
pub struct Task {
    /// One of the names that `run` of either side knows.
    measure: String,
    url: String,
    /// Messages, or clients.
    count: u64,
    /// Of a message, in bytes.
    size: usize,
    /// Messages under way at once, or clients that block.
    window: u64,
    /// The peer's certificate; `None`: no TLS.
    certificate: Option<PathBuf>,
}

/// Which cores client and peer get.
#[derive(Clone, Copy)]
enum Cores {
    /// Both the same one: no wake-up crosses cores, which repeats best.
    Same,
    /// One each.
    Split,
    /// All.
    Any,
}

#[derive(Clone, Copy)]
enum Target {
    None,
    RatioAtMost(f64),
    RatioAtLeast(f64),
    AtMost(f64),
}

#[derive(Clone, Copy)]
struct Row {
    text: &'static str,
    figure: &'static str,
    target: Target,
}

const fn row(text: &'static str, figure: &'static str, target: Target) -> Row {
    Row { text, figure, target }
}

struct Measure {
    /// What the command line calls it.
    name: &'static str,
    /// What the sides call it.
    task: &'static str,
    path: &'static str,
    cores: Cores,
    count: u64,
    quick_count: u64,
    size: usize,
    window: u64,
    rounds: u32,
    has_bare: bool,
    tls: bool,
    rows: &'static [Row],
}

const ROUNDS: u32 = 7;
const SLOW_ROUNDS: u32 = 3;

const ROUND_TRIP: Measure = Measure {
    name: "rtt",
    task: "rtt",
    path: "echo",
    cores: Cores::Same,
    count: 100_000,
    quick_count: 20_000,
    size: 32,
    window: 1,
    rounds: ROUNDS,
    has_bare: true,
    tls: false,
    rows: &[
        row("32 B round trip, in callback, same core: p50, us", "p50_us", Target::RatioAtMost(1.15)),
        row("  p99, us", "p99_us", Target::None),
        row("  CPU per message, us", "cpu_us", Target::None),
    ],
};

const PIPELINE: Measure = Measure {
    name: "pipeline",
    task: "pipeline",
    count: 1_000_000,
    quick_count: 200_000,
    size: 128,
    window: 256,
    rows: &[
        row(
            "128 B pipelined, 256 under way, same core: CPU per message, ns",
            "cpu_ns",
            Target::RatioAtMost(1.6),
        ),
        row("  messages per second", "per_second", Target::None),
    ],
    ..ROUND_TRIP
};

const STREAM: Measure = Measure {
    name: "stream",
    task: "stream",
    path: "whole/1048576",
    count: 1_000,
    quick_count: 200,
    size: 1 << 20,
    window: 4,
    rows: &[
        row("1 MiB echoed, 4 under way, same core: MB/s", "mb_per_second", Target::RatioAtLeast(0.8)),
        row("  CPU per message, us", "cpu_us", Target::None),
    ],
    ..ROUND_TRIP
};

const ISOLATION: Measure = Measure {
    name: "isolation",
    task: "isolation",
    count: 10_000,
    quick_count: 1_000,
    window: 32,
    rounds: SLOW_ROUNDS,
    has_bare: false,
    rows: &[
        row(
            "32 handles block after 10,000 quick callbacks; another's p50 before, us",
            "p50_before_us",
            Target::None,
        ),
        row("  p50 after, us", "p50_after_us", Target::None),
        row("  p99 before, us", "p99_before_us", Target::None),
        row("  p99 after, us", "p99_after_us", Target::None),
        row("  p50 after / before", "after_before", Target::AtMost(1.2)),
        row("  longest silence, ms", "silence_ms", Target::None),
        row("  connect to open of a new client, us", "late_open_us", Target::None),
        row("  callbacks that block", "waiting", Target::None),
        row("  threads meanwhile", "threads_blocked", Target::None),
        row("  result of nsws_shutdown after release", "shutdown", Target::AtMost(0.0)),
        row("  ms it took", "shutdown_ms", Target::None),
        row("  threads left", "threads_left", Target::AtMost(0.0)),
    ],
    ..ROUND_TRIP
};

const MEASURES: &[Measure] = &[
    ROUND_TRIP,
    Measure {
        name: "app",
        task: "app",
        rows: &[
            row("32 B round trip, from an application thread, same core: p50, us", "p50_us", Target::None),
            row("  p99, us", "p99_us", Target::None),
            row("  longest, ms", "longest_ms", Target::None),
            row("  CPU per message, us", "cpu_us", Target::None),
        ],
        ..ROUND_TRIP
    },
    PIPELINE,
    Measure {
        name: "pipeline-split",
        cores: Cores::Split,
        rows: &[
            row("128 B pipelined, a core each: CPU per message, ns", "cpu_ns", Target::None),
            row("  messages per second", "per_second", Target::None),
        ],
        ..PIPELINE
    },
    Measure {
        name: "burst",
        task: "burst",
        path: "sink",
        cores: Cores::Any,
        rows: &[
            row(
                "128 B burst from an application thread, any core: messages per second",
                "per_second",
                Target::None,
            ),
            row("  a send call, ns", "send_ns", Target::None),
            row("  CPU per message, ns", "cpu_ns", Target::None),
            row("  times the queue was full", "queue_full", Target::None),
        ],
        ..PIPELINE
    },
    STREAM,
    Measure {
        name: "stream-split",
        cores: Cores::Split,
        rows: &[row("1 MiB echoed, a core each: MB/s", "mb_per_second", Target::RatioAtLeast(0.8))],
        ..STREAM
    },
    Measure {
        name: "connect",
        task: "connect",
        cores: Cores::Any,
        count: 200,
        quick_count: 100,
        rows: &[
            row("connect() call, any core: p50, us", "call_p50_us", Target::AtMost(100.0)),
            row("  p99, us", "call_p99_us", Target::AtMost(100.0)),
            row("  connect to open: p50, us", "open_p50_us", Target::None),
            row("  p99, us", "open_p99_us", Target::None),
        ],
        ..ROUND_TRIP
    },
    Measure {
        name: "idle",
        task: "idle",
        cores: Cores::Any,
        count: 1_000,
        quick_count: 1_000,
        size: 128,
        rounds: SLOW_ROUNDS,
        rows: &[
            row("idle client, 100 to 1,000: private memory, KiB", "private_kib", Target::AtMost(24.0)),
            row("  descriptors each", "descriptors", Target::AtMost(1.0)),
            row("  threads each", "threads", Target::AtMost(0.0)),
            row("  threads in all", "threads_in_all", Target::None),
        ],
        ..ROUND_TRIP
    },
    Measure {
        name: "tls-rtt",
        tls: true,
        rows: &[
            row(
                "32 B round trip over TLS, in callback, same core: p50, us",
                "p50_us",
                Target::RatioAtMost(1.15),
            ),
            ROUND_TRIP.rows[1],
            ROUND_TRIP.rows[2],
        ],
        ..ROUND_TRIP
    },
    Measure {
        name: "tls-connect",
        task: "connect",
        tls: true,
        cores: Cores::Any,
        count: 200,
        quick_count: 100,
        rows: &[
            row(
                "connect to open over TLS, sessions resumed, any core: p50, us",
                "open_p50_us",
                Target::RatioAtMost(1.2),
            ),
            row("  p99, us", "open_p99_us", Target::None),
            row("  connect() call: p50, us", "call_p50_us", Target::AtMost(100.0)),
        ],
        ..ROUND_TRIP
    },
    Measure {
        name: "tls-idle",
        task: "idle",
        tls: true,
        cores: Cores::Any,
        count: 1_000,
        quick_count: 1_000,
        size: 128,
        rounds: SLOW_ROUNDS,
        rows: &[row(
            "idle client over TLS, 100 to 1,000: private memory, KiB",
            "private_kib",
            Target::AtMost(40.0),
        )],
        ..ROUND_TRIP
    },
    ISOLATION,
    Measure {
        name: "isolation-200",
        count: 100,
        quick_count: 100,
        window: 200,
        rows: &[
            row(
                "200 handles block after 100 quick callbacks; another's p50 before, us",
                "p50_before_us",
                Target::None,
            ),
            ISOLATION.rows[1],
            ISOLATION.rows[2],
            ISOLATION.rows[3],
            ISOLATION.rows[4],
            ISOLATION.rows[5],
            ISOLATION.rows[6],
            ISOLATION.rows[7],
            ISOLATION.rows[8],
            ISOLATION.rows[9],
            ISOLATION.rows[10],
            ISOLATION.rows[11],
        ],
        ..ISOLATION
    },
];

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--peer") => peer::serve(arguments.get(1).map(Path::new)).expect("the peer"),
        Some(side @ ("--ours" | "--bare")) => {
            let cores: Vec<usize> =
                arguments[6].split(',').map(|core| core.parse().expect("a core")).collect();
            // Before the first thread of a library starts.
            os::pin(0, &cores);
            os::raise_descriptor_limit();
            let task = Task {
                measure: arguments[1].clone(),
                url: arguments[2].clone(),
                count: arguments[3].parse().expect("a number"),
                size: arguments[4].parse().expect("a number"),
                window: arguments[5].parse().expect("a number"),
                certificate: arguments.get(7).map(PathBuf::from),
            };
            match side {
                "--ours" => ours::run(&task),
                _ => bare::run(&task),
            }
        }
        _ => {
            let quick = arguments.iter().any(|argument| argument == "--quick");
            // cargo passes --bench.
            arguments.retain(|argument| !argument.starts_with("--"));
            if !compare(&arguments, quick) {
                std::process::exit(1);
            }
        }
    }
}

/// Runs the measures of these names, all when there are none; whether every round ended well.
fn compare(names: &[String], quick: bool) -> bool {
    if let Some(name) = names.iter().find(|&name| MEASURES.iter().all(|measure| measure.name != name)) {
        let known: Vec<_> = MEASURES.iter().map(|measure| measure.name).collect();
        eprintln!("no measure is called {name}; there are: {}", known.join(" "));
        return false;
    }
    let mut all_well = true;
    let certificate = tls::Certificate::new();
    println!("{:<76} {:>10} {:>10} {:>6}  target", "", "ours", "bare", "ratio");
    for measure in MEASURES {
        if !names.is_empty() && !names.iter().any(|name| name == measure.name) {
            continue;
        }
        let (mut ours, mut bare) = (Figures::default(), Figures::default());
        let rounds = if quick { measure.rounds.min(3) } else { measure.rounds };
        for round in 0..rounds {
            let mut sides = vec![("--ours", &mut ours)];
            if measure.has_bare {
                sides.push(("--bare", &mut bare));
            }
            if round % 2 == 1 {
                sides.reverse();
            }
            for (side, figures) in sides {
                if let Err(why) = run_round(measure, side, quick, &certificate, figures) {
                    println!("{} {side}: {why}", measure.name);
                    all_well = false;
                }
            }
        }
        for row in measure.rows {
            print(row, ours.median(row.figure), bare.median(row.figure));
        }
    }
    all_well
}

/// The figures of one side, by name, one a round.
#[derive(Default)]
struct Figures(HashMap<String, Vec<f64>>);

impl Figures {
    fn median(&self, name: &str) -> Option<f64> {
        self.0.get(name).map(|values| meter::quantile(&mut values.clone(), 0.5))
    }
}

fn run_round(
    measure: &Measure,
    side: &str,
    quick: bool,
    certificate: &tls::Certificate,
    figures: &mut Figures,
) -> Result<(), String> {
    let all = os::cores();
    let last = all[all.len() - 1];
    let (client_cores, peer_cores) = match measure.cores {
        Cores::Same => (vec![last], vec![last]),
        Cores::Split => (vec![last], vec![all[0]]),
        Cores::Any => (all.clone(), all),
    };
    let certificate = measure.tls.then(|| certificate.path().display().to_string());
    let mut peer = start(["--peer"].into_iter().chain(certificate.as_deref()));
    os::pin(peer.id(), &peer_cores);
    let mut port = String::new();
    BufReader::new(peer.stdout.take().expect("piped")).read_line(&mut port).expect("the peer's port");
    let scheme = if measure.tls { "wss" } else { "ws" };
    let url = format!("{scheme}://127.0.0.1:{}/{}", port.trim(), measure.path);
    let count = if quick { measure.quick_count } else { measure.count };
    let cores: Vec<String> = client_cores.iter().map(usize::to_string).collect();
    let numbers = [count.to_string(), measure.size.to_string(), measure.window.to_string(), cores.join(",")];
    let task = [side, measure.task, &url].into_iter().chain(numbers.iter().map(String::as_str));
    let client = start(task.chain(certificate.as_deref()));
    let result = wait(client);
    // The peer ends when its stdin does.
    drop(peer.stdin.take());
    let _ = peer.wait();
    let (output, result) = result;
    for line in output.lines() {
        if let Some((name, Ok(value))) = line.split_once(' ').map(|(name, value)| (name, value.parse())) {
            figures.0.entry(name.to_owned()).or_default().push(value);
        }
    }
    result
}

/// Starts this program in another role.
fn start<'a>(arguments: impl Iterator<Item = &'a str>) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process")
}

/// What a side printed, and whether it ended well and in time.
fn wait(mut client: Child) -> (String, Result<(), String>) {
    let start = Instant::now();
    let result = loop {
        match client.try_wait().expect("a child") {
            Some(status) if status.success() => break Ok(()),
            Some(status) => break Err(status.to_string()),
            None if start.elapsed() > ROUND_LIMIT => {
                let _ = client.kill();
                let _ = client.wait();
                break Err(format!("not done after {} s", ROUND_LIMIT.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let mut output = String::new();
    let _ = client.stdout.take().expect("piped").read_to_string(&mut output);
    (output, result)
}

fn print(row: &Row, ours: Option<f64>, bare: Option<f64>) {
    let show = |value: Option<f64>| match value {
        None => "-".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    };
    let ratio = ours.zip(bare).map(|(ours, bare)| ours / bare).filter(|ratio| ratio.is_finite());
    let (target, met) = match row.target {
        Target::None => (String::new(), None),
        Target::RatioAtMost(most) => (format!("ratio <= {most}"), ratio.map(|ratio| ratio <= most)),
        Target::RatioAtLeast(least) => (format!("ratio >= {least}"), ratio.map(|ratio| ratio >= least)),
        Target::AtMost(most) => (format!("<= {most}"), ours.map(|ours| ours <= most)),
    };
    let verdict = match (target.as_str(), met) {
        ("", _) => "",
        (_, Some(true)) => ": ok",
        (_, Some(false)) => ": MISS",
        (_, None) => ": no figure",
    };
    let line = format!(
        "{:<76} {:>10} {:>10} {:>6}  {target}{verdict}",
        row.text,
        show(ours),
        show(bare),
        show(ratio)
    );
    println!("{}", line.trim_end());
}
