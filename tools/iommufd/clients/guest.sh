# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# What make test-clients does in the VM. Debian's programs are in a read-only
# image on /dev/vda and run in a chroot; /mnt/share is a folder of the host for
# their logs. One line for each case goes to the host:
#
#	#@ <passed|failed> <TAB> <name> <TAB> <seconds> <TAB> <words>

S=/mnt/share
D=/mnt/debian
USER=4242
GUEST_MIB=256

# A case is a function; it leaves its words in $said.
try()
{
	tell "client $1"
	said=
	began=$(cut -d. -f1 /proc/uptime)
	if "$@"; then
		result=passed
	else
		result=failed
		bad=1
	fi
	printf '#@ %s\t%s\t%d\t%s\n' $result "$1" \
		$(($(cut -d. -f1 /proc/uptime) - began)) "$said"
}

# fail <words>: the reason of a case that does not hold.
fail() { said="$*"; return 1; }

# until_has <seconds> <pid> <pattern> <file>: wait for a line; the process must live.
until_has()
{
	left=$1
	while ! grep -q "$3" "$4" 2> /dev/null; do
		left=$((left - 1))
		[ $left -gt 0 ] && kill -0 "$2" 2> /dev/null || return 1
		sleep 1
	done
}

# until_gone <seconds> <pid>: its status; killed if it does not end.
until_gone()
{
	left=$1
	while kill -0 "$2" 2> /dev/null; do
		left=$((left - 1))
		if [ $left -le 0 ]; then
			kill -KILL "$2"
			wait "$2"
			return 124
		fi
		sleep 1
	done
	wait "$2"
}

# fd_of <pid> <path>: the number of its first descriptor of this file, which may
# be reached by the image's /dev.
fd_of()
{
	for fd in /proc/"$1"/fd/*; do
		case $(readlink "$fd") in
		"$2"|"$D$2")
			echo "${fd##*/}"
			return 0
			;;
		esac
	done
	return 1
}

# pinned_mib <pid> <path>: what is pinned for devices through it. Only files of
# our driver have this line.
pinned_mib()
{
	fd=$(fd_of "$1" "$2") || return 1
	awk '$1 == "iommufd-pinned-bytes:" { print int($2 / 1048576); found = 1 }
	     END { exit !found }' "/proc/$1/fdinfo/$fd"
}

account_mode()
{
	awk '$1 == "iommufd-account-mode:" { print $2 }' "/proc/$1/fdinfo/$(fd_of "$1" "$2")"
}

# The kernel was configured so that /dev/vfio/vfio is ours, and nobody else's.
container_is_ours()
{
	zcat /proc/config.gz | grep -q '^CONFIG_IOMMUFD_VFIO_CONTAINER=y' ||
		fail "CONFIG_IOMMUFD_VFIO_CONTAINER is not set" || return 1
	zcat /proc/config.gz | grep -q '^CONFIG_VFIO_CONTAINER=' &&
		{ fail "VFIO's own container is configured"; return 1; }
	exec 8<> /dev/vfio/vfio
	ours=$(grep -c '^iommufd-account-mode:' /proc/self/fdinfo/8)
	exec 8>&-
	[ "$ours" = 1 ] || fail "/dev/vfio/vfio is not of this driver" || return 1
	said="its fdinfo is ours, VFIO's own container is not in this kernel"
}

nvme_container()
{
	/t/nvme-container /dev/vfio/vfio "$@" > $S/nvme-container.log 2>&1 || {
		cat $S/nvme-container.log
		fail "$(grep -m 1 FAILED: $S/nvme-container.log)"
		return 1
	}
	said=$(grep -c ok: $S/nvme-container.log)" things proven"
}

# stat <port> <name>: a counter of the last statistics in testpmd's log.
stat()
{
	awk -v port="$1" -v name="$2:" '
		/NIC statistics for port/ { here = $6 == port }
		here { for (i = 1; i < NF; i++) if ($i == name) value = $(i + 1) }
		END { print value + 0 }' $S/testpmd.log
}

# Two ports, a hub between them: what one sends, the other receives and sends
# back. After stop nothing is sent any more, and the counters must agree.
testpmd()
{
	mkfifo /tmp/testpmd.in
	chroot $D /usr/bin/dpdk-testpmd -l 0,1 -n 1 -m 128 --iova-mode=va \
		-a "$nic1" -a "$nic2" -- -i --total-num-mbufs=4096 --forward-mode=io \
		< /tmp/testpmd.in > $S/testpmd.log 2>&1 &
	pid=$!
	exec 9> /tmp/testpmd.in
	mib=
	if until_has 120 $pid 'testpmd> ' $S/testpmd.log; then
		echo "start tx_first 4" >&9
		sleep 10
		mib=$(pinned_mib $pid /dev/vfio/vfio)
		echo "stop" >&9
		sleep 2
		echo "show port stats all" >&9
		echo "quit" >&9
	fi
	exec 9>&-
	until_gone 60 $pid || fail "testpmd ended with status $?" || return 1
	[ "${mib:-0}" -gt 0 ] || fail "no memory pinned through /dev/vfio/vfio" || return 1
	grep -q "IOVA mode 'VA'" $S/testpmd.log || fail "not in IOVA mode VA" || return 1
	for p in 0 1; do
		o=$((1 - p))
		sent=$(stat $p TX-packets)
		got=$(($(stat $o RX-packets) + $(stat $o RX-missed)))
		said="$said${said:+; }port $p sent $sent, port $o received $got"
		[ "$sent" -gt 128 ] && [ "$sent" = "$got" ] || return 1
	done
	said="$said; $mib MiB pinned through /dev/vfio/vfio"
}

