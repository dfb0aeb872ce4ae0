// SPDX-License-Identifier: GPL-2.0-only
/*
 * HWPT_SET_DIRTY_TRACKING, HWPT_GET_DIRTY_BITMAP, X_IOAS_UNMAP_DIRTY: what
 * devices have written. The mock's devices write by IOMMU_TEST_OP_DIRTY. The same by
 * way of VFIO's container is vfio_container.c's.
 */
#include "pt.h"

#define ENABLE IOMMU_HWPT_DIRTY_TRACKING_ENABLE
#define NO_CLEAR IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR
#define DIRTY IOMMU_HWPT_ALLOC_DIRTY_TRACKING
#define UNIT MOCK_PAGE_SIZE

static bool bit(const void *bits, unsigned long n)
{
	return ((const uint8_t *)bits)[n / 8] >> n % 8 & 1;
}

static void set_bit(void *bits, unsigned long n)
{
	((uint8_t *)bits)[n / 8] |= 1 << n % 8;
}

static unsigned long count(const void *bits, unsigned long bytes)
{
	unsigned long n = 0, i;

	for (i = 0; i < bytes * 8; i++)
		n += bit(bits, i);
	return n;
}

FIXTURE(dirty)
{
	int fd;
	uint32_t ioas, stdev, idev, hwpt, plain;
	char *buf;
	size_t length;
	/* 128 units of 2 KiB from T_BASE on, and room to see what is too much */
	uint8_t *bits;
};

FIXTURE_SETUP(dirty)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	/* Every 4 KiB an IOPTE of its own */
	ASSERT_EQ(0, t_huge_pages(self->fd, self->ioas, 0));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev, &self->plain,
			    &self->idev));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, DIRTY,
				  &self->hwpt));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->hwpt, NULL));
	self->length = 64 * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
	self->bits = calloc(1, 4096);
	ASSERT_NE(NULL, self->bits);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
}

FIXTURE_TEARDOWN(dirty)
{
	int fd;

	close(self->fd);
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, self->buf, self->length, 0));
	close(fd);
	free(self->bits);
}

/* Reads all of the buffer in units of 2 KiB, into clean bits. */
#define GET(flags) ({                                                       \
	memset(self->bits, 0, 4096);                                        \
	t_get_dirty(self->fd, self->hwpt, flags, T_BASE, self->length, UNIT, \
		    self->bits);                                            \
})

TEST_F(dirty, single_bits)
{
	unsigned long nr = self->length / UNIT, i;
	uint64_t written;
	uint8_t want[32] = {};

	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, ENABLE));
	for (i = 0; i < nr; i += 2)
		set_bit(want, i);
	ASSERT_EQ(0, t_dma_write(self->fd, self->hwpt, T_BASE, self->length,
				 UNIT, want, &written));
	EXPECT_EQ(nr / 2, written);

	/* Left, read and forgotten, nothing */
	ASSERT_EQ(0, GET(NO_CLEAR));
	EXPECT_EQ(0, memcmp(want, self->bits, sizeof(want)));
	EXPECT_EQ(nr / 2, count(self->bits, 4096));
	ASSERT_EQ(0, GET(0));
	EXPECT_EQ(0, memcmp(want, self->bits, sizeof(want)));
	ASSERT_EQ(0, GET(0));
	EXPECT_EQ(0, count(self->bits, 4096));

	/* Each by itself, and nothing beside it */
	for (i = 0; i < nr; i += 2) {
		ASSERT_EQ(0, t_dma_write_one(self->fd, self->hwpt,
					     T_BASE + i * UNIT));
		ASSERT_EQ(0, GET(0));
		ASSERT_EQ(1, count(self->bits, 4096));
		ASSERT_TRUE(bit(self->bits, i));
	}
}

/* A read is not recorded, and a write behind it is. */
TEST_F(dirty, reads)
{
	int fd = self->fd;

	ASSERT_EQ(0, t_set_dirty(fd, self->hwpt, ENABLE));
	ASSERT_EQ(0, t_dma_read(fd, self->hwpt, T_BASE + 4 * UNIT));
	ASSERT_EQ(0, GET(0));
	EXPECT_EQ(0, count(self->bits, 4096));
	ASSERT_EQ(0, t_dma_read(fd, self->hwpt, T_BASE + 4 * UNIT));
	ASSERT_EQ(0, t_dma_write_one(fd, self->hwpt, T_BASE + 4 * UNIT));
	ASSERT_EQ(0, GET(0));
	EXPECT_EQ(1, count(self->bits, 4096));
	EXPECT_TRUE(bit(self->bits, 4));

	EXPECT_EQ(ENOENT, t_dma_read(fd, self->hwpt, T_BASE + self->length));
	EXPECT_EQ(ENOENT, t_dma_read(fd, self->ioas, T_BASE));
	/* What was known of it goes with an area. */
	ASSERT_EQ(0, t_dma_read(fd, self->hwpt, T_BASE));
	ASSERT_EQ(0, t_unmap_all(fd, self->ioas, NULL));
	EXPECT_EQ(ENOENT, t_dma_write_one(fd, self->hwpt, T_BASE));
	EXPECT_EQ(ENOENT, t_dma_read(fd, self->hwpt, T_BASE));
}

