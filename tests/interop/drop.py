"""The example examples/apps/drop.c, with Python `websockets` as its senders, and its page in headless Chromium.

    drop.py DROP [CHROMIUM]
"""

import asyncio
import contextlib
import hashlib
import os
import pathlib
import random
import resource
import sys
import tempfile

from websockets.exceptions import ConnectionClosed, InvalidStatus

from apps import App, tab
from tv_server import PATIENCE, closes_with

MIB = 1 << 20
# More than the server may have in its whole address space.
SPACE, LARGE = 48 * MIB, 64 * MIB
CHUNK = random.Random(7).randbytes(MIB)


@contextlib.asynccontextmanager
async def drop(program, *arguments, **process):
    with tempfile.TemporaryDirectory(prefix="nsws-drop-") as folder:
        app = await App.start(program, "--folder", folder + "/in", *arguments, **process)
        app.folder = pathlib.Path(folder) / "in"
        yield app
        await app.end()


def content(length):
    """Bytes that differ from place to place."""
    return b"".join(number.to_bytes(4, "big") + CHUNK[4:] for number in range(-(-length // MIB)))[:length]


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def hears(sender, *words):
    for expected in words:
        async with asyncio.timeout(PATIENCE):
            heard = await sender.recv()
        assert heard == expected, f"{heard!r} instead of {expected!r}"


async def until_done(sender):
    """What the server has, from time to time."""
    heard = "have"
    while heard != "done":
        assert heard.startswith("have"), heard
        async with asyncio.timeout(PATIENCE):
            heard = await sender.recv()
    await closes_with(sender, 1000)


async def a_file_may_be_larger_than_the_memory(program):
    def little_memory():
        resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE))

    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    async with drop(program, preexec_fn=little_memory, env=environment) as app:
        for name, query in {"known": {"size": LARGE, "changed": 1}, "unknown": {}}.items():
            whole = hashlib.sha256()

            async def parts():
                for number in range(LARGE // MIB):
                    part = number.to_bytes(4, "big") + CHUNK[4:]
                    whole.update(part)
                    yield part

            async with app.enter("/drop", name=name, **query) as sender:
                done = asyncio.create_task(until_done(sender))
                if query:  # many messages
                    async for part in parts():
                        await sender.send(part)
                else:  # a single one, of many fragments
                    await sender.send(parts())
                await done
            await app.line(rf"{name}: done, {LARGE} bytes")
            assert digest(app.folder / name) == whole.hexdigest()
            (app.folder / name).unlink()


async def what_is_cut_goes_on(program):
    async with drop(program) as app:
        whole, query = content(5 * MIB + 77), {"name": "Zoë & co.txt", "size": 5 * MIB + 77, "changed": 42}
        async with app.enter("/drop", **query) as sender:
            await hears(sender, "have 0")
            for start in range(0, 3 * MIB, MIB):
                await sender.send(whole[start : start + MIB])
                await hears(sender, f"have {start + MIB}")
            sender.transport.abort()
        await app.line(rf"Zoë & co\.txt: cut after {3 * MIB} bytes \(1006\)")
        assert not (app.folder / query["name"]).exists()
        # Another file of that name is another file.
        async with app.enter("/drop", **query | {"changed": 43}) as sender:
            await hears(sender, "have 0")
        # Two senders of the same: the first is thought to be dead.
        async with app.enter("/drop", **query) as first:
            await hears(first, f"have {3 * MIB}")
            async with app.enter("/drop", **query) as sender:
                await hears(sender, f"have {3 * MIB}")
                await closes_with(first, 4001)
                await sender.send(whole[3 * MIB :])
                await until_done(sender)
        assert (app.folder / query["name"]).read_bytes() == whole
        # What is cut and has no size is thrown away.
        async with app.enter("/drop", name="stream") as sender:
            await hears(sender, "have 0")

            async def parts():
                yield whole[: 2 * MIB]
                await heard
                sender.transport.abort()

            heard = asyncio.create_task(sender.recv())
            with contextlib.suppress(ConnectionClosed):
                await sender.send(parts())
        await app.line(r"stream: cut after \d+ bytes \(1006\)")
        # The server itself ends in the middle, and another one goes on.
        query = query | {"name": "two servers"}
        async with app.enter("/drop", **query) as sender:
            await sender.send(whole[:MIB])
            await hears(sender, "have 0", f"have {MIB}")
            assert [path.name for path in app.folder.iterdir() if "stream" in path.name] == []
            app.process.kill()
            await app.process.wait()
        again = await App.start(program, "--folder", str(app.folder))
        app.process, app.port, app.code = again.process, again.port, again.code
        async with app.enter("/drop", **query) as sender:
            await hears(sender, f"have {MIB}")
            await sender.send(whole[MIB:])
            await until_done(sender)
        assert (app.folder / "two servers").read_bytes() == whole


async def what_it_refuses(program):
    async with drop(program, "--most", "1") as app:
        async def refuses(code, *messages, **query):
            async with app.enter("/drop", **query) as sender:
                with contextlib.suppress(ConnectionClosed):
                    for message in messages:
                        await sender.send(message)
                await closes_with(sender, code)

        for name in "", ".", "..", ".hidden", "../up", "a/b", "line\nbreak", "n" * 181:
            await refuses(4000, name=name)
        await refuses(4000)
        for size in "", "-1", "1x", "99999999999999999999":
            await refuses(4000, name="n", size=size)
        await refuses(4013, name="n", size=MIB + 1)
        await refuses(1008, bytes(11), name="n", size=10)
        await refuses(1008, "text", name="n", size=10)
        await refuses(1008, [bytes(MIB), b"1"], name="o")
        async with app.enter("/drop", name="empty", size=0) as sender:
            await hears(sender, "have 0", "done")
        await refuses(4009, name="empty", size=5)
        assert [path.name for path in app.folder.iterdir() if not path.name.startswith(".")] == ["empty"]
        try:
            async with app.enter("/drop", name="n", code="0"):
                raise AssertionError("let in without the code")
        except InvalidStatus as refused:
            assert refused.response.status_code == 401


class Relay:
    """Between browser and server. Cuts the first connection that has carried more than `cut_after` bytes to the server."""

    def __init__(self, port, cut_after):
        self.port, self.cut_after = port, cut_after

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.carry, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def __aexit__(self, *_):
        self.server.close()

    async def carry(self, reader, writer):
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.port)
        back = asyncio.create_task(self.pump(server_reader, writer))
        with contextlib.suppress(ConnectionError):
            carried = 0
            while data := await reader.read(65536):
                carried += len(data)
                if self.cut_after and carried > self.cut_after:
                    self.cut_after = None
                    writer.transport.abort()
                    break
                server_writer.write(data)
                await server_writer.drain()
        server_writer.transport.abort()
        await back

    @staticmethod
    async def pump(reader, writer):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()


async def the_page_sends_files(program, browser_program):
    async with drop(program) as app, Relay(app.port, 6 * MIB) as port, tab(browser_program) as page:
        large, small = app.folder.parent / "large.bin", app.folder.parent / "small.txt"
        large.write_bytes(content(20 * MIB))
        small.write_text("small")

        async def says(text):
            await page.until(f"document.getElementById('list').innerText.includes({text!r})")

        await page.open(f"http://127.0.0.1:{port}/#{app.code}", "files")
        await page.choose("files", large, small)
        await says("Done, 21.0 MB")
        await says("Done, 0.0 MB")
        # More connections than most servers take in a minute.
        many = [app.folder.parent / f"{number}.txt" for number in range(60)]
        for file in many:
            file.write_text(file.name)
        await page.choose("files", *many)
        await page.until("document.getElementById('list').innerText.match(/Done/g).length === 62")
        assert all((app.folder / file.name).read_text() == file.name for file in many)
        await app.line(r"large\.bin: from 127\.0\.0\.1, have 0")
        cut = await app.line(r"large\.bin: cut after (\d+) bytes \(1006\)")
        resumed = await app.line(r"large\.bin: from 127\.0\.0\.1, have (\d+)")
        assert resumed[1] == cut[1] and int(cut[1]) > MIB, (cut, resumed)
        assert digest(app.folder / "large.bin") == digest(large)
        assert (app.folder / "small.txt").read_text() == "small"
        await page.choose("files", small)
        await says("Refused: a file with this name exists")
        await page.fill_in("code", "x")
        await page.choose("files", small)
        await says("Can't connect. Is the server running, and is the code right?")


async def main(program, browser_program=None):
    await a_file_may_be_larger_than_the_memory(program)
    await what_is_cut_goes_on(program)
    await what_it_refuses(program)
    if browser_program:
        await the_page_sends_files(program, browser_program)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
