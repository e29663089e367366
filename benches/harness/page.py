"""docs/performance.md and its plots, from the JSON of one run: no figure is written by hand."""

import json
import re
import shutil
from pathlib import Path

import plots
import workloads
from peers import BY_NAME, ROOT
from report import judged, median, short, verdict

PAGE = ROOT / "docs" / "performance.md"
FOLDER = ROOT / "docs" / "performance"

# Each part of the page: title, groups, the figure that is plotted and its unit, what a reader has to know.
PARTS = [
    ("Messages under way, server", ["pipelined"], "cpu_ns", "ns",
     "CPU time of the server for each message of 128 B that it echoes. Each connection sends a window of messages, and the next "
     "window when all have come back. Most of the cost is the kernel's for each write: this library and uWebSockets write the "
     "answers that are ready with one call. tokio-tungstenite does so too, since its program here feeds it all of them before "
     "it flushes. The echo examples of fastwebsockets, Boost.Beast, libwebsockets, ws and websockets write each message alone, "
     "and so do their programs here."),
    ("Messages under way, client", ["client-pipelined"], "cpu_ns", "ns",
     "CPU time of the client for each message of 128 B and its answer; each answer sends the next message. Clients are measured "
     "against uWebSockets, with TLS against tokio-tungstenite. uWebSockets itself has no client."),
    ("Round trips, server", ["rtt"], "p50_ns", "ns", "One message at a time, seen from the client. On one core nothing has to be woken "
     "on another, which is what a round trip with a core each mostly costs."),
    ("Round trips, client", ["client-rtt"], "p50_ns", "ns", "One message at a time, sent in the callback that receives the answer "
     "before; with \"thread\" in its name, by a thread of the application that waits for each answer."),
    ("wss, server", ["wss"], "cpu_ns", "ns", "TLS 1.3. This library, tokio-tungstenite and fastwebsockets use rustls with ring; the "
     "others use OpenSSL."),
    ("wss, client", ["client-wss"], "cpu_ns", "ns", ""),
    ("Large messages", ["stream"], "cpu_ns", "ns", "1 MiB each, 4 under way; CPU time for each message, there and back."),
    ("Broadcast", ["broadcast"], "cpu_ns", "ns", "CPU time for each message that one of 1,000 connections receives. "
     "fastwebsockets has no broadcast."),
    ("Compression", ["documents"], "cpu_ns", "ns", "permessage-deflate (RFC 7692) over JSON of 4 KiB from a generator with a fixed seed. "
     "uWebSockets was asked for a window of 15 bits as all others; the version measured here compresses with 9. "
     "Boost.Beast agrees to keep the context, but ends each message with a full flush, which forgets it. "
     "tokio-tungstenite and fastwebsockets don't compress. Clients are measured against Boost.Beast."),
    ("Connecting, server", ["connect"], "cpu_ns", "ns", "CPU time of the server for each connection: TCP, TLS where it is wss, the opening "
     "handshake, one message, the close."),
    ("Connecting, client", ["client-connect"], "cpu_ns", "ns", "This library and the clients in Rust, C++ and JavaScript resume TLS "
     "sessions; those of libwebsockets 4.1 and websockets can't."),
    ("Connections at rest, server", ["idle"], "private_kib", "KiB", "Private memory of each connection beyond that of a process that has "
     "served one. A negative figure comes from garbage collection."),
    ("Connections at rest, clients", ["client-idle"], "private_kib", "KiB", ""),
    ("Callbacks that get stuck", ["stuck"], "p50_ns", "ns", "Clients of one process; the callbacks of some of them never return."),
    ("Two lanes on two cores", ["lanes"], "wall_ns", "ns", "Two servers of one process; the time for each message. One lane alone keeps both cores busy too: while a long callback compresses, another thread leads."),
]
CURVES = [
    ("curve-connections", "Cost against the number of connections", "cpu_ns", "ns", "connections, 16 messages of 128 B under way on each"),
    ("curve-lanes", "Time against lanes", "wall_ns", "ns", "lanes (io_threads), 64 connections with 16 messages under way on each"),
]


def cell(of_peer, figure):
    """A median, and from where to where the rounds went."""
    values = of_peer.get(figure)
    if not values:
        return "-"
    unit = "ns" if figure.endswith("_ns") else ""
    middle = median({"x": of_peer}, "x", figure)
    spread = f" ({plots.with_unit(min(values), unit)} to {plots.with_unit(max(values), unit)})" if len(values) > 1 else ""
    return plots.with_unit(middle, unit) + spread


