"""The example examples/c/tv_server.c, with Python `websockets` as its clients.

    tv_server.py TV_SERVER

NSWS_CERT_DIR: the certificates, from run.py.
"""

import asyncio
import os
import pathlib
import re
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

CERTIFICATES = pathlib.Path(os.environ["NSWS_CERT_DIR"])
SECURE = ["--cert", str(CERTIFICATES / "good.pem"), "--key", str(CERTIFICATES / "good.key")]
PATIENCE = 30


class TvServer:
    """The program, as a person at its keyboard sees it."""

    @classmethod
    async def start(cls, program, *arguments, ip=("--ip", "127.0.0.1")):
        self = cls()
        self.process = await asyncio.create_subprocess_exec(
            program, *ip, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        self.url = (await self.line(rf"\((wss?://(?:127\.0\.0\.1|\[::1\]):\d+/chat)(?:, and at this machine's other .*)?\)")).group(1)
        return self

    async def line(self, pattern):
        """The next line of its output that matches."""
        async with asyncio.timeout(PATIENCE):
            while line := (await self.process.stdout.readline()).decode():
                if found := re.fullmatch(pattern, line.rstrip("\n")):
                    return found
        raise AssertionError(f"tv_server ended without {pattern!r}")

    def type(self, words):
        self.process.stdin.write(f"{words}\n".encode())

    async def end(self):
        self.process.stdin.close()
        async with asyncio.timeout(PATIENCE):
            assert await self.process.wait() == 0


def enter(tv, query="", **options):
    if tv.url.startswith("wss:"):
        options["ssl"] = ssl.create_default_context(cafile=CERTIFICATES / "ca.pem")
    return connect(tv.url + query, proxy=None, open_timeout=PATIENCE, **options)


async def refusal(tv, query="", **options):
    try:
        async with enter(tv, query, **options):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def hears(guest, *lines):
    for line in lines:
        async with asyncio.timeout(PATIENCE):
            heard = await guest.recv()
        assert heard == line, f"{heard!r} instead of {line!r}"


async def two_guests_chat(program, *arguments):
    tv = await TvServer.start(program, *arguments)
    async with enter(tv, "?name=Ann", subprotocols=["chat"]) as ann:
        assert ann.subprotocol == "chat"
        await hears(ann, "Ann: has come")
        async with enter(tv, "?name=B%C3%B6%26b") as bob:
            await hears(ann, "Bö&b: has come")
            await hears(bob, "Bö&b: has come")
            await ann.send("hello\n\x1b[2J")
            for guest in (ann, bob):
                await hears(guest, "Ann: hello  [2J")
            tv.type("dinner is ready")
            for guest in (ann, bob):
                await hears(guest, "TV: dinner is ready")
            tv.type("/who")
            await tv.line(r"\(2 connected\)")
            await tv.line(r"\(  127\.0\.0\.1, port \d+: 1 messages, .*\)")
        await hears(ann, "Bö&b: has left (1000)")
        # Words only.
        async with enter(tv) as rude:
            name = f"guest {rude.local_address[1]}"
            await hears(ann, f"{name}: has come")
            await rude.send(b"bytes")
            await rude.recv()
            await closes_with(rude, 1003)
        await hears(ann, f"{name}: has left (1003)")
        await tv.end()
        await closes_with(ann, 1001)


async def closes_with(guest, code):
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                await guest.recv()
    except ConnectionClosed:
        assert guest.close_code == code, guest.close_code


async def the_rules_of_the_house(program):
    tv = await TvServer.start(program, "--token", "47 11", "--origin", "https://a.example", "--origin", "https://b.example")
    right = "?name=x&token=47%2011"
    assert await refusal(tv, right) == 101
    assert await refusal(tv, right, origin="https://b.example") == 101
    assert await refusal(tv, right, origin="https://c.example") == 403
    assert await refusal(tv, "?token=4711") == 401
    assert await refusal(tv, "?nottoken=47%2011") == 401
    assert await refusal(tv) == 401
    tv.url = tv.url.replace("/chat", "/chatter")
    assert await refusal(tv, right) == 404
    await tv.end()


async def one_connection_too_many(program):
    tv = await TvServer.start(program, "--per-client", "2")
    async with enter(tv), enter(tv):
        assert await refusal(tv) == 503
    await tv.end()


async def it_says_an_address_that_works(program):
    for ip in [], ["--ip", "0.0.0.0"], ["--ip", "::"], ["--ip", "::1"]:
        tv = await TvServer.start(program, ip=ip)
        assert await refusal(tv) == 101, ip
        await tv.end()


async def main(program):
    await two_guests_chat(program)
    await two_guests_chat(program, *SECURE)
    await the_rules_of_the_house(program)
    await one_connection_too_many(program)
    await it_says_an_address_that_works(program)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
