"""The programs that are measured: how each is started, and how it is ended."""

import json
import os
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "bench"
PROGRAMS = BUILD / "bin"
PYTHON = ROOT / "build/venv/bin/python"


class Peer:
    """`share`: how many of the small messages that are under way together it is sent. A peer that writes each of them alone,
    at twenty times the cost, would take minutes otherwise. Of all else every peer is sent the same number."""

    def __init__(self, name, title, command, share=1.0, raw=False, needs=None):
        self.name, self.title, self.command, self.share, self.raw = name, title, command, share, raw
        self.needs = needs or Path(command[0])

    def built(self):
        return self.needs.exists()

    def number(self, count, window):
        return count * self.share if window >= 16 else count


PEERS = [
    Peer("ours", "netstack-websocket", [str(PROGRAMS / "ours")]),
    Peer("raw", "TCP alone", [str(PROGRAMS / "raw")], raw=True),
    Peer("uwebsockets", "uWebSockets", [str(PROGRAMS / "uwebsockets")]),
    Peer("fastwebsockets", "fastwebsockets", [str(BUILD / "rust/release/fastwebsockets")], share=0.5),
    Peer("tungstenite", "tokio-tungstenite", [str(BUILD / "rust/release/tungstenite")]),
    Peer("beast", "Boost.Beast", [str(PROGRAMS / "beast")], share=0.05),
    Peer("libwebsockets", "libwebsockets", [str(PROGRAMS / "libwebsockets")], share=0.05),
    Peer("ws", "ws (Node.js)", ["node", str(ROOT / "benches/peers/ws.js")], share=0.1, needs=ROOT / "build/node/node_modules/ws"),
    Peer("websockets", "websockets (Python)", [str(PYTHON), str(ROOT / "benches/peers/websockets_peer.py")], share=0.02, needs=PYTHON),
]
BY_NAME = {peer.name: peer for peer in PEERS}


class Cores:
    """Which core measures and which is measured."""

    def __init__(self):
        cores = sorted(os.sched_getaffinity(0))
        self.load, self.server = cores[0], cores[-1]
        self.all = ",".join(map(str, cores))


CORES = Cores()


def pinned(core, command):
    return ["taskset", "-c", str(core), *map(str, command)]


def environment():
    """The library that --lib named, whatever else the loader would find."""
    return {
        **os.environ,
        "LD_LIBRARY_PATH": str(BUILD / "lib"),
        "NODE_PATH": str(ROOT / "build/node/node_modules"),
        "RUST_BACKTRACE": "0",
    }


class Refused(Exception):
    """The peer can't do what was asked."""


def brief(errors):
    """What a process said at its end."""
    return " ".join(line.strip() for line in errors.strip().splitlines()[-3:])


class Server:
    """A peer's echo server in a process of its own, on a core of its own."""

    def __init__(self, peer, options=(), wrap=(), core=None):
        # taskset becomes the server: the process is the one that is measured.
        command = pinned(CORES.server if core is None else core, [*wrap, *peer.command, "server", *options])
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
        )
        self.pid = self.process.pid
        line = self.process.stdout.readline()
        if not line:
            status, errors = self.process.wait(), self.process.stderr.read()
            if status == 2:
                raise Refused()
            raise RuntimeError(f"{peer.name} ended with status {status}: {brief(errors)}")
        self.port = int(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def load_command(server, mode, core, options):
    command = [PROGRAMS / "load", mode, "--port", server.port, "--pid", server.pid]
    for name, value in options.items():
        if value is True:
            command.append(f"--{name}")
        elif value not in (None, False):
            command += [f"--{name}", value]
    return pinned(core, command)


def load(server, mode, core, **options):
    """Runs the load generator to its end, and returns its figures."""
    done = subprocess.run(load_command(server, mode, core, options), capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"load {mode}: {brief(done.stderr)}")
    return json.loads(done.stdout)


class Crowd:
    """Connections to a server that have said something, and rest."""

    def __init__(self, server, core, **options):
        self.process = subprocess.Popen(
            load_command(server, "idle", core, options),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        if self.process.stdout.readline() != "open\n":
            raise RuntimeError(f"load idle: {self.process.stderr.read().strip()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate("\n", timeout=60)


class Holdings:
    """What a process holds."""

    def __init__(self, pid):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        self.private = sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Dirty:", "Private_Clean:")))
        self.descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        self.threads = len(os.listdir(f"/proc/{pid}/task"))

    def for_each(self, before, number):
        return {
            "private_kib": (self.private - before.private) / number,
            "descriptors": (self.descriptors - before.descriptors) / number,
            "threads": (self.threads - before.threads) / number,
        }


class Client:
    """A peer's client in a process of its own, up to the moment when it is ready for what is measured."""

    def __init__(self, peer, port, options=(), wrap=()):
        command = pinned(CORES.server, [*wrap, *peer.command, "client", "--port", port, *options])
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
        )
        self.pid = self.process.pid
        self.name = peer.name
        self.opened_in = int(self.expect().removeprefix("ready "))

    def expect(self):
        line = self.process.stdout.readline()
        if not line:
            status, errors = self.process.wait(), self.process.stderr.read()
            if status == 2:
                raise Refused()
            raise RuntimeError(f"{self.name}'s client ended with status {status}: {brief(errors)}")
        return line

    def go(self):
        """What was asked for is done: its figures."""
        before = Cost(self.pid)
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        figures = json.loads(self.expect())
        return {**figures, **Cost(self.pid).since(before, figures["messages"])}

    __enter__, __exit__ = Server.__enter__, Server.__exit__


def cpu_clock(pid):
    """The clock that clock_getcpuclockid() names."""
    return ~pid << 3 | 2


class Cost:
    """The CPU time of a process, threads that have ended included, as the kernel's scheduler accounts it."""

    def __init__(self, pid):
        self.cpu = time.clock_gettime_ns(cpu_clock(pid))
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        self.user, self.system = int(fields[11]), int(fields[12])

    def since(self, before, messages):
        cpu = (self.cpu - before.cpu) / messages
        user = self.user - before.user
        ticks = user + self.system - before.system
        # The division is counted in ticks of 10 ms: it says nothing about a short run.
        return {"cpu_ns": cpu} | ({"user_ns": cpu * user / ticks} if ticks >= 20 else {})
