//! The library's client, through its C ABI.

use std::ffi::{c_char, c_void, CStr, CString};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{mpsc, Arc, Condvar, Mutex};
use std::thread::Thread;
use std::time::{Duration, Instant};

use netstack_websocket::ffi::*;

use crate::meter::{micros, quantile, report, report_burst, report_connects, report_slope, Meter};
use crate::os::{cpu_time, holdings};
use crate::Task;

/// How long anything may take that takes microseconds.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy)]
struct Client(nsws_client);

fn check(code: i32) {
    if code != NSWS_OK {
        // SAFETY: the string lives until the next call on this thread that fails.
        let sentence = unsafe { CStr::from_ptr(nsws_last_error()) };
        panic!("{code}: {}", sentence.to_string_lossy());
    }
}

/// Frees the closure of a listener.
unsafe extern "C" fn free<F>(user_data: *mut c_void) {
    // SAFETY: it came from Box::into_raw, and this is called once.
    drop(unsafe { Box::from_raw(user_data.cast::<F>()) });
}

impl Client {
    fn new() -> Client {
        let mut client = nsws_client { id: 0 };
        // SAFETY: the output is writable.
        check(unsafe { nsws_client_create(&mut client) });
        let client = Client(client);
        client.on_error();
        client
    }

    fn on_open<F: FnMut(Client) + Send + 'static>(self, listener: F) {
        unsafe extern "C" fn call<F: FnMut(Client)>(
            client: nsws_client,
            _event: *const nsws_open_event,
            user_data: *mut c_void,
        ) {
            // SAFETY: it is the closure, and callbacks of a handle never run two at once.
            unsafe { (*user_data.cast::<F>())(Client(client)) }
        }
        let closure = Box::into_raw(Box::new(listener)).cast();
        // SAFETY: the functions fit the closure.
        check(unsafe { nsws_client_on_open(self.0, Some(call::<F>), closure, Some(free::<F>)) });
    }

    fn on_message<F: FnMut(Client, &[u8]) + Send + 'static>(self, listener: F) {
        unsafe extern "C" fn call<F: FnMut(Client, &[u8])>(
            client: nsws_client,
            event: *const nsws_message_event,
            user_data: *mut c_void,
        ) {
            // SAFETY: it is the closure, callbacks of a handle never run two at once, and the event's data lives
            // until this returns.
            unsafe {
                let data = std::slice::from_raw_parts((*event).data, (*event).length);
                (*user_data.cast::<F>())(Client(client), data)
            }
        }
        let closure = Box::into_raw(Box::new(listener)).cast();
        // SAFETY: the functions fit the closure.
        check(unsafe { nsws_client_on_message(self.0, Some(call::<F>), closure, Some(free::<F>)) });
    }

    fn on_drain<F: FnMut() + Send + 'static>(self, listener: F) {
        unsafe extern "C" fn call<F: FnMut()>(
            _client: nsws_client,
            _event: *const nsws_drain_event,
            user_data: *mut c_void,
        ) {
            // SAFETY: it is the closure, and callbacks of a handle never run two at once.
            unsafe { (*user_data.cast::<F>())() }
        }
        let closure = Box::into_raw(Box::new(listener)).cast();
        // SAFETY: the functions fit the closure.
        check(unsafe { nsws_client_on_drain(self.0, Some(call::<F>), closure, Some(free::<F>)) });
    }

    /// No measure expects an error.
    fn on_error(self) {
        unsafe extern "C" fn call(
            _client: nsws_client,
            event: *const nsws_error_event,
            _user_data: *mut c_void,
        ) {
            // SAFETY: the event lives until this returns.
            let (code, message) = unsafe { ((*event).code, CStr::from_ptr((*event).message)) };
            eprintln!("error event: {code}: {}", message.to_string_lossy());
            std::process::exit(1);
        }
        // SAFETY: the function needs no user data.
        check(unsafe { nsws_client_on_error(self.0, Some(call), std::ptr::null_mut(), None) });
    }

    fn connect(self, to: &Destination) {
        // SAFETY: the paths and the URL are NUL-terminated; the struct has its own size.
        check(unsafe {
            let mut options = std::mem::zeroed();
            check(nsws_connect_options_init(&mut options, size_of::<nsws_connect_options>()));
            options.ca_path = to.certificate.as_ref().map_or(std::ptr::null(), |path| path.as_ptr());
            nsws_client_connect(self.0, to.url.as_ptr(), &options)
        });
    }

    fn try_send(self, data: &[u8]) -> i32 {
        // SAFETY: pointer and length belong together.
        unsafe { nsws_client_send_binary(self.0, data.as_ptr().cast(), data.len()) }
    }

    fn send(self, data: &[u8]) {
        check(self.try_send(data));
    }

    fn send_text(self, text: &str) -> i32 {
        // SAFETY: pointer and length belong together.
        unsafe { nsws_client_send_text(self.0, text.as_ptr().cast::<c_char>(), text.len()) }
    }

    fn destroy(self) {
        check(nsws_client_destroy(self.0));
    }
}

