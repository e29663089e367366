//! Certificate and key files: whether they can be opened, whether they changed, and the certificates in them.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::pem;
use super::x509::Certificate;
use crate::error::{Code, Error, Phase, Result};

const CERTIFICATE: &str = "CERTIFICATE";
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
    /// Also changes with who may read it.
    changed: (i64, i64),
}

impl Stamp {
    /// `None` for what doesn't exist.
    fn of(path: &Path) -> Option<Stamp> {
        use std::os::unix::fs::MetadataExt;
        let metadata = fs::metadata(path).ok()?;
        Some(Stamp {
            inode: metadata.ino(),
            size: metadata.len(),
            modified: metadata.modified().ok()?,
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
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
    check_size(path)?;
    fs::read(path).map(Zeroizing::new).map_err(unreadable)
}

fn check_size(path: &Path) -> Result<(), String> {
    match fs::metadata(path).is_ok_and(|metadata| metadata.len() > LARGEST_FILE) {
        true => Err(format!("is larger than {LARGEST_FILE} bytes")),
        false => Ok(()),
    }
}

fn unreadable(error: io::Error) -> String {
    format!("can't be read: {error}")
}

/// The certificates of a PEM text, whatever else it holds.
pub fn certificates(text: &[u8]) -> impl Iterator<Item = Result<CertificateDer<'static>, String>> + '_ {
    let mut base64 = Vec::new();
    let certificates = pem::blocks(text).into_iter().filter(|block| block.label == CERTIFICATE);
    certificates.map(move |block| {
        let mut der = Vec::new();
        block.decode_to(&mut base64, &mut der).map(|()| der.into())
    })
}

/// Calls `each` for the certificates of a CA file, whether they are CAs' or a server's own. One that is broken is passed over if
/// others are not.
pub fn ca_certificates(path: &Path, mut each: impl FnMut(&[u8], &Certificate<'_>)) -> Result<()> {
    let (mut base64, mut der) = (Vec::new(), Vec::new());
    let mut problem = Some("holds no certificate".to_owned());
    let read = check_size(path).and_then(|()| {
        let file = File::open(path).map_err(unreadable)?;
        let blocks = pem::read_blocks(file, |block| {
            if block.label != CERTIFICATE {
                return;
            }
            let found = block.decode_to(&mut base64, &mut der).and_then(|()| {
                Certificate::parse(&der).ok_or_else(|| "holds no certificate that can be read".to_owned())
            });
            match found {
                Ok(certificate) => {
                    problem = None;
                    each(&der, &certificate);
                }
                Err(broken) => problem = problem.take().map(|_| broken),
            }
        });
        blocks.map_err(unreadable)
    });
    match read.err().or(problem) {
        None => Ok(()),
        Some(what) => {
            Err(Error::event(Phase::Tls, Code::CaFile, format!("the CA file {} {what}.", path.display())))
        }
    }
}
