#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""docs.py <checkout> <staged tree> <output folder>

Copy Documentation/*.rst with each kernel-doc directive replaced by what the
kernel's own kernel-doc makes of the file it names, so the result needs nothing
but reStructuredText. Without a uapi.rst there, one is made from the header.
"""
import os
import re
import subprocess
import sys

TOP, STAGE, OUT = sys.argv[1:4]
DIRECTIVE = re.compile(r"^\.\. kernel-doc:: +(\S+)\s*$")
OPTION = re.compile(r"^\s+:([\w-]+):\s*(.*)$")


def locate(name):
    overlay = re.sub(r"^drivers/iommu/iommufd/", "iommufd/", name)
    for base, path in ((TOP, overlay), (STAGE, name)):
        if os.path.exists(os.path.join(base, path)):
            return os.path.join(base, path)
    sys.exit(f"error: kernel-doc of {name}: no such file")


def kernel_doc(name, options):
    command = [sys.executable, os.path.join(STAGE, "scripts/kernel-doc"), "-rst"]
    for key, value in options:
        if key == "doc":
            command += ["-function", value.strip()]
        elif key in ("identifiers", "functions"):
            for word in value.split():
                command += ["-function", word]
        elif key == "no-identifiers":
            for word in value.split():
                command += ["-nosymbol", word]
        elif key == "export":
            command.append("-export")
        elif key == "internal":
            command.append("-internal")
        else:
            sys.exit(f"error: kernel-doc of {name}: option '{key}' is not known here")
    run = subprocess.run(command + [locate(name)], capture_output=True, text=True)
    if run.returncode or run.stderr:
        sys.exit(f"error: kernel-doc of {name}:\n{run.stderr}")
    if not run.stdout.strip():
        sys.exit(f"error: kernel-doc of {name} {options} is empty")
    return run.stdout


def expand(text):
    lines = text.splitlines()
    out = []
    n = 0
    while n < len(lines):
        match = DIRECTIVE.match(lines[n])
        if not match:
            out.append(lines[n])
            n += 1
            continue
        options = []
        n += 1
        while n < len(lines) and (option := OPTION.match(lines[n])):
            options.append(option.groups())
            n += 1
        out += ["", kernel_doc(match.group(1), options), ""]
    return "\n".join(out) + "\n"


def main():
    folder = os.path.join(TOP, "Documentation")
    names = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if name.endswith(".rst"):
            with open(os.path.join(folder, name)) as f:
                text = expand(f.read())
            with open(os.path.join(OUT, name), "w") as f:
                f.write(text)
            names.append(name[:-4])
    if "uapi" not in names:
        text = ".. SPDX-License-Identifier: GPL-2.0-only\n\n"
        text += "User API\n========\n\n.. kernel-doc:: include/uapi/linux/iommufd.h\n"
        with open(os.path.join(OUT, "uapi.rst"), "w") as f:
            f.write(expand(text))
        names.append("uapi")
    if "index" not in names:
        with open(os.path.join(OUT, "index.rst"), "w") as f:
            f.write("iommufd\n=======\n\n.. toctree::\n\n")
            f.writelines(f"   {name}\n" for name in names)
    with open(os.path.join(OUT, "conf.py"), "w") as f:
        f.write('project = "iommufd"\nhtml_theme = "alabaster"\n')


main()
