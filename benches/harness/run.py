"""Measures this library beside its peers, in one run on one machine.

The peers take turns, in a different order each round, each in a fresh process; a figure is the median of the rounds. The main figure is the CPU time of the
process that is measured, as the kernel accounts it.
"""

import argparse
import json
import os
import platform
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tls
import workloads
from peers import BUILD, BY_NAME, PEERS, PYTHON, ROOT, Refused
from report import show


def measure(chosen, peers, rounds, scale, run, save):
    """Fills `run`: {workload: {peer: {figure: [a value for each round]}}}, and what went wrong."""
    results, failures = run["results"], run["failures"]
    for workload in chosen:
        of_workload = results[workload.name] = {}
        refused = set()
        for number in range(min(rounds, workload.rounds or rounds)):
            # In another order each round: a peer that follows its like finds caches warm.
            for peer in random.Random(f"{workload.name} {number}").sample(peers, len(peers)):
                if peer.name in refused or (workload.peers is not None and peer.name not in workload.peers):
                    continue
                try:
                    figures = workload.run(peer, scale)
                except Refused:
                    refused.add(peer.name)
                    continue
                except RuntimeError as error:
                    refused.add(peer.name)
                    failures.append(f"{workload.name}, {peer.name}: {error}")
                    print(f"\nFAILED {failures[-1]}", flush=True)
                    continue
                of_peer = of_workload.setdefault(peer.name, {})
                for name, value in figures.items():
                    of_peer.setdefault(name, []).append(value)
        results[workload.name] = {peer.name: of_workload[peer.name] for peer in peers if peer.name in of_workload}
        show(workload, results)
        save()


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return None


def locked(lock, package):
    """The version of a crate in a lock file."""
    found = re.search(rf'^name = "{package}"\nversion = "(.*)"', lock, re.M)
    return found and found[1]


def versions():
    """What was measured, in which versions."""
    lock = (ROOT / "benches/peers/rust/Cargo.lock").read_text()
    library = BUILD / "lib" / "libnetstack_websocket.so"
    boost = Path("/usr/include/boost/version.hpp")
    boost = re.search(r'BOOST_LIB_VERSION "(.*)"', boost.read_text()) if boost.exists() else None
    ws = ROOT / "build/node/node_modules/ws/package.json"
    python = first_line(PYTHON, "-c", "import sys, websockets; print(websockets.__version__, 'on Python', sys.version.split()[0])")
    commit = first_line("git", "-C", str(library.resolve().parent), "describe", "--always", "--dirty")
    with tempfile.NamedTemporaryFile() as stripped:
        bare = subprocess.run(["strip", "-o", stripped.name, library], capture_output=True).returncode == 0
        size = Path(stripped.name).stat().st_size if bare else library.stat().st_size
    return {
        "netstack-websocket": f"{locked((ROOT / 'Cargo.lock').read_text(), 'netstack-websocket')}, commit {commit}",
        "library": f"{size / 1e6:.2f} MB{' stripped' if bare else ''}",
        "uWebSockets": f"as in crate libuwebsockets-sys {locked(lock, 'libuwebsockets-sys')}",
        "fastwebsockets": locked(lock, "fastwebsockets"),
        "tokio-tungstenite": f"{locked(lock, 'tokio-tungstenite')} on tokio {locked(lock, 'tokio')}, rustls {locked(lock, 'rustls')}",
        "Boost.Beast": boost and boost[1].replace("_", "."),
        "libwebsockets": (first_line("pkg-config", "--modversion", "libwebsockets") or "").rstrip("-") or None,
        "ws": f"{json.loads(ws.read_text())['version']} on Node.js {first_line('node', '--version')}" if ws.exists() else None,
        "websockets": python,
        "compilers": f"{first_line('rustc', '--version')}; {first_line('cc', '--version')}",
        "OpenSSL": first_line("openssl", "version"),
    }


CONGESTION_CONTROL = Path("/proc/sys/net/ipv4/tcp_congestion_control")


def conditions():
    """What a reader has to know of the run."""
    models = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "started": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "processor": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}, {CONGESTION_CONTROL.read_text().strip()}",
        "system": next((line.split('"')[1] for line in open("/etc/os-release") if line.startswith("PRETTY_NAME")), None),
        "load_average_before": os.getloadavg(),
        "versions": versions(),
    }


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--only", help="groups or workloads, separated by commas (see --list)")
    parser.add_argument("--peers", help="peers, separated by commas; ours is always among them")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default 5)")
    parser.add_argument("--scale", type=float, default=1.0, help="how many messages, beside the usual number")
    parser.add_argument("--lib", help="the folder of the libnetstack_websocket.so to measure, which $NSWS_LIB names too; "
                        "default: it is built")
    parser.add_argument("--out", type=Path, default=BUILD / "result.json", help="where the figures go (default %(default)s)")
    parser.add_argument("--list", action="store_true", help="lists groups, workloads and peers")
    parser.add_argument("--instructions", action="store_true", help="counts instructions under callgrind instead")
    parser.add_argument("--record", action="store_true", help="with --instructions: writes the table that they are held against")
    parser.add_argument("--profile", action="store_true", help="adds to the figures of a run where the time goes, with perf, in the "
                        "workloads whose bounds it has missed")
    parser.add_argument("--page", type=Path, nargs="?", const=BUILD / "result.json", metavar="JSON",
                        help="writes docs/performance.md from the figures of a run instead (default: those of --out)")
    arguments = parser.parse_args()

    everything = workloads.all_workloads()
    if arguments.list:
        for workload in everything:
            print(f"{workload.group:12} {workload.name:28} {workload.title}")
        print("peers:", ", ".join(peer.name for peer in PEERS))
        return
    if arguments.page:
        import page

        page.write(arguments.page)
        return
    if arguments.profile:
        import profiles

        tls.make()
        profiles.main(arguments.out, arguments.scale)
        return
    if arguments.instructions:
        import instructions

        sys.exit(instructions.main(arguments.only, arguments.record))
    only = arguments.only.split(",") if arguments.only else None
    chosen = [each for each in everything if only is None or each.group in only or each.name in only]
    if not chosen:
        parser.error("no such workload; --list lists them")
    if arguments.peers:
        names = ["ours", *arguments.peers.split(",")]
        if unknown := set(names) - set(BY_NAME):
            parser.error(f"no such peer: {', '.join(sorted(unknown))}")
        peers = [peer for peer in PEERS if peer.name in names]
    else:
        peers = PEERS
    missing = [peer.name for peer in peers if not peer.built()]
    peers = [peer for peer in peers if peer.built()]
    if missing:
        print("not built, so not measured:", ", ".join(missing))
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    tls.make()
    run = {"conditions": conditions(), "rounds": arguments.rounds, "failures": [], "results": {}}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)

    def save():
        run["conditions"]["load_average_after"] = os.getloadavg()
        arguments.out.write_text(json.dumps(run, indent=1) + "\n")

    measure(chosen, peers, arguments.rounds, arguments.scale, run, save)
    print(f"\n{arguments.out}")
    if run["failures"]:
        print("Could not be measured:", *run["failures"], sep="\n  ")
    # That a peer breaks is a finding; that ours does is a failure.
    sys.exit(any(f", {PEERS[0].name}:" in failure for failure in run["failures"]))


if __name__ == "__main__":
    main()