def table(workload, results):
    figures = [figure for figure in workload.figures if any(figure in of_peer for of_peer in results.values())]
    if not figures:
        return []
    lines = [f"**{workload.title}**", "", "| | " + " | ".join(workloads.UNITS[figure] for figure in figures) + " |",
             "|---|" + "---|" * len(figures)]
    order = sorted(results, key=lambda peer: median(results, peer, figures[0]) or 0)
    for peer in order:
        title = BY_NAME[peer].title if peer in BY_NAME else peer
        title = f"**{title}**" if peer == "ours" else title
        lines.append(f"| {title} | " + " | ".join(cell(results[peer], figure) for figure in figures) + " |")
    return [*lines, ""]


def plot(name, svg):
    if svg is None:
        return []
    (FOLDER / f"{name}.svg").write_text(svg)
    return [f"![](performance/{name}.svg)", ""]


def rows(results, figure):
    return [(peer, BY_NAME[peer].title, median(results, peer, figure), min(of_peer[figure]), max(of_peer[figure]))
            for peer, of_peer in results.items() if of_peer.get(figure)]


def bounds(everything, known):
    lines = ["## Targets", "", "| workload | figure | at most | measured | |", "|---|---|---|---|---|"]
    for workload in known:
        for bound, value in judged(workload, everything):
            lines.append(f"| {workload.title} | {bound.text} | {bound.most} | {short(value)} | {verdict(bound, value)} |")
    return [*lines, ""] if len(lines) > 4 else []


def time_by_part(run, known):
    """Where the time goes in the workloads that miss a bound."""
    if not run.get("profiles"):
        return []
    lines = ["## Where the time goes", "", "For each workload that misses a target, the CPU time of a message, split by what the processor was "
             "doing. The time is that of the run above; the split comes from `scripts/bench --profile`, which samples a separate run with perf, from the "
             "start of the process to its end. An inlined function is counted as part of its caller.", "",
             "<details><summary>The figures</summary>", ""]
    for workload in known:
        of_workload = run["profiles"].get(workload.name, {})
        costs = {peer: median(run["results"][workload.name], peer, "cpu_ns") for peer in of_workload}
        peers = [peer for peer in of_workload if costs[peer]]
        if not peers:
            continue
        # Less than a hundredth of each is noise.
        parts = dict.fromkeys(part for peer in peers for part, share in sorted(of_workload[peer].items()) if share >= 0.01)
        lines += [f"**{workload.title}**", "", "| | " + " | ".join(BY_NAME[peer].title for peer in peers) + " |", "|---|" + "---|" * len(peers)]
        for part in parts:
            cells = [plots.with_unit(of_workload[peer].get(part, 0) * costs[peer], "ns") for peer in peers]
            lines.append(f"| {part} | " + " | ".join(cells) + " |")
        kernel = {peer: sum(share for part, share in of_workload[peer].items() if part.startswith("kernel")) * costs[peer] for peer in peers}
        for title, of_peers in (("kernel, total", kernel), ("total", costs)):
            lines.append(f"| {title} | " + " | ".join(plots.with_unit(of_peers[peer], "ns") for peer in peers) + " |")
        lines.append("")
        # What would be left if the program itself took no time.
        for bound, value in judged(workload, run["results"]):
            if bound.figure == "cpu_ns" and bound.peer in peers and verdict(bound, value) == "MISSED":
                lines += [f"If its own code took no time, this library would still need {short(kernel['ours'] / costs[bound.peer])} times the CPU time "
                          f"of {BY_NAME[bound.peer].title}; the target is {bound.most}.", ""]
    return [*lines, "</details>", ""]


def conditions(run, source):
    about = run["conditions"]
    lines = ["## The run", "", "| | |", "|---|---|"]
    before, after = about["load_average_before"], about["load_average_after"]
    facts = {
        "started": about["started"], "processor": f"{about['processor']}, {about['cores']} cores", "system": about["system"],
        "kernel, TCP's congestion control": about["kernel"], "rounds": run["rounds"],
        "load average": f"{before[0]:.2f} before, {after[0]:.2f} after (the run itself keeps up to 2 cores busy)",
        **about["versions"],
    }
    lines += [f"| {name} | {value} |" for name, value in facts.items() if value is not None]
    lines += ["", f"All figures: [{source}](performance/{source}).", ""]
    if run["failures"]:
        # Of OpenSSL's lines, what a person reads.
        failures = [re.sub(r" [0-9A-F]{16}:error:[0-9A-F]{8}:[^:]*:[^:]*:([^:]*):.*", r": \1", failure) for failure in run["failures"]]
        lines += ["Missing or disturbed:", "", *(f"- {failure}" for failure in failures), ""]
    return lines