TEST_F(dirty, parts_and_page_sizes)
{
	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, ENABLE));
	ASSERT_EQ(0, t_dma_write_one(self->fd, self->hwpt, T_BASE));
	ASSERT_EQ(0, t_dma_write_one(self->fd, self->hwpt,
				     T_BASE + 10 * T_PAGE));
	ASSERT_EQ(0, t_dma_write_one(self->fd, self->hwpt,
				     T_BASE + 63 * T_PAGE));

	/* Bits count from the first IOVA of the request. */
	ASSERT_EQ(0, t_get_dirty(self->fd, self->hwpt, NO_CLEAR,
				 T_BASE + 3 * T_PAGE, 20 * T_PAGE, T_PAGE,
				 self->bits));
	EXPECT_EQ(1, count(self->bits, 4096));
	EXPECT_TRUE(bit(self->bits, 7));

	/* One for 64 KiB; those that are set stay; any byte will do */
	memset(self->bits, 0, 4096);
	self->bits[100] = 0x80;
	ASSERT_EQ(0, t_get_dirty(self->fd, self->hwpt, NO_CLEAR, T_BASE,
				 self->length, 16 * T_PAGE, self->bits + 100));
	EXPECT_EQ(0x89, self->bits[100]);
	EXPECT_EQ(3, count(self->bits, 4096));

	/* Only what was asked for is forgotten. */
	memset(self->bits, 0, 4096);
	ASSERT_EQ(0, t_get_dirty(self->fd, self->hwpt, 0, T_BASE + T_PAGE,
				 62 * T_PAGE, T_PAGE, self->bits));
	EXPECT_EQ(1, count(self->bits, 4096));
	ASSERT_EQ(0, GET(0));
	EXPECT_EQ(2, count(self->bits, 4096));
	EXPECT_TRUE(bit(self->bits, 0));
	EXPECT_TRUE(bit(self->bits, 126));
}

TEST_F(dirty, page_size_that_is_no_power_of_two)
{
	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, ENABLE));
	ASSERT_EQ(0, t_dma_write_one(self->fd, self->hwpt,
				     T_BASE + 12 * T_PAGE));
	/* Taken as a mask the range fits it, and 4 KiB is what a bit is. */
	ASSERT_EQ(0, t_get_dirty(self->fd, self->hwpt, NO_CLEAR, T_BASE,
				 16 * T_PAGE, 5 * T_PAGE, self->bits));
	EXPECT_EQ(1, count(self->bits, 4096));
	EXPECT_TRUE(bit(self->bits, 12));
	EXPECT_EQ(EINVAL, t_get_dirty(self->fd, self->hwpt, 0, T_BASE,
				      12 * T_PAGE, 5 * T_PAGE, self->bits));
	EXPECT_EQ(EINVAL, t_get_dirty(self->fd, self->hwpt, 0,
				      T_BASE, 12 * T_PAGE, 12 * T_PAGE,
				      self->bits));
}

TEST_F(dirty, set)
{
	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, 0));
	EXPECT_EQ(EINVAL, t_dma_write_one(self->fd, self->hwpt, T_BASE));
	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, ENABLE));
	ASSERT_EQ(0, t_dma_write_one(self->fd, self->hwpt, T_BASE));
	/* Off, the record is there to be read; on, it begins anew. */
	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, 0));
	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, 0));
	ASSERT_EQ(0, GET(NO_CLEAR));
	EXPECT_EQ(1, count(self->bits, 4096));
	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, ENABLE));
	ASSERT_EQ(0, GET(NO_CLEAR));
	EXPECT_EQ(0, count(self->bits, 4096));
	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, ENABLE));

	EXPECT_EQ(EOPNOTSUPP, t_set_dirty(self->fd, 0, 2));
	EXPECT_EQ(EOPNOTSUPP, t_set_dirty(self->fd, self->hwpt, ENABLE | 2));
	EXPECT_EQ(ENOENT, t_set_dirty(self->fd, 0, ENABLE));
	EXPECT_EQ(ENOENT, t_set_dirty(self->fd, self->ioas, ENABLE));
	EXPECT_EQ(ENOENT, t_set_dirty(self->fd, self->idev, ENABLE));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0,
				  &self->plain));
	EXPECT_EQ(EOPNOTSUPP, t_set_dirty(self->fd, self->plain, ENABLE));
	EXPECT_EQ(EOPNOTSUPP, t_set_dirty(self->fd, self->plain, 0));
}