/// Where to connect to, and the certificate to trust there.
struct Destination {
    url: CString,
    certificate: Option<CString>,
}

impl Destination {
    fn new(task: &Task) -> Destination {
        let c_text = |text: &str| CString::new(text).expect("no NUL");
        let path = task.certificate.as_ref().map(|path| path.to_str().expect("UTF-8"));
        Destination { url: c_text(&task.url), certificate: path.map(c_text) }
    }
}

pub fn run(task: &Task) {
    match task.measure.as_str() {
        "rtt" => echo(task, Meter::of_round_trips(task.count), 1),
        "pipeline" | "stream" => echo(task, Meter::new(task.count), task.window),
        "app" => app(task),
        "burst" => burst(task),
        "connect" => connects(task),
        "idle" => idle(task),
        "isolation" => isolation(task),
        other => panic!("no such measure: {other}"),
    }
}

/// Keeps `window` messages under way; each callback sends the next.
fn echo(task: &Task, meter: Meter, window: u64) {
    let (done, ended) = mpsc::channel();
    let payload = vec![b'x'; task.size];
    let client = Client::new();
    client.on_open({
        let payload = payload.clone();
        move |client| (0..window).for_each(|_| client.send(&payload))
    });
    let mut unsent = meter.total() - window;
    let mut meter = Some(meter);
    client.on_message(move |client, data| {
        assert_eq!(data.len(), payload.len());
        if unsent > 0 {
            unsent -= 1;
            client.send(&payload);
        }
        if meter.as_mut().is_some_and(Meter::saw) {
            done.send(meter.take()).expect("the measure waits");
        }
    });
    client.connect(&Destination::new(task));
    let meter = ended.recv().expect("the listener lives").expect("once");
    meter.report(task.size);
    client.destroy();
}

/// Round trips that the application's thread sends.
fn app(task: &Task) {
    let meter = Meter::of_round_trips(task.count);
    let total = meter.total();
    let meter = Arc::new(Mutex::new(meter));
    let arrived = Arc::new(AtomicBool::new(false));
    let wake = |thread: &Thread, arrived: &AtomicBool| {
        arrived.store(true, Ordering::Release);
        thread.unpark();
    };
    let client = Client::new();
    client.on_open({
        let (thread, arrived) = (std::thread::current(), arrived.clone());
        move |_| wake(&thread, &arrived)
    });
    client.on_message({
        let (thread, arrived, meter) = (std::thread::current(), arrived.clone(), meter.clone());
        move |_, _| {
            meter.lock().expect("no panic").saw();
            wake(&thread, &arrived);
        }
    });
    client.connect(&Destination::new(task));
    let payload = vec![b'x'; task.size];
    for number in 0..=total {
        while !arrived.swap(false, Ordering::Acquire) {
            std::thread::park();
        }
        if number < total {
            client.send(&payload);
        }
    }
    client.destroy();
    Arc::into_inner(meter)
        .expect("destroy has freed the listener")
        .into_inner()
        .expect("no panic")
        .report(task.size);
}

