#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""results.py [--kunit=ARG] -- <vm/run command>: run it, count what it says.

KUnit's results (KTAP) are in the kernel log, in the folder given to vm/run as
--logdir; those of the programs (TAP) come on its standard output, between
lines that the guest's script writes:

    #@ start | #@ begin <name> | #@ end <name> <status> <seconds> | #@ done

A result counts once: a test case of KUnit, a test of a program. A program that
ends without a plan, with fewer results than planned, or with a status that its
results don't explain, counts as one failure more; so does a kernel log with a
report in it, and a VM that doesn't come to its end.

results.py --self-test checks the parsers.
"""
import os
import re
import subprocess
import sys

RESULT = re.compile(r"^(ok|not ok) (\d+)\b(?: -)? ?(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)")
STAMP = re.compile(r"^(?:<\d+>)?\[ *\d+\.\d+\](?:\[.*?\])? ?(.*)$")
SHOWN = 25


class Tally:
    def __init__(self, out):
        self.passed = self.failed = self.skipped = 0
        self.out = out

    def say(self, text):
        print(text, file=self.out, flush=True)

    def fail(self, what, context=()):
        self.failed += 1
        self.say(f"  FAILED {what}")
        for line in list(context)[-SHOWN:]:
            self.say(f"    | {line}")

    def summary(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def note(tally, counts, name, kind, text, context):
    """Count one result line; counts is [passed, failed, skipped] of its group."""
    if kind == "not ok":
        counts[1] += 1
        tally.fail(f"{name}: {text}", context)
    elif re.search(r"# *SKIP", text, re.I):
        counts[2] += 1
        tally.skipped += 1
    else:
        counts[0] += 1
        tally.passed += 1


def figures(counts):
    text = f"{counts[0]} passed"
    if counts[1]:
        text += f", {counts[1]} FAILED"
    if counts[2]:
        text += f", {counts[2]} skipped"
    return text


def kunit(tally, lines):
    """Results of the suites in a kernel log."""
    lines = [m.group(1) if (m := STAMP.match(x)) else x for x in lines]
    starts = [n for n, x in enumerate(lines) if x.startswith("KTAP version")]
    if not starts:
        tally.fail("KUnit: no results in the kernel log")
        return
    planned = done = 0
    counts, context, case_plan = [0, 0, 0], [], None
    for line in lines[starts[0]:]:
        if m := PLAN.match(line):
            planned = int(m.group(1))
        elif m := RESULT.match(line):
            kind, _, text = m.groups()
            done += 1
            name = text.split(" # ")[0]
            if case_plan is not None and sum(counts) != case_plan:
                tally.fail(f"{name}: {sum(counts)} of {case_plan} cases reported")
            elif kind == "not ok" and not counts[1]:
                tally.fail(f"{name}: the suite failed", context)
            tally.say(f"  {name} (KUnit): {figures(counts)}")
            counts, context, case_plan = [0, 0, 0], [], None
            if done == planned:
                break
        elif line.startswith("    ") and (m := PLAN.match(line[4:])):
            case_plan = int(m.group(1))
        elif line.startswith("    ") and (m := RESULT.match(line[4:])):
            note(tally, counts, "KUnit", m.group(1), m.group(3), context)
            context = []
        else:
            context.append(line)
    if not planned:
        tally.fail("KUnit: the kernel has no suites")
    elif done != planned:
        tally.fail(f"KUnit: {done} of {planned} suites reported")


class Program:
    """What one selftest program prints."""

    def __init__(self, name):
        self.name = name
        self.plan = None
        self.counts = [0, 0, 0]
        self.context = []

    def line(self, tally, text):
        if m := PLAN.match(text):
            self.plan = int(m.group(1))
            if "SKIP" in text.upper() and not self.plan:
                self.counts[2] += 1
                tally.skipped += 1
        elif m := RESULT.match(text):
            note(tally, self.counts, self.name, m.group(1), m.group(3), self.context)
            self.context = []
        else:
            self.context.append(text)

    def end(self, tally, status, seconds):
        total = sum(self.counts)
        if status is None:
            tally.fail(f"{self.name}: the VM ended during this program", self.context)
        elif status in (137, 143):
            tally.fail(f"{self.name}: killed after {seconds} s (timeout)", self.context)
        elif status == 4 and not total:
            tally.skipped += 1
            self.counts[2] += 1
        elif self.plan is None:
            tally.fail(f"{self.name}: no plan, status {status}", self.context)
        elif self.plan != total and not (self.plan == 0 and self.counts[2]):
            tally.fail(f"{self.name}: {total} of {self.plan} results, status {status}",
                       self.context)
        elif status not in (0, 4) and not self.counts[1]:
            tally.fail(f"{self.name}: status {status} without a failed test", self.context)
        tally.say(f"  {self.name}: {figures(self.counts)}"
                  + (f" ({seconds} s)" if seconds is not None else ""))


def read_log(path):
    try:
        with open(path, errors="replace") as f:
            return f.read().replace("\r", "").splitlines()
    except FileNotFoundError:
        return []


def programs(tally, stream, on_start=lambda: None, raw=None, progress=sys.stderr):
    """Results of the programs; true if the script came to its end."""
    current, done, started = None, False, False
    for line in stream:
        line = line.rstrip("\r\n")
        if raw:
            raw.write(line + "\n")
            raw.flush()
        if not line.startswith("#@ "):
            if current:
                current.line(tally, line)
            elif started and line:
                tally.say("  " + line)
            continue
        word = line.split()
        if word[1] == "start":
            started = True
            on_start()
        elif word[1] == "begin":
            current = Program(word[2])
            print(f"-- {word[2]}", file=progress, flush=True)
        elif word[1] == "end" and current:
            current.end(tally, int(word[3]), int(word[4]))
            current = None
        elif word[1] == "done":
            done = True
    if current:
        current.end(tally, None, None)
    return done


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    split = sys.argv.index("--")
    options, command = sys.argv[1:split], sys.argv[split + 1:]
    logdir = command[command.index("--logdir") + 1]
    os.makedirs(logdir, exist_ok=True)
    tally = Tally(sys.stdout)
    seen = []

    def on_start():
        seen.append(True)
        if "--kunit=kunit.enable=0" not in options:
            kunit(tally, read_log(os.path.join(logdir, "kernel.log")))

    with open(os.path.join(logdir, "output.log"), "w") as raw, \
         subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                          errors="replace") as vm:
        done = programs(tally, vm.stdout, on_start, raw)
    if not seen:
        on_start()
    if vm.returncode == 124:
        tally.fail("the VM: stopped by the watchdog")
    elif vm.returncode == 125:
        tally.fail("the VM: a report in the kernel log (above), or no regular end")
    elif vm.returncode or not done:
        tally.fail(f"the VM: the script did not come to its end, status {vm.returncode}")
    with open(os.path.join(logdir, "summary"), "w") as f:
        f.write(tally.summary() + "\n")
    return 1 if tally.failed or not tally.passed else 0


def self_test():
    def count(function, text):
        with open(os.devnull, "w") as null:
            tally = Tally(null)
            more = {"progress": null} if function is programs else {}
            function(tally, text.splitlines(), **more)
            return tally.passed, tally.failed, tally.skipped

    ktap = """\
