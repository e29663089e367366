"""How many instructions each message costs the library in user space: callgrind's count, the difference of two run lengths
divided by the difference in messages. It depends on the machine's load hardly at all, so a test can compare it.

benches/harness/instructions.json has the table that was recorded; a count that is more than 10 % above it is a failure.
"""

import json
import re
import shutil
import tempfile
from pathlib import Path

from peers import BY_NAME, CORES, Server, load

TABLE = Path(__file__).with_name("instructions.json")
ALLOWED = 1.10

# Name: title, what the load generator does, its shape, and the two lengths.
WORKLOADS = {
    "server-1x512": ("Echo of 128 B, 1 connection with 512 messages under way", "pipeline",
                     {"window": 512, "size": 128}, (40 * 512, 120 * 512)),
    "server-50x16": ("Echo of 128 B, 50 connections with 16 messages under way", "pipeline",
                     {"connections": 50, "window": 16, "size": 128}, (20 * 800, 60 * 800)),
}


def count(name, directory):
    """Instructions a message."""
    _, mode, shape, lengths = WORKLOADS[name]
    totals, messages = [], []
    for length in lengths:
        out = Path(directory) / f"callgrind.{name}.{length}"
        wrap = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}"]
        with Server(BY_NAME["ours"], ["--no-ping"], wrap) as server:
            load(server, mode, CORES.load, count=length, **shape)
        totals.append(int(re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.M)[1]))
        messages.append(length)
    return (totals[1] - totals[0]) / (messages[1] - messages[0])


def main(arguments):
    recorded = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    names = arguments.only.split(",") if arguments.only else list(WORKLOADS)
    directory = tempfile.mkdtemp(prefix="bench-")
    failures, counts = [], {}
    try:
        for name in names:
            counts[name] = count(name, directory)
            line = f"{name:16} {counts[name]:10,.0f} instructions a message"
            if name in recorded:
                ratio = counts[name] / recorded[name]
                line += f"; recorded {recorded[name]:,}: {ratio:.2f}"
                if ratio > ALLOWED and not arguments.record:
                    line += f", more than {ALLOWED:.2f}"
                    failures.append(name)
            print(line, flush=True)
    finally:
        shutil.rmtree(directory)
    if arguments.record:
        TABLE.write_text(json.dumps({**recorded, **{name: round(value) for name, value in counts.items()}}, indent=2) + "\n")
    return 1 if failures else 0
