//! What only the platform knows. Here the system's proxy is read, unless the environment has it (`proxy::environment`);
//! permissions, allowed hosts, the user's CAs, the device and addresses are asked for.
//! Without hooks everything is allowed, and the defaults of the system apply.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use parking_lot::RwLock;

use crate::callback::enter_callback;
use crate::error::{Code, Error, Result};
use crate::proxy;
use crate::url::is_interface;

/// A question of yes or no.
pub type Ask = Box<dyn Fn() -> bool + Send + Sync>;
/// A question about a host; its URL comes second.
pub type AskAboutHost = Box<dyn Fn(&str, &str) -> bool + Send + Sync>;
/// A question about the proxy for a URL: one, or none, or a sentence about what can't be one.
pub type AskForProxy = Box<dyn Fn(&str) -> Result<Option<proxy::Server>, String> + Send + Sync>;

/// A question about the addresses of a host: `None` leaves the lookup to the system; or a sentence about what can't be an
/// address.
pub type AskForAddresses = Box<dyn Fn(&str) -> Result<Option<Vec<Address>>, String> + Send + Sync>;

/// An address of a host, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// Reads an IP address, IPv6 with or without brackets. A link-local one may have a zone.
    pub fn parse(text: &str) -> Option<Address> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let (address, zone) = match bare.unwrap_or(text).split_once('%') {
            Some((address, zone)) => (address, Some(zone)),
            None => (bare.unwrap_or(text), None),
        };
        let is_right = match (address.parse().ok()?, zone) {
            (IpAddr::V4(_), zone) => bare.is_none() && zone.is_none(),
            (IpAddr::V6(_), None) => true,
            (IpAddr::V6(address), Some(zone)) => address.is_unicast_link_local() && is_interface(zone),
        };
        is_right.then(|| Address(bare.unwrap_or(text).into()))
    }

    /// With a port. The system knows the number of a zone's interface.
    fn with_port(&self, port: u16) -> io::Result<SocketAddr> {
        let found = (self.0.as_str(), port).to_socket_addrs()?.next();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

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
    /// The addresses of a host.
    pub resolve: Option<AskForAddresses>,
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

/// Whether the platform is to be asked for the addresses of hosts.
pub(crate) fn knows_addresses() -> bool {
    has_hooks() && HOOKS.read().as_ref().is_some_and(|hooks| hooks.resolve.is_some())
}

/// The addresses of a host; `None` leaves the lookup to the system. May block.
pub(crate) fn resolve(host: &str, port: u16) -> Option<io::Result<Vec<SocketAddr>>> {
    match ask(|hooks| hooks.resolve.as_ref().map(|hook| hook(host)))? {
        Ok(addresses) => {
            addresses.map(|addresses| addresses.iter().map(|address| address.with_port(port)).collect())
        }
        Err(sentence) => Some(Err(io::Error::other(sentence))),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_brackets_and_a_link_local_one_a_zone() {
        for (text, with_port) in [
            ("192.0.2.1", Some("192.0.2.1:80")),
            ("2001:db8::1", Some("[2001:db8::1]:80")),
            ("[::1]", Some("[::1]:80")),
            ("fe80::1", Some("[fe80::1]:80")),
            ("fe80::1%lo", Some("[fe80::1%1]:80")),
            ("[fe80::1%lo]", Some("[fe80::1%1]:80")),
            ("::1%lo", None),
            ("192.0.2.1%lo", None),
            ("[192.0.2.1]", None),
            ("fe80::1%", None),
            ("fe80::1%a/b", None),
            ("[::1", None),
            ("192.0.2.1:80", None),
            ("192.0.2", None),
            ("a.example", None),
            ("", None),
        ] {
            let address = Address::parse(text).map(|address| address.with_port(80).unwrap());
            assert_eq!(address, with_port.map(|address| address.parse().unwrap()), "{text}");
        }
    }
}
