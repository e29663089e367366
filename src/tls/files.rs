//! Certificate files: PEM in, DER out. The only place that knows the PEM parser.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::CertificateDer;

use crate::error::{Code, Error, Phase, Result};

/// Larger files are no certificate files.
const LARGEST_FILE: u64 = 16 << 20;

/// Whether a file can be opened; found out at once, while its content is read later.
pub fn check_file(path: &Path) -> Result<()> {
    // Looked at before it is opened, since opening a pipe would wait for its writer.
    let opened = fs::metadata(path).and_then(|metadata| match metadata.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("it is not a file")),
    });
    match opened {
        Ok(_) => Ok(()),
        Err(error) => Err(Error {
            os_error: error.raw_os_error().unwrap_or(0),
            ..Error::call(Code::CertFile, format!("{} can't be opened: {error}.", path.display()))
        }),
    }
}

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: u64,
    modified: SystemTime,
}

impl Stamp {
    pub fn of(path: &Path) -> io::Result<Stamp> {
        use std::os::unix::fs::MetadataExt;
        let metadata = fs::metadata(path)?;
        Ok(Stamp { inode: metadata.ino(), size: metadata.len(), modified: metadata.modified()? })
    }
}

/// The certificates of a PEM file.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let unusable = |what: String| {
        Error::event(Phase::Tls, Code::CaFile, format!("the CA file {} {what}.", path.display()))
    };
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() > LARGEST_FILE) {
        return Err(unusable(format!("is larger than {LARGEST_FILE} bytes")));
    }
    let text = fs::read(path).map_err(|error| unusable(format!("can't be read: {error}")))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(format!("is not valid PEM: {error}")))?;
    if certificates.is_empty() {
        return Err(unusable("holds no certificate".into()));
    }
    match certificates.iter().any(|certificate| webpki::EndEntityCert::try_from(certificate).is_ok()) {
        true => Ok(certificates),
        false => Err(unusable("holds no certificate that can be read".into())),
    }
}