/// Messages that the application's thread sends as fast as it can; the peer answers only the last.
fn burst(task: &Task) {
    let (opened, open) = mpsc::channel();
    let (drained, drain) = mpsc::channel();
    let (done, ended) = mpsc::channel();
    let client = Client::new();
    client.on_open(move |_| opened.send(()).expect("the measure waits"));
    client.on_message(move |_, _| done.send(Instant::now()).expect("the measure waits"));
    client.on_drain(move || drained.send(()).expect("the measure waits"));
    client.connect(&Destination::new(task));
    open.recv_timeout(PATIENCE).expect("open");
    let payload = vec![b'x'; task.size];
    let mut waited = Duration::ZERO;
    let mut waits = 0;
    let mut send = |call: &dyn Fn() -> i32| loop {
        match call() {
            NSWS_ERR_QUEUE_FULL => {
                let full = Instant::now();
                drain.recv_timeout(PATIENCE).expect("drain");
                waited += full.elapsed();
                waits += 1;
            }
            code => return check(code),
        }
    };
    let start_cpu = cpu_time();
    let start = Instant::now();
    for _ in 0..task.count {
        send(&|| client.try_send(&payload));
    }
    let calls = start.elapsed();
    let before_last = Instant::now();
    send(&|| client.send_text("last"));
    let in_last = before_last.elapsed();
    let end = ended.recv_timeout(PATIENCE).expect("the last message");
    report_burst(task.count, (calls + in_last).saturating_sub(waited), end - start, cpu_time() - start_cpu);
    report("queue_full", waits as f64);
    client.destroy();
}

fn connects(task: &Task) {
    let to = Destination::new(task);
    let (mut calls, mut opens) = (Vec::new(), Vec::new());
    for _ in 0..task.count {
        let (opened, open) = mpsc::channel();
        let client = Client::new();
        client.on_open(move |_| opened.send(Instant::now()).expect("the measure waits"));
        let start = Instant::now();
        client.connect(&to);
        calls.push(micros(start.elapsed()));
        opens.push(micros(open.recv_timeout(PATIENCE).expect("open") - start));
        client.destroy();
        std::thread::sleep(Duration::from_millis(1));
    }
    report_connects(&mut calls, &mut opens);
}

fn idle(task: &Task) {
    let to = Destination::new(task);
    let mut clients = Vec::with_capacity(task.count as usize);
    let mut few = None;
    for number in 1..=task.count {
        let (done, ended) = mpsc::sync_channel(1);
        let payload = vec![b'x'; task.size];
        let client = Client::new();
        client.on_open({
            let payload = payload.clone();
            move |client| client.send(&payload)
        });
        let mut left = 10;
        client.on_message(move |client, _| {
            left -= 1;
            match left {
                0 => done.send(()).expect("the measure waits"),
                _ => client.send(&payload),
            }
        });
        client.connect(&to);
        ended.recv_timeout(PATIENCE).expect("10 messages");
        clients.push(client);
        if number == task.count / 10 {
            std::thread::sleep(crate::SETTLE);
            few = Some(holdings());
        }
    }
    std::thread::sleep(crate::SETTLE);
    report_slope(few.expect("at least 10 clients"), holdings(), (task.count - task.count / 10) as usize);
    clients.into_iter().for_each(Client::destroy);
}

/// What the callbacks that block wait for.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    waiting: AtomicU64,
}

impl Gate {
    fn wait(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open.lock().expect("no panic");
        while !*open {
            open = self.opened.wait(open).expect("no panic");
        }
    }

    fn open(&self) {
        *self.open.lock().expect("no panic") = true;
        self.opened.notify_all();
    }
}

