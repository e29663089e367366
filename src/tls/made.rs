//! Keys and certificates that OpenSSL makes, for the tests.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The arguments of `openssl genpkey` for each kind of key.
pub const KINDS: [(&str, &str); 4] = [
    ("rsa", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048"),
    ("p256", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
    ("p384", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384"),
    ("ed25519", "-algorithm ED25519"),
];

/// A directory of them; it goes with this.
pub struct Made(PathBuf);

impl Made {
    pub fn new(name: &str) -> Made {
        let path = std::env::temp_dir().join(format!("nsws-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Made(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Runs the openssl command in there.
    pub fn openssl(&self, arguments: &str) {
        let output =
            Command::new("openssl").args(arguments.split(' ')).current_dir(&self.0).output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A certificate of version 1: without extensions, as old CAs are. Its issuer's certificate and key, or itself.
    pub fn version_1(&self, (name, key): (&str, &str), issuer: Option<(&str, &str)>) {
        fs::write(self.path("plain"), "[req]\ndistinguished_name=none\n[none]\n").unwrap();
        let help = Command::new("openssl").args(["req", "-help"]).output().unwrap().stderr;
        // OpenSSL 3.4 and newer make version 3 unasked.
        let version = if String::from_utf8_lossy(&help).contains("-x509v1") { " -x509v1" } else { "" };
        let signer = issuer.map_or_else(String::new, |(ca, key)| format!(" -CA {ca}.pem -CAkey {key}.key"));
        self.openssl(&format!(
            "req -x509{version} -config plain -key {key}.key -subj /CN={name} -set_serial 7 -days 30{signer} -out {name}.pem"
        ));
    }

    /// A key of each kind, and a certificate for it.
    pub fn keys(&self) {
        for (kind, arguments) in KINDS {
            self.openssl(&format!("genpkey {arguments} -out {kind}.key"));
            self.openssl(&format!("req -x509 -key {kind}.key -subj /CN={kind} -out {kind}.pem"));
        }
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
