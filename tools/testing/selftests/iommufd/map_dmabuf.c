// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_IOAS_MAP_FILE with dma-bufs: device memory that is not pinned and not
 * paid for, and that its exporter takes away. The exporter is the mock, whose
 * buffers can be mapped here as well, so that it can be seen where a page table
 * leads. With real devices: vfio_pci.c.
 */
#include <linux/dma-heap.h>
#include <pthread.h>

#include "util.h"

#define PAGES 16
#define MAX_PAGES 512

/* Bytes charged through @fd. */
static uint64_t charged(int fd)
{
	uint64_t val = 0;

	if (t_option(fd, IOMMU_X_OPTION_PINNED, IOMMU_OPTION_OP_GET, 0, &val))
		return UINT64_MAX;
	return val;
}

/* Does no page of the buffer at @va show in [@iova, +@length)? */
static bool is_hole(int fd, uint32_t hwpt, uint64_t iova, uint64_t length,
		    char *va)
{
	uint64_t offset;

	for (offset = 0; offset < length; offset += MOCK_PAGE_SIZE)
		if (t_check_map(fd, hwpt, iova + offset, MOCK_PAGE_SIZE,
				va + offset) != EINVAL)
			return false;
	return true;
}

FIXTURE(map_dmabuf)
{
	int fd, dmabuf;
	uint32_t ioas, lazy, stdev, hwpt, idev;
	size_t length;
	char *va;
	long pin, lck;
	int dmabufs;
};

FIXTURE_SETUP(map_dmabuf)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	self->dmabufs = t_dmabufs();
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->lazy));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev, &self->hwpt,
			    &self->idev));
	self->length = PAGES * T_PAGE;
	ASSERT_EQ(0, t_dmabuf(self->fd, self->length, O_RDWR | O_CLOEXEC,
			      &self->dmabuf));
	self->va = t_map_memfd(self->dmabuf, self->length);
	ASSERT_NE(NULL, self->va);
	self->pin = t_vmpin();
	self->lck = t_vmlck();
}

/* Whatever a test did, nothing was pinned or paid, and no buffer is left. */
FIXTURE_TEARDOWN(map_dmabuf)
{
	EXPECT_EQ(self->pin, t_vmpin());
	EXPECT_EQ(self->lck, t_vmlck());
	EXPECT_EQ(0, charged(self->fd));
	EXPECT_EQ(0, t_check_refs(self->fd, self->va, self->length, 0));
	munmap(self->va, self->length);
	close(self->dmabuf);
	close(self->fd);
	EXPECT_EQ(self->dmabufs, t_dmabufs());
}

TEST_F(map_dmabuf, exporter)
{
	int dmabuf, memfd;
	size_t i;

	EXPECT_EQ(EINVAL, t_dmabuf(self->fd, 0, O_RDWR, &dmabuf));
	EXPECT_EQ(EINVAL, t_dmabuf(self->fd, MAX_PAGES * T_PAGE + 1, O_RDWR,
				   &dmabuf));
	EXPECT_EQ(EINVAL, t_dmabuf(self->fd, UINT32_MAX, O_RDWR, &dmabuf));
	ASSERT_EQ(0, t_dmabuf(self->fd, T_PAGE + 1, O_RDWR, &dmabuf));
	EXPECT_EQ(2 * T_PAGE, lseek(dmabuf, 0, SEEK_END));
	EXPECT_EQ(0, fcntl(dmabuf, F_GETFD));
	close(dmabuf);
	ASSERT_EQ(0, t_dmabuf(self->fd, MAX_PAGES * T_PAGE, O_RDWR | O_CLOEXEC,
			      &dmabuf));
	EXPECT_EQ(FD_CLOEXEC, fcntl(dmabuf, F_GETFD));
	close(dmabuf);
	for (i = 0; i < self->length; i++)
		ASSERT_EQ(0, self->va[i]);

	memfd = t_memfd(T_PAGE);
	EXPECT_EQ(EBADF, t_dmabuf_revoke(self->fd, -1, true));
	EXPECT_EQ(EINVAL, t_dmabuf_revoke(self->fd, memfd, true));
	EXPECT_EQ(0, t_dmabuf_revoke(self->fd, self->dmabuf, true));
	EXPECT_EQ(0, t_dmabuf_revoke(self->fd, self->dmabuf, true));
	EXPECT_EQ(0, t_dmabuf_revoke(self->fd, self->dmabuf, false));
	close(memfd);
}

