"""Results: kept as JSON while they are measured, shown as a table, published as a page."""
import json
import re
import statistics
import sys

import limits
import measure
import plot

NOT_MEASURED = "–"


def number(n):
    """Three digits are enough to compare."""
    if n is None:
        return NOT_MEASURED
    if n >= 1_000_000:
        return f"{n / 1e6:.2f} M"
    if n >= 10_000:
        return f"{n / 1e3:.1f} k"
    return f"{n:,.0f}" if n >= 100 else f"{n:.1f}" if n >= 10 else f"{n:.2f}"


def mebibytes(n):
    return NOT_MEASURED if n is None else f"{n / 2**20:,.0f}"


def micros(n):
    if n is None:
        return NOT_MEASURED
    for size, unit in ((1e6, "s"), (1e3, "ms")):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return f"{n:.3g} us"


def times(ratio):
    """A ratio with its spread."""
    if not ratio:
        return NOT_MEASURED
    short = [f"{ratio[k]:.{0 if ratio[k] >= 10 else 2}f}" for k in ("median", "min", "max")]
    return "{}x ({}..{})".format(*short)


def percent(limit):
    if not limit:
        return NOT_MEASURED
    share = 100 * limit["share"]
    return f"{share:.0f} %" if share >= 10 else f"{share:.2g} %"


def figure(result, server, key):
    found = result["servers"].get(server, {}).get("summary")
    return found[key]["median"] if found else None


SERVERS = ("postrider", "dovecot", "cyrus")


def of_all(result, key, words):
    """A figure of each server, in words."""
    return [words(figure(result, server, key)) for server in SERVERS]


def mark_words(result, key):
    """"8x: met", "20x: not met", or nothing where there is no mark."""
    for what, _, mark, met in measure.marks(result):
        if what == key:
            return f"{mark:g}x: {'met' if met else 'not met'}"
    return ""


