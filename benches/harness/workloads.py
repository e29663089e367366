"""What is measured: each workload runs one peer once, and returns figures by name."""

import json
import os
import subprocess
import time

import tls
from peers import BUILD, BY_NAME, CORES, PROGRAMS, Client, Cost, Crowd, Holdings, Server, cpu_clock, environment, load


class Bound:
    """A figure that this library must reach: `value(get)` is at most `most`. `get(peer, figure, workload)` is a median, of this
    workload if none is named. `peer` is the one that it is compared with, by this `figure`."""

    def __init__(self, text, most, value, peer=None, figure=None):
        self.text, self.most, self.value, self.peer, self.figure = text, most, value, peer, figure

    def judge(self, get):
        """The value, or None where something that it needs wasn't measured."""
        try:
            return self.value(get)
        except (TypeError, ZeroDivisionError):
            return None


UNITS = {
    "cpu_ns": "CPU time", "user_ns": "user time", "wall_ns": "time", "p50_ns": "median time", "private_kib": "private memory, KiB",
    "core_percent": "share of a core, percent", "threads": "threads", "descriptors": "descriptors",
    "open_ns": "time until the connection is open", "wire_bytes": "bytes on the wire",
    "p50_stuck_ns": "median time beside stuck ones", "resumed": "TLS sessions resumed, percent",
}


def beside(figure, peer, most):
    """At most so many times what a peer needs."""
    return Bound(f"{UNITS[figure]} beside {BY_NAME[peer].title}", most, lambda get: get("ours", figure) / get(peer, figure), peer, figure)


def at_most(figure, most):
    return Bound(UNITS[figure], most, lambda get: get("ours", figure))


class Workload:
    """`figures`: those that are shown, the main one first. `peers`: who takes part; None: everyone who can."""

    def __init__(self, name, group, title, run, figures, bounds=(), peers=None, x=None, rounds=None):
        self.name, self.group, self.title, self.run = name, group, title, run
        self.figures, self.bounds, self.peers = figures, bounds, peers
        self.x = x  # its place on a curve
        self.rounds = rounds  # at most so many, for what takes minutes


def far_core(same_core):
    return CORES.server if same_core else CORES.load


def server_load(mode, count, same_core=False, options=(), wss=False, all_cores=False, **shape):
    """The server's part: the peer serves, and the load generator asks."""

    def run(peer, scale):
        with Server(peer, [*options, *(tls.SERVER if wss else ())], core=CORES.all if all_cores else None) as server:
            number = max(1, int(peer.number(count, shape.get("window", 1)) * scale))
            ca = tls.CA if wss else None
            return load(server, mode, far_core(same_core), count=number, raw=peer.raw, ca=ca, **shape)

    return run


def far_end(peer, wss, core, deflate=False):
    """What clients are measured against: TCP alone for TCP alone; uWebSockets; with TLS tokio-tungstenite, since
    uWebSockets' connections break there when large messages fill its socket; with compression Boost.Beast, which
    compresses with a window of 15 bits, as uWebSockets doesn't."""
    name = "raw" if peer.raw else "beast" if deflate else "tungstenite" if wss else "uwebsockets"
    return Server(BY_NAME[name], [*(tls.SERVER if wss else ()), *(["--deflate"] if deflate else [])], core=core)


def documents_file():
    """What clients send: so many that the window has forgotten the first when its turn comes again."""
    path = BUILD / "documents.json"
    if not path.exists():
        path.write_bytes(subprocess.run([PROGRAMS / "load", "generate", "--count", "64"], capture_output=True, check=True).stdout)
    return ["--documents", path]


def client_load(count, same_core=False, options=(), wss=False, deflate=False, **shape):
    """The client's part: another one serves, and the peer asks."""

    def run(peer, scale):
        number = max(1, int(peer.number(count, shape.get("window", 1)) * scale))
        arguments = [*options, "--count", number, *(tls.CLIENT if wss else ()), *(documents_file() if deflate else ())]
        for name, value in shape.items():
            arguments += [f"--{name}", value]
        with far_end(peer, wss, far_core(same_core), deflate) as server:
            with Client(peer, server.port, arguments) as client:
                return client.go()

    return run


