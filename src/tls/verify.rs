//! Whether a server's certificate is valid, trusted and for its name.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::der::Der;
use super::x509::{rsa_bits, Certificate};
use super::{describe, signature};

/// Verifies chain and host name, and trusts a server whose own certificate is among those configured.
#[derive(Debug)]
pub struct Verifier {
    roots: RootCertStore,
    own: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    /// Trusts nobody yet.
    pub fn new(provider: Arc<CryptoProvider>) -> Self {
        Verifier { roots: RootCertStore::empty(), own: Vec::new(), provider }
    }

    /// Trusts what a certificate issues or, if it may issue nothing, a server that shows it as its own. With `also_itself`, both.
    pub fn trust(&mut self, der: &[u8], certificate: &Certificate<'_>, also_itself: bool) {
        let issues = certificate.may_issue();
        if issues {
            // What webpki can't read vouches for nobody.
            let _ = self.roots.add(CertificateDer::from(der));
        }
        // What has no names is right for no host: see `is_nameless`. So the CAs of the public web take no memory here.
        if !issues || (also_itself && certificate.alt_names().is_some()) {
            self.own.push(der.to_vec().into());
        }
    }

    /// How many CAs it trusts.
    pub fn cas(&self) -> usize {
        self.roots.len()
    }

    /// Whether a certificate is trusted as it is.
    fn is_own(&self, leaf: &CertificateDer<'_>) -> bool {
        self.own.iter().any(|own| own == leaf) || self.is_nameless(leaf).unwrap_or(false)
    }

    /// Whether it has the name and the key of a CA and is for no host, so that it is refused for that.
    fn is_nameless(&self, leaf: &CertificateDer<'_>) -> Option<bool> {
        let leaf = Certificate::parse(leaf)?;
        let key = Der(leaf.public_key).sequence()?.0;
        let mut roots = self.roots.roots.iter();
        let is_root = roots
            .any(|root| *root.subject == *leaf.subject.encoded() && *root.subject_public_key_info == *key);
        Some(is_root && leaf.alt_names().is_none())
    }

