//! The secrets of TLS connections, for debugging their traffic: in no build that is shipped.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use parking_lot::Mutex;
use rustls::KeyLog;

use crate::log::{log, Level};

/// A file in the format that Wireshark reads, NSS's.
#[derive(Debug)]
pub(super) struct KeyLogFile(Mutex<File>);

impl KeyLogFile {
    /// The file that is named, at whose end the secrets go.
    pub fn open(path: &Path) -> Option<Arc<dyn KeyLog>> {
        let shown = path.display();
        match OpenOptions::new().append(true).create(true).open(path) {
            Ok(file) => {
                log(Level::Warn, || format!("The secrets of TLS connections are written to {shown}."));
                Some(Arc::new(KeyLogFile(Mutex::new(file))))
            }
            Err(error) => {
                log(Level::Error, || format!("The key log {shown} can't be written: {error}."));
                None
            }
        }
    }
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!("{label} {} {}\n", HEXLOWER.encode(client_random), HEXLOWER.encode(secret));
        // There is nowhere to report a full disk.
        let _ = self.0.lock().write_all(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::make;
    use super::super::made::Made;
    use super::super::{TlsOptions, TlsVersion, Trust};

    #[test]
    fn secrets_go_to_the_end_of_the_file_that_is_named() {
        let made = Made::new("key-log");
        let path = made.path("keys");
        std::fs::write(&path, "# before\n").unwrap();
        let options = TlsOptions {
            trust: Trust::Anybody,
            pins: Vec::new(),
            client_cert: None,
            min_version: TlsVersion::Tls12,
            key_log: Some(path.clone()),
        };
        let config = make(&options).unwrap().config;
        assert!(config.key_log.will_log("CLIENT_RANDOM"));
        config.key_log.log("CLIENT_RANDOM", &[1, 0xab], &[0xff]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "# before\nCLIENT_RANDOM 01ab ff\n");
    }
}
