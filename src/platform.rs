//! What only the platform knows: permissions, allowed hosts, the system's proxy, the user's CAs, the device.
//! Without hooks everything is allowed, and the defaults of the system apply.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use parking_lot::RwLock;

use crate::callback::enter_callback;
use crate::error::{Code, Error, Result};
use crate::proxy;

/// A question of yes or no.
pub type Ask = Box<dyn Fn() -> bool + Send + Sync>;
/// A question about a host; its URL comes second.
pub type AskAboutHost = Box<dyn Fn(&str, &str) -> bool + Send + Sync>;
/// A question about the proxy for a URL: one, or none, or a sentence about what can't be one.
pub type AskForProxy = Box<dyn Fn(&str) -> Result<Option<proxy::Server>, String> + Send + Sync>;

/// The platform's answers. What is `None` has its default.
#[derive(Default)]
pub struct Hooks {
    /// Whether the program may use the network.
    pub has_internet_permission: Option<Ask>,
    /// Whether the program may connect to this host; the URL comes second.
    pub is_host_allowed: Option<AskAboutHost>,
    /// The system's proxy for a URL, which has no path.
    pub system_proxy: Option<AskForProxy>,
    /// Whether the CAs that the user has installed are trusted.
    pub trusts_user_ca: Option<Ask>,
    /// Whether the device is one on which servers may run.
    pub is_tv_device: Option<Ask>,
}

static HOOKS: RwLock<Option<Arc<Hooks>>> = RwLock::new(None);
/// Spares the message path the lock.
static HAS_HOOKS: AtomicBool = AtomicBool::new(false);

/// Replaces the hooks.
pub fn set(hooks: Option<Hooks>) {
    // Dropped outside the lock: what the old hooks own may call back.
    let _old = {
        let mut current = HOOKS.write();
        HAS_HOOKS.store(hooks.is_some(), Ordering::Release);
        std::mem::replace(&mut *current, hooks.map(Arc::new))
    };
}

/// Whether any hook may have an answer of its own.
pub(crate) fn has_hooks() -> bool {
    HAS_HOOKS.load(Ordering::Acquire)
}

/// Asks a hook, which counts as a callback: nothing that it calls may wait. `None`: the default applies.
fn ask<T>(question: impl FnOnce(&Hooks) -> Option<T>) -> Option<T> {
    if !has_hooks() {
        return None;
    }
    let hooks = HOOKS.read().clone()?;
    let _inside = enter_callback();
    question(&hooks)
}

/// 201 when the program may not use the network.
pub(crate) fn check_permission() -> Result<()> {
    match ask(|hooks| hooks.has_internet_permission.as_ref().map(|hook| hook())) {
        Some(false) => Err(Error::code(Code::PermissionDenied)),
        _ => Ok(()),
    }
}

/// 2302998 when the program may not connect to this host.
pub(crate) fn check_host(host: &str, url: &str) -> Result<()> {
    match ask(|hooks| hooks.is_host_allowed.as_ref().map(|hook| hook(host, url))) {
        Some(false) => Err(Error::code(Code::DomainNotAllowed)),
        _ => Ok(()),
    }
}

/// Whether the platform is to be asked for its proxy.
pub(crate) fn knows_proxy() -> bool {
    has_hooks() && HOOKS.read().as_ref().is_some_and(|hooks| hooks.system_proxy.is_some())
}

/// The system's proxy for a URL; `None` when there is no such hook. May block.
pub(crate) fn proxy(url: &str) -> Option<Result<Option<proxy::Server>, String>> {
    ask(|hooks| hooks.system_proxy.as_ref().map(|hook| hook(url)))
}

/// Whether the CAs that the user has installed are trusted.
pub(crate) fn trusts_user_ca() -> bool {
    ask(|hooks| hooks.trusts_user_ca.as_ref().map(|hook| hook())).unwrap_or(false)
}

/// Whether servers may run on this device.
#[allow(dead_code)]
pub(crate) fn is_tv_device() -> bool {
    ask(|hooks| hooks.is_tv_device.as_ref().map(|hook| hook())).unwrap_or(true)
}
