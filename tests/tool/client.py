"""nsws as a client of Python `websockets` and Node `ws`: send, connect, ping, bench, cert, and their exit codes.

    client.py NSWS          with run.py's python, node and proxies peers
"""

import base64
import hashlib
import os
import pathlib
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import time

from support import PATIENCE, nsws, start

ECHO, WSS, NODE = (os.environ[f"NSWS_{name}"] for name in ("ECHO_URL", "ECHO_WSS_URL", "NODE_URL"))
NODE_WSS, DEFLATE = os.environ["NSWS_NODE_WSS_URL"], os.environ["NSWS_DEFLATE_NODE_URL"]
CERTIFICATES = pathlib.Path(os.environ["NSWS_CERT_DIR"])
CA = CERTIFICATES / "ca.pem"
UNUSED = "ws://127.0.0.1:1/"


def wss(certificate):
    return "wss://127.0.0.1:{}/".format(os.environ[f"NSWS_WSS_{certificate}_PORT"])


def pin_of(certificate):
    """As openssl has it."""
    script = "openssl x509 -in $0 -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64"
    found = subprocess.run(["sh", "-c", script, CERTIFICATES / f"{certificate}.pem"], check=True, stdout=subprocess.PIPE, text=True)
    return "sha256//" + found.stdout.strip()


def send_prints_the_replies():
    for url in (ECHO, NODE):
        assert nsws("send", url, "hello", "wörld", "-r", 2).expect(0).out == "hello\nwörld\n"
        assert nsws("send", url, "", "-r", 1).expect(0).out == "\n"
        assert nsws("send", url, "--replies=1", "--", "-h").expect(0).out == "-h\n"
        assert nsws("send", url, "x", "-b", "-r1").expect(0).out == "binary, 1 bytes: 78\n"
    nsws("send", NODE + "fragments", "-r", 1, input=b"").expect(0, r"^hello$")


def send_takes_lines_of_standard_input():
    assert nsws("send", ECHO, "-r", 3, input=b"one\n\nthree").expect(0).out == "one\n\nthree\n"
    many = b"".join(b"line %d\n" % i for i in range(3000))
    assert nsws("send", ECHO, "-r", 3000, input=many).expect(0).raw == many
    nsws("send", ECHO, input=b"\xff\n").expect(2, err=r"^nsws: not sent: .*UTF-8")


def files_are_the_same_there_and_back(folder):
    for size, options in ((0, []), (1, []), (65536, []), (65537, []), (12_000_000, []), (300_000, ["--text"])):
        data = b"x" * size if options else os.urandom(size)
        here, back = folder / "here", folder / "back"
        here.write_bytes(data)
        for url in (ECHO, NODE):
            nsws("send", url, "--file", here, "-o", back, "-r", 1, *options).expect(0, r"\A\Z", rf"^Received {size} bytes, written to ")
            assert back.read_bytes() == data, f"{size} bytes"
    nsws("send", ECHO, "--file", "-", "-o", back, "-r", 1, input=data).expect(0)
    assert back.read_bytes() == data
    nsws("send", ECHO, "--file", "-", "--text", input=b"\xff").expect(2, err="UTF-8")
    nsws("send", ECHO, "x", "-r1", "-o", "/no/such/folder/file").expect(1, err="can't write /no/such/folder/file")
    nsws("send", ECHO, "x" * 100, "-r1", "-o", "/dev/full").expect(1, err="/dev/full is not complete")


