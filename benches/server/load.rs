//! The client of every server: as cheap as it can be, and what it asks for is measured at the server's process.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::meter::quantile;
use crate::os::Holdings;

const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

/// One open connection that sends messages of one size.
pub struct Link {
    stream: TcpStream,
    /// As many frames as may be sent at once.
    frames: Vec<u8>,
    sent_size: usize,
    received_size: usize,
    /// Bytes of an answer that is not complete.
    partial: usize,
    buffer: Vec<u8>,
}

impl Link {
    /// Connects; `window`: messages under way at once.
    pub fn open(port: u16, size: usize, window: usize) -> Result<Link, String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
        stream.set_nodelay(true).expect("TCP_NODELAY");
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).map_err(|error| error.to_string())?;
            answer.push(byte[0]);
        }
        if !answer.starts_with(b"HTTP/1.1 101 ") {
            return Err(String::from_utf8_lossy(&answer).into_owned());
        }
        let mut frame = Vec::new();
        let length = match size {
            0..126 => vec![size as u8],
            126..0x1_0000 => [&[126][..], &(size as u16).to_be_bytes()].concat(),
            _ => [&[127][..], &(size as u64).to_be_bytes()].concat(),
        };
        frame.push(0x82);
        frame.push(length[0] | 0x80);
        frame.extend_from_slice(&length[1..]);
        frame.extend_from_slice(&MASK);
        frame.extend((0..size).map(|index| b'x' ^ MASK[index % 4]));
        Ok(Link {
            stream,
            sent_size: frame.len(),
            received_size: frame.len() - MASK.len(),
            frames: frame.repeat(window),
            partial: 0,
            buffer: vec![0; 256 << 10],
        })
    }

    pub fn send(&mut self, count: usize) {
        self.stream.write_all(&self.frames[..count * self.sent_size]).expect("send");
    }

    /// Waits for answers; how many have become complete.
    pub fn receive(&mut self) -> usize {
        loop {
            match self.stream.read(&mut self.buffer) {
                Ok(0) => panic!("the server hung up"),
                Ok(count) => self.partial += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => panic!("receive: {error}"),
            }
            let complete = self.partial / self.received_size;
            self.partial %= self.received_size;
            if complete > 0 {
                return complete;
            }
        }
    }

    pub fn round_trip(&mut self) {
        self.send(1);
        assert_eq!(self.receive(), 1);
    }

    /// Closes the connection as RFC 6455 asks.
    pub fn close(mut self) {
        self.stream.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]).expect("close");
        while self.stream.read(&mut self.buffer).is_ok_and(|count| count > 0) {}
    }
}

/// The CPU time of a process, all threads that live.
pub fn cpu_time(process: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("its threads");
    let of = |path: std::path::PathBuf| -> Option<u64> {
        std::fs::read_to_string(path.join("schedstat")).ok()?.split(' ').next()?.parse().ok()
    };
    Duration::from_nanos(tasks.flatten().filter_map(|task| of(task.path())).sum())
}

/// What a process holds.
pub fn holdings(process: u32) -> Holdings {
    let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).expect("smaps_rollup");
    let private = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:")).expect("Private_Dirty");
    let count = |what| std::fs::read_dir(format!("/proc/{process}/{what}")).expect(what).count() as f64;
    Holdings {
        private_kib: private.trim().trim_end_matches(" kB").parse().expect("kB"),
        descriptors: count("fd"),
        threads: count("task"),
    }
}

/// Messages under way all the time: what each costs the server, and how many there are in a second.
pub fn pipeline(
    port: u16,
    server: u32,
    size: usize,
    window: usize,
    count: usize,
) -> Vec<(&'static str, f64)> {
    let mut link = Link::open(port, size, window).expect("open");
    let mut flow = |count: usize| {
        let (mut sent, mut received) = (window.min(count), 0);
        link.send(sent);
        while received < count {
            let complete = link.receive();
            received += complete;
            let more = complete.min(count - sent);
            link.send(more);
            sent += more;
        }
    };
    flow(count / 20);
    let (start, start_cpu) = (Instant::now(), cpu_time(server));
    flow(count);
    let (wall, cpu) = (start.elapsed(), cpu_time(server) - start_cpu);
    vec![("cpu_ns", cpu.as_nanos() as f64 / count as f64), ("per_second", count as f64 / wall.as_secs_f64())]
}

/// One message after another.
pub fn round_trips(port: u16, server: u32, size: usize, count: usize) -> Vec<(&'static str, f64)> {
    let mut link = Link::open(port, size, 1).expect("open");
    (0..count / 20).for_each(|_| link.round_trip());
    let start_cpu = cpu_time(server);
    let mut times: Vec<f64> = (0..count)
        .map(|_| {
            let start = Instant::now();
            link.round_trip();
            start.elapsed().as_nanos() as f64 / 1e3
        })
        .collect();
    let cpu = cpu_time(server) - start_cpu;
    vec![
        ("p50_us", quantile(&mut times, 0.5)),
        ("p99_us", quantile(&mut times, 0.99)),
        ("cpu_us", cpu.as_nanos() as f64 / 1e3 / count as f64),
    ]
}

/// What each of many connections that rest after some messages costs the server.
pub fn idle(port: u16, server: u32, size: usize, count: usize) -> Vec<(&'static str, f64)> {
    let mut links = Vec::with_capacity(count);
    let mut few = None;
    for number in 1..=count {
        let mut link = Link::open(port, size, 1).expect("open");
        (0..10).for_each(|_| link.round_trip());
        link.buffer = Vec::new();
        links.push(link);
        if number == count / 10 {
            std::thread::sleep(crate::SETTLE);
            few = Some(holdings(server));
        }
    }
    std::thread::sleep(crate::SETTLE);
    let (few, many) = (few.expect("at least 10 clients"), holdings(server));
    let clients = (count - count / 10) as f64;
    vec![
        ("private_kib", (many.private_kib - few.private_kib) / clients),
        ("descriptors", (many.descriptors - few.descriptors) / clients),
        ("threads", (many.threads - few.threads) / clients),
    ]
}

/// Clients that come, say something and go, one after another.
pub fn visits(port: u16, server: u32, size: usize, count: usize) -> Vec<(&'static str, f64)> {
    let (start, start_cpu) = (Instant::now(), cpu_time(server));
    let mut refused = 0;
    for _ in 0..count {
        match Link::open(port, size, 1) {
            Ok(mut link) => {
                link.round_trip();
                link.close();
            }
            Err(_) => refused += 1,
        }
    }
    let (wall, cpu) = (start.elapsed(), cpu_time(server) - start_cpu);
    vec![
        ("per_second", count as f64 / wall.as_secs_f64()),
        ("refused", f64::from(refused)),
        ("cpu_us", cpu.as_nanos() as f64 / 1e3 / count as f64),
    ]
}