TEST_F(dirty, get_errors_in_order)
{
	const uint64_t top = -(uint64_t)T_PAGE;
	struct iommu_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd),
		.__reserved = 1,
	};
	uint32_t plain;
	int fd = self->fd;

	ASSERT_EQ(0, t_hwpt_alloc(fd, self->idev, self->ioas, 0, &plain));
	EXPECT_EQ(EOPNOTSUPP, t_call(fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd));
	EXPECT_EQ(EOPNOTSUPP, t_get_dirty(fd, 0, 2, 0, 0, 0, NULL));
	EXPECT_EQ(ENOENT, t_get_dirty(fd, 0, 0, top, 2 * T_PAGE, 0, NULL));
	EXPECT_EQ(ENOENT, t_get_dirty(fd, self->ioas, 0, 0, 0, 0, NULL));
	/* From here on the table that cannot: what comes last is not seen. */
	EXPECT_EQ(EOVERFLOW, t_get_dirty(fd, plain, 0, top + 1, 2 * T_PAGE, 0,
					 NULL));
	EXPECT_EQ(EOVERFLOW, t_get_dirty(fd, plain, 0, T_PAGE, UINT64_MAX, 0,
					 NULL));
	EXPECT_EQ(EINVAL, t_get_dirty(fd, plain, 0, 0, 0, T_PAGE, NULL));
	EXPECT_EQ(EINVAL, t_get_dirty(fd, plain, 0, T_BASE, 0, T_PAGE, NULL));
	EXPECT_EQ(EINVAL, t_get_dirty(fd, plain, 0, T_BASE + 1, T_PAGE, 1,
				      NULL));
	EXPECT_EQ(EINVAL, t_get_dirty(fd, plain, 0, T_BASE, T_PAGE - 1, 1,
				      NULL));
	EXPECT_EQ(EINVAL, t_get_dirty(fd, plain, 0, T_BASE, T_PAGE, 0, NULL));
	EXPECT_EQ(EINVAL, t_get_dirty(fd, plain, 0, T_BASE + T_PAGE, T_PAGE,
				      2 * T_PAGE, NULL));
	EXPECT_EQ(EINVAL, t_get_dirty(fd, plain, 0, T_BASE, T_PAGE,
				      2 * T_PAGE, NULL));
	EXPECT_EQ(EINVAL, t_get_dirty(fd, plain, 0, T_BASE, T_PAGE,
				      1UL << 63, NULL));
	EXPECT_EQ(EOPNOTSUPP, t_get_dirty(fd, plain, 0, T_BASE, T_PAGE, T_PAGE,
					  NULL));
	EXPECT_EQ(EFAULT, t_get_dirty(fd, self->hwpt, 0, T_BASE, T_PAGE, T_PAGE,
				      NULL));
	/* The very top can be asked for; nothing is there. */
	EXPECT_EQ(ENOENT, t_get_dirty(fd, self->hwpt, 0, top, T_PAGE, T_PAGE,
				      self->bits));
	EXPECT_EQ(ENOENT, t_get_dirty(fd, self->hwpt, 0, 0, T_PAGE, T_PAGE,
				      self->bits));
	EXPECT_EQ(0, count(self->bits, 4096));
}

TEST_F(dirty, holes)
{
	const uint64_t second = T_BASE + 128 * T_PAGE;

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      second));
	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, ENABLE));
	ASSERT_EQ(0, t_dma_write_one(self->fd, self->hwpt, T_BASE));
	ASSERT_EQ(0, t_dma_write_one(self->fd, self->hwpt, second));

	/* What is mapped is reported, on both sides, and forgotten. */
	EXPECT_EQ(ENOENT, t_get_dirty(self->fd, self->hwpt, 0, T_BASE - T_PAGE,
				      256 * T_PAGE, T_PAGE, self->bits));
	EXPECT_EQ(2, count(self->bits, 4096));
	EXPECT_TRUE(bit(self->bits, 1));
	EXPECT_TRUE(bit(self->bits, 129));
	EXPECT_EQ(0, GET(0));
	EXPECT_EQ(0, count(self->bits, 4096));
	/* A hole at either end only */
	EXPECT_EQ(ENOENT, t_get_dirty(self->fd, self->hwpt, 0, T_BASE - T_PAGE,
				      2 * T_PAGE, T_PAGE, self->bits));
	EXPECT_EQ(ENOENT, t_get_dirty(self->fd, self->hwpt, 0,
				      T_BASE + 63 * T_PAGE, 2 * T_PAGE, T_PAGE,
				      self->bits));
	/* Neighbours are no hole. */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE + 64 * T_PAGE));
	EXPECT_EQ(0, t_get_dirty(self->fd, self->hwpt, 0, T_BASE, 192 * T_PAGE,
				 T_PAGE, self->bits));
}

