#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Make the benchmark's table, results.json and plot.svg from its records.

table.py [--coherent 0|1] <folder with <kernel>-<clock>-<part>-<run>.tsv>
table.py --self-test

A figure is the median over the runs; its spread is the distance of the
extremes in percent of the median. A record that is malformed, repeated within
a run or of another clock than its file's name says stops everything: no
figure is better than a wrong one.
"""

import argparse
import json
import math
import re
import statistics
import sys
from pathlib import Path
from xml.sax.saxutils import escape

# Columns: (kernel, interface). The bounds have no kernel of their own.
STOCK = ("stock", "iommufd")
TYPE1 = ("stock", "type1")
OURS = ("ours", "iommufd")
PAGES = ("ours", "bound-pages")
FOLIO = ("ours", "bound-folio")

SECTIONS = [
    ("Map and unmap at a fixed address", r"(map|unmap)/"),
    ("Map and unmap by file descriptor", r"(map|unmap)-file/"),
    ("A second page table, and IOAS_COPY", r"(second-table|second-table-destroy|copy|copy-unmap)/"),
    ("In-kernel user (pin what a page table holds)", r"access-"),
    ("Many areas of one page: mean of one operation", r"areas-"),
    ("Automatic address", r"automatic-"),
    ("A map and an unmap of 4 KiB, by threads", r"pair/"),
    ("Kernel memory", r"memory-"),
]

# What issue and design ask for: key, text, and the limit from the other columns.
GOALS = [
    ("map/thp/1G", "<= 1.2 x pages bound", lambda v: 1.2 * v[PAGES]),
    ("map/hugetlb/1G", "<= 2 x folio bound", lambda v: 2 * v[FOLIO]),
    ("map-file/memfd-huge/1G", "<= 1.05 x bound", lambda v: 1.05 * v[FOLIO]),
    ("unmap/thp/1G", "<= 4 x bound", lambda v: 4 * v[PAGES]),
    ("unmap/hugetlb/1G", "<= 4 x bound", lambda v: 4 * v[PAGES]),
    ("unmap/memfd-huge/1G", "<= 4 x bound", lambda v: 4 * v[PAGES]),
    ("map/thp/2M", "<= 12 k", lambda v: 12000),
    ("unmap/thp/2M", "<= 5 k", lambda v: 5000),
    ("map/4k/1G", "<= 1.02 x bound", lambda v: 1.02 * v[PAGES]),
    ("unmap/4k/1G", "<= 1.3 x bound", lambda v: 1.3 * v[PAGES]),
    ("map/4k/4K", "<= type1", lambda v: v[TYPE1]),
    ("unmap/4k/4K", "<= type1", lambda v: v[TYPE1]),
    ("second-table/thp/1G", "<= 0.5 M", lambda v: 0.5e6),
    ("copy/thp/1G", "<= 0.5 M", lambda v: 0.5e6),
    ("automatic-dense/10000", "<= 8 k", lambda v: 8000),
    ("automatic-fragmented/10000", "<= 8 k", lambda v: 8000),
    ("automatic-dense/100000", "<= 9 k", lambda v: 9000),
    ("automatic-fragmented/100000", "<= 9 k", lambda v: 9000),
    ("access-pin/thp/2M", "<= 15 k", lambda v: 15000),
    ("access-unpin/thp/2M", "<= 5 k", lambda v: 5000),
    ("memory-area/100000", "<= 256 bytes", lambda v: 256),
]

NAMES = {
    "automatic-dense": "automatic, dense",
    "automatic-fragmented": "automatic, fragmented",
    "areas-map": "map",
    "areas-unmap": "unmap, random order",
    "areas-unmap-all": "unmap all",
    "second-table": "second page table",
    "second-table-destroy": "destroy it",
    "copy": "copy",
    "copy-unmap": "unmap the copy",
    "access-pin": "pin",
    "access-unpin": "unpin",
    "map-file": "map",
    "unmap-file": "unmap",
    "memory-tables": "I/O page tables",
    "memory-other": "the rest",
    "memory-area": "per area, without tables",
}

FILE_NAME = re.compile(r"(stock|ours)-(insn|timed)-(\w+)-(\d+)\.tsv$")


class Bad(Exception):
    """Records that can't be trusted."""


