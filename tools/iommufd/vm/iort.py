#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""iort.py: write to standard output an IORT for QEMU's machine 'virt'.

It says what QEMU's own table says of the machine, and two things more. The root
complex has CANWBS: its devices' accesses are coherent whatever attributes they
come with. For an emulated machine, which has no caches, that is true, and without
it Linux lets no guest have page tables of its own in the SMMU. And buses from 64 on
(where vm/run puts the device 'bare') go past the SMMU.

The layouts are those of ARM DEN 0049, I/O Remapping Table. Linux takes the table
out of the initramfs (Documentation/admin-guide/acpi/initrd_table_override.rst) in
place of one of the same names that is older.
"""
import struct
import sys

SMMU_BASE = 0x09050000
# Shared interrupts of the GIC: events, page requests, synchronization, errors
SMMU_IRQ = 32 + 74
BUSES_BEHIND_SMMU = 64

HEADER = struct.Struct("<4sIBB6s8sI4sI")
NODE = struct.Struct("<BHBIII")
MAPPING = struct.Struct("<IIIII")

ITS_GROUP, ROOT_COMPLEX, SMMUV3 = 0, 2, 4
COHERENT, CPM_DACS_CANWBS = 1, 7


def node(kind, revision, number, data, mappings=()):
    size = NODE.size + len(data)
    body = data + b"".join(MAPPING.pack(*m, 0) for m in mappings)
    return NODE.pack(kind, NODE.size + len(body), revision, number, len(mappings),
                     size if mappings else 0) + body


def table():
    its_at = HEADER.size + 12
    its = node(ITS_GROUP, 1, 0, struct.pack("<II", 1, 0))
    smmu_at = its_at + len(its)
    # (first ID, number of IDs - 1, first ID there, node)
    smmu = node(SMMUV3, 4, 1,
                struct.pack("<QIIQIIIIIII", SMMU_BASE, COHERENT, 0, 0, 0, SMMU_IRQ,
                            SMMU_IRQ + 1, SMMU_IRQ + 3, SMMU_IRQ + 2, 0, 1),
                [(0, 0xffff, 0, its_at)])
    border = BUSES_BEHIND_SMMU << 8
    root = node(ROOT_COMPLEX, 3, 2,
                struct.pack("<IBHBIIBHB", COHERENT, 0, 0, CPM_DACS_CANWBS, 0, 0, 64,
                            0, 0),
                [(0, border - 1, 0, smmu_at),
                 (border, 0xffff - border, border, its_at)])
    nodes = its + smmu + root
    size = its_at + len(nodes)

    def header(checksum):
        return HEADER.pack(b"IORT", size, 3, checksum, b"BOCHS ", b"BXPC    ", 2,
                           b"BXPC", 1)

    rest = struct.pack("<III", 3, its_at, 0) + nodes
    return header(-sum(header(0) + rest) & 0xff) + rest


sys.stdout.buffer.write(table())
