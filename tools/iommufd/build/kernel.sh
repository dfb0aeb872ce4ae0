#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# kernel.sh <config...>: bring these kernels up to date. The result of each
# is out/<config>/, with a key over everything that went into it: where the
# key still holds, nothing is staged and nothing is run.

. "$(dirname "$0")/lib.sh"

take_lock
src=$("$HERE/fetch.sh")
inputs=$(hash_of "$TOP/iommufd" "$TOP/Makefile" "$TOP/Kconfig" "$TOP/include" \
	"$HERE/config" "$HERE/configure.sh" "$HERE/stage.sh" "$src/.complete")
stage=

for config in "$@"; do
	out=$CACHE/out/$config
	key="$src $inputs $(compiler_version "$config")"
	# A tree given with KDIR may have changed anywhere: always ask make.
	if [ -z "${KDIR:-}" ] && [ "$(cat "$out/key" 2> /dev/null)" = "$key" ]; then
		say "kernel '$config' is up to date"
		continue
	fi
	if [ -z "$stage" ]; then
		stage=$("$HERE/stage.sh")
	fi
	"$HERE/configure.sh" "$stage" "$config"
	image=arch/x86/boot/bzImage
	case $config in
	modules) targets="bzImage modules" ;;
	arm64)	 targets="Image"; image=arch/arm64/boot/Image ;;
	*)	 targets="bzImage" ;;
	esac
	# shellcheck disable=SC2046,SC2086
	run_logged "kernel-$config" "building kernel '$config'" \
		make -C "$stage" O="build-$config" $("$HERE/configure.sh" --make-args "$config") \
		-j"$JOBS" --no-print-directory $targets
	mkdir -p "$out"
	rm -f "$out/key"
	cp "$stage/build-$config/.config" "$out/config"
	if [ "$config" = modules ]; then
		rm -rf "$out/modules"
		mkdir -p "$out/modules"
		(cd "$stage/build-$config" && find . -name '*.ko' -exec cp -t "$out/modules" {} +)
	fi
	cp "$stage/build-$config/$image" "$out/${image##*/}.new"
	mv "$out/${image##*/}.new" "$out/${image##*/}"
	echo "$key" > "$out/key"
done