/* A record that is forgotten has to be made anew by the next write. */
TEST_F(dirty, written_again)
{
	const uint64_t page = T_BASE + 5 * T_PAGE;
	unsigned int i;

	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, ENABLE));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, t_dma_write_one(self->fd, self->hwpt, page));
		ASSERT_EQ(0, GET(NO_CLEAR));
		ASSERT_EQ(0, t_dma_write_one(self->fd, self->hwpt, page));
		ASSERT_EQ(0, GET(0));
		EXPECT_EQ(1, count(self->bits, 4096))
			TH_LOG("round %u", i);
	}
	/* So does switching on, which forgets too. */
	ASSERT_EQ(0, t_dma_write_one(self->fd, self->hwpt, page));
	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, ENABLE));
	ASSERT_EQ(0, t_dma_write_one(self->fd, self->hwpt, page));
	ASSERT_EQ(0, GET(0));
	EXPECT_EQ(1, count(self->bits, 4096));
}

TEST_F(dirty, unwritable_bitmap_keeps_the_record)
{
	char *cliff = t_cliff();
	uint8_t *end;

	ASSERT_NE(NULL, cliff);
	end = (uint8_t *)cliff + T_PAGE - 8;
	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, ENABLE));
	ASSERT_EQ(0, t_dma_write_one(self->fd, self->hwpt, T_BASE));
	ASSERT_EQ(0, t_dma_write_one(self->fd, self->hwpt,
				     T_BASE + 63 * T_PAGE));
	/* The bits of the last 32 pages have no room. */
	EXPECT_EQ(EFAULT, t_get_dirty(self->fd, self->hwpt, 0, T_BASE,
				      self->length, UNIT, end));
	EXPECT_EQ(0, t_get_dirty(self->fd, self->hwpt, 0, T_BASE, 32 * T_PAGE,
				 UNIT, end));
	EXPECT_EQ(1, count(end, 8));
	ASSERT_EQ(0, GET(0));
	EXPECT_EQ(1, count(self->bits, 4096));
	EXPECT_TRUE(bit(self->bits, 126));
}

/* A window of the bitmap is close to 2 MiB: 64 GiB of IOVA in 4 KiB pages. */
TEST_F(dirty, huge_ranges)
{
	struct iommu_hwpt_selftest data = {
		.pagetable_type = MOCK_IOMMUPT_HUGE,
	};
	const uint64_t length = 1UL << 38, far = 200UL << 30;
	const size_t bytes = length / T_PAGE / 8;
	uint32_t ioas, hwpt;
	uint8_t *bits;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &ioas));
	ASSERT_EQ(0, t_hwpt_full(self->fd, self->idev, ioas, DIRTY, 0,
				 IOMMU_HWPT_DATA_SELFTEST, &data, sizeof(data),
				 &hwpt));
	ASSERT_EQ(0, t_map_at(self->fd, ioas, self->buf, T_PAGE, 0));
	ASSERT_EQ(0, t_map_at(self->fd, ioas, self->buf, T_PAGE, far));
	ASSERT_EQ(0, t_map_at(self->fd, ioas, self->buf, T_PAGE,
			      length - T_PAGE));
	ASSERT_EQ(0, t_set_dirty(self->fd, hwpt, ENABLE));
	ASSERT_EQ(0, t_dma_write_one(self->fd, hwpt, 0));
	ASSERT_EQ(0, t_dma_write_one(self->fd, hwpt, far));
	ASSERT_EQ(0, t_dma_write_one(self->fd, hwpt, length - T_PAGE));

	bits = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, bits);
	EXPECT_EQ(ENOENT, t_get_dirty(self->fd, hwpt, NO_CLEAR, 0, length,
				      T_PAGE, bits));
	EXPECT_TRUE(bit(bits, 0));
	EXPECT_TRUE(bit(bits, far / T_PAGE));
	EXPECT_TRUE(bit(bits, bytes * 8 - 1));

	/* What lies in front of an unwritable window is read, no more. */
	bits[0] = 0;
	ASSERT_EQ(0, mprotect(bits + bytes - T_PAGE, T_PAGE, PROT_READ));
	EXPECT_EQ(EFAULT, t_get_dirty(self->fd, hwpt, 0, 0, length, T_PAGE,
				      bits));
	EXPECT_TRUE(bit(bits, 0));
	bits[0] = 0;
	EXPECT_EQ(0, t_get_dirty(self->fd, hwpt, 0, 0, T_PAGE, T_PAGE, bits));
	EXPECT_FALSE(bit(bits, 0));
	EXPECT_EQ(0, t_get_dirty(self->fd, hwpt, 0, length - T_PAGE, T_PAGE,
				 T_PAGE, bits));
	EXPECT_TRUE(bit(bits, 0));

	/* A length that all addresses would be beyond */
	EXPECT_EQ(EFAULT, t_get_dirty(self->fd, hwpt, 0, 0, 1UL << 63, T_PAGE,
				      bits));
	munmap(bits, bytes);
	close(self->fd);
	self->fd = t_open();
}

