"""One end of a WebSocket connection with permessage-deflate (RFC 7692) that is made by hand, right or wrong.

Each line of standard input is answered by one line:

    serve                       the port where it listens for one client
    accept EXTENSIONS|-         "offer EXTENSIONS|-": what the client offered; it is answered with these
    connect PORT EXTENSIONS|-   "answer EXTENSIONS|-", or "refused STATUS"
    deflater BITS TAKEOVER      ok: how this end compresses; TAKEOVER is 1 or 0
    inflater BITS TAKEOVER      ok: how it expands; nothing may refer further back than the window
    send text|binary WHAT LENGTH [FRAGMENT]     "sent BYTES": a compressed message, in fragments if it says so
    plain text|binary WHAT LENGTH               "sent BYTES": one that isn't compressed
    frame FIRST [PAYLOAD]       sent: a frame with this first byte and payload, in hexadecimal
    cut text|binary WHAT LENGTH TAKEN   "sent BYTES": a compressed message without the last TAKEN bytes
    bomb MIB                    "sent BYTES": a message that expands to so many MiB
    read WHAT                   "compressed|plain text|binary LENGTH BYTES same|different", or "closed CODE"
    leave                       ok: the link ends

WHAT is what `made` makes, of any length; test_engine_deflate.c has the same.
"""

import base64
import hashlib
import socket
import struct
import sys
import zlib

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TAIL = b"\x00\x00\xff\xff"


def noise(count):
    state, out = 1, bytearray()
    for _ in range(count):
        state = (state * 1103515245 + 12345) & 0xFFFFFFFF
        out.append(state >> 16 & 0xFF)
    return bytes(out)


NOISE = noise(20000)