def connect_talks_over_a_pipe():
    for url, arguments, said in ((ECHO, [], r"Connected\.\n(.*\n)*Closed, 1000\.\n"), (NODE, ["--quiet"], "")):
        with start("connect", url, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            for line in ("one\n", "/help\n", "\n", "wörld\n"):
                process.stdin.write(line)
                process.stdin.flush()
                assert process.stdout.readline() == line
            _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0 and re.fullmatch(said, err), err
    nsws("connect", ECHO, input=b"an end without a newline").expect(0)


def what_is_asked_for_is_sent():
    said = nsws("connect", ECHO, "-v", "-p", "chat.v1,chat.v2", "-H", "X-Test: 1", "--origin", "", input=b"").expect(0)
    assert "Connected, sub-protocol chat.v2." in said.err and "< Set-Cookie: second=2" in said.err and "log " in said.err, said.err
    seen = asked_of("-H", "X-Test:  a: b ", "-p", "x", "--origin", "https://o.example")
    assert b"\r\nX-Test: a: b" in seen and b"\r\nSec-WebSocket-Protocol: x\r\n" in seen and b"\r\nOrigin: https://o.example\r\n" in seen, seen
    assert b"permessage-deflate" in asked_of("-z") and b"permessage-deflate" not in seen
    assert b"\r\nProxy-Authorization: Basic dTpwOkA=\r\n" in asked_of("-x", "http://u:p%3A%40@{}", proxy=True)


def asked_of(*options, proxy=False):
    """The first request that a server, or a proxy, gets; it hangs up instead of an answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = "127.0.0.1:{}".format(listener.getsockname()[1])
        found = []

        def answer():
            with listener.accept()[0] as peer:
                found.append(peer.recv(65536))

        thread = threading.Thread(target=answer)
        thread.start()
        options = [option.format(address) for option in options]
        nsws("send", "ws://192.0.2.1/" if proxy else f"ws://{address}/", "x", *options).expect(6 if proxy else 3)
        thread.join()
    return found[0]


def proxies_are_gone_through():
    user, password = os.environ["NSWS_PROXY_USER"], os.environ["NSWS_PROXY_PASSWORD"]
    for scheme, name in (("", "TINYPROXY"), ("http://", "SQUID"), ("socks5://", "SOCKS")):
        port, guarded = os.environ[f"NSWS_{name}_PORT"], os.environ[f"NSWS_{name}_AUTH_PORT"]
        nsws("send", WSS, "x", "-r1", "--ca", CA, "--proxy", f"{scheme}127.0.0.1:{port}").expect(0, "^x$")
        nsws("send", ECHO, "x", "-r1", "--proxy", f"{scheme}{user}:{password.replace('-', '%2D')}@127.0.0.1:{guarded}/").expect(0, "^x$")
        nsws("send", ECHO, "x", "-r1", "--proxy", f"{scheme}127.0.0.1:{guarded}").expect(6, err="NSWS_DETAIL_PROXY_AUTH")
        nsws("send", ECHO, "x", "-r1", "--proxy", f"{scheme}127.0.0.1:1", "--no-proxy", "127.0.0.0/8").expect(0, "^x$")
        setting = {"ws_proxy": f"{scheme}127.0.0.1:1"}
        nsws("send", ECHO, "x", environment=setting).expect(6, err="NSWS_DETAIL_PROXY_REFUSED|NSWS_DETAIL_REFUSED")
        nsws("send", ECHO, "x", "-r1", "--proxy", "none", environment=setting).expect(0, "^x$")


def compression_is_agreed_to():
    said = nsws("send", DEFLATE, "x" * 5000, "-r1", "-z").expect(0, err=r"^Connected, permessage-deflate")
    assert said.out == "x" * 5000 + "\n"


def timing_is_shown():
    said = nsws("send", WSS, "x", "-r1", "--ca", CA, "--timing").expect(0)
    for step in ("dns", "tcp", "tls", "handshake"):
        assert re.search(rf"^  {step} +\d+\.\d{{3}} ms  *(=+)?$", said.err, re.M), said.err
    assert "\033" not in said.err
    colored = nsws("send", WSS, "x", "-r1", "--ca", CA, "--timing", "--color", "always").expect(0)
    assert "\033[45m " in colored.err, colored.err


def tls_options_and_exit_codes():
    for url in (WSS, NODE_WSS):
        nsws("send", url, "x", "-r1", "--ca", CA).expect(0, "^x$")
        nsws("send", url, "x", "-r1", "-k", "--tls13").expect(0, "^x$")
        nsws("send", url, "x", "-r1", "--ca", CA, "--pin", pin_of("good")).expect(0, "^x$")
        nsws("send", url, "x", "--ca", CA, "--pin", pin_of("chain")).expect(4, err="NSWS_DETAIL_PIN_MISMATCH")
        nsws("send", url, "x").expect(4, err=r'NSWS_DETAIL_CERT_ISSUER; "nsws explain 2302959" tells more')
    nsws("send", "wss://127.0.0.1:{}/".format(os.environ["NSWS_WSS_TLS_1_2_PORT"]), "x", "--ca", CA, "--tls13").expect(4)


def failures_have_exit_codes():
    nsws("send", UNUSED, "x").expect(3, err="NSWS_DETAIL_REFUSED")
    nsws("connect", "ws://no-such-host.invalid/", "--connect-timeout", "50s").expect(3, err="NSWS_DETAIL_NAME_NOT_FOUND")
    nsws("send", ECHO, "x", "-r", 2, "--timeout", "3s").expect(7, "^x$", r"^nsws: 1 of 2 replies after the timeout")
    nsws("send", ECHO + "close/4000/enough", "x", "-r1").expect(9, err=r'^Closed, 4000 "enough"\.$')
    nsws("send", ECHO + "close/1000", "x", "-r1").expect(9, err=r"^nsws: the server closed the connection before all was done")
    nsws("send", UNUSED, "x", "--reconnect", 1).expect(3, err=r"^Trying again in ")
    nsws("send", ECHO, "x", "-x", UNUSED[5:-1]).expect(6)
    nsws("send", ECHO, "x" * 2000, "-r1", "--max-size", "1K").expect(8, err="NSWS_DETAIL_MESSAGE_TOO_BIG")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = "ws://127.0.0.1:{}/".format(silent.getsockname()[1])
        nsws("connect", url, "--connect-timeout", "200ms").expect(7, err="NSWS_DETAIL_TIMEOUT")
    answers = {b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n": "HTTP_STATUS", b"SSH-2.0-OpenSSH\r\n": "HANDSHAKE"}
    for answer, detail in answers.items():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=lambda: answer_with(listener, answer))
            thread.start()
            nsws("connect", "ws://127.0.0.1:{}/".format(listener.getsockname()[1])).expect(5, err=f"NSWS_DETAIL_{detail}")
            thread.join()


def answer_with(listener, answer):
    with listener.accept()[0] as peer:
        peer.recv(65536)
        peer.sendall(answer)
        peer.recv(65536)


def ping_prints_times_and_a_summary():
    for url in (ECHO, NODE):
        said = nsws("ping", url, "-c", 5, "-i", 0).expect(0, r"^5 pings, 5 answered; fastest \d+\.\d{3} ms, mean .*, slowest .* ms$")
        assert len(re.findall(r"^pong \d: \d+\.\d{3} ms$", said.out, re.M)) == 5, said.out
    nsws("ping", UNUSED, "-c", 1).expect(3)


def bench_counts_messages():
    for url in (ECHO, NODE):
        nsws("bench", url, "-c", 50, "-n", 2, "-w", 4, "-s", "1K", "-b").expect(
            0, r"^100 messages of 1024 bytes there and back in \d.*\n  \d+ messages/s, .*\n  latency: 50 % .*, slowest .* ms$")
    nsws("bench", ECHO + "close/4000/no", "-c", 5).expect(9, err="closed a connection: 4000 no")
    nsws("bench", UNUSED, "-n", 3).expect(3)


def cert_checks_and_shows_the_pin():
    good, port = pin_of("good"), WSS.split(":")[2].rstrip("/")
    said = nsws("cert", f"127.0.0.1:{port}", "--ca", CA).expect(0, r"^trusted +yes$")
    assert re.search(rf"^public key +{re.escape(good)}$", said.out, re.M) and re.search(r"^TLS +1\.3$", said.out, re.M), said.out
    nsws("cert", WSS, "--ca", CA, "--pin", good).expect(0, r"^trusted +yes$")
    nsws("cert", WSS, "--ca", CA, "--pin", pin_of("chain")).expect(4, r"^trusted +no: .*\n +NSWS_DETAIL_PIN_MISMATCH")
    for name, detail in (("EXPIRED", "CERT_EXPIRED"), ("WRONG_NAME", "CERT_NAME"), ("UNKNOWN_CA", "CERT_ISSUER")):
        said = nsws("cert", wss(name), "--ca", CA).expect(4, rf"^trusted +no: .*\n +NSWS_DETAIL_{detail}; ")
        assert pin_of(name.lower().replace("_", "-")) in said.out, said.out
    old = "wss://127.0.0.1:{}/".format(os.environ["NSWS_WSS_TLS_1_2_PORT"])
    nsws("cert", old, "--ca", CA).expect(0, r"^TLS +1\.2, not 1\.3$")
    nsws("cert", "127.0.0.1:1").expect(3, err="NSWS_DETAIL_REFUSED")
    for pasted in (WSS.replace("wss:", "https:"), WSS.replace("wss:", "https:") + "?next=ws://a/"):
        nsws("cert", pasted, "--ca", CA).expect(0, r"^server +wss://127\.0\.0\.1:.*\ntrusted +yes$")
    # A pin is something to check where any certificate will do.
    nsws("cert", WSS, "--insecure", "--pin", good).expect(0, r"^trusted +yes$")
    nsws("cert", WSS, "--insecure", "--pin", pin_of("chain")).expect(4, r"^trusted +no: .*\n +NSWS_DETAIL_PIN_MISMATCH")


def cert_says_nothing_of_certificates_that_it_has_not_seen():
    plain, old = NODE.replace("ws:", "wss:"), "wss://127.0.0.1:{}/".format(os.environ["NSWS_WSS_TLS_1_2_PORT"])
    for arguments, sentence in (
        ([plain], r"the server does not speak TLS on this port\.$"),
        ([plain, "--pem"], r"the server does not speak TLS on this port\.$"),
        ([old, "--ca", CA, "--tls13"], r"^nsws: The TLS handshake with .* failed: "),
    ):
        nsws("cert", *arguments).expect(4, r"\A\Z", sentence)


def facts(name):
    """First and last second, pin and fingerprint, as openssl has them."""
    line = next(line for line in (CERTIFICATES / "facts.txt").read_text().splitlines() if line.split()[0] == name)
    first, last, pin, fingerprint = line.split()[1:]
    first, last = (time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(int(second))) for second in (first, last))
    return first, last, pin, fingerprint


def block(number, count, subject, issuer, names, name, when):
    first, last, pin, fingerprint = facts(name)
    return (
        f"\ncertificate {number} of {count}\nsubject     {subject}\nissuer      {issuer}\nnames       {names}\n"
        f"valid       {first} to {last} UTC, {when}\npublic key  {pin}\nSHA-256     {fingerprint}\n"
    )


def cert_shows_each_certificate():
    here = "localhost, 127.0.0.1, ::1"
    chain = block(1, 2, "CN=chain", "CN=The tests' intermediate", here, "chain", "19 days left")
    chain += block(2, 2, "CN=The tests' intermediate", "CN=The tests' ca", "none", "intermediate", "29 days left")
    url = wss("CHAIN")
    said = nsws("cert", url, "--ca", CA).expect(0)
    assert said.out == f"server      {url}\ntrusted     yes\nTLS         1.3\n{chain}", said.out
    # As much of one that isn't trusted.
    said = nsws("cert", url).expect(4, r"^trusted +no: .*\n +NSWS_DETAIL_CERT_ISSUER; .*\nTLS +1\.3$")
    assert said.out.endswith("TLS         1.3\n" + chain), said.out
    said = nsws("cert", wss("EXPIRED"), "--ca", CA).expect(4)
    assert said.out.endswith(block(1, 1, "CN=expired", "CN=The tests' ca", here, "expired", "expired 2 days ago")), said.out
    nsws("cert", wss("NOT_YET_VALID"), "--ca", CA).expect(4, r"^valid .* UTC, not yet: in 1 day$")
    names = here + ", [31modd, 192.0.2.1 as a DNS name"
    said = nsws("cert", wss("ODD_NAMES"), "--ca", CA).expect(0)
    assert said.out.endswith(block(1, 1, "CN=[31moddname", "CN=The tests' ca", names, "odd-names", "29 days left")), said.out


def cert_prints_pem_alone():
    pem = (CERTIFICATES / "chain.pem").read_text()
    assert nsws("cert", wss("CHAIN"), "--ca", CA, "--pem").expect(0, err=r"\A\Z").out == pem
    assert nsws("cert", wss("CHAIN"), "--pem").expect(4, err="NSWS_DETAIL_CERT_ISSUER").out == pem
    assert nsws("cert", "127.0.0.1:1", "--pem").expect(3).out == ""


class TlsServer:
    """Notes what each connection brings inside TLS, and answers it."""

    def __init__(self, upgrades=False, newest=ssl.TLSVersion.TLSv1_3, demands=False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATES / "chain.pem", CERTIFICATES / "chain.key")
        context.maximum_version = newest
        if demands:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(CA)
        self.brought, self.listener = [], socket.create_server(("127.0.0.1", 0))
        self.url = f"wss://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.thread = threading.Thread(target=self.serve, args=(context, upgrades), daemon=True)
        self.thread.start()

    def serve(self, context, upgrades):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:  # stopped
                return
            connection.settimeout(PATIENCE)
            request = b""
            try:
                with context.wrap_socket(connection, server_side=True) as inside:
                    request = inside.recv(65536)
                    inside.sendall(self.answer(request, upgrades))
            except OSError:  # the client ends TLS
                connection.close()
            self.brought.append(request.split(b"\r\n")[0])

    @staticmethod
    def answer(request, upgrades):
        if not upgrades or not request:
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        key = re.search(rb"Sec-WebSocket-Key: (\S+)", request)[1]
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"
        return head % accept

    def stop(self):
        """What each connection has brought."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(PATIENCE)
        self.listener.close()
        return self.brought


def cert_sends_nothing_to_a_server_that_is_not_trusted():
    get, nothing, old = b"GET / HTTP/1.1", b"", ssl.TLSVersion.TLSv1_2
    for options, trust, status, tls, brought in (
        ({"upgrades": True}, ["--ca", CA], 0, "1.3", [get]),
        ({"upgrades": True, "newest": old}, ["--ca", CA], 0, "1.2, not 1.3", [get]),
        ({}, ["--ca", CA], 0, "1.3", [get, nothing]),
        ({"newest": old}, ["--ca", CA], 0, "1.2, not 1.3", [get, nothing]),
        ({}, [], 4, "1.3", [nothing, nothing]),
        ({"newest": old}, [], 4, "1.2, not 1.3", [nothing, nothing]),
        # It ends TLS before the client has made up its mind.
        ({"newest": old, "demands": True}, ["--ca", CA], 4, "1.2, not 1.3", [nothing, nothing, nothing]),
    ):
        server = TlsServer(**options)
        said = nsws("cert", server.url, *trust).expect(status, rf"^TLS +{tls}$")
        assert server.stop() == brought, f"{options}: {server.brought}"
        assert all(facts(name)[2] in said.out for name in ("chain", "intermediate")), said.out


def main():
    with tempfile.TemporaryDirectory(prefix="nsws-tool-") as folder:
        files_are_the_same_there_and_back(pathlib.Path(folder))
    send_prints_the_replies()
    send_takes_lines_of_standard_input()
    connect_talks_over_a_pipe()
    what_is_asked_for_is_sent()
    proxies_are_gone_through()
    compression_is_agreed_to()
    timing_is_shown()
    tls_options_and_exit_codes()
    failures_have_exit_codes()
    ping_prints_times_and_a_summary()
    bench_counts_messages()
    cert_checks_and_shows_the_pin()
    cert_says_nothing_of_certificates_that_it_has_not_seen()
    cert_shows_each_certificate()
    cert_prints_pem_alone()
    cert_sends_nothing_to_a_server_that_is_not_trusted()


if __name__ == "__main__":
    main()
