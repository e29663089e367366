//! Who this side is: a certificate chain and the private key that belongs to it, for a client or a server.
//!
//! What this module makes of a key on the way is wiped; what the TLS library keeps of it, to sign with, is not.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use x509_parser::parse_x509_certificate;

use super::{files, pem};
use crate::error::{Code, Error, Phase, Result};
use crate::secret::Secret;

/// Reads a PEM chain, the own certificate first, and its PEM key. The two may be one file.
///
/// It may take seconds when the key is encrypted, so it is called where it blocks nobody. The errors' sentences
/// begin with a small letter: the caller says before them for what TLS was to be set up.
pub fn load(cert_path: &Path, key_path: &Path, password: Option<&Secret>) -> Result<Arc<CertifiedKey>> {
    let chain = chain(cert_path).map_err(|what| {
        let message = format!("the certificate file {} {what}.", cert_path.display());
        Error::event(Phase::Tls, Code::CertContent, message)
    })?;
    let key = key(key_path, password).map_err(|(detail, what)| {
        Error::event(Phase::Tls, detail, format!("the key file {} {what}.", key_path.display()))
    })?;
    if !belong_together(&chain, key.as_ref()) {
        let message = format!(
            "the private key in {} does not belong to the first certificate in {}.",
            key_path.display(),
            cert_path.display()
        );
        return Err(Error::event(Phase::Tls, Code::KeyMismatch, message));
    }
    Ok(Arc::new(CertifiedKey::new(chain, key)))
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = files::read(path)?;
    let chain: Vec<_> = files::certificates(&text).collect::<Result<_, _>>()?;
    if chain.is_empty() {
        return Err("holds no PEM certificate".into());
    }
    match chain.iter().all(|certificate| parse_x509_certificate(certificate).is_ok()) {
        true => Ok(chain),
        false => Err("holds a certificate that can't be read".into()),
    }
}

/// The first private key of a file; or what is wrong with it, as the end of a sentence.
fn key(path: &Path, password: Option<&Secret>) -> Result<Arc<dyn SigningKey>, (Code, String)> {
    let unusable = |what: String| (Code::KeyContent, what);
    let text = files::read(path).map_err(unusable)?;
    let block = pem::blocks(&text)
        .into_iter()
        .find(|block| block.label.ends_with("PRIVATE KEY"))
        .ok_or_else(|| unusable("holds no PEM private key".into()))?;
    if block.header("DEK-Info").is_some() || block.label == "ENCRYPTED PRIVATE KEY" {
        return Err(match password {
            None => (Code::NoPassword, "holds an encrypted private key, and no password was given".into()),
            Some(_) => (Code::KeyForm, "holds an encrypted private key".into()),
        });
    }
    let content = block.decode().map_err(unusable)?;
    signing_key(block.label, &content)
}

fn signing_key(label: &str, der: &[u8]) -> Result<Arc<dyn SigningKey>, (Code, String)> {
    let der = match label {
        "PRIVATE KEY" => PrivateKeyDer::from(PrivatePkcs8KeyDer::from(der)),
        "RSA PRIVATE KEY" => PrivatePkcs1KeyDer::from(der).into(),
        "EC PRIVATE KEY" => PrivateSec1KeyDer::from(der).into(),
        other => return Err((Code::KeyForm, format!("holds a key of a form that can't be read: {other}"))),
    };
    ring::sign::any_supported_type(&der).map_err(|_| {
        let known = "RSA of 2048 to 8192 bits, ECDSA on P-256 or P-384, Ed25519";
        (Code::KeyContent, format!("holds a private key that is damaged or not of a known kind ({known})"))
    })
}

/// Whether the key is the one that the first certificate is for.
fn belong_together(chain: &[CertificateDer<'_>], key: &dyn SigningKey) -> bool {
    let Some(Ok((_, leaf))) = chain.first().map(|leaf| parse_x509_certificate(leaf)) else { return false };
    key.public_key().is_some_and(|public| public.as_ref() == leaf.public_key().raw)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;

    /// A directory of keys and certificates that OpenSSL makes.
    struct Made(PathBuf);

    impl Made {
        fn new(name: &str) -> Made {
            let path = std::env::temp_dir().join(format!("nsws-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Made(path)
        }

        fn openssl(&self, arguments: &str) {
            let output =
                Command::new("openssl").args(arguments.split(' ')).current_dir(&self.0).output().unwrap();
            assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        }

        fn load(&self, cert: &str, key: &str) -> Result<Arc<CertifiedKey>> {
            load(&self.0.join(cert), &self.0.join(key), None)
        }

        fn refused(&self, cert: &str, key: &str, detail: Code, words: &str) {
            let error = self.load(cert, key).unwrap_err();
            assert_eq!(error.detail, detail, "{error}");
            assert!(error.message.contains(words), "{error}");
        }
    }

    impl Drop for Made {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn each_kind_of_key_is_read_in_each_plain_container() {
        let made = Made::new("plain-keys");
        for (kind, arguments, traditional) in [
            ("rsa", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048", true),
            ("p256", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256", true),
            ("p384", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384", true),
            ("ed25519", "-algorithm ED25519", false),
        ] {
            made.openssl(&format!("genpkey {arguments} -out {kind}.key"));
            made.openssl(&format!("req -x509 -key {kind}.key -subj /CN={kind} -out {kind}.pem"));
            assert_eq!(made.load(&format!("{kind}.pem"), &format!("{kind}.key")).unwrap().cert.len(), 1);
            if traditional {
                made.openssl(&format!("pkey -in {kind}.key -traditional -out old.key"));
                made.load(&format!("{kind}.pem"), "old.key").unwrap();
            }
        }
        made.refused("rsa.pem", "p256.key", Code::KeyMismatch, "does not belong");
        made.refused("rsa.key", "rsa.key", Code::CertContent, "holds no PEM certificate");
        made.refused("rsa.pem", "rsa.pem", Code::KeyContent, "holds no PEM private key");
        made.refused("none.pem", "rsa.key", Code::CertContent, "can't be read");
        made.refused("rsa.pem", "none.key", Code::KeyContent, "can't be read");

        // Version 1, which `openssl x509 -req` makes.
        made.openssl("req -new -key p256.key -subj /CN=v1 -out v1.csr");
        made.openssl("x509 -req -in v1.csr -CA rsa.pem -CAkey rsa.key -set_serial 1 -out v1.pem");
        made.load("v1.pem", "p256.key").unwrap();
    }
}