TEST_F(map_dmabuf, errors)
{
	uint64_t iova = T_BASE;
	int dmabuf = self->dmabuf;

	EXPECT_EQ(EOPNOTSUPP, t_map_file(self->fd, self->ioas, dmabuf, 0,
					 T_PAGE, &iova, T_RW | 8));
	EXPECT_EQ(EOVERFLOW, t_map_file(self->fd, self->ioas, dmabuf, 0,
					UINT64_MAX, &iova, T_RW));
	EXPECT_EQ(EINVAL, t_map_file(self->fd, self->ioas, dmabuf, 0, T_PAGE,
				     &iova, 0));
	EXPECT_EQ(ENOENT, t_map_file_at(self->fd, 0, dmabuf, 0, T_PAGE, T_BASE));
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->ioas, dmabuf, 0, 0, T_BASE));
	EXPECT_EQ(EOVERFLOW, t_map_file_at(self->fd, self->ioas, dmabuf, UINT64_MAX,
					   T_PAGE, T_BASE));

	/* Beyond the end: wholly, partly, by a byte, at the top; lazily too */
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->ioas, dmabuf, self->length,
					T_PAGE, T_BASE));
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->ioas, dmabuf, T_PAGE,
					self->length, T_BASE));
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->lazy, dmabuf, 0,
					self->length + 1, T_BASE));
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->lazy, dmabuf, 1, self->length,
					T_BASE));
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->lazy, dmabuf,
					UINT64_MAX - T_PAGE + 1, T_PAGE, T_BASE));
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->lazy, dmabuf, 0,
					UINT64_MAX - 1, T_BASE));

	/* Alignment is that of the address space, in all three. */
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->ioas, dmabuf, 1, T_PAGE,
					T_BASE));
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->ioas, dmabuf, 0, T_PAGE + 1,
					T_BASE));
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->ioas, dmabuf, 0, T_PAGE,
					T_BASE + 1));
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->ioas, dmabuf, 0, T_PAGE, 0));

	/* Nothing of all that is in the way. */
	EXPECT_EQ(0, t_map_file_at(self->fd, self->ioas, dmabuf, 0, self->length,
				   T_BASE));
	EXPECT_EQ(EEXIST, t_map_file_at(self->fd, self->ioas, dmabuf, 0, T_PAGE,
					T_BASE));
	EXPECT_EQ(0, t_map_file_at(self->fd, self->lazy, dmabuf, 1, self->length - 1,
				   T_BASE));
}

TEST_F(map_dmabuf, foreign_exporter)
{
	struct dma_heap_allocation_data cmd = {
		.len = 4 * T_PAGE,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	int heap = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);

	if (heap < 0)
		SKIP(return, "no /dev/dma_heap/system");
	ASSERT_EQ(0, t_call(heap, DMA_HEAP_IOCTL_ALLOC, &cmd));
	EXPECT_EQ(EOPNOTSUPP, t_map_file_at(self->fd, self->ioas, cmd.fd, 0, T_PAGE,
					    T_BASE));
	EXPECT_EQ(EOPNOTSUPP, t_map_file_at(self->fd, self->lazy, cmd.fd, 0, T_PAGE,
					    T_BASE));
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->lazy, cmd.fd, 0, 5 * T_PAGE,
					T_BASE));
	EXPECT_EQ(EOPNOTSUPP, t_dmabuf_revoke(self->fd, cmd.fd, true));
	close(cmd.fd);
	close(heap);
}

TEST_F(map_dmabuf, contents)
{
	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, self->dmabuf, 0,
				   self->length, T_BASE));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE, self->length,
				 self->va));
	/* Not pinned: there is nothing to pin in memory of a device. */
	EXPECT_EQ(0, t_check_refs(self->fd, self->va, self->length, 0));

	/* From the middle of a page to the middle of another */
	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, self->dmabuf,
				   T_PAGE + MOCK_PAGE_SIZE, 3 * T_PAGE,
				   T_BASE + T_PMD));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE + T_PMD,
				 3 * T_PAGE,
				 self->va + T_PAGE + MOCK_PAGE_SIZE));
	EXPECT_EQ(EINVAL, t_check_map(self->fd, self->hwpt,
				      T_BASE + T_PMD + 3 * T_PAGE,
				      MOCK_PAGE_SIZE, self->va + 4 * T_PAGE +
						      MOCK_PAGE_SIZE));
	EXPECT_EQ(EINVAL, t_check_map(self->fd, self->hwpt,
				      T_BASE + T_PMD - MOCK_PAGE_SIZE,
				      MOCK_PAGE_SIZE, self->va + T_PAGE));
	/* The last half of a page */
	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, self->dmabuf,
				   self->length - MOCK_PAGE_SIZE, MOCK_PAGE_SIZE,
				   T_BASE + 2 * T_PMD));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE + 2 * T_PMD,
				 MOCK_PAGE_SIZE,
				 self->va + self->length - MOCK_PAGE_SIZE));
}

