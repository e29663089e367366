"""Makes the certificates of the tests with the openssl command, in a folder that is thrown away afterwards.

A server certificate NAME is NAME.pem (the chain the server sends) and NAME.key. What a client may trust:

    ca.pem          the CA that issued most of them
    other-ca.pem    a CA that issued none but `unknown-ca`
    empty.pem       a file with no certificate in it

facts.txt has a line for each certificate that a test looks into: NAME, first and last second (since 1970), pin, fingerprint.

For servers: good.key is PKCS#8, sec1.key the same as SEC1, encrypted.key the same with a password; rsa.key and
pkcs1.key belong to rsa.pem; both.pem holds a certificate and its key.
"""

import base64
import datetime
import hashlib
import pathlib
import ssl
import subprocess
import sys

CONFIG = """
[req]
distinguished_name = name
prompt = no

[name]

[ca]
default_ca = issuer

[issuer]
database = index.txt
new_certs_dir = .
default_md = sha256
policy = any
rand_serial = yes
unique_subject = no
email_in_dn = no

[any]
commonName = supplied

[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""

# A CA that signs its own server certificate is what `openssl req -x509` makes by default.
LEAF = """
[{name}]
basicConstraints = {constraints}
subjectAltName = {names}
extendedKeyUsage = {usage}
subjectKeyIdentifier = hash
"""

HERE = "DNS:localhost, IP:127.0.0.1, IP:::1"
ELSEWHERE = "DNS:elsewhere.example, IP:192.0.2.1"

# name: (issuer, or None for itself; names, or None for just the common name localhost; first day; last day; is it a CA; what it may be used for)
LEAVES = {
    "good": ("ca", HERE, -2, 30, False, "serverAuth"),
    "unknown-ca": ("other-ca", HERE, -2, 30, False, "serverAuth"),
    "wrong-name": ("ca", ELSEWHERE, -2, 30, False, "serverAuth"),
    "expired": ("ca", HERE, -30, -2, False, "serverAuth"),
    "not-yet-valid": ("ca", HERE, 2, 30, False, "serverAuth"),
    "client-only": ("ca", HERE, -2, 30, False, "clientAuth"),
    "ip-only": ("ca", "IP:127.0.0.1", -2, 30, False, "serverAuth"),
    "cn-only": ("ca", None, -2, 30, False, "serverAuth"),
    "rsa-1024": ("ca", HERE, -2, 30, False, "serverAuth"),
    "p521": ("ca", HERE, -2, 30, False, "serverAuth"),
    "rsa-pss": ("ca", HERE, -2, 30, False, "serverAuth"),
    "ed448": ("ca", HERE, -2, 30, False, "serverAuth"),
    "chain": ("intermediate", HERE, -2, 20, False, "serverAuth"),
    "odd-names": ("ca", HERE + ", DNS:\x1b[31modd\x07, DNS:192.0.2.1", -2, 30, False, "serverAuth"),
    "self-signed": (None, HERE, -2, 30, True, None),
    "self-signed-leaf": (None, HERE, -2, 30, False, "serverAuth"),
    "self-signed-expired": (None, HERE, -30, -2, True, None),
    "self-signed-elsewhere": (None, ELSEWHERE, -2, 30, True, None),
}

# Common names other than NAME.
SUBJECTS = {
    "cn-only": "localhost",
    "odd-names": "\x1b[31modd\r\nname",
}

# Certificates that tests look into.
FACTS = ("chain", "intermediate", "expired", "odd-names", "cn-only")

# Keys other than ECDSA on P-256: algorithm and option.
KEYS = {
    "rsa-1024": ("RSA", "rsa_keygen_bits:1024"),
    "p521": ("EC", "ec_paramgen_curve:P-521"),
    "rsa-pss": ("RSA-PSS", "rsa_keygen_bits:2048"),
    "ed448": ("ED448", None),
}


def make(folder):
    """Writes every certificate into `folder`, which exists."""
    folder = pathlib.Path(folder)
    config = folder / "openssl.cnf"
    text = CONFIG
    for name, (_, names, _, _, authority, usage) in LEAVES.items():
        constraints = "critical, CA:TRUE" if authority else "CA:FALSE"
        section = LEAF.format(name=name, constraints=constraints, names=names, usage=usage)
        text += "".join(line for line in section.splitlines(True) if "= None" not in line)
    config.write_text(text)
    (folder / "index.txt").write_text("")

    for name in ("ca", "other-ca"):
        key(folder, name)
        sign(folder, name, None, "authority", -2, 30, f"The tests' {name}")
    key(folder, "intermediate")
    sign(folder, "intermediate", "ca", "authority", -2, 30, "The tests' intermediate")

    for name, (issuer, _, first, last, _, _) in LEAVES.items():
        key(folder, name, *KEYS.get(name, ()))
        sign(folder, name, issuer, name, first, last, SUBJECTS.get(name, name))
    (folder / "facts.txt").write_text("".join(facts(folder, name) for name in FACTS))
    # The server sends the intermediate certificate along, or forgets to.
    chain, intermediate = folder / "chain.pem", folder / "intermediate.pem"
    (folder / "incomplete-chain.pem").write_bytes(chain.read_bytes())
    (folder / "incomplete-chain.key").write_bytes((folder / "chain.key").read_bytes())
    chain.write_bytes(chain.read_bytes() + intermediate.read_bytes())
    key_forms(folder)
    (folder / "empty.pem").write_text("There is no certificate in here.\n")


def key_forms(folder):
    openssl(folder, "ec", "-in", "good.key", "-out", "sec1.key")
    openssl(folder, "pkcs8", "-topk8", "-in", "good.key", "-out", "encrypted.key", "-passout", "pass:secret")
    openssl(folder, "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "rsa.key")
    openssl(folder, "rsa", "-in", "rsa.key", "-traditional", "-out", "pkcs1.key")
    sign(folder, "rsa", "ca", "good", -2, 30, "rsa")
    both = (folder / "good.pem").read_bytes() + (folder / "good.key").read_bytes()
    (folder / "both.pem").write_bytes(both)


def key(folder, name, algorithm="EC", option="ec_paramgen_curve:P-256"):
    options = ["-pkeyopt", option] if option else []
    openssl(folder, "genpkey", "-algorithm", algorithm, *options, "-out", f"{name}.key")


def sign(folder, name, issuer, extensions, first, last, subject):
    openssl(
        folder, "req", "-new", "-config", "openssl.cnf", "-key", f"{name}.key", "-subj", f"/CN={subject}",
        "-out", f"{name}.csr",
    )
    by = ["-selfsign", "-keyfile", f"{name}.key"]
    if issuer is not None:
        by = ["-cert", f"{issuer}.pem", "-keyfile", f"{issuer}.key"]
    openssl(
        folder, "ca", "-batch", "-notext", "-config", "openssl.cnf", "-in", f"{name}.csr", "-out", f"{name}.pem",
        "-extensions", extensions, "-startdate", day(first), "-enddate", day(last), *by,
    )


def facts(folder, name):
    said = openssl(folder, "x509", "-in", f"{name}.pem", "-noout", "-startdate", "-enddate", "-pubkey")
    dates = dict(line.split("=", 1) for line in said.splitlines()[:2])
    key = base64.b64decode("".join(said.splitlines()[3:-1]))
    pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert((folder / f"{name}.pem").read_text())).hexdigest()
    first, last = (ssl.cert_time_to_seconds(dates[name]) for name in ("notBefore", "notAfter"))
    return f"{name} {first} {last} sha256//{pin} {fingerprint}\n"


def day(offset):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=offset)
    return moment.strftime("%Y%m%d%H%M%SZ")


def openssl(folder, *arguments):
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"openssl {arguments[0]} failed: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    make(sys.argv[1])
