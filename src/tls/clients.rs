//! Verifies the certificates that a server demands from its clients.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error as TlsError, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, Error as Fault, KeyUsage};

use super::describe::{self, clean};
use super::pem::certificate_pem;
use super::presented::fingerprint;
use super::x509::Certificate;
use super::{files, signature};
use crate::error::Result;

/// The certificate by which a client has proved its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Its subject, as "CN=..., O=...".
    pub subject: String,
    /// The SHA-256 of its DER, in small hexadecimal digits.
    pub fingerprint: String,
    /// The certificate.
    pub pem: String,
}

impl ClientCertificate {
    /// Describes a certificate that was verified.
    pub(crate) fn of(der: &[u8]) -> ClientCertificate {
        let subject = Certificate::parse(der).map(|certificate| clean(&certificate.subject.to_string()));
        ClientCertificate {
            subject: subject.unwrap_or_default(),
            fingerprint: fingerprint(der),
            pem: certificate_pem(der),
        }
    }
}

/// Demands a certificate that one of some CAs has issued for clients, or that is itself among those configured.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    roots: RootCertStore,
    own: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ClientVerifier {
    /// Trusts the certificates of a PEM file, as a client trusts those of `ca_path`.
    pub fn read(path: &Path, provider: Arc<CryptoProvider>) -> Result<ClientVerifier> {
        let (mut roots, mut own) = (RootCertStore::empty(), Vec::new());
        files::ca_certificates(path, |der, certificate| {
            if certificate.may_issue() {
                // What webpki can't read vouches for nobody.
                let _ = roots.add(CertificateDer::from(der));
            }
            own.push(der.to_vec().into());
        })?;
        Ok(ClientVerifier { roots, own, provider })
    }

    fn verify_chain(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Fault> {
        let algorithms = self.provider.signature_verification_algorithms.all;
        let (roots, usage) = (&self.roots.roots, KeyUsage::client_auth());
        let leaf = EndEntityCert::try_from(leaf)?;
        leaf.verify_for_usage(algorithms, roots, intermediates, now, usage, None, None).map(drop)
    }
}

impl ClientCertVerifier for ClientVerifier {
    /// None: a client sends the one that it has.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        let verified = match self.own.iter().any(|own| own == leaf) {
            true => describe::check_dates(leaf, now),
            false => self.verify_chain(leaf, intermediates, now).map_err(|fault| match fault {
                Fault::CertExpired { .. } => CertificateError::Expired,
                Fault::CertNotValidYet { .. } => CertificateError::NotValidYet,
                Fault::UnknownIssuer => CertificateError::UnknownIssuer,
                Fault::BadDer | Fault::BadDerTime => CertificateError::BadEncoding,
                Fault::InvalidSignatureForPublicKey => CertificateError::BadSignature,
                Fault::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
                fault => CertificateError::Other(rustls::OtherError(Arc::new(fault))),
            }),
        };
        verified.map(|()| ClientCertVerified::assertion()).map_err(TlsError::InvalidCertificate)
    }

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
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
