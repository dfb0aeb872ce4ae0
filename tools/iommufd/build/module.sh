#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# module.sh <config> <folder>: build the module that the Kbuild of a folder names
# against our kernel <config>; print its path. modpost knows no symbols here,
# since nobody links a vmlinux with modules in mind: what is missing shows when
# the module is loaded.

. "$(dirname "$0")/lib.sh"

[ $# = 2 ] || die "usage: module.sh fast|debug <folder>"
config=$1
from=$TOP/$2
name=$(sed -n 's/^obj-m += \(.*\)\.o$/\1/p' "$from/Kbuild")
[ -n "$name" ] || die "$from/Kbuild names no module"

take_lock
stage=$("$HERE/stage.sh")
"$HERE/configure.sh" "$stage" "$config"
work=$CACHE/module/$config/$name
mkdir -p "$work"

configured=$stage/build-$config/configured.key
key="$(hash_of "$from" "$TOP/include" "$configured" "$HERE/module.sh") $stage"
if [ -n "${KDIR:-}" ] || [ "$(cat "$work/.key" 2> /dev/null)" != "$key" ]; then
	rsync -rlpE --checksum --exclude='.*' "$from/" "$work/"
	make_kernel()
	{
		# shellcheck disable=SC2046
		make -C "$stage" O="build-$config" $("$HERE/configure.sh" --make-args "$config") \
			--no-print-directory "$@"
	}
	run_logged "module-prepare-$config" "preparing '$config' for modules" \
		make_kernel modules_prepare
	run_logged "module-$name" "building the module $name" \
		make_kernel M="$work" KBUILD_MODPOST_WARN=1 modules
	echo "$key" > "$work/.key"
fi
echo "$work/$name.ko"
