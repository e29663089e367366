"""How many instructions each message costs the library in user space: callgrind's count, the difference of two run lengths
divided by the difference in messages. A busy machine changes it little, so a test can compare it.

benches/harness/instructions.json has the table that was recorded; a count that is more than 10 % above it fails. How many
messages the library finds at each look is a matter of chance, so a count that is above it is taken up to four times more: the least
counts. On some machines a 64 KiB message always takes one look more: the table has the higher of two machines' medians.
"""

import json
import platform
import re
import statistics
import tempfile
from pathlib import Path

from peers import BY_NAME, CORES, Client, Server, load

TABLE = Path(__file__).with_name("instructions.json")
ALLOWED = 1.10
TRIES = 5

# What the load generator does to a server (or "client"), in which shape, and the two lengths.
WORKLOADS = {
    "server-1x512": ("pipeline", {"window": 512, "size": 128}, (20_480, 61_440)),
    "server-50x16": ("pipeline", {"connections": 50, "window": 16, "size": 128}, (16_000, 48_000)),
    "server-round-trip-32": ("rtt", {"size": 32}, (500, 1_500)),
    "server-round-trip-65536": ("rtt", {"size": 65536}, (100, 300)),
    "server-connect": ("connect", {"size": 32}, (50, 150)),
    "client-1x512": ("client", {"window": 512, "size": 128}, (20_480, 61_440)),
}


def run(name, length, out):
    """Instructions of a whole run, and how many messages it had."""
    mode, shape, _ = WORKLOADS[name]
    wrap = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}"]
    if mode == "client":
        options = ["--no-ping", "--count", length]
        for option, value in shape.items():
            options += [f"--{option}", value]
        # The library on the other side too: nothing else has to be built for this.
        with Server(BY_NAME["ours"], core=CORES.load) as server, Client(BY_NAME["ours"], server.port, options, wrap) as client:
            figures = client.go()
    else:
        with Server(BY_NAME["ours"], ["--no-ping"], wrap) as server:
            figures = load(server, mode, CORES.load, count=length, **shape)
    return int(re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.M)[1]), figures["total"]


def count(name):
    """Instructions a message."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        (few, first), (many, last) = (run(name, length, Path(directory) / str(length)) for length in WORKLOADS[name][2])
    return (many - few) / (last - first)


def table():
    """What was recorded for this processor family: other families have other instructions."""
    everything = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    return everything, everything.get(platform.machine(), {})


def main(only, record):
    everything, recorded = table()
    names = only.split(",") if only else list(WORKLOADS)
    counts, above = {}, []
    for name in names:
        most = recorded[name] * ALLOWED if name in recorded else None
        tries = [count(name)]
        while len(tries) < TRIES and (record or (most is not None and min(tries) > most)):
            tries.append(count(name))
        counts[name] = statistics.median(tries) if record else min(tries)
        line = f"{name:24} {counts[name]:12,.0f} instructions a message"
        if name in recorded:
            line += f"; recorded {recorded[name]:,}, {counts[name] / recorded[name] - 1:+.0%}"
        print(line, flush=True)
        if most is not None and counts[name] > most:
            above.append(name)
    if record:
        everything[platform.machine()] = {**recorded, **{name: round(value) for name, value in counts.items()}}
        TABLE.write_text(json.dumps(everything, indent=2, sort_keys=True) + "\n")
        return 0
    if not recorded:
        print(f"nothing is recorded for {platform.machine()}: nothing was compared")
    if above:
        print(f"more than {ALLOWED - 1:.0%} above what {TABLE.name} has: {', '.join(above)}")
        return 1
    return 0
