"""Chromium as a client of nsws: what a page sends comes back, and a room is shared with the command line.

    browser.py NSWS CHROMIUM
"""

import asyncio
import json
import pathlib
import subprocess
import sys

from websockets.asyncio.client import connect

from support import PATIENCE, Server, start

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
from browser import Page, chromium  # noqa: E402

OPEN = """
    got = [];
    socket = new WebSocket(%s);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => got.push('open');
    socket.onmessage = (event) => got.push(typeof event.data === 'string' ? event.data : event.data.byteLength);
    socket.onclose = (event) => got.push('closed ' + event.code);
"""


async def page_with_socket(devtools, url):
    page = Page(devtools)
    target = await page.call("Target.createTarget", url="about:blank")
    page.session = (await page.call("Target.attachToTarget", targetId=target["targetId"], flatten=True))["sessionId"]
    await page.run(OPEN % json.dumps(url))
    return page


async def gets(page, *wanted):
    await page.until(f"JSON.stringify(got) === {json.dumps(json.dumps(wanted, separators=(',', ':'), ensure_ascii=False))}")


async def echo_answers_a_page(devtools):
    server = Server("echo", "0", "--compress")
    page = await page_with_socket(devtools, server.url)
    await gets(page, "open")
    assert "permessage-deflate" in server.next("connect")["extensions"]
    await page.run("socket.send('hellö'); socket.send(new Uint8Array(100000)); socket.send('x'.repeat(5))")
    await gets(page, "open", "hellö", 100000, "xxxxx")
    await page.run("socket.close(4000, 'bye')")
    assert server.next("close")["reason"] == "bye"
    await gets(page, "open", "hellö", 100000, "xxxxx", "closed 4000")
    server.stop()


async def a_page_chats_with_the_command_line(devtools):
    server = Server("chat", "0")
    page = await page_with_socket(devtools, server.url)
    await gets(page, "open")
    guest = start("chat", server.url, "--name", "ann", "-q", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    come, said, left = "* #2 (127.0.0.1) has come", "ann: hello", "* #2 (127.0.0.1) has left"
    await gets(page, "open", come)
    guest.stdin.write("hello\n")
    guest.stdin.flush()
    await gets(page, "open", come, said)
    await page.run("socket.send('page: welcome')")
    assert await asyncio.to_thread(guest.stdout.readline) == "page: welcome\n"
    guest.stdin.close()
    assert guest.wait(PATIENCE) == 0
    await gets(page, "open", come, said, left)
    server.stop()
    await gets(page, "open", come, said, left, "closed 1001")


async def main(program):
    async with chromium(program) as address, connect(address, proxy=None, max_size=None) as devtools:
        await echo_answers_a_page(devtools)
        await a_page_chats_with_the_command_line(devtools)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[2]))
