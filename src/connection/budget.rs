//! How many received bytes the connections of a server may hold together: `receive_budget`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

/// A connection, as its budget sees it.
pub(super) trait Member: Send + Sync {
    /// What it holds.
    fn holding(&self) -> Option<&Share>;
    /// Looks again at whether it may read.
    fn look_again(self: Arc<Self>);
}

type Anybody = Weak<dyn Member>;

/// A budget, and the connections that share it.
pub(crate) struct Budget {
    most: usize,
    /// Whole messages that wait for their listeners.
    waiting: AtomicUsize,
    /// Messages that aren't complete.
    unfinished: AtomicUsize,
    /// What was read of connections that the program has paused: only the program makes room of it.
    paused: AtomicUsize,
    /// Connections that have stopped reading.
    starved: Mutex<Vec<Anybody>>,
    /// Whether `starved` has entries. Changed with its lock.
    is_starving: AtomicBool,
    members: Mutex<HashMap<u64, (IpAddr, Anybody)>>,
    count: AtomicUsize,
}

/// One connection's share.
pub(crate) struct Share {
    budget: Arc<Budget>,
    address: IpAddr,
    number: u64,
    waiting: AtomicUsize,
    unfinished: AtomicUsize,
    /// What was read and has no turn yet, which counts as waiting.
    rest: AtomicUsize,
    /// The same while the program has paused the connection.
    paused: AtomicUsize,
    /// Its unfinished message is to go.
    is_over: AtomicBool,
    /// It is among those that have stopped reading.
    is_starved: AtomicBool,
}

impl Budget {
    pub fn new(most: usize) -> Arc<Budget> {
        Arc::new(Budget {
            most,
            waiting: AtomicUsize::new(0),
            unfinished: AtomicUsize::new(0),
            paused: AtomicUsize::new(0),
            starved: Mutex::default(),
            is_starving: AtomicBool::new(false),
            members: Mutex::default(),
            count: AtomicUsize::new(0),
        })
    }

    /// The share of a connection from this address.
    pub fn share(self: &Arc<Self>, address: IpAddr) -> Share {
        Share {
            budget: self.clone(),
            address,
            number: self.count.fetch_add(1, Ordering::Relaxed) as u64,
            waiting: AtomicUsize::new(0),
            unfinished: AtomicUsize::new(0),
            rest: AtomicUsize::new(0),
            paused: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            is_starved: AtomicBool::new(false),
        }
    }

    fn held(&self) -> usize {
        [&self.waiting, &self.unfinished, &self.paused].iter().map(|held| held.load(Ordering::SeqCst)).sum()
    }

    fn is_full(&self) -> bool {
        self.held() > self.most
    }

    /// Whether connections may read: where nothing waits, room comes only from the end of a connection with an unfinished
    /// message.
    fn may_read(&self) -> bool {
        !self.is_full()
            || self.waiting.load(Ordering::SeqCst) == 0 && self.unfinished.load(Ordering::SeqCst) > 0
    }

    /// This connection stops reading until there is room.
    fn starve(&self, connection: Anybody) {
        let mut starved = self.starved.lock();
        starved.push(connection);
        self.is_starving.store(true, Ordering::SeqCst);
    }

    /// Reading goes on where it had stopped.
    fn relieve(&self) {
        // Called after room was made: a connection that starves looks again after it has set the flag.
        if !self.is_starving.load(Ordering::SeqCst) || !self.may_read() {
            return;
        }
        let starved = {
            let mut starved = self.starved.lock();
            self.is_starving.store(false, Ordering::SeqCst);
            std::mem::take(&mut *starved)
        };
        for connection in starved.iter().filter_map(Weak::upgrade) {
            if let Some(share) = connection.holding() {
                share.is_starved.store(false, Ordering::SeqCst);
            }
            connection.look_again();
        }
    }

    /// Ends the largest unfinished message of the address that holds most, until the rest fits.
    fn end_largest(&self) {
        let members: Vec<(IpAddr, Arc<dyn Member>)> = {
            let members = self.members.lock();
            members.values().filter_map(|(ip, member)| Some((*ip, member.upgrade()?))).collect()
        };
        let unfinished = |member: &Arc<dyn Member>| {
            let share = member.holding().filter(|share| !share.is_over());
            share.map_or(0, |share| share.unfinished.load(Ordering::Relaxed))
        };
        // Those that are to go hold what they hold for a moment yet.
        let mut left: usize = members.iter().map(|(_, member)| unfinished(member)).sum();
        while left > 0 && left + self.paused.load(Ordering::Relaxed) > self.most {
            let mut held: HashMap<IpAddr, usize> = HashMap::new();
            for (ip, member) in &members {
                *held.entry(*ip).or_default() += unfinished(member);
            }
            let Some((most, _)) = held.into_iter().max_by_key(|(_, held)| *held) else { return };
            let of_most = members.iter().filter(|(ip, _)| *ip == most).map(|(_, member)| member);
            let Some(largest) = of_most.max_by_key(|member| unfinished(member)) else { return };
            left = left.saturating_sub(unfinished(largest).max(1));
            if let Some(share) = largest.holding() {
                share.is_over.store(true, Ordering::Release);
            }
            largest.clone().look_again();
        }
    }
}

