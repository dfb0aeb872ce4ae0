// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the mock exporter
 *
 * dma-bufs that stand for memory of a device, to be taken away and given back
 * as the test says.  The memory is ordinary and zeroed; a test finds out that a
 * page table leads to it by mapping the buffer into itself, where revoking does
 * not reach it.
 *
 * Ordinary importers can attach, and get no DMA addresses.
 *
 * Lock: the buffer's reservation lock guards what changes.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "base/check.h"
#include "iommufd_test.h"
#include "memory/dmabuf.h"
#include "test/mock.h"

#define MAX_PAGES 512

/**
 * struct mock_dmabuf - a buffer
 * @memory: contiguous, but of single pages
 * @length: bytes, a multiple of PAGE_SIZE
 * @pins: importers that have pinned it
 * @revoked: importers may not use it
 */
struct mock_dmabuf {
	void *memory;
	size_t length;
	unsigned int pins;
	bool revoked;
};

static int mock_pin(struct dma_buf_attachment *attach)
{
	struct mock_dmabuf *mock = attach->dmabuf->priv;

	dma_resv_assert_held(attach->dmabuf->resv);
	if (iofd_fault())
		return -ENOMEM;
	mock->pins++;
	return 0;
}

static void mock_unpin(struct dma_buf_attachment *attach)
{
	struct mock_dmabuf *mock = attach->dmabuf->priv;

	dma_resv_assert_held(attach->dmabuf->resv);
	WARN_ON(!mock->pins--);
}

static struct sg_table *mock_map(struct dma_buf_attachment *attach,
				 enum dma_data_direction dir)
{
	return ERR_PTR(-EOPNOTSUPP);
}

/* dma-buf demands one; nothing was mapped. */
static void mock_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	WARN_ON(1);
}

static int mock_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct mock_dmabuf *mock = dmabuf->priv;
	unsigned long offset = vma->vm_pgoff << PAGE_SHIFT;
	unsigned long addr;
	int rc;

	/* dma-buf has checked that it lies within the buffer. */
	for (addr = vma->vm_start; addr != vma->vm_end; addr += PAGE_SIZE) {
		rc = vm_insert_page(vma, addr,
				    virt_to_page(mock->memory + offset));
		if (rc)
			return rc;
		offset += PAGE_SIZE;
	}
	return 0;
}

static void mock_release(struct dma_buf *dmabuf)
{
	struct mock_dmabuf *mock = dmabuf->priv;

	WARN_ON(mock->pins);
	free_pages_exact(mock->memory, mock->length);
	kfree(mock);
}

static const struct dma_buf_ops mock_ops = {
	.pin = mock_pin,
	.unpin = mock_unpin,
	.map_dma_buf = mock_map,
	.unmap_dma_buf = mock_unmap,
	.mmap = mock_mmap,
	.release = mock_release,
};

/* What iommufd asks of exporters it knows. */
static int mock_phys(struct dma_buf_attachment *attach, struct phys_vec *phys)
{
	struct mock_dmabuf *mock = attach->dmabuf->priv;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (attach->dmabuf->ops != &mock_ops)
		return -EOPNOTSUPP;
	if (mock->revoked)
		return -ENODEV;
	phys->paddr = virt_to_phys(mock->memory);
	phys->len = mock->length;
	return 0;
}

static struct dma_buf *mock_export(size_t length, int flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct mock_dmabuf *mock;
	struct dma_buf *dmabuf;

	mock = kzalloc_obj(*mock, GFP_KERNEL_ACCOUNT);
	if (!mock)
		return ERR_PTR(-ENOMEM);
	mock->length = length;
	mock->memory = alloc_pages_exact(length, GFP_KERNEL | __GFP_ZERO);
	if (!mock->memory) {
		dmabuf = ERR_PTR(-ENOMEM);
		goto err_mock;
	}

	info.ops = &mock_ops;
	info.size = length;
	info.flags = flags;
	info.priv = mock;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf))
		goto err_memory;
	return dmabuf;

err_memory:
	free_pages_exact(mock->memory, length);
err_mock:
	kfree(mock);
	return dmabuf;
}

/**
 * mock_dmabuf_get_ioctl - IOMMU_TEST_OP_DMABUF_GET
 * @ucmd: the ioctl
 *
 * Return: a file descriptor; -EINVAL no length, or more than 512 pages;
 * -ENOMEM; -EMFILE.
 */
int mock_dmabuf_get_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	size_t length = PAGE_ALIGN((size_t)cmd->dmabuf_get.length);
	struct dma_buf *dmabuf;
	int fd;

	if (!length || length > MAX_PAGES * PAGE_SIZE)
		return -EINVAL;

	dmabuf = mock_export(length, cmd->dmabuf_get.open_flags);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	fd = dma_buf_fd(dmabuf, cmd->dmabuf_get.open_flags);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

/**
 * mock_dmabuf_revoke_ioctl - IOMMU_TEST_OP_DMABUF_REVOKE
 * @ucmd: the ioctl
 *
 * Importers are told in both directions, as VFIO does.
 *
 * Return: 0; -EBADF, -EINVAL not a dma-buf; -EOPNOTSUPP not one of the mock.
 */
int mock_dmabuf_revoke_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct mock_dmabuf *mock;
	struct dma_buf *dmabuf;
	int rc = 0;

	dmabuf = dma_buf_get(cmd->dmabuf_revoke.dmabuf_fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	if (dmabuf->ops != &mock_ops) {
		rc = -EOPNOTSUPP;
		goto out;
	}
	mock = dmabuf->priv;
	dma_resv_lock(dmabuf->resv, NULL);
	mock->revoked = cmd->dmabuf_revoke.revoked;
	dma_buf_invalidate_mappings(dmabuf);
	dma_resv_unlock(dmabuf->resv);
out:
	dma_buf_put(dmabuf);
	return rc;
}

void __init mock_dmabuf_init(void)
{
	iofd_dmabuf_set_exporter(mock_phys);
}

void mock_dmabuf_exit(void)
{
	iofd_dmabuf_set_exporter(NULL);
}
