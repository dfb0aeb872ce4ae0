#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# qemu.sh <x86_64|aarch64>: print the path of a QEMU that is newer than what this
# machine may have installed, for IOMMUs that the installed one cannot emulate.
# Debian's package and all that it needs, C library too, are unpacked by
# mmdebstrap into a folder of their own, without being set up: nothing of the
# machine's is touched, and no root is needed. Made once, until this file
# changes or the folder is deleted.

. "$(dirname "$0")/lib.sh"
. "$HERE/apt.sh"

SUITE=trixie
NEWER=$SUITE-backports

arch=$1
case $arch in
x86_64)	 package=qemu-system-x86 ;;
aarch64) package=qemu-system-arm ;;
*) die "usage: qemu.sh x86_64|aarch64" ;;
esac

dir=$CACHE/qemu/$arch
bin=$dir/qemu-system-$arch
key=$(hash_of "$HERE/qemu.sh")
log=$CACHE/log/qemu-$arch.log

up_to_date() { [ "$(cat "$dir/key" 2> /dev/null)" = "$key" ]; }

if up_to_date; then
	echo "$bin"
	exit 0
fi
take_lock
if up_to_date; then
	echo "$bin"
	exit 0
fi

: > "$log"
mirror=$(mirror_with "$NEWER" "$log")

unpack()
{
	mmdebstrap_here --variant=extract --format=tar \
		--aptopt="APT::Default-Release \"$NEWER\"" \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--include="$package" "$SUITE" - \
		"deb [signed-by=$KEYRING] $mirror $SUITE main" \
		"deb [signed-by=$KEYRING] $mirror $NEWER main" |
		tar -x -C "$dir/debian" --no-same-owner --exclude='./dev/*'
}

chmod -R u+w "$dir" 2> /dev/null || true
rm -rf "$dir"
mkdir -p "$dir/debian"
run_logged "qemu-$arch" "unpacking QEMU of Debian $NEWER" unpack ||
	die "could not unpack QEMU (without root, mmdebstrap needs an entry for you" \
	    "in /etc/subuid and /etc/subgid, and user namespaces)"

# Started by its own dynamic loader, for its C library is newer than ours.
cat > "$bin" <<'END'
#!/bin/bash
top=$(dirname "$(readlink -f "$0")")
name=$(basename "$0")
lib=$top/debian/usr/lib/x86_64-linux-gnu
exec "$lib/ld-linux-x86-64.so.2" --library-path "$lib" --argv0 "$name" \
	"$top/debian/usr/bin/$name" -L "$top/debian/usr/share/qemu" "$@"
END
chmod +x "$bin"
"$bin" --version >> "$log" 2>&1 || die "the QEMU that was unpacked does not start (see $log)"
echo "$key" > "$dir/key"
echo "$bin"
