"""The NDK beside the C ABI it is made of: 32-byte round trips in one run, all on one core, taking turns.

    python3 benches/ndk/run.py build/release/benches/ndk/round_trip [ROUNDS] [COUNT]

Each round is a process of its own; what counts are the medians over the rounds, and their ratio.
"""

import os
import statistics
import subprocess
import sys

TARGET = 1.03


def pinned(core):
    return lambda: os.sched_setaffinity(0, {core})


def main():
    program = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 15
    count = sys.argv[3] if len(sys.argv) > 3 else "50000"
    core = max(os.sched_getaffinity(0))
    peer = subprocess.Popen(
        [program, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=pinned(core)
    )
    figures = {"abi": [], "ndk": []}
    try:
        url = f"ws://127.0.0.1:{int(peer.stdout.readline())}/"
        for turn in range(rounds):
            for side in sorted(figures, reverse=turn % 2 == 1):
                output = subprocess.run(
                    [program, side, url, count], stdout=subprocess.PIPE, text=True, check=True, preexec_fn=pinned(core)
                )
                figures[side].append(tuple(map(float, output.stdout.split())))
    finally:
        peer.stdin.close()
        peer.wait()
    print(f"{'':24}{'C ABI':>10}{'NDK':>10}{'ratio':>8}")
    for index, name in enumerate(("round trip p50, us", "CPU per message, us")):
        abi, ndk = (statistics.median(figure[index] for figure in figures[side]) for side in ("abi", "ndk"))
        verdict = "" if index else f"  target <= {TARGET}: {'ok' if ndk / abi <= TARGET else 'MISS'}"
        print(f"{name:24}{abi:10.3f}{ndk:10.3f}{ndk / abi:8.3f}{verdict}")


if __name__ == "__main__":
    main()
