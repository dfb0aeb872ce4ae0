#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Print the path of the staged tree: the pristine source with this overlay on
# top, brought up to date. A file's time changes only if its contents do, so a
# build in the stage redoes what changed and nothing else.
#
# The cached source is staged by hard links (rsync replaces a file, it never
# writes into one, so the pristine copy stays as it is); a tree given with KDIR
# belongs to somebody else and is copied.

. "$(dirname "$0")/lib.sh"

take_lock
src=$("$HERE/fetch.sh")

if [ -n "${KDIR:-}" ]; then
	stage=$CACHE/stage/kdir-$(echo "$src" | sha256sum | cut -c1-8)
	mkdir -p "$stage"
	say "copying what changed in $src"
	rsync -rlptE --delete \
		--exclude=/drivers/iommu/iommufd --exclude=/tools/testing/selftests/iommu \
		--exclude=/tools/testing/selftests/iommufd \
		--exclude=/include/uapi/linux/iommufd.h \
		--exclude='/build-*' --exclude=/.git --exclude=/.config \
		--exclude=/include/config --exclude=/include/generated \
		--exclude='/arch/*/include/generated' --exclude='*.o' --exclude='*.cmd' \
		"$src/" "$stage/"
else
	stage=$CACHE/stage/${src##*/}
	if [ ! -e "$stage/.complete" ]; then
		say "staging ${src##*/}"
		rm -rf "$stage.tmp" "$stage"
		mkdir -p "$CACHE/stage"
		cp -al "$src" "$stage.tmp"
		find "$stage.tmp" -type d -exec chmod u+w {} +
		mv "$stage.tmp" "$stage"
	fi
fi

overlay()
{
	rsync -rlpE --chmod=u+w --checksum --exclude='*.o' --exclude='.*' --exclude='*~' "$@"
}

[ -e "$TOP/Kconfig" ] && [ -d "$TOP/iommufd" ] ||
	die "$TOP has no driver: Kconfig and iommufd/ are missing"

drv=$stage/drivers/iommu/iommufd
mkdir -p "$drv" "$stage/tools/testing/selftests/iommufd"
overlay --delete --filter='P /Makefile' --filter='P /Kconfig' "$TOP/iommufd/" "$drv/"
overlay "$TOP/Makefile" "$TOP/Kconfig" "$drv/"
overlay "$TOP/include/" "$stage/include/"
if [ -d "$TOP/tools/testing/selftests/iommufd" ]; then
	overlay --delete "$TOP/tools/testing/selftests/iommufd/" \
		"$stage/tools/testing/selftests/iommufd/"
fi
echo "$stage"
