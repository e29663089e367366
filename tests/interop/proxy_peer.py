"""Proxies that do what a test says, right or wrong; raw_peer.py starts one for each `proxy TOKEN WHAT ARGUMENTS`.

WHAT is a behaviour below. The tokens' counts are raw_peer.py's; a proxy counts connections, ended, tunnels,
written, head (the first request, whole) and target.
"""

import asyncio
import base64
import socket
import struct
import sys
import urllib.parse

BEHAVIOURS = {}
# Names that exist nowhere else: a client that looks them up has not left that to the proxy.
ONLY_HERE = ".test"


def behaviour(function):
    BEHAVIOURS[function.__name__.replace("_", "-")] = function
    return function


class Proxy:
    """One connection to a proxy."""

    def __init__(self, reader, writer, report):
        self.reader, self.writer, self.report = reader, writer, report

    async def write(self, data):
        self.writer.write(data)
        await self.writer.drain()
        self.report.add("written", len(data))

    async def request(self):
        """The request for a tunnel, whole: where to."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        self.report.set("head", head)
        method, target, _ = head.split(b"\r\n")[0].split(b" ")
        self.report.set("target", target)
        if method != b"CONNECT":
            raise ValueError(method)
        return target.decode()

    async def to_the_end(self):
        while await self.reader.read(65536):
            pass

    async def splice(self, host, port):
        """Connects the client with a target, which is on this machine whatever its name is."""
        host = "127.0.0.1" if host.endswith(ONLY_HERE) else host.strip("[]")
        reader, writer = await asyncio.open_connection(host, port)
        self.report.add("tunnels")

        async def copy(source, sink):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
            sink.write_eof()

        try:
            await asyncio.gather(copy(self.reader, writer), copy(reader, self.writer))
        finally:
            writer.close()


def text(argument):
    """`HTTP/1.1%20200%20OK%0d%0a`: as it stands in a line of the control port."""
    return urllib.parse.unquote_to_bytes(argument)


# HTTP.


@behaviour
async def tunnel(proxy, credentials=""):
    """What a proxy does; with credentials, only for clients that know them."""
    host, _, port = (await proxy.request()).rpartition(":")
    head = proxy.report.values["head"]
    wanted = b"Proxy-Authorization: Basic " + base64.b64encode(text(credentials)) + b"\r\n"
    if credentials and wanted not in head:
        answer = b'HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic realm="tests"\r\nContent-Length: 0\r\n\r\n'
        await proxy.write(answer)
        return
    await proxy.write(b"HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    await proxy.splice(host, int(port))


@behaviour
async def says(proxy, answer=""):
    """Any bytes, at once; then listens."""
    await proxy.request()
    await proxy.write(text(answer))
    await proxy.to_the_end()


@behaviour
async def says_and_closes(proxy, answer=""):
    await proxy.request()
    await proxy.write(text(answer))


@behaviour
async def page(proxy, answer=""):
    """Opens the tunnel and answers what comes through it itself, like a network's login page."""
    await proxy.request()
    await proxy.write(b"HTTP/1.1 200 OK\r\n\r\n")
    await proxy.reader.read(65536)
    await proxy.write(text(answer))
    await proxy.to_the_end()


@behaviour
async def headers(proxy, count=str(1 << 30)):
    """That many bytes of headers."""
    await proxy.request()
    await proxy.write(b"HTTP/1.1 200 OK\r\n")
    lines = b"X-More: and more of it\r\n" * 4096
    for _ in range(int(count) // len(lines)):
        await proxy.write(lines)
    await proxy.write(b"\r\n")
    await proxy.to_the_end()


@behaviour
async def interim(proxy):
    """Announces an answer, again and again."""
    await proxy.request()
    while True:
        await proxy.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 64)


@behaviour
async def slow(proxy):
    """A byte a second."""
    await proxy.request()
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 100000:
        await proxy.write(bytes([byte]))
        await asyncio.sleep(1)


@behaviour
async def silent(proxy):
    await proxy.to_the_end()


@behaviour
async def resets(proxy):
    await proxy.reader.read(1)
    proxy.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    proxy.writer.transport.abort()


# SOCKS5.


@behaviour
async def socks(proxy, credentials=""):
    """What a SOCKS5 proxy does; with `user:password`, only for clients that know them."""
    read = proxy.reader.readexactly
    version, count = await read(2)
    methods = await read(count)
    proxy.report.set("head", bytes([version, count]) + methods)
    wanted = 2 if credentials else 0
    if wanted not in methods:
        await proxy.write(b"\x05\xff")
        return
    await proxy.write(bytes([5, wanted]))
    if credentials:
        _, length = await read(2)
        user = await read(length)
        password = await read((await read(1))[0])
        right = user + b":" + password == text(credentials)
        await proxy.write(b"\x01\x00" if right else b"\x01\x01")
        if not right:
            return
    _, _, _, kind = await read(4)
    host = {
        1: lambda: read(4),
        3: lambda: read_counted(read),
        4: lambda: read(16),
    }[kind]
    host = await host()
    host = host.decode() if kind == 3 else socket.inet_ntop({1: socket.AF_INET, 4: socket.AF_INET6}[kind], host)
    (port,) = struct.unpack("!H", await read(2))
    proxy.report.set("target", f"{kind} {host}:{port}".encode())
    await proxy.write(b"\x05\x00\x00\x03\x05bound\x00\x01")
    await proxy.splice(host, port)


async def read_counted(read):
    return await read((await read(1))[0])


@behaviour
async def replies(proxy, *answers):
    """Answers whatever comes, each time with the next of these, in hexadecimal."""
    for answer in answers:
        if not await proxy.reader.read(65536):
            return
        await proxy.write(bytes.fromhex(answer))
    await proxy.to_the_end()


async def listen(report, name, *arguments):
    """The port of a new proxy. `name` may be `six/NAME`, for one on ::1."""
    address, _, name = name.rpartition("/")
    act = BEHAVIOURS[name]

    async def connection(reader, writer):
        report.add("connections")
        try:
            await act(Proxy(reader, writer, report), *arguments)
        except (EOFError, ConnectionError, OSError):
            pass
        except Exception as error:  # A behaviour that is wrong must not look like a client that is.
            print(f"proxy peer: {name}: {error!r}", file=sys.stderr)
        finally:
            writer.close()
            report.add("ended")

    server = await asyncio.start_server(connection, "::1" if address == "six" else "127.0.0.1", 0)
    return server.sockets[0].getsockname()[1]