[    1.0] KTAP version 1
[    1.0] 1..2
[    1.0]     KTAP version 1
[    1.0]     # Subtest: a
[    1.0]     1..3
[    1.0]     ok 1 x
[    1.0]         KTAP version 1
[    1.0]         ok 1 parameter
[    1.0]     ok 2 y # SKIP no memory
[    1.0] unrelated
[    1.0]     # z: EXPECTATION FAILED
[    1.0]     not ok 3 z
[    1.0] # a: pass:1 fail:1 skip:1 total:3
[    1.0] not ok 1 a
[    1.0]     KTAP version 1
[    1.0]     1..1
[    1.0]     ok 1 x
[    1.0] ok 2 b
[    1.0] ok 3 not a result any more
"""
    tap = """\
#@ start
#@ begin good
TAP version 13
1..3
# noise
ok 1 a
ok 2 b # SKIP no device
ok 3 c
#@ end good 0 1
#@ begin bad
1..2
# what
not ok 1 a
ok 2 b
#@ end bad 1 1
#@ begin short
1..2
ok 1 a
#@ end short 0 1
#@ begin silent
#@ end silent 0 1
#@ begin crash
1..1
ok 1 a
#@ end crash 139 1
#@ begin slow
1..1
#@ end slow 137 300
#@ begin skipped
#@ end skipped 4 0
"""
    cases = [
        ("KTAP", count(kunit, ktap), (2, 1, 1)),
        ("KTAP cut in a suite", count(kunit, "\n".join(ktap.splitlines()[:9])), (1, 1, 1)),
        ("KTAP without a suite", count(kunit, "\n".join(ktap.splitlines()[:14])), (1, 2, 1)),
        ("no KTAP", count(kunit, "[ 1.0] x"), (0, 1, 0)),
        ("TAP", count(programs, tap), (5, 5, 2)),
        ("TAP cut", count(programs, "#@ begin a\n1..1\nok 1 a\n"), (1, 1, 0)),
    ]
    bad = [c for c in cases if c[1] != c[2]]
    for name, got, want in bad:
        print(f"results: {name}: got {got}, should be {want}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
