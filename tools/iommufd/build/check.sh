#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make check: everything that can be said about the code without running it.
# All parts run; the end names those that failed. TESTS=<part...> picks parts.

. "$(dirname "$0")/lib.sh"

cd "$TOP"
stage=$("$HERE/stage.sh")
failed=()

files()
{
	if git rev-parse --is-inside-work-tree > /dev/null 2>&1; then
		git ls-files -co --exclude-standard
	else
		find . -type f ! -path './.git/*' -printf '%P\n'
	fi | while IFS= read -r f; do
		[ ! -f "$f" ] || echo "$f"
	done
}

part()
{
	local name=$1 start

	case " ${TESTS:-$name} " in
	*" $name "*) ;;
	*) return 0 ;;
	esac
	start=$(date +%s)
	if "check_$name"; then
		say "$name: clean ($(elapsed "$start"))"
	else
		say "$name: FAILED ($(elapsed "$start"))"
		failed+=("$name")
	fi
}

# The checkers themselves.
check_self()
{
	local rc=0 f

	"$HERE/check-order" --self-test || rc=1
	"$TOP/tools/iommufd/vm/scan-log" --self-test || rc=1
	python3 "$TOP/tools/iommufd/vm/results.py" --self-test || rc=1
	python3 "$TOP/tools/iommufd/vm/compat-table.py" --self-test || rc=1
	python3 "$TOP/tools/iommufd/bench/table.py" --self-test || rc=1
	f=$(mktemp --suffix=.c)
	echo 'static int f(int __attribute__((noderef)) *p) { return *p; }' > "$f"
	if ! "$HERE/sparse" "$f" 2>&1 | grep -q 'dereference of noderef'; then
		say "sparse does not see what it should"
		rc=1
	fi
	rm -f "$f"
	for f in $(files); do
		case $(head -n 1 "$f" | tr -d '\0') in
		'#!/bin/bash'*) bash -n "$f" || rc=1 ;;
		'#!/bin/sh'*)	sh -n "$f" || rc=1 ;;
		'#!/usr/bin/env python3'*)
			python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$f" ||
				rc=1
			;;
		esac
	done
	return $rc
}

check_order() { "$HERE/check-order" "$TOP/iommufd"; }

# Types that can't apply here, each with its reason:
# FILE_PATH_CHANGES	asks to update MAINTAINERS, which an overlay does not have
# CONFIG_DESCRIPTION	counts lines of help; symbols without prompt need none
CHECKPATCH_IGNORE=FILE_PATH_CHANGES,CONFIG_DESCRIPTION
# Tracepoints are laid out as everywhere in the kernel:
TRACE_IGNORE=$CHECKPATCH_IGNORE,OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT,COMPLEX_MACRO

checkpatch()
{
	# shellcheck disable=SC2086
	perl "$stage/scripts/checkpatch.pl" --no-tree --strict --terse --show-types \
		--no-summary --max-line-length=100 --ignore "$1" -f $2 2>&1 || true
}

check_checkpatch()
{
	local list out traces

	list=$(files | grep -E '\.(c|h|S|sh|py)$|(^|/)(Makefile|Kconfig|Kbuild[^/]*)$' || true)
	traces=$(grep -E 'trace\.h$' <<< "$list" || true)
	out=$(checkpatch "$CHECKPATCH_IGNORE" "$(grep -vE 'trace\.h$' <<< "$list")"
	      [ -z "$traces" ] || checkpatch "$TRACE_IGNORE" "$traces")
	out=$(grep -E ':[0-9]+: (ERROR|WARNING|CHECK)' <<< "$out" || true)
	[ -z "$out" ] || { echo "$out"; return 1; }
}

# W=1 and sparse over the driver alone, warnings are errors. Objects are deleted
# first: what is up to date is not compiled and so says nothing.
warnings_of()
{
	local config=$1 log=$CACHE/log/check-$1.log rc=0

	"$HERE/stage.sh" > /dev/null
	"$HERE/configure.sh" "$stage" "$config" || return 1
	find "$stage/build-$config/drivers/iommu/iommufd" -name '*.o' -delete 2> /dev/null || true
	# shellcheck disable=SC2046
	run_logged "check-$config" "W=1 and sparse, '$config'" \
		make -C "$stage" O="build-$config" $("$HERE/configure.sh" --make-args "$config") \
		-j"$JOBS" --no-print-directory CHECK="$HERE/sparse" W=1 C=2 \
		-k drivers/iommu/iommufd/ || rc=1
	if grep -E 'iommufd.*(warning|error):' "$log"; then
		rc=1
	fi
	if ! grep -q '^  CHECK ' "$log"; then
		say "'$config': sparse did not look at anything"
		rc=1
	fi
	return $rc
}

