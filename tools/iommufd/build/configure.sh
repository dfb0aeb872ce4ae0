#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# configure.sh <stage> <config>: write build-<config>/.config from the fragments
# over allnoconfig, and fail with a list if the tree did not accept one of
# the requests: a symbol that silently fell away would make a test silently
# test nothing.
#
# configure.sh --make-args [config]: the variables every make of the kernel gets.
# Fixed names and time: the same input gives the same image.

. "$(dirname "$0")/lib.sh"

if [ "$1" = --make-args ]; then
	echo "$(arch_args "${2:-}") LOCALVERSION= KBUILD_BUILD_USER=iommufd" \
	     "KBUILD_BUILD_HOST=overlay KBUILD_BUILD_TIMESTAMP=@1767225600" \
	     "KBUILD_BUILD_VERSION=1"
	exit 0
fi

stage=$1
config=$2
build=$stage/build-$config
frag=$HERE/config

case $config in
fast)    fragments=(common ours fast) ;;
debug)   fragments=(common ours debug) ;;
modules) fragments=(common ours fast modules) ;;
clients) fragments=(common ours fast clients) ;;
kcsan)   fragments=(common ours debug kcsan) ;;
arm64)   fragments=(common ours debug arm64) ;;
stock)   fragments=(common fast) ;;
*) die "there is no configuration '$config': fast, debug, modules, clients, kcsan," \
       "arm64" ;;
esac

mkdir -p "$build"

wanted=$build/wanted.config
# The last word on a symbol counts.
for f in "${fragments[@]}"; do
	cat "$frag/$f.config"
done | awk -F'[= ]' '
	/^CONFIG_/ { name = $1 }
	/^# CONFIG_.* is not set/ { name = $2 }
	!/^CONFIG_/ && !/^# CONFIG_.* is not set/ { next }
	{ if (!(name in line)) order[++n] = name; line[name] = $0 }
	END { for (i = 1; i <= n; i++) print line[order[i]] }' > "$wanted.new"

key=$(hash_of "$wanted.new" "$TOP/Kconfig" "$HERE/configure.sh"; compiler_version "$config")
if [ -e "$build/.config" ] && [ "$(cat "$build/configured.key" 2> /dev/null)" = "$key" ]; then
	rm -f "$wanted.new"
	exit 0
fi
mv "$wanted.new" "$wanted"
rm -f "$build/configured.key"

# shellcheck disable=SC2046
run_logged "configure-$config" "configuring '$config'" \
	make -C "$stage" O="build-$config" $("$0" --make-args "$config") \
	KCONFIG_ALLCONFIG="$wanted" allnoconfig

bad=$(awk -F= '
	FNR == NR { if (/^CONFIG_/) { v = $0; sub(/^[^=]*=/, "", v); have[$1] = v } next }
	/^CONFIG_/ { v = $0; sub(/^[^=]*=/, "", v); if (have[$1] != v)
			print $0 " (got: " ($1 in have ? have[$1] : "not set") ")" }
	/^# CONFIG_/ { split($0, w, " "); if (w[2] in have) print $0 " (got: " have[w[2]] ")" }
	' "$build/.config" "$wanted")
if [ -n "$bad" ]; then
	die "configuration '$config': the tree refused" "$bad"
fi
echo "$key" > "$build/configured.key"
