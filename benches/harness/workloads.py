"""What is measured: each workload runs one peer once, and returns figures by name."""

from peers import BY_NAME, CORES, Client, Server, load


class Workload:
    """`figures`: those that are shown, the main one first. `bounds`: (figure, peer, most): ours is at most so many times
    what that peer needs."""

    def __init__(self, name, group, title, run, figures, bounds=(), peers=None):
        self.name, self.group, self.title, self.run = name, group, title, run
        self.figures, self.bounds, self.peers = figures, bounds, peers


def server_load(mode, count, same_core=False, options=(), **shape):
    """The server's part: the peer serves, and the load generator asks."""

    def run(peer, scale):
        with Server(peer, options) as server:
            core = CORES.server if same_core else CORES.load
            return load(server, mode, core, count=max(1, int(count * peer.share * scale)), raw=peer.raw, **shape)

    return run


def client_load(count, same_core=False, options=(), server_options=(), **shape):
    """The client's part: uWebSockets serves (TCP alone serves TCP alone), and the peer asks."""

    def run(peer, scale):
        far = BY_NAME["raw" if peer.raw else "uwebsockets"]
        arguments = [*options, "--count", max(1, int(count * peer.share * scale))]
        for name, value in shape.items():
            arguments += [f"--{name}", value]
        with Server(far, server_options, core=CORES.server if same_core else CORES.load) as server:
            with Client(peer, server.port, arguments) as client:
                return client.go()

    return run


def pipelined_clients():
    for connections, window in SHAPES:
        yield Workload(
            f"client-{connections}x{window}",
            "client-pipelined",
            f"A client's 128 B, {connections} connection{'s' * (connections > 1)} with {window} messages under way",
            client_load(1_000_000 if window > 16 else 300_000, connections=connections, window=window, size=128),
            ("cpu_ns", "user_ns", "wall_ns"),
            [("cpu_ns", "tungstenite", 0.8)],
        )


def client_round_trips():
    for title, size, count in SIZES:
        yield Workload(
            f"client-rtt-{size}-same-core",
            "client-rtt",
            f"A client's round trip of {title} in the callback, both ends on one core",
            client_load(count, same_core=True, size=size),
            ("p50_ns", "cpu_ns", "wall_ns"),
            [("p50_ns", "tungstenite", 1.03)] if size == 32 else [],
        )
        yield Workload(
            f"client-rtt-{size}",
            "client-rtt",
            f"A client's round trip of {title} in the callback, a core each",
            client_load(count, size=size),
            ("p50_ns", "cpu_ns", "wall_ns"),
        )
    yield Workload(
        "client-rtt-32-thread",
        "client-rtt",
        "A client's round trip of 32 B from an application thread, both ends on one core",
        client_load(20_000, same_core=True, options=["--thread"], size=32),
        ("p50_ns", "cpu_ns", "wall_ns"),
    )


SHAPES = ((1, 512), (50, 16), (50, 256), (1000, 16))
SIZES = (("32 B", 32, 20_000), ("1 KiB", 1 << 10, 20_000), ("64 KiB", 64 << 10, 4_000), ("1 MiB", 1 << 20, 400))


def pipelined():
    for connections, window in SHAPES:
        big = window > 16
        bounds = [("cpu_ns", "tungstenite", 0.7), ("cpu_ns", "fastwebsockets", 1.0)]
        bounds += [("cpu_ns", peer, 0.05 if big else 0.11) for peer in ("beast", "libwebsockets")]
        bounds += [("cpu_ns", "uwebsockets", 0.9 if connections == 1 else 0.75)] if big else [("user_ns", "uwebsockets", 1.25)]
        yield Workload(
            f"pipelined-{connections}x{window}",
            "pipelined",
            f"Echo of 128 B, {connections} connection{'s' * (connections > 1)} with {window} messages under way",
            server_load("pipeline", 1_000_000 if big else 300_000, connections=connections, window=window, size=128),
            ("cpu_ns", "user_ns", "wall_ns"),
            bounds,
        )


def round_trips():
    for title, size, count in SIZES:
        large = size >= 64 << 10
        bounds = []
        if size == 32:
            bounds = [("p50_ns", "raw", 1.15)]
        elif large:
            bounds = [("cpu_ns", "raw", 1.25 if size == 64 << 10 else 1.5), ("cpu_ns", "uwebsockets", 1.0)]
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
            [("p50_ns", "tungstenite", 1.03)] if size == 32 else [],
        )


def all_workloads():
    return [*pipelined(), *round_trips(), *pipelined_clients(), *client_round_trips()]
