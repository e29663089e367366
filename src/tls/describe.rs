//! TLS failures as sentences that say what to do: which certificate, which name, which date.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use rustls::{
    AlertDescription, CertificateError, Error as TlsError, InvalidMessage, OtherError, PeerMisbehaved,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::der::Der;
use super::x509::{AltName, Certificate, Date, Name};
use crate::error::{Code, Error, Phase};

/// Why a certificate was refused.
#[derive(Clone, Debug)]
pub struct Rejection {
    detail: Code,
    /// The end of a sentence that begins with the server.
    sentence: String,
    /// What was presented. It is gone when the handshake's error arrives.
    chain: Vec<CertificateDer<'static>>,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Rejection {}

impl Rejection {
    pub fn new(detail: Code, sentence: String) -> Self {
        Rejection { detail, sentence, chain: Vec::new() }
    }

    /// Keeps what was presented.
    pub fn of(self, leaf: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Self {
        let presented = std::iter::once(leaf).chain(intermediates);
        Rejection { chain: presented.map(|der| der.clone().into_owned()).collect(), ..self }
    }

    fn within(error: &TlsError) -> Option<&Rejection> {
        match error {
            TlsError::InvalidCertificate(CertificateError::Other(OtherError(said))) => said.downcast_ref(),
            _ => None,
        }
    }
}

impl From<Rejection> for TlsError {
    fn from(rejection: Rejection) -> Self {
        TlsError::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(rejection))))
    }
}

/// What is wrong with `leaf`, or with one of those between it and its CA, in words.
fn rejection(
    cause: CertificateError,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    name: &ServerName<'_>,
) -> Rejection {
    let parsed = Certificate::parse(leaf);
    let whose = |date: fn(&Certificate<'_>) -> Date, found: Option<UnixTime>| {
        let is_meant = |of: &Certificate<'_>| {
            let seconds = u64::try_from(date(of).unix()).unwrap_or_default();
            found.is_none_or(|found| found.as_secs() == seconds)
        };
        match &parsed {
            Some(leaf) if is_meant(leaf) => Some(("its certificate".to_owned(), date(leaf))),
            _ => intermediates
                .iter()
                .filter_map(|der| Certificate::parse(der))
                .find(is_meant)
                .map(|ca| (format!("the certificate of its CA {}", shown(&ca.subject)), date(&ca))),
        }
    };
    let dated = |what: &str, whose: Option<(String, Date)>| match whose {
        Some((whose, date)) => format!("{whose} {what} {date}"),
        None => format!("its certificate {what} a date that can't be read"),
    };
    let is_self_signed = parsed.as_ref().is_some_and(|leaf| leaf.subject == leaf.issuer);
    let (detail, sentence) = match &cause {
        CertificateError::Expired => (Code::CertExpired, dated("expired on", whose(|it| it.not_after, None))),
        CertificateError::ExpiredContext { not_after, .. } => {
            (Code::CertExpired, dated("expired on", whose(|it| it.not_after, Some(*not_after))))
        }
        CertificateError::NotValidYet => {
            (Code::CertNotYetValid, dated("is not valid before", whose(|it| it.not_before, None)))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            let whose = whose(|it| it.not_before, Some(*not_before));
            (Code::CertNotYetValid, dated("is not valid before", whose))
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = parsed.as_ref().map(names).unwrap_or_else(|| "names that can't be read".to_owned());
            let name = match name {
                ServerName::IpAddress(_) if names.contains(AS_DNS) => {
                    format!("{} as an IP address", name.to_str())
                }
                name => name.to_str().into_owned(),
            };
            (Code::CertName, format!("its certificate was issued for {names}, not for {name}"))
        }
        cause if is_self_signed && (*cause == CertificateError::UnknownIssuer || is_a_cas_own(cause)) => (
            Code::CertIssuer,
            "its certificate is self-signed and not among those that are trusted".to_owned(),
        ),
        CertificateError::UnknownIssuer => {
            let sentence = match &parsed {
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
        other => {
            let version = parsed.map(|certificate| certificate.version);
            (Code::CertInvalid, fault(other, version))
        }
    };
    Rejection::new(detail, sentence)
}

/// The error of a verification; what is wrong with a certificate is put in words.
pub fn refused(
    error: TlsError,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    name: &ServerName<'_>,
) -> TlsError {
    let in_words = Rejection::within(&error).cloned();
    let rejection = match (in_words, error) {
        (Some(rejection), _) => rejection,
        (None, TlsError::InvalidCertificate(cause)) => rejection(cause, leaf, intermediates, name),
        (None, error) => return error,
    };
    rejection.of(leaf, intermediates).into()
}

/// A server has shown a CA's certificate as its own. Most tools make self-signed certificates so.
fn is_a_cas_own(cause: &CertificateError) -> bool {
    matches!(cause, CertificateError::Other(other) if other.0.to_string() == "CaUsedAsEndEntity")
}

/// What makes a certificate unusable, whether a server or a client shows it. `version`: the certificate's own, if it is known.
fn fault(cause: &CertificateError, version: Option<u64>) -> String {
    const DAMAGED: &str = "its certificate, or one of its CAs', is damaged";
    let sentence = match cause {
        CertificateError::BadEncoding => DAMAGED,
        CertificateError::BadSignature => "its certificate, or one of its CAs', was not signed by its issuer",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its certificate is not for servers: its extended key usage leaves them out"
        }
        CertificateError::UnhandledCriticalExtension => UNKNOWN_EXTENSION,
        CertificateError::UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. } => {
            return unsupported(signature_algorithm_id);
        }
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "its certificate, or one of its CAs', is signed by a key of a kind that can't be verified here (known are RSA, \
             ECDSA on P-256 or P-384, and Ed25519)"
        }
        // What webpki has and rustls has no name for: webpki's names.
        CertificateError::Other(other) => match other.0.to_string().as_str() {
            "CaUsedAsEndEntity" => {
                "its certificate is a CA's own, which a server may show only if that very certificate is trusted"
            }
            "EndEntityUsedAsCa" => "its certificate was issued by a certificate that is not a CA's",
            "PathLenConstraintViolated" | "MaximumPathDepthExceeded" => {
                "there are more CAs between its certificate and a trusted one than are allowed"
            }
            "NameConstraintViolation" => "its certificate has a name for which its CA must not issue any",
            "UnsupportedCertVersion" if version.is_some_and(|version| version < 3) => {
                return format!(
                    "its certificate is of X.509 version {}, which can't name the hosts that it is for; one of version 3 with \
                     a subjectAltName is needed",
                    version.unwrap_or_default()
                );
            }
            "UnsupportedCertVersion" => "one of its CAs' certificates is not of X.509 version 3",
            "UnsupportedCriticalExtension" => UNKNOWN_EXTENSION,
            "MaximumPathBuildCallsExceeded"
            | "MaximumSignatureChecksExceeded"
            | "MaximumNameConstraintComparisonsExceeded" => {
                "the certificates that it sends take too much work to verify"
            }
            _ => DAMAGED,
        },
        _ => "its certificate is not acceptable",
    };
    sentence.to_owned()
}

