"""The example page examples/web/index.html in headless Chromium, against the JavaScript module's server, over ws and wss.

    browser_js.py CHROMIUM

NSWS_JS_MODULE: the module. The server is ohos/napi/examples/server.js, run by Node.
"""

import asyncio
import contextlib
import pathlib
import socket
import sys

from websockets.asyncio.client import connect

from browser import Page, chromium, static_files
from tv_server import CERTIFICATES, PATIENCE

SERVER = pathlib.Path(__file__).resolve().parents[2] / "ohos" / "napi" / "examples" / "server.js"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    async def line(self):
        async with asyncio.timeout(PATIENCE):
            return (await self.process.stdout.readline()).decode().rstrip("\n")

    async def says(self, *lines):
        for line in lines:
            assert (heard := await self.line()) == line, f"{heard!r} instead of {line!r}"


@contextlib.asynccontextmanager
async def server(scheme, *certificate):
    """A server that listens; another program may take the port that was free."""
    self, first = Server(), None
    while first != "listening":
        port = free_port()
        self.url = f"{scheme}://127.0.0.1:{port}/"
        self.process = await asyncio.create_subprocess_exec(
            "node", str(SERVER), str(port), *certificate, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        first = await self.line()
        assert first == "listening" or "2302007" in first, first
    try:
        yield self
        async with asyncio.timeout(PATIENCE):
            assert await self.process.wait() == 0
    finally:
        if self.process.returncode is None:
            self.process.kill()


async def says(page, words):
    await page.fill_in("words", words)
    await page.press("send")


async def talks(browser, site, server):
    address = server.url.split("/")[2]
    async with connect(browser, proxy=None, max_size=None) as devtools:
        page = Page(devtools)
        await page.open(f"{site}/index.html?server={server.url}&name=Zoe")
        await page.press("connect")
        await page.shows(f"Connected to {address}.")
        await page.lines("welcome", "1 here")
        await says(page, "hello from the browser \U0001f44b")
        await page.lines("welcome", "1 here", "you said: hello from the browser \U0001f44b")
        await server.says("connect: 127.0.0.1", "message: hello from the browser \U0001f44b")
        # Bytes, there and back; the page has no controls for them.
        await page.run("socket.binaryType = 'arraybuffer'; socket.send(Uint8Array.of(1, 0, 255))")
        await page.lines("welcome", "1 here", "you said: hello from the browser \U0001f44b", "[object ArrayBuffer]")
        await server.says("message: 3 bytes")
        # The page leaves and comes back; the server closes it, and it comes back; then the server stops.
        await page.press("connect")
        await page.shows("Closed: 1000 bye")
        await server.says("close: 1000 bye")
        for words, closed in (("close me", "4000 as you wish"), ("stop", "1001 server is going away")):
            await page.press("connect")
            await page.shows(f"Connected to {address}.")
            await says(page, words)
            await page.shows(f"Closed: {closed}")
            await server.says("connect: 127.0.0.1", f"message: {words}", f"close: {closed}")


async def main(browser_program):
    certificate = [str(CERTIFICATES / "good.pem"), str(CERTIFICATES / "good.key")]
    with static_files() as site:
        async with chromium(browser_program) as browser:
            async with server("ws") as plain:
                await talks(browser, site, plain)
            async with server("wss", *certificate) as secure:
                await talks(browser, site, secure)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