TEST_F(dirty, large_pages)
{
	struct iommu_hwpt_selftest data = {
		.pagetable_type = MOCK_IOMMUPT_HUGE,
	};
	uint32_t ioas, hwpt;
	uint8_t bits[256];
	void *huge;

	if (!t_reserve_hugetlb(1))
		SKIP(return, "no 2 MiB page to be had");
	huge = mmap(NULL, T_PMD, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE,
		    -1, 0);
	ASSERT_NE(MAP_FAILED, huge);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &ioas));
	ASSERT_EQ(0, t_hwpt_full(self->fd, self->idev, ioas, DIRTY, 0,
				 IOMMU_HWPT_DATA_SELFTEST, &data, sizeof(data),
				 &hwpt));
	ASSERT_EQ(0, t_map_at(self->fd, ioas, huge, T_PMD, T_PMD));
	ASSERT_EQ(0, t_set_dirty(self->fd, hwpt, ENABLE));
	ASSERT_EQ(0, t_dma_write_one(self->fd, hwpt,
				     T_PMD + MOCK_HUGE_PAGE_SIZE + UNIT));

	/* All of the 1 MiB that has one IOPTE, and nothing else */
	memset(bits, 0, sizeof(bits));
	ASSERT_EQ(0, t_get_dirty(self->fd, hwpt, NO_CLEAR, T_PMD, T_PMD, UNIT,
				 bits));
	EXPECT_EQ(0, count(bits, 64));
	EXPECT_EQ(512, count(bits + 64, 64));
	EXPECT_EQ(512, count(bits, sizeof(bits)));
	/* Clipped to the request */
	memset(bits, 0, sizeof(bits));
	ASSERT_EQ(0, t_get_dirty(self->fd, hwpt, NO_CLEAR,
				 T_PMD + MOCK_HUGE_PAGE_SIZE / 2,
				 MOCK_HUGE_PAGE_SIZE, UNIT, bits));
	EXPECT_EQ(256, count(bits + 32, 32));
	EXPECT_EQ(256, count(bits, sizeof(bits)));
	/* And so for who unmaps it */
	memset(bits, 0, sizeof(bits));
	ASSERT_EQ(0, t_unmap_dirty(self->fd, ioas, hwpt, T_PMD, T_PMD, UNIT,
				   bits, NULL));
	EXPECT_EQ(512, count(bits + 64, 64));
	EXPECT_EQ(512, count(bits, sizeof(bits)));
	munmap(huge, T_PMD);
}

TEST_F(dirty, mock_write_errors)
{
	const struct {
		uint64_t iova, length, page_size;
		int err;
	} cases[] = {
		{ T_BASE, T_PAGE, 0, EINVAL },
		{ T_BASE, 0, UNIT, EINVAL },
		{ T_BASE + 1, UNIT, UNIT, EINVAL },
		{ T_BASE, UNIT + 1, UNIT, EINVAL },
		{ 0, (1UL << 27) + 1, 1, EOVERFLOW },
	};
	uint8_t one = 1;
	uint32_t plain;
	unsigned int i;

	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0, &plain));
	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, ENABLE));
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		EXPECT_EQ(cases[i].err,
			  t_dma_write(self->fd, self->hwpt, cases[i].iova,
				      cases[i].length, cases[i].page_size,
				      &one, NULL));
	EXPECT_EQ(EINVAL, t_dma_write(self->fd, self->hwpt, T_BASE, T_PAGE,
				      UNIT, NULL, NULL));
	EXPECT_EQ(EFAULT, t_dma_write(self->fd, self->hwpt, T_BASE, T_PAGE,
				      UNIT, (void *)8, NULL));
	EXPECT_EQ(ENOENT, t_dma_write_one(self->fd, self->ioas, T_BASE));
	EXPECT_EQ(EINVAL, t_dma_write_one(self->fd, plain, T_BASE));
	EXPECT_EQ(ENOENT, t_dma_write_one(self->fd, self->hwpt,
					  T_BASE - T_PAGE));
}

static int map_readable(int fd, uint32_t ioas, void *va, size_t length,
			uint64_t iova)
{
	return t_map(fd, ioas, va, length, &iova,
		     IOMMU_IOAS_MAP_READABLE | T_FIXED);
}

TEST_F(dirty, read_only_is_never_dirty)
{
	ASSERT_EQ(0, map_readable(self->fd, self->ioas, self->buf,
				  4 * T_PAGE, T_BASE + 64 * T_PAGE));
	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, ENABLE));
	EXPECT_EQ(EACCES, t_dma_write_one(self->fd, self->hwpt,
					  T_BASE + 64 * T_PAGE));
	EXPECT_EQ(0, t_get_dirty(self->fd, self->hwpt, 0, T_BASE, 68 * T_PAGE,
				 T_PAGE, self->bits));
	EXPECT_EQ(0, count(self->bits, 4096));
}

/* Unmap and read */

