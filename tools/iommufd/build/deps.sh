#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# deps.sh <purpose...>: see to it that the packages for these purposes are
# installed. As root or with sudo they are installed, otherwise the line to
# type is printed. 'packages' beside this file is the only list.

. "$(dirname "$0")/lib.sh"

command -v dpkg-query > /dev/null || {
	say "not a Debian system: the packages named in tools/iommufd/build/packages must be there"
	exit 0
}

missing=()
while read -r purpose name; do
	case " $* " in
	*" $purpose "*) ;;
	*) continue ;;
	esac
	if [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2> /dev/null)" != installed ]; then
		missing+=("$name")
	fi
done < <(grep -v '^#' "$HERE/packages")

[ ${#missing[@]} -gt 0 ] || exit 0

sudo=()
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo > /dev/null || ! sudo -n true 2> /dev/null; then
		if ! { command -v sudo > /dev/null && [ -t 0 ] && [ -z "${CI:-}" ]; }; then
			die "packages are missing; please install them with:" \
			    "apt-get install --no-install-recommends ${missing[*]}"
		fi
	fi
	sudo=(sudo)
fi

install()
{
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		-o DPkg::Lock::Timeout=120 install --no-install-recommends "${missing[@]}"
}

update_install()
{
	"${sudo[@]}" apt-get -q update && install
}

say "installing ${missing[*]}"
run_logged packages "installing packages" update_install ||
	die "could not install the packages; please run:" \
	    "apt-get install --no-install-recommends ${missing[*]}"
