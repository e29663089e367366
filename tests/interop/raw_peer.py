"""A WebSocket server made of plain sockets, which does what the URL's path says, right or wrong.

The path names a behaviour below, with arguments: /status/404, /close-code/1001, /big/5000000. What the
server sees of a client is counted under the URL's token (?t=NAME), and a test reads it over the control
port, one line per request:

    get TOKEN KEY       what is known now; nothing when nothing is
    wait TOKEN KEY N    the number, as soon as it is at least N
    release TOKEN       lets the behaviours go on that wait for it
    forget TOKEN        drops what is known of the token
    proxy TOKEN WHAT..  a new proxy that does this, see proxy_peer.py: its port

The answer is everything up to the end of the stream. Keys that every behaviour counts: connections,
upgrades, ended, messages, text, binary, bytes, ordered, pings, pongs, unmasked, close_frames, close_code,
close_reason, eof, reset, head, address, last.
"""

import asyncio
import base64
import collections
import hashlib
import json
import os
import socket
import struct
import sys
import urllib.parse

import proxy_peer

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
LONGEST_HEAD = 256 * 1024


class Report:
    """What was seen under one token."""

    def __init__(self):
        self.values = {}
        self.changed = asyncio.Event()
        self.gate = asyncio.Event()

    def set(self, key, value):
        self.values[key] = value
        self.changed.set()
        self.changed = asyncio.Event()

    def add(self, key, number=1):
        self.set(key, self.values.get(key, 0) + number)

    async def wait(self, key, number):
        while self.values.get(key, 0) < number:
            await self.changed.wait()
        return self.values[key]


REPORTS = collections.defaultdict(Report)
BEHAVIOURS = {}


def behaviour(function):
    """Makes a function a path: `close_code` answers /close-code/..."""
    BEHAVIOURS[function.__name__.strip("_").replace("_", "-")] = function
    return function


