/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's network cards e1000 and e1000e as devices that do DMA at a word: each
 * write of a tail register makes the device read descriptors, send or take what
 * they name, and write back that they are done, before the write is over. Both
 * kinds have these registers in BAR 0, and the legacy descriptors.
 */
#ifndef SELFTESTS_IOMMUFD_E1000_H
#define SELFTESTS_IOMMUFD_E1000_H

#include "vfio.h"

#define E1000_VENDOR 0x8086
/* Conventional PCI */
#define E1000_DEVICE 0x100e
/* The same with another ID */
#define E1000_BARE_DEVICE 0x100f
#define E1000E_DEVICE 0x10d3

#define E1000_CONTROL 0x0000
#define E1000_CONTROL_RESET 0x4000000
#define E1000_STATUS 0x0008
#define E1000_STATUS_UP 2
#define E1000_RECEIVE 0x0100
#define E1000_TRANSMIT 0x0400
#define E1000_ENABLE 2
/* Whatever the address */
#define E1000_ANY 0x8018
#define E1000_RX_RING 0x2800
#define E1000_TX_RING 0x3800
/* From the registers of a ring */
#define E1000_BASE 0x00
#define E1000_BASE_HIGH 0x04
#define E1000_LENGTH 0x08
#define E1000_HEAD 0x10
#define E1000_TAIL 0x18

/* A ring fills a quarter of a page. */
#define E1000_SLOTS 64U
/* Bytes of a packet; a receive buffer has room for 2048. */
#define E1000_PACKET 128U
#define E1000_ROOM 2048U

struct e1000_tx {
	uint64_t addr;
	uint16_t length;
	uint8_t offset, command, status, start;
	uint16_t special;
};

struct e1000_rx {
	uint64_t addr;
	uint16_t length, sum;
	uint8_t status, errors;
	uint16_t special;
};

/* End of a packet, and tell when it is done */
#define E1000_TX_COMMAND 9
#define E1000_DONE 1

struct e1000 {
	int dev;
	uint32_t *regs;
	size_t size;
	uint32_t tail;
};

static inline uint32_t e1000_get(struct e1000 *nic, unsigned int reg)
{
	return __atomic_load_n(&nic->regs[reg / 4], __ATOMIC_SEQ_CST);
}

static inline void e1000_set(struct e1000 *nic, unsigned int reg, uint32_t val)
{
	__atomic_store_n(&nic->regs[reg / 4], val, __ATOMIC_SEQ_CST);
}

/* Command bits of the configuration space on, as a driver does it */
static inline int e1000_command(int dev, uint16_t bits)
{
	struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint16_t command;
	uint64_t at;
	int err;

	err = t_call(dev, VFIO_DEVICE_GET_REGION_INFO, &region);
	if (err)
		return err;
	at = region.offset + PCI_COMMAND;
	err = pread(dev, &command, 2, at) == 2 ? 0 : EIO;
	command |= bits;
	if (!err)
		err = pwrite(dev, &command, 2, at) == 2 ? 0 : EIO;
	return err;
}

/* Maps the registers of nic->dev and lets it do DMA. 0 or an errno */
static inline int e1000_start(struct e1000 *nic)
{
	struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	void *va;
	int err;

	err = e1000_command(nic->dev, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	if (!err)
		err = t_call(nic->dev, VFIO_DEVICE_GET_REGION_INFO, &region);
	if (err)
		return err;
	va = mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		  nic->dev, region.offset);
	if (va == MAP_FAILED)
		return errno;
	nic->regs = va;
	nic->size = region.size;
	nic->tail = 0;
	/* A driver that had it before may have left other descriptors chosen. */
	e1000_set(nic, E1000_CONTROL, E1000_CONTROL_RESET);
	usleep(10000);
	return 0;
}

static inline void e1000_stop(struct e1000 *nic)
{
	if (nic->regs)
		munmap(nic->regs, nic->size);
	if (nic->dev >= 0)
		close(nic->dev);
	nic->regs = NULL;
	nic->dev = -1;
}

static inline void e1000_ring(struct e1000 *nic, unsigned int ring,
			      uint32_t iova)
{
	e1000_set(nic, ring + E1000_BASE, iova);
	e1000_set(nic, ring + E1000_BASE_HIGH, 0);
	e1000_set(nic, ring + E1000_LENGTH,
		  E1000_SLOTS * sizeof(struct e1000_tx));
	e1000_set(nic, ring + E1000_HEAD, 0);
	e1000_set(nic, ring + E1000_TAIL, 0);
}

/* Packets will be sent from descriptors at @iova. */
static inline void e1000_sends(struct e1000 *nic, uint32_t iova)
{
	e1000_ring(nic, E1000_TX_RING, iova);
	e1000_set(nic, E1000_TRANSMIT, E1000_ENABLE);
	nic->tail = 0;
}

/* Packets will be taken into what descriptors at @iova name, all but one. */
static inline void e1000_receives(struct e1000 *nic, uint32_t iova)
{
	e1000_ring(nic, E1000_RX_RING, iova);
	e1000_set(nic, E1000_RECEIVE, E1000_ENABLE | E1000_ANY);
	e1000_set(nic, E1000_RX_RING + E1000_TAIL, E1000_SLOTS - 1);
}

/* One more packet: DMA until it returns, and not after that. */
static inline void e1000_send(struct e1000 *nic)
{
	nic->tail = (nic->tail + 1) % E1000_SLOTS;
	e1000_set(nic, E1000_TX_RING + E1000_TAIL, nic->tail);
}

/* A ring of packets to be sent, all the same, from @iova */
static inline void e1000_fill_tx(void *ring, uint32_t iova)
{
	struct e1000_tx *tx = ring;
	unsigned int i;

	for (i = 0; i < E1000_SLOTS; i++)
		tx[i] = (struct e1000_tx){
			.addr = iova,
			.length = E1000_PACKET,
			.command = E1000_TX_COMMAND,
		};
}

/* A ring of buffers that follow each other from @iova on */
static inline void e1000_fill_rx(void *ring, uint32_t iova)
{
	struct e1000_rx *rx = ring;
	unsigned int i;

	for (i = 0; i < E1000_SLOTS; i++)
		rx[i] = (struct e1000_rx){ .addr = iova + i * E1000_ROOM };
}

/* Forgets what is done in a ring of packets to be sent; how many were? */
static inline unsigned int e1000_forget_tx(void *ring)
{
	struct e1000_tx *tx = ring;
	unsigned int i, n = 0;

	for (i = 0; i < E1000_SLOTS; i++)
		n += __atomic_exchange_n(&tx[i].status, 0, __ATOMIC_SEQ_CST) &
			E1000_DONE;
	return n;
}

static inline unsigned int e1000_done_rx(void *ring)
{
	struct e1000_rx *rx = ring;
	unsigned int i, n = 0;

	for (i = 0; i < E1000_SLOTS; i++)
		n += __atomic_load_n(&rx[i].status, __ATOMIC_SEQ_CST) &
			E1000_DONE;
	return n;
}

#endif
