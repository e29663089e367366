"""The example page examples/web/index.html in headless Chromium, against examples/c/tv_server.c, over ws and wss.

    browser.py TV_SERVER CHROMIUM

The page is used as a person would, through the DevTools protocol: filling in, pressing buttons, reading what it shows.
"""

import asyncio
import contextlib
import functools
import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading

from websockets.asyncio.client import connect

from tv_server import CERTIFICATES, PATIENCE, SECURE, TvServer, closes_with, enter, hears

WEB = pathlib.Path(__file__).resolve().parents[2] / "examples" / "web"


@contextlib.contextmanager
def static_files():
    """The page's own server; any would do."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=WEB))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def key_hash():
    """The certificate's key, as --ignore-certificate-errors-spki-list wants it."""
    script = "openssl x509 -pubkey -noout -in good.pem | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64"
    return subprocess.run(script, shell=True, cwd=CERTIFICATES, check=True, capture_output=True, text=True).stdout.strip()


@contextlib.asynccontextmanager
async def chromium(program):
    """A browser that knows nothing yet; the address of its DevTools."""
    with tempfile.TemporaryDirectory(prefix="nsws-chromium-", ignore_cleanup_errors=True) as profile:
        with open(pathlib.Path(profile) / "log", "wb") as log:
            browser = await asyncio.create_subprocess_exec(
                program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--no-proxy-server", "--remote-debugging-port=0", f"--user-data-dir={profile}",
                f"--ignore-certificate-errors-spki-list={key_hash()}", "about:blank", stdout=log, stderr=log,
            )
        try:
            port = pathlib.Path(profile) / "DevToolsActivePort"
            async with asyncio.timeout(2 * PATIENCE):
                # The file appears when the browser is ready; there is no other sign.
                while not (port.exists() and port.read_text().count("\n")):
                    assert browser.returncode is None, (pathlib.Path(profile) / "log").read_text()
                    await asyncio.sleep(0.02)
            yield "ws://127.0.0.1:{}{}".format(*port.read_text().split("\n")[:2])
        finally:
            if browser.returncode is None:
                browser.terminate()
            await browser.wait()


class Page:
    """A tab, through the DevTools protocol."""

    def __init__(self, devtools):
        self.devtools, self.count, self.session = devtools, 0, None

    async def call(self, method, **parameters):
        self.count += 1
        session = {"sessionId": self.session} if self.session else {}
        await self.devtools.send(json.dumps({"id": self.count, "method": method, "params": parameters, **session}))
        while (answer := json.loads(await self.devtools.recv())).get("id") != self.count:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    async def open(self, url, field="connect"):
        target = await self.call("Target.createTarget", url=url)
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self.session = attached["sessionId"]
        await self.until(f"document.readyState === 'complete' && !!document.getElementById({field!r})")

    async def run(self, script):
        done = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    async def until(self, condition):
        try:
            async with asyncio.timeout(PATIENCE):
                while not await self.run(condition):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"never {condition}; the page shows {await self.run('document.body.innerText')!r}") from None

    async def fill_in(self, field, text):
        await self.run(f"document.getElementById({field!r}).focus(); document.getElementById({field!r}).select()")
        await self.call("Input.insertText", text=text)

    async def choose(self, field, *files):
        found = await self.call("Runtime.evaluate", expression=f"document.getElementById({field!r})")
        await self.call("DOM.setFileInputFiles", files=[str(file) for file in files], objectId=found["result"]["objectId"])

    async def press(self, button):
        await self.run(f"document.getElementById({button!r}).click()")

    async def shows(self, state):
        await self.until(f"document.getElementById('state').textContent === {json.dumps(state)}")

    async def lines(self, *expected):
        want = json.dumps(list(expected))
        await self.until(f"JSON.stringify([...document.querySelectorAll('#log li')].map(li => li.textContent)) === JSON.stringify({want})")


async def chats(browser, site, tv):
    address = tv.url.split("/")[2]
    async with connect(browser, proxy=None, max_size=None) as devtools, enter(tv, "?name=Ann") as ann:
        await hears(ann, "Ann: has come")
        page = Page(devtools)
        await page.open(f"{site}/index.html?server={tv.url}")
        await page.shows("Not connected.")
        await page.fill_in("name", "Zoë & <b>")
        await page.press("connect")
        await page.shows(f"Connected to {address}.")
        zoe = "Zoë & <b>"
        await hears(ann, f"{zoe}: has come")
        await page.fill_in("words", "hello from the browser \U0001f44b")
        await page.press("send")
        await hears(ann, f"{zoe}: hello from the browser \U0001f44b")
        await ann.send("hello <i>back</i>")
        await hears(ann, "Ann: hello <i>back</i>")
        tv.type("dinner is ready")
        await page.lines(
            f"{zoe}: has come", f"{zoe}: hello from the browser \U0001f44b", "Ann: hello <i>back</i>", "TV: dinner is ready"
        )
        # It leaves, comes back, and gets the close when the TV goes.
        await page.press("connect")
        await page.shows("Closed: 1000 bye")
        await hears(ann, "TV: dinner is ready", f"{zoe}: has left (1000)")
        await page.press("connect")
        await page.shows(f"Connected to {address}.")
        await tv.end()
        await page.shows("Closed: 1001 server is going away")
        await closes_with(ann, 1001)


async def main(program, browser_program):
    with static_files() as site:
        async with chromium(browser_program) as browser:
            await chats(browser, site, await TvServer.start(program))
            await chats(browser, site, await TvServer.start(program, *SECURE))
            # Pages of other origins are refused: the browser says where they come from.
            async with connect(browser, proxy=None, max_size=None) as devtools:
                tv = await TvServer.start(program, "--origin", "https://elsewhere.example")
                page = Page(devtools)
                await page.open(f"{site}/index.html?server={tv.url}&name=Eve")
                await page.press("connect")
                no_connection = f"No connection to {tv.url.split('/')[2]}: is the TV on, and does it let this page in?"
                await page.shows(no_connection)
                await tv.end()
                # Nothing can be reached when the TV is off, either.
                await page.fill_in("name", "Eve again")
                await page.press("connect")
                await page.shows(no_connection)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
