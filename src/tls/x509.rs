//! What a certificate says (RFC 5280 4.1), as far as it is shown or compared here: names, dates, the public key, and whether it
//! may issue others, which decides what of a CA file is a CA. Whether a chain of them is valid is webpki's matter.

use std::fmt;
use std::net::IpAddr;

use super::der::Der;

const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];

/// The attributes of names that have short names (RFC 4514 3, and the one for mail).
const ATTRIBUTES: [(&[u8], &str); 9] = [
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1], "emailAddress"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
];

pub struct Certificate<'a> {
    /// Only version 3 has extensions, and so names but the subject.
    pub version: u64,
    pub issuer: Name<'a>,
    pub subject: Name<'a>,
    pub not_before: Date,
    pub not_after: Date,
    /// The SubjectPublicKeyInfo, as DER.
    pub public_key: &'a [u8],
    extensions: Der<'a>,
}

impl<'a> Certificate<'a> {
    pub fn parse(der: &'a [u8]) -> Option<Certificate<'a>> {
        let mut certificate = Der(der).sequence()?;
        let mut signed = certificate.sequence()?;
        let version = match signed.take(0xa0) {
            Some(number) => Der(number).number()?.saturating_add(1),
            None => 1,
        };
        let _serial = signed.take(0x02)?;
        let _algorithm = signed.sequence()?;
        let issuer = Name(signed.sequence()?);
        let mut validity = signed.sequence()?;
        let (not_before, not_after) = (Date::read(&mut validity)?, Date::read(&mut validity)?);
        let subject = Name(signed.sequence()?);
        let public_key = signed.whole_sequence()?;
        let _unique_ids = (signed.take(0x81), signed.take(0x82));
        let extensions = match signed.take(0xa3) {
            Some(extensions) => Der(extensions).sequence()?,
            None => Der(&[]),
        };
        let _signature = (certificate.sequence()?, certificate.take(0x03)?);
        Some(Certificate { version, issuer, subject, not_before, not_after, public_key, extensions })
    }

    /// Whether it may issue others (RFC 5280 4.2.1.3, 4.2.1.9): it says that it is a CA's, or it says nothing about that but that its
    /// key signs certificates. A root of version 1 can't say so.
    pub fn may_issue(&self) -> bool {
        match (self.extension(BASIC_CONSTRAINTS), self.signs()) {
            (_, Some(false)) => false,
            (Some(constraints), _) => is_ca(constraints).unwrap_or(false),
            (None, Some(true)) => true,
            (None, None) => self.version == 1 && self.subject == self.issuer,
        }
    }

    /// Whether its key is for signing certificates, if it says so.
    pub fn signs(&self) -> Option<bool> {
        self.extension(KEY_USAGE).map(|usage| is_for_certificates(usage).unwrap_or(false))
    }

    /// The value of an extension.
    fn extension(&self, wanted: &[u8]) -> Option<&'a [u8]> {
        let mut extensions = self.extensions;
        while let Some(mut extension) = extensions.sequence() {
            if extension.take(0x06)? == wanted {
                let _critical = extension.take(0x01);
                return extension.bytes();
            }
        }
        None
    }

    /// The names that a client may have asked for: `None` without the extension that lists them.
    pub fn alt_names(&self) -> Option<Vec<AltName<'a>>> {
        let mut listed = Der(self.extension(SUBJECT_ALT_NAME)?).sequence()?;
        Some(std::iter::from_fn(|| listed.any()).filter_map(AltName::read).collect())
    }

    /// How long its RSA key is, if it has one.
    pub fn rsa_bits(&self) -> Option<usize> {
        rsa_bits(Der(self.public_key).sequence()?)
    }
}

/// How long an RSA key is: the content of a SubjectPublicKeyInfo.
pub fn rsa_bits(mut key: Der<'_>) -> Option<usize> {
    if key.algorithm()?.0 != RSA {
        return None;
    }
    // The first byte says how many bits of the last one don't count.
    let modulus = Der(key.take(0x03)?.get(1..)?).sequence()?.take(0x02)?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let first = modulus.get(zeros)?;
    Some((modulus.len() - zeros) * 8 - first.leading_zeros() as usize)
}

/// `cA` of basicConstraints.
fn is_ca(constraints: &[u8]) -> Option<bool> {
    Some(Der(constraints).sequence()?.take(0x01) == Some(&[0xff]))
}

/// `keyCertSign` of keyUsage.
fn is_for_certificates(usage: &[u8]) -> Option<bool> {
    // The first byte says how many bits of the last one don't count.
    Some(Der(usage).take(0x03)?.get(1)? & 0x04 != 0)
}