TEST_F(map_dmabuf, automatic_iova)
{
	uint64_t iova;

	ASSERT_EQ(0, t_map_file(self->fd, self->ioas, self->dmabuf,
				MOCK_PAGE_SIZE, T_PAGE, &iova, T_RW));
	/* The offset in the buffer has the role of the address. */
	EXPECT_EQ(MOCK_PAGE_SIZE, iova % T_PAGE);
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, iova, T_PAGE,
				 self->va + MOCK_PAGE_SIZE));
}

TEST_F(map_dmabuf, page_by_page)
{
	ASSERT_EQ(0, t_huge_pages(self->fd, self->lazy, 0));
	ASSERT_EQ(0, t_map_file_at(self->fd, self->lazy, self->dmabuf, 0,
				   self->length, T_BASE));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->lazy,
				    &self->hwpt));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE, self->length,
				 self->va));
	ASSERT_EQ(0, t_dmabuf_revoke(self->fd, self->dmabuf, true));
	EXPECT_TRUE(is_hole(self->fd, self->hwpt, T_BASE, self->length,
			    self->va));
}

TEST_F(map_dmabuf, largest)
{
	size_t length = MAX_PAGES * T_PAGE;
	int dmabuf;
	char *va;

	ASSERT_EQ(0, t_dmabuf(self->fd, length, O_RDWR, &dmabuf));
	va = t_map_memfd(dmabuf, length);
	ASSERT_NE(NULL, va);
	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, dmabuf, 0, length, T_BASE));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE, length, va));
	ASSERT_EQ(0, t_dmabuf_revoke(self->fd, dmabuf, true));
	EXPECT_TRUE(is_hole(self->fd, self->hwpt, T_BASE, length, va));
	munmap(va, length);
	close(dmabuf);
}

/* Not a byte may be locked, and what is mapped is no byte of locked memory. */
TEST_F(map_dmabuf, nobody_pays)
{
	ASSERT_EQ(0, t_drop_cap(CAP_IPC_LOCK));
	ASSERT_EQ(0, t_memlock(0));
	ASSERT_EQ(0, t_map_file_at(self->fd, self->lazy, self->dmabuf, 0,
				   self->length, T_BASE));
	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, self->dmabuf, 0,
				   self->length, T_BASE));
	EXPECT_EQ(0, t_mock_replace(self->fd, self->stdev, self->lazy,
				    &self->hwpt));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE, self->length,
				 self->va));
	EXPECT_EQ(self->pin, t_vmpin());
	EXPECT_EQ(self->lck, t_vmlck());
	EXPECT_EQ(0, charged(self->fd));
	/* Ordinary memory would not do. */
	EXPECT_EQ(ENOMEM, t_map_at(self->fd, self->lazy, t_alloc(T_PAGE),
				   T_PAGE, T_BASE + T_PMD));
}

TEST_F(map_dmabuf, mapping_keeps_the_buffer)
{
	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, self->dmabuf, 0,
				   self->length, T_BASE));
	close(self->dmabuf);
	munmap(self->va, self->length);
	if (self->dmabufs >= 0)
		EXPECT_EQ(self->dmabufs + 1, t_dmabufs());
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(self->dmabufs, t_dmabufs());
	/* The teardown has to have something to look at. */
	ASSERT_EQ(0, t_dmabuf(self->fd, self->length, O_RDWR, &self->dmabuf));
	self->va = t_map_memfd(self->dmabuf, self->length);
	ASSERT_NE(NULL, self->va);
}

TEST_F(map_dmabuf, unmap)
{
	uint64_t length;

	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, self->dmabuf, 0,
				   self->length, T_BASE));
	EXPECT_EQ(ENOENT, t_unmap(self->fd, self->ioas, T_BASE,
				  self->length - T_PAGE, NULL));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, self->length,
			     &length));
	EXPECT_EQ(self->length, length);
	EXPECT_TRUE(is_hole(self->fd, self->hwpt, T_BASE, self->length,
			    self->va));
	EXPECT_EQ(ENOENT, t_unmap(self->fd, self->ioas, T_BASE, self->length,
				  NULL));
	/* Its end is nothing to the exporter. */
	EXPECT_EQ(0, t_dmabuf_revoke(self->fd, self->dmabuf, true));
}

