#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""compat-table.py <type1's output> <ours>: the probes of both as one table.

A probe is a line "#= row <tab> probe <tab> result <tab> mark"; '*' marks one
that is documented to differ. Fails on any other difference, also of what there
is, and if there is nothing at all.
"""
import sys


def probes(lines):
    found = {}
    for line in lines:
        if not line.startswith("#= "):
            continue
        row, what, result, mark = line[3:].rstrip("\n").split("\t")
        # The same words may be used twice; then their order tells.
        n = sum(1 for key in found if key[:2] == (row, what))
        found[(row, what, n)] = (result, mark)
    return found


def row_key(key):
    return (0 if key[0] == "-" else int(key[0]),)


def table(type1, ours):
    """Lines to print, and how many differ without being marked."""
    lines = [f"{'row':>3}  {'probe':<52} {'type1':>18} {'this driver':>18}"]
    bad = marked = 0
    keys = list(type1) + [key for key in ours if key not in type1]
    for key in sorted(keys, key=row_key):
        one, two = type1.get(key, ("-", "")), ours.get(key, ("-", ""))
        note = ""
        if one[0] != two[0]:
            if key in type1 and key in ours and two[1] == "*":
                note = "  documented"
                marked += 1
            else:
                note = "  DIFFERS"
                bad += 1
        lines.append(f"{key[0]:>3}  {key[1]:<52} {one[0]:>18} {two[0]:>18}{note}")
    if not keys:
        bad = 1
    lines.append(f"{len(keys)} probes, {marked} documented differences, "
                 f"{bad} others")
    return lines, bad


def self_test():
    def parse(text):
        return probes(text.splitlines(keepends=True))

    same = "x\n#= 5\ta\t0\t\n#= -\tb\tEINVAL\t\n"
    cases = [
        (same, same, 0),
        (same, same.replace("EINVAL", "0"), 1),
        (same, same + "#= 6\tc\t1\t\n", 1),
        (same + "#= 6\tc\t1\t\n", same, 1),
        ("#= 6\tc\t1\t*\n", "#= 6\tc\t2\t*\n", 0),
        ("#= 6\tc\t1\t\n#= 6\tc\t2\t\n", "#= 6\tc\t1\t\n#= 6\tc\t3\t\n", 1),
        ("", "", 1),
    ]
    for one, two, want in cases:
        if table(parse(one), parse(two))[1] != want:
            print("compat-table: wrong answer for", repr(one), repr(two))
            return 1
    return 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    outputs = []
    for path in sys.argv[1:3]:
        with open(path, errors="replace") as f:
            outputs.append(probes(f))
    lines, bad = table(*outputs)
    print("\n".join(lines))
    return 1 if bad else 0


sys.exit(main())
