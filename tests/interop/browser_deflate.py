"""Chromium as a client that compresses: what a page sends comes back, whatever its length, several messages at a time.

    browser_deflate.py ECHO_SERVER CHROMIUM

ECHO_SERVER is tests/c/autobahn_server.c, built.
"""

import asyncio
import json
import subprocess
import sys

from websockets.asyncio.client import connect

from browser import Page, chromium

ROUNDS = 4
LENGTHS = [0, 1, 2, 100, 125, 126, 127, 1000, 1024, 5000, 65535, 65536, 70000, 300000, 1 << 20, 20, 0, 0]

# Text, noise that repeats itself, and noise that no compressor makes smaller; the end says what was agreed to, and how many were the same.
SCRIPT = """
result = undefined;
(async (url, lengths, count) => {
  const noise = (i) => Math.imul(Math.imul(i + 1, 0x9e3779b1) ^ (i >> 3), 0x2c1b3c6d) >>> 24;
  const made = (number) => {
    const length = lengths[number %% lengths.length];
    if (number %% 3 === 0) return 'h\\u00e4llo ' .repeat(length / 6 + 1).slice(0, length);
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = noise(number %% 3 === 1 ? i %% 20000 : i + number);
    return bytes;
  };
  const same = (got, wanted) => {
    if (typeof wanted === 'string') return got === wanted;
    const bytes = typeof got === 'string' ? [] : new Uint8Array(got);
    return bytes.length === wanted.length && wanted.every((byte, i) => bytes[i] === byte);
  };
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  let sent = 0, received = 0;
  const more = () => { while (sent < count && sent - received < 8) socket.send(made(sent++)); };
  await new Promise((done) => {
    socket.onopen = more;
    socket.onmessage = (event) => {
      if (!same(event.data, made(received))) return done();
      if (++received === count) return done();
      more();
    };
    socket.onclose = done;
  });
  const closed = new Promise((done) => { socket.onclose = (event) => done(event.code); });
  socket.close(4000, 'bye');
  result = { extensions: socket.extensions, same: received, code: await closed };
})(%s, %s, %d);
"""


async def comes_back(devtools, program, bits, takeover):
    server = subprocess.Popen([program, str(bits), str(takeover)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = json.loads(server.stdout.readline())["port"]
    page = Page(devtools)
    target = await page.call("Target.createTarget", url="about:blank")
    page.session = (await page.call("Target.attachToTarget", targetId=target["targetId"], flatten=True))["sessionId"]
    count = ROUNDS * len(LENGTHS)
    await page.run(SCRIPT % (json.dumps(f"ws://127.0.0.1:{port}/"), json.dumps(LENGTHS), count))
    await page.until("result !== undefined")
    result = await page.run("result")
    assert result["same"] == count and result["code"] == 4000, result
    assert result["extensions"].startswith("permessage-deflate"), result
    assert ("no_context_takeover" in result["extensions"]) == (not takeover), result
    assert (f"server_max_window_bits={bits}" in result["extensions"]) == (bits < 15), result
    server.stdin.close()
    assert server.wait() == 0


async def main(program, browser_program):
    async with chromium(browser_program) as browser, connect(browser, proxy=None, max_size=None) as devtools:
        for bits in (15, 9, 12):
            for takeover in (1, 0):
                await comes_back(devtools, program, bits, takeover)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