SETTLE = 0.3  # seconds until what a connection needs only at first is given back
REST = 1.0


def rest(process, before, number, seconds=REST):
    """What each of a number of connections at rest costs a process, and the share of a core that all of them take."""
    time.sleep(SETTLE)
    start = Cost(process.pid)
    time.sleep(seconds)
    cpu = Cost(process.pid).since(start, 1)["cpu_ns"]
    return {**Holdings(process.pid).for_each(before, number), "core_percent": cpu / seconds / 1e7}


def idle_server(number, wss=False, options=(), seconds=REST, deflate=False):
    def run(peer, scale):
        with Server(peer, [*options, *(tls.SERVER if wss else ())]) as server:
            shape = {"raw": peer.raw, "ca": tls.CA if wss else None, "size": 32, "deflate": deflate}
            with Crowd(server, CORES.load, connections=1, **shape):
                time.sleep(SETTLE)
                before = Holdings(server.pid)
                with Crowd(server, CORES.load, connections=number, **shape):
                    return rest(server, before, number, seconds)

    return run


def idle_clients(number, wss=False, options=(), seconds=REST, deflate=False):
    def run(peer, scale):
        more = [*options, *(tls.CLIENT if wss else ()), *(documents_file() if deflate else ())]
        with far_end(peer, wss, CORES.load, deflate) as server:

            def clients(connections):
                # One message each; of documents four, as the other way round.
                number = (80 if deflate else 1) * connections
                return Client(peer, server.port, ["--connections", connections, "--count", number, *more])

            # A process with one is what it is beside: what a process of its own costs isn't a connection's.
            with clients(1) as one:
                time.sleep(SETTLE)
                before = Holdings(one.pid)
            with clients(number + 1) as many:
                return rest(many, before, number, seconds)

    return run


def first_connect(wss):
    """From the start of a process to its first answer: loading, certificates, connecting, everything."""

    def run(peer, scale):
        with far_end(peer, wss, CORES.load) as server:
            start = time.monotonic_ns()
            with Client(peer, server.port, ["--count", 1, *(["--ca", tls.MANY] if wss else [])]) as client:
                return {
                    "open_ns": client.opened_in,
                    "wall_ns": time.monotonic_ns() - start,
                    "cpu_ns": time.clock_gettime_ns(cpu_clock(client.pid)),
                }

    return run


def pipelined_clients():
    for connections, window in SHAPES:
        yield Workload(
            f"client-{connections}x{window}",
            "client-pipelined",
            f"A client's 128 B, {connections} connection{'s' * (connections > 1)} with {window} messages under way",
            client_load(PIPELINED, connections=connections, window=window, size=128),
            ("cpu_ns", "user_ns", "wall_ns"),
            [beside("cpu_ns", "tungstenite", 0.8)],
        )


def client_round_trips():
    for title, size, count in SIZES:
        yield Workload(
            f"client-rtt-{size}-same-core",
            "client-rtt",
            f"A client's round trip of {title} in the callback, both ends on one core",
            client_load(count, same_core=True, size=size),
            ("p50_ns", "cpu_ns", "wall_ns"),
            [beside("p50_ns", "tungstenite", 1.03)] if size == 32 else [],
        )
        yield Workload(
            f"client-rtt-{size}",
            "client-rtt",
            f"A client's round trip of {title} in the callback, a core each",
            client_load(count, size=size),
            ("p50_ns", "cpu_ns", "wall_ns"),
            [beside("cpu_ns", "raw", LARGE[size])] if size in LARGE else [],
        )
    yield Workload(
        "client-rtt-32-thread",
        "client-rtt",
        "A client's round trip of 32 B from an application thread, both ends on one core",
        client_load(20_000, same_core=True, options=["--thread"], size=32),
        ("p50_ns", "cpu_ns", "wall_ns"),
        [Bound("median time beside the callback's", 1.3,
               lambda get: get("ours", "p50_ns") / get("ours", "p50_ns", "client-rtt-32-same-core"))],
    )


