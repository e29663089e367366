//! The certificate of the measures over TLS, made with the openssl command for each run, and what uses it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A directory with cert.pem and key.pem; it goes with this.
pub struct Certificate(PathBuf);

impl Certificate {
    pub fn new() -> Certificate {
        let directory = std::env::temp_dir().join(format!("nsws-bench-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem \
                         -subj /CN=bench -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(&directory).output();
        let output = output.expect("the openssl command");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Certificate(directory)
    }

    pub fn path(&self) -> PathBuf {
        self.0.join("cert.pem")
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).expect("a certificate")
}

pub fn server_config(path: &Path) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::from_pem_file(path.with_file_name("key.pem")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate(path)], key)
        .expect("a certificate and its key");
    Arc::new(config)
}

/// The bare client's.
pub fn client_config(path: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate(path)).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
