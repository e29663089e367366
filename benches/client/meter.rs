//! What one side measures of itself. A figure is a line on stdout: a name and a number.

use std::time::{Duration, Instant};

use crate::os::cpu_time;

pub fn report(name: &str, value: f64) {
    println!("{name} {value}");
}

pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The value below which this part of the values lies.
pub fn quantile(values: &mut [f64], part: f64) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    values.sort_unstable_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part).round() as usize]
}

/// Counts messages, after a warm-up that counts for nothing.
pub struct Meter {
    warm_up: u64,
    total: u64,
    seen: u64,
    start: Instant,
    start_cpu: Duration,
    /// Of each message when round trips are measured.
    last: Instant,
    round_trips: Option<Vec<u32>>,
    end: Duration,
    end_cpu: Duration,
}

impl Meter {
    /// For throughput.
    pub fn new(count: u64) -> Meter {
        let now = Instant::now();
        let warm_up = count / 20;
        Meter {
            warm_up,
            total: warm_up + count,
            seen: 0,
            start: now,
            start_cpu: Duration::ZERO,
            last: now,
            round_trips: None,
            end: Duration::ZERO,
            end_cpu: Duration::ZERO,
        }
    }

    /// For round trips: each `saw` is the end of one and the start of the next.
    pub fn of_round_trips(count: u64) -> Meter {
        Meter { round_trips: Some(Vec::with_capacity(count as usize)), ..Meter::new(count) }
    }

    /// How many messages there are, the warm-up with them.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// A message has come; whether it was the last.
    pub fn saw(&mut self) -> bool {
        self.seen += 1;
        if let Some(round_trips) = &mut self.round_trips {
            let now = Instant::now();
            if self.seen > self.warm_up {
                round_trips.push((now - self.last).as_nanos().min(u32::MAX as u128) as u32);
            }
            self.last = now;
        }
        if self.seen == self.warm_up {
            self.start = Instant::now();
            self.start_cpu = cpu_time();
        }
        if self.seen == self.total {
            self.end = self.start.elapsed();
            self.end_cpu = cpu_time() - self.start_cpu;
        }
        self.seen == self.total
    }

    /// `size`: of a message.
    pub fn report(self, size: usize) {
        let count = (self.total - self.warm_up) as f64;
        let seconds = self.end.as_secs_f64();
        report("per_second", count / seconds);
        report("mb_per_second", count * size as f64 / 1e6 / seconds);
        report("cpu_ns", self.end_cpu.as_nanos() as f64 / count);
        report("cpu_us", micros(self.end_cpu) / count);
        if let Some(round_trips) = self.round_trips {
            let mut values: Vec<f64> = round_trips.into_iter().map(|ns| ns as f64 / 1e3).collect();
            report("p50_us", quantile(&mut values, 0.5));
            report("p99_us", quantile(&mut values, 0.99));
            report("longest_ms", quantile(&mut values, 1.0) / 1e3);
        }
    }
}

/// What a burst cost the thread that sent it.
pub fn report_burst(count: u64, calls: Duration, whole: Duration, cpu: Duration) {
    report("send_ns", calls.as_nanos() as f64 / count as f64);
    report("per_second", count as f64 / whole.as_secs_f64());
    report("cpu_ns", cpu.as_nanos() as f64 / count as f64);
}

/// `calls`: how long connect() took, of a side that has such a call.
pub fn report_connects(calls: &mut [f64], opens: &mut [f64]) {
    for (what, times) in [("call", calls), ("open", opens)] {
        if !times.is_empty() {
            report(&format!("{what}_p50_us"), quantile(times, 0.5));
            report(&format!("{what}_p99_us"), quantile(times, 0.99));
        }
    }
}

/// Between few clients and many: what each adds.
pub fn report_slope(few: crate::os::Holdings, many: crate::os::Holdings, clients: usize) {
    let clients = clients as f64;
    report("private_kib", (many.private_kib - few.private_kib) / clients);
    report("descriptors", (many.descriptors - few.descriptors) / clients);
    report("threads", (many.threads - few.threads) / clients);
    report("threads_in_all", many.threads);
}
