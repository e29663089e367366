"""What a run's figures say: medians, bounds, and the lines on the terminal."""

import statistics
import sys


def median(results, peer, figure):
    values = results.get(peer, {}).get(figure)
    return statistics.median(values) if values else None


def short(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def judged(workload, everything):
    """The bounds of a workload, each with its value, or None where something that it needs wasn't measured."""
    def get(peer, figure, name=workload.name):
        return median(everything.get(name, {}), peer, figure)

    return [(bound, bound.judge(get)) for bound in workload.bounds]


def verdict(bound, value):
    return "not measured" if value is None else "ok" if value <= bound.most else "MISSED"


def show(workload, everything):
    """A line for each peer: medians, the main figure's spread, and ours beside it."""
    results = everything[workload.name]
    print(f"\n{workload.name}: {workload.title}")
    shown = [figure for figure in workload.figures if any(figure in figures for figures in results.values())]
    if not shown:
        return
    main = shown[0]
    print(f"  {'':16}" + "".join(f"{figure:>14}" for figure in shown) + f"  {main} from, to")
    ours = median(results, "ours", main)
    for peer, figures in results.items():
        line = f"  {peer:16}" + "".join(f"{short(median(results, peer, figure)):>14}" for figure in shown)
        if main in figures:
            line += f"  {short(min(figures[main]))} to {short(max(figures[main]))}"
            theirs = median(results, peer, main)
            if ours is not None and theirs and peer != "ours":
                line += f"; ours is {ours / theirs:.2f} of it"
        print(line)
    for bound, value in judged(workload, everything):
        print(f"  {verdict(bound, value)}: {bound.text} {short(value)}, at most {bound.most}")
    sys.stdout.flush()