def rounded(value):
    """Six digits are more than any measurement has."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, list) else value


def file_text(data):
    """JSON with one line for each object that holds no other."""
    text = json.dumps(rounded(data), indent=1)
    return re.sub(r"\{[^{}\[\]]*\}", lambda leaf: " ".join(leaf.group().split()), text) + "\n"


class Results:
    """Adds up what a run finds. `path` is the machine-readable file, written at the end."""

    def __init__(self, path, machine):
        self.path, self.data = path, {"machine": machine, "versions": {}, "works": [], "growth": []}
        self.headed, self.told = False, {}  # what the terminal has seen

    def add(self, key, value):
        self.data[key] = value

    def add_growth(self, part):
        self.data["growth"].append(part)

    def add_work(self, result):
        self.data["works"].append(result)
        limits.give_shares(self.data)
        if not self.headed:
            self.headed = True
            print(ROW.format("workload", "Postrider/s", "Dovecot/s", "Cyrus/s", "times Dovecot",
                             "mark", "CPU us", "Dovecot", "times less", "mark", "p50", "p99",
                             "of limit"))
        ratio = result["ratios"].get("dovecot", {})
        ours = {key: figure(result, "postrider", key) for key in ("cpu_us", "p50_us", "p99_us")}
        print(ROW.format(
            result["name"], *of_all(result, "per_second", number),
            times(ratio.get("per_second")), mark_words(result, "per_second"),
            number(ours["cpu_us"]), number(figure(result, "dovecot", "cpu_us")),
            times(ratio.get("cpu_us")), mark_words(result, "cpu_us"),
            micros(ours["p50_us"]), micros(ours["p99_us"]), percent(result["limit"])), flush=True)
        for server in result["servers"].values():
            if server["failed"] and server["failed"] != self.told.get(server["title"]):
                self.told[server["title"]] = server["failed"]
                print(f"    {server['title']}: {server['failed']}", flush=True)

    def failed(self):
        ours = [work["servers"].get("postrider", {}) for work in self.data["works"]]
        return any(server.get("failed") for server in ours)

    def write(self):
        self.path.write_text(file_text(self.data))
        print(f"the results are in {self.path}", file=sys.stderr)

    def publish(self, docs):
        """Merges into docs/benchmarks/results.json, draws the plots, fills docs/BENCHMARKS.md."""
        kept = docs / "benchmarks" / "results.json"
        kept.parent.mkdir(exist_ok=True)
        data = merge(json.loads(kept.read_text()) if kept.exists() else {}, self.data)
        kept.write_text(file_text(data))
        for name, picture in plot.pictures(data).items():
            (kept.parent / name).write_text(picture)
        page = docs / "BENCHMARKS.md"
        page.write_text(fill_page(page.read_text(), data))


ROW = ("{:<22} {:>11} {:>10} {:>9} {:>20} {:>13} {:>8} {:>8} {:>20} {:>13} {:>8} {:>8}"
       " {:>8}")


def merge(old, new):
    """New figures replace old ones of the same name; each keeps the machine it was measured on."""
    for work in new["works"]:
        work["machine"] = new["machine"]
    for part in new["growth"]:
        part["machine"] = new["machine"]
    data = {**old, **{k: v for k, v in new.items() if k not in ("works", "growth")}}
    data["versions"] = {**old.get("versions", {}), **new["versions"]}
    for key in ("works", "growth"):
        fresh = {item["name"]: item for item in new[key]}
        kept = [fresh.pop(item["name"], item) for item in old.get(key, [])]
        data[key] = kept + list(fresh.values())
    limits.give_shares(data)
    return data


# --- the page ---


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def throughput_table(data):
    rows = [[w["title"], w["unit"], *of_all(w, "per_second", number),
             times(w["ratios"].get("dovecot", {}).get("per_second")),
             times(w["ratios"].get("best", {}).get("per_second")), mark_words(w, "per_second")]
            for w in data["works"]]
    return table(["a second", "unit", "Postrider", "Dovecot", "Cyrus", "times Dovecot",
                  "times the best", "mark"], rows)


def cpu_table(data):
    rows = [[w["title"], *of_all(w, "cpu_us", number),
             times(w["ratios"].get("dovecot", {}).get("cpu_us")),
             times(w["ratios"].get("best", {}).get("cpu_us")), mark_words(w, "cpu_us")]
            for w in data["works"]]
    return table(["CPU time of the server, us each", "Postrider", "Dovecot", "Cyrus",
                  "times less than Dovecot", "times less than the best", "mark"], rows)


MISSED = {"per_second": "a second", "cpu_us": "CPU time"}


def busy(work, cores):
    """Processor time of server and generator an operation, and how much of all cores both take."""
    server = figure(work, "postrider", "cpu_us")
    rounds = work["servers"]["postrider"]["rounds"]
    load = statistics.median(r.get("load_cpu_us", 0) for r in rounds)
    each = figure(work, "postrider", "per_second")
    return server, load, (server + load) * each / (cores * 1e6)


def missed_table(data):
    rows = []
    for work in data["works"]:
        for what, reached, mark, met in measure.marks(work):
            if met:
                continue
            server, load, cores = busy(work, data["machine"]["cores"])
            rows.append([work["title"], f"{mark:g}x {MISSED[what]}", f"{reached:.3g}x",
                         number(server), number(load), f"{100 * cores:.0f} %",
                         percent(work.get("limit"))])
    head = ["mark missed", "mark", "reached", "CPU us each, server", "generator",
            "of all cores, both", "share of the limit"]
    return table(head, rows) if rows else "None in the last run."


def latency_table(data):
    rows = []
    for w in data["works"]:
        row = [w["title"]]
        for server in SERVERS:
            pair = [micros(figure(w, server, key)) for key in ("p50_us", "p99_us")]
            row.append(" / ".join(pair) if pair[0] != NOT_MEASURED else NOT_MEASURED)
        rows.append(row)
    return table(["latency p50 / p99", "Postrider", "Dovecot", "Cyrus"], rows)


def memory_table(data):
    rows = [[w["title"], *of_all(w, "memory", mebibytes)] for w in data["works"]]
    return table(["peak memory (PSS), MiB", "Postrider", "Dovecot", "Cyrus"], rows)


def idle_table(data):
    rows = []
    for server in data.get("idle", {}).values():
        if server["failed"]:
            rows.append([server["title"], server["failed"], "", "", ""])
        else:
            rows.append([server["title"], f"{server['sessions']:,}",
                         f"{server['memory_each'] / 1024:,.1f} KiB",
                         micros(server["p50_us"]), micros(server["p99_us"])])
    return table(["idle TLS sessions", "open", "memory each", "250 to EXISTS p50", "p99"], rows)


def growth_tables(data):
    texts = []
    for part in data["growth"]:
        if part["name"] != "import":
            texts.append(f"![{part['title']}](benchmarks/growth-{part['name']}.svg)")
        kinds = [("values", "")] if part["name"] == "import" else [("cpu_us", ", CPU us each"),
                                                                   ("p50_us", ", latency p50 us")]
        for key, unit in kinds:
            rows = [[row["operation"], row["server"].capitalize(),
                     *[number(row[key].get(str(step))) for step in part["steps"]]]
                    for row in part["rows"]]
            steps = [f"{step:,}" for step in part["steps"]]
            texts.append(table([part["title"] + unit, "server", *steps], rows))
    return "\n\n".join(texts)


def plain(value):
    """Counts such as of threads are not rounded."""
    return number(value) if isinstance(value, float) else str(value).lower()


def limits_table(data):
    found = data.get("limits", {})
    rows = [[line["limit"], "; ".join(f"{key} {plain(value)}" for key, value in line.items()
                                      if key != "limit")] for line in found.get("lines", [])]
    return table(["limit of the machine", "found"], rows) if rows else found.get("failed", "")


def shares_table(data):
    rows = [[w["title"], w["limit"]["of"], number(w["limit"]["most_per_second"]),
             number(figure(w, "postrider", "per_second")), percent(w["limit"])]
            for w in data["works"] if w.get("limit")]
    head = ["share of the limit", "limit", "limit a second", "Postrider a second", "share"]
    return table(head, rows) if rows else ""


def failures(data):
    lines = [f"- {w['title']}, {s['title']}: {s['failed']}" for w in data["works"]
             for s in w["servers"].values() if s["failed"]]
    lines += [f"- {part['title']}, {row['operation']}, {row['server'].capitalize()}: "
              f"{row['failed']}" for part in data["growth"] for row in part["rows"]
              if row.get("failed")]
    return "\n".join(["Not measured:", "", *lines]) if lines else ""


def machine_text(data):
    m = data["machine"]
    each = [w["machine"] for w in data["works"] if "machine" in w] or [m]
    when, loads = sorted({e["when"] for e in each}), [e["load_average"] for e in each]
    rounds = {len(s["rounds"]) for w in data["works"] for s in w["servers"].values()
              if s["rounds"]} or {0}
    peers = ", ".join(v for k, v in data["versions"].items() if k != "postrider")
    return (f"Measured {' to '.join(dict.fromkeys((when[0], when[-1])))} on {m['cores']} cores "
            f"({m['processor']}), {m['memory_gib']} GiB, Linux {m['kernel']}, {m['filesystem']}; "
            f"a 4 KiB append and fdatasync takes {m['sync_us']} us there. At least "
            f"{min(rounds)} rounds each; load average before a run up to {max(loads):.1f}, "
            f"which should be near 0. Postrider {m['commit']}; {peers}.")


PARTS = {"machine": machine_text, "throughput": throughput_table, "cpu": cpu_table,
         "latency": latency_table, "memory": memory_table, "idle": idle_table,
         "missed": missed_table, "growth": growth_tables, "limits": limits_table,
         "shares": shares_table, "failures": failures}


def filled(found, made):
    return found[1] + (made + "\n" if made else "") + found[2]


def fill_page(text, data):
    """Replaces what stands between `<!-- begin: NAME -->` and `<!-- end: NAME -->`."""
    for name, make in PARTS.items():
        pattern = re.compile(rf"(<!-- begin: {name} -->\n).*?(<!-- end: {name} -->)", re.S)
        text = pattern.sub(lambda found, make=make: filled(found, make(data)), text)
    return text
