"""The Python `websockets` library as clients, which do what standard input says, a line at a time.

    python_client.py CERTIFICATES

Each command is answered by one line. What is sent is pattern() of raw_peer.h, or letters() as text.

    open NAME URL [PROTOCOLS|-] [HEADER: VALUE]     open PROTOCOL|-, refused STATUS, or failed WHY
    send NAME text|binary LENGTH                    sent
    say NAME WORDS                                  sent; WORDS as text
    echo NAME text|binary LENGTH                    same or different: whether that comes back
    read NAME                                       text WORDS, binary LENGTH, or closed CODE REASON
    ping NAME                                       pong
    close NAME CODE [REASON]                        closed CODE REASON, as the server answered
    closed NAME                                     the same, when the server closes
    address NAME                                    IP PORT of this end
    busy COUNT URL                                  busy COUNT: so many connections send and read without end
    over                                            CODE=COUNT... when all of the busy ones are closed
    deflate BITS TAKEOVER                           ok: from now on permessage-deflate is offered; TAKEOVER is 1 or 0
    tls 1.2|1.3                                     ok: from now on this version and no other

node_client.js does the same. Both end when standard input does.
"""

import asyncio
import collections
import os
import pathlib
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

CERTIFICATES = pathlib.Path(sys.argv[1])
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

open_ones = {}
busy_ones = []
tls_version = None
extensions = None


def payload(kind, length):
    length = int(length)
    if kind == "text":
        return ("abcdefghijklmnopqrstuvwxyz" * (length // 26 + 1))[:length]
    return (bytes(range(251)) * (length // 251 + 1))[:length]


async def connection(url, protocols="-", header=""):
    name, _, value = header.partition(": ")
    context = None
    if url.startswith("wss:"):
        context = ssl.create_default_context(cafile=CERTIFICATES / "ca.pem")
        if tls_version:
            context.minimum_version = context.maximum_version = tls_version
    return await connect(
        url, ssl=context, subprotocols=None if protocols == "-" else protocols.split(","), proxy=None,
        additional_headers={name: value} if name else None, compression=None, extensions=extensions, max_size=None,
        ping_interval=None, open_timeout=None, close_timeout=60,
    )


def ending(one):
    return f"closed {one.close_code} {one.close_reason or ''}".rstrip()


async def talk(one):
    try:
        while True:
            await one.send(payload("binary", 100))
            await one.recv()
    except ConnectionClosed:
        pass


async def do(command, *arguments):
    global tls_version, extensions
    if command == "tls":
        tls_version = VERSIONS[arguments[0]]
        return "ok"
    if command == "deflate":
        bits, none = int(arguments[0]), arguments[1] == "0"
        # zlib, with which this end compresses, has no raw window of 8 bits.
        extensions = [ClientPerMessageDeflateFactory(none, none, bits, max(bits, 9))]
        return "ok"
    if command == "open":
        try:
            one = await connection(arguments[1], *arguments[2].split(" ", 1) if len(arguments) > 2 else ())
        except InvalidStatus as refused:
            return f"refused {refused.response.status_code}"
        except Exception as error:
            return f"failed {type(error).__name__}"
        open_ones[arguments[0]] = one
        return f"open {one.subprotocol or '-'}"
    if command == "busy":
        for one in await asyncio.gather(*(connection(arguments[1]) for _ in range(int(arguments[0])))):
            busy_ones.append((one, asyncio.create_task(talk(one))))
        return f"busy {len(busy_ones)}"
    if command == "over":
        await asyncio.gather(*(task for _, task in busy_ones))
        codes = collections.Counter(one.close_code for one, _ in busy_ones)
        return " ".join(f"{code}={count}" for code, count in sorted(codes.items()))
    one = open_ones[arguments[0]]
    if command == "send":
        await one.send(payload(*arguments[1:]))
        return "sent"
    if command == "say":
        await one.send(arguments[1])
        return "sent"
    if command == "echo":
        sent = payload(*arguments[1:])
        await one.send(sent)
        return "same" if await one.recv() == sent else "different"
    if command == "read":
        try:
            message = await one.recv()
        except ConnectionClosed:
            return ending(one)
        return f"text {message}" if isinstance(message, str) else f"binary {len(message)}"
    if command == "ping":
        await (await one.ping(b"knock"))
        return "pong"
    if command == "close":
        await one.close(int(arguments[1]), arguments[2] if len(arguments) > 2 else "")
        return ending(one)
    if command == "closed":
        await one.wait_closed()
        return ending(one)
    if command == "address":
        return "{} {}".format(*one.local_address[:2])
    raise SystemExit(f"python_client.py: {command}?")


async def main():
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := (await lines.readline()).decode().rstrip("\n"):
        command, *rest = line.split(" ", 1)
        limit = 1 if command in ("over", "tls", "busy", "say") else 2
        print(await do(command, *(rest[0].split(" ", limit) if rest else [])), flush=True)
    os._exit(0)


asyncio.run(main())
