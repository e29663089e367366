//! The places of clients on their way in or out: how many handshakes and lingering connections (closed, but not yet by
//! the peer) there may be at once, and which one ends when there is no room.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::admission::Source;
use crate::log::{log, Level};
use crate::runtime::{in_time, TaskHandle};

/// Handshakes under way, if the process may have descriptors enough.
const MOST_HANDSHAKES: usize = 1024;
/// Handshakes of one address, or of one IPv6 network, that may grow old.
const MOST_OF_ONE: usize = 128;
/// Connections that are over and wait for the peer to hang up.
const MOST_LINGERING: usize = 1024;
/// How long a handshake is young. The young are never cut: their peers may be as quick as their networks are.
const YOUTH: Duration = Duration::from_secs(1);

/// The places of one listening socket.
pub(super) struct Places {
    most_handshakes: usize,
    most_lingering: usize,
    state: Mutex<State>,
    /// Wakes the task that waits for room: there may be some.
    changed: Notify,
}

#[derive(Default)]
struct State {
    is_closed: bool,
    /// In the order of their arrival, and so of their numbers.
    handshakes: VecDeque<Handshake>,
    lingering: VecDeque<(u64, TaskHandle)>,
    count: u64,
}

struct Handshake {
    number: u64,
    ip: IpAddr,
    /// It is a trusted proxy's, which may have many clients under way.
    of_many: bool,
    /// From when on it may be cut. `None`: it waits for this side, not for its peer.
    old_at: Option<Instant>,
    task: TaskHandle,
}

