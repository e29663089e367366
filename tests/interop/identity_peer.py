"""Servers that ask for a client certificate, and the identities that a client may have.

Both by parties that know nothing of the library: the servers are Python's `ssl` with `websockets`, and OpenSSL's
s_server, which answers every request with a page; keys and certificates are made with the openssl command.

    identity/KIND.pem               a certificate of that kind of key and the intermediate CA that issued it
    identity/KIND-CONTAINER.key     its key, as PLAIN and ENCRYPTED below say; the password is PASSWORD
    identity/expired.pem, .key      a certificate that has expired
    NAME.pin                        the public-key pin of each server certificate of certs.py, by the openssl command

A server says in its first message who the client is: the common name of its certificate, or nobody.
"""

import asyncio
import base64
import ctypes
import hashlib
import json
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import threading

from websockets.sync.server import serve

import certs
import echo_peer

PASSWORD = "correct h\u00f6rse: battery"

KINDS = {
    "rsa": ("RSA", "rsa_keygen_bits:2048"),
    "p256": ("EC", "ec_paramgen_curve:P-256"),
    "p384": ("EC", "ec_paramgen_curve:P-384"),
    "ed25519": ("ED25519", None),
}

PLAIN = {
    "pkcs8": "pkcs8 -topk8 -nocrypt",
    "traditional": "pkey -traditional",
}

ENCRYPTED = {
    "aes-128": "pkcs8 -topk8 -v2 aes-128-cbc",
    "aes-192": "pkcs8 -topk8 -v2 aes-192-cbc",
    "aes-256": "pkcs8 -topk8 -v2 aes-256-cbc",
    "3des": "pkcs8 -topk8 -v2 des3",
    "sha-1": "pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA1",
    "sha-512": "pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA512",
    "scrypt": "pkcs8 -topk8 -scrypt -scrypt_N 1024",
    "pbes1": "pkcs8 -topk8 -v1 PBE-SHA1-3DES",
    "old-aes-128": "pkey -traditional -aes128",
    "old-aes-192": "pkey -traditional -aes192",
    "old-aes-256": "pkey -traditional -aes256",
    "old-3des": "pkey -traditional -des3",
    "old-camellia": "pkey -traditional -camellia256",
}


def make(folder):
    (folder / "identity").mkdir()
    certs.key(folder, "client-ca")
    certs.sign(folder, "client-ca", None, "authority", -2, 30, "The tests' CA of clients")
    certs.key(folder, "client-intermediate")
    certs.sign(folder, "client-intermediate", "client-ca", "authority", -2, 30, "The tests' intermediate of clients")
    intermediate = (folder / "client-intermediate.pem").read_text()
    for kind, (algorithm, option) in KINDS.items():
        name = f"identity/{kind}"
        certs.key(folder, name, algorithm, option)
        certs.sign(folder, name, "client-intermediate", "client-only", -2, 30, kind)
        with open(folder / f"{name}.pem", "a") as chain:
            chain.write(intermediate)
        for container, command in (PLAIN | ENCRYPTED).items():
            if "-traditional" in command and kind == "ed25519":
                continue  # there is no such form
            passwords = ["-passout", f"pass:{PASSWORD}"] if container in ENCRYPTED else []
            certs.openssl(folder, *command.split(), *passwords, "-in", f"{name}.key", "-out", f"{name}-{container}.key")
    certs.openssl(
        folder, "pkcs8", "-topk8", "-iter", "2000000", "-passout", f"pass:{PASSWORD}",
        "-in", "identity/p256.key", "-out", "identity/p256-slow.key",
    )
    certs.key(folder, "identity/expired")
    certs.sign(folder, "identity/expired", "client-ca", "client-only", -30, -2, "expired")
    for name in [*certs.LEAVES, "incomplete-chain"]:
        certs.openssl(folder, "pkey", "-in", f"{name}.key", "-pubout", "-outform", "DER", "-out", "public.der")
        digest = hashlib.sha256((folder / "public.der").read_bytes()).digest()
        (folder / f"{name}.pin").write_text("sha256//" + base64.b64encode(digest).decode())


def tell_who(connection):
    certificate = connection.socket.getpeercert() or {}
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    connection.send(names[0] if names else "nobody")
    for _ in connection:
        pass


def start(context):
    """In threads, since Python's asyncio sends no alert when it refuses a certificate; the port."""
    server = serve(tell_who, "127.0.0.1", 0, ssl=context, compression=None)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.socket.getsockname()[1]


def asking(folder, mode, ca="client-ca", newest=ssl.TLSVersion.TLSv1_3):
    context = echo_peer.tls(folder, "good")
    context.maximum_version = newest
    if mode != ssl.CERT_NONE:
        context.verify_mode = mode
        context.load_verify_locations(folder / f"{ca}.pem")
    return context


def s_server(folder, *options):
    """OpenSSL's, which demands a certificate; its port."""

    def die_with_parent():
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-cert", "good.pem", "-key", "good.key",
         "-Verify", "5", "-verify_return_error", "-CAfile", "client-ca.pem", *options],
        cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        preexec_fn=die_with_parent,
    )
    for line in server.stdout:
        if line.startswith("ACCEPT"):
            return server, line.rsplit(":", 1)[1].strip()
    raise SystemExit("openssl s_server did not start")


async def main(folder):
    folder = pathlib.Path(folder)
    make(folder)
    one_two = ssl.TLSVersion.TLSv1_2
    servers = {
        "NOTHING": asking(folder, ssl.CERT_NONE),
        "ASKS": asking(folder, ssl.CERT_OPTIONAL),
        "DEMANDS": asking(folder, ssl.CERT_REQUIRED),
        "DEMANDS_1_2": asking(folder, ssl.CERT_REQUIRED, newest=one_two),
        "OTHER_CA": asking(folder, ssl.CERT_REQUIRED, "other-ca"),
        "OTHER_CA_1_2": asking(folder, ssl.CERT_REQUIRED, "other-ca", one_two),
    }
    found = {"NSWS_IDENTITY_PASSWORD": PASSWORD}
    for name, context in servers.items():
        found[f"NSWS_IDENTITY_{name}_PORT"] = start(context)
    processes = []
    for name, option in {"S_SERVER": "-tls1_3", "S_SERVER_1_2": "-tls1_2"}.items():
        process, found[f"NSWS_IDENTITY_{name}_PORT"] = s_server(folder, option)
        processes.append(process)
    for name in [*certs.LEAVES, "incomplete-chain"]:
        found[echo_peer.variable(name)] = await echo_peer.start(echo_peer.tls(folder, name))
    await echo_peer.serve_until_parent_is_gone(found)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