TEST_F(dirty, unmap)
{
	const uint64_t second = T_BASE + 128 * T_PAGE;
	uint64_t unmapped;

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      second));
	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, ENABLE));
	ASSERT_EQ(0, t_dma_write_one(self->fd, self->hwpt,
				     T_BASE + 5 * T_PAGE));
	ASSERT_EQ(0, t_dma_write_one(self->fd, self->hwpt,
				     second + 63 * T_PAGE));
	/* Gaps are fine, as for IOAS_UNMAP. */
	ASSERT_EQ(0, t_unmap_dirty(self->fd, self->ioas, self->hwpt,
				   T_BASE - T_PAGE, 256 * T_PAGE, T_PAGE,
				   self->bits, &unmapped));
	EXPECT_EQ(2 * self->length, unmapped);
	EXPECT_EQ(2, count(self->bits, 4096));
	EXPECT_TRUE(bit(self->bits, 6));
	EXPECT_TRUE(bit(self->bits, 192));
	EXPECT_EQ(0, t_check_blocked(self->fd, self->hwpt, T_BASE,
				     256 * T_PAGE));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
	/* What comes after it at the same place begins clean. */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, GET(0));
	EXPECT_EQ(0, count(self->bits, 4096));
}

TEST_F(dirty, unmap_errors_in_order)
{
	struct iommu_x_ioas_unmap_dirty cmd = {
		.size = sizeof(cmd),
		.flags = 1,
	};
	const uint64_t top = -(uint64_t)T_PAGE;
	uint32_t other, stranger, plain, ioas = self->ioas, hwpt = self->hwpt;
	uint64_t unmapped;
	int fd = self->fd;

	ASSERT_EQ(0, t_hwpt_alloc(fd, self->idev, ioas, 0, &plain));
	ASSERT_EQ(0, t_ioas_alloc(fd, &other));
	ASSERT_EQ(0, t_hwpt_alloc(fd, self->idev, other, DIRTY, &stranger));
	EXPECT_EQ(EOPNOTSUPP, t_call(fd, IOMMU_X_IOAS_UNMAP_DIRTY, &cmd));
	EXPECT_EQ(ENOENT, t_unmap_dirty(fd, 0, hwpt, 0, 0, 0, NULL, NULL));
	EXPECT_EQ(ENOENT, t_unmap_dirty(fd, hwpt, hwpt, 0, 0, 0, NULL, NULL));
	EXPECT_EQ(ENOENT, t_unmap_dirty(fd, ioas, 0, 0, 0, 0, NULL, NULL));
	EXPECT_EQ(ENOENT, t_unmap_dirty(fd, ioas, ioas, 0, 0, 0, NULL, NULL));
	EXPECT_EQ(EINVAL, t_unmap_dirty(fd, ioas, stranger, top, 2 * T_PAGE, 0,
					NULL, NULL));
	EXPECT_EQ(EOVERFLOW, t_unmap_dirty(fd, ioas, plain, top, 2 * T_PAGE, 0,
					   NULL, NULL));
	EXPECT_EQ(EINVAL, t_unmap_dirty(fd, ioas, plain, T_BASE, 0, T_PAGE,
					NULL, NULL));
	EXPECT_EQ(EINVAL, t_unmap_dirty(fd, ioas, plain, T_BASE + 1, T_PAGE, 1,
					NULL, NULL));
	EXPECT_EQ(EINVAL, t_unmap_dirty(fd, ioas, plain, 0, UINT64_MAX, 1,
					NULL, NULL));
	EXPECT_EQ(EINVAL, t_unmap_dirty(fd, ioas, plain, T_BASE, T_PAGE, 0,
					NULL, NULL));
	EXPECT_EQ(EINVAL, t_unmap_dirty(fd, ioas, plain, T_BASE, T_PAGE,
					2 * T_PAGE, NULL, NULL));
	EXPECT_EQ(EOPNOTSUPP, t_unmap_dirty(fd, ioas, plain, T_BASE,
					    self->length, T_PAGE, NULL, NULL));
	EXPECT_EQ(EFAULT, t_unmap_dirty(fd, ioas, hwpt, T_BASE, self->length,
					T_PAGE, NULL, NULL));
	/* Nothing there, and a mapping cut at either end */
	EXPECT_EQ(ENOENT, t_unmap_dirty(fd, ioas, hwpt, top, T_PAGE, T_PAGE,
					self->bits, NULL));
	EXPECT_EQ(ENOENT, t_unmap_dirty(fd, ioas, hwpt, T_BASE + T_PAGE,
					64 * T_PAGE, T_PAGE, self->bits, NULL));
	EXPECT_EQ(ENOENT, t_unmap_dirty(fd, ioas, hwpt, T_BASE - T_PAGE,
					64 * T_PAGE, T_PAGE, self->bits,
					&unmapped));
	EXPECT_EQ(64 * T_PAGE, unmapped);
	EXPECT_EQ(0, count(self->bits, 4096));
	EXPECT_EQ(0, t_check_map(fd, hwpt, T_BASE, self->length, self->buf));
	/* After all that devices may still write. */
	ASSERT_EQ(0, t_set_dirty(fd, hwpt, ENABLE));
	EXPECT_EQ(0, t_dma_write_one(fd, hwpt, T_BASE));
}

