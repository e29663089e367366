"""PyPI's websockets, as its own examples use it. peer.h and client.h describe the command line."""

import argparse
import asyncio
import itertools
import json
import ssl
import sys
import threading
import time

from websockets.asyncio.client import connect
from websockets.asyncio.server import broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory

parser = argparse.ArgumentParser()
parser.add_argument("role")
for name in ("cert", "key", "ca", "documents"):
    parser.add_argument(f"--{name}")
for name in ("port", "connections", "window", "size", "count"):
    parser.add_argument(f"--{name}", type=int, default={"size": 32}.get(name, 1))
for name in ("deflate", "broadcast", "no-ping", "connect"):
    parser.add_argument(f"--{name}", action="store_true")
task = parser.parse_args()  # what it doesn't know ends it with status 2

# The window of 15 bits, the context kept, level 6, as everyone has it.
LEVEL = {"level": 6}
COMMON = {"compression": None, "max_size": 16 << 20, **({"ping_interval": None} if task.no_ping else {})}


async def run_server():
    everyone = set()

    async def handle(link):
        everyone.add(link)
        try:
            async for message in link:
                if task.broadcast:
                    broadcast(everyone, message)
                else:
                    await link.send(message)
        except ConnectionClosed:
            pass
        finally:
            everyone.discard(link)

    tls = None
    if task.cert:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(task.cert, task.key)
    deflate = ServerPerMessageDeflateFactory(compress_settings=LEVEL)
    options = {**COMMON, "extensions": [deflate] if task.deflate else None}
    async with serve(handle, "127.0.0.1", 0, ssl=tls, backlog=4096, **options) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        ended, loop = asyncio.Event(), asyncio.get_running_loop()

        def wait_for_the_end():
            sys.stdin.read()
            loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=wait_for_the_end, daemon=True).start()
        await ended.wait()


def messages():
    if not task.documents:
        return [b"a" * task.size]
    with open(task.documents) as file:
        text = file.read()
    return [text[at : at + 4096] for at in range(0, len(text), 4096)]


MESSAGES = messages()


async def exchange(link, share, times=None):
    payload = itertools.cycle(MESSAGES)
    unsent = share - task.window
    sent_at = time.perf_counter_ns()
    for _ in range(task.window):
        await link.send(next(payload))
    for _ in range(share):
        await link.recv()
        if times is not None:
            times.append(time.perf_counter_ns() - sent_at)
            sent_at = time.perf_counter_ns()
        if unsent > 0:
            unsent -= 1
            await link.send(next(payload))


async def run_client():
    begin, opened_in = time.perf_counter_ns(), 0
    tls = ssl.create_default_context(cafile=task.ca) if task.ca else None
    url = f"{'wss' if tls else 'ws'}://127.0.0.1:{task.port}/"

    deflate = ClientPerMessageDeflateFactory(client_max_window_bits=True, compress_settings=LEVEL)
    options = {**COMMON, "extensions": [deflate] if task.documents else None}

    def new():
        return connect(url, ssl=tls, proxy=None, **options)

    async def visits(number):
        for _ in range(number):
            async with new():
                pass

    def share(number):
        return max(task.window, number // task.connections)

    times = [] if task.connections == task.window == 1 and not task.connect else None
    if task.connect:
        await visits(task.count // 20 + 5)
    else:
        links = [await new()]
        opened_in = time.perf_counter_ns() - begin
        links += [await new() for _ in range(1, task.connections)]
        await asyncio.gather(*(exchange(link, share(task.count // 20)) for link in links))
    print("ready", opened_in, flush=True)
    sys.stdin.readline()
    start = time.perf_counter_ns()
    if task.connect:
        await visits(task.count)
        messages = task.count
    else:
        await asyncio.gather(*(exchange(link, share(task.count), times) for link in links))
        messages = share(task.count) * task.connections
    figures = {"messages": messages, "wall_ns": (time.perf_counter_ns() - start) / messages}
    if times:
        times.sort()
        figures |= {"p50_ns": times[len(times) // 2], "p99_ns": times[len(times) * 99 // 100]}
    print(json.dumps(figures), flush=True)
    sys.stdin.read()


asyncio.run(run_client() if task.role == "client" else run_server())
