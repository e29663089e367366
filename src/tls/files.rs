//! Certificate and key files: whether they can be opened, whether they changed, and the certificates in them.

use std::fs::{self, File};
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::pem::{self, Block};
use super::x509::Certificate;
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

/// Files and directories as they were at one time.
#[derive(Clone, Debug)]
pub struct Stamps(Vec<(PathBuf, Option<Stamp>)>);

/// What changes when a file does. A directory changes when one of its entries comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: SystemTime,
}

impl Stamp {
    /// `None` for what doesn't exist.
    fn of(path: &Path) -> Option<Stamp> {
        use std::os::unix::fs::MetadataExt;
        let metadata = fs::metadata(path).ok()?;
        Some(Stamp { inode: metadata.ino(), size: metadata.len(), modified: metadata.modified().ok()? })
    }
}

impl Stamps {
    /// To be taken before the files are read, so that a change meanwhile is noticed the next time.
    pub fn of(paths: impl IntoIterator<Item = PathBuf>) -> Stamps {
        let stamped = paths.into_iter().map(|path| {
            let stamp = Stamp::of(&path);
            (path, stamp)
        });
        Stamps(stamped.collect())
    }

    pub fn are_current(&self) -> bool {
        self.0.iter().all(|(path, stamp)| Stamp::of(path) == *stamp)
    }
}

/// What a file holds; or why it can't be had, as the end of a sentence. Wiped, since it may hold a key.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() > LARGEST_FILE) {
        return Err(format!("is larger than {LARGEST_FILE} bytes"));
    }
    fs::read(path).map(Zeroizing::new).map_err(|error| format!("can't be read: {error}"))
}

/// The certificates of a PEM file, whatever else it holds.
pub fn certificates(text: &[u8]) -> impl Iterator<Item = Result<CertificateDer<'static>, String>> + '_ {
    certificates_of(pem::blocks(text))
}

fn certificates_of(
    blocks: Vec<Block<'_>>,
) -> impl Iterator<Item = Result<CertificateDer<'static>, String>> + '_ {
    let mut base64 = Vec::new();
    let certificates = blocks.into_iter().filter(|block| block.label == "CERTIFICATE");
    certificates.map(move |block| block.decode_public(&mut base64).map(CertificateDer::from))
}

/// The certificates of a CA file, whether they are CAs' or a server's own. One that is broken is passed over if others are not.
pub fn ca_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let unusable = |what: String| {
        Error::event(Phase::Tls, Code::CaFile, format!("the CA file {} {what}.", path.display()))
    };
    let mut text = read(path).map_err(unusable)?;
    let (mut usable, mut problem) = (Vec::new(), "holds no certificate".to_owned());
    let blocks = pem::blocks(&text);
    let is_public = !blocks.is_empty() && blocks.iter().all(|block| block.label == "CERTIFICATE");
    for certificate in certificates_of(blocks) {
        match certificate {
            Ok(certificate) if Certificate::parse(&certificate).is_some() => usable.push(certificate),
            Ok(_) => problem = "holds no certificate that can be read".into(),
            Err(broken) => problem = broken,
        }
    }
    if is_public {
        // Wiping would take as long as decoding.
        drop(mem::take(&mut *text));
    }
    match usable.is_empty() {
        false => Ok(usable),
        true => Err(unusable(problem)),
    }
}