def read_run(path, values, missing, units):
    """Add one file's records to values[(kernel, api)][key] (a list by runs)."""
    kernel, clock, _, _ = FILE_NAME.search(path.name).groups()
    api, ended, seen = None, True, set()
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        fields = line.rstrip("\r").split("\t")
        where = f"{path.name}:{number}"
        if fields[0] == "api":
            if not ended:
                raise Bad(f"{where}: {api} did not come to its end")
            api, ended = fields[1], False
        elif fields[0] == "clock":
            if (fields[1] == "insn") != (clock == "insn"):
                raise Bad(f"{where}: the clock is '{fields[1]}'")
        elif fields[0] == "result":
            _, key, unit, value = fields
            if (api, key) in seen:
                raise Bad(f"{where}: {key} twice")
            seen.add((api, key))
            if units.setdefault(key, unit) != unit:
                raise Bad(f"{where}: {key} in {unit} and {units[key]}")
            values.setdefault((kernel, api), {}).setdefault(key, []).append(float(value))
        elif fields[0] == "none":
            missing.setdefault((kernel, api), {})[fields[1]] = fields[2]
        elif fields[0] == "failed":
            raise Bad(f"{where}: {fields[1]}")
        elif fields[0] == "end":
            ended = True
    if api is None or not ended:
        raise Bad(f"{path.name}: {api or 'no program'} did not come to its end")


def collect(folder, clock):
    """All runs of one clock: medians, spreads, what is missing, units."""
    values, missing, units = {}, {}, {}
    for path in sorted(folder.glob(f"*-{clock}-*.tsv")):
        if FILE_NAME.search(path.name):
            read_run(path, values, missing, units)
    medians, spreads = {}, {}
    for column, rows in values.items():
        for key, runs in rows.items():
            medians.setdefault(key, {})[column] = statistics.median(runs)
            middle = abs(statistics.median(runs)) or 1
            spreads.setdefault(key, {})[column] = 100 * (max(runs) - min(runs)) / middle
    return medians, spreads, missing, units


def figure(value, unit):
    """A number as short as is honest: four digits."""
    if value is None:
        return "-"
    if unit == "bytes":
        for factor, letter in ((2**20, "MiB"), (2**10, "KiB")):
            if abs(value) >= 10 * factor:
                return f"{value / factor:.4g} {letter}"
        return f"{value:.0f} B"
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.4g} {letter}"
    return f"{value:.0f}"


def ratio(value, base):
    """Ours over another: three digits, or nothing where there is none."""
    if value is None or base is None or base <= 0 or value < 0:
        return "-"
    return f"{value / base:.3g}"


def name_of(key):
    """What a row is called."""
    parts = key.split("/")
    return " ".join([NAMES.get(parts[0], parts[0])] + parts[1:])


def table(medians, spreads, units, missing):
    """The lines of the table, section by section."""
    head = ("operation", "stock", "type1", "ours", "ours/stock", "ours/type1",
            "pages", "folio", "spread %")
    form = "{:<34} {:>9} {:>9} {:>9} {:>10} {:>10} {:>9} {:>9} {:>8}"
    keys = list(medians)
    for rows in missing.values():
        keys += [k for k in rows if k not in keys]
    lines = []
    for title, pattern in SECTIONS:
        rows = [k for k in keys if re.match(pattern, k)]
        if not rows:
            continue
        lines += ["", title, form.format(*head)]
        for key in rows:
            v, unit = medians.get(key, {}), units.get(key)
            cells = [figure(v.get(c), unit) for c in (STOCK, TYPE1, OURS)]
            for i, column in enumerate((STOCK, TYPE1, OURS)):
                if column not in v and key in missing.get(column, {}):
                    cells[i] = "n/a"
            spread = max(spreads.get(key, {0: 0}).values())
            lines.append(form.format(
                name_of(key)[:34], *cells, ratio(v.get(OURS), v.get(STOCK)),
                ratio(v.get(OURS), v.get(TYPE1)), figure(v.get(PAGES), unit),
                figure(v.get(FOLIO), unit), f"{spread:.2f}"))
    return lines