class Peer:
    """One connection to a client."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.socket = writer.get_extra_info("socket")
        self.pending = bytearray()
        self.report = REPORTS[""]
        self.path, self.arguments, self.headers, self.head = "", [], {}, b""

    # The opening handshake.

    async def read_head(self):
        """Reads the request; False when there is none."""
        while b"\r\n\r\n" not in self.pending:
            data = await self.reader.read(65536)
            self.pending += data
            not_http = self.pending and not b"GET ".startswith(bytes(self.pending[:4]))
            if not data or not_http or len(self.pending) > LONGEST_HEAD:
                self.writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                return False
        end = self.pending.index(b"\r\n\r\n") + 4
        self.head = bytes(self.pending[:end])
        del self.pending[:end]
        lines = self.head.decode("utf-8", "replace").split("\r\n")
        for line in lines[1:-2]:
            name, _, value = line.partition(":")
            self.headers.setdefault(name.lower(), []).append(value.strip())
        target = urllib.parse.urlsplit(lines[0].split(" ")[1])
        self.path, *self.arguments = [urllib.parse.unquote(part) for part in target.path.split("/")[1:]]
        query = urllib.parse.parse_qs(target.query)
        self.report = REPORTS[query.get("t", [""])[0]]
        self.report.set("head", self.head)
        self.report.set("address", self.writer.get_extra_info("peername")[0])
        self.report.add("connections")
        return True

    def accept(self):
        key = self.headers.get("sec-websocket-key", [""])[0].encode()
        return base64.b64encode(hashlib.sha1(key + GUID).digest())

    def answer(self, extra=b"", accept=None, upgrade=b"websocket", connection=b"Upgrade", status=b"101 Switching Protocols"):
        """The response's head; a header given as None is left out."""
        lines = [b"HTTP/1.1 " + status]
        if upgrade is not None:
            lines.append(b"Upgrade: " + upgrade)
        if connection is not None:
            lines.append(b"Connection: " + connection)
        if accept != b"":
            lines.append(b"Sec-WebSocket-Accept: " + (accept or self.accept()))
        return b"\r\n".join(lines) + b"\r\n" + extra + b"\r\n"

    async def open(self, extra=b"", then=b"", **wrong):
        """Accepts; `then` goes into the same segment."""
        await self.write(self.answer(extra, **wrong) + then)
        self.report.add("upgrades")

    # Frames.

    async def write(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def send(self, opcode, payload=b"", **how):
        await self.write(frame(opcode, payload, **how))

    async def take(self, count):
        while len(self.pending) < count:
            data = await self.reader.read(262144)
            if not data:
                raise EOFError
            self.pending += data
        data = bytes(self.pending[:count])
        del self.pending[:count]
        return data

    async def frame(self):
        """The next frame of the client: whether it is final, its opcode, its payload."""
        first, second = await self.take(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", await self.take(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self.take(8))
        if second & 0x80:
            mask = await self.take(4)
            payload = unmask(await self.take(length), mask)
        else:
            self.report.add("unmasked")
            payload = await self.take(length)
        if first & 0x70:
            self.report.add("reserved_bits")
        return bool(first & 0x80), first & 0x0F, payload

    async def serve(self, on_message=None, on_ping=None, on_close=None):
        """Reads until the connection is over. Pings and closes are answered unless an argument says otherwise."""
        message, kind = b"", None
        while True:
            final, opcode, payload = await self.frame()
            if opcode == PING:
                self.report.set("last_ping", payload)
                self.report.add("pings")
                await (on_ping(payload) if on_ping else self.send(PONG, payload))
            elif opcode == PONG:
                self.report.set("last_pong", payload)
                self.report.add("pongs")
            elif opcode == CLOSE:
                self.saw_close(payload)
                if on_close is None:
                    await self.send(CLOSE, payload)
                    return
                await on_close(payload)
            else:
                message, kind = (message + payload, kind) if opcode == CONTINUATION else (payload, opcode)
                if final:
                    self.saw_message(kind, message)
                    if on_message:
                        await on_message(kind, message)

    def saw_close(self, payload):
        code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
        self.report.set("close_code", code)
        self.report.set("close_reason", payload[2:])
        self.report.add("close_frames")

    def saw_message(self, kind, message):
        report = self.report
        report.values["bytes"] = report.values.get("bytes", 0) + len(message)
        report.values["last"] = message[:65536]
        # Messages that begin with their number, from 0, are in order for as long as this counts them.
        ordered = report.values.get("ordered", 0)
        if message.startswith(b"%d:" % ordered):
            report.values["ordered"] = ordered + 1
        name = "text" if kind == TEXT else "binary"
        report.values[name] = report.values.get(name, 0) + 1
        report.add("messages")

    async def serve_while(self, sending, **how):
        """Reads until the connection is over, and sends meanwhile."""
        sending = asyncio.ensure_future(sending)
        try:
            await self.serve(self.echo, **how)
        finally:
            sending.cancel()
            await asyncio.wait({sending})
            if not sending.cancelled():
                sending.exception()

    async def released(self):
        """Waits until the test releases it, or the client is gone."""
        gate = asyncio.ensure_future(self.report.gate.wait())
        more = asyncio.ensure_future(self.reader.read(65536))
        try:
            await asyncio.wait({gate, more}, return_when=asyncio.FIRST_COMPLETED)
            if more.done():
                self.pending += more.result()
                if not self.pending:
                    raise EOFError
                await gate
        finally:
            for waiting in (gate, more):
                waiting.cancel()
            # A second read may not begin before the first has ended.
            await asyncio.wait({gate, more})

    async def echo(self, kind, message):
        await self.send(kind, message)

    async def ignore(self, *_):
        pass

    def reset(self):
        """Ends the connection with an RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def unmask(payload, mask):
    count = len(payload)
    if count == 0:
        return payload
    key = (mask * (count // 4 + 1))[:count]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(count, "little")


def frame(opcode, payload=b"", final=True, reserved=0, masked=False):
    head = bytearray([(0x80 if final else 0) | reserved << 4 | opcode])
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head.append(bit | len(payload))
    elif len(payload) < 65536:
        head += struct.pack("!BH", bit | 126, len(payload))
    else:
        head += struct.pack("!BQ", bit | 127, len(payload))
    if masked:
        return bytes(head) + b"mask" + unmask(payload, b"mask")
    return bytes(head) + payload


def close_frame(code, reason=b""):
    return frame(CLOSE, struct.pack("!H", code) + reason)


def pattern(count):
    """What the tests send, too: byte i is i modulo 251."""
    return (bytes(range(251)) * (count // 251 + 1))[:count]


# Opening handshakes.


@behaviour
async def status(peer, code, reason="Refused"):
    body = b"No WebSocket here.\n"
    head = f"HTTP/1.1 {code} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    await peer.write(head.encode() + body)
    await peer.take(1)


@behaviour
async def redirect(peer, code="302"):
    port = peer.socket.getsockname()[1]
    target = peer.head.split(b" ")[1].decode().replace("/redirect", "/echo", 1)
    head = f"HTTP/1.1 {code} Found\r\nLocation: ws://127.0.0.1:{port}{target}\r\nContent-Length: 0\r\n\r\n"
    await peer.write(head.encode())
    await peer.take(1)


@behaviour
async def refuse(peer, code, *given):
    """Any refusal: Name=value is a header, but body=TEXT, size=BYTES, and end=length, chunked, close, never."""
    known = {"body": "", "size": "0", "end": "length"}
    lines = []
    for name, _, value in (text.partition("=") for text in given):
        if name in known:
            known[name] = value
        else:
            lines.append(f"{name}: {value}\r\n")
    body = known["body"].encode() or pattern(int(known["size"]))
    if known["end"] == "length":
        lines.append(f"Content-Length: {len(body)}\r\n")
    elif known["end"] == "chunked":
        lines.append("Transfer-Encoding: chunked\r\n")
        parts = [body[start : start + 1000] for start in range(0, len(body), 1000)]
        body = b"".join(b"%x;x=y\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    await peer.write(f"HTTP/1.1 {code} Refused\r\n{''.join(lines)}\r\n".encode() + body)
    if known["end"] != "close":
        await peer.take(1)


@behaviour
async def redirect_to(peer, code, location):
    """A redirect to any Location, with the query of the request."""
    query = peer.head.split(b" ")[1].decode().partition("?")[2]
    await peer.write(f"HTTP/1.1 {code} Go\r\nLocation: {location}?{query}\r\nContent-Length: 0\r\n\r\n".encode())
    await peer.take(1)


@behaviour
async def hops(peer, count):
    """So many redirects, then an echo."""
    to = f"/hops/{int(count) - 1}" if int(count) > 1 else "/echo"
    await redirect_to(peer, "307", to)


@behaviour
async def no_accept(peer):
    await peer.open(accept=b"")
    await peer.serve()


@behaviour
async def wrong_accept(peer):
    await peer.open(accept=b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    await peer.serve()


@behaviour
async def no_upgrade(peer):
    await peer.open(upgrade=None)
    await peer.serve()


@behaviour
async def wrong_upgrade(peer):
    await peer.open(upgrade=b"h2c")
    await peer.serve()


@behaviour
async def no_connection(peer):
    await peer.open(connection=None)
    await peer.serve()


@behaviour
async def connection_list(peer):
    """Legal: tokens in any case, in a list."""
    await peer.open(connection=b"keep-alive, uPGRADE", upgrade=b"WebSocket")
    await peer.serve(peer.echo)


@behaviour
async def extension(peer, name="permessage-deflate"):
    await peer.open(extra=b"Sec-WebSocket-Extensions: " + name.encode() + b"\r\n")
    await peer.serve()


@behaviour
async def protocol(peer, name=""):
    """Chooses this sub-protocol, whatever was offered."""
    extra = b"Sec-WebSocket-Protocol: " + name.encode() + b"\r\n" if name else b""
    await peer.open(extra=extra)
    await peer.serve(peer.echo)


@behaviour
async def two_protocols(peer, *names):
    await peer.open(extra=b"".join(b"Sec-WebSocket-Protocol: " + name.encode() + b"\r\n" for name in names))
    await peer.serve()


@behaviour
async def headers(peer):
    await peer.open(extra=b"Set-Cookie: a=1\r\nX-Peer: raw\r\nset-cookie: b=2; Path=/\r\nSet-Cookie: c=\r\nX-Empty:\r\n")
    await peer.serve(peer.echo)


@behaviour
async def huge_header(peer, count="1048576"):
    """One header of that many bytes."""
    await peer.write(b"HTTP/1.1 101 Switching Protocols\r\nX-Huge: " + b"h" * int(count))
    await peer.write(b"\r\n\r\n")
    await peer.take(1)


@behaviour
async def endless_headers(peer):
    await peer.write(b"HTTP/1.1 101 Switching Protocols\r\n")
    while True:
        await peer.write(b"X-More: and more\r\n" * 64)


@behaviour
async def hold(peer):
    """Answers only when it is released."""
    await peer.released()
    await peer.open()
    await peer.serve(peer.echo)


@behaviour
async def never_answers(peer):
    await peer.take(1)


@behaviour
async def slow_head(peer):
    """One byte at a time."""
    for byte in peer.answer():
        await peer.write(bytes([byte]))
        await asyncio.sleep(0)
    peer.report.add("upgrades")
    await peer.serve(peer.echo)


@behaviour
async def half_a_head(peer):
    await peer.write(peer.answer()[:40])
    await peer.take(1)


@behaviour
async def garbage(peer):
    await peer.write(b"\x15\x03\x01\x00\x02\x02\x28 this is not HTTP\r\n\r\n" + bytes(range(256)))
    await peer.take(1)


@behaviour
async def early_close(peer):
    """Hangs up without an answer."""


@behaviour
async def early_reset(peer):
    peer.reset()


@behaviour
async def _100_continue(peer):
    await peer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    await peer.open()
    await peer.serve(peer.echo)


@behaviour
async def pipelined_frame(peer):
    await peer.open(then=frame(TEXT, b"with the answer") + frame(BINARY, b"and another"))
    await peer.serve(peer.echo)


@behaviour
async def pipelined_close(peer):
    await peer.open(then=frame(TEXT, b"hello and goodbye") + close_frame(1001, b"so soon"))
    await peer.serve(peer.echo, on_close=end)


# Well-behaved sessions.


@behaviour
async def echo(peer):
    await peer.open()
    await peer.serve(peer.echo)


BEHAVIOURS[""] = echo


@behaviour
async def sink(peer):
    await peer.open()
    await peer.serve()


@behaviour
async def echo_request(peer):
    await peer.open(then=frame(TEXT, peer.head))
    await peer.serve(peer.echo)


@behaviour
async def fragments(peer):
    await peer.open()
    for opcode, part, final in ((TEXT, b"he", False), (CONTINUATION, b"", False), (CONTINUATION, b"llo", True)):
        await peer.send(opcode, part, final=final)
    await peer.serve(peer.echo)


@behaviour
async def ping_between_fragments(peer):
    await peer.open()
    await peer.write(frame(TEXT, b"he", final=False) + frame(PING, b"still there?") + frame(CONTINUATION, b"llo"))
    await peer.serve(peer.echo)


@behaviour
async def utf8_split(peer):
    """Valid text whose characters are cut by the fragments."""
    text = "h\u00e9llo \u20ac \U0001f600".encode()
    await peer.open()
    for index in range(len(text)):
        opcode = TEXT if index == 0 else CONTINUATION
        await peer.send(opcode, text[index : index + 1], final=index == len(text) - 1)
    await peer.serve(peer.echo)


@behaviour
async def pongs(peer):
    """Unsolicited pongs: legal."""
    await peer.open()
    await peer.write(frame(PONG) + frame(PONG, b"unasked") + frame(TEXT, b"after"))
    await peer.serve(peer.echo)


@behaviour
async def ping(peer, count="1"):
    await peer.open()
    for index in range(int(count)):
        await peer.send(PING, b"%d" % index)
    await peer.serve(peer.echo)


@behaviour
async def big(peer, count):
    await peer.open()
    await peer.send(BINARY, pattern(int(count)))
    await peer.serve(peer.echo)


@behaviour
async def big_fragmented(peer, count, part):
    data, part = pattern(int(count)), int(part)
    await peer.open()
    for start in range(0, len(data), part):
        opcode = CONTINUATION if start else BINARY
        await peer.send(opcode, data[start : start + part], final=start + part >= len(data))
    await peer.serve(peer.echo)


@behaviour
async def burst(peer, count, size):
    """Many messages, then "block" to all as soon as it is released."""

    async def sending():
        left, message = int(count), frame(BINARY, pattern(int(size)))
        while left > 0:
            await peer.write(message * min(left, 500))
            left -= 500
        peer.report.add("bursts")
        await peer.report.gate.wait()
        await peer.send(TEXT, b"block")

    await peer.open()
    await peer.serve_while(sending())


@behaviour
async def flow(peer, size="64"):
    """Messages without end, at the pace of the reader."""

    async def sending():
        message = frame(BINARY, pattern(int(size)))
        while True:
            await peer.write(message)
            peer.report.add("sent")
            await asyncio.sleep(0)

    await peer.open()
    await peer.serve_while(sending())


@behaviour
async def flood(peer, size, count):
    """Counts what could be sent, and when the reader stopped reading."""

    async def sending():
        message = frame(BINARY, pattern(int(size)))
        for _ in range(int(count)):
            writing = asyncio.ensure_future(peer.write(message))
            # The only clock of this file: how long a reader must not read to count as one that doesn't.
            if not (await asyncio.wait({writing}, timeout=0.5))[0]:
                peer.report.add("blocked")
            await writing
            peer.report.add("sent")
        await peer.send(TEXT, b"the end")

    await peer.open()
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    peer.writer.transport.set_write_buffer_limits(high=65536)
    await peer.serve_while(sending())


# Sessions that end in many ways.


async def end(payload):
    raise EOFError


@behaviour
async def close_code(peer, code, reason=""):
    """Closes first, with any code."""
    await peer.open()
    await peer.write(close_frame(int(code), reason.encode()))
    await peer.serve(on_close=end)


@behaviour
async def close_frame_hex(peer, payload=""):
    """Closes first, with any payload."""
    await peer.open()
    await peer.send(CLOSE, bytes.fromhex(payload))
    await peer.serve(on_close=end)


@behaviour
async def close_after_message(peer, code, reason=""):
    """Answers the first message, and closes."""

    async def goodbye(kind, message):
        await peer.write(frame(kind, message) + close_frame(int(code), reason.encode()))

    await peer.open()
    await peer.serve(goodbye, on_close=end)


@behaviour
async def close_then_data(peer):
    await peer.open(then=frame(TEXT, b"before") + close_frame(4000, b"done") + frame(TEXT, b"after"))
    await peer.serve(on_close=end)


@behaviour
async def close_other(peer, code, reason=""):
    """Answers a close frame with another code."""

    async def answer(payload):
        await peer.write(close_frame(int(code), reason.encode()))
        raise EOFError

    await peer.open()
    await peer.serve(peer.echo, on_close=answer)


@behaviour
async def close_late(peer):
    """Answers a close frame when it is released, and sends a message before that."""

    async def answer(payload):
        await peer.released()
        await peer.write(frame(TEXT, b"one more") + frame(CLOSE, payload))
        raise EOFError

    await peer.open()
    await peer.serve(peer.echo, on_close=answer)


@behaviour
async def never_close(peer):
    """Never answers a close frame."""
    await peer.open()
    await peer.serve(peer.echo, on_close=peer.ignore)


@behaviour
async def stay_after_close(peer):
    """Answers a close frame and leaves the TCP connection open."""

    async def answer(payload):
        await peer.send(CLOSE, payload)

    await peer.open()
    await peer.serve(peer.echo, on_close=answer)


@behaviour
async def close_without_frame(peer):
    """The link ends, after the first message."""
    await peer.open()
    await peer.serve(end_after_message)


async def end_after_message(kind, message):
    raise EOFError


@behaviour
async def rst_after_open(peer):
    """The link breaks, after the first message."""

    async def break_it(kind, message):
        peer.reset()
        raise EOFError

    await peer.open()
    await peer.serve(break_it)


@behaviour
async def half_a_message(peer):
    """The link ends within a frame."""
    await peer.open()
    await peer.write(frame(BINARY, pattern(1000))[:500])


@behaviour
async def stall(peer):
    """Reads nothing until it is released."""
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
    await peer.open()
    await peer.report.gate.wait()
    await peer.serve()


@behaviour
async def silent(peer):
    """Answers no ping."""
    await peer.open()
    await peer.serve(peer.echo, on_ping=peer.ignore)


@behaviour
async def ticks(peer):
    """Answers a ping with a message instead of a pong."""

    async def tick(payload):
        await peer.send(TEXT, b"tick")

    await peer.open()
    await peer.serve(peer.echo, on_ping=tick)


# Frames that are wrong.


async def wrong(peer, data):
    """Opens, sends something wrong, and records what the client answers."""
    await peer.open()
    await peer.write(data)
    await peer.serve(peer.echo)


@behaviour
async def frames(peer, data):
    """Any bytes, in hexadecimal."""
    await wrong(peer, bytes.fromhex(data))


@behaviour
async def rsv(peer, bits="4"):
    await wrong(peer, frame(TEXT, b"hello", reserved=int(bits)))


@behaviour
async def bad_opcode(peer, opcode="3"):
    await wrong(peer, frame(int(opcode, 16), b"hello"))


@behaviour
async def stray_continuation(peer):
    await wrong(peer, frame(CONTINUATION, b"hello"))


@behaviour
async def interrupted_fragments(peer):
    await wrong(peer, frame(TEXT, b"he", final=False) + frame(TEXT, b"llo"))


@behaviour
async def masked(peer):
    await wrong(peer, frame(TEXT, b"hello", masked=True))


@behaviour
async def invalid_utf8(peer):
    await wrong(peer, frame(TEXT, b"hello \xff"))


@behaviour
async def invalid_utf8_fragmented(peer):
    await wrong(peer, frame(TEXT, b"hello \xf0\x9f", final=False) + frame(CONTINUATION, b"\x98"))


@behaviour
async def oversize_control(peer):
    await wrong(peer, frame(PING, pattern(126)))


@behaviour
async def fragmented_control(peer):
    await wrong(peer, frame(PING, b"hello", final=False))


@behaviour
async def close_1_byte(peer):
    await wrong(peer, frame(CLOSE, b"\x03"))


@behaviour
async def close_bad_utf8(peer):
    await wrong(peer, close_frame(1000, b"bye \xff"))


@behaviour
async def announce(peer, count):
    """The head of a binary frame of that many bytes, and a few of them."""
    await wrong(peer, struct.pack("!BBQ", 0x80 | BINARY, 127, int(count)) + b"only these")


@behaviour
async def endless_message(peer, part="65536"):
    """One message in fragments, without end."""

    async def sending():
        data = pattern(int(part))
        await peer.send(BINARY, data, final=False)
        while True:
            await peer.send(CONTINUATION, data, final=False)
            peer.report.add("sent")

    await peer.open()
    await peer.serve_while(sending())


# The server.


async def connection(reader, writer):
    peer = Peer(reader, writer)
    task = asyncio.current_task()
    try:
        peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if await peer.read_head():
            await BEHAVIOURS.get(peer.path, not_found)(peer, *peer.arguments)
    except EOFError:
        peer.report.add("eof")
    except (ConnectionError, OSError):
        peer.report.add("reset")
    except asyncio.CancelledError:
        task.uncancel() if hasattr(task, "uncancel") else None
    except Exception as error:  # A behaviour that is wrong must not look like a client that is.
        print(f"raw peer: {peer.path}: {error!r}", file=sys.stderr)
    finally:
        writer.close()
        peer.report.add("ended")


async def not_found(peer, *_):
    print(f"raw peer: there is no behaviour {peer.path!r}", file=sys.stderr)
    await peer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


async def control(reader, writer):
    try:
        line = (await reader.readline()).decode().split()
        answer = await command(*line) if line else b""
        if not isinstance(answer, bytes):
            answer = str(answer).encode()
        writer.write(answer)
        await writer.drain()
    except (ConnectionError, OSError):
        pass
    except Exception as error:
        print(f"raw peer: control: {error!r}", file=sys.stderr)
    finally:
        writer.close()


async def command(verb, token, *arguments):
    if verb == "proxy":
        return await proxy_peer.listen(REPORTS[token], *arguments)
    if verb == "wait":
        key, number = arguments
        return await REPORTS[token].wait(key, int(number))
    if verb == "get":
        return REPORTS[token].values.get(*arguments, b"")
    if verb == "release":
        REPORTS[token].gate.set()
        return b"released"
    if verb == "forget":
        REPORTS.pop(token, None)
        return b"forgotten"
    raise ValueError(verb)


def parent_is_gone():
    """run.py holds the other end of our standard input: when that closes, this ends."""
    if not os.read(0, 4096):
        os._exit(0)


async def main():
    servers = await asyncio.start_server(connection, "127.0.0.1", 0, backlog=1024)
    ports = {"NSWS_RAW_PORT": servers.sockets[0].getsockname()[1]}
    try:
        six = await asyncio.start_server(connection, "::1", 0, backlog=1024)
        ports["NSWS_RAW_PORT_6"] = six.sockets[0].getsockname()[1]
    except OSError:
        pass  # A machine without IPv6.
    controls = await asyncio.start_server(control, "127.0.0.1", 0, backlog=128)
    ports["NSWS_CONTROL_PORT"] = controls.sockets[0].getsockname()[1]
    asyncio.get_running_loop().add_reader(0, parent_is_gone)
    print(json.dumps(ports), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
