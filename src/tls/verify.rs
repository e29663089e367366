//! Whether a server is who it says it is.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature, CryptoProvider};
use rustls::{CertificateError, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::describe;
use crate::error::{Code, Error, Phase, Result};

/// Verifies chain and host name, and trusts a server whose own certificate is among those configured.
#[derive(Debug)]
pub struct Verifier {
    /// `None` when no configured certificate can issue others.
    chain: Option<Arc<WebPkiServerVerifier>>,
    own: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    pub fn new(
        roots: RootCertStore,
        own: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self> {
        let chain = match roots.is_empty() {
            true => None,
            false => {
                let builder = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone());
                Some(builder.build().map_err(|error| {
                    Error::event(
                        Phase::Tls,
                        Code::CaFile,
                        format!("the CA certificates are unusable: {error}."),
                    )
                })?)
            }
        };
        Ok(Verifier { chain, own, provider })
    }

    /// A certificate that is trusted as it is: its name and dates must still be right.
    fn verify_own(leaf: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> Result<(), TlsError> {
        let bad = |_| TlsError::InvalidCertificate(CertificateError::BadEncoding);
        let certificate = webpki::EndEntityCert::try_from(leaf).map_err(bad)?;
        if certificate.verify_is_valid_for_subject_name(name).is_err() {
            return Err(CertificateError::NotValidForName.into());
        }
        describe::check_dates(leaf, now).map_err(TlsError::InvalidCertificate)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let result = match &self.chain {
            _ if self.own.iter().any(|own| own == leaf) => {
                Self::verify_own(leaf, name, now).map(|()| ServerCertVerified::assertion())
            }
            Some(chain) => chain.verify_server_cert(leaf, intermediates, name, ocsp, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        // The sentence needs the certificate, which nobody has any more when the handshake's error is told.
        result.map_err(|error| match error {
            TlsError::InvalidCertificate(cause) => describe::rejection(cause, leaf, name).into(),
            error => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
            .map_err(|error| describe::bad_signature(error, leaf))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
            .map_err(|error| describe::bad_signature(error, leaf))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Accepts any certificate, as `skip_server_cert_verification` says.
#[derive(Debug)]
pub struct AcceptAny(Vec<SignatureScheme>);

impl AcceptAny {
    pub fn new(provider: &CryptoProvider) -> Self {
        AcceptAny(provider.signature_verification_algorithms.supported_schemes())
    }
}

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    // Whoever accepts any certificate gains nothing from its signatures, and would lose servers whose keys
    // are too weak to be verified.
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}