# The figures of README's first screen: workload, figure, unit, and what they are in the languages of its two versions.
README_FIGURES = [
    ("pipelined-50x256", "cpu_ns", "ns", "CPU time to echo 128 B, 50 connections with 256 under way", "回显 128 字节的 CPU 时间（50 个连接，每个连接 256 条在途）"),
    ("stream", "cpu_ns", "ns", "CPU time to echo 1 MiB", "回显 1 MiB 的 CPU 时间"),
    ("idle-wss-1000", "private_kib", "KiB", "memory of an idle wss connection", "每个空闲 wss 连接占用的内存"),
]
README_PEERS = ("ours", "uwebsockets", "beast", "libwebsockets")


def write_readme(name, first_cell, words, everything):
    """Writes the figures behind their mark, in place of those that are there."""
    lines = (ROOT / name).read_text().split("\n")
    begin = lines.index("<!-- figures -->") + 1
    end = next(number for number in range(begin, len(lines)) if not lines[number].startswith("|"))
    table = [f"| {first_cell} | " + " | ".join(BY_NAME[peer].title for peer in README_PEERS) + " |", "|---|" + "---|" * len(README_PEERS)]
    for workload, figure, unit, *titles in README_FIGURES:
        if workload not in everything: # a run of only a part
            continue
        values = [median(everything[workload], peer, figure) if peer in everything[workload] else None for peer in README_PEERS]
        cells = ["-" if value is None else plots.with_unit(value, "ns") if unit == "ns" else f"{value:.3g} {unit}" for value in values]
        table.append(f"| {titles[words]} | " + " | ".join(cells) + " |")
    (ROOT / name).write_text("\n".join(lines[:begin] + table + lines[end:]))


def write(path):
    run = json.loads(Path(path).read_text())
    everything = run["results"]
    known = [workload for workload in workloads.all_workloads() if workload.name in everything]
    if FOLDER.exists():
        for old in FOLDER.glob("*.svg"):
            old.unlink()
    FOLDER.mkdir(parents=True, exist_ok=True)
    source = "result.json"
    if Path(path).resolve() != FOLDER / source:
        shutil.copy(path, FOLDER / source)
    lines = [
        "# Performance", "",
        "This library, through its C ABI and the shared library, beside other libraries. `scripts/bench` builds all of them from "
        "packages and measures them in one run. `scripts/bench --page` writes this page from that run's figures; nothing here is "
        "written by hand.", "",
        "How it is measured: the peers take turns, in a different order each round, each in a fresh process; each figure is the median of the rounds, with the lowest and "
        "highest in brackets. The measured process has one core and the load generator (C, epoll) or the far end another, "
        "except where both share one. CPU time is the process's, "
        "as the kernel's scheduler accounts it, threads that have ended included; user time is counted in ticks, and left out where a "
        "run is too short for that. Each peer is sent the same number of messages, after a twentieth of it to warm up; where small ones are "
        "under way together, peers that write each of them alone are sent fewer. All set TCP_NODELAY. Everything is built with optimization and without "
        "`-march`; each peer serves with one thread, as its own examples do, except where its library starts more. \"TCP alone\" "
        "echoes bytes: what a WebSocket costs is what it costs beyond that. Less is better everywhere. The axes are logarithmic.", "",
    ]
    for title, groups, figure, unit, words in PARTS:
        of_part = [workload for workload in known if workload.group in groups]
        if not of_part:
            continue
        lines += [f"## {title}", "", *([words, ""] if words else [])]
        panels = [(workload.title, rows(everything[workload.name], figure)) for workload in of_part]
        lines += plot(groups[0], plots.dots(title, unit, [panel for panel in panels if panel[1]]))
        lines += ["<details><summary>The figures</summary>", ""]
        for workload in of_part:
            lines += table(workload, everything[workload.name])
        lines += ["</details>", ""]
    for group, title, figure, unit, x_label in CURVES:
        lines_of = {}
        for workload in known:
            if workload.group != group:
                continue
            for peer in everything[workload.name]:
                value = median(everything[workload.name], peer, figure)
                if value is not None:
                    lines_of.setdefault(peer, (BY_NAME[peer].title, []))[1].append((workload.x, value))
        if lines_of:
            lines += [f"## {title}", "", *plot(group, plots.curves(title, unit, x_label, lines_of))]
    lines += bounds(everything, known) + time_by_part(run, known) + conditions(run, source)
    write_readme("README.md", "[figures of one run](docs/performance.md)", 0, everything)
    write_readme("README_zh.md", "[一次测试的结果](docs/performance.md)", 1, everything)
    PAGE.write_text("\n".join(lines).rstrip() + "\n")
    print(PAGE)