impl Places {
    /// `descriptors`: how many the process may have, if that is known. Half of them are for handshakes, an eighth for
    /// lingering connections.
    pub fn new(descriptors: Option<u64>) -> Arc<Places> {
        let descriptors = descriptors.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        Arc::new(Places {
            most_handshakes: (descriptors / 2).clamp(1, MOST_HANDSHAKES),
            most_lingering: (descriptors / 8).clamp(1, MOST_LINGERING),
            state: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Waits until there is room for a handshake. When all places are taken, one that is old gives up its own.
    pub async fn wait_for_room(&self) {
        loop {
            let next = {
                let mut state = self.state.lock();
                if state.handshakes.len() < self.most_handshakes {
                    return;
                }
                state.take_old(Instant::now())
            };
            match next {
                Ok(old) => return old.cut(),
                Err(Some(soonest)) => {
                    in_time(soonest.saturating_duration_since(Instant::now()), self.changed.notified()).await;
                }
                Err(None) => self.changed.notified().await,
            }
        }
    }

    /// Ends what can best be spared when the process has no descriptor left; whether there was anything.
    pub fn spare_one(&self) -> bool {
        let old = {
            let mut state = self.state.lock();
            if let Some((_, task)) = state.lingering.pop_front() {
                task.abort();
                return true;
            }
            state.take_old(Instant::now())
        };
        old.map(Handshake::cut).is_ok()
    }

    /// Begins a handshake in the task that `spawn` makes, unless the places are closed. One that is too many of its address, and
    /// old, ends.
    pub fn begin(self: &Arc<Self>, ip: IpAddr, of_many: bool, spawn: impl FnOnce(Underway) -> TaskHandle) {
        let old = {
            let mut state = self.state.lock();
            // Accepted in the moment of close().
            if state.is_closed {
                return;
            }
            let now = Instant::now();
            state.count += 1;
            let number = state.count;
            let task = spawn(Underway { places: self.clone(), number });
            state.handshakes.push_back(Handshake { number, ip, of_many, old_at: Some(now + YOUTH), task });
            match state.of(Source::widest(ip)) > MOST_OF_ONE {
                true => state.take_old_of(Source::widest(ip), now),
                false => None,
            }
        };
        // Outside the lock: the log may call back.
        if let Some(old) = old {
            old.cut();
        }
    }

    /// Ends all handshakes, and lets none begin.
    pub fn close(&self) {
        let handshakes = {
            let mut state = self.state.lock();
            state.is_closed = true;
            std::mem::take(&mut state.handshakes)
        };
        for handshake in handshakes {
            handshake.task.abort();
        }
    }

    /// A place for the end of the connection of this task; the oldest lingering one makes room.
    pub fn let_linger(self: &Arc<Self>, task: TaskHandle) -> Lingering {
        let mut state = self.state.lock();
        if state.lingering.len() >= self.most_lingering {
            if let Some((_, oldest)) = state.lingering.pop_front() {
                oldest.abort();
            }
        }
        state.count += 1;
        let number = state.count;
        state.lingering.push_back((number, task));
        Lingering { places: self.clone(), number }
    }
}

impl State {
    fn of(&self, source: Source) -> usize {
        self.handshakes.iter().filter(|handshake| handshake.is_of(source)).count()
    }

    fn take_old_of(&mut self, source: Source, now: Instant) -> Option<Handshake> {
        let oldest =
            self.handshakes.iter().position(|handshake| handshake.is_old(now) && handshake.is_of(source))?;
        self.handshakes.remove(oldest)
    }

    /// The oldest handshake of the addresses that have most of the old ones; or when there will be one, if that is known.
    fn take_old(&mut self, now: Instant) -> Result<Handshake, Option<Instant>> {
        let mut counts: HashMap<Source, usize> = HashMap::new();
        for handshake in self.handshakes.iter().filter(|handshake| handshake.is_old(now)) {
            *counts.entry(Source::widest(handshake.ip)).or_default() += 1;
        }
        let of = |handshake: &Handshake| counts.get(&Source::widest(handshake.ip)).copied().unwrap_or(0);
        let most = counts.values().copied().max().unwrap_or(0);
        let oldest = self.handshakes.iter().position(|one| one.is_old(now) && of(one) == most);
        let old = oldest.and_then(|oldest| self.handshakes.remove(oldest));
        old.ok_or_else(|| self.handshakes.iter().filter_map(|handshake| handshake.old_at).min())
    }

    fn find(&mut self, number: u64) -> Option<&mut Handshake> {
        let place = self.handshakes.binary_search_by_key(&number, |handshake| handshake.number).ok()?;
        self.handshakes.get_mut(place)
    }
}

impl Handshake {
    fn is_old(&self, now: Instant) -> bool {
        self.old_at.is_some_and(|at| at <= now)
    }

    fn is_of(&self, source: Source) -> bool {
        !self.of_many && Source::widest(self.ip) == source
    }

    fn cut(self) {
        self.task.abort();
        tell_cut(self.ip);
    }
}

fn tell_cut(ip: IpAddr) {
    log(Level::Info, || format!("{ip}: cut, too many handshakes are under way"));
}

/// A handshake's place, which it leaves whatever becomes of it.
pub(super) struct Underway {
    places: Arc<Places>,
    number: u64,
}

impl Underway {
    /// Runs a handshake; `None` when it is too many of its address once it is old.
    pub async fn run<T>(&self, handshake: impl Future<Output = T>) -> Option<T> {
        let mut handshake = std::pin::pin!(handshake);
        if let Some(done) = in_time(YOUTH, handshake.as_mut()).await {
            return Some(done);
        }
        let too_many = {
            let mut state = self.places.state.lock();
            let now = Instant::now();
            let own = state.find(self.number).filter(|own| own.is_old(now) && !own.of_many).map(|own| own.ip);
            own.filter(|ip| state.of(Source::widest(*ip)) > MOST_OF_ONE)
        };
        match too_many {
            Some(ip) => {
                tell_cut(ip);
                None
            }
            None => Some(handshake.await),
        }
    }

    /// Waits for something of this side, which makes the handshake no older.
    pub async fn excused<T>(&self, wait: impl Future<Output = T>) -> T {
        let since = Instant::now();
        let old_at = self.places.state.lock().find(self.number).and_then(|own| own.old_at.take());
        let done = wait.await;
        if let Some(own) = self.places.state.lock().find(self.number) {
            own.old_at = old_at.map(|at| at + since.elapsed());
        }
        self.places.changed.notify_one();
        done
    }

    /// A proxy has said whose handshake it is.
    pub fn belongs_to(&self, ip: IpAddr) {
        if let Some(own) = self.places.state.lock().find(self.number) {
            (own.ip, own.of_many) = (ip, false);
        }
    }

    /// Leaves the place; the handshake's task, unless it was cut.
    pub fn leave(self) -> Option<TaskHandle> {
        self.remove().map(|handshake| handshake.task)
    }

    fn remove(&self) -> Option<Handshake> {
        let handshakes = &mut self.places.state.lock().handshakes;
        let place = handshakes.binary_search_by_key(&self.number, |handshake| handshake.number).ok()?;
        let handshake = handshakes.remove(place);
        self.places.changed.notify_one();
        handshake
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The place of a connection that is over and still has its descriptor.
pub(super) struct Lingering {
    places: Arc<Places>,
    number: u64,
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let lingering = &mut self.places.state.lock().lingering;
        if let Ok(place) = lingering.binary_search_by_key(&self.number, |(number, _)| *number) {
            lingering.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::task::JoinHandle;

    use super::*;

    /// Only a guard.
    const FAR: Duration = Duration::from_secs(60);

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { tokio::time::timeout(FAR, test).await.expect("in time") });
    }

    /// A handshake whose peer says nothing.
    fn silent(places: &Arc<Places>, ip: u32) -> JoinHandle<()> {
        let mut begun = None;
        places.begin(Ipv4Addr::from_bits(ip).into(), false, |underway| {
            let task = tokio::spawn(async move {
                underway.run(std::future::pending::<()>()).await;
            });
            let abort = task.abort_handle().into();
            begun = Some(task);
            abort
        });
        begun.unwrap()
    }

    #[test]
    fn the_young_are_waited_for_and_the_old_make_room() {
        run(async {
            let places = Places::new(Some(4));
            let begun = Instant::now();
            let first = silent(&places, 1);
            let _second = silent(&places, 2);
            places.wait_for_room().await;
            assert!(begun.elapsed() >= YOUTH);
            assert!(first.await.unwrap_err().is_cancelled());
        });
    }

    #[test]
    fn a_handshake_that_ends_makes_room_at_once() {
        run(async {
            let places = Places::new(Some(2));
            let only = silent(&places, 1);
            only.abort();
            places.wait_for_room().await;
            assert!(only.await.unwrap_err().is_cancelled());
            assert!(places.state.lock().handshakes.is_empty());
        });
    }

    #[test]
    fn the_address_with_most_of_the_old_loses_one_first() {
        run(async {
            let places = Places::new(Some(8));
            let other = silent(&places, 1);
            let many = [silent(&places, 2), silent(&places, 2), silent(&places, 2)];
            places.wait_for_room().await;
            let [oldest, ..] = many;
            assert!(oldest.await.unwrap_err().is_cancelled());
            assert!(!other.is_finished());
        });
    }

    #[test]
    fn one_address_keeps_its_share_when_all_are_old_and_the_oldest_go() {
        run(async {
            let places = Places::new(None);
            let mut all: Vec<_> = (0..MOST_OF_ONE + 20).map(|_| silent(&places, 1)).collect();
            let other = silent(&places, 2);
            for old in all.drain(..20) {
                old.await.unwrap();
            }
            assert_eq!(places.state.lock().of(Source::Address(Ipv4Addr::from_bits(1).into())), MOST_OF_ONE);
            assert!(!other.is_finished());
        });
    }

    #[test]
    fn a_handshake_that_waits_for_this_side_does_not_grow_old() {
        run(async {
            let places = Places::new(Some(4));
            let (decide, decision) = tokio::sync::oneshot::channel::<()>();
            places.begin(Ipv4Addr::LOCALHOST.into(), false, |underway| {
                tokio::spawn(async move { underway.excused(decision).await }).abort_handle().into()
            });
            let silent = silent(&places, 2);
            places.wait_for_room().await;
            assert!(silent.await.unwrap_err().is_cancelled());
            assert!(decide.send(()).is_ok());
        });
    }

    #[test]
    fn lingering_connections_are_bounded_and_go_first_when_descriptors_are_short() {
        run(async {
            let places = Places::new(Some(16));
            let task = || tokio::spawn(std::future::pending::<()>());
            let tasks = [task(), task(), task()];
            let lingering = tasks.each_ref().map(|task| places.let_linger(task.abort_handle().into()));
            let [oldest, second, last] = tasks;
            assert!(oldest.await.unwrap_err().is_cancelled());
            assert!(places.spare_one());
            assert!(second.await.unwrap_err().is_cancelled());
            drop(lingering);
            assert!(!places.spare_one() && !last.is_finished());
        });
    }
}
