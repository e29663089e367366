//! Public-key pins: the server's key must be one that the program knows, whichever CA issued its certificate.

use std::fmt;
use std::sync::Arc;

use data_encoding::BASE64;
use ring::digest::{digest, SHA256};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error as TlsError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::describe::{self, Rejection};
use super::signature;
use crate::error::{Code, Error, Result};

/// The SHA-256 of a SubjectPublicKeyInfo.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKeyPin([u8; 32]);

impl PublicKeyPin {
    /// Reads a list in curl's notation: `sha256//BASE64`, several separated by semicolons.
    pub fn parse_list(text: &str) -> Result<Vec<PublicKeyPin>> {
        text.split(';').map(Self::parse).collect()
    }

    fn parse(text: &str) -> Result<PublicKeyPin> {
        let hash = text.strip_prefix("sha256//").and_then(|base64| BASE64.decode(base64.as_bytes()).ok());
        hash.and_then(|hash| hash.try_into().ok()).map(PublicKeyPin).ok_or_else(|| {
            let message = format!("The public-key pin {text:?} is not sha256// and 44 characters of base64.");
            Error::call(Code::Parameter, message)
        })
    }

    /// The pin of a SubjectPublicKeyInfo, as DER.
    pub(super) fn of(key: &[u8]) -> PublicKeyPin {
        let mut pin = [0; 32];
        // The digest is as long.
        pin.copy_from_slice(digest(&SHA256, key).as_ref());
        PublicKeyPin(pin)
    }
}

impl fmt::Display for PublicKeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256//{}", BASE64.encode(&self.0))
    }
}

impl fmt::Debug for PublicKeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whatever else is asked of a server, and a key that is pinned.
#[derive(Debug)]
pub struct Pinned {
    pub inner: Arc<dyn ServerCertVerifier>,
    pub pins: Vec<PublicKeyPin>,
    pub provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let verified = self.inner.verify_server_cert(leaf, intermediates, name, ocsp, now)?;
        let parsed = ParsedCertificate::try_from(leaf)
            .map_err(|error| describe::refused(error, leaf, intermediates, name))?;
        let pin = PublicKeyPin::of(&parsed.subject_public_key_info());
        if self.pins.contains(&pin) {
            return Ok(verified);
        }
        let sentence = format!("its public key is {pin}, which is not pinned");
        Err(Rejection::new(Code::PinMismatch, sentence).of(leaf, intermediates).into())
    }

    // Not the inner verifier's: one that accepts anybody doesn't look at signatures, and a certificate is public.
    // Its signature is what shows that the server has the pinned key.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        signature::check_tls12(&self.provider, message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        signature::check_tls13(&self.provider, message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        // What can't be verified would be no proof.
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "sha256//AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn pins_are_read_in_curl_s_notation() {
        let pins = PublicKeyPin::parse_list(ONE).unwrap();
        assert_eq!((pins.len(), pins[0].0[31], pins[0].to_string().as_str()), (1, 31, ONE));
        assert_eq!(PublicKeyPin::parse_list(&format!("{ONE};{ONE}")).unwrap().len(), 2);
        for bad in
            ["", ";", "sha256//", "sha256//AAAA", "sha1//AAAA", "SHA256//", &ONE[8..], &ONE[..51], "x;y"]
        {
            assert_eq!(PublicKeyPin::parse_list(bad).unwrap_err().code, Code::Parameter, "{bad}");
            assert!(PublicKeyPin::parse_list(&format!("{ONE};{bad}")).is_err(), "{bad}");
        }
        assert!(PublicKeyPin::parse_list(&format!("{ONE}; {ONE}")).is_err());
    }
}