    /// A certificate that a root has signed, through others or not.
    fn verify_chain(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), TlsError> {
        let certificate = ParsedCertificate::try_from(leaf)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        // RFC 5280 6.1.4 (n).
        let may_sign = |der: &&CertificateDer<'_>| {
            Certificate::parse(der).is_none_or(|certificate| certificate.signs() != Some(false))
        };
        let signing: Vec<CertificateDer<'_>> = intermediates.iter().filter(may_sign).cloned().collect();
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, &signing, now, algorithms)
            .map_err(|error| match self.unverified_signer(leaf, intermediates) {
                Some(bits) if error == TlsError::InvalidCertificate(CertificateError::BadSignature) => {
                    describe::unverified_signer(bits)
                }
                _ => error,
            })?;
        verify_server_name(&certificate, name)
    }

    /// The bits of an RSA key that has signed one of these certificates and is one of those that can't be verified.
    fn unverified_signer(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> Option<usize> {
        let cas: Vec<_> = intermediates.iter().filter_map(|der| Certificate::parse(der)).collect();
        let signed: Vec<_> =
            cas.iter().map(|ca| ca.issuer).chain(Some(Certificate::parse(leaf)?.issuer)).collect();
        let own = self.roots.roots.iter().map(|root| (&*root.subject, Der(&root.subject_public_key_info)));
        let sent = cas.iter().filter_map(|ca| Some((ca.subject.encoded(), Der(ca.public_key).sequence()?)));
        let mut signers =
            own.chain(sent).filter(|(name, _)| signed.iter().any(|issuer| issuer.encoded() == *name));
        signers.find_map(|(_, key)| rsa_bits(key).filter(|bits| !describe::RSA_BITS.contains(bits)))
    }

    /// A certificate that is trusted as it is: its name and dates must still be right.
    fn verify_own(leaf: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> Result<(), TlsError> {
        verify_server_name(&ParsedCertificate::try_from(leaf)?, name)?;
        describe::check_dates(leaf, now).map_err(TlsError::InvalidCertificate)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let result = match self.is_own(leaf) {
            true => Self::verify_own(leaf, name, now),
            false => self.verify_chain(leaf, intermediates, name, now),
        };
        // The sentence needs the certificate, which is gone when the handshake's error arrives.
        result
            .map(|()| ServerCertVerified::assertion())
            .map_err(|error| describe::refused(error, leaf, intermediates, name))
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

/// Signatures that servers make and that can't be verified here (IANA's registry of TLS SignatureSchemes).
const UNVERIFIED: [SignatureScheme; 13] = [
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED448,
    // RSA keys that are for PSS alone: with SHA-256, 384 and 512.
    SignatureScheme::Unknown(0x0809),
    SignatureScheme::Unknown(0x080a),
    SignatureScheme::Unknown(0x080b),
    // ECDSA on Brainpool's curves, of 256, 384 and 512 bits.
    SignatureScheme::Unknown(0x081a),
    SignatureScheme::Unknown(0x081b),
    SignatureScheme::Unknown(0x081c),
    SignatureScheme::ML_DSA_44,
    SignatureScheme::ML_DSA_65,
    SignatureScheme::ML_DSA_87,
    SignatureScheme::RSA_PKCS1_SHA1,
    SignatureScheme::ECDSA_SHA1_Legacy,
];

/// Accepts any certificate, as `skip_server_cert_verification` says.
#[derive(Debug)]
pub struct AcceptAny(Vec<SignatureScheme>);

impl AcceptAny {
    /// Offers every kind of signature that servers may have a key for, also those that can't be verified here: what isn't offered
    /// is a certificate that isn't accepted. What can be verified comes first.
    pub fn new(provider: &CryptoProvider) -> Self {
        let verified = provider.signature_verification_algorithms.supported_schemes();
        AcceptAny(verified.into_iter().chain(UNVERIFIED).collect())
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

    // A program that accepts any certificate gains nothing from its signatures, and would lose servers whose keys
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use rustls::client::danger::ServerCertVerifier;
    use rustls::crypto::ring;

    use super::super::files;
    use super::super::made::Made;
    use super::*;

    /// A directory with keys, and certificates that are signed by each other: `NAME.pem` has the extensions that are given.
    fn made(name: &str) -> Made {
        let made = Made::new(name);
        for (kind, curve) in [("a", "P-256"), ("b", "P-256"), ("c", "P-256"), ("p521", "P-521")] {
            made.openssl(&format!(
                "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{curve} -out {kind}.key"
            ));
        }
        made
    }

    /// Makes `name`.pem for a key, signed with the key `by`; `issuer` is a certificate, or "" for itself. Without
    /// extensions, it is of version 1.
    fn sign(
        made: &Made,
        (name, key): (&str, &str),
        (issuer, by): (&str, &str),
        extensions: &str,
        more: &str,
    ) {
        if extensions.is_empty() && more.is_empty() {
            return made.version_1((name, key), (!issuer.is_empty()).then_some((issuer, by)));
        }
        made.openssl(&format!("req -new -key {key}.key -subj /CN={name} -out {name}.csr"));
        let signer = match issuer {
            "" => format!("-signkey {by}.key"),
            issuer => format!("-CA {issuer}.pem -CAkey {by}.key"),
        };
        let extfile = match extensions {
            "" => String::new(),
            extensions => {
                fs::write(made.path("extensions"), extensions.replace('|', "\n")).unwrap();
                " -extfile extensions".to_owned()
            }
        };
        made.openssl(&format!(
            "x509 -req -in {name}.csr {signer} -set_serial 7 -days 30{more} -out {name}.pem{extfile}"
        ));
    }

    fn certificates(made: &Made, name: &str) -> Vec<CertificateDer<'static>> {
        let mut all = Vec::new();
        let path = made.path(&format!("{name}.pem"));
        files::ca_certificates(&path, |der, _| all.push(der.to_vec().into())).unwrap();
        all
    }

    /// How a server with this certificate fares with a client whose ca_path has these; the sentence, or "" when it is trusted.
    fn judged(made: &Made, server: &[&str], host: &str, ca_path: &[&str]) -> String {
        judged_in(0, made, server, host, ca_path)
    }

    /// The same in some days.
    fn judged_in(days: u64, made: &Made, server: &[&str], host: &str, ca_path: &[&str]) -> String {
        let bundle: String = ca_path
            .iter()
            .map(|name| fs::read_to_string(made.path(&format!("{name}.pem"))).unwrap())
            .collect();
        fs::write(made.path("bundle.pem"), bundle).unwrap();
        let mut verifier = Verifier::new(ring::default_provider().into());
        files::ca_certificates(&made.path("bundle.pem"), |der, ca| verifier.trust(der, ca, true)).unwrap();
        let chain: Vec<_> = server.iter().flat_map(|name| certificates(made, name)).collect();
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let (leaf, intermediates) = chain.split_first().unwrap();
        let now = UnixTime::now().as_secs() + days * 24 * 60 * 60;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        match verifier.verify_server_cert(leaf, intermediates, &name, &[], now) {
            Ok(_) => String::new(),
            Err(TlsError::InvalidCertificate(rustls::CertificateError::Other(rejection))) => {
                rejection.0.to_string()
            }
            Err(error) => panic!("no sentence: {error}"),
        }
    }

    const LEAF: &str = "subjectAltName=DNS:host";

    #[test]
    fn only_what_may_issue_vouches_for_others() {
        let made = made("anchors");
        for (ca, extensions, issues) in [
            ("ca-true", "basicConstraints=critical,CA:TRUE", true),
            ("ca-true-signs", "basicConstraints=CA:TRUE|keyUsage=keyCertSign", true),
            ("ca-true-for-nothing", "basicConstraints=CA:TRUE|keyUsage=digitalSignature", false),
            ("ca-false", "basicConstraints=CA:FALSE|subjectAltName=DNS:other", false),
            ("ca-false-signs", "basicConstraints=CA:FALSE|keyUsage=keyCertSign", false),
            ("signs", "keyUsage=keyCertSign,cRLSign", true),
            ("for-servers", "keyUsage=digitalSignature", false),
            ("says-nothing", "subjectAltName=DNS:other", false),
            ("version-1", "", true),
        ] {
            sign(&made, (ca, "a"), ("", "a"), extensions, "");
            sign(&made, ("leaf", "b"), (ca, "a"), LEAF, "");
            let sentence = judged(&made, &["leaf"], "host", &[ca]);
            assert_eq!(sentence.is_empty(), issues, "{ca}: {sentence}");
            assert!(issues || sentence.contains("which is not trusted"), "{ca}: {sentence}");
        }
        // One that another CA has issued is an anchor all the same, unless it is of version 1.
        sign(&made, ("intermediate", "c"), ("ca-true", "a"), "basicConstraints=CA:TRUE", "");
        sign(&made, ("leaf", "b"), ("intermediate", "c"), LEAF, "");
        assert_eq!(judged(&made, &["leaf"], "host", &["intermediate"]), "");
        sign(&made, ("issued-1", "c"), ("ca-true", "a"), "", "");
        sign(&made, ("leaf", "b"), ("issued-1", "c"), LEAF, "");
        assert!(judged(&made, &["leaf"], "host", &["issued-1"]).contains("which is not trusted"));
    }

    #[test]
    fn what_may_not_issue_is_trusted_as_itself() {
        let made = made("as-itself");
        sign(&made, ("server", "a"), ("", "a"), "basicConstraints=CA:FALSE|subjectAltName=DNS:host", "");
        assert_eq!(judged(&made, &["server"], "host", &["server"]), "");
        sign(&made, ("ca", "b"), ("", "b"), "basicConstraints=CA:TRUE|subjectAltName=DNS:host", "");
        assert_eq!(judged(&made, &["ca"], "host", &["ca"]), "");
        for (server, ca) in [("server", "ca"), ("ca", "server")] {
            let sentence = judged(&made, &[server], "host", &[ca]);
            assert!(sentence.contains("self-signed and not among those that are trusted"), "{sentence}");
        }
        sign(&made, ("nameless", "c"), ("", "c"), "basicConstraints=CA:TRUE", "");
        let sentence = judged(&made, &["nameless"], "host", &["nameless"]);
        assert!(sentence.contains("issued for no name (it has no subjectAltName)"), "{sentence}");
        sign(&made, ("issued", "c"), ("ca", "b"), "basicConstraints=CA:TRUE|subjectAltName=DNS:host", "");
        assert!(judged(&made, &["issued"], "host", &["ca"]).contains("a CA's own"));
    }

    #[test]
    fn roots_of_version_1_count_alone_and_in_bundles() {
        let made = made("version-1");
        sign(&made, ("old", "a"), ("", "a"), "", "");
        sign(&made, ("new", "b"), ("", "b"), "basicConstraints=CA:TRUE", "");
        sign(&made, ("by-old", "c"), ("old", "a"), LEAF, "");
        sign(&made, ("by-new", "c"), ("new", "b"), LEAF, "");
        for bundle in [&["old"][..], &["old", "new"], &["new", "old"]] {
            assert_eq!(judged(&made, &["by-old"], "host", bundle), "", "{bundle:?}");
        }
        assert_eq!(judged(&made, &["by-new"], "host", &["old", "new"]), "");
    }

    #[test]
    fn each_fault_of_a_certificate_is_one_sentence() {
        let made = made("faults");
        let ca = "basicConstraints=critical,CA:TRUE";
        sign(&made, ("ca", "a"), ("", "a"), ca, "");
        sign(&made, ("big-ca", "p521"), ("", "p521"), ca, "");
        sign(&made, ("short", "c"), ("ca", "a"), "basicConstraints=critical,CA:TRUE,pathlen:0", "");
        sign(&made, ("below", "b"), ("short", "c"), ca, "");
        sign(
            &made,
            ("narrow", "c"),
            ("", "c"),
            &format!("{ca}|nameConstraints=critical,permitted;DNS:other"),
            "",
        );
        sign(&made, ("no-ca", "c"), ("ca", "a"), "basicConstraints=CA:FALSE", "");
        sign(&made, ("once", "c"), ("ca", "a"), "", "");
        let issued = |name: &str, by: (&str, &str), extensions: &str, more: &str| {
            sign(&made, (name, "b"), by, extensions, more);
        };
        issued("dns-ip", ("ca", "a"), "subjectAltName=DNS:127.0.0.1", "");
        issued("mail", ("ca", "a"), "subjectAltName=email:a@b", "");
        issued("sha1", ("ca", "a"), LEAF, " -sha1");
        issued("p521-ca", ("big-ca", "p521"), LEAF, "");
        issued("outside", ("narrow", "c"), LEAF, "");
        issued("deep", ("below", "b"), LEAF, "");
        issued("by-no-ca", ("no-ca", "c"), LEAF, "");
        issued("by-version-1", ("once", "c"), LEAF, "");
        issued("critical", ("ca", "a"), &format!("{LEAF}|1.2.3.4=critical,DER:0500"), "");
        issued("clients", ("ca", "a"), &format!("{LEAF}|extendedKeyUsage=clientAuth"), "");
        sign(&made, ("old", "b"), ("ca", "a"), "", "");
        made.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out small.key");
        sign(&made, ("small-ca", "small"), ("", "small"), ca, "");
        issued("by-small", ("small-ca", "small"), LEAF, "");
        sign(&made, ("small-below", "small"), ("ca", "a"), ca, "");
        issued("by-small-below", ("small-below", "small"), LEAF, "");
        sign(&made, ("for-servers", "c"), ("ca", "a"), &format!("{ca}|keyUsage=digitalSignature"), "");
        issued("by-for-servers", ("for-servers", "c"), LEAF, "");
        // Of version 2, which nothing makes: the number is one byte.
        let mut second = certificates(&made, "sha1").remove(0).to_vec();
        let version = second.windows(5).position(|bytes| bytes == [0xa0, 3, 2, 1, 2]).unwrap();
        second[version + 4] = 1;
        let text = data_encoding::BASE64.encode(&second);
        fs::write(
            made.path("second.pem"),
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"),
        )
        .unwrap();
        let of_1024 = "is signed by an RSA key of 1024 bits; those of 2048 to 8192 can be verified";
        for (server, host, trusted, words) in [
            (
                &["dns-ip"][..],
                "127.0.0.1",
                "ca",
                "issued for 127.0.0.1 as a DNS name, not for 127.0.0.1 as an IP address",
            ),
            (&["mail"], "host", "ca", "issued for no host (its subjectAltName names none), not for host"),
            (&["sha1"], "host", "ca", "is signed with SHA-1, which can be forged"),
            (&["p521-ca"], "host", "big-ca", "is signed"),
            (&["deep", "below", "short"], "host", "ca", "there are more CAs between"),
            (&["outside"], "host", "narrow", "has a name for which its CA must not issue any"),
            (&["by-no-ca", "no-ca"], "host", "ca", "issued by a certificate that is not a CA's"),
            (
                &["by-version-1", "once"],
                "host",
                "ca",
                "one of its CAs' certificates is not of X.509 version 3",
            ),
            (&["critical"], "host", "ca", "a critical extension"),
            (&["clients"], "host", "ca", "is not for servers"),
            (&["old"], "host", "ca", "is of X.509 version 1"),
            (&["second"], "host", "ca", "its certificate is of X.509 version 2"),
            (&["by-small"], "host", "small-ca", of_1024),
            (&["by-small-below", "small-below"], "host", "ca", of_1024),
            (
                &["by-for-servers", "for-servers"],
                "host",
                "ca",
                "issued by \"CN=for-servers\", which is not trusted",
            ),
            (
                &["below", "short"],
                "host",
                "ca",
                "which a server may show only if that very certificate is trusted",
            ),
        ] {
            let sentence = judged(&made, server, host, &[trusted]);
            assert!(sentence.contains(words), "{server:?}: {sentence}");
            assert!(sentence.len() < 200 && !sentence.contains(['[', '{', '\\']), "{server:?}: {sentence}");
        }
    }

    #[test]
    fn a_date_that_has_passed_is_told_of_the_certificate_that_has_it() {
        let made = made("dates");
        let ca = "basicConstraints=critical,CA:TRUE";
        sign(&made, ("ca", "a"), ("", "a"), ca, "");
        sign(&made, ("below", "c"), ("ca", "a"), ca, " -days 10");
        sign(&made, ("leaf", "b"), ("below", "c"), LEAF, "");
        let chain = ["leaf", "below"];
        let sentence = |days| judged_in(days, &made, &chain, "host", &["ca"]);
        assert_eq!(sentence(0), "");
        assert!(
            sentence(20).starts_with("the certificate of its CA \"CN=below\" expired on "),
            "{}",
            sentence(20)
        );
        assert!(sentence(40).contains(" expired on "), "{}", sentence(40));
    }
}
