//! The server in a build without one: types that have no values, so that nothing of it is in the library.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{
    AcceptHook, Ban, CertificateFiles, HttpAnswer, HttpHook, Names, Peer, ServerListeners, ServerOptions,
    Standing,
};
use crate::connection::{Payload, Traffic};
use crate::error::{Code, Error, Result};
use crate::runtime::Runtime;
use crate::tls::Secured;

pub(crate) fn check_device() -> Result<()> {
    Err(Error::code(Code::NotSupported))
}

/// A connection that a server has accepted.
pub enum Accepted {}

#[allow(missing_docs)]
impl Accepted {
    pub fn peer(&self) -> Peer {
        match *self {}
    }

    pub fn link(&self) -> Peer {
        match *self {}
    }

    pub fn tls(&self) -> Secured {
        match *self {}
    }

    pub fn name(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn send(&self, _: Payload<'_>) -> Result<()> {
        match *self {}
    }

    pub(crate) fn send_behind(&self, _: Payload<'_>) -> bool {
        match *self {}
    }

    pub fn send_part(&self, _: &[u8], _: bool, _: bool) -> Result<()> {
        match *self {}
    }

    pub fn ping(&self, _: &[u8]) -> Result<()> {
        match *self {}
    }

    pub fn close(&self, _: u16, _: &str) -> Result<()> {
        match *self {}
    }

    pub fn cork(&self) -> Result<()> {
        match *self {}
    }

    pub fn uncork(&self) -> Result<()> {
        match *self {}
    }

    pub fn pause(&self) {
        match *self {}
    }

    pub fn unpause(&self) {
        match *self {}
    }

    pub fn traffic(&self) -> Traffic {
        match *self {}
    }

    pub fn join(self: &Arc<Self>, _: &str) -> Result<()> {
        match **self {}
    }

    pub fn leave(&self, _: &str) -> Result<()> {
        match *self {}
    }
}

#[allow(missing_docs)]
impl HttpAnswer {
    pub fn new(_: u16, _: Vec<(String, String)>, _: Vec<u8>) -> Result<HttpAnswer> {
        Err(Error::code(Code::NotSupported))
    }
}

/// A WebSocket server.
pub enum Server {}

#[allow(missing_docs)]
impl Server {
    pub fn with_names(_: Arc<Runtime>, _: &'static dyn Names) -> Result<Arc<Server>> {
        Err(Error::code(Code::NotSupported))
    }

    pub fn listeners(&self) -> &ServerListeners {
        match *self {}
    }

    pub fn set_accept_hook(&self, _: Option<impl FnOnce() -> AcceptHook>) -> Result<()> {
        match *self {}
    }

    pub fn set_http_hook(&self, _: Option<impl FnOnce() -> HttpHook>) -> Result<()> {
        match *self {}
    }

    pub fn start(self: &Arc<Self>, _: &ServerOptions) -> Result<()> {
        match **self {}
    }

    pub fn stop(&self) -> Result<()> {
        match *self {}
    }

    pub fn stop_gracefully(&self, _: Duration) -> Result<()> {
        match *self {}
    }

    pub fn add_certificate(&self, _: CertificateFiles) -> Result<()> {
        match *self {}
    }

    pub fn reload_certificates(&self) -> Result<()> {
        match *self {}
    }

    pub fn bans(&self) -> Result<Vec<Ban>> {
        match *self {}
    }

    pub fn unban(&self, _: &str) -> Result<()> {
        match *self {}
    }

    pub fn port(&self) -> Result<u16> {
        match *self {}
    }

    pub fn standing(&self) -> Standing {
        match *self {}
    }

    pub fn connections(&self) -> Result<Vec<Arc<Accepted>>> {
        match *self {}
    }

    pub fn find(&self, _: IpAddr, _: u16) -> Result<Arc<Accepted>> {
        match *self {}
    }

    pub(crate) fn broadcast(&self, _: Payload<'_>) -> Result<usize> {
        match *self {}
    }

    pub(crate) fn broadcast_group(&self, _: &str, _: Payload<'_>) -> Result<usize> {
        match *self {}
    }

    pub fn destroy(&self) {
        match *self {}
    }

    pub fn release(&self) {
        match *self {}
    }
}
