#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Print the path of a pristine Linux source tree, fetching it when the cache
# has none. With KDIR set, that tree is checked and printed.
#
# The package comes from whatever Debian mirror this machine is configured
# for, through an apt state of our own: the system's lists, sources and
# configuration are read, never written, and root is not needed. Signatures are
# checked with Debian's archive keyring. The kernel's own iommufd and its
# selftests are left out while unpacking, so they never reach the disk.

. "$(dirname "$0")/lib.sh"
. "$HERE/apt.sh"

PKG=linux-source-$KSERIES
SUITES="trixie-backports forky sid"
WAYS=("Ways out: give a tree of your own:   make KDIR=/path/to/linux-$KSERIES ..."
      "          or put the Debian package $PKG (a .deb) into $APT/"
      "          or configure a Debian mirror that carries one of: $SUITES")

check_version()
{
	local v p

	v=$(sed -n 's/^VERSION = //p' "$1/Makefile" 2> /dev/null || true)
	p=$(sed -n 's/^PATCHLEVEL = //p' "$1/Makefile" 2> /dev/null || true)
	[ "$v.$p" = "$KSERIES" ] ||
		die "$1 is not a Linux $KSERIES source tree (found '$v.$p')"
}

if [ -n "${KDIR:-}" ]; then
	[ -d "$KDIR" ] || die "KDIR=$KDIR: no such folder"
	check_version "$KDIR"
	cd "$KDIR" && pwd
	exit 0
fi

newest_tree()
{
	[ -d "$CACHE/linux" ] || return 0
	find "$CACHE/linux" -mindepth 2 -maxdepth 2 -name .complete | sort -V | tail -n 1
}

tree=$(newest_tree)
if [ -n "$tree" ]; then
	dirname "$tree"
	exit 0
fi

take_lock
tree=$(newest_tree)
if [ -n "$tree" ]; then
	dirname "$tree"
	exit 0
fi

fetch_deb()
{
	local mirrors m suite log=$CACHE/log/apt.log

	command -v apt-get > /dev/null ||
		die "no apt on this machine, so the kernel source can't be fetched" "${WAYS[@]}"
	[ -r "$KEYRING" ] ||
		die "$KEYRING is missing (package debian-archive-keyring)" "${WAYS[@]}"
	: > "$log"
	mirrors=$(find_mirrors "$log")
	[ -n "$mirrors" ] ||
		die "no Debian mirror is configured on this machine, or none can be reached" \
		    "(see $log)" "${WAYS[@]}"

	for m in $mirrors; do
		for suite in $SUITES; do
			say "looking for $PKG in Debian $suite"
			has_suite "$m" "$suite" "$log" || continue
			# shellcheck disable=SC2046
			if (cd "$APT" && apt-get -c "$APT/apt.conf" $(own_sources) -q \
				download "$PKG" >> "$log" 2>&1); then
				return 0
			fi
		done
	done
	if grep -q 'NO_PUBKEY' "$log"; then
		die "the Debian archive keyring of this machine is too old to check the signature" \
		    "(upgrade the package debian-archive-keyring)" "${WAYS[@]}"
	fi
	die "no mirror of this machine could give $PKG (see $log)" "${WAYS[@]}"
}

newest_deb()
{
	[ -d "$APT" ] || return 0
	find "$APT" -maxdepth 1 -name "${PKG}_*.deb" | sort -V | tail -n 1
}

unpack()
{
	dpkg-deb --fsys-tarfile "$1" |
		tar -xO "./usr/src/$PKG.tar.xz" |
		xz -dc -T0 |
		tar -x -C "$2" --strip-components=1 --anchored \
			--exclude="$PKG/drivers/iommu/iommufd" \
			--exclude="$PKG/tools/testing/selftests/iommu"
}

deb=$(newest_deb)
if [ -z "$deb" ]; then
	fetch_deb
	deb=$(newest_deb)
fi

version=$(dpkg-deb -f "$deb" Version | tr -c 'A-Za-z0-9.\n' '-')
dest=$CACHE/linux/$version
tmp=$CACHE/linux/.unpacking
rm -rf "$tmp"
mkdir -p "$tmp"
run_logged unpack "unpacking $PKG $version" unpack "$deb" "$tmp" || {
	rm -f "$deb"
	die "$deb is damaged; it has been deleted, please start again"
}
check_version "$tmp"
[ ! -e "$tmp/drivers/iommu/iommufd" ] && [ ! -e "$tmp/tools/testing/selftests/iommu" ] ||
	die "the package has another layout than expected"
chmod -R a-w "$tmp"
chmod u+w "$tmp"
echo "$version" > "$tmp/.complete"
rm -rf "$dest"
mv "$tmp" "$dest"
echo "$dest"
