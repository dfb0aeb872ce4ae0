# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Small verbs for the shell in the test VM.

# tell <text>: a line for the host, in the kernel log.
tell() { echo "iommufd-vm: $*" > /dev/kmsg; }

pci_list()
{
	for d in /sys/bus/pci/devices/*; do
		drv=-
		[ ! -e "$d/driver" ] || drv=$(basename "$(readlink "$d/driver")")
		grp=-
		[ ! -e "$d/iommu_group" ] || grp=$(basename "$(readlink "$d/iommu_group")")
		echo "  ${d##*/}  $(cut -c3- "$d/vendor"):$(cut -c3- "$d/device")" \
		     " class $(cut -c3-6 "$d/class")  group $grp  driver $drv"
	done
}

# pci_find <vendor:device> [n]: the slot of the n-th such device (from 1).
pci_find()
{
	n=${2:-1}
	for d in /sys/bus/pci/devices/*; do
		if [ "$(cut -c3- "$d/vendor"):$(cut -c3- "$d/device")" = "$1" ]; then
			n=$((n - 1))
			[ "$n" -gt 0 ] || { echo "${d##*/}"; return 0; }
		fi
	done
	echo "no PCI device $1" >&2
	return 1
}

# bind_driver <slot|vendor:device> <driver>: unbind, then have that driver probe.
bind_driver()
{
	case $1 in
	????:??:??.?) slot=$1 ;;
	*) slot=$(pci_find "$1") || return 1 ;;
	esac
	dev=/sys/bus/pci/devices/$slot
	echo "$2" > "$dev/driver_override"
	[ ! -e "$dev/driver" ] || echo "$slot" > "$dev/driver/unbind"
	echo "$slot" > /sys/bus/pci/drivers_probe
	if [ ! -e "$dev/driver" ] ||
	   [ "$(basename "$(readlink "$dev/driver")")" != "$2" ]; then
		echo "$2 did not take $slot" >&2
		return 1
	fi
	echo "$slot"
}

bind_vfio() { bind_driver "$1" vfio-pci; }

# vfio_cdev <slot>: the device's node, for example /dev/vfio/devices/vfio0.
vfio_cdev()
{
	for d in /sys/bus/pci/devices/"$1"/vfio-dev/vfio*; do
		[ ! -e "$d" ] || echo "/dev/vfio/devices/${d##*/}"
	done
}

# hugepages <n>: a pool of n huge pages of 2 MiB.
hugepages()
{
	echo 1 > /proc/sys/vm/compact_memory 2> /dev/null
	echo "$1" > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
	[ "$(cat /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages)" -ge "$1" ]
}
