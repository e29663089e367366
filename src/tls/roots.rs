//! The CAs that vouch for a server unless the program names others: where the system keeps them, and reading them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use rustls_native_certs::load_certs_from_paths;
use rustls_pki_types::CertificateDer;

use crate::error::{Code, Error, Phase, Result};
use crate::platform;

/// Where OpenHarmony keeps the CAs that users have installed: a directory for each user.
const USER_CAS: &str = "/data/certificates/user_cacerts";

/// The files and directories that hold the system's CAs, whether they exist or not. Asks the platform about the
/// user's, so it is called where it blocks nobody.
pub fn system_sources() -> Vec<PathBuf> {
    // As OpenSSL does, which programs rely on.
    let named: Vec<PathBuf> = [env::var_os("SSL_CERT_FILE").map(PathBuf::from)]
        .into_iter()
        .flatten()
        .chain(env::var_os("SSL_CERT_DIR").iter().flat_map(env::split_paths))
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    if !named.is_empty() {
        return named;
    }
    let found = openssl_probe::probe();
    let mut sources: Vec<PathBuf> = found.cert_file.into_iter().chain(found.cert_dir).collect();
    if cfg!(target_env = "ohos") && platform::trusts_user_ca() {
        sources.extend(fs::read_to_string("/proc/self/status").ok().and_then(|status| user_cas(&status)));
    }
    sources
}

/// The directory of the user whose process has this status (proc(5)).
fn user_cas(status: &str) -> Option<PathBuf> {
    const UIDS_OF_A_USER: u32 = 200_000;
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let uid: u32 = uids.split_whitespace().next()?.parse().ok()?;
    Some(Path::new(USER_CAS).join((uid / UIDS_OF_A_USER).to_string()))
}

/// The certificates in these files and directories; what is broken or missing is passed over if others are not.
pub fn read(sources: &[PathBuf]) -> Result<Vec<CertificateDer<'static>>> {
    let (mut certificates, mut causes) = (Vec::new(), Vec::new());
    for source in sources {
        let found = match source.is_dir() {
            true => load_certs_from_paths(None, Some(source)),
            false => load_certs_from_paths(Some(source), None),
        };
        certificates.extend(found.certs);
        causes.extend(found.errors.iter().map(ToString::to_string));
    }
    // Distributions keep each CA in a file of its own and in one of all.
    certificates.sort_unstable_by(|one, other| one.as_ref().cmp(other));
    certificates.dedup();
    if !certificates.is_empty() {
        return Ok(certificates);
    }
    let message = match causes.first() {
        None => "the system has no CA certificates; name a file of them in ca_path.".to_owned(),
        Some(cause) => format!("the system's CA certificates can't be read: {cause}."),
    };
    Err(Error::event(Phase::Tls, Code::CaFile, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_of_openharmony_has_a_directory_of_cas() {
        let of = |uid: u32| user_cas(&format!("Name:\tx\nUid:\t{uid}\t1\t1\t1\nGid:\t9\n")).unwrap();
        assert_eq!(of(0), Path::new("/data/certificates/user_cacerts/0"));
        assert_eq!(of(20_020_043), Path::new("/data/certificates/user_cacerts/100"));
        assert_eq!(user_cas("Name:\tx\n"), None);
    }

    #[test]
    fn sources_that_are_missing_are_passed_over_unless_all_are() {
        let error = read(&["/nowhere/ca.pem".into(), "/nowhere/cas".into()]).unwrap_err();
        assert_eq!(error.detail, Code::CaFile);
        assert!(error.message.contains("/nowhere/ca.pem"), "{error}");
        assert!(read(&[]).unwrap_err().message.contains("name a file of them in ca_path"));
    }
}
