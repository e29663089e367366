//! Which proxy a connection takes, if any: the program's, or the system's, which the platform's hook or the environment names.

use std::ffi::OsString;
use std::future::Future;
use std::io;

use super::environment::from_variables;
use super::server::{Proxy, Server};
use crate::error::{Code, Error, Phase, Result};
use crate::url::Target;

/// How the attempts of a session find their proxy.
#[derive(Clone)]
pub(crate) enum Choice {
    /// The program has decided.
    Fixed(Option<Server>),
    /// The platform is asked before each attempt. Without such a hook it is what the environment said, for each
    /// scheme.
    System { ws: Result<Option<Server>>, wss: Result<Option<Server>> },
}

impl Choice {
    /// What the options say. The environment is read here, on the program's own thread, since another's
    /// setenv() would be a race.
    pub fn new(option: &Proxy, variable: impl Fn(&str) -> Option<OsString>) -> Choice {
        match option {
            Proxy::None => Choice::Fixed(None),
            Proxy::Explicit(server) => Choice::Fixed(Some(server.clone())),
            Proxy::System => {
                let variable = |name: &str| variable(name).map(|value| value.to_string_lossy().into_owned());
                let named = |secure| from_variables(secure, variable).map_err(unusable);
                Choice::System { ws: named(false), wss: named(true) }
            }
        }
    }

    /// The proxy for this target, or none. `ask` asks the platform about a URL; `None`: it has no say.
    pub async fn choose<F>(&self, target: &Target, ask: impl FnOnce(String) -> F) -> Result<Option<Server>>
    where
        F: Future<Output = io::Result<Option<Result<Option<Server>, String>>>>,
    {
        let said = match self {
            Choice::Fixed(server) => server.clone(),
            Choice::System { ws, wss } => {
                let environment = if target.secure { wss } else { ws };
                let asked = ask(target.base_url()).await;
                match asked.map_err(|error| unusable(format!("The platform can't be asked: {error}.")))? {
                    Some(answer) => answer.map_err(unusable)?,
                    None => environment.clone()?,
                }
            }
        };
        Ok(said.and_then(|server| server.unless_excluded(&target.host)))
    }
}

fn unusable(sentence: String) -> Error {
    Error::event(Phase::Proxy, Code::ProxySetting, sentence)
}
