#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make docs: the documents with the kernel-doc comments they pull in, as plain
# reStructuredText, and as HTML where Sphinx is installed.

. "$(dirname "$0")/lib.sh"

take_lock
stage=$("$HERE/stage.sh")
out=$CACHE/docs
rm -rf "$out"
mkdir -p "$out/rst"
python3 "$HERE/docs.py" "$TOP" "$stage" "$out/rst"
say "documents as text: $out/rst"
if command -v sphinx-build > /dev/null; then
	run_logged sphinx "HTML" sphinx-build -W --keep-going -b html "$out/rst" "$out/html"
	say "documents as HTML: $out/html/index.html"
else
	say "no HTML: Sphinx is not installed (package python3-sphinx)"
fi
