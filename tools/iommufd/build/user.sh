#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# user.sh selftests|demo|bench|clients [arm64]: build the static programs that run
# in the VM against the headers of the staged tree; print the folder they are in.
# Selftests are built in the stage, where the kselftest headers are; 'emit_tests'
# of their Makefile says which programs there are.

. "$(dirname "$0")/lib.sh"

what=$1
arch=${2:-}
take_lock
stage=$("$HERE/stage.sh")
suffix=${arch:+-$arch}
build=$stage/build-user$suffix
out=$CACHE/user/$what$suffix
hdr=$build/usr/include
mkdir -p "$build" "$out"

key=$(hash_of "$TOP/include/uapi" "$HERE/user.sh")
if [ ! -d "$hdr/linux" ] || [ -n "${KDIR:-}" ] ||
   [ "$(cat "$build/headers.key" 2> /dev/null)" != "$key" ]; then
	# shellcheck disable=SC2046
	run_logged "headers$suffix" "installing the kernel headers for user programs" \
		make -C "$stage" O="build-user$suffix" $("$HERE/configure.sh" --make-args "$arch") \
		-j"$JOBS" --no-print-directory headers
	echo "$key" > "$build/headers.key"
fi

# make knows which programs changed, but not the kernel's headers they include:
# when those change, everything is built anew.
case $what in
selftests)
	dir=$stage/tools/testing/selftests/iommufd
	headers=$(hash_of "$TOP/iommufd/iommufd_test.h" "$TOP/include/uapi")
	args=("OUTPUT=$out" "KHDR_INCLUDES=-isystem $hdr"
	      USERLDFLAGS=-static "USERCFLAGS=-O2 -Wall")
	;;
demo|bench|clients)
	dir=$TOP/tools/iommufd/$what
	headers=$(hash_of "$TOP/include/uapi")
	# Built with files of the demo.
	[ "$what" != clients ] || headers+=-$(hash_of "$TOP/tools/iommufd/demo")
	args=("OUTPUT=$out" "KHDR_INCLUDES=-isystem $hdr" "CPPFLAGS=-isystem $hdr"
	      LDFLAGS=-static)
	;;
*)
	die "user.sh: selftests, demo, bench or clients"
	;;
esac
[ -z "$arch" ] || args+=("CC=$(cross_of "$arch")gcc")
[ -e "$dir/Makefile" ] || die "$dir has no Makefile"

inputs="$headers $dir $(hash_of "$dir" "$HERE/user.sh")"
if [ "$(cat "$out/.inputs" 2> /dev/null)" != "$inputs" ]; then
	if [ "$(cat "$out/.headers" 2> /dev/null)" != "$headers $dir" ]; then
		rm -rf "$out"
		mkdir -p "$out"
	fi
	echo "$headers $dir" > "$out/.headers"
	run_logged "$what$suffix" "building $what$suffix" \
		make -C "$dir" --no-print-directory -j"$JOBS" "${args[@]}"
	if [ "$what" = selftests ]; then
		make -s -C "$dir" --no-print-directory "${args[@]}" emit_tests |
			sed 's/^.*://' > "$out/.tests"
		for f in "$dir"/settings "$dir"/*.sh; do
			[ ! -e "$f" ] || cp "$f" "$out/"
		done
	fi
	echo "$inputs" > "$out/.inputs"
fi
echo "$out"
