//! The CAs that vouch for a server unless the program names others: where the system keeps them, and reading them.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use rustls_native_certs::load_certs_from_paths;
use rustls_pki_types::CertificateDer;

use crate::error::{Code, Error, Phase, Result};

/// Where the systems keep one file with all CAs; the first that exists counts.
const FILES: [&str; 7] = [
    "/etc/ssl/certs/ca-certificates.crt", // Debian, Arch, Gentoo
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",   // older ones
    "/etc/ssl/ca-bundle.pem",             // SUSE
    "/var/lib/ca-certificates/ca-bundle.pem", // SUSE
    "/etc/ssl/cert.pem",                  // Alpine
    "/etc/ssl/certs/cacert.pem",          // OpenHarmony
];
/// Where they keep a file for each.
const DIRECTORIES: [&str; 3] = [
    "/etc/ssl/certs",             // most
    "/etc/pki/tls/certs",         // Fedora, RHEL
    "/etc/security/certificates", // OpenHarmony
];
/// Where OpenHarmony keeps the CAs that users have installed: a directory for each user.
const USER_CAS: &str = "/data/certificates/user_cacerts";

/// The files and directories that the environment names in place of the system's, as it does for OpenSSL.
pub fn named_by_the_environment(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let file = variable("SSL_CERT_FILE").map(PathBuf::from);
    let directories = variable("SSL_CERT_DIR");
    let named = file.into_iter().chain(directories.iter().flat_map(env::split_paths));
    named.filter(|path| !path.as_os_str().is_empty()).collect()
}

/// The files and directories that hold the system's CAs and, if they are wanted, the user's.
pub fn system_sources(with_users: bool) -> Vec<PathBuf> {
    let existing = |path: &PathBuf| path.exists();
    let file = FILES.iter().map(PathBuf::from).find(existing);
    let mut sources: Vec<PathBuf> =
        file.into_iter().chain(DIRECTORIES.iter().map(PathBuf::from).filter(existing)).collect();
    if cfg!(target_env = "ohos") && with_users {
        // Also when it doesn't exist yet: when it does, the CAs are read again.
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
    use super::super::made::Made;
    use super::*;

    #[test]
    fn files_and_directories_are_read_and_each_certificate_counts_once() {
        let made = Made::new("roots");
        made.keys();
        let text = |name: &str| fs::read_to_string(made.path(name)).unwrap();
        fs::write(
            made.path("bundle.pem"),
            ["# one\n", &text("rsa.pem"), "# two\n", &text("p256.pem")].concat(),
        )
        .unwrap();
        fs::create_dir_all(made.path("cas")).unwrap();
        for name in ["rsa.pem", "p384.pem", "rsa.key"] {
            fs::copy(made.path(name), made.path("cas").join(name)).unwrap();
        }
        assert_eq!(read(&[made.path("bundle.pem")]).unwrap().len(), 2);
        assert_eq!(read(&[made.path("bundle.pem"), made.path("cas"), made.path("none")]).unwrap().len(), 3);
    }

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
