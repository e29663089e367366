//! What may block: name lookups, questions to the platform, and reading files. Each runs on a thread of its own.

use std::any::Any;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::timer::in_time;
use crate::platform;

/// Name lookups that may begin at once. Each gives its place to the next when it has an answer, when no attempt waits
/// for it any more, or when it takes long.
const LOOKUPS: usize = 8;
/// Threads of lookups, which can't be cancelled: those that have given up their place still run.
const LOOKUP_THREADS: usize = 32;
/// Threads of lookups of names that have taken long lately. The others never wait for these.
const SLOW_LOOKUPS: usize = 4;
/// Questions to the platform that may run at once; they can't be cancelled either.
const QUESTIONS: usize = 4;
/// Threads that read files, if the others are all taken.
const READERS: usize = 4;
const BLOCKING_THREADS: usize = LOOKUP_THREADS + SLOW_LOOKUPS + QUESTIONS + READERS;
/// How long a thread stays when it has nothing to do.
const SPARE_LIFE: Duration = Duration::from_secs(1);
/// A lookup that takes longer is slow, and so is its name for some time.
const PATIENCE: Duration = Duration::from_secs(1);
const SLOW_FOR: Duration = Duration::from_secs(60);
/// Names that are known as slow.
const MOST_SLOW: usize = 1024;
/// Names that need no network (hosts(5)).
const HOSTS: &str = "/etc/hosts";

/// The lookups, questions to the platform and readings of files that run.
pub(crate) struct Blocking {
    places: Arc<Semaphore>,
    threads: Arc<Semaphore>,
    slow_threads: Arc<Semaphore>,
    questions: Arc<Semaphore>,
    /// When each name was slow.
    slow: Mutex<HashMap<String, Instant>>,
    running: Mutex<usize>,
    ended: Condvar,
    pool: Mutex<Pool>,
}

/// The threads.
#[derive(Default)]
enum Pool {
    #[default]
    Unused,
    /// tokio's, which are all that is used of this runtime.
    Used(tokio::runtime::Runtime),
    Ended,
}

impl Pool {
    /// Begins with the first use.
    fn get(&mut self) -> io::Result<&tokio::runtime::Runtime> {
        if let Pool::Unused = self {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .max_blocking_threads(BLOCKING_THREADS)
                .thread_keep_alive(SPARE_LIFE)
                .thread_name("OS_NET_WSlookup")
                .thread_stack_size(512 << 10)
                .build()?;
            *self = Pool::Used(runtime);
        }
        match self {
            Pool::Used(runtime) => Ok(runtime),
            Pool::Unused | Pool::Ended => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        if let Pool::Used(runtime) = std::mem::take(self.pool.get_mut()) {
            // Dropping it would wait.
            runtime.shutdown_background();
        }
    }
}

/// What such a thread does, and its result.
type Work = Box<dyn FnOnce() -> Made + Send>;
type Made = Box<dyn Any + Send>;

/// One of them.
struct Running(Arc<Blocking>);

impl Default for Blocking {
    fn default() -> Self {
        Blocking {
            places: Arc::new(Semaphore::new(LOOKUPS)),
            threads: Arc::new(Semaphore::new(LOOKUP_THREADS)),
            slow_threads: Arc::new(Semaphore::new(SLOW_LOOKUPS)),
            questions: Arc::new(Semaphore::new(QUESTIONS)),
            slow: Mutex::default(),
            running: Mutex::default(),
            ended: Condvar::new(),
            pool: Mutex::default(),
        }
    }
}

impl Blocking {
    pub(super) fn count(&self) -> usize {
        *self.running.lock()
    }

    /// Waits for their end; whether all have.
    pub(super) fn wait(&self, deadline: Instant) -> bool {
        let mut running = self.running.lock();
        while *running > 0 {
            if self.ended.wait_until(&mut running, deadline).timed_out() {
                break;
            }
        }
        *running == 0
    }

    /// Ends the threads, those that have nothing to do by then.
    pub(super) fn end(&self, deadline: Instant) {
        let pool = std::mem::replace(&mut *self.pool.lock(), Pool::Ended);
        if let Pool::Used(runtime) = pool {
            runtime.shutdown_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }

    /// Looks a name up with `resolve`, which blocks.
    async fn look_up_by<T: Send + 'static>(
        self: &Arc<Self>,
        name: &str,
        resolve: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let name = Name { blocking: self.clone(), name: name.to_owned() };
        if name.is_slow() {
            let thread = place(&self.slow_threads).await?;
            return self.on_a_thread(Some(thread), move || name.time(resolve)).await;
        }
        let place_of_it = place(&self.places).await?;
        let thread = place(&self.threads).await?;
        let mut abandoned = Abandoned(Some(name.clone()));
        let looking = self.on_a_thread(Some(thread), move || name.time(resolve));
        let mut looking = std::pin::pin!(looking);
        let found = match in_time(PATIENCE, looking.as_mut()).await {
            Some(found) => found,
            None => {
                // As if nobody waited.
                drop(abandoned);
                drop(place_of_it);
                return looking.await;
            }
        };
        abandoned.0 = None;
        found
    }