/// A name that a certificate is for.
#[derive(Debug, PartialEq, Eq)]
pub enum AltName<'a> {
    Dns(&'a [u8]),
    Ip(IpAddr),
}

impl<'a> AltName<'a> {
    fn read((tag, content): (u8, &'a [u8])) -> Option<AltName<'a>> {
        match tag {
            0x82 => Some(AltName::Dns(content)),
            0x87 => match content.len() {
                4 => <[u8; 4]>::try_from(content).ok().map(|bytes| AltName::Ip(bytes.into())),
                _ => <[u8; 16]>::try_from(content).ok().map(|bytes| AltName::Ip(bytes.into())),
            },
            _ => None,
        }
    }
}

/// The name of a subject or an issuer. Shown as "CN=..., O=...", in the certificate's order.
#[derive(Clone, Copy)]
pub struct Name<'a>(Der<'a>);

impl<'a> Name<'a> {
    /// The content of its DER.
    pub fn encoded(&self) -> &'a [u8] {
        self.0 .0
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 .0 == other.0 .0
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut parts, mut separator) = (self.0, "");
        while let Some(part) = parts.take(0x31) {
            let mut attributes = Der(part);
            while let Some(mut attribute) = attributes.sequence() {
                let (Some(kind), Some((tag, value))) = (attribute.take(0x06), attribute.any()) else {
                    continue;
                };
                let name = ATTRIBUTES.iter().find(|(known, _)| *known == kind).map_or("?", |(_, name)| name);
                write!(f, "{separator}{name}={}", text(tag, value))?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

/// The text of a string, whatever its kind.
fn text(tag: u8, content: &[u8]) -> String {
    const BMP_STRING: u8 = 0x1e;
    match tag {
        BMP_STRING => {
            let units = content
                .chunks_exact(2)
                .map(|pair| pair.iter().fold(0, |unit, byte| unit << 8 | u16::from(*byte)));
            char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        _ => String::from_utf8_lossy(content).into_owned(),
    }
}

/// A second, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Date {
    /// A UTCTime or a GeneralizedTime, in the only form that RFC 5280 4.1.2.5 allows.
    fn read(der: &mut Der<'_>) -> Option<Date> {
        let (tag, text) = der.any()?;
        let (zone, digits) = text.split_last()?;
        let mut pairs = digits.chunks(2).map(two_digits);
        let mut next = || pairs.next().flatten();
        let century = match tag {
            0x17 => None,
            0x18 => Some(next()?),
            _ => return None,
        };
        let year = match (century, next()?) {
            (Some(century), year) => 100 * century + year,
            // 50 to 99 are of the last century.
            (None, year @ 0..50) => 2000 + year,
            (None, year) => 1900 + year,
        };
        let [month @ 1..=12, day @ 1..=31, hour @ 0..=23, minute @ 0..=59, second @ 0..=60] =
            [next()?, next()?, next()?, next()?, next()?]
        else {
            return None;
        };
        let is_whole = pairs.next().is_none() && *zone == b'Z';
        is_whole.then_some(Date { year, month, day, hour, minute, second })
    }

    /// Seconds since 1970.
    pub fn unix(&self) -> i64 {
        // Years that begin in March, so that a leap day is their last.
        let (year, month) = match self.month {
            1 | 2 => (self.year - 1, self.month + 9),
            _ => (self.year, self.month - 3),
        };
        let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        let days = 365 * year + leap_days + (153 * month + 2) / 5 + self.day - 1 - 719_468;
        ((days * 24 + self.hour) * 60 + self.minute) * 60 + self.second
    }
}

fn two_digits(pair: &[u8]) -> Option<i64> {
    match pair {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
            Some(i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
        }
        _ => None,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Date { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
    }
}

#[cfg(test)]
mod tests {
    use super::super::files;
    use super::super::made::Made;
    use super::*;

    fn certificate(made: &Made, name: &str) -> Vec<u8> {
        let text = files::read(&made.path(name)).unwrap();
        let first = files::certificates(&text).next().unwrap().unwrap();
        first.to_vec()
    }

    #[test]
    fn names_dates_and_key_are_what_openssl_wrote() {
        let made = Made::new("x509");
        let subject = "/C=DE/O=Bücher/OU=a/CN=ca/emailAddress=a@b.example";
        let names = "subjectAltName=DNS:a.example,DNS:*.b.example,email:a@b.example,IP:127.0.0.1,IP:::1";
        made.openssl(&format!(
            "req -x509 -newkey rsa:2048 -nodes -keyout a.key -out a.pem -days 10 -utf8 -subj {subject} -addext {names}"
        ));
        let der = certificate(&made, "a.pem");
        let read = Certificate::parse(&der).unwrap();
        assert_eq!(read.subject.to_string(), "C=DE, O=Bücher, OU=a, CN=ca, emailAddress=a@b.example");
        assert!(read.subject == read.issuer);
        assert_eq!(read.not_after.unix() - read.not_before.unix(), 10 * 24 * 60 * 60);
        assert_eq!(read.rsa_bits(), Some(2048));
        let ip = |text: &str| AltName::Ip(text.parse().unwrap());
        let expected = [AltName::Dns(b"a.example"), AltName::Dns(b"*.b.example"), ip("127.0.0.1"), ip("::1")];
        assert_eq!(read.alt_names().unwrap(), expected);
        made.openssl("pkey -in a.key -pubout -outform DER -out a.public");
        assert_eq!(read.public_key, files::read(&made.path("a.public")).unwrap().as_slice());
    }

    #[test]
    fn a_certificate_of_version_1_has_no_names_and_another_issuer() {
        let made = Made::new("x509-v1");
        made.keys();
        made.version_1(("leaf", "p256"), Some(("rsa", "rsa")));
        let der = certificate(&made, "leaf.pem");
        let read = Certificate::parse(&der).unwrap();
        assert_eq!(
            (read.issuer.to_string().as_str(), read.subject.to_string().as_str()),
            ("CN=rsa", "CN=leaf")
        );
        assert!(
            read.version == 1
                && read.subject != read.issuer
                && read.alt_names().is_none()
                && read.rsa_bits().is_none()
        );
    }

    fn date(tag: u8, text: &str) -> Option<Date> {
        let der = [&[tag, text.len() as u8], text.as_bytes()].concat();
        Date::read(&mut Der(&der))
    }

    #[test]
    fn dates_are_counted_from_1970() {
        for (tag, text, seconds, shown) in [
            (0x17, "700101000000Z", 0, "1970-01-01 00:00:00 UTC"),
            (0x17, "691231235959Z", -1, "1969-12-31 23:59:59 UTC"),
            (0x17, "500101000000Z", -631_152_000, "1950-01-01 00:00:00 UTC"),
            (0x17, "491231235959Z", 2_524_607_999, "2049-12-31 23:59:59 UTC"),
            (0x18, "20000229120000Z", 951_825_600, "2000-02-29 12:00:00 UTC"),
            (0x18, "20240301000000Z", 1_709_251_200, "2024-03-01 00:00:00 UTC"),
            (0x18, "99991231235959Z", 253_402_300_799, "9999-12-31 23:59:59 UTC"),
        ] {
            let date = date(tag, text).unwrap();
            assert_eq!((date.unix(), date.to_string().as_str()), (seconds, shown), "{text}");
        }
        for (tag, text) in [
            (0x17, ""),
            (0x17, "Z"),
            (0x17, "700101000000"),
            (0x17, "7001010000Z"),
            (0x17, "701301000000Z"),
            (0x17, "700132000000Z"),
            (0x17, "700101240000Z"),
            (0x17, "7001010000+0Z"),
            (0x17, "19700101000000Z"),
            (0x18, "700101000000Z"),
            (0x18, "20240301000000.5Z"),
            (0x0c, "700101000000Z"),
        ] {
            assert_eq!(date(tag, text), None, "{tag} {text}");
        }
    }

    #[test]
    fn what_is_cut_or_changed_is_refused_or_read_and_no_panic() {
        let made = Made::new("x509-changed");
        made.keys();
        for kind in ["rsa", "ed25519"] {
            let whole = certificate(&made, &format!("{kind}.pem"));
            for length in 0..whole.len() {
                assert!(Certificate::parse(&whole[..length]).is_none(), "{kind}, cut at {length}");
            }
            for (at, value) in
                (0..whole.len()).flat_map(|at| [0, 1, 0x7f, 0x80, 0x84, 0xff].map(|value| (at, value)))
            {
                let mut changed = whole.clone();
                changed[at] = value;
                if let Some(read) = Certificate::parse(&changed) {
                    let _ = (
                        read.subject.to_string(),
                        read.issuer.to_string(),
                        read.alt_names(),
                        read.rsa_bits(),
                    );
                    let _ = (read.not_before.to_string(), read.not_after.unix());
                }
            }
        }
    }

    #[test]
    fn the_kinds_of_strings_are_all_shown() {
        assert_eq!(text(0x0c, "Bücher".as_bytes()), "Bücher");
        assert_eq!(text(0x1e, &[0x00, 0x42, 0x00, 0xfc, 0xd8]), "Bü");
        assert_eq!(text(0x13, &[0x42, 0xff]), "B\u{fffd}");
    }
}