const UNKNOWN_EXTENSION: &str =
    "its certificate, or one of its CAs', has a critical extension whose meaning is not known here";

/// A signature that can't be verified, by its algorithm's DER.
fn unsupported(algorithm: &[u8]) -> String {
    const OLD_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1];
    const SHA1_ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1];
    const SHA1_DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3];
    let name = Der(algorithm).take(0x06).unwrap_or_default();
    let weak = match name.strip_prefix(OLD_RSA) {
        Some([2 | 4]) => Some("MD5"),
        Some([5]) => Some("SHA-1"),
        _ if name == SHA1_ECDSA || name == SHA1_DSA => Some("SHA-1"),
        _ => None,
    };
    let whose = "its certificate, or one of its CAs', is signed";
    match weak {
        Some(hash) => format!("{whose} with {hash}, which can be forged"),
        None => format!(
            "{whose} in a way that can't be verified here (known are RSA, ECDSA on P-256 or P-384, and Ed25519, with SHA-256 \
             to SHA-512)"
        ),
    }
}

/// RSA keys whose signatures can be verified, by their bits.
pub const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

/// Why a peer could not show that it has its certificate's key.
pub fn bad_signature(error: TlsError, leaf: &CertificateDer<'_>) -> TlsError {
    let bits = Certificate::parse(leaf).and_then(|certificate| certificate.rsa_bits());
    let bound = match bits {
        Some(bits) if bits < *RSA_BITS.start() => format!("at least {} are needed", RSA_BITS.start()),
        Some(bits) if bits > *RSA_BITS.end() => format!("at most {} can be verified", RSA_BITS.end()),
        _ => return error,
    };
    let sentence = format!("its certificate has an RSA key of {} bits, {bound}", bits.unwrap_or_default());
    Rejection::new(Code::CertInvalid, sentence).of(leaf, &[]).into()
}

