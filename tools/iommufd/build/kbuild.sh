#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# kbuild.sh <config> [make arguments...]: stage, configure, and run make of the
# kernel tree for one configuration, with all output shown. For work on the
# driver:
#
#   kbuild.sh debug driver            compile only the driver, W=1
#   kbuild.sh fast  driver C=1        the same with sparse
#   kbuild.sh debug drivers/iommu/iommufd/main.i

. "$(dirname "$0")/lib.sh"

[ $# -ge 1 ] || die "usage: kbuild.sh fast|debug|modules|arm64 [driver | make arguments...]"
config=$1
shift
if [ "${1:-}" = driver ]; then
	shift
	set -- W=1 "$@" drivers/iommu/iommufd/
fi

take_lock
stage=$("$HERE/stage.sh")
"$HERE/configure.sh" "$stage" "$config"
# shellcheck disable=SC2046
exec make -C "$stage" O="build-$config" $("$HERE/configure.sh" --make-args "$config") \
	CHECK="$HERE/sparse" -j"$JOBS" --no-print-directory "$@" 9>&-
