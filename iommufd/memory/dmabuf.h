/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-bufs as a source: device memory that its exporter lends out by file
 * descriptor.  Only with CONFIG_DMA_SHARED_BUFFER.
 */
#ifndef IOFD_MEMORY_DMABUF_H
#define IOFD_MEMORY_DMABUF_H

#include <linux/types.h>

#include "base/range.h"

struct device;
struct dma_buf;
struct dma_buf_attachment;
struct iofd_pages;

/*
 * Asks an exporter where a pinned buffer is; the reservation lock is held.  0,
 * and what was told holds until the importer's invalidation; -ENODEV the
 * memory is revoked; -EOPNOTSUPP not a buffer of this exporter, or not in one
 * piece.
 */
typedef int (*iofd_dmabuf_phys_fn)(struct dma_buf_attachment *attach,
				   struct phys_vec *phys);

struct iofd_pages *iofd_dmabuf_pages_create(struct dma_buf *dmabuf,
					    struct device *dev,
					    struct iofd_range range,
					    bool writable);
void iofd_dmabuf_set_exporter(iofd_dmabuf_phys_fn phys);

#endif