/* Domains come and go; memory that is not revoked is in all of them. */
TEST_F(map_dmabuf, domains_of_a_live_buffer)
{
	uint32_t first, second;

	ASSERT_EQ(0, t_map_file_at(self->fd, self->lazy, self->dmabuf, 0,
				   self->length, T_BASE));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0, &first));
	EXPECT_EQ(0, t_check_map(self->fd, first, T_BASE, self->length,
				 self->va));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0,
				  &second));
	EXPECT_EQ(0, t_check_map(self->fd, second, T_BASE, self->length,
				 self->va));
	ASSERT_EQ(0, t_destroy(self->fd, first));
	EXPECT_EQ(0, t_check_map(self->fd, second, T_BASE, self->length,
				 self->va));
	ASSERT_EQ(0, t_destroy(self->fd, second));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->lazy,
				    &first));
	EXPECT_EQ(0, t_check_map(self->fd, first, T_BASE, self->length,
				 self->va));
	/* A second buffer, into both at once */
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0,
				  &second));
	ASSERT_EQ(0, t_map_file_at(self->fd, self->lazy, self->dmabuf, T_PAGE, T_PAGE,
				   T_BASE + T_PMD));
	EXPECT_EQ(0, t_check_map(self->fd, first, T_BASE + T_PMD, T_PAGE,
				 self->va + T_PAGE));
	EXPECT_EQ(0, t_check_map(self->fd, second, T_BASE + T_PMD, T_PAGE,
				 self->va + T_PAGE));
}

TEST_F(map_dmabuf, copy)
{
	uint64_t iova = T_BASE + T_PMD;

	ASSERT_EQ(0, t_map_file_at(self->fd, self->lazy, self->dmabuf, 0,
				   self->length, T_BASE));
	ASSERT_EQ(0, t_copy_at(self->fd, self->ioas, self->lazy,
			       T_BASE + 3 * T_PAGE, 4 * T_PAGE, T_BASE));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE, 4 * T_PAGE,
				 self->va + 3 * T_PAGE));
	/* The copy does without its source. */
	ASSERT_EQ(0, t_destroy(self->fd, self->lazy));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE, 4 * T_PAGE,
				 self->va + 3 * T_PAGE));
	ASSERT_EQ(0, t_copy_at(self->fd, self->ioas, self->ioas, T_BASE,
			       4 * T_PAGE, iova));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, iova, 4 * T_PAGE,
				 self->va + 3 * T_PAGE));

	/* It shares the end, and can still be copied. */
	ASSERT_EQ(0, t_dmabuf_revoke(self->fd, self->dmabuf, true));
	EXPECT_TRUE(is_hole(self->fd, self->hwpt, T_BASE, 4 * T_PAGE,
			    self->va + 3 * T_PAGE));
	EXPECT_TRUE(is_hole(self->fd, self->hwpt, iova, 4 * T_PAGE,
			    self->va + 3 * T_PAGE));
	ASSERT_EQ(0, t_dmabuf_revoke(self->fd, self->dmabuf, false));
	ASSERT_EQ(0, t_copy_at(self->fd, self->ioas, self->ioas, T_BASE,
			       4 * T_PAGE, iova + T_PMD));
	EXPECT_TRUE(is_hole(self->fd, self->hwpt, iova + T_PMD, 4 * T_PAGE,
			    self->va + 3 * T_PAGE));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, &iova));
	EXPECT_EQ(12 * T_PAGE, iova);
}

TEST_F(map_dmabuf, copy_of_read_only)
{
	uint64_t iova = T_BASE;

	ASSERT_EQ(0, t_map_file(self->fd, self->lazy, self->dmabuf, 0,
				self->length, &iova,
				T_FIXED | IOMMU_IOAS_MAP_READABLE));
	EXPECT_EQ(EPERM, t_copy_at(self->fd, self->ioas, self->lazy, T_BASE,
				   self->length, T_BASE));
	EXPECT_EQ(0, t_copy(self->fd, self->ioas, self->lazy, T_BASE,
			    self->length, &iova,
			    T_FIXED | IOMMU_IOAS_MAP_READABLE));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE, self->length,
				 self->va));
}

