"""Takes the manual's pictures, from a browser:

    build/venv/bin/python tests/interop/run.py --peers= build/venv/bin/python docs/site/screenshots.py BUILD CHROMIUM

BUILD: the folder of a build with the examples, such as build/release.
"""

import asyncio
import base64
import html
import pathlib
import signal
import sys
import tempfile
import urllib.parse

DOCS = pathlib.Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path.insert(0, str(DOCS.parent / "tests/interop"))
from apps import App, tab  # noqa: E402
from browser import static_files  # noqa: E402
from tv_server import PATIENCE, TvServer, enter, hears  # noqa: E402


async def take(page, name, **clip):
    picture = await page.call("Page.captureScreenshot", format="png", **clip)
    (DOCS / name).write_bytes(base64.b64decode(picture["data"]))


async def has_size(page, width, height):
    await page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=True)


async def chat(build, browser):
    tv = await TvServer.start(build / "c/tv_server")
    with static_files() as site:
        async with tab(browser) as page, enter(tv, "?name=Ann") as ann:
            await page.open(f"{site}/index.html?server={tv.url}")
            await has_size(page, 420, 560)
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
            await take(page, "tv.png")
            await tv.end()


async def remote(build, browser):
    tv = await App.start(build / "apps/remote", "--code", "482913")
    async with tab(browser) as page, tv.enter("/remote"):
        await page.open(tv.page)
        await has_size(page, 360, 380)
        await page.shows("2 phones are connected.")
        for button in "2", "louder", "louder", "louder":
            await page.press(button)
        await page.until("document.getElementById('volume').value === 10")
        await take(page, "remote.png")
    await tv.end()


async def drop(build, browser):
    with tempfile.TemporaryDirectory(prefix="nsws-drop-") as folder:
        files = {"letter.pdf": 1_400_000, "film.mp4": 700_000_000, "photos.zip": 48_000_000}
        for name, size in files.items():
            with open(pathlib.Path(folder) / name, "wb") as file:
                file.truncate(size)
        app = await App.start(build / "apps/drop", "--code", "482913", "--folder", folder + "/in")
        async with tab(browser) as page:
            await page.open(app.page, "files")
            await has_size(page, 440, 500)
            await page.choose("files", *(pathlib.Path(folder) / name for name in files))
            await page.until("document.querySelectorAll('progress')[1]?.value > 2e8")
            app.process.send_signal(signal.SIGSTOP)
            await take(page, "drop.png")
            app.process.send_signal(signal.SIGCONT)
        await app.end()


async def prices(build, browser):
    """A terminal, in which the client of the ticker survives the restart of its server."""
    async def server(port):
        program = build / "apps/ticker"
        process = await asyncio.create_subprocess_exec(program, "--port", port, "--every", "20", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        return process, (await process.stdout.readline()).decode().strip()

    first, url = await server("0")
    command = ["ticker_client", url, "ACME", "BOLT"]
    client = await asyncio.create_subprocess_exec(build / "apps" / command[0], *command[1:], stdout=asyncio.subprocess.PIPE)
    lines = ["$ " + " ".join(command)]

    async def prints(words, times=1):
        async with asyncio.timeout(PATIENCE):
            while times:
                lines.append((await client.stdout.readline()).decode().rstrip())
                times -= lines[-1].startswith(words)

    await prints("BOLT", 3)
    first.kill()
    await prints("attempt 2")
    second, _ = await server(str(urllib.parse.urlsplit(url).port))
    await prints("BOLT", 2)
    kept = len(lines)
    await prints("BOLT", 100)
    lines[kept:-2] = ["..."]
    client.terminate()
    lines += (await client.stdout.read()).decode().splitlines()
    second.stdin.close()
    await client.wait()
    await second.wait()
    style = "background: #14181c; color: #d8dee4; font: 13px/1.45 'DejaVu Sans Mono', monospace; margin: 0; padding: 12px; white-space: pre-wrap"
    text = f"<body style='margin: 0'><pre id='text' style=\"{style}\">{html.escape(chr(10).join(lines))}</pre>"
    async with tab(browser) as page:
        await page.open("data:text/html;charset=utf-8," + urllib.parse.quote(text), "text")
        await has_size(page, 640, 480)
        height = await page.run("document.getElementById('text').offsetHeight")
        await take(page, "ticker.png", clip={"x": 0, "y": 0, "width": 640, "height": height, "scale": 1})


async def main(build, browser):
    examples = pathlib.Path(build).resolve() / "examples"
    for picture in chat, remote, drop, prices:
        await picture(examples, browser)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
