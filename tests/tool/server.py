"""nsws as a server, of Python `websockets` and of itself: echo, listen, chat.

    server.py NSWS
"""

import asyncio
import os
import pathlib
import signal
import subprocess
import tempfile

from websockets.asyncio.client import connect as asyncio_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from support import PATIENCE, Server, event, held_port, nsws, start

CERTIFICATES = pathlib.Path(os.environ["NSWS_CERT_DIR"])


def enter(url, **options):
    return connect(url, proxy=None, max_size=None, open_timeout=PATIENCE, **options)


def echo_sends_everything_back():
    server = Server("echo", "0", "-z", "-p", "a,b")
    with enter(server.url + "where?x=1", subprotocols=["b", "c"]) as guest:
        assert guest.subprotocol == "b"
        for message in ("hello", "", b"", b"\0\xff", "x" * 3_000_000, os.urandom(3_000_000)):
            guest.send(message)
            assert guest.recv(PATIENCE) == message
        came = server.next("connect")
        assert (came["connection"], came["path"], came["protocol"]) == (1, "/where?x=1", "b"), came
        assert "permessage-deflate" in came["extensions"] and ["Connection", "Upgrade"] in came["headers"], came
    assert server.next("close") == {"event": "close", "connection": 1, "code": 1000, "reason": "", "clean": True}
    nsws("send", server.url, "x", "-r1").expect(0, "^x$")
    assert server.stop(signal.SIGINT)[-1]["connection"] == 2


def echo_holds_what_a_client_does_not_read():
    """More than the send queue: the client is not read on until it reads, and gets everything in order."""
    server = Server("echo", "0")
    asyncio.run(read_late(server.url))
    server.stop()


async def read_late(url):
    messages = [os.urandom(4_000_000) for _ in range(15)]
    async with asyncio.timeout(PATIENCE), asyncio_connect(url, proxy=None, max_size=None, max_queue=1, compression=None) as guest:
        reading = asyncio.Event()

        async def send():
            for sent, message in enumerate(messages):
                if sent == 6:
                    reading.set()
                await guest.send(message)

        sender = asyncio.create_task(send())
        await reading.wait()
        for message in messages:
            assert await guest.recv() == message
        await sender


def it_talks_to_itself():
    server = Server("echo", "[::1]:0", "--cert", CERTIFICATES / "good.pem", "--key", CERTIFICATES / "good.key")
    assert server.url.startswith("wss://[::1]:"), server.url
    trusted = ("--ca", CERTIFICATES / "ca.pem")
    nsws("ping", server.url, "-c3", "-i0", *trusted).expect(0, "^3 pings, 3 answered")
    nsws("bench", server.url, "-n5", "-c20", *trusted).expect(0, "^100 messages")
    nsws("cert", server.url, *trusted).expect(0)
    server.stop()


def limits_and_origins():
    server = Server("echo", "0", "--max-clients", 1, "--allow-origins", "https://good.example")
    with enter(server.url, origin="https://good.example"):
        for options, status in (({"origin": "https://bad.example"}, 403), ({}, 503)):
            try:
                enter(server.url, **options)
                raise AssertionError("it came in")
            except InvalidStatus as refused:
                assert refused.response.status_code == status, refused
    server.stop()


def a_port_that_is_taken():
    server = Server("echo", "0")
    port = server.url.split(":")[2].rstrip("/")
    nsws("echo", port).expect(10, err=rf"^nsws: {port}: .*{port}")
    nsws("echo", "192.0.2.1:0").expect(10, err="192.0.2.1")
    nsws("echo", "0", "--cert", CERTIFICATES / "empty.pem").expect(10, err="empty.pem")
    nsws("echo", "0", "--cert", "/no/such/file").expect(2, err="/no/such/file")
    server.stop()