TEST_F(dirty, unmap_with_unwritable_bitmap)
{
	char *cliff = t_cliff();

	ASSERT_NE(NULL, cliff);
	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, ENABLE));
	ASSERT_EQ(0, t_dma_write_one(self->fd, self->hwpt, T_BASE));
	EXPECT_EQ(EFAULT, t_unmap_dirty(self->fd, self->ioas, self->hwpt,
					T_BASE, self->length, UNIT,
					cliff + T_PAGE - 8, NULL));
	/* Nothing was unmapped, nothing forgotten, nothing is blocked. */
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE, self->length,
				 self->buf));
	EXPECT_EQ(0, t_dma_write_one(self->fd, self->hwpt,
				     T_BASE + 63 * T_PAGE));
	ASSERT_EQ(0, GET(0));
	EXPECT_EQ(2, count(self->bits, 4096));
}

TEST_F(dirty, unmap_of_pinned_memory)
{
	uint32_t item;
	int access;

	ASSERT_EQ(0, t_create_access(self->fd, self->ioas,
				     MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES,
				     &access));
	ASSERT_EQ(0, t_pin(self->fd, access, T_BASE, T_PAGE, NULL,
			   MOCK_FLAGS_ACCESS_WRITE, &item));
	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, ENABLE));
	ASSERT_EQ(0, t_dma_write_one(self->fd, self->hwpt,
				     T_BASE + 2 * T_PAGE));
	/* Of what writes through the page table alone is told. */
	EXPECT_EQ(0, t_unmap_dirty(self->fd, self->ioas, self->hwpt, T_BASE,
				   self->length, T_PAGE, self->bits, NULL));
	EXPECT_EQ(1, count(self->bits, 4096));
	EXPECT_EQ(ENOENT, t_unpin(self->fd, access, item));
	close(access);
}

/* Races */

/*
 * Writes until it is blocked; what succeeded is to be found in a bitmap. With a
 * seed it reads first, and by the time it writes the IOMMU has known for a while
 * that it may.
 */
