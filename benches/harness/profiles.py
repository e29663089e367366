"""Where the time goes in the workloads that miss a bound: perf's samples of this library and of the peer that it is compared with,
grouped by what the processor was doing. `scripts/bench --profile` adds them to the JSON of a run, and the page shows them."""

import collections
import json
import re
import subprocess
import tempfile
from pathlib import Path

import peers
import workloads
from report import judged, verdict

# The first pattern that matches a sample's function names its part. An inlined function counts for its caller.
KERNEL = [
    ("kernel: copies", r"copy_user|copy_to_iter|copy_from_iter|rep_movs|copyout|copyin|clear_page|csum"),
    ("kernel: waits, wakes and switches", r"sched|futex|wake|wait|switch|epoll|^ep_|eventfd|poll|hrtimer|rcu|idle|select_task|enqueue|dequeue|pick_"),
    ("kernel: the rest (TCP, system calls)", r""),
]
PROGRAM = [
    ("TLS", r"ring_core|ring::|rustls|aes|ghash|gcm|sha\d|x25519|p256|webpki|^(EVP|SSL|BN|OPENSSL|CRYPTO|ossl)_"),
    ("copies", r"mem(move|cpy|set)"),
    ("memory", r"malloc|calloc|realloc|^cfree|_int_free|operator (new|delete)|^free$|tcache"),
    ("event loop (tokio, mio)", r"\btokio\b|\bmio\b|tokio\d|3mio|netstack_websocket::net\b|18netstack_websocket3net"),
    ("the rest of the program", r""),
]


def part(where, symbol):
    if "libcrypto" in where or "libssl" in where:
        return "TLS"
    patterns = KERNEL if where.startswith("[kernel") or where.startswith("[guest") else PROGRAM
    return next(name for name, pattern in patterns if re.search(pattern, symbol))


def shares(data):
    """The share of each part in perf's samples."""
    report = subprocess.run(
        ["perf", "report", "-i", data, "-q", "--stdio", "-g", "none", "--percent-limit", "0", "--sort", "dso,symbol", "-t", "|"],
        capture_output=True, text=True, check=True,
    ).stdout
    found = collections.Counter()
    for line in report.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) >= 3 and fields[0].endswith("%"):
            found[part(fields[1], re.sub(r"^\[.\] ", "", fields[2]))] += float(fields[0][:-1])
    total = sum(found.values())
    return {name: round(value / total, 4) for name, value in found.items()}


def sampled(workload, peer, scale):
    """The shares in a run of one peer, with perf on the process that the workload measures."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        data = Path(directory) / "perf.data"
        wrap = ["perf", "record", "-q", "-F", "5000", "-o", data, "--"]
        measured = peers.Client if workload.name.startswith(("client-", "first-")) else peers.Server
        begin = measured.__init__

        def under_perf(self, of, *arguments, **options):
            if of is peer:
                options["wrap"] = wrap
            begin(self, of, *arguments, **options)

        measured.__init__ = under_perf
        try:
            workload.run(peer, scale)
        finally:
            measured.__init__ = begin
        return shares(data)


def missed(results):
    """The workloads whose bounds are missed, each with the peers that set them."""
    for workload in workloads.all_workloads():
        of_missed = {bound.peer for bound, value in judged(workload, results) if bound.peer and verdict(bound, value) == "MISSED"}
        if of_missed:
            yield workload, ["ours", *sorted(of_missed)]


def main(path, scale):
    run = json.loads(path.read_text())
    run["profiles"] = {}
    for workload, names in missed(run["results"]):
        of_workload = run["profiles"][workload.name] = {}
        for name in names:
            of_workload[name] = sampled(workload, peers.BY_NAME[name], scale)
        print(workload.name, of_workload, flush=True)
        path.write_text(json.dumps(run, indent=1) + "\n")
