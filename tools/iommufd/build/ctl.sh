#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# ctl.sh [arm64]: build iommufdctl; print where it is. It needs neither kernel
# source nor headers. Static, so that it runs in the VM and on any machine.

. "$(dirname "$0")/lib.sh"

arch=${1:-}
take_lock
out=$CACHE/user/ctl${arch:+-$arch}
run_logged ctl "building iommufdctl" make -C "$TOP/tools/iommufd/ctl" \
	--no-print-directory -j"$JOBS" "OUTPUT=$out" LDFLAGS=-static \
	"CC=$(cross_of "$arch")gcc"
echo "$out/iommufdctl"