def goals(medians, units):
    """Each goal with what was measured: reached, missed, or not measured."""
    out = []
    for key, text, limit in GOALS:
        v = medians.get(key, {})
        try:
            most = limit(v)
        except KeyError:
            most = None
        ours = v.get(OURS)
        state = ("not measured" if ours is None or most is None else
                 "reached" if ours <= most else "missed")
        out.append({"key": key, "goal": text, "limit": most, "ours": ours, "state": state,
                    "unit": units.get(key)})
    return out


def slower(medians):
    """Operations on which ours costs more than stock or type1 (over 0.5 %)."""
    out = []
    for key, v in medians.items():
        others = [(v[c], n) for c, n in ((STOCK, "stock"), (TYPE1, "type1")) if c in v]
        if OURS not in v or not others:
            continue
        other, name = min(others)
        if v[OURS] > 1.005 * max(other, 0) and v[OURS] - other > 0.5:
            out.append((key, name, v[OURS], other))
    return out


def plot(medians, units):
    """An SVG: a line a row, logarithmic, a mark for each column."""
    rows = [(title, [k for k in medians if re.match(pattern, k) and units[k] == "insn" and
                     OURS in medians[k]]) for title, pattern in SECTIONS]
    rows = [(t, k) for t, k in rows if k]
    marks = [(STOCK, "#c0392b", "stock"), (TYPE1, "#2471a3", "type1"),
             (PAGES, "#888888", "bound, pages"), (FOLIO, "#bbbbbb", "bound, folios"),
             (OURS, "#1e8449", "ours")]
    numbers = [x for _, keys in rows for k in keys for x in medians[k].values() if x > 0]
    if not numbers:
        return None
    low, high = math.floor(math.log10(min(numbers))), math.ceil(math.log10(max(numbers)))
    left, width, step, top = 260, 640, 16, 60
    height = top + sum((len(k) + 2) * step for _, k in rows) + 20

    def x_of(value):
        return left + width * (math.log10(value) - low) / max(high - low, 1)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 30}" '
           f'height="{height}" font-family="sans-serif" font-size="11">',
           '<rect width="100%" height="100%" fill="white"/>',
           '<text x="10" y="20" font-size="14">Instructions of one operation</text>']
    for i, (_, colour, name) in enumerate(marks):
        out.append(f'<circle cx="{left + i * 120}" cy="16" r="4" fill="{colour}"/>'
                   f'<text x="{left + 8 + i * 120}" y="20">{name}</text>')
    for power in range(low, high + 1):
        x = x_of(10**power)
        out.append(f'<line x1="{x:.1f}" y1="{top - 12}" x2="{x:.1f}" y2="{height - 10}" '
                   'stroke="#eeeeee"/>'
                   f'<text x="{x:.1f}" y="{top - 16}" text-anchor="middle">'
                   f'{figure(10.0**power, "insn")}</text>')
    y = top
    for title, keys in rows:
        y += step
        out.append(f'<text x="10" y="{y}" font-weight="bold">{escape(title)}</text>')
        for key in keys:
            y += step
            here = {c: x for c, x in medians[key].items() if x > 0}
            ends = [x_of(x) for x in here.values()]
            out.append(f'<text x="{left - 10}" y="{y}" text-anchor="end">'
                       f'{escape(name_of(key))}</text>'
                       f'<line x1="{min(ends):.1f}" y1="{y - 4}" x2="{max(ends):.1f}" '
                       f'y2="{y - 4}" stroke="#cccccc"/>')
            for column, colour, _ in marks:
                if column in here:
                    out.append(f'<circle cx="{x_of(here[column]):.1f}" cy="{y - 4}" r="4" '
                               f'fill="{colour}"/>')
        y += step
    out.append("</svg>")
    return "\n".join(out) + "\n"


def flat(columns):
    """A dict whose keys are strings, for JSON."""
    return {"/".join(c): x for c, x in columns.items()}