/* The CPU has no business in memory of a device. */
TEST_F(map_dmabuf, in_kernel_access)
{
	uint32_t ioas[] = { self->ioas, self->lazy };
	char data[8] = "unread";
	int access, reader;
	size_t i;

	memset(self->va, 0x55, self->length);
	for (i = 0; i < ARRAY_SIZE(ioas); i++) {
		ASSERT_EQ(0, t_map_file_at(self->fd, ioas[i], self->dmabuf, 0,
					   self->length, T_BASE));
		ASSERT_EQ(0, t_create_access(self->fd, ioas[i], 1, &access));
		ASSERT_EQ(0, t_create_access(self->fd, ioas[i], 0, &reader));
		EXPECT_EQ(EINVAL, t_pin(self->fd, access, T_BASE, T_PAGE, NULL,
					0, NULL));
		EXPECT_EQ(EINVAL, t_pin(self->fd, access, T_BASE, T_PAGE, NULL,
					MOCK_FLAGS_ACCESS_WRITE, NULL));
		EXPECT_EQ(EINVAL, t_access_rw(self->fd, reader, T_BASE, data,
					      sizeof(data), 0));
		EXPECT_EQ(EINVAL, t_access_rw(self->fd, reader, T_BASE, data,
					      sizeof(data),
					      MOCK_ACCESS_RW_SLOW_PATH));
		EXPECT_EQ(EINVAL, t_access_rw(self->fd, reader, T_BASE, data,
					      sizeof(data),
					      MOCK_ACCESS_RW_WRITE));
		EXPECT_STREQ("unread", data);
		EXPECT_EQ(0x55, self->va[0]);
		/* What was refused is not in the way. */
		EXPECT_EQ(0, t_unmap(self->fd, ioas[i], T_BASE, self->length,
				     NULL));
		close(access);
		close(reader);
	}
}

TEST_F(map_dmabuf, revoked_cannot_be_mapped)
{
	ASSERT_EQ(0, t_dmabuf_revoke(self->fd, self->dmabuf, true));
	EXPECT_EQ(ENODEV, t_map_file_at(self->fd, self->ioas, self->dmabuf, 0,
					self->length, T_BASE));
	EXPECT_EQ(ENODEV, t_map_file_at(self->fd, self->lazy, self->dmabuf, 0,
					self->length, T_BASE));
	ASSERT_EQ(0, t_dmabuf_revoke(self->fd, self->dmabuf, false));
	EXPECT_EQ(0, t_map_file_at(self->fd, self->ioas, self->dmabuf, 0,
				   self->length, T_BASE));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE, self->length,
				 self->va));
}

/* What has to hold of an area after a revoke, in whatever domains. */
static void check_revoked(struct __test_metadata *_metadata,
			  struct _test_data_map_dmabuf *self, uint32_t ioas,
			  const uint32_t *hwpts, size_t num)
{
	char *mem = t_alloc(T_PAGE);
	uint64_t length = 0;
	int revoked;
	size_t i;

	ASSERT_NE(NULL, mem);
	/* It stays what it is when the exporter allows access again. */
	for (revoked = 1; revoked >= 0; revoked--) {
		ASSERT_EQ(0, t_dmabuf_revoke(self->fd, self->dmabuf, revoked));
		for (i = 0; i < num; i++)
			EXPECT_TRUE(is_hole(self->fd, hwpts[i], T_BASE,
					    self->length, self->va));
		/* The address is taken. */
		EXPECT_EQ(EEXIST, t_map_at(self->fd, ioas, mem, T_PAGE,
					   T_BASE + T_PAGE));
		EXPECT_EQ(revoked ? ENODEV : EEXIST,
			  t_map_file_at(self->fd, ioas, self->dmabuf, 0, T_PAGE,
					T_BASE + T_PAGE));
	}
	munmap(mem, T_PAGE);

	/* A new mapping works, beside it and in its place. */
	ASSERT_EQ(0, t_map_file_at(self->fd, ioas, self->dmabuf, 0, self->length,
				   T_BASE + T_PMD));
	for (i = 0; i < num; i++) {
		EXPECT_EQ(0, t_check_map(self->fd, hwpts[i], T_BASE + T_PMD,
					 self->length, self->va));
		EXPECT_TRUE(is_hole(self->fd, hwpts[i], T_BASE, self->length,
				    self->va));
	}
	ASSERT_EQ(0, t_unmap(self->fd, ioas, T_BASE, self->length, &length));
	EXPECT_EQ(self->length, length);
	ASSERT_EQ(0, t_map_file_at(self->fd, ioas, self->dmabuf, 0, self->length,
				   T_BASE));
	for (i = 0; i < num; i++)
		EXPECT_EQ(0, t_check_map(self->fd, hwpts[i], T_BASE,
					 self->length, self->va));
}

