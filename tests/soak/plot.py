"""Draws what a soak has sampled as SVG, and says whether memory, threads and descriptors stayed what they were.

    plot.py SAMPLES.csv PLOT.svg

Ends with 1 when one of them grew: when its median in the last quarter is more than a quarter, and more than noise, above that
of the second quarter. The first quarter is left out, since in it everything is made for the first time.
"""

import csv
import statistics
import sys

WIDTH, HEIGHT, LEFT, TOP, GAP = 860, 110, 70, 34, 46
# What is drawn: title, column, what one of it is, and what growth is noise; None is not judged.
PLOTS = [
    ("Memory allocated, MiB", "allocated_kib", 1024, 8),
    ("Memory resident, MiB", "resident_kib", 1024, 24),
    ("Threads", "threads", 1, 4),
    ("Descriptors", "descriptors", 1, 50),
    ("Clients that are open", "open", 1, None),
    ("Messages delivered in a second", "messages", 1, None),
]


def rates(seconds, totals):
    """What was added in each second, between two samples."""
    result = [0.0]
    for i in range(1, len(totals)):
        result.append((totals[i] - totals[i - 1]) / max(seconds[i] - seconds[i - 1], 0.001))
    return result


def growth(values):
    """The medians of the second and of the last quarter."""
    quarter = len(values) // 4
    return statistics.median(values[quarter : 2 * quarter]), statistics.median(values[3 * quarter :])


def shown(number):
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}".removesuffix(".0")


def plot(top, title, seconds, values):
    highest = max(max(values), 1) * 1.1
    points = " ".join(
        f"{LEFT + WIDTH * at / seconds[-1]:.1f},{top + HEIGHT - HEIGHT * value / highest:.1f}" for at, value in zip(seconds, values)
    )
    marks = "".join(
        f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{top + HEIGHT * (1 - part)}" y2="{top + HEIGHT * (1 - part)}" stroke="#ddd"/>'
        f'<text x="{LEFT - 8}" y="{top + HEIGHT * (1 - part) + 4}" text-anchor="end">{shown(highest * part)}</text>'
        for part in (0, 0.5, 1)
    )
    last = shown(seconds[-1] / 60)
    return (
        f'<text x="{LEFT}" y="{top - 8}" font-weight="bold">{title}</text>{marks}'
        f'<polyline points="{points}" fill="none" stroke="#1f5fa8" stroke-width="1.3"/>'
        f'<text x="{LEFT}" y="{top + HEIGHT + 15}">0</text>'
        f'<text x="{LEFT + WIDTH}" y="{top + HEIGHT + 15}" text-anchor="end">{last} minutes</text>'
    )


def main():
    samples, picture = sys.argv[1:]
    with open(samples, encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    if len(rows) < 8:
        sys.exit("plot.py: too few samples")
    seconds = [float(row["seconds"]) for row in rows]
    parts, grown = [], False
    for title, column, unit, noise in PLOTS:
        values = [int(row[column]) / unit for row in rows]
        if column == "messages":
            values = rates(seconds, values)
        parts.append(plot(TOP + len(parts) * (HEIGHT + GAP), title, seconds, values))
        before, after = growth(values)
        verdict = ""
        if noise is not None and after > before + max(noise, before / 4):
            grown, verdict = True, ": GREW"
        print(f"soak: {title}: {shown(before)} in the second quarter, {shown(after)} in the last, at most {shown(max(values))}{verdict}")
    height = TOP + len(parts) * (HEIGHT + GAP)
    with open(picture, "w", encoding="ascii") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {height}" font-family="sans-serif" '
            f'font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
        )
    sys.exit(grown)


if __name__ == "__main__":
    main()
