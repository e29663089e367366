//! The hook for requests that aren't upgrades, and the path of health checks.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::event::{HttpAnswer, HttpHook, HttpRequest};
use super::handshake::Refusal;
use super::live::{Event, Kind};
use super::places::Underway;
use super::Server;
use crate::error::Result;

impl Server {
    /// Asks a hook, which `make` makes, about requests that aren't upgrades; `None`: they are refused.
    pub fn set_http_hook(&self, make: Option<impl FnOnce() -> HttpHook>) -> Result<()> {
        self.replace_hook(&self.http_hook, make)
    }

    pub(super) fn has_http_hook(&self) -> bool {
        self.http_hook.lock().is_some()
    }

    /// The answer to a request that isn't an upgrade, if there is another than a refusal.
    pub(super) async fn answer_http(
        self: &Arc<Self>,
        request: HttpRequest,
        health_path: Option<&str>,
        underway: &Underway,
        more: &str,
    ) -> Option<Vec<u8>> {
        let method = request.method.clone();
        let path = request.path.split('?').next();
        let is_check = matches!(method.as_str(), "GET" | "HEAD") && path.is_some() && path == health_path;
        if self.is_behind() {
            return Some(Refusal::unavailable("The server is busy.").answer(more).into_bytes());
        }
        let answer = match is_check {
            true => HttpAnswer { status: 200, headers: Vec::new(), body: b"OK\n".to_vec() },
            false if !self.has_http_hook() => return None,
            false => underway.excused(self.ask_http(request)).await.ok()??,
        };
        Some(answer.write(&method, more))
    }

    fn ask_http(self: &Arc<Self>, request: HttpRequest) -> oneshot::Receiver<Option<HttpAnswer>> {
        let (decide, decision) = oneshot::channel();
        self.begin_question();
        self.post([Event { connection: None, kind: Kind::Http(Box::new((request, decide))) }]);
        decision
    }
}