/// A certificate that an RSA key of so many bits has signed, which can't be verified.
pub fn unverified_signer(bits: usize) -> TlsError {
    let (least, most) = RSA_BITS.into_inner();
    let sentence = format!(
        "its certificate, or one of its CAs', is signed by an RSA key of {bits} bits; those of {least} to {most} can be verified"
    );
    Rejection::new(Code::CertInvalid, sentence).into()
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
    let mut names: Vec<String> = listed.iter().map(alt_name).collect();
    if names.is_empty() {
        return "no host (its subjectAltName names none)".to_owned();
    }
    if names.len() > MOST {
        names.truncate(MOST);
        names.push("others".to_owned());
    }
    names.join(", ")
}

const AS_DNS: &str = " as a DNS name";

/// One of the names that a certificate is for.
pub(super) fn alt_name(name: &AltName<'_>) -> String {
    match name {
        AltName::Dns(name) => {
            let name = clean(&String::from_utf8_lossy(name));
            // It looks like the address that it isn't (RFC 9525 6.3).
            let ending = if name.parse::<IpAddr>().is_ok() { AS_DNS } else { "" };
            format!("{name}{ending}")
        }
        AltName::Ip(address) => address.to_string(),
    }
}

fn shown(name: &Name<'_>) -> String {
    format!("\"{}\"", clean(&name.to_string()))
}

/// What a peer wrote, fit to be shown.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// What the server had presented when the handshake failed, if that was why.
pub fn presented(error: &io::Error) -> Vec<CertificateDer<'static>> {
    tls_error(error).and_then(Rejection::within).map(|rejection| rejection.chain.clone()).unwrap_or_default()
}

/// A failed handshake as an `error` event.
pub fn handshake_error(peer: &str, error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        let message =
            format!("{peer} closed the connection in the TLS handshake: it may not speak TLS on this port, or its certificate has a key of a kind that can't be verified here.");
        return Error::event(Phase::Tls, Code::LinkLost, message);
    }
    let Some(tls) = tls_error(error) else {
        return Error::io(Phase::Tls, format!("The TLS handshake with {peer} failed"), error);
    };
    let (detail, cause) = match tls {
        TlsError::InvalidCertificate(cause) => match Rejection::within(tls) {
            Some(rejection) => (rejection.detail, rejection.sentence.clone()),
            None => (Code::CertInvalid, fault(cause, None)),
        },
        TlsError::InvalidMessage(InvalidMessage::InvalidContentType) => {
            (Code::Tls, "the server does not speak TLS on this port".to_owned())
        }
        TlsError::PeerIncompatible(why) => {
            (Code::Tls, format!("no TLS version or cipher suits both sides: {why:?}"))
        }
        TlsError::AlertReceived(alert) => refusal(*alert),
        TlsError::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedApplicationProtocol) => {
            (Code::Alpn, "it chose a protocol that was not offered".to_owned())
        }
        // Of a server of TLS 1.2 with such a key, whose signature this side takes for one of another kind.
        TlsError::PeerMisbehaved(PeerMisbehaved::SignedKxWithWrongAlgorithm) => (
            Code::Tls,
            "its key is of a kind, such as for RSA-PSS alone, that can't be used with TLS 1.2 here"
                .to_owned(),
        ),
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
            let why = "it has no cipher in common with this side, has a certificate with a key of a kind that can't be verified \
                       here (such as P-521), or demands a client certificate (client_cert_path)";
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
        Alert::NoApplicationProtocol => (Code::Alpn, "it does not speak http/1.1 inside TLS".into()),
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
        let sentence = rejection(cause, &leaf, &[CertificateDer::from(data)], &name).sentence;
        assert!(sentence.len() < 10_000 && !sentence.contains(char::is_control), "{sentence}");
    }
    let _ = bad_signature(TlsError::DecryptError, &leaf);
    let _ = check_dates(&leaf, UnixTime::since_unix_epoch(std::time::Duration::from_secs(1 << 31)));
}