def made(what, length):
    if what == "letters":
        unit = b"abcdefghijklmnopqrstuvwxyz"
    elif what == "near":  # Repeats itself from further away than 256 bytes.
        unit = NOISE[:300]
    elif what == "far":
        unit = NOISE
    elif what == "zeros":
        unit = b"\x00"
    elif what == "noise":  # Can't be made smaller, up to 20,000 bytes.
        return noise(length)
    else:
        raise SystemExit(f"deflate_raw.py: what is {what}?")
    return (unit * (length // len(unit) + 1))[:length]


class Link:
    def __init__(self):
        self.socket, self.listener, self.masks, self.pending = None, None, False, b""
        self.set_deflater(15, True)
        self.set_inflater(15, True)

    def set_deflater(self, bits, takeover):
        # zlib makes raw streams of 9 bits and more; one of 8 that refers no further back than 256 bytes is made of stored blocks.
        self.bits, self.deflate_takeover = bits, takeover
        self.deflater = zlib.compressobj(9, zlib.DEFLATED, -max(bits, 9))

    def set_inflater(self, bits, takeover):
        self.inflate_bits, self.inflate_takeover = bits, takeover
        self.inflater = zlib.decompressobj(-bits)

    def deflate(self, data):
        if self.bits == 8:
            blocks = [data[at : at + 200] for at in range(0, len(data), 200)]
            return b"".join(b"\x00" + struct.pack("<HH", len(b), 65535 - len(b)) + b for b in blocks) + b"\x00"
        out = self.deflater.compress(data) + self.deflater.flush(zlib.Z_SYNC_FLUSH)
        if not self.deflate_takeover:
            self.set_deflater(self.bits, False)
        assert out.endswith(TAIL)
        return out[:-4]

    def inflate(self, data):
        """A byte at a time: so zlib looks at the window alone, and not at what it has just put out."""
        out, rest = bytearray(), data + TAIL
        step = 1 if self.inflate_bits < 15 else 0
        while rest:
            piece = self.inflater.decompress(rest, step) if step else self.inflater.decompress(rest)
            out += piece
            if len(self.inflater.unconsumed_tail) == len(rest) and not piece:
                break
            rest = self.inflater.unconsumed_tail
            if not step:
                break
        if step:  # What is still inside.
            while piece := self.inflater.decompress(b"", 1):
                out += piece
        if not self.inflate_takeover or self.inflater.eof:
            self.set_inflater(self.inflate_bits, self.inflate_takeover)
        return bytes(out)

    def take(self, count):
        while len(self.pending) < count:
            data = self.socket.recv(262144)
            if not data:
                raise EOFError
            self.pending += data
        data, self.pending = self.pending[:count], self.pending[count:]
        return data

    def head(self):
        while b"\r\n\r\n" not in self.pending:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.pending += data
        head, self.pending = self.pending.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        found = [line.partition(":") for line in lines[1:]]
        return lines[0], {name.strip().lower(): value.strip() for name, _, value in found}

    def send_frame(self, first, payload):
        mask = 0x80 if self.masks else 0
        if len(payload) < 126:
            head = struct.pack("!BB", first, mask | len(payload))
        elif len(payload) < 65536:
            head = struct.pack("!BBH", first, mask | 126, len(payload))
        else:
            head = struct.pack("!BBQ", first, mask | 127, len(payload))
        try:
            self.socket.sendall(head + (b"\0\0\0\0" if mask else b"") + payload)
        except OSError:
            pass  # The library has had enough, and says so.

    def frame(self):
        first, second = self.take(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self.take(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self.take(8))
        mask = self.take(4) if second & 0x80 else b"\0\0\0\0"
        payload = self.take(length)
        if any(mask):
            key = (mask * (length // 4 + 1))[:length]
            payload = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")
        return first, payload

    def read(self, what):
        message, kind, compressed = b"", "", False
        while True:
            first, payload = self.frame()
            if first & 15 == 8:
                return f"closed {struct.unpack('!H', payload[:2])[0] if len(payload) >= 2 else 1005}"
            if first & 8:
                continue
            if first & 15:
                kind, compressed = "text" if first & 15 == 1 else "binary", bool(first & 0x40)
            elif first & 0x40:
                return "a continuation with RSV1"
            message += payload
            if first & 0x80:
                break
        size = len(message)
        if compressed:
            try:
                message = self.inflate(message)
            except zlib.error as error:
                return f"broken: {error}"
        same = "same" if message == made(what, len(message)) else "different"
        return f"{'compressed' if compressed else 'plain'} {kind} {len(message)} {size} {same}"


def do(link, command, *words):
    if command == "serve":
        link.listener = socket.create_server(("127.0.0.1", 0))
        return link.listener.getsockname()[1]
    if command == "accept":
        link.socket, _ = link.listener.accept()
        _, headers = link.head()
        key = headers["sec-websocket-key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        answer = words[0]
        extra = "" if answer == "-" else f"Sec-WebSocket-Extensions: {answer}\r\n"
        link.socket.sendall(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n{extra}\r\n".encode()
        )
        link.masks = False
        return f"offer {headers.get('sec-websocket-extensions', '-')}"
    if command == "connect":
        port, _, offer = words[0].partition(" ")
        link.socket = socket.create_connection(("127.0.0.1", int(port)))
        extra = "" if offer == "-" else f"Sec-WebSocket-Extensions: {offer}\r\n"
        link.socket.sendall(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{extra}\r\n".encode()
        )
        link.masks = True
        status, headers = link.head()
        if " 101 " not in status:
            return f"refused {status.split(' ')[1]}"
        return f"answer {headers.get('sec-websocket-extensions', '-')}"
    words = words[0].split(" ") if words else []
    opcode = {"text": 1, "binary": 2}.get(words[0] if words else "")
    if command == "deflater":
        link.set_deflater(int(words[0]), words[1] == "1")
        return "ok"
    if command == "inflater":
        link.set_inflater(int(words[0]), words[1] == "1")
        return "ok"
    if command in ("send", "cut"):
        data = link.deflate(made(words[1], int(words[2])))
        if command == "cut":
            data = data[: -int(words[3])]
            words = words[:3]
        size = int(words[3]) if len(words) > 3 else max(len(data), 1)
        for at in range(0, len(data), size):
            final = 0x80 if at + size >= len(data) else 0
            link.send_frame(final | (0x40 | opcode if at == 0 else 0), data[at : at + size])
        return f"sent {len(data)}"
    if command == "plain":
        data = made(words[1], int(words[2]))
        link.send_frame(0x80 | opcode, data)
        return f"sent {len(data)}"
    if command == "frame":
        link.send_frame(int(words[0], 16), bytes.fromhex(words[1] if len(words) > 1 else ""))
        return "sent"
    if command == "bomb":
        out, zeros = zlib.compressobj(9, zlib.DEFLATED, -15), bytes(1 << 20)
        data = b"".join(out.compress(zeros) for _ in range(int(words[0]))) + out.flush(zlib.Z_SYNC_FLUSH)
        link.send_frame(0xC2, data[:-4])
        return f"sent {len(data)}"
    if command == "read":
        try:
            return link.read(words[0])
        except (EOFError, OSError):
            return "gone"
    if command == "leave":
        link.socket.close()
        return "ok"
    raise SystemExit(f"deflate_raw.py: {command}?")


def main():
    link = Link()
    for line in sys.stdin:
        command, *rest = line.rstrip("\n").split(" ", 1)
        print(do(link, command, *rest), flush=True)


main()
