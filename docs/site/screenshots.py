"""Takes the manual's pictures of the TV and its page, from a browser:

    build/venv/bin/python tests/interop/run.py --peers= build/venv/bin/python docs/site/screenshots.py TV_SERVER CHROMIUM
"""

import asyncio
import base64
import pathlib
import sys

DOCS = pathlib.Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path.insert(0, str(DOCS.parent / "tests/interop"))
from browser import Page, chromium, connect, static_files  # noqa: E402
from tv_server import TvServer, enter, hears  # noqa: E402


async def main(program, browser_program):
    tv = await TvServer.start(program)
    with static_files() as site:
        async with chromium(browser_program) as browser, connect(browser, proxy=None, max_size=None) as devtools, enter(tv, "?name=Ann") as ann:
            page = Page(devtools)
            await page.open(f"{site}/index.html?server={tv.url}")
            await page.call("Emulation.setDeviceMetricsOverride", width=420, height=560, deviceScaleFactor=1, mobile=True)
            await page.fill_in("name", "Ben")
            await page.press("connect")
            await page.until("document.getElementById('state').textContent.startsWith('Connected')")
            await page.fill_in("words", "Can we watch the match?")
            await page.press("send")
            await hears(ann, "Ann: has come", "Ben: has come", "Ben: Can we watch the match?")
            await ann.send("It begins at eight.")
            await hears(ann, "Ann: It begins at eight.")
            tv.type("Dinner is ready.")
            await page.until("document.getElementById('log').textContent.includes('Dinner')")
            picture = await page.call("Page.captureScreenshot", format="png")
            (DOCS / "tv.png").write_bytes(base64.b64decode(picture["data"]))
            await tv.end()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
