#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# busybox.sh [arm64]: print the path of a static busybox, for this machine the one
# that is installed. For arm64 Debian's package is fetched and unpacked into the
# cache, nothing installed, by way of the apt state in apt.sh.

. "$(dirname "$0")/lib.sh"
. "$HERE/apt.sh"

if [ $# = 0 ]; then
	for b in /bin/busybox /usr/bin/busybox /usr/lib/busybox/busybox-static; do
		if [ -x "$b" ] && ! ldd "$b" > /dev/null 2>&1; then
			echo "$b"
			exit 0
		fi
	done
	die "no static busybox (package busybox-static)"
fi

arch=$1
dir=$CACHE/busybox-$arch
if [ -x "$dir/busybox" ]; then
	echo "$dir/busybox"
	exit 0
fi
take_lock
log=$CACHE/log/busybox-$arch.log
: > "$log"
[ -r "$KEYRING" ] || die "$KEYRING is missing (package debian-archive-keyring)"
rm -rf "$dir.new"
mkdir -p "$dir.new"
for m in $(find_mirrors "$log"); do
	for suite in trixie bookworm; do
		say "looking for busybox-static of $arch in Debian $suite"
		has_suite "$m" "$suite" "$log" "$arch" || continue
		# shellcheck disable=SC2046
		(cd "$dir.new" && apt-get -c "$APT/apt.conf" $(own_sources) \
			-o "APT::Architecture=$arch" -q download busybox-static) >> "$log" 2>&1 ||
			continue
		dpkg-deb --fsys-tarfile "$dir.new"/*.deb |
			tar -xO --wildcards '*/bin/busybox' > "$dir.new/busybox"
		chmod +x "$dir.new/busybox"
		rm -rf "$dir"
		mv "$dir.new" "$dir"
		echo "$dir/busybox"
		exit 0
	done
done
die "no Debian mirror of this machine could give busybox-static of $arch (see $log)"