def listen_prints_and_sends_to_all():
    server = Server("listen", "0", input=subprocess.PIPE)
    with enter(server.url) as ann, enter(server.url) as bob:
        server.next("connect"), server.next("connect")
        ann.send("from ann")
        found = server.next("message")
        assert (found["kind"], found["text"], found["length"]) == ("text", "from ann", 8), found
        bob.send(b"\0\1\2")
        assert server.next("message")["base64"] == "AAEC"
        server.process.stdin.write("to äll\n".encode())
        server.process.stdin.flush()
        for guest in (ann, bob):
            assert guest.recv(PATIENCE) == "to äll"
        server.process.stdin.close()
        ann.send("after the end of input")
        server.next("message")
        server.process.send_signal(signal.SIGTERM)
        for guest in (ann, bob):
            try:
                guest.recv(PATIENCE)
            except ConnectionClosed:
                pass
            assert guest.close_code == 1001, guest.close_code
    assert [it["event"] for it in server.end()] == ["close", "close"]


def a_file_from_one_to_another():
    with tempfile.TemporaryDirectory(prefix="nsws-tool-") as folder:
        here, there = pathlib.Path(folder, "here"), pathlib.Path(folder, "there")
        here.write_bytes(os.urandom(20_000_000))
        server = Server("listen", "127.0.0.1:0", "--once", "--output", there)
        nsws("send", server.url, "--file", here).expect(0)
        found = server.next("message")
        assert found == {"event": "message", "connection": 1, "kind": "binary", "length": 20_000_000, "file": str(there)}, found
        assert server.end()[-1]["event"] == "close"
        assert there.read_bytes() == here.read_bytes()


def a_client_comes_back():
    """Its server goes away, and another one takes the port."""
    address = f"127.0.0.1:{held_port()}"
    server = Server("echo", address)
    with start("connect", server.url, "--reconnect", "forever", "--json", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        said = (event(line) for line in client.stdout)

        def hears(name):
            return next(it for it in said if it["event"] == name)

        hears("open")
        server.next("connect")  # one that isn't known yet is let go without a close frame
        server.stop()
        assert hears("close")["code"] == 1001 and hears("reconnecting")["attempt"] == 1
        server = Server("echo", address)
        hears("open")
        client.stdin.write(b"still there?\n")
        client.stdin.flush()
        assert hears("message")["text"] == "still there?"
        client.stdin.close()
        assert hears("close")["clean"] and client.wait(PATIENCE) == 0
    server.stop()


def chat_tells_each_what_the_others_say():
    server = Server("chat", "0", "--name", "host", input=subprocess.PIPE)
    with enter(server.url) as ann, enter(server.url) as bob:
        assert ann.recv(PATIENCE) == "* #2 (127.0.0.1) has come"
        ann.send("Ann: hello")
        assert bob.recv(PATIENCE) == "Ann: hello"
        server.process.stdin.write(b"welcome\n")
        server.process.stdin.flush()
        assert ann.recv(PATIENCE) == bob.recv(PATIENCE) == "host: welcome"
        with start("chat", server.url, "--name", "carl", "-q", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as carl:
            assert bob.recv(PATIENCE) == "* #3 (127.0.0.1) has come"
            carl.stdin.write("hi\n")
            carl.stdin.flush()
            assert bob.recv(PATIENCE) == "carl: hi"
            bob.send("Bob: bye")
            assert carl.stdout.readline() == "Bob: bye\n"
            carl.stdin.close()
            assert carl.wait(PATIENCE) == 0
        assert bob.recv(PATIENCE) == "* #3 (127.0.0.1) has left"
        bob.send(b"bytes")
        try:
            bob.recv(PATIENCE)
        except ConnectionClosed:
            pass
        assert bob.close_code == 1003, bob.close_code
    server.stop()


if __name__ == "__main__":
    echo_sends_everything_back()
    echo_holds_what_a_client_does_not_read()
    it_talks_to_itself()
    limits_and_origins()
    a_port_that_is_taken()
    listen_prints_and_sends_to_all()
    a_file_from_one_to_another()
    a_client_comes_back()
    chat_tells_each_what_the_others_say()
