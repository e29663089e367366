"""Shows a server: tv_server with three clients that have nothing in common, a broadcast, one connection too many, stop.

    demo_chat.py FOLDER_OF_THE_EXAMPLES

The clients are the Python `websockets` library, Node's `ws`, and this library (the example `chat`). Exits with 0 when all
went as it should.
"""

import asyncio
import pathlib
import re
import socket
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

EXAMPLES = pathlib.Path(sys.argv[1])
PATIENCE = 20
mistakes = []


def say(words=""):
    print(words, flush=True)


def check(right, what):
    if not right:
        mistakes.append(what)
        say(f"  NOT AS EXPECTED: {what}")


class Program:
    """A program whose lines are read and written."""

    @classmethod
    async def start(cls, *command):
        self = cls()
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        return self

    async def line(self, pattern):
        """What the next line that matches has in its first group."""
        async with asyncio.timeout(PATIENCE):
            while line := (await self.process.stdout.readline()).decode():
                if found := re.search(pattern, line.rstrip("\n")):
                    return found.group(1)
        raise SystemExit(f"A program ended without a line like {pattern!r}.")

    def type(self, words):
        self.process.stdin.write(f"{words}\n".encode())

    async def end(self):
        self.process.stdin.close()
        return await self.process.wait()


class Python:
    name = "Python websockets"

    async def open(self, url):
        self.connection = await connect(f"{url}?name=Python", subprotocols=["chat"], proxy=None)

    def type(self, words):
        asyncio.ensure_future(self.connection.send(words))

    async def message(self):
        async with asyncio.timeout(PATIENCE):
            return await self.connection.recv()

    async def closed(self):
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    await self.connection.recv()
        except ConnectionClosed:
            return f"{self.connection.close_code} {self.connection.close_reason}"


class Node:
    name = "Node ws"
    message_line, close_line = r"^message: (.*)", r"^close: (.*)"

    async def open(self, url):
        script = pathlib.Path(__file__).with_name("demo_client.js")
        self.program = await Program.start("node", str(script), f"{url}?name=Node")
        await self.program.line("^(open)")

    def type(self, words):
        self.program.type(words)

    async def message(self):
        return await self.program.line(self.message_line)

    async def closed(self):
        closed = await self.program.line(self.close_line)
        await self.program.end()
        return closed.replace('"', "")


class Library(Node):
    name = "this library"
    message_line, close_line = r"^message: text, \d+ bytes: (.*)", r'^close: code (.*?),'

    async def open(self, url):
        self.program = await Program.start(str(EXAMPLES / "chat"), f"{url}?name=Library", "--protocol", "chat")
        await self.program.line("^(open)")


async def everyone_hears(clients, words):
    for client in clients:
        heard = await client.message()
        say(f"  {client.name:<18} <- {heard}")
        check(heard == words, f"{words!r} at {client.name}")


def is_free(port):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        return True


async def main():
    tv = await Program.start(str(EXAMPLES / "tv_server"), "--ip", "127.0.0.1", "--per-client", "3")
    url = await tv.line(r"^\((ws://.*)\)$")
    say(f"\nA server: tv_server at {url}, at most 3 connections of one address")

    clients = []
    for client in (Python(), Node(), Library()):
        await client.open(url)
        clients.append(client)
        say(f"\n{client.name} connects")
        await everyone_hears(clients, f"{type(client).__name__}: has come")

    say("\nEach says something, and everyone hears it")
    for client in clients:
        words = f"hello from {client.name}"
        client.type(words)
        await everyone_hears(clients, f"{type(client).__name__}: {words}")

    say("\nA line typed at the TV is broadcast")
    tv.type("dinner is ready, 晚饭好了")
    await everyone_hears(clients, "TV: dinner is ready, 晚饭好了")

    say("\nA fourth connection of this address is one too many")
    try:
        async with connect(url, proxy=None):
            check(False, "a refusal")
    except InvalidStatus as refused:
        say(f"  refused with {refused.response.status_code} {refused.response.reason_phrase}")
        check(refused.response.status_code == 503, "503")

    say("\nThe TV stops")
    tv.type("/quit")
    for client in clients:
        closed = await client.closed()
        say(f"  {client.name:<18} closed with {closed}")
        check(closed == "1001 server is going away", f"1001 at {client.name}")
    check(await tv.end() == 0, "tv_server's exit status")
    check(is_free(int(url.split(":")[2].split("/")[0])), "the port is free")

    say("\nAll as expected." if not mistakes else "\nNot all as expected.")
    return len(mistakes)


sys.exit(asyncio.run(main()) != 0)
