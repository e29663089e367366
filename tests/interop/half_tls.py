"""Clients that vanish in the middle of a TLS record, after their WebSocket connection was open.

    half_tls.py CERTIFICATES

Standard input says PORT COUNT; so many connections are opened to the wss server there, and each sends half a record of a
message. The answer is "half COUNT"; the next line, whatever it is, closes them all, every other one with a reset, and is
answered by "gone".
"""

import pathlib
import socket
import ssl
import struct
import sys

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
MESSAGE = b"\x82\xfe\x03\xe8\0\0\0\0" + bytes(1000)
CONTEXT = ssl.create_default_context(cafile=pathlib.Path(sys.argv[1]) / "ca.pem")


def half(port):
    link = socket.create_connection(("127.0.0.1", port))
    received, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = CONTEXT.wrap_bio(received, to_send, server_hostname="localhost")

    def until_done(step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                link.sendall(to_send.read())
                received.write(link.recv(65536))

    until_done(tls.do_handshake)
    tls.write(UPGRADE)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += until_done(lambda: tls.read(1))
    assert head.startswith(b"HTTP/1.1 101 ")
    tls.write(MESSAGE)
    record = to_send.read()
    link.sendall(record[: len(record) // 2])
    return link


links = []
for line in sys.stdin:
    if links:
        for number, link in enumerate(links):
            if number % 2:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            link.close()
        links = []
        print("gone", flush=True)
    else:
        port, count = map(int, line.split())
        links = [half(port) for _ in range(count)]
        print(f"half {count}", flush=True)
