"""Puts TLS on plain connections, or takes it off, for peers that have none.

    tls_relay.py CERTIFICATES

Each line of standard input is answered by a port of loopback:

    wrap PORT       what comes there goes to PORT, in TLS
    unwrap PORT     what comes there is TLS, and goes to PORT without

It ends when standard input does.
"""

import asyncio
import os
import pathlib
import ssl
import sys

CERTIFICATES = pathlib.Path(sys.argv[1])


async def pump(reader, writer):
    """Until the end, which is passed on, too."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()
    except (ConnectionError, ssl.SSLError):
        writer.transport.abort()


async def relay(port, inside, outside):
    async def connected(reader, writer):
        there, to = await asyncio.open_connection(
            "127.0.0.1", port, ssl=inside, server_hostname="localhost" if inside else None
        )
        await asyncio.gather(pump(reader, to), pump(there, writer))
        writer.close()
        to.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=outside)
    return server, server.sockets[0].getsockname()[1]


async def main():
    client = ssl.create_default_context(cafile=CERTIFICATES / "ca.pem")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(CERTIFICATES / "good.pem", CERTIFICATES / "good.key")
    lines, kept = asyncio.StreamReader(), []
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := (await lines.readline()).decode():
        how, port = line.split()
        listening, number = await relay(int(port), client if how == "wrap" else None, server if how == "unwrap" else None)
        kept.append(listening)
        print(number, flush=True)
    os._exit(0)


asyncio.run(main())
