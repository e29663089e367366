"""The Python `websockets` library as an echo server, over ws and, with each certificate of certs.py, wss.

    /                       sends back every message
    /close/CODE/REASON      closes, after the first message
    /broadcast              no echo: messages go to all others there

Sub-protocols: chat.v2, chat.v1, or none. The response has two Set-Cookie headers.
"""

import asyncio
import json
import logging
import os
import pathlib
import ssl
import sys

from websockets.asyncio.server import broadcast, serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

import certs

ROOM = set()


async def handler(connection):
    path = connection.request.path.split("?")[0].split("/")
    if path[1] == "broadcast":
        ROOM.add(connection)
        try:
            async for message in connection:
                broadcast(ROOM - {connection}, message)
        finally:
            ROOM.discard(connection)
        return
    async for message in connection:
        if path[1] == "close":
            await connection.close(int(path[2]), path[3] if len(path) > 3 else "")
            return
        await connection.send(message)


def cookies(connection, request, response):
    response.headers["Set-Cookie"] = "first=1"
    response.headers["Set-Cookie"] = "second=2"


def first_known(connection, offered):
    """The library's own choice refuses clients that offer none of ours."""
    return next((known for known in ("chat.v2", "chat.v1") if known in offered), None)


async def start(context=None, host="127.0.0.1", port=0, extensions=None):
    server = await serve(
        handler, host, port, ssl=context, compression=None, max_size=None, ping_interval=None, close_timeout=5,
        select_subprotocol=first_known, process_response=cookies, extensions=extensions,
    )
    return server.sockets[0].getsockname()[1]


def tls(folder, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if name == "rsa-1024":
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


def variable(name):
    return "NSWS_WSS_" + name.upper().replace("-", "_") + "_PORT"


def parent_is_gone():
    """run.py holds the other end of our standard input: when that closes, this ends."""
    if not os.read(0, 4096):
        os._exit(0)


async def serve_until_parent_is_gone(found):
    # Many clients break off the handshake on purpose.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    asyncio.get_running_loop().add_reader(0, parent_is_gone)
    print(json.dumps(found), flush=True)
    await asyncio.Event().wait()


async def main(folder):
    folder = pathlib.Path(folder)
    found = {"NSWS_ECHO_URL": f"ws://127.0.0.1:{await start()}/"}
    found["NSWS_DEFLATE_PYTHON_URL"] = f"ws://127.0.0.1:{await start(extensions=[ServerPerMessageDeflateFactory()])}/"
    for name in [*certs.LEAVES, "incomplete-chain"]:
        found[variable(name)] = await start(tls(folder, name))
    found["NSWS_ECHO_WSS_URL"] = f"wss://127.0.0.1:{found[variable('good')]}/"
    await serve_until_parent_is_gone(found)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
