//! The identity of this side: a certificate chain and the private key that belongs to it, for a client or a server.
//!
//! What this module makes of a key on the way is wiped; what the TLS library keeps of it, to sign with, is not.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};

use super::decrypt::{Locked, Problem};
use super::x509::Certificate;
use super::{files, pem};
use crate::error::{Code, Error, Phase, Result};
use crate::secret::Secret;

/// Reads a PEM chain, the own certificate first, and its PEM key. The two may be one file.
///
/// It may take seconds when the key is encrypted, so it is called where it may block. The errors' sentences
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
    match chain.iter().all(|certificate| Certificate::parse(certificate).is_some()) {
        true => Ok(chain),
        false => Err("holds a certificate that can't be read".into()),
    }
}

/// The first private key of a file.
fn key(path: &Path, password: Option<&Secret>) -> Result<Arc<dyn SigningKey>, Problem> {
    let unusable = |what: String| (Code::KeyContent, what);
    let text = files::read(path).map_err(unusable)?;
    read_key(&text, password)
}

/// The first private key of a PEM text.
fn read_key(text: &[u8], password: Option<&Secret>) -> Result<Arc<dyn SigningKey>, Problem> {
    let unusable = |what: String| (Code::KeyContent, what);
    let block = pem::blocks(text)
        .into_iter()
        .find(|block| block.label.ends_with("PRIVATE KEY"))
        .ok_or_else(|| unusable("holds no PEM private key".into()))?;
    let mut content = block.decode().map_err(unusable)?;
    let (label, locked) = match (block.label, block.header("DEK-Info")) {
        ("ENCRYPTED PRIVATE KEY", _) => ("PRIVATE KEY", Some(Locked::pkcs8(&content)?)),
        (label, Some(dek_info)) => {
            (label, Some(Locked::traditional(dek_info, std::mem::take(&mut content))?))
        }
        (label, None) => (label, None),
    };
    if let Some(locked) = locked {
        let password = password.ok_or_else(|| {
            (Code::NoPassword, "holds an encrypted private key, and no password was given".to_owned())
        })?;
        content = locked.open(password)?;
    }
    let key = match label {
        "PRIVATE KEY" => PrivateKeyDer::from(PrivatePkcs8KeyDer::from(content.as_slice())),
        "RSA PRIVATE KEY" => PrivatePkcs1KeyDer::from(content.as_slice()).into(),
        "EC PRIVATE KEY" => PrivateSec1KeyDer::from(content.as_slice()).into(),
        other => return Err((Code::KeyForm, format!("holds a key of a form that can't be read: {other}"))),
    };
    ring::sign::any_supported_type(&key).map_err(|_| {
        let known = "RSA of 2048 to 8192 bits, ECDSA on P-256 or P-384, Ed25519";
        unusable(format!("holds a private key that is damaged or of no known kind ({known})"))
    })
}

