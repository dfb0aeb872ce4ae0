# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Which Debian mirror this machine is configured for, and whether it carries a
# suite. Sourced after lib.sh, never run. Asked through an apt state of our own:
# the system's lists, sources and configuration are read, never written, and
# root is not needed. Signatures are checked with Debian's archive keyring.

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
APT=$CACHE/apt

# A configuration file instead of options, since only a file can #clear the
# hooks that a system may have set for after an update.
write_apt_conf()
{
	mkdir -p "$APT"/{lists/partial,cache/archives/partial,empty}
	cat > "$APT/apt.conf" <<-END
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		APT::Default-Release "";
		APT::Get::List-Cleanup "false";
		Acquire::Languages "none";
		Acquire::Retries "3";
		Dir::State "$APT";
		Dir::State::status "/dev/null";
		Dir::State::lists "$APT/lists";
		Dir::Cache "$APT/cache";
		Dir::Etc::Preferences "/dev/null";
		Dir::Etc::PreferencesParts "$APT/empty";
	END
	if [ "$(id -u)" -eq 0 ]; then
		echo 'APT::Sandbox::User "root";' >> "$APT/apt.conf"
	fi
}

own_sources()
{
	echo "-o Dir::Etc::sourcelist=$APT/sources.list" \
	     "-o Dir::Etc::sourceparts=$APT/empty"
}

# The archive names itself in its signed Release file (Origin, Label); security
# and third-party archives name themselves otherwise.
debian_mirrors()
{
	apt-get "$@" indextargets --format '$(REPO_URI)|$(ORIGIN)|$(LABEL)' 2> /dev/null |
		awk -F'|' '$2 == "Debian" && $3 == "Debian" && !seen[$1]++ { print $1 }'
}

# find_mirrors <log>: print them; nothing if there is none.
find_mirrors()
{
	local mirrors

	write_apt_conf
	mirrors=$(debian_mirrors)
	if [ -z "$mirrors" ]; then
		# A fresh machine has no lists yet: ask with a state of our own.
		say "asking the configured mirrors who they are"
		apt-get -c "$APT/apt.conf" -q update >> "$1" 2>&1 || true
		mirrors=$(debian_mirrors -c "$APT/apt.conf")
	fi
	[ -z "$mirrors" ] || printf '%s\n' "$mirrors"
}

# has_suite <mirror> <suite> <log> [arch]: does it answer, with a good signature?
# Later calls of apt-get with $(own_sources) see this suite and no other.
has_suite()
{
	local arch=${4:-$(dpkg --print-architecture)}

	echo "deb [arch=$arch signed-by=$KEYRING] $1 $2 main" > "$APT/sources.list"
	# shellcheck disable=SC2046
	apt-get -c "$APT/apt.conf" $(own_sources) -o "APT::Architecture=$arch" -q update \
		>> "$3" 2>&1
}

# mirror_with <suite> <log>: print the first mirror that carries it, or end.
mirror_with()
{
	local m

	[ -r "$KEYRING" ] || die "$KEYRING is missing (package debian-archive-keyring)"
	for m in $(find_mirrors "$2"); do
		say "looking for Debian $1"
		if has_suite "$m" "$1" "$2"; then
			echo "$m"
			return 0
		fi
	done
	die "no Debian mirror of this machine carries $1 (see $2)"
}

# mmdebstrap does not read this machine's configuration of apt: tell it of a proxy.
mmdebstrap_here()
{
	local proxy opts=(--aptopt='Acquire::Languages "none"'
			  --aptopt='Acquire::Retries "3"')

	proxy=$(apt-config dump --format '%v' Acquire::http::Proxy)
	if [ -n "$proxy" ]; then
		opts+=("--aptopt=Acquire::http::Proxy \"$proxy\"")
	fi
	mmdebstrap "${opts[@]}" "$@"
}
