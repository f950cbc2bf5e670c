"""Plots as plain SVG, without a library. A viewer that does not know the page's colours gets greys
that can be read on light and on dark ones."""
import math
from html import escape

WIDTH = 880
STYLE = """<style>
text { font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #6e7781 }
.title { font-size: 16px; font-weight: 600 }
.small { font-size: 11px }
.number { font-variant-numeric: tabular-nums }
.grid { stroke: #8b949e; stroke-opacity: .3 }
.one { stroke: #8b949e }
.bar { fill: #2f81c7 }
.missed { fill: #d9822b }
.spread, .mark { stroke: #6e7781; stroke-width: 1.5 }
.mark { stroke-width: 2.5 }
.line { fill: none; stroke-width: 2; stroke-linejoin: round }
.line0 { stroke: #2f81c7 } .line1 { stroke: #d9822b } .line2 { stroke: #57a55a }
.dot0 { fill: #2f81c7 } .dot1 { fill: #d9822b } .dot2 { fill: #57a55a }
@media (prefers-color-scheme: light) {
 text { fill: #3d444d }
 .spread, .mark { stroke: #24292f }
}
@media (prefers-color-scheme: dark) {
 text { fill: #c9d1d9 }
 .spread, .mark { stroke: #f0f6fc }
}
</style>"""


def svg(height, title, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title, True)}">\n'
            + "\n".join([STYLE, text(16, 26, title, "title"), *parts]) + "\n</svg>\n")


def text(x, y, words, kind="", anchor="start"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
            f'{escape(str(words))}</text>')


def line(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def rect(x, y, width, height, kind):
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height}" '
            f'rx="2" class="{kind}"/>')


def log_scale(lowest, highest, left, right):
    """value -> x on a logarithmic axis."""
    low, high = math.log10(lowest), math.log10(highest)
    return lambda v: left + (math.log10(max(v, lowest)) - low) / (high - low) * (right - left)


def log_ticks(lowest, highest):
    ticks = [m * 10**e for e in range(-6, 13) for m in (1, 2, 5)]
    ticks = [t for t in ticks if lowest <= t <= highest]
    return ticks if len(ticks) <= 9 else [t for t in ticks if str(f"{t:e}")[0] == "1"]


def short(n):
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if n >= size:
            return f"{n / size:.3g}{letter}"
    return f"{n:.3g}"


def factor(n):
    return f"{n:.0f}x" if n >= 10 else f"{n:.1f}x" if n >= 1 else f"{n:.2f}x"


# --- how many times better, a bar a workload ---

LABELS, ROW = 310, 25


def ratio_bars(title, note, rows):
    """rows of (label, {"median", "min", "max"}, mark or None): bars from 1, logarithmic."""
    rows = [row for row in rows if row[1]]
    if not rows:
        return None
    top, right = 66, WIDTH - 86
    bottom = top + ROW * len(rows)
    lowest = min(0.5, *[r["min"] * 0.8 for _, r, _ in rows])
    highest = max(10, *[max(r["max"], mark or 0) * 1.15 for _, r, mark in rows])
    at = log_scale(lowest, highest, LABELS, right)
    parts = [text(16, 46, note, "small")]
    for tick in log_ticks(lowest, highest):
        parts += [line(at(tick), top, at(tick), bottom, "one" if tick == 1 else "grid"),
                  text(at(tick), bottom + 16, f"{short(tick)}x", "small", "middle")]
    for i, (label, ratio, mark) in enumerate(rows):
        parts += ratio_bar(at, top + ROW * i, label, ratio, mark)
        parts.append(text(WIDTH - 16, top + ROW * i + 17, factor(ratio["median"]), "number", "end"))
    return svg(bottom + 30, title, parts)