    /// The addresses of a host.
    pub(crate) async fn look_up(self: &Arc<Self>, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let host = host.to_owned();
        // With a zone, it is an address.
        if platform::knows_addresses() && !host.contains('%') {
            let asked = host.clone();
            if let Some(found) = self.look_up_by(&host, move || platform::resolve(&asked, port)).await? {
                return found;
            }
        }
        let asked = host.clone();
        if let Some(found) = self.read_files(move || local(&asked, port)).await? {
            return found;
        }
        self.look_up_by(&host.clone(), move || resolve(&host, port)).await?
    }

    /// Asks the platform, which may block for long and can't be cancelled, on a thread for that.
    pub(crate) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let place = place(&self.questions).await?;
        self.on_a_thread(Some(place), work).await
    }

    /// Reads files on a thread that may block, beside the lookups.
    pub(crate) async fn read_files<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        self.on_a_thread(None, work).await
    }

    async fn on_a_thread<T: Send + 'static>(
        self: &Arc<Self>,
        place: Option<OwnedSemaphorePermit>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let made = self.run(place, Box::new(move || -> Made { Box::new(work()) })).await?;
        // Never fails: it is the `T` that `work` has made.
        made.downcast().map(|made| *made).map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// Not generic, so that there is one kind of task: each would add kilobytes to the library.
    async fn run(self: &Arc<Self>, place: Option<OwnedSemaphorePermit>, work: Work) -> io::Result<Made> {
        *self.running.lock() += 1;
        // The thread keeps it: the task that waits for it may give up.
        let running = Running(self.clone());
        let working = self.pool.lock().get()?.spawn_blocking(move || {
            let _running = (running, place);
            work()
        });
        working.await.map_err(io::Error::other)
    }
}

async fn place(places: &Arc<Semaphore>) -> io::Result<OwnedSemaphorePermit> {
    places.clone().acquire_owned().await.map_err(io::Error::other)
}

impl Drop for Running {
    fn drop(&mut self) {
        *self.0.running.lock() -= 1;
        self.0.ended.notify_all();
    }
}

/// A name that is looked up.
#[derive(Clone)]
struct Name {
    blocking: Arc<Blocking>,
    name: String,
}

impl Name {
    fn is_slow(&self) -> bool {
        self.blocking.slow.lock().get(&self.name).is_some_and(|since| since.elapsed() < SLOW_FOR)
    }

    fn is_slow_now(&self) {
        let slow = &mut *self.blocking.slow.lock();
        if slow.len() >= MOST_SLOW && !slow.contains_key(&self.name) {
            slow.retain(|_, since| since.elapsed() < SLOW_FOR);
        }
        if slow.len() < MOST_SLOW || slow.contains_key(&self.name) {
            slow.insert(self.name.clone(), Instant::now());
        }
    }

    /// Remembers whether it took long.
    fn time<T>(&self, resolve: impl FnOnce() -> T) -> T {
        let since = Instant::now();
        let found = resolve();
        match since.elapsed() < PATIENCE {
            true => drop(self.blocking.slow.lock().remove(&self.name)),
            false => self.is_slow_now(),
        }
        found
    }
}

/// A lookup that no task waits for any more counts as slow, until its end shows otherwise.
struct Abandoned(Option<Name>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some(name) = &self.0 {
            name.is_slow_now();
        }
    }
}

fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    (host, port).to_socket_addrs().map(Vec::from_iter)
}

/// The addresses of a host that needs no network: `None` for others.
fn local(host: &str, port: u16) -> Option<io::Result<Vec<SocketAddr>>> {
    let hosts = std::fs::read(HOSTS).unwrap_or_default();
    if is_in_hosts(&String::from_utf8_lossy(&hosts), host) {
        return Some(resolve(host, port));
    }
    // RFC 6761 6.3.
    let name = host.strip_suffix('.').unwrap_or(host);
    name.eq_ignore_ascii_case("localhost").then(|| {
        Ok(vec![SocketAddr::from((Ipv6Addr::LOCALHOST, port)), SocketAddr::from((Ipv4Addr::LOCALHOST, port))])
    })
}

