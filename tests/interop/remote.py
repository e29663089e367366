"""The example examples/apps/remote.c, with Python `websockets` as its phones, and its page in headless Chromium.

    remote.py REMOTE [CHROMIUM]
"""

import asyncio
import json
import sys

from websockets.exceptions import InvalidStatus

from apps import App, tab
from ports import held_port
from tv_server import PATIENCE, closes_with


async def shows(phone, **expected):
    """The next state that the phone is sent."""
    async with asyncio.timeout(PATIENCE):
        state = json.loads(await phone.recv())
    assert expected.items() <= state.items(), f"{state} instead of {expected}"


async def refusal(tv, path="/remote", **query):
    try:
        async with tv.enter(path, **query):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def all_phones_show_what_one_presses(program):
    tv = await App.start(program)
    async with tv.enter("/remote") as ann, tv.enter("/remote") as ben:
        await shows(ann, on=True, channel=1, name="News", volume=7, muted=False, phones=1)
        await shows(ann, phones=2)
        await shows(ben, phones=2)
        for button, state in {"louder": {"volume": 8}, "3": {"channel": 3, "name": "Films"}, "mute": {"muted": True}}.items():
            await ann.send(button)
            await shows(ann, **state)
            await shows(ben, **state)
        await tv.line(r"3 Films     muted  \[########            \]  phones: 2")
        tv.type("softer")
        await shows(ben, volume=7)
        await shows(ann, volume=7)
        # Off, only one button does something.
        for button, state in {"power": {"on": False}, "4": {"on": False, "channel": 3}, "softer": {"volume": 7}}.items():
            await ben.send(button)
            await shows(ann, **state)
        await ben.send("power")
        await shows(ann, on=True)
        for volume in [*range(8, 21), 20]:
            await ben.send("louder")
            await shows(ann, volume=volume)
        # No such button, and too long for one.
        for words in "self-destruct", "6", "", "x" * 16:
            async with tv.enter("/remote") as rude:
                await shows(ann, phones=3)
                await rude.send(words)
                await closes_with(rude, 1009 if len(words) > 15 else 1008)
            await shows(ann, phones=2)
        tv.type("quit")
        await asyncio.gather(tv.end(), closes_with(ann, 1001), closes_with(ben, 1001))


async def only_phones_with_the_code_come_in(program):
    tv = await App.start(program)
    assert len(tv.code) == 6 and tv.code.isdigit()
    wrong = f"{(int(tv.code) + 1) % 10**6:06}"
    assert await refusal(tv) == 101
    assert await refusal(tv, code=wrong) == 401
    assert await refusal(tv, code="") == 401
    assert await refusal(tv, code=tv.code + "0" * 20) == 401
    assert await refusal(tv, path="/remotely") == 404
    status, page = await tv.get("/")
    assert status == 200 and "<title>TV remote</title>" in page and tv.code not in page
    assert (await tv.get("/etc/passwd"))[0] == 404
    await tv.end()
    fixed = await App.start(program, "--code", "4711")
    assert fixed.code == "4711" and await refusal(fixed) == 101
    await fixed.end()


async def the_page_is_a_phone(program, browser_program):
    async with tab(browser_program) as page:
        tv = await App.start(program, "--code", "4711", port=held_port())
        async with tv.enter("/remote") as ann:
            await shows(ann, phones=1)
            await page.open(tv.page)
            await shows(ann, phones=2)
            await page.shows("2 phones are connected.")
            await page.press("louder")
            await shows(ann, volume=8)
            await page.until("document.getElementById('volume').value === 8")
            await ann.send("2")
            await page.until("document.getElementById('screen').textContent === '2 Football'")
            tv.type("power")
            await page.until("document.getElementById('screen').textContent === 'The TV is off'")
            await page.until("document.getElementById('louder').disabled && !document.getElementById('power').disabled")
        await tv.end()
        await page.shows("Lost the TV: server is going away. Reconnecting ...")
        # It finds the TV again by itself, and says so if the code has changed.
        tv = await App.start(program, "--code", "4711", port=tv.port)
        await page.until("document.getElementById('screen').textContent === '1 News'")
        tv.process.kill()
        await tv.process.wait()
        await page.shows("Lost the TV: the connection broke. Reconnecting ...")
        tv = await App.start(program, "--code", "4712", port=tv.port)
        await page.shows("Can't connect. Is the TV on, and is the code right?")
        await page.fill_in("code", "4712")
        await page.press("connect")
        await page.shows("Only this phone is connected.")
        await tv.end()


async def main(program, browser_program=None):
    await all_phones_show_what_one_presses(program)
    await only_phones_with_the_code_come_in(program)
    if browser_program:
        await the_page_is_a_phone(program, browser_program)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