/// Whether the key is the one that the first certificate is for.
fn belong_together(chain: &[CertificateDer<'_>], key: &dyn SigningKey) -> bool {
    let Some(leaf) = chain.first().and_then(|leaf| Certificate::parse(leaf)) else { return false };
    key.public_key().is_some_and(|public| public.as_ref() == leaf.public_key)
}

/// Any key file is read or refused. The first byte chooses: a text, or DER for a block with one of the labels.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    let Some((form, data)) = data.split_first() else { return };
    let labels = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"];
    let text = match labels.get(usize::from(form % 8)) {
        Some(label) => {
            let body = data_encoding::BASE64.encode(data);
            format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n").into_bytes()
        }
        None => data.to_vec(),
    };
    let _ = read_key(&text, None);
    let encrypted = b"ENCRYPTED PRIVATE KEY";
    // Opening one of these takes the time that the file asks for.
    if !text.windows(encrypted.len()).any(|word| word == encrypted) {
        let _ = read_key(&text, Some(&Secret::from("secret")));
    }
    for certificate in files::certificates(&text).flatten() {
        let _ = Certificate::parse(&certificate);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::made::{Made, KINDS};
    use super::*;

    fn load_made(made: &Made, cert: &str, key: &str, password: Option<&str>) -> Result<Arc<CertifiedKey>> {
        load(&made.path(cert), &made.path(key), password.map(Secret::from).as_ref())
    }

    fn refused(made: &Made, cert: &str, key: &str, password: Option<&str>, detail: Code, words: &str) {
        let error = load_made(made, cert, key, password).unwrap_err();
        assert_eq!(error.detail, detail, "{key}: {error}");
        assert!(error.message.contains(words), "{key}: {error}");
    }

    /// Containers: how OpenSSL writes them, and whether they are encrypted.
    const CONTAINERS: [(&str, &str, bool); 15] = [
        ("plain", "pkcs8 -topk8 -nocrypt", false),
        ("traditional", "pkey -traditional", false),
        ("aes-128", "pkcs8 -topk8 -v2 aes-128-cbc -passout pass:secret", true),
        ("aes-192", "pkcs8 -topk8 -v2 aes-192-cbc -passout pass:secret", true),
        ("aes-256", "pkcs8 -topk8 -v2 aes-256-cbc -passout pass:secret", true),
        ("3des", "pkcs8 -topk8 -v2 des3 -passout pass:secret", true),
        ("sha-1", "pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA1 -passout pass:secret", true),
        ("sha-384", "pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA384 -passout pass:secret", true),
        ("sha-512", "pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA512 -passout pass:secret", true),
        ("rounds", "pkcs8 -topk8 -v2 aes-256-cbc -iter 20000 -passout pass:secret", true),
        ("scrypt", "pkcs8 -topk8 -scrypt -passout pass:secret", true),
        ("old-aes-128", "pkey -traditional -aes128 -passout pass:secret", true),
        ("old-aes-192", "pkey -traditional -aes192 -passout pass:secret", true),
        ("old-aes-256", "pkey -traditional -aes256 -passout pass:secret", true),
        ("old-3des", "pkey -traditional -des3 -passout pass:secret", true),
    ];

    #[test]
    fn each_kind_of_key_is_read_in_each_container() {
        let made = Made::new("containers");
        made.keys();
        for (kind, _) in KINDS {
            for (container, arguments, encrypted) in CONTAINERS {
                // Ed25519 has no traditional form.
                if kind == "ed25519" && arguments.contains("-traditional") {
                    continue;
                }
                let (cert, key) = (format!("{kind}.pem"), format!("{kind}-{container}.key"));
                made.openssl(&format!("{arguments} -in {kind}.key -out {key}"));
                load_made(&made, &cert, &key, Some("secret")).unwrap();
                if encrypted {
                    refused(&made, &cert, &key, None, Code::NoPassword, "no password was given");
                    refused(&made, &cert, &key, Some("Secret"), Code::WrongPassword, "the password is wrong");
                    refused(&made, &cert, &key, Some(""), Code::WrongPassword, "the password is wrong");
                } else {
                    load_made(&made, &cert, &key, None).unwrap();
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_with_the_files_is_told() {
        let made = Made::new("wrong-files");
        made.keys();
        let refused = |cert, key, detail, words| refused(&made, cert, key, Some("secret"), detail, words);
        refused("rsa.pem", "p256.key", Code::KeyMismatch, "does not belong to the first certificate in");
        refused("rsa.key", "rsa.key", Code::CertContent, "holds no PEM certificate");
        refused("rsa.pem", "rsa.pem", Code::KeyContent, "holds no PEM private key");
        refused("none.pem", "rsa.key", Code::CertContent, "can't be read");
        refused("rsa.pem", "none.key", Code::KeyContent, "can't be read");
        let convert = "openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW";
        made.openssl("pkcs8 -topk8 -v1 PBE-SHA1-3DES -passout pass:secret -in rsa.key -out pbes1.key");
        refused("rsa.pem", "pbes1.key", Code::KeyForm, convert);
        made.openssl("pkcs8 -topk8 -v2 camellia-256-cbc -passout pass:secret -in rsa.key -out camellia.key");
        refused("rsa.pem", "camellia.key", Code::KeyForm, convert);
        made.openssl("pkey -traditional -camellia256 -passout pass:secret -in rsa.key -out old-camellia.key");
        refused("rsa.pem", "old-camellia.key", Code::KeyForm, convert);
        made.openssl("pkcs8 -topk8 -iter 10000001 -passout pass:secret -in p256.key -out slow.key");
        refused("p256.pem", "slow.key", Code::KeyForm, "10000001 rounds of PBKDF2 are more than 10000000");
        made.openssl("pkcs8 -topk8 -scrypt -outform DER -passout pass:secret -in p256.key -out scrypt.der");
        for (name, n_r_p, detail, words) in [
            (
                "big",
                b"\x02\x02\x40\x00\x02\x01\x21\x02\x01\x01",
                Code::KeyForm,
                "16384, 33, 1 need too much memory or time",
            ),
            (
                "slow",
                b"\x02\x02\x40\x00\x02\x01\x08\x02\x01\x21",
                Code::KeyForm,
                "16384, 8, 33 need too much memory or time",
            ),
            (
                "wide",
                b"\x02\x01\x02\x02\x01\x40\x02\x02\x7f\xff",
                Code::KeyForm,
                "2, 64, 32767 need too much memory or time",
            ),
            ("zero", b"\x02\x02\x00\x00\x02\x01\x08\x02\x01\x01", Code::KeyContent, "damaged"),
            ("odd", b"\x02\x02\x40\x01\x02\x01\x08\x02\x01\x01", Code::KeyContent, "damaged"),
            ("flat", b"\x02\x02\x40\x00\x02\x01\x00\x02\x01\x01", Code::KeyContent, "damaged"),
        ] {
            let mut der = fs::read(made.path("scrypt.der")).unwrap();
            let usual = b"\x02\x02\x40\x00\x02\x01\x08\x02\x01\x01";
            let at = der.windows(usual.len()).position(|window| window == usual).unwrap();
            der[at..at + usual.len()].copy_from_slice(n_r_p);
            let base64 = data_encoding::BASE64.encode(&der);
            let (begin, end) =
                ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----END ENCRYPTED PRIVATE KEY-----");
            fs::write(made.path(name), format!("{begin}\n{base64}\n{end}\n")).unwrap();
            refused("p256.pem", name, detail, words);
        }
        made.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out p521.key");
        made.openssl("req -x509 -key p521.key -subj /CN=p521 -out p521.pem");
        refused("p521.pem", "p521.key", Code::KeyContent, "damaged or of no known kind");

        let write = |name: &str, text: &str| fs::write(made.path(name), text).unwrap();
        write(
            "openssh.key",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
        );
        refused("rsa.pem", "openssh.key", Code::KeyForm, "OPENSSH PRIVATE KEY");
        write("cut.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n");
        refused("rsa.pem", "cut.key", Code::KeyContent, "has no end of the block PRIVATE KEY in line 1");
        write("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        refused("cut.pem", "rsa.key", Code::CertContent, "holds a certificate that can't be read");
    }

    #[test]
    fn chain_and_key_may_be_one_file_with_comments_and_the_key_of_a_version_1_certificate() {
        let made = Made::new("one-file");
        made.keys();
        made.version_1(("v1", "p256"), Some(("rsa", "rsa")));
        made.openssl("ecparam -name prime256v1 -genkey -out parameters-first.key");
        let text = |name: &str| fs::read_to_string(made.path(name)).unwrap();
        let both =
            ["# leaf\r\n", &text("v1.pem"), "\r\n# CA\n", &text("rsa.pem"), &text("p256.key")].concat();
        fs::write(made.path("both.pem"), both).unwrap();
        assert_eq!(load_made(&made, "both.pem", "both.pem", None).unwrap().cert.len(), 2);
        refused(&made, "v1.pem", "parameters-first.key", None, Code::KeyMismatch, "does not belong");
    }

    /// Numbers that look random and are the same in every run (xorshift).
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % bound as u64) as usize
        }
    }

    #[test]
    fn a_mutated_key_is_an_error_or_a_key_but_no_panic() {
        let made = Made::new("mutated");
        made.keys();
        let mut seeds = Vec::new();
        for (container, arguments, _) in CONTAINERS {
            let arguments = match container {
                "scrypt" => arguments.to_owned(),
                _ => arguments.replace(" -v2 ", " -iter 16 -v2 "),
            };
            for kind in ["p256", "rsa"] {
                made.openssl(&format!("{arguments} -in {kind}.key -out {kind}-{container}.key"));
                seeds.push(fs::read(made.path(&format!("{kind}-{container}.key"))).unwrap());
            }
        }
        let (mut random, secret) = (Random(0x5eed), Secret::from("secret"));
        let (mut keys, mut errors) = (0, 0);
        for round in 0..20_000 {
            let seed = &seeds[round % seeds.len()];
            // Every second round what is inside the PEM is mutated, else the text.
            let mutated = match round / seeds.len() % 2 {
                0 => mutate(seed.clone(), &mut random),
                _ => {
                    let block = &pem::blocks(seed)[0];
                    let content = mutate(block.decode().unwrap().to_vec(), &mut random);
                    let header = block.header("DEK-Info").map(|value| format!("DEK-Info: {value}\n\n"));
                    let (label, header) = (block.label, header.unwrap_or_default());
                    let base64 = data_encoding::BASE64.encode(&content);
                    format!("-----BEGIN {label}-----\n{header}{base64}\n-----END {label}-----\n").into_bytes()
                }
            };
            // A few of the mutations would ask for seconds of key derivation.
            let password = Some(&secret).filter(|_| is_cheap(&mutated));
            match read_key(&mutated, password) {
                Ok(_) => keys += 1,
                Err((detail, what)) => {
                    assert!(!what.is_empty() && !what.contains("secret"), "{detail:?}: {what}");
                    errors += 1;
                }
            }
        }
        assert!(keys > 100 && errors > 10_000, "{keys} keys, {errors} errors");
    }

    fn is_cheap(text: &[u8]) -> bool {
        pem::blocks(text).iter().all(|block| match block.label {
            "ENCRYPTED PRIVATE KEY" => block
                .decode()
                .is_ok_and(|content| Locked::pkcs8(&content).is_ok_and(|locked| locked.is_cheap())),
            _ => true,
        })
    }

    fn mutate(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match random.below(6) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, random.below(256) as u8),
                2 if at < bytes.len() => drop(bytes.remove(at)),
                3 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
                4 if at < bytes.len() => bytes[at] = [0, 0x7f, 0x80, 0xff][random.below(4)],
                _ => {
                    let (from, to) = (at, (at + random.below(20)).min(bytes.len()));
                    let part = bytes[from..to].to_vec();
                    bytes.splice(from..from, part);
                }
            }
        }
        bytes
    }
}