# qemu <name> <sector> <path whose fdinfo to read> <mode> <command... of QEMU up to
# its own options>: start the guest's guest and follow it to its end.
qemu()
{
	name=$1 sector=$2 node=$3 mode=$4
	shift 4
	serial=/tmp/$name.serial
	log=/tmp/$name.log
	: > $serial
	chmod 666 $serial
	"$@" -M q35 $accel -m $GUEST_MIB -smp 1 -nodefaults -no-user-config \
		-no-reboot -display none -serial file:$serial \
		-kernel /mnt/bzImage -initrd /mnt/inner.img \
		-append "console=ttyS0 rdinit=/init panic=-1 quiet tsc=reliable \
guest.name=$name guest.md5=$known_md5 guest.sector=$sector" > $log 2>&1 &
	pid=$!
	mib= account=
	if until_has $patience $pid '^guest: .* is up' $serial; then
		mib=$(pinned_mib $pid $node)
		account=$(account_mode $pid $node)
		uid=$(awk '$1 == "Uid:" { print $3 }' /proc/$pid/status)
	fi
	until_gone $patience $pid
	rc=$?
	cp $serial $log $S/
	tr -d '\r' < $serial | grep '^guest: ' > /tmp/$name.words
	if [ $rc -ne 0 ] || ! grep -q '^guest: end 0' /tmp/$name.words; then
		tail -n 20 $serial
		cat $log
		fail "QEMU ended with status $rc; $(tail -n 1 /tmp/$name.words)"
		return 1
	fi
	# QEMU has nothing to say when all is well, above all not that memory of
	# PCI devices can't be mapped.
	if [ -s $log ]; then
		cat $log
		fail "QEMU says: $(head -n 1 $log)"
		return 1
	fi
	[ "${mib:-0}" -ge $GUEST_MIB ] ||
		fail "$node has ${mib:-no} MiB pinned" || return 1
	[ "$account" = "$mode" ] ||
		fail "accounting mode of $node is $account" || return 1
	said="$(sed -n 's/^guest: \([0-9]* interrupts\).*/\1/p' /tmp/$name.words)"
	said="guest read 4 MiB, wrote 1 MiB, $said; QEMU as uid $uid: $mib MiB pinned"
	said="$said through $node, mode $account; its log is empty"
	written="$written $name@$sector"
}

qemu_container()
{
	qemu container 16384 /dev/vfio/vfio process \
		chroot $D /usr/bin/qemu-system-x86_64 -device "vfio-pci,host=$nvme"
}

qemu_iommufd()
{
	qemu iommufd 18432 /dev/iommu user \
		chroot $D /usr/bin/qemu-system-x86_64 -object iommufd,id=i0 \
		-device "vfio-pci,host=$nvme,iommufd=i0"
}

# Nothing is left to an unprivileged QEMU: the opener has chosen how memory is
# counted, and the limit is little more than the guest's memory.
qemu_iommufd_fds()
{
	qemu fds 20480 /dev/iommu fd \
		chroot $D /tmp/handover fd $USER $(((GUEST_MIB + 16) * 1024)) \
		/dev/iommu=20 "$(vfio_cdev "$nvme")=21" -- \
		/usr/bin/qemu-system-x86_64 -object iommufd,id=i0,fd=20 \
		-device vfio-pci,fd=21,iommufd=i0
}

guests_disk()
{
	[ -n "$written" ] || fail "no guest has written" || return 1
	# shellcheck disable=SC2086
	nvme_container $written && said="what$written wrote is on the disk; $said"
}

bad=0
written=
mkdir -p $D
mount -t squashfs -o ro /dev/vda $D || exit 1
for d in dev proc sys tmp run; do
	mount --rbind /$d $D/$d || exit 1
done
mount --bind $S $D/mnt || exit 1
cp /t/handover /tmp/
known_md5=$(cat $S/known.md5)
nvme=$(bind_vfio 1b36:0010) || exit 1
nic1=$(pci_find 8086:10d3 1) && nic2=$(pci_find 8086:10d3 2) || exit 1
bind_vfio "$nic1" > /dev/null && bind_vfio "$nic2" > /dev/null || exit 1
hugepages 128 || exit 1

# Where this CPU can't run guests, QEMU emulates one: ten times slower. A plain
# model in any case: the emulated CPU with all its features announces sizes of
# XSAVE's state that do not agree once KVM has passed them on, and a kernel writes
# beyond its buffer.
if [ -c /dev/kvm ]; then
	chmod 666 /dev/kvm
	accel="-accel kvm -cpu qemu64"
	patience=180
else
	accel="-accel tcg -cpu qemu64"
	patience=900
fi
echo "the guest's guest runs with $accel"

try container_is_ours
try nvme_container
try testpmd
try qemu_container
try qemu_iommufd
try qemu_iommufd_fds
try guests_disk
echo '#@ done'
exit $bad
