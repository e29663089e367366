"""The certificates of the measurements: a CA, what it signed for this machine, and the CA among those of the system."""

import subprocess
from pathlib import Path

from peers import BUILD

FOLDER = BUILD / "tls"
CA, CERT, KEY, MANY = (FOLDER / name for name in ("ca.pem", "cert.pem", "key.pem", "many.pem"))
SYSTEM = Path("/etc/ssl/certs/ca-certificates.crt")


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def make():
    """P-256, as most servers have it. Made once."""
    if MANY.exists():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256", "-days", 3650)
    ca_key = FOLDER / "ca-key.pem"
    openssl("req", "-x509", *curve, "-subj", "/CN=bench CA", "-keyout", ca_key, "-out", CA,
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", "-x509", *curve, "-subj", "/CN=localhost", "-keyout", KEY, "-out", CERT, "-CA", CA, "-CAkey", ca_key,
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE")
    MANY.write_text((SYSTEM.read_text() if SYSTEM.exists() else "") + CA.read_text())


SERVER = ("--cert", str(CERT), "--key", str(KEY))
CLIENT = ("--ca", str(CA))