/// One client makes round trips all the time. `window` others do the same for `count` messages each, rest, and
/// then block in their callbacks at the same moment.
fn isolation(task: &Task) {
    const PHASE: Duration = Duration::from_secs(1);
    let to = Destination::new(task);
    let arrivals = Arc::new(Mutex::new(Vec::<Instant>::with_capacity(4 << 20)));
    let probe = Client::new();
    let payload = vec![b'x'; task.size];
    probe.on_open({
        let payload = payload.clone();
        move |client| client.send(&payload)
    });
    probe.on_message({
        let (arrivals, payload) = (arrivals.clone(), payload.clone());
        move |client, _| {
            arrivals.lock().expect("no panic").push(Instant::now());
            // It is refused when the probe is being destroyed.
            client.try_send(&payload);
        }
    });
    probe.connect(&to);
    std::thread::sleep(PHASE / 2);
    let undisturbed = Instant::now();
    std::thread::sleep(PHASE);
    let others_start = Instant::now();

    let gate = Arc::new(Gate::default());
    let (done, ended) = mpsc::channel();
    let others: Vec<Client> = (0..task.window)
        .map(|_| {
            let client = Client::new();
            client.on_open({
                let payload = payload.clone();
                move |client| client.send(&payload)
            });
            let (gate, done, payload) = (gate.clone(), done.clone(), payload.clone());
            let mut left = task.count;
            client.on_message(move |client, _| {
                if left == 0 {
                    return gate.wait();
                }
                left -= 1;
                match left {
                    0 => done.send(()).expect("the measure waits"),
                    _ => client.send(&payload),
                }
            });
            client.connect(&to);
            client
        })
        .collect();
    for _ in &others {
        ended.recv_timeout(PATIENCE).expect("the quick callbacks");
    }
    std::thread::sleep(PHASE / 2);

    let blocked = Instant::now();
    others.iter().for_each(|client| client.send(&payload));
    std::thread::sleep(PHASE);
    let settled = Instant::now();
    std::thread::sleep(PHASE);
    let end = Instant::now();
    report("waiting", gate.waiting.load(Ordering::Relaxed) as f64);
    report("threads_blocked", holdings().threads);

    let (opened, open) = mpsc::channel();
    let late = Client::new();
    late.on_open(move |_| opened.send(Instant::now()).expect("the measure waits"));
    let start = Instant::now();
    late.connect(&to);
    report("late_open_us", open.recv_timeout(PATIENCE).map_or(f64::INFINITY, |open| micros(open - start)));

    {
        let arrivals = arrivals.lock().expect("no panic");
        let between = |from: Instant, to: Instant| {
            let first = arrivals.partition_point(|&at| at < from);
            let after = arrivals.partition_point(|&at| at < to);
            arrivals[first..after].windows(2).map(|pair| micros(pair[1] - pair[0])).collect::<Vec<f64>>()
        };
        let p50_of = |from, to| quantile(&mut between(from, to), 0.5);
        for (phase, from, to) in [("before", undisturbed, others_start), ("after", settled, end)] {
            let mut round_trips = between(from, to);
            for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
                report(&format!("{name}_{phase}_us"), quantile(&mut round_trips, part));
            }
        }
        report("after_before", p50_of(settled, end) / p50_of(undisturbed, others_start));
        // A silence may also begin before the moment, or have no end.
        let around = blocked - Duration::from_millis(10);
        let silence = between(around, settled).into_iter().fold(0.0, f64::max);
        let last = arrivals.partition_point(|&at| at < settled);
        let tail = micros(settled - arrivals[last - 1]);
        report("silence_ms", silence.max(tail) / 1e3);
    }

    gate.open();
    let start = Instant::now();
    report("shutdown", nsws_shutdown(5000) as f64);
    report("shutdown_ms", micros(start.elapsed()) / 1e3);
    // The kernel's list of threads may lag behind a join.
    std::thread::sleep(Duration::from_millis(20));
    report("threads_left", holdings().threads - 1.0);
    report("descriptors_left", holdings().descriptors);
}
