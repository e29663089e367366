"""SVG plots by hand: dots on a logarithmic axis, and lines over a number."""

import math
from html import escape

OURS, OTHERS, AXIS, TEXT = "#c2410c", "#475569", "#cbd5e1", "#0f172a"
COLOURS = {"ours": OURS, "raw": "#94a3b8", "uwebsockets": "#2563eb", "fastwebsockets": "#0d9488", "tungstenite": "#7c3aed",
           "beast": "#65a30d", "libwebsockets": "#b45309", "ws": "#db2777", "websockets": "#0891b2"}
WIDTH, LEFT, RIGHT, ROW = 760, 170, 90, 20


def with_unit(value, unit):
    """A value in the unit that a reader would choose."""
    if unit == "ns":
        for limit, name in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
            if value >= limit:
                return f"{rounded(value / limit)} {name}"
        return f"{rounded(value)} ns"
    return f"{rounded(value)} {unit}".strip()


def rounded(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def text(x, y, words, anchor="start", size=12, colour=TEXT, bold=False):
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}"{weight}>{escape(words)}</text>'


def line(x1, y1, x2, y2, colour, width=1):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def circle(x, y, colour, radius=4):
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>'


def document(height, title, parts):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}" '
        f'font-family="system-ui, sans-serif">\n<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>\n'
        + "\n".join(parts) + "\n</svg>\n"
    )


class Scale:
    """A logarithmic axis from one power of ten to another."""

    def __init__(self, values, start, end):
        self.low = math.floor(math.log10(min(values)))
        self.high = max(math.ceil(math.log10(max(values))), self.low + 1)
        self.start, self.end = start, end

    def __call__(self, value):
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    def powers(self):
        return [10.0**power for power in range(self.low, self.high + 1)]


def dots(title, unit, panels):
    """`panels`: (title, [(peer, label, median, least, most)]). One row for each peer; less is better."""
    values = [value for _, rows in panels for row in rows for value in row[2:] if value > 0]
    if not values:
        return None
    scale = Scale(values, LEFT, WIDTH - RIGHT)
    parts, y = [text(16, 26, title, size=15, bold=True)], 48
    for panel, rows in panels:
        parts.append(text(16, y + 12, panel, size=12, bold=True))
        top = y = y + 22
        bottom = top + ROW * len(rows)
        for power in scale.powers():
            parts.append(line(scale(power), top, scale(power), bottom, AXIS))
        for peer, label, middle, least, most in sorted(rows, key=lambda row: row[2]):
            y += ROW
            row, colour = y - ROW / 2, OURS if peer == "ours" else OTHERS
            parts.append(text(LEFT - 10, row + 4, label, "end", colour=colour, bold=peer == "ours"))
            if middle > 0:
                if least > 0:
                    parts.append(line(scale(least), row, scale(most), row, colour, 2))
                parts.append(circle(scale(middle), row, colour))
            parts.append(text((scale(most) if most > 0 else LEFT) + 9, row + 4, with_unit(middle, unit), size=11, colour=colour))
        for power in scale.powers():
            parts.append(text(scale(power), y + 13, with_unit(power, unit).replace(".00", "").replace(".0", ""), "middle", 10, OTHERS))
        y += 26
    return document(y + 4, title, parts)


def curves(title, unit, x_label, lines_of):
    """`lines_of`: {peer: (label, [(x, median)])}. Both axes are logarithmic; less is better."""
    points = [point for _, of_peer in lines_of.values() for point in of_peer]
    if not points:
        return None
    top, bottom = 48, 330
    across = Scale([x for x, _ in points], LEFT - 90, WIDTH - RIGHT - 70)
    up = Scale([y for _, y in points], bottom, top)
    parts = [text(16, 26, title, size=15, bold=True)]
    for power in up.powers():
        parts.append(line(across.start, up(power), across.end, up(power), AXIS))
        parts.append(text(across.start - 8, up(power) + 4, with_unit(power, unit).replace(".00", "").replace(".0", ""), "end", 10, OTHERS))
    for x in sorted({x for x, _ in points}):
        parts.append(text(across(x), bottom + 16, f"{x:,}", "middle", 10, OTHERS))
    parts.append(text((across.start + across.end) / 2, bottom + 34, x_label, "middle", 11, OTHERS))
    taken = []
    for peer, (label, of_peer) in sorted(lines_of.items(), key=lambda item: item[1][1][-1][1]):
        colour, width = COLOURS.get(peer, OTHERS), 3 if peer == "ours" else 1.5
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in of_peer)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        parts += [circle(across(x), up(y), colour, 3) for x, y in of_peer]
        at = up(of_peer[-1][1]) + 4
        while any(abs(at - other) < 13 for other in taken):
            at -= 13
        taken.append(at)
        parts.append(text(across(of_peer[-1][0]) + 8, at, label, size=11, colour=colour, bold=peer == "ours"))
    return document(bottom + 48, title, parts)