def ratio_bar(at, y, label, ratio, mark):
    left, right = sorted((at(1), at(ratio["median"])))
    missed = mark and ratio["median"] < mark
    parts = [text(LABELS - 12, y + 17, label, "", "end"),
             rect(left, y + 5, right - left, 15, "missed" if missed else "bar"),
             line(at(ratio["min"]), y + 12.5, at(ratio["max"]), y + 12.5, "spread")]
    parts += [line(at(ratio[end]), y + 9, at(ratio[end]), y + 16, "spread")
              for end in ("min", "max")]
    return parts + [line(at(mark), y + 2, at(mark), y + 23, "mark")] if mark else parts


# --- growth: small panels, a line a server ---

PANEL_COLUMNS, PANEL_HEIGHT = 3, 190


def growth_panels(title, note, part, key):
    """One panel an operation: cost of one over the size, both logarithmic."""
    operations = list(dict.fromkeys(row["operation"] for row in part["rows"] if row[key]))
    servers = list(dict.fromkeys(row["server"] for row in part["rows"]))
    if not operations:
        return None
    width = (WIDTH - 32) / PANEL_COLUMNS
    parts = [text(16, 46, note, "small")]
    for i, server in enumerate(servers):
        parts += [f'<circle cx="{WIDTH - 250 + 110 * i}" cy="22" r="5" class="dot{i}"/>',
                  text(WIDTH - 240 + 110 * i, 26.5, server.capitalize())]
    for i, operation in enumerate(operations):
        x, y = 16 + width * (i % PANEL_COLUMNS), 60 + PANEL_HEIGHT * (i // PANEL_COLUMNS)
        rows = [row for row in part["rows"] if row["operation"] == operation]
        parts += panel(x, y, width, operation, rows, [part["steps"], servers, key])
    return svg(60 + PANEL_HEIGHT * math.ceil(len(operations) / PANEL_COLUMNS), title, parts)


def panel(x, y, width, operation, rows, frame):
    steps, servers, key = frame
    values = [v for row in rows for v in row[key].values()]
    # At least a factor of 100 is shown: a flat line must look flat.
    middle = math.sqrt(min(values) * max(values))
    lowest, highest = min(min(values) / 1.5, middle / 10), max(max(values) * 1.5, middle * 10)
    left, right, top, bottom = x + 44, x + width - 14, y + 26, y + PANEL_HEIGHT - 34
    across = log_scale(min(steps), max(steps) if len(steps) > 1 else min(steps) * 10, left, right)
    up = log_scale(lowest, highest, bottom, top)
    parts = [text(left, y + 16, operation)]
    decades = range(math.ceil(math.log10(lowest)), math.floor(math.log10(highest)) + 1)
    for tick in (10**e for e in decades):
        parts += [line(left, up(tick), right, up(tick), "grid"),
                  text(left - 6, up(tick) + 4, short(tick), "small", "end")]
    parts += [text(across(step), bottom + 16, short(step), "small", "middle") for step in steps]
    for row in rows:
        i = servers.index(row["server"])
        points = [(across(int(step)), up(v)) for step, v in row[key].items()]
        drawn = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        parts.append(f'<polyline points="{drawn}" class="line line{i}"/>')
        parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" class="dot{i}"/>'
                  for px, py in points]
    return parts


def pictures(data):
    """file name -> SVG text, of what was measured."""
    works, growth = data["works"], {part["name"]: part for part in data["growth"]}
    note = ("bar: median of the rounds; thin line: least and most; upright stroke: the mark; "
            "orange: the mark is missed")
    of = {}
    for key, mark, name, title in (
            ("per_second", "mark", "throughput.svg",
             "How many times as much as Dovecot, in the same time"),
            ("cpu_us", "cpu_mark", "cpu.svg",
             "How many times less CPU time than Dovecot, for the same work")):
        rows = [(w["title"], w["ratios"].get("dovecot", {}).get(key), w[mark]) for w in works]
        of[name] = ratio_bars(title, note, rows)
    for name, title in (("mailbox", "CPU time of one operation, by the size of the mailbox"),
                        ("accounts", "CPU time of one operation, by the number of accounts")):
        if name in growth:
            part = growth[name]
            of[f"growth-{name}.svg"] = growth_panels(title, part["note"], part, "cpu_us")
    return {name: picture for name, picture in of.items() if picture}