# Only compiling takes the lock (in a subshell: it ends with it), so that the other
# parts keep nobody waiting.
check_fast() { (take_lock; warnings_of fast); }
check_debug() { (take_lock; warnings_of debug); }

# As modules: modpost knows every symbol of vmlinux and fails on what is missing.
# Then the modules are loaded, used, and unloaded again.
check_modules()
{
	"$HERE/kernel.sh" modules && (take_lock; warnings_of modules) || return 1
	"$TOP/tools/iommufd/vm/run" --no-build --config modules --device edu --timeout 120 \
		--dir "$CACHE/out/modules/modules" -- '
		set -e
		for i in 1 2; do
			for m in irqbypass iommufd vfio vfio-pci-core vfio-pci; do
				insmod /t/$m.ko
			done
			slot=$(bind_vfio 1234:11e8)
			[ -c /dev/iommu ] && [ -c "$(vfio_cdev $slot)" ]
			echo > /sys/bus/pci/devices/$slot/driver_override
			echo $slot > /sys/bus/pci/drivers/vfio-pci/unbind
			for m in vfio_pci vfio_pci_core vfio iommufd irqbypass; do
				rmmod $m
			done
			[ ! -e /dev/iommu ]
		done'
}

# For Arm, cross-compiled: this driver, whoever links to it there, and the
# selftests. That all names meet the linker would tell; here the object files do.
check_arm64()
{
	local rc=0 build=$stage/build-arm64 missing

	"$HERE/deps.sh" arm64 || return 1
	(take_lock; warnings_of arm64 && compile_users) || rc=1
	"$HERE/user.sh" selftests arm64 > /dev/null || rc=1
	missing=$(unmet "$build"/drivers/{iommu,vfio}/built-in.a)
	[ -z "$missing" ] || { echo "nobody has: $missing"; rc=1; }
	return $rc
}

# unmet <object files...>: our names that some of them want and none has.
unmet()
{
	"$(cross_of arm64)nm" "$@" | awk '
		NF == 2 && $1 == "U" && $2 ~ /^_?(iommufd|iova_bitmap)_/ { wanted[$2]; n++ }
		NF == 3 { have[$3] }
		END { for (s in wanted) if (!(s in have)) print s
		      if (!n) print "(no object wants anything)" }'
}

compile_users()
{
	# shellcheck disable=SC2046
	run_logged check-arm64-users "drivers/iommu and drivers/vfio, 'arm64'" \
		make -C "$stage" O=build-arm64 $("$HERE/configure.sh" --make-args arm64) \
		-j"$JOBS" --no-print-directory W=1 -k drivers/iommu/ drivers/vfio/
}

check_kerneldoc()
{
	local list out

	list=$(files | grep -E '^(iommufd|include)/.*\.[ch]$')
	# shellcheck disable=SC2086
	out=$(python3 "$stage/scripts/kernel-doc" -none -Wall $list 2>&1 | sort -u || true)
	[ -z "$out" ] || { echo "$out"; return 1; }
}

# A licence line first in every file (scripts have it second).
check_licence()
{
	local tag='SPDX-License''-Identifier' rc=0 f

	for f in $(files); do
		case $f in
		LICENSE|*.md|*.expected|*/packages|*/help.txt) continue ;;
		esac
		[ -s "$f" ] || continue
		if ! head -n 3 "$f" | grep -q "$tag: GPL-2.0-only"; then
			echo "$f: no licence line"
			rc=1
		fi
	done
	head -n 1 include/uapi/linux/iommufd.h | grep -q 'WITH Linux-syscall-note' ||
		{ echo "the uapi header lacks the syscall note"; rc=1; }
	return $rc
}

# Nothing of the machine it was written on.
check_paths()
{
	local rc=0 word

	for word in "$TOP" "${HOME%/}/" "$CACHE"; do
		[ ${#word} -gt 2 ] || continue
		if files | xargs -d '\n' grep -nF -- "$word"; then
			rc=1
		fi
	done
	if files | grep -v '^LICENSE$' | xargs -d '\n' grep -nE '/(home|Users)/[A-Za-z0-9]'; then
		rc=1
	fi
	return $rc
}

for p in self order licence paths checkpatch kerneldoc debug fast modules arm64; do
	part $p
done
if [ ${#failed[@]} -gt 0 ]; then
	die "make check: ${failed[*]}"
fi
say "make check: all clean"
