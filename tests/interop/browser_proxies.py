"""Chromium through haproxy and nginx to a server of this library, as a browser comes to a server on the internet.

    browser_proxies.py PROXIED_SERVER CHROMIUM

The browser is at 127.0.0.1, the proxies go on from 127.0.0.9.
"""

import asyncio
import json
import subprocess
import sys

from websockets.asyncio.client import connect

import reverse_proxies
from browser import Page, chromium
from tv_server import CERTIFICATES, PATIENCE

HOME, PROXY = "127.0.0.1", "127.0.0.9"
HERE = [sys.executable, reverse_proxies.__file__]

# The proxy, the scheme of its URL, what the server gets as arguments, and the version of HTTP that reaches the proxy, if it
# is told.
WAYS = [
    ("haproxy", "http", ["0"], "-"),
    ("haproxy-send-proxy-v2", "http", ["1"], "-"),
    ("haproxy-tls", "https", ["1", str(CERTIFICATES / "good.pem"), str(CERTIFICATES / "good.key")], "-"),
    # The proxy ends TLS. Over HTTP/2, a WebSocket is a stream beside those of the page (RFC 8441).
    ("haproxy-https", "https", ["0"], "HTTP/1.1"),
    ("haproxy-h2", "https", ["0"], "HTTP/2.0"),
    ("nginx", "http", ["0"], "-"),
    ("nginx-https", "https", ["0"], "HTTP/1.1"),
]

SOCKET = """
    got = [];
    socket = new WebSocket(location.href.replace('http', 'ws'));
    socket.binaryType = 'arraybuffer';
    socket.onmessage = (event) => got.push(typeof event.data === 'string' ? event.data : event.data.byteLength);
    socket.onclose = (event) => got.push(`closed ${event.code}`);
"""


def start(*command):
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def gets(page, *wanted):
    await page.until(f"JSON.stringify(got) === {json.dumps(json.dumps(wanted, separators=(',', ':'), ensure_ascii=False))}")


async def talks_through(browser, program, kind, scheme, arguments, version):
    server = start(program, *arguments)
    proxies = start(*HERE)
    try:
        print(kind, server.stdout.readline().strip(), PROXY, file=proxies.stdin, flush=True)
        origin = f"{scheme}://127.0.0.1:{int(proxies.stdout.readline())}"
        async with connect(browser, proxy=None, max_size=None) as devtools:
            page = Page(devtools)
            target = await page.call("Target.createTarget", url=origin + "/page")
            page.session = (await page.call("Target.attachToTarget", targetId=target["targetId"], flatten=True))["sessionId"]
            await page.until(f"document.body?.innerText === '{HOME} over {PROXY}'")
            await page.run(SOCKET)
            told = [f"{HOME} over {PROXY}", f"{origin} to {version}"]
            await gets(page, *told)
            await page.run("socket.send('hellö'); socket.send(new Uint8Array(1 << 20)); socket.send('x'.repeat(5))")
            told += ["hellö", 1 << 20, "xxxxx"]
            await gets(page, *told)
            server.stdin.close()
            await gets(page, *told, "closed 1001")
        assert server.wait(PATIENCE) == 0
        print("ok", kind)
    finally:
        server.kill()
        proxies.stdin.close()
        proxies.wait(PATIENCE)


async def main(program, browser_program):
    async with chromium(browser_program) as browser:
        for way in WAYS:
            await talks_through(browser, program, *way)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