# Enough for user time, which the kernel counts in ticks.
PIPELINED = 1_000_000
SHAPES = ((1, 512), (50, 16), (50, 256), (1000, 16))
SIZES = (("32 B", 32, 20_000), ("1 KiB", 1 << 10, 20_000), ("64 KiB", 64 << 10, 4_000), ("1 MiB", 1 << 20, 400))
LARGE = {64 << 10: 1.25, 1 << 20: 1.5}  # what they may cost beside TCP alone


def pipelined():
    for connections, window in SHAPES:
        big = window > 16
        load = server_load("pipeline", PIPELINED, connections=connections, window=window, size=128)
        bounds = [beside("cpu_ns", "tungstenite", 0.7), beside("cpu_ns", "fastwebsockets", 1.0)]
        bounds += [beside("cpu_ns", peer, 0.05 if big else 0.11) for peer in ("beast", "libwebsockets")]
        bounds += [beside("cpu_ns", "uwebsockets", 0.9 if connections == 1 else 0.75)] if big else [beside("user_ns", "uwebsockets", 1.25)]
        yield Workload(
            f"pipelined-{connections}x{window}",
            "pipelined",
            f"Echo of 128 B, {connections} connection{'s' * (connections > 1)} with {window} messages under way",
            # User time is counted in ticks, so a run with a bound on it is never shortened.
            load if big else lambda peer, scale, load=load: load(peer, max(scale, 1)),
            ("cpu_ns", "user_ns", "wall_ns"),
            bounds,
        )


BESIDE_UWEBSOCKETS = Bound(
    "median time beside TCP alone, less the same of uWebSockets",
    0.02,
    lambda get: (get("ours", "p50_ns") - get("uwebsockets", "p50_ns")) / get("raw", "p50_ns"),
    "uwebsockets",
)


def round_trips():
    for title, size, count in SIZES:
        bounds = []
        if size == 32:
            bounds = [beside("p50_ns", "raw", 1.15)]
        elif size in LARGE:
            bounds = [beside("cpu_ns", "raw", LARGE[size]), beside("cpu_ns", "uwebsockets", 1.0)]
        yield Workload(
            f"rtt-{size}",
            "rtt",
            f"Round trip of {title}, a core each",
            server_load("rtt", count, size=size),
            ("p50_ns", "cpu_ns", "wall_ns"),
            bounds,
        )
        yield Workload(
            f"rtt-{size}-same-core",
            "rtt",
            f"Round trip of {title}, both ends on one core",
            server_load("rtt", count, same_core=True, size=size),
            ("p50_ns", "cpu_ns", "wall_ns"),
            [beside("p50_ns", "tungstenite", 1.03), BESIDE_UWEBSOCKETS] if size == 32 else [],
        )