TEST_F(map_dmabuf, revoke_with_no_domain)
{
	uint32_t hwpt;

	ASSERT_EQ(0, t_map_file_at(self->fd, self->lazy, self->dmabuf, 0,
				   self->length, T_BASE));
	check_revoked(_metadata, self, self->lazy, NULL, 0);
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0, &hwpt));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, T_BASE, self->length,
				 self->va));
}

TEST_F(map_dmabuf, revoke_with_one_domain)
{
	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, self->dmabuf, 0,
				   self->length, T_BASE));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE, self->length,
				 self->va));
	check_revoked(_metadata, self, self->ioas, &self->hwpt, 1);
}

TEST_F(map_dmabuf, revoke_with_two_domains)
{
	uint32_t hwpts[2] = { self->hwpt };

	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0,
				  &hwpts[1]));
	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, self->dmabuf, 0,
				   self->length, T_BASE));
	check_revoked(_metadata, self, self->ioas, hwpts, 2);
}

/* One buffer in two address spaces, once by a copy and once by a map. */
TEST_F(map_dmabuf, revoke_in_two_address_spaces)
{
	uint32_t third, hwpt[2];

	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, self->dmabuf, 0,
				   self->length, T_BASE));
	ASSERT_EQ(0, t_copy_at(self->fd, self->lazy, self->ioas, T_BASE,
			       self->length, T_BASE + T_PMD));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &third));
	ASSERT_EQ(0, t_map_file_at(self->fd, third, self->dmabuf, 0, self->length,
				   T_BASE));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0,
				  &hwpt[0]));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, third, 0, &hwpt[1]));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt[0], T_BASE + T_PMD,
				 self->length, self->va));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt[1], T_BASE, self->length,
				 self->va));
	ASSERT_EQ(0, t_dmabuf_revoke(self->fd, self->dmabuf, true));
	EXPECT_TRUE(is_hole(self->fd, self->hwpt, T_BASE, self->length,
			    self->va));
	EXPECT_TRUE(is_hole(self->fd, hwpt[0], T_BASE + T_PMD, self->length,
			    self->va));
	EXPECT_TRUE(is_hole(self->fd, hwpt[1], T_BASE, self->length,
			    self->va));
}

/* The hole is a hole for domains that come later, and only that is. */
TEST_F(map_dmabuf, domains_after_the_revoke)
{
	char *mem = t_alloc(4 * T_PAGE);
	uint32_t first, second;
	uint64_t length;
	char *va;
	int dmabuf;

	ASSERT_NE(NULL, mem);
	ASSERT_EQ(0, t_dmabuf(self->fd, 4 * T_PAGE, O_RDWR, &dmabuf));
	va = t_map_memfd(dmabuf, 4 * T_PAGE);
	ASSERT_NE(NULL, va);

	/* Neighbours on both sides: ordinary memory, another buffer */
	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, mem, 4 * T_PAGE, T_BASE));
	ASSERT_EQ(0, t_map_file_at(self->fd, self->lazy, self->dmabuf, 0,
				   self->length, T_BASE + 4 * T_PAGE));
	ASSERT_EQ(0, t_map_file_at(self->fd, self->lazy, dmabuf, 0, 4 * T_PAGE,
				   T_BASE + 4 * T_PAGE + self->length));
	ASSERT_EQ(0, t_dmabuf_revoke(self->fd, self->dmabuf, true));

	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0, &first));
	ASSERT_EQ(0, t_dmabuf_revoke(self->fd, self->dmabuf, false));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0,
				  &second));
	EXPECT_TRUE(is_hole(self->fd, first, T_BASE + 4 * T_PAGE, self->length,
			    self->va));
	EXPECT_TRUE(is_hole(self->fd, second, T_BASE + 4 * T_PAGE,
			    self->length, self->va));
	EXPECT_EQ(0, t_check_map(self->fd, first, T_BASE, 4 * T_PAGE, mem));
	EXPECT_EQ(0, t_check_map(self->fd, second, T_BASE, 4 * T_PAGE, mem));
	EXPECT_EQ(0, t_check_map(self->fd, second, T_BASE + 4 * T_PAGE +
						   self->length,
				 4 * T_PAGE, va));

	ASSERT_EQ(0, t_destroy(self->fd, first));
	ASSERT_EQ(0, t_destroy(self->fd, second));
	/* With a device, by way of attach */
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->lazy,
				    &first));
	EXPECT_TRUE(is_hole(self->fd, first, T_BASE + 4 * T_PAGE, self->length,
			    self->va));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->lazy, &length));
	EXPECT_EQ(8 * T_PAGE + self->length, length);
	munmap(va, 4 * T_PAGE);
	close(dmabuf);
}

