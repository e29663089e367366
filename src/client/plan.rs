//! What a session has decided before its first attempt.

use std::ffi::OsString;

use super::options::ConnectOptions;
use crate::proxy::Choice;
use crate::tls::{TlsOptions, Trust};
use crate::url::Target;

/// Where a session connects to, and how; decided in `connect`, on the caller's thread.
pub(super) struct Plan {
    pub target: Target,
    pub options: ConnectOptions,
    pub proxy: Choice,
    /// For wss.
    pub tls: TlsOptions,
}

impl Plan {
    /// Reads the environment, so it is for the caller's thread: on another it would race with setenv().
    pub fn new(target: Target, options: ConnectOptions) -> Plan {
        let trusted = options.trusts_environment;
        let variable = |name: &str| trusted.then(|| std::env::var_os(name)).flatten();
        let proxy = Choice::new(&options.proxy, variable);
        // A redirect may lead to wss.
        let may_need_tls = target.secure || options.max_redirects > 0;
        let tls = tls_options(&options, |name| may_need_tls.then(|| variable(name)).flatten());
        Plan { target, options, proxy, tls }
    }
}

/// Reads the environment if the system's CAs are wanted.
pub(super) fn tls_options(
    options: &ConnectOptions,
    variable: impl Fn(&str) -> Option<OsString>,
) -> TlsOptions {
    TlsOptions {
        #[cfg(feature = "keylog")]
        key_log: variable("SSLKEYLOGFILE").map(Into::into),
        trust: match options.skip_server_cert_verification {
            true => Trust::Anybody,
            false => Trust::new(options.ca_path.as_deref(), variable),
        },
        pins: options.pinned_public_keys.clone(),
        client_cert: options.client_cert.clone(),
        min_version: options.min_tls_version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_that_is_not_trusted_names_no_ca() {
        let plan = |trusts_environment| {
            let target = Target::parse("wss://host/").unwrap();
            Plan::new(target, ConnectOptions { trusts_environment, ..ConnectOptions::default() })
        };
        let without = tls_options(&ConnectOptions::default(), |_| None);
        let named = tls_options(&ConnectOptions::default(), |name| {
            (name == "SSL_CERT_FILE").then(|| "/ca.pem".into())
        });
        assert!(named != without);
        assert!(plan(false).tls == without);
    }
}