/// Whether the text of a hosts file has a name.
fn is_in_hosts(hosts: &str, name: &str) -> bool {
    let uncommented = hosts.lines().filter_map(|line| line.split('#').next());
    uncommented.flat_map(|line| line.split_whitespace().skip(1)).any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether this thread can end the runtime, for which tokio needs thread-locals: in an exit handler they are gone.
pub fn can_be_driven_here() -> bool {
    !matches!(tokio::runtime::Handle::try_current(), Err(error) if error.is_thread_local_destroyed())
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::sync::mpsc::{channel, Receiver, Sender};

    use super::*;

    /// Only a guard.
    const FAR: Duration = Duration::from_secs(60);

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async { tokio::time::timeout(FAR, future).await.expect("in time") })
    }

    /// A server of names that answers nothing until it is dropped.
    struct Mute {
        ends: Arc<Mutex<Receiver<()>>>,
        _end: Sender<()>,
    }

    impl Mute {
        fn new() -> Mute {
            let (_end, ends) = channel();
            Mute { ends: Arc::new(Mutex::new(ends)), _end }
        }

        fn resolve(&self) -> impl FnOnce() + Send + 'static {
            let ends = self.ends.clone();
            move || ends.lock().recv().unwrap_or_default()
        }
    }

    #[test]
    fn names_without_an_answer_give_their_places_to_others() {
        let (lookups, mute) = (Arc::new(Blocking::default()), Mute::new());
        run(async {
            let mut waiting = Vec::new();
            for number in 0..2 * LOOKUPS {
                let (lookups, resolve) = (lookups.clone(), mute.resolve());
                let look_up = async move { lookups.look_up_by(&format!("dead{number}"), resolve).await };
                waiting.push(tokio::spawn(look_up));
            }
            // Behind all of them.
            assert_eq!(lookups.look_up_by("alive", || 7).await.unwrap(), 7);
            assert!(waiting.iter().all(|lookup| !lookup.is_finished()));
            drop(mute);
        });
        assert!(lookups.wait(Instant::now() + FAR));
    }

    #[test]
    fn a_lookup_that_nobody_waits_for_gives_up_its_place_and_threads_are_bounded() {
        let (lookups, mute) = (Arc::new(Blocking::default()), Mute::new());
        run(async {
            for number in 0..200 {
                let name = format!("dead{number}");
                let abandoned = lookups.look_up_by(&name, mute.resolve());
                let _ = tokio::time::timeout(Duration::from_millis(1), abandoned).await;
            }
            assert_eq!(lookups.count(), LOOKUP_THREADS);
            // Names that were slow have threads of their own, few of them.
            for number in 0..LOOKUP_THREADS {
                let name = format!("dead{number}");
                let again = lookups.look_up_by(&name, mute.resolve());
                let _ = tokio::time::timeout(Duration::from_millis(1), again).await;
            }
            assert_eq!(lookups.count(), LOOKUP_THREADS + SLOW_LOOKUPS);
            assert_eq!(lookups.on_a_thread(None, || 7).await.unwrap(), 7, "files are read all the same");
            drop(mute);
            // All are quick again.
            assert_eq!(lookups.look_up_by("alive", || 7).await.unwrap(), 7);
        });
        assert!(lookups.wait(Instant::now() + FAR));
        assert!(lookups.places.available_permits() == LOOKUPS);
    }

    #[test]
    fn a_name_is_slow_until_it_is_answered_quickly() {
        let lookups = Arc::new(Blocking::default());
        let name = Name { blocking: lookups.clone(), name: "name".into() };
        name.is_slow_now();
        assert!(name.is_slow());
        run(async { lookups.look_up_by("name", || ()).await.unwrap() });
        assert!(!name.is_slow());
        for number in 0..2 * MOST_SLOW {
            Name { name: number.to_string(), ..name.clone() }.is_slow_now();
        }
        assert_eq!(lookups.slow.lock().len(), MOST_SLOW);
    }

    #[test]
    fn names_of_the_hosts_file_and_localhost_need_no_place() {
        let hosts = "127.0.0.1 localhost\n# 10.0.0.1 commented\n\t10.0.0.2\ttv TV.example # 10.0.0.3 other\n";
        for (name, is_in) in [
            ("tv", true),
            ("tv.EXAMPLE", true),
            ("commented", false),
            ("other", false),
            ("10.0.0.2", false),
            ("", false),
        ] {
            assert_eq!(is_in_hosts(hosts, name), is_in, "{name}");
        }
        for name in ["localhost", "LocalHost."] {
            let found = local(name, 80).unwrap().unwrap();
            assert!(!found.is_empty() && found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
        }
        assert!(local("name.invalid", 80).is_none());
    }
}