/* Mapped and revoked many times over: each mapping has its own end. */
TEST_F(map_dmabuf, generations)
{
	uint64_t iova = T_BASE, length;
	unsigned int i;

	for (i = 0; i < 8; i++, iova += T_PMD) {
		ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, self->dmabuf, 0,
					   self->length, iova));
		EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, iova,
					 self->length, self->va));
		if (i % 2)
			ASSERT_EQ(0, t_dmabuf_revoke(self->fd, self->dmabuf,
						     true));
		/* Allowing what is allowed is an invalidation as well. */
		ASSERT_EQ(0, t_dmabuf_revoke(self->fd, self->dmabuf, false));
		EXPECT_TRUE(is_hole(self->fd, self->hwpt, iova, self->length,
				    self->va));
	}
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, &length));
	EXPECT_EQ(8 * self->length, length);
}

TEST_F(map_dmabuf, close_with_mappings)
{
	int fd = t_open();
	uint32_t ioas;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, t_ioas_alloc(fd, &ioas));
	ASSERT_EQ(0, t_mock(fd, ioas, NULL, NULL, NULL));
	ASSERT_EQ(0, t_map_file_at(fd, ioas, self->dmabuf, 0, self->length, T_BASE));
	ASSERT_EQ(0, t_dmabuf_revoke(self->fd, self->dmabuf, true));
	ASSERT_EQ(0, t_dmabuf_revoke(self->fd, self->dmabuf, false));
	ASSERT_EQ(0, t_map_file_at(fd, ioas, self->dmabuf, 0, self->length,
				   T_BASE + T_PMD));
	ASSERT_EQ(0, t_map_file_at(fd, ioas, self->dmabuf, 0, self->length,
				   T_BASE + 2 * T_PMD));
	close(fd);
	/* Nobody is left to be told. */
	ASSERT_EQ(0, t_dmabuf_revoke(self->fd, self->dmabuf, true));
}

/* Races with the revoke */

#define SECONDS 4
#define SLOTS 4

struct job {
	struct _test_data_map_dmabuf *self;
	uint64_t seed;
	bool *stop;
	unsigned long done, refused;
	/* The first answer that can't be right */
	int wrong;
	const char *where;
};

static bool stopped(struct job *job)
{
	return __atomic_load_n(job->stop, __ATOMIC_RELAXED) || job->where;
}

static void wrong(struct job *job, const char *where, int err)
{
	job->wrong = err;
	job->where = where;
}

static uint64_t slot_iova(unsigned int slot)
{
	return T_BASE + slot * T_PMD;
}

/* Maps and unmaps its slot; all that can be in the way is the revoke. */
static void *race_map(void *arg)
{
	struct job *job = arg;
	struct _test_data_map_dmabuf *self = job->self;
	uint64_t iova = slot_iova(job->seed), length;
	int err;

	while (!stopped(job)) {
		err = t_map_file_at(self->fd, self->ioas, self->dmabuf, 0,
				    self->length, iova);
		if (err == ENODEV) {
			job->refused++;
			continue;
		}
		if (err)
			wrong(job, "map", err);
		err = t_check_map(self->fd, self->hwpt, iova, self->length,
				  self->va);
		if (err && err != EINVAL)
			wrong(job, "check", err);
		err = t_unmap(self->fd, self->ioas, iova, self->length,
			      &length);
		if (err || length != self->length)
			wrong(job, "unmap", err);
		if (!is_hole(self->fd, self->hwpt, iova, T_PAGE, self->va))
			wrong(job, "mapped after unmap", 0);
		job->done++;
	}
	return NULL;
}

