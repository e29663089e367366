//! A certificate that a server has presented, as programs see it.

use data_encoding::HEXLOWER;
use ring::digest::{digest, SHA256};

use super::describe::{alt_name, clean};
use super::pem::certificate_pem;
use super::pins::PublicKeyPin;
use super::x509::Certificate;

/// A certificate that a server has presented. Of one that can't be read, only what needs no reading is there: DER, PEM and
/// fingerprint. Names are without control characters, and cut after 200 characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerCertificate {
    /// The certificate.
    pub der: Vec<u8>,
    /// The certificate.
    pub pem: String,
    /// The SHA-256 of its DER, in small hexadecimal digits.
    pub fingerprint: String,
    /// Its subject, as "CN=..., O=...".
    pub subject: String,
    /// Its issuer, in the same form.
    pub issuer: String,
    /// The hosts and IP addresses that it is for.
    pub names: Vec<String>,
    /// Its public key as a pin, or "".
    pub pin: String,
    /// From when on it is valid, in seconds since 1970.
    pub not_before: i64,
    /// Up to when it is valid, that second included.
    pub not_after: i64,
}

impl ServerCertificate {
    /// Reads a certificate.
    pub(crate) fn of(der: &[u8]) -> ServerCertificate {
        let unread = ServerCertificate {
            der: der.to_vec(),
            pem: certificate_pem(der),
            fingerprint: fingerprint(der),
            ..ServerCertificate::default()
        };
        let Some(certificate) = Certificate::parse(der) else { return unread };
        ServerCertificate {
            subject: clean(&certificate.subject.to_string()),
            issuer: clean(&certificate.issuer.to_string()),
            names: certificate.alt_names().unwrap_or_default().iter().map(alt_name).collect(),
            pin: PublicKeyPin::of(certificate.public_key).to_string(),
            not_before: certificate.not_before.unix(),
            not_after: certificate.not_after.unix(),
            ..unread
        }
    }
}

/// The SHA-256 of a certificate, in small hexadecimal digits.
pub(super) fn fingerprint(der: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, der).as_ref())
}

/// Whatever a server presents, what is shown of it is fit to be shown, and the sentence about it is.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    let shown = ServerCertificate::of(data);
    let texts = [&shown.subject, &shown.issuer, &shown.pin, &shown.fingerprint];
    assert!(texts.into_iter().chain(&shown.names).all(|text| !text.contains(char::is_control)), "{shown:?}");
    assert!(shown.der == data && shown.pin.is_empty() == Certificate::parse(data).is_none());
    super::describe::fuzz(data);
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::made::Made;
    use super::super::pem;
    use super::*;

    fn der(made: &Made, name: &str) -> Vec<u8> {
        let text = fs::read(made.path(name)).unwrap();
        pem::blocks(&text)[0].decode().unwrap().to_vec()
    }

    #[test]
    fn a_certificate_shows_what_openssl_wrote() {
        let made = Made::new("presented");
        let names =
            "subjectAltName=DNS:a.example,IP:192.0.2.1,IP:2001:db8::1,DNS:192.0.2.2,email:a@b.example";
        made.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout a.key -out a.pem -days 10 -subj /O=b/CN=a \
             -addext {names}"
        ));
        made.openssl("pkey -in a.key -pubout -outform DER -out a.public");
        let der = der(&made, "a.pem");
        let shown = ServerCertificate::of(&der);
        assert_eq!((shown.subject.as_str(), shown.issuer.as_str()), ("O=b, CN=a", "O=b, CN=a"));
        assert_eq!(shown.names, ["a.example", "192.0.2.1", "2001:db8::1", "192.0.2.2 as a DNS name"]);
        assert_eq!(shown.not_after - shown.not_before, 10 * 24 * 60 * 60);
        assert_eq!(shown.pin, PublicKeyPin::of(&fs::read(made.path("a.public")).unwrap()).to_string());
        assert_eq!(shown.pem, fs::read_to_string(made.path("a.pem")).unwrap());
        assert_eq!((shown.der, shown.fingerprint.len()), (der, 64));
    }

    #[test]
    fn names_are_fit_to_be_shown() {
        let made = Made::new("presented-names");
        // What the names will be instead of: as long, and no control characters.
        made.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout a.key -out a.pem -subj /CN=one-two-three \
             -addext subjectAltName=DNS:four-five-six",
        );
        let mut der = der(&made, "a.pem");
        for (from, to) in
            [(&b"one-two-three"[..], b"one\x1b[2J\r\n\0ree"), (b"four-five-six", b"four\x07five\0six")]
        {
            for at in 0..der.len() - from.len() {
                if &der[at..at + from.len()] == from {
                    der[at..at + to.len()].copy_from_slice(to);
                }
            }
        }
        let shown = ServerCertificate::of(&der);
        assert_eq!((shown.subject.as_str(), shown.issuer.as_str()), ("CN=one[2Jree", "CN=one[2Jree"));
        assert_eq!(shown.names, ["fourfivesix"]);
    }

    #[test]
    fn of_what_can_t_be_read_the_bytes_are_there() {
        let shown = ServerCertificate::of(b"no certificate");
        let fingerprint = HEXLOWER.encode(digest(&SHA256, b"no certificate").as_ref());
        let pem = "-----BEGIN CERTIFICATE-----\nbm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n".to_owned();
        let der = b"no certificate".to_vec();
        assert_eq!(shown, ServerCertificate { der, pem, fingerprint, ..ServerCertificate::default() });
    }
}
