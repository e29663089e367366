//! TLS failures as sentences that say what to do: which certificate, which name, which date.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, Error as TlsError, InvalidMessage, OtherError};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::x509::{AltName, Certificate, Name};
use crate::error::{Code, Error, Phase};

/// Why a certificate was refused.
#[derive(Debug)]
pub struct Rejection {
    detail: Code,
    /// The end of a sentence that begins with the server.
    sentence: String,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Rejection {}

impl Rejection {
    pub fn new(detail: Code, sentence: String) -> Self {
        Rejection { detail, sentence }
    }
}

impl From<Rejection> for TlsError {
    fn from(rejection: Rejection) -> Self {
        TlsError::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(rejection))))
    }
}

/// What is wrong with `leaf`, in words.
pub fn rejection(cause: CertificateError, leaf: &CertificateDer<'_>, name: &ServerName<'_>) -> Rejection {
    let parsed = Certificate::parse(leaf);
    let of = |what: fn(&Certificate<'_>) -> String| parsed.as_ref().map(what).unwrap_or_default();
    let (detail, sentence) = match cause {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            let date = of(|certificate| certificate.not_after.to_string());
            (Code::CertExpired, format!("its certificate expired on {date}"))
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            let date = of(|certificate| certificate.not_before.to_string());
            (Code::CertNotYetValid, format!("its certificate is not valid before {date}"))
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = of(names);
            (Code::CertName, format!("its certificate was issued for {names}, not for {}", name.to_str()))
        }
        CertificateError::UnknownIssuer => {
            let sentence = match &parsed {
                Some(certificate) if certificate.subject == certificate.issuer => {
                    "its certificate is self-signed and not in ca_path".to_owned()
                }
                Some(certificate) => {
                    format!(
                        "its certificate was issued by {}, which is not trusted",
                        shown(&certificate.issuer)
                    )
                }
                None => "its certificate's issuer is not trusted".to_owned(),
            };
            (Code::CertIssuer, sentence)
        }
        // webpki has no name of its own for this in rustls's list.
        CertificateError::Other(other) if other.0.to_string().contains("CaUsedAsEndEntity") => (
            Code::CertInvalid,
            "its certificate is a CA's own, which can't be a server's unless it is in ca_path".to_owned(),
        ),
        other => (Code::CertInvalid, format!("its certificate is not acceptable: {other}")),
    };
    Rejection { detail, sentence }
}

/// Why a server could not show that it has its certificate's key.
pub fn bad_signature(error: TlsError, leaf: &CertificateDer<'_>) -> TlsError {
    const FEWEST_BITS: usize = 2048;
    match Certificate::parse(leaf).and_then(|certificate| certificate.rsa_bits()) {
        Some(bits) if bits < FEWEST_BITS => {
            let sentence =
                format!("its certificate has an RSA key of {bits} bits, at least {FEWEST_BITS} are needed");
            Rejection::new(Code::CertInvalid, sentence).into()
        }
        _ => error,
    }
}

/// Whether a certificate is valid now.
pub fn check_dates(leaf: &CertificateDer<'_>, now: UnixTime) -> Result<(), CertificateError> {
    let certificate = Certificate::parse(leaf).ok_or(CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now > certificate.not_after.unix() {
        return Err(CertificateError::Expired);
    }
    if now < certificate.not_before.unix() {
        return Err(CertificateError::NotValidYet);
    }
    Ok(())
}

/// The names that a certificate is for.
fn names(certificate: &Certificate<'_>) -> String {
    const MOST: usize = 10;
    let Some(listed) = certificate.alt_names() else {
        return "no name (it has no subjectAltName)".to_owned();
    };
    let mut names: Vec<String> = listed
        .iter()
        .map(|name| match name {
            AltName::Dns(name) => clean(&String::from_utf8_lossy(name)),
            AltName::Ip(address) => address.to_string(),
        })
        .collect();
    if names.len() > MOST {
        names.truncate(MOST);
        names.push("others".to_owned());
    }
    names.join(", ")
}

fn shown(name: &Name<'_>) -> String {
    format!("\"{}\"", clean(&name.to_string()))
}

/// What a peer wrote, fit to be shown.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// A failed handshake as an `error` event.
pub fn handshake_error(peer: &str, error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        let message =
            format!("{peer} closed the connection in the TLS handshake; does it speak TLS on this port?");
        return Error::event(Phase::Tls, Code::LinkLost, message);
    }
    let Some(tls) = tls_error(error) else {
        return Error::io(Phase::Tls, format!("The TLS handshake with {peer} failed"), error);
    };
    let (detail, cause) = match tls {
        TlsError::InvalidCertificate(CertificateError::Other(other)) => {
            match other.0.downcast_ref::<Rejection>() {
                Some(rejection) => (rejection.detail, rejection.sentence.clone()),
                None => (Code::CertInvalid, tls.to_string()),
            }
        }
        TlsError::InvalidMessage(InvalidMessage::InvalidContentType) => {
            (Code::Tls, "it does not speak TLS on this port".to_owned())
        }
        TlsError::PeerIncompatible(why) => {
            (Code::Tls, format!("it can't agree on how to speak TLS: {why:?}"))
        }
        TlsError::AlertReceived(alert) => refusal(*alert),
        other => (Code::Tls, other.to_string()),
    };
    Error::event(Phase::Tls, detail, format!("The TLS handshake with {peer} failed: {cause}."))
}

/// An alert that ends the TLS handshake after all: in TLS 1.3 this side has finished when the server looks at its
/// certificate (RFC 8446 4.4.2.4).
pub fn late_alert(peer: &str, error: &io::Error) -> Option<Error> {
    match tls_error(error) {
        Some(TlsError::AlertReceived(_)) => Some(handshake_error(peer, error)),
        _ => None,
    }
}

fn tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>())
}

/// Why a server refused, as its alert tells.
fn refusal(alert: AlertDescription) -> (Code, String) {
    use AlertDescription as Alert;
    match alert {
        Alert::ProtocolVersion => (Code::Tls, "it accepts none of the TLS versions that are allowed".into()),
        Alert::CertificateRequired => {
            (Code::ClientCertRequired, "it demands a client certificate (client_cert_path)".into())
        }
        // Of a server of TLS 1.2, which has no alert for a certificate that is missing.
        Alert::HandshakeFailure => {
            let why = "it has no cipher in common with this side, or demands a client certificate (client_cert_path)";
            (Code::Tls, why.into())
        }
        // No other certificate than this side's own can be meant.
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA => {
            (Code::ClientCertRefused, format!("it refused the client's certificate with the alert {alert:?}"))
        }
        alert => (Code::Tls, format!("it refused with the alert {alert:?}")),
    }
}

/// Whatever a server shows as its certificate, the sentence about it is fit for a log.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    let leaf = CertificateDer::from(data);
    let Ok(name) = ServerName::try_from("host") else { unreachable!() };
    for cause in [
        CertificateError::Expired,
        CertificateError::NotValidYet,
        CertificateError::NotValidForName,
        CertificateError::UnknownIssuer,
        CertificateError::BadEncoding,
    ] {
        let sentence = rejection(cause, &leaf, &name).sentence;
        assert!(sentence.len() < 10_000 && !sentence.contains(char::is_control), "{sentence}");
    }
    let _ = bad_signature(TlsError::DecryptError, &leaf);
    let _ = check_dates(&leaf, UnixTime::since_unix_epoch(std::time::Duration::from_secs(1 << 31)));
}