/* Domains that come and go */
static void *race_domains(void *arg)
{
	struct job *job = arg;
	struct _test_data_map_dmabuf *self = job->self;
	uint32_t hwpt;
	int err;

	while (!stopped(job)) {
		err = t_hwpt_alloc(self->fd, self->idev, self->ioas, 0, &hwpt);
		if (err) {
			wrong(job, "hwpt_alloc", err);
			break;
		}
		err = t_destroy(self->fd, hwpt);
		if (err)
			wrong(job, "destroy", err);
		job->done++;
	}
	return NULL;
}

/* Copies of whatever the first slot has */
static void *race_copy(void *arg)
{
	struct job *job = arg;
	struct _test_data_map_dmabuf *self = job->self;
	uint64_t iova = slot_iova(SLOTS), length;
	int err;

	while (!stopped(job)) {
		err = t_copy_at(self->fd, self->ioas, self->ioas, slot_iova(0),
				self->length, iova);
		if (err == ENOENT) {
			job->refused++;
			continue;
		}
		if (err)
			wrong(job, "copy", err);
		err = t_unmap(self->fd, self->ioas, iova, self->length,
			      &length);
		if (err || length != self->length)
			wrong(job, "unmap of the copy", err);
		job->done++;
	}
	return NULL;
}

/* Contexts that are closed with the buffer mapped */
static void *race_close(void *arg)
{
	struct job *job = arg;
	struct _test_data_map_dmabuf *self = job->self;
	uint32_t ioas;
	int fd, err;

	while (!stopped(job)) {
		fd = t_open();
		err = t_ioas_alloc(fd, &ioas) ?:
		      t_mock(fd, ioas, NULL, NULL, NULL);
		if (err) {
			wrong(job, "setup", err);
			break;
		}
		err = t_map_file_at(fd, ioas, self->dmabuf, 0, self->length, T_BASE);
		if (err && err != ENODEV)
			wrong(job, "map", err);
		job->refused += err == ENODEV;
		close(fd);
		job->done++;
	}
	return NULL;
}

/* While it is revoked nothing of it shows anywhere. */
static void *race_revoke(void *arg)
{
	struct job *job = arg;
	struct _test_data_map_dmabuf *self = job->self;
	unsigned int slot, i;
	int err;

	while (!stopped(job)) {
		err = t_dmabuf_revoke(self->fd, self->dmabuf, true);
		if (err)
			wrong(job, "revoke", err);
		slot = t_random(&job->seed) % (SLOTS + 1);
		if (!is_hole(self->fd, self->hwpt, slot_iova(slot),
			     self->length, self->va))
			wrong(job, "mapped after revoke", slot);
		/* Nor does a map come late that was on its way. */
		for (i = 0; i < 10 * SLOTS; i++) {
			slot = i % SLOTS;
			if (!is_hole(self->fd, self->hwpt, slot_iova(slot),
				     MOCK_PAGE_SIZE, self->va))
				wrong(job, "mapped while revoked", slot);
		}
		err = t_dmabuf_revoke(self->fd, self->dmabuf, false);
		if (err)
			wrong(job, "allow", err);
		/* Sometimes long enough for the others to get through */
		usleep(t_random(&job->seed) % 10000);
		job->done++;
	}
	return NULL;
}

TEST_F(map_dmabuf, races)
{
	void *(*work[])(void *) = {
		race_map, race_map, race_map, race_map, race_domains,
		race_copy, race_close, race_revoke,
	};
	pthread_t threads[ARRAY_SIZE(work)];
	struct job jobs[ARRAY_SIZE(work)];
	uint64_t length;
	bool stop = false;
	uint32_t hwpt;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(work); i++) {
		jobs[i] = (struct job){ .self = self, .seed = i,
					.stop = &stop };
		if (work[i] == race_revoke)
			jobs[i].seed = 4711;
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, work[i],
					    &jobs[i]));
	}
	sleep(SECONDS);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < ARRAY_SIZE(work); i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(NULL, jobs[i].where)
			TH_LOG("thread %zu: %s: %d", i, jobs[i].where,
			       jobs[i].wrong);
		EXPECT_LT(0, jobs[i].done);
		TH_LOG("thread %zu: %lu times, %lu refused", i, jobs[i].done,
		       jobs[i].refused);
	}

	/* After all that it works as at the beginning. */
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, &length));
	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, self->dmabuf, 0,
				   self->length, T_BASE));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0, &hwpt));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE, self->length,
				 self->va));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, T_BASE, self->length,
				 self->va));
}

TEST_HARNESS_MAIN
