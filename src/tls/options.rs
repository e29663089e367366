//! The options of TLS: the CAs that this side trusts, its own certificate, the oldest version.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustls::SupportedProtocolVersion;

use super::pins::PublicKeyPin;
use super::roots;
use crate::secret::Secret;

/// The oldest TLS version that is acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsVersion {
    /// TLS 1.2 or newer.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl TlsVersion {
    /// This version and those that are newer.
    pub(super) fn and_newer(self) -> &'static [&'static SupportedProtocolVersion] {
        static NEWEST_FIRST: [&SupportedProtocolVersion; 2] =
            [&rustls::version::TLS13, &rustls::version::TLS12];
        match self {
            TlsVersion::Tls12 => &NEWEST_FIRST,
            TlsVersion::Tls13 => NEWEST_FIRST.split_at(1).0,
        }
    }
}

/// A certificate of this side, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCert {
    /// A PEM file with the certificate and those that lead to its CA.
    pub cert_path: PathBuf,
    /// A PEM file with the private key; it may be the same.
    pub key_path: PathBuf,
    /// What opens the key, if it is encrypted.
    pub key_password: Option<Secret>,
}

/// All that decides a client's TLS configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsOptions {
    /// The CAs that vouch for the server.
    pub trust: Trust,
    /// The server's public key must be one of these; empty: any.
    pub pins: Vec<PublicKeyPin>,
    /// This side's certificate, if the server asks for one.
    pub client_cert: Option<ClientCert>,
    /// The oldest TLS version that is acceptable.
    pub min_version: TlsVersion,
    /// Where the secrets of connections are written.
    #[cfg(feature = "keylog")]
    pub key_log: Option<PathBuf>,
}

/// The CAs that vouch for the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The files and directories that the environment names, or else the system's CAs, with or without the user's.
    System {
        named: Vec<PathBuf>,
        with_users: bool,
    },
    CaFile(PathBuf),
    Anybody,
}

impl Trust {
    /// What a CA file or, without one, the environment says.
    pub fn new(ca_path: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> Trust {
        match ca_path {
            Some(path) => Trust::CaFile(path.to_owned()),
            None => Trust::System { named: roots::named_by_the_environment(variable), with_users: false },
        }
    }
}

impl TlsOptions {
    /// Whether the platform is to be asked about the CAs that the user has installed.
    pub fn depend_on_users_cas(&self) -> bool {
        matches!(&self.trust, Trust::System { named, .. } if named.is_empty())
    }

    /// These options with the platform's answer about them.
    pub fn with_users_cas(mut self, trusted: bool) -> Self {
        if let Trust::System { with_users, .. } = &mut self.trust {
            *with_users = trusted;
        }
        self
    }
}
