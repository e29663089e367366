//! Groups of a server's connections, to which messages are sent together.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;

use super::accepted::Accepted;
use crate::error::{Code, Error, Result};

/// The connections of a group, by their numbers. Copied when it changes while a message is sent to it.
type Members = Arc<BTreeMap<u64, Arc<Accepted>>>;

/// The groups of a server: those that have members.
#[derive(Default)]
pub(super) struct Groups(Mutex<HashMap<Arc<str>, Members>>);

impl Groups {
    pub fn join(&self, accepted: &Arc<Accepted>, name: &str) -> Result<()> {
        check(name)?;
        let mut groups = self.0.lock();
        let mut own = accepted.memberships.lock();
        if own.is_over {
            return Err(Error::code(Code::BadHandle));
        }
        if own.names.iter().any(|known| **known == *name) {
            return Ok(());
        }
        let name = groups.get_key_value(name).map_or_else(|| name.into(), |(known, _)| known.clone());
        own.names.push(name.clone());
        Arc::make_mut(groups.entry(name).or_default()).insert(accepted.number, accepted.clone());
        Ok(())
    }

    pub fn leave(&self, accepted: &Accepted, name: &str) -> Result<()> {
        check(name)?;
        let mut groups = self.0.lock();
        let mut own = accepted.memberships.lock();
        own.names.retain(|known| **known != *name);
        remove(&mut groups, accepted, name);
        Ok(())
    }

    /// The connection is over.
    pub fn leave_all(&self, accepted: &Accepted) {
        let mut groups = self.0.lock();
        let mut own = accepted.memberships.lock();
        own.is_over = true;
        for name in std::mem::take(&mut own.names) {
            remove(&mut groups, accepted, &name);
        }
    }

    pub fn members(&self, name: &str) -> Option<Members> {
        self.0.lock().get(name).cloned()
    }
}

fn remove(groups: &mut HashMap<Arc<str>, Members>, accepted: &Accepted, name: &str) {
    let Some(members) = groups.get_mut(name) else { return };
    Arc::make_mut(members).remove(&accepted.number);
    if members.is_empty() {
        groups.remove(name);
    }
}

pub(super) fn check(name: &str) -> Result<()> {
    match name.is_empty() {
        true => Err(Error::call(Code::Parameter, "The name of the group is empty.")),
        false => Ok(()),
    }
}