def report(folder, coherent):
    """Everything: returns the text, writes the other two files."""
    medians, spreads, missing, units = collect(folder, "insn")
    if not medians:
        raise Bad(f"no records in {folder}")
    boots = len(list(folder.glob("ours-insn-iommufd-*.tsv")))
    lines = [f"Executed instructions (guest, -icount shift=0), median of {boots} boots of each "
             "kernel; kernel memory in bytes.",
             "stock: Linux 7.2 iommufd; type1: VFIO container; ours: this driver; pages, folio: "
             "lower bounds (module).",
             "Emulated VT-d, edu attached, page walks " +
             ("coherent (the bit set by the module)." if coherent else
              "not coherent: each entry written flushes a cache line.")]
    lines += table(medians, spreads, units, missing)

    aims = goals(medians, units)
    lines += ["", "Goals"]
    for a in aims:
        lines.append(f"  {a['state']:<13} {name_of(a['key']):<34} {a['goal']:<22} "
                     f"limit {figure(a['limit'], a['unit']):>9}  "
                     f"ours {figure(a['ours'], a['unit'])}")
    worse = slower(medians)
    lines += ["", f"Dearer than stock or type1: {len(worse) or 'nothing'}"]
    for key, other_name, ours, other in worse:
        lines.append(f"  {name_of(key):<34} {figure(ours, units[key]):>9} against "
                     f"{figure(other, units[key]):>9} ({other_name}), x {ratio(ours, other)}")

    timed, timed_spreads, timed_missing, timed_units = collect(folder, "timed")
    if timed:
        lines += ["", "Wall time in ns on two emulated CPUs (a busy host shows: see spread)"]
        lines += table(timed, timed_spreads, timed_units, timed_missing)[1:]

    data = {
        "coherent": bool(coherent), "boots": boots,
        "results": {k: {"unit": units[k], "median": flat(v), "spread_percent": flat(spreads[k])}
                    for k, v in medians.items()},
        "missing": {"/".join(c): rows for c, rows in missing.items()},
        "timed": {k: {"unit": timed_units[k], "median": flat(v)} for k, v in timed.items()},
        "goals": aims,
        "dearer": [{"key": k, "than": n, "ours": a, "other": b} for k, n, a, b in worse],
    }
    (folder / "results.json").write_text(json.dumps(data, indent=1) + "\n")
    svg = plot(medians, units)
    if svg:
        (folder / "plot.svg").write_text(svg)
    text = "\n".join(lines) + "\n"
    (folder / "table.txt").write_text(text)
    return text


def self_test():
    """Records that are as they should be, and some that are not."""
    import tempfile
    good = "api\tiommufd\nclock\tinsn\nresult\tmap/thp/2M\tinsn\t{}\nend\n"
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        for run, value in enumerate((100.0, 110.0, 90.0), 1):
            (folder / f"ours-insn-iommufd-{run}.tsv").write_text(good.format(value))
            (folder / f"stock-insn-iommufd-{run}.tsv").write_text(good.format(value / 2))
        medians, spreads, _, _ = collect(folder, "insn")
        assert medians["map/thp/2M"] == {OURS: 100.0, STOCK: 50.0}
        assert abs(spreads["map/thp/2M"][OURS] - 20) < 1e-9
        assert slower(medians) == [("map/thp/2M", "stock", 100.0, 50.0)]
        text = report(folder, True)
        assert "ours/stock" in text and re.search(r"map thp 2M +50 +- +100 +2 ", text)
        assert [g["state"] for g in goals(medians, {})
                if g["key"] in ("map/thp/2M", "unmap/thp/2M")] == ["reached", "not measured"]
        for bad in ("api\tiommufd\nclock\tns\nend\n",
                    "api\tiommufd\nclock\tinsn\n",
                    "api\tiommufd\nfailed\tmap\nend\n",
                    "", good.format(1) + "result\tmap/thp/2M\tinsn\t1\n"):
            (folder / "ours-insn-iommufd-3.tsv").write_text(bad)
            try:
                collect(folder, "insn")
            except Bad:
                continue
            raise AssertionError(f"accepted: {bad!r}")
    print("table.py: self-test passed")


def main():
    """Command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--coherent", type=int, default=1)
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("folder", nargs="?", type=Path)
    args = parser.parse_args()
    if args.self_test:
        self_test()
        return 0
    try:
        print(report(args.folder, args.coherent), end="")
    except Bad as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