static void *writer(void *arg)
{
	struct t_job *job = arg;
	int err;

	while (!t_stopped(job)) {
		if (job->seed) {
			err = t_dma_read(job->fd, job->hwpt, job->base);
			if (err && err != ENOENT)
				t_wrong(job, "read", err);
			usleep(t_random(&job->seed) % 200);
		}
		err = t_dma_write_one(job->fd, job->hwpt, job->base);
		if (!err)
			__atomic_store_n((bool *)job->buf, true,
					 __ATOMIC_SEQ_CST);
		else if (err != ENOENT && err != EACCES)
			t_wrong(job, "write", err);
		__atomic_fetch_add(&job->done, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

struct unmapper {
	char *va;
	struct t_job *writer;
	bool written;
	unsigned long seen, blank;
};

static void wait_for_step(struct t_job *job)
{
	unsigned long done = __atomic_load_n(&job->done, __ATOMIC_SEQ_CST);

	while (__atomic_load_n(&job->done, __ATOMIC_SEQ_CST) == done &&
	       !t_stopped(job))
		usleep(50);
}

/*
 * A write that has returned success before UNMAP_DIRTY was called, or while it
 * ran, has to be in the bitmap: after the call no write succeeds any more.
 */
static void *unmapper(void *arg)
{
	struct t_job *job = arg;
	struct unmapper *me = job->self;
	uint64_t bits;
	int err;

	while (!t_stopped(job)) {
		err = t_map_at(job->fd, job->ioas, me->va, T_PAGE, job->base);
		if (err) {
			t_wrong(job, "map", err);
			break;
		}
		if (t_random(&job->seed) % 2)
			usleep(t_random(&job->seed) % 200);
		bits = 0;
		err = t_unmap_dirty(job->fd, job->ioas, job->hwpt, job->base,
				    T_PAGE, T_PAGE, &bits, NULL);
		if (err) {
			t_wrong(job, "unmap", err);
			break;
		}
		/* One that was in time may not have been noted yet. */
		wait_for_step(me->writer);
		if (__atomic_exchange_n(&me->written, false,
					__ATOMIC_SEQ_CST)) {
			me->seen++;
			if (!bits)
				t_wrong(job, "a write was lost", 0);
		} else {
			me->blank++;
		}
		job->done++;
	}
	return NULL;
}

/* @job: of the writer; but for the seed, the unmapper's too */
static void unmap_and_write(struct __test_metadata *_metadata,
			    struct t_job job)
{
	const t_work_t work[] = { writer, unmapper };
	struct unmapper me = { .va = job.buf };
	struct t_job jobs[] = { job, job };
	bool stop = false;

	me.writer = &jobs[0];
	jobs[0].stop = &stop;
	jobs[0].buf = (char *)&me.written;
	jobs[1].stop = &stop;
	jobs[1].self = &me;
	jobs[1].seed = 20261121;
	ASSERT_EQ(0, t_set_dirty(job.fd, job.hwpt, ENABLE));
	t_run(_metadata, work, jobs, 2);
	TH_LOG("%lu times written before the unmap, %lu times not", me.seen,
	       me.blank);
	EXPECT_LT(0, me.seen);
}

TEST_F(dirty, unmap_loses_nothing)
{
	unmap_and_write(_metadata, (struct t_job){
		.fd = self->fd, .hwpt = self->hwpt, .ioas = self->ioas,
		.buf = self->buf, .base = T_BASE + 512 * T_PAGE,
	});
}

TEST_F(dirty, unmap_loses_no_write_behind_a_read)
{
	unmap_and_write(_metadata, (struct t_job){
		.fd = self->fd, .hwpt = self->hwpt, .ioas = self->ioas,
		.buf = self->buf, .base = T_BASE + 512 * T_PAGE,
		.seed = 20261123,
	});
}

/* Takes the bitmap away and gives it back. */
static void *protector(void *arg)
{
	struct t_job *job = arg;

	while (!t_stopped(job)) {
		mprotect(job->buf, T_PAGE, PROT_READ);
		usleep(t_random(&job->seed) % 100);
		mprotect(job->buf, T_PAGE, PROT_READ | PROT_WRITE);
		usleep(t_random(&job->seed) % 100);
		job->done++;
	}
	return NULL;
}

/* An unmap that has failed, however late, has changed nothing. */
static void *failing_unmapper(void *arg)
{
	struct t_job *job = arg;
	int err;

	while (!t_stopped(job)) {
		err = t_unmap_dirty(job->fd, job->ioas, job->hwpt, job->base,
				    64 * T_PAGE, T_PAGE, job->self, NULL);
		if (!err) {
			err = t_map_at(job->fd, job->ioas, job->buf,
				       64 * T_PAGE, job->base);
			job->done++;
		} else if (err == EFAULT) {
			err = t_dma_write_one(job->fd, job->hwpt,
					      job->base + 63 * T_PAGE);
			job->refused++;
		}
		if (err)
			t_wrong(job, "unmap, or what came after it", err);
	}
	return NULL;
}

TEST_F(dirty, unmap_with_vanishing_bitmap)
{
	const t_work_t work[] = { protector, failing_unmapper };
	char *bits = t_alloc(T_PAGE);
	bool stop = false;
	struct t_job jobs[] = {
		{ .buf = bits, .seed = 20261122, .stop = &stop },
		{ .fd = self->fd, .hwpt = self->hwpt, .ioas = self->ioas,
		  .base = T_BASE, .buf = self->buf, .self = bits,
		  .stop = &stop },
	};

	ASSERT_NE(NULL, bits);
	ASSERT_EQ(0, t_set_dirty(self->fd, self->hwpt, ENABLE));
	t_run(_metadata, work, jobs, 2);
	EXPECT_LT(0, jobs[1].refused);
}

static void *reader(void *arg)
{
	struct t_job *job = arg;
	uint64_t base = job->base - 64 * T_PAGE;
	unsigned int n = 0;
	uint8_t bits[64];

	/* In turn what is always mapped, and all that comes and goes */
	for (; !t_stopped(job); n++)
		t_expected(job, "read",
			   t_get_dirty(job->fd, job->hwpt, n / 2 % 2, base,
				       (n % 2 ? 512 : 64) * T_PAGE, T_PAGE,
				       bits));
	return NULL;
}

static void *switcher(void *arg)
{
	struct t_job *job = arg;

	while (!t_stopped(job))
		t_expected(job, "switch",
			   t_set_dirty(job->fd, job->hwpt, job->done % 2));
	return NULL;
}

/* Maps and unmaps whatever others do, in the middle of what they look at. */
static void *mapper(void *arg)
{
	struct t_job *job = arg;
	uint8_t bits[64];
	int err;

	while (!t_stopped(job)) {
		err = t_map_at(job->fd, job->ioas, job->buf, 16 * T_PAGE,
			       job->base);
		if (!t_expected(job, "map", err))
			break;
		if (job->done % 2)
			err = t_unmap(job->fd, job->ioas, job->base,
				      16 * T_PAGE, NULL);
		else
			err = t_unmap_dirty(job->fd, job->ioas, job->hwpt,
					    job->base, 16 * T_PAGE, T_PAGE,
					    bits, NULL);
		if (err)
			t_wrong(job, "unmap", err);
	}
	return NULL;
}

TEST_F(dirty, race)
{
	const t_work_t work[] = { reader, reader, switcher, mapper, mapper };
	struct t_job jobs[5] = {};
	bool stop = false;
	unsigned int i;

	for (i = 0; i < 5; i++)
		jobs[i] = (struct t_job){
			.fd = self->fd, .hwpt = self->hwpt, .ioas = self->ioas,
			.buf = self->buf, .stop = &stop,
			.base = T_BASE + (64 + (i == 4) * 32) * T_PAGE,
		};
	t_run(_metadata, work, jobs, 5);
}

TEST_HARNESS_MAIN
