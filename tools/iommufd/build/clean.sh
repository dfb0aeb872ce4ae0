#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make clean: delete what was built. The kernel source (and its package) stay:
# delete the cache folder by hand to be rid of them. KEEP=1: finished kernels
# and the image of make test-clients stay as well.

. "$(dirname "$0")/lib.sh"

take_lock
rm -rf "${CACHE:?}"/{stage,user,vm,docs,log}
[ -n "${KEEP:-}" ] || rm -rf "${CACHE:?}"/{out,clients}
say "deleted what was built in $CACHE"