/// What there was before, if it is another amount now. Most turns change nothing, and a load costs less than an exchange. While the
/// connection is open, only the thread with the link changes it.
fn replace(amount: &AtomicUsize, now: usize) -> Option<usize> {
    (amount.load(Ordering::SeqCst) != now).then(|| amount.swap(now, Ordering::SeqCst))
}

impl Share {
    /// The connection is open.
    pub(super) fn join<T: Member + 'static>(&self, connection: &Arc<T>) {
        let member: Weak<T> = Arc::downgrade(connection);
        self.budget.members.lock().insert(self.number, (self.address, member));
    }

    /// More waits for the listeners.
    pub fn wait_for(&self, held: usize) {
        self.waiting.fetch_add(held, Ordering::SeqCst);
        self.budget.waiting.fetch_add(held, Ordering::SeqCst);
    }

    /// Less waits for the listeners.
    pub fn delivered(&self, held: usize) {
        self.waiting.fetch_sub(held, Ordering::SeqCst);
        self.budget.waiting.fetch_sub(held, Ordering::SeqCst);
        self.budget.relieve();
    }

    /// What was read and has no turn yet, or gets none while the program has paused the connection.
    pub fn holds_rest(&self, held: usize, is_paused: bool) {
        let (held, paused) = if is_paused { (0, held) } else { (held, 0) };
        if let Some(before) = replace(&self.paused, paused) {
            self.budget.paused.fetch_add(paused, Ordering::SeqCst);
            self.budget.paused.fetch_sub(before, Ordering::SeqCst);
            if paused < before {
                self.budget.relieve();
            }
        }
        match replace(&self.rest, held) {
            Some(before) if held > before => self.wait_for(held - before),
            Some(before) => self.delivered(before - held),
            None => {}
        }
    }

    /// What an unfinished message holds now.
    pub fn holds_unfinished(&self, held: usize) {
        let Some(before) = replace(&self.unfinished, held) else { return };
        if held > before {
            self.budget.unfinished.fetch_add(held - before, Ordering::SeqCst);
            // Where whole messages wait, their delivery makes room.
            if self.budget.is_full() && self.budget.waiting.load(Ordering::SeqCst) == 0 {
                self.budget.end_largest();
            }
        } else {
            self.budget.unfinished.fetch_sub(before - held, Ordering::SeqCst);
            self.budget.relieve();
        }
    }

    /// Whether more may be read; if not, the connection is notified when it may.
    pub(super) fn has_room<T: Member + 'static>(&self, connection: &Arc<T>) -> bool {
        if self.budget.may_read() {
            return true;
        }
        if !self.is_starved.swap(true, Ordering::SeqCst) {
            let starved: Weak<T> = Arc::downgrade(connection);
            self.budget.starve(starved);
        }
        // What was delivered meanwhile may have missed it.
        self.budget.may_read()
    }

    /// Whether its unfinished message must go.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// The connection holds nothing any more.
    pub fn leave(&self) {
        self.budget.members.lock().remove(&self.number);
        self.holds_unfinished(0);
        self.holds_rest(0, false);
        let waiting = self.waiting.load(Ordering::SeqCst);
        if waiting > 0 {
            self.delivered(waiting);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::super::Connection;
    use super::*;

    #[test]
    fn what_has_no_turn_yet_counts_and_is_given_back() {
        let budget = Budget::new(100);
        let share = budget.share([127, 0, 0, 1].into());
        share.holds_rest(101, false);
        assert!(!budget.may_read());
        share.holds_rest(1, false);
        assert!(budget.may_read());
        drop(share);
        assert_eq!(budget.waiting.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn what_a_paused_connection_holds_makes_no_room_for_unfinished_messages() {
        let budget = Budget::new(100);
        let (paused, large) = (budget.share([127, 0, 0, 1].into()), budget.share([127, 0, 0, 2].into()));
        paused.holds_rest(60, false);
        large.holds_unfinished(60);
        assert!(!budget.may_read(), "the delivery of what waits makes room");
        paused.holds_rest(60, true);
        assert!(budget.may_read(), "only the end of the unfinished message does");
        large.holds_unfinished(0);
        paused.holds_rest(101, true);
        assert!(!budget.may_read(), "only the program does");
        paused.holds_rest(0, false);
        assert!(budget.may_read());
    }

    #[test]
    fn reading_goes_on_when_only_unfinished_messages_fill_the_budget() {
        let budget = Budget::new(100);
        let (slow, large) = (budget.share([127, 0, 0, 1].into()), budget.share([127, 0, 0, 2].into()));
        slow.wait_for(10);
        large.holds_unfinished(100);
        assert!(!budget.may_read());
        budget.starve(Weak::<Connection>::new());
        slow.delivered(10);
        assert!(budget.may_read() && budget.starved.lock().is_empty());
    }
}
