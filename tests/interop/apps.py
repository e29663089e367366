"""The examples of examples/apps that serve a page, as their tests start them."""

import asyncio
import contextlib
import pathlib
import urllib.parse

from websockets.asyncio.client import connect

from browser import Page, chromium
from tv_server import PATIENCE, TvServer

PROJECT = pathlib.Path(__file__).resolve().parents[2]


class App(TvServer):
    """A server with a page. It prints the page's address, with the code behind the #."""

    @classmethod
    async def start(cls, program, *arguments, port=0, **process):
        self = cls()
        self.process = await asyncio.create_subprocess_exec(
            program, "--ip", "127.0.0.1", "--port", str(port), *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=PROJECT, **process
        )
        self.page, port, self.code = (await self.line(r"(http://127\.0\.0\.1:(\d+)/#(\w+))")).groups()
        self.port = int(port)
        return self

    def enter(self, path, **query):
        query = {"code": self.code, **query}
        url = f"ws://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(query)}"
        return connect(url, proxy=None, open_timeout=PATIENCE, max_size=None)

    async def get(self, path):
        """Status and body of a plain request."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        async with asyncio.timeout(PATIENCE):
            head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        writer.close()
        return int(head.split()[1]), body


@contextlib.asynccontextmanager
async def tab(browser_program):
    """A tab of a browser of its own."""
    async with chromium(browser_program) as browser, connect(browser, proxy=None, max_size=None) as devtools:
        yield Page(devtools)
