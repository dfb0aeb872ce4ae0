#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""make-disk.py <file> [sectors]: a disk image whose every sector is known.

Sector n (512 bytes) is the text "iommufd demo sector %08u\n" (29 bytes), and
from byte 29 on, byte i has the value (n * 31 + i * 7 + (n >> 8)) & 0xff.
"""
import os
import sys

path = sys.argv[1]
sectors = int(sys.argv[2]) if len(sys.argv) > 2 else 32768

# The pattern depends on n only through a start value modulo 256.
tails = [bytes((s + i * 7) & 0xFF for i in range(29, 512)) for s in range(256)]
with open(path + ".new", "wb") as out:
    for n in range(sectors):
        out.write(b"iommufd demo sector %08u\n" % n)
        out.write(tails[(n * 31 + (n >> 8)) & 0xFF])
os.rename(path + ".new", path)
