//! Whether a peer has the key of its certificate, as its signature in the handshake shows.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature, CryptoProvider};
use rustls::{DigitallySignedStruct, Error as TlsError};
use rustls_pki_types::CertificateDer;

use super::describe;

/// Checks the signature of a handshake in TLS 1.2.
pub fn check_tls12(
    provider: &CryptoProvider,
    message: &[u8],
    leaf: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, TlsError> {
    verify_tls12_signature(message, leaf, signed, &provider.signature_verification_algorithms)
        .map_err(|error| describe::bad_signature(error, leaf))
}

/// Checks the signature of a handshake in TLS 1.3.
pub fn check_tls13(
    provider: &CryptoProvider,
    message: &[u8],
    leaf: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, TlsError> {
    verify_tls13_signature(message, leaf, signed, &provider.signature_verification_algorithms)
        .map_err(|error| describe::bad_signature(error, leaf))
}
