# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What every build script shares: where things are, how a long step shows
# progress, and the one lock. Sourced, never run.
#
# Everything that is made goes below $CACHE, nothing into the checkout:
#
#   apt/                    private apt state and the downloaded package
#   linux/<version>/        pristine source, two folders short, read only
#   stage/<version>/        hard links to it with the overlay on top
#   stage/<version>/build-<config>/   objects of one configuration (O=)
#   out/<config>/           finished: bzImage or Image, config, key
#   clients/                the image of make test-clients
#   qemu/<arch>/            a QEMU newer than this machine's
#   user/                   user programs and the headers they see
#   vm/                     initramfs, disk image, logs of the last runs
#   log/                    full logs of the long steps
#
# The lock covers stage/, out/ and user/: one build at a time. It is taken by
# the outermost script (take_lock) and is not held while a VM runs.

set -euo pipefail
export LC_ALL=C

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
HERE=$TOP/tools/iommufd/build
CACHE=${IOMMUFD_CACHE:-$HOME/.cache/iommufd}
JOBS=${JOBS:-$(nproc)}
V=${V:-0}
KSERIES=7.2

mkdir -p "$CACHE/log"
CACHE=$(cd "$CACHE" && pwd)

say() { printf '%s\n' "-- $*" >&2; }

die()
{
	printf '%s\n' "error: $1" >&2
	shift
	[ $# -eq 0 ] || printf '       %s\n' "$@" >&2
	exit 1
}

take_lock()
{
	[ -z "${IOMMUFD_LOCKED:-}" ] || return 0
	exec 9> "$CACHE/lock"
	if ! flock -n 9; then
		say "another build is using $CACHE: waiting for it"
		flock 9
	fi
	export IOMMUFD_LOCKED=1
}

elapsed()
{
	local s=$(($(date +%s) - $1))

	printf '%d:%02d' $((s / 60)) $((s % 60))
}

# run_logged <name> <text> <command...>: the full output goes to log/<name>.log;
# the user sees a line every ten seconds and, when it fails, the errors.
run_logged()
{
	local name=$1 text=$2 log=$CACHE/log/$1.log
	local start pid rc=0 n=0 t=0

	shift 2
	start=$(date +%s)
	if [ "$V" != 0 ]; then
		say "$text"
		"$@" 2>&1 9>&- | tee "$log" >&2 || rc=${PIPESTATUS[0]}
	else
		"$@" > "$log" 2>&1 < /dev/null 9>&- &
		pid=$!
		# shellcheck disable=SC2064
		trap "kill $pid 2>/dev/null || true; exit 130" INT TERM
		while kill -0 "$pid" 2> /dev/null; do
			sleep 0.2
			t=$((t + 1))
			if [ $((t % 50)) -eq 0 ]; then
				n=$(grep -cE '^ +(CC|AS|HOSTCC|AR|LD|CHECK)( |$)' "$log" || true)
				say "$text: $(elapsed "$start")$([ "$n" = 0 ] || echo ", $n files")"
			fi
		done
		wait "$pid" || rc=$?
		trap - INT TERM
	fi
	if [ "$rc" -ne 0 ]; then
		say "$text: FAILED after $(elapsed "$start"); the end of $log:"
		grep -nE 'error|Error|ERROR|undefined reference|\*\*\*|[Ww]arning:' "$log" |
			tail -n 25 >&2 || true
		tail -n 15 "$log" | sed 's/^/  | /' >&2
		return "$rc"
	fi
	[ $(($(date +%s) - start)) -lt 3 ] || say "$text: done in $(elapsed "$start")"
}

# The compiler of a configuration: all but arm64 are for x86.
cross_of()
{
	case $1 in
	arm64)	echo aarch64-linux-gnu- ;;
	esac
}

arch_args()
{
	case $1 in
	arm64)	echo "ARCH=arm64 CROSS_COMPILE=$(cross_of "$1")" ;;
	*)	echo "ARCH=x86_64" ;;
	esac
}

compiler_version() { "$(cross_of "$1")gcc" -dumpfullversion; }

# Hash of the contents and names of files or folders.
hash_of()
{
	local p

	for p in "$@"; do
		if [ -d "$p" ]; then
			(cd "$p" && find . -type f ! -name '*.o' ! -name '.*.sw?' ! -name '*~' \
				-print0 | sort -z | xargs -0r sha256sum)
		elif [ -e "$p" ]; then
			sha256sum < "$p"
		else
			echo "absent ${p##*/}"
		fi
	done | sha256sum | cut -c1-32
}