def tls_workloads():
    for connections, window in SHAPES[:2]:
        yield Workload(
            f"wss-{connections}x{window}",
            "wss",
            f"wss: echo of 128 B, {connections} connection{'s' * (connections > 1)} with {window} messages under way",
            server_load("pipeline", 400_000 if window > 16 else 150_000, wss=True, connections=connections, window=window, size=128),
            ("cpu_ns", "user_ns", "wall_ns"),
        )
    for title, size, count in SIZES:
        bounds = [beside("cpu_ns", "tungstenite", 1.05)] if size in LARGE else []
        yield Workload(
            f"wss-rtt-{size}-same-core",
            "wss",
            f"wss: round trip of {title}, both ends on one core",
            server_load("rtt", count // 2, same_core=True, wss=True, size=size),
            ("p50_ns", "cpu_ns", "wall_ns"),
            bounds,
        )
        yield Workload(
            f"client-wss-rtt-{size}-same-core",
            "client-wss",
            f"wss: a client's round trip of {title} in the callback, both ends on one core",
            client_load(count // 2, same_core=True, wss=True, size=size),
            ("p50_ns", "cpu_ns", "wall_ns"),
            bounds,
        )
    yield Workload(
        "client-wss-1x512",
        "client-wss",
        "wss: a client's 128 B, 1 connection with 512 messages under way",
        client_load(400_000, wss=True, window=512, size=128),
        ("cpu_ns", "user_ns", "wall_ns"),
    )


def streams():
    for role, make in (("", server_load), ("client-", client_load)):
        for wss in (False, True):
            bounds = [beside("cpu_ns", "tungstenite", 1.05)] if wss else [beside("cpu_ns", "raw", LARGE[1 << 20]), beside("cpu_ns", "uwebsockets", 1.0)]
            arguments = ("pipeline", 600) if role == "" else (600,)
            yield Workload(
                f"{role}{'wss-' if wss else ''}stream",
                "stream",
                f"{'wss: a' if wss else 'A'} {'client' if role else 'server'}'s messages of 1 MiB, 4 under way",
                make(*arguments, wss=wss, window=4, size=1 << 20),
                ("cpu_ns", "user_ns", "wall_ns"),
                bounds if role == "" or wss else bounds[:1],
            )


def broadcasts():
    yield Workload(
        "broadcast-1000",
        "broadcast",
        "Each message of 128 B to all of 1,000 connections, for each of them",
        server_load("broadcast", 400, options=["--broadcast"], connections=1000, window=4, size=128),
        ("cpu_ns", "user_ns", "wall_ns"),
        [beside("cpu_ns", "uwebsockets", 1.2)],
    )


def documents():
    yield Workload(
        "documents",
        "documents",
        "Echo of JSON of 4 KiB, compressed (level 6, window 15, context kept), 1 connection with 8 under way",
        server_load("documents", 20_000, options=["--deflate"], window=8),
        ("cpu_ns", "user_ns", "wire_bytes", "wall_ns"),
        [beside("cpu_ns", "ws", 1.0), beside("cpu_ns", "uwebsockets", 1.0),
         Bound("bytes on the wire beside the documents'", 0.3, lambda get: get("ours", "wire_bytes") / 4096)],
    )
    yield Workload(
        "client-documents",
        "documents",
        "A client's JSON of 4 KiB and its echo, compressed (level 6, window 15, context kept), 1 connection with 8 under way",
        client_load(20_000, deflate=True, window=8),
        ("cpu_ns", "user_ns", "wall_ns"),
        [beside("cpu_ns", "ws", 1.0)],
    )
    yield Workload(
        "client-documents-memory",
        "documents",
        "100 connections that have exchanged compressed JSON and rest, each one's part: clients",
        idle_clients(100, options=["--no-ping"], deflate=True),
        ("private_kib",),
    )
    yield Workload(
        "documents-memory",
        "documents",
        "100 connections that have exchanged compressed JSON and rest, each one's part: a server",
        idle_server(100, options=["--deflate", "--no-ping"], deflate=True),
        ("private_kib",),
    )


def connects():
    for wss in (False, True):
        name = "wss" if wss else "ws"
        how = "wss, TLS sessions resumed where the library does so" if wss else "ws"
        yield Workload(
            f"connect-{name}",
            "connect",
            f"Connections that come, say something and go, one after another ({how}): the server's part",
            server_load("connect", 2_000, wss=wss, size=32),
            ("cpu_ns", "wall_ns", "resumed"),
            [beside("cpu_ns", "tungstenite", 1.1)],
        )
        yield Workload(
            f"storm-{name}",
            "connect",
            f"500 connections at once ({name}), for each of them: the server's part",
            server_load("storm", 500 * 10, wss=wss, connections=500, size=32),
            ("cpu_ns", "wall_ns", "resumed"),
            [beside("cpu_ns", "tungstenite", 1.1)],
        )
        yield Workload(
            f"client-connect-{name}",
            "client-connect",
            f"Connects and closes, one after another ({how}): the client's part",
            client_load(2_000, wss=wss, options=["--connect"]),
            ("cpu_ns", "wall_ns"),
            [beside("cpu_ns", "tungstenite", 1.1)],
        )
        yield Workload(
            f"first-connect-{name}",
            "client-connect",
            f"From the start of a process to its first answer ({'wss, with all CAs of the system' if wss else 'ws'})",
            first_connect(wss),
            ("cpu_ns", "open_ns", "wall_ns"),
            [beside("open_ns", "tungstenite", 1.1)] if wss else [],
        )


def idle():
    figures = ("private_kib", "descriptors", "threads", "core_percent")
    quiet = {"options": ["--no-ping"]}
    # With 10,000, others take minutes to let everyone in.
    fast = ("ours", "raw", "uwebsockets", "tungstenite")
    for number in (1, 100, 1000, 10_000):
        many = f"{number:,} connection{'s' * (number > 1)} at rest, each one's part"
        for name, wss, kib in (("", False, 2.5), ("wss-", True, 18)):
            yield Workload(
                f"idle-{name}{number}",
                "idle",
                f"{'wss: ' if wss else ''}{many}: a server",
                idle_server(number, wss=wss, **quiet),
                figures,
                most(number, kib),
                peers=fast if number > 1000 else None,
                rounds=1 if number > 1000 else None,
            )
        for name, wss, kib in (("", False, 4), ("wss-", True, 18)):
            if number <= 1000:
                yield Workload(
                    f"client-idle-{name}{number}",
                    "client-idle",
                    f"{'wss: ' if wss else ''}{many}: clients",
                    idle_clients(number, wss=wss, **quiet),
                    figures,
                    most(number, kib),
                )
    for role, run in (("a server", idle_server(1000, seconds=61)), ("clients", idle_clients(1000, seconds=61))):
        group = "idle" if role == "a server" else "client-idle"
        yield Workload(f"{group}-1000-pings", group, f"1,000 connections at rest with the default heartbeat: {role}", run,
                       ("core_percent",), [at_most("core_percent", 0.3)], peers=("ours",), rounds=1)


def most(number, kib):
    """What may be held is bound where it doesn't drown in what a process needs anyway."""
    return [at_most("private_kib", kib), at_most("threads", 0), at_most("descriptors", 1), at_most("core_percent", 0.1)] if number == 1000 else []


def stuck():
    for number in (32, 200):
        yield Workload(
            f"stuck-{number}",
            "stuck",
            f"A client's round trip of 32 B, before and while the callbacks of {number} others are stuck",
            client_load(10_000, same_core=True, options=["--stuck", number], size=32),
            ("p50_ns", "p50_stuck_ns", "cpu_ns"),
            [Bound("median time beside that before", 1.05, lambda get: get("ours", "p50_stuck_ns") / get("ours", "p50_ns"))],
            peers=("ours",),
        )


def curves():
    for number in (1, 4, 16, 64, 256, 1024, 4096):
        yield Workload(
            f"curve-connections-{number}",
            "curve-connections",
            f"Echo of 128 B, {number} connection{'s' * (number > 1)} with 16 messages under way",
            server_load("pipeline", 200_000, connections=number, window=16, size=128),
            ("cpu_ns", "wall_ns"),
            peers=("ours", "raw", "uwebsockets", "fastwebsockets", "tungstenite"),
            x=number,
        )
    for number in range(1, len(os.sched_getaffinity(0)) + 1):
        yield Workload(
            f"curve-lanes-{number}",
            "curve-lanes",
            f"Echo of 128 B, 64 connections with 16 messages under way, {number} lane{'s' * (number > 1)}, on all cores",
            server_load("pipeline", 300_000, options=["--lanes", number], all_cores=True, connections=64, window=16, size=128),
            ("wall_ns", "cpu_ns"),
            peers=("ours",),
            x=number,
        )


def lanes():
    """One process has both ends: with two lanes, two of its threads compress at the same time."""
    for number in (1, 2):
        yield Workload(
            f"lanes-{number}",
            "lanes",
            f"JSON of 1 MiB, compressed (level 6), from two servers of one process to peers that throw it away, {number} lane{'s' * (number > 1)}",
            lambda peer, scale, number=number: run_lanes(number, max(2, int(50 * scale))),
            ("wall_ns",),
            [Bound("time beside one lane's", 1 / 1.5, lambda get: get("ours", "wall_ns") / get("ours", "wall_ns", "lanes-1"))] if number > 1 else (),
            peers=("ours",),
        )


def run_lanes(number, count):
    command = [str(PROGRAMS / "lanes"), str(number), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment())
    if done.returncode != 0:
        raise RuntimeError(f"lanes: {done.stderr.strip()}")
    return json.loads(done.stdout)


def all_workloads():
    return [
        *pipelined(), *round_trips(), *pipelined_clients(), *client_round_trips(), *tls_workloads(), *streams(), *broadcasts(), *documents(),
        *connects(), *idle(), *stuck(), *lanes(), *curves(),
    ]
