//! A server's certificates, as the program adds and renews them.

use super::certificates::Certificates;
use super::options::CertificateFiles;
use super::Server;
use crate::error::{Code, Result};

impl Server {
    /// Adds a certificate, until the server is destroyed.
    pub fn add_certificate(&self, files: CertificateFiles) -> Result<()> {
        // At once, also when nobody listens.
        Certificates::check(&files)?;
        let mut added = self.certificates.lock();
        let listening = match self.listening() {
            Ok(listening) => listening.tls.clone(),
            Err(error) if error.code == Code::NotListening => None,
            Err(error) => return Err(error),
        };
        if let Some(certificates) = listening {
            certificates.add(&files)?;
        }
        if !added.contains(&files) {
            added.push(files);
        }
        Ok(())
    }

    /// Reads the files of all certificates again.
    pub fn reload_certificates(&self) -> Result<()> {
        match &self.listening()?.tls {
            Some(certificates) => certificates.reload(),
            None => Ok(()),
        }
    }
}
