"""The demo's server: the Python `websockets` library as an echo server over ws and wss, on loopback.

    demo_server.py CERTIFICATE KEY [CA]

Prints its two URLs, then serves until it is stopped. Any path but / is answered with 404. With a CA, wss demands a
certificate from it of every client.
"""

import asyncio
import http
import ssl
import sys

from websockets.asyncio.server import serve


async def echo(connection):
    async for message in connection:
        await connection.send(message)


def only_the_root(connection, request):
    if request.path != "/":
        return connection.respond(http.HTTPStatus.NOT_FOUND, "There is nothing here.\n")


async def listen(tls=None):
    server = await serve(
        echo, "127.0.0.1", 0, ssl=tls, subprotocols=["chat"], process_request=only_the_root, max_size=None
    )
    return server.sockets[0].getsockname()[1]


async def main(certificate, key, ca=None):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    if ca:
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(ca)
    print(f"ws://127.0.0.1:{await listen()} wss://localhost:{await listen(tls)}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
