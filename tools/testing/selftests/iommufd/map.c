// SPDX-License-Identifier: GPL-2.0-only
/*
 * MAP, COPY and UNMAP. Every test runs on an address space without a page table
 * (lazy: nothing is pinned), with one, with two, and with one while the kernel's
 * temporary memory is down to a few bytes, which cuts all pinning into pieces.
 *
 * After each test the file is closed and the buffer must have no pin left.
 */
#include "util.h"

#define BUF_PAGES 64

FIXTURE(map)
{
	int fd;
	uint32_t ioas;
	uint32_t stdev[2];
	uint32_t hwpt[2];
	/* Can hold a mapping of other devices' address space, too */
	char *buf;
	size_t length;
};

FIXTURE_VARIANT(map)
{
	unsigned int domains;
	uint32_t temp_limit;
};

FIXTURE_VARIANT_ADD(map, lazy)
{
	.domains = 0,
	.temp_limit = T_TEMP_LIMIT_DEFAULT,
};

FIXTURE_VARIANT_ADD(map, one_domain)
{
	.domains = 1,
	.temp_limit = T_TEMP_LIMIT_DEFAULT,
};

FIXTURE_VARIANT_ADD(map, two_domains)
{
	.domains = 2,
	.temp_limit = T_TEMP_LIMIT_DEFAULT,
};

FIXTURE_VARIANT_ADD(map, little_memory)
{
	.domains = 1,
	.temp_limit = 16,
};

FIXTURE_SETUP(map)
{
	uint32_t idev, hwpt;
	unsigned int i;

	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_temp_limit(self->fd, variant->temp_limit));
	for (i = 0; i < variant->domains; i++) {
		ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev[i],
				    &self->hwpt[i], &idev));
		if (!i)
			continue;
		/* The second device would share the automatic page table. */
		ASSERT_EQ(0, t_hwpt_alloc(self->fd, idev, self->ioas, 0,
					  &hwpt));
		ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev[i], hwpt,
					    &self->hwpt[i]));
		ASSERT_EQ(hwpt, self->hwpt[i]);
		ASSERT_NE(self->hwpt[0], self->hwpt[i]);
	}
	self->length = BUF_PAGES * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
}

FIXTURE_TEARDOWN(map)
{
	int fd;

	if (self->fd < 0)
		return;
	t_temp_limit(self->fd, T_TEMP_LIMIT_DEFAULT);
	close(self->fd);
	if (!self->buf)
		return;
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, self->buf, self->length, 0));
	close(fd);
}

/* Is [@iova, +@length) mapped to @va in all page tables? */
#define CHECK_MAP(iova, length, va)                                      \
	do {                                                             \
		unsigned int i_;                                         \
									 \
		for (i_ = 0; i_ < variant->domains; i_++)                \
			EXPECT_EQ(0, t_check_map(self->fd, self->hwpt[i_], \
						 iova, length, va))      \
				TH_LOG("domain %u", i_);                 \
	} while (0)

#define CHECK_NOT_MAPPED(iova, va)                                       \
	do {                                                             \
		unsigned int i_;                                         \
									 \
		for (i_ = 0; i_ < variant->domains; i_++)                \
			EXPECT_EQ(EINVAL,                                \
				  t_check_map(self->fd, self->hwpt[i_],  \
					      iova, MOCK_PAGE_SIZE, va)) \
				TH_LOG("domain %u", i_);                 \
	} while (0)

/* Pins per page once it is mapped @n times */
#define CHECK_REFS(va, length, n)                                        \
	EXPECT_EQ(0, t_check_refs(self->fd, va, length,                  \
				  variant->domains ? (n) : 0))

TEST_F(map, fixed)
{
	uint64_t done = 0;

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	CHECK_MAP(T_BASE, self->length, self->buf);
	CHECK_REFS(self->buf, self->length, 1);
	CHECK_NOT_MAPPED(T_BASE + self->length, self->buf);

	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, self->length,
			     &done));
	EXPECT_EQ(self->length, done);
	CHECK_NOT_MAPPED(T_BASE, self->buf);
	CHECK_NOT_MAPPED(T_BASE + self->length - MOCK_PAGE_SIZE,
			 self->buf + self->length - MOCK_PAGE_SIZE);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
}

TEST_F(map, automatic)
{
	uint64_t iova[BUF_PAGES], done;
	unsigned int i;

	for (i = 0; i < BUF_PAGES; i++) {
		ASSERT_EQ(0, t_map_any(self->fd, self->ioas,
				       self->buf + i * T_PAGE, T_PAGE,
				       &iova[i]));
		EXPECT_EQ(0, iova[i] % T_PAGE);
		EXPECT_NE(0, iova[i]);
		if (i)
			EXPECT_EQ(iova[i - 1] + T_PAGE, iova[i]);
	}
	for (i = 0; i < BUF_PAGES; i++)
		CHECK_MAP(iova[i], T_PAGE, self->buf + i * T_PAGE);
	CHECK_REFS(self->buf, self->length, 1);

	/* A hole is found again, the lowest first. */
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova[9], T_PAGE, &done));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova[5], T_PAGE, &done));
	ASSERT_EQ(0, t_map_any(self->fd, self->ioas, self->buf, T_PAGE,
			       &iova[0]));
	EXPECT_EQ(iova[5], iova[0]);
	ASSERT_EQ(0, t_map_any(self->fd, self->ioas, self->buf, T_PAGE,
			       &iova[0]));
	EXPECT_EQ(iova[9], iova[0]);
	CHECK_REFS(self->buf, T_PAGE, 3);
}

TEST_F(map, lengths)
{
	static const unsigned int pages[] = { 1, 2, 3, 15, 16, 17, 31, 33, 63 };
	uint64_t iova = T_BASE;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf,
				      pages[i] * T_PAGE, iova));
		CHECK_MAP(iova, pages[i] * T_PAGE, self->buf);
		CHECK_REFS(self->buf, pages[i] * T_PAGE, 1);
		ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova,
				     pages[i] * T_PAGE, NULL));
		EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length,
					  0));
		iova += 1000 * T_PAGE;
	}
}

TEST_F(map, thousands_of_pages)
{
	size_t length = 2500 * T_PAGE;
	char *buf = t_alloc(length);
	uint64_t done;

	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, buf, length, T_BASE));
	CHECK_MAP(T_BASE, length, buf);
	CHECK_REFS(buf, length, 1);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, &done));
	EXPECT_EQ(length, done);
	EXPECT_EQ(0, t_check_refs(self->fd, buf, length, 0));
}

TEST_F(map, thousands_of_mappings)
{
	const unsigned int count = 2000;
	uint64_t iova, done, total = 0;
	unsigned int i;

	for (i = 0; i < count; i++)
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas,
				      self->buf + i % BUF_PAGES * T_PAGE,
				      MOCK_PAGE_SIZE,
				      T_BASE + i * 7 % count * T_PAGE));
	CHECK_REFS(self->buf, 16 * T_PAGE, count / BUF_PAGES + 1);
	/* All places but the half pages between are taken. */
	for (i = 0; i < count; i += 97)
		EXPECT_EQ(EEXIST, t_map_at(self->fd, self->ioas, self->buf,
					   T_PAGE, T_BASE + i * T_PAGE));
	/* The lowest free one for a page is behind or before them all. */
	ASSERT_EQ(0, t_map_any(self->fd, self->ioas, self->buf, T_PAGE, &iova));
	EXPECT_TRUE(iova < T_BASE || iova >= T_BASE + count * T_PAGE);
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova, T_PAGE, NULL));
	for (i = 0; i < count; i += 500) {
		ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE + i * T_PAGE,
				     500 * T_PAGE, &done));
		total += done;
	}
	EXPECT_EQ(count * MOCK_PAGE_SIZE, total);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
}

TEST_F(map, scattered_memory)
{
	char *buf = t_alloc(2 * self->length);
	unsigned int i;

	/*
	 * Let the pages of every second position be given away and come anew,
	 * so that neighbours in the address space are none in memory.
	 */
	ASSERT_NE(NULL, buf);
	for (i = 0; i < 2 * BUF_PAGES; i += 2) {
		ASSERT_EQ(0, madvise(buf + i * T_PAGE, T_PAGE, MADV_DONTNEED));
		self->buf[i / 2 * T_PAGE] = 1;
	}
	for (i = 2 * BUF_PAGES; i >= 2; i -= 2)
		buf[(i - 2) * T_PAGE] = 7;
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, buf, 2 * self->length,
			      T_BASE));
	CHECK_MAP(T_BASE, 2 * self->length, buf);
	CHECK_REFS(buf, 2 * self->length, 1);
}

TEST_F(map, first_errors)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.user_va = (uintptr_t)self->buf,
		.ioas_id = self->ioas,
		.length = T_PAGE,
	};
	unsigned int bit;
	uint64_t done;

	/* In the order of the checks: each call also breaks what comes later. */
	cmd.iova = UINT64_MAX;
	for (bit = 3; bit < 32; bit++) {
		cmd.flags = 1U << bit;
		EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_IOAS_MAP, &cmd));
	}
	cmd.flags = 0;
	cmd.__reserved = 1;
	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_IOAS_MAP, &cmd));
	cmd.__reserved = 0;
	EXPECT_EQ(EOVERFLOW, t_call(self->fd, IOMMU_IOAS_MAP, &cmd));
	cmd.iova = 0;
	cmd.length = UINT64_MAX;
	EXPECT_EQ(EOVERFLOW, t_call(self->fd, IOMMU_IOAS_MAP, &cmd));
	cmd.length = 0;
	cmd.ioas_id = 0;
	EXPECT_EQ(EINVAL, t_call(self->fd, IOMMU_IOAS_MAP, &cmd));
	cmd.flags = T_FIXED;
	EXPECT_EQ(EINVAL, t_call(self->fd, IOMMU_IOAS_MAP, &cmd));
	cmd.flags = T_RW;
	cmd.user_va = UINT64_MAX;
	cmd.length = 1;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_IOAS_MAP, &cmd));
	cmd.ioas_id = UINT32_MAX;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_IOAS_MAP, &cmd));
	cmd.ioas_id = self->ioas;
	/* The end itself has to be an address, not only the last byte. */
	EXPECT_EQ(EOVERFLOW, t_call(self->fd, IOMMU_IOAS_MAP, &cmd));
	cmd.user_va = 0 - T_PAGE;
	cmd.length = T_PAGE;
	EXPECT_EQ(EOVERFLOW, t_call(self->fd, IOMMU_IOAS_MAP, &cmd));
	cmd.user_va = UINT64_MAX;
	cmd.length = 0;
	EXPECT_EQ(EINVAL, t_call(self->fd, IOMMU_IOAS_MAP, &cmd));
	cmd.user_va = 0;
	cmd.length = UINT64_MAX - 1;
	EXPECT_EQ(EINVAL, t_call(self->fd, IOMMU_IOAS_MAP, &cmd));
	if (variant->domains) {
		EXPECT_EQ(ENOENT, t_map_at(self->fd, self->stdev[0], self->buf,
					   T_PAGE, T_BASE));
		EXPECT_EQ(ENOENT, t_map_at(self->fd, self->hwpt[0], self->buf,
					   T_PAGE, T_BASE));
	}
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, &done));
	EXPECT_EQ(0, done);
}

TEST_F(map, fixed_errors)
{
	uint64_t iova;

	/* iova + length - 1 wraps */
	EXPECT_EQ(EOVERFLOW, t_map_at(self->fd, self->ioas, self->buf,
				      2 * T_PAGE, 0 - T_PAGE));
	/* reserved */
	ASSERT_EQ(0, t_add_reserved(self->fd, self->ioas, T_BASE + 0x10000,
				    0x1000));
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
				   T_BASE + 0x10000));
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf, 3 * T_PAGE,
				   T_BASE + 0xf000));
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf,
				   2 * T_PAGE, T_BASE + 0xf000));
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf,
				   2 * T_PAGE, T_BASE + 0x10800));
	EXPECT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
			      T_BASE + 0xf000));
	EXPECT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
			      T_BASE + 0x11000));
	if (variant->domains) {
		EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf,
					   T_PAGE, 0));
		EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf,
					   T_PAGE, T_BASE - T_PAGE));
		EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf,
					   2 * T_PAGE, T_BASE - T_PAGE));
		EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf,
					   T_PAGE, MOCK_APERTURE_LAST + 1));
		EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf,
					   T_PAGE, 0 - T_PAGE));
		/* The very last page of the aperture is fine. */
		iova = MOCK_APERTURE_LAST + 1 - T_PAGE;
		EXPECT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
				      iova));
		CHECK_MAP(iova, T_PAGE, self->buf);
	}
	CHECK_REFS(self->buf + T_PAGE, self->length - T_PAGE, 0);
}

TEST_F(map, overlaps)
{
	static const struct {
		int first;
		unsigned int pages;
	} taken[] = {
		/* The mapping in the way is at pages 4 to 7. */
		{ 4, 4 }, { 4, 1 }, { 7, 1 }, { 5, 2 },
		{ 3, 2 }, { 7, 2 }, { 2, 10 }, { 0, 5 }, { 4, 9 }, { 0, 8 },
	};
	uint64_t base = T_BASE, done;
	size_t i;

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 4 * T_PAGE,
			      base + 4 * T_PAGE));
	for (i = 0; i < ARRAY_SIZE(taken); i++)
		EXPECT_EQ(EEXIST,
			  t_map_at(self->fd, self->ioas,
				   self->buf + 8 * T_PAGE,
				   taken[i].pages * T_PAGE,
				   base + taken[i].first * T_PAGE))
			TH_LOG("case %zu", i);
	EXPECT_EQ(EEXIST, t_map_at(self->fd, self->ioas, self->buf,
				   MOCK_PAGE_SIZE,
				   base + 8 * T_PAGE - MOCK_PAGE_SIZE));
	/* Neighbours do not overlap. */
	EXPECT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + 4 * T_PAGE,
			      4 * T_PAGE, base));
	EXPECT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + 20 * T_PAGE,
			      4 * T_PAGE, base + 8 * T_PAGE));
	CHECK_MAP(base, 4 * T_PAGE, self->buf + 4 * T_PAGE);
	CHECK_MAP(base + 4 * T_PAGE, 4 * T_PAGE, self->buf);
	CHECK_MAP(base + 8 * T_PAGE, 4 * T_PAGE, self->buf + 20 * T_PAGE);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + 8 * T_PAGE,
				  12 * T_PAGE, 0));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, &done));
	EXPECT_EQ(12 * T_PAGE, done);
}

TEST_F(map, both_ends_of_the_numbers)
{
	uint64_t done, last = 0 - (uint64_t)T_PAGE;

	if (variant->domains) {
		/* The ends belong to no page table of the mock. */
		EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf,
					   T_PAGE, 0));
		EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf,
					   T_PAGE, last));
		return;
	}
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE, 0));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE, last));
	EXPECT_EQ(EEXIST, t_map_at(self->fd, self->ioas, self->buf, 1, 0));
	EXPECT_EQ(EEXIST, t_map_at(self->fd, self->ioas, self->buf, 1,
				   UINT64_MAX - 1));
	EXPECT_EQ(EOVERFLOW, t_map_at(self->fd, self->ioas, self->buf, 1,
				      UINT64_MAX));
	EXPECT_EQ(EOVERFLOW, t_map_at(self->fd, self->ioas, self->buf, 3,
				      UINT64_MAX - 1));

	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, last, T_PAGE, &done));
	EXPECT_EQ(T_PAGE, done);
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, 0, T_PAGE, &done));
	EXPECT_EQ(T_PAGE, done);
	EXPECT_EQ(ENOENT, t_unmap(self->fd, self->ioas, last, T_PAGE, NULL));

	/* Two bytes, the last two */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 2,
			      UINT64_MAX - 1));
	EXPECT_EQ(ENOENT, t_unmap(self->fd, self->ioas, 0, UINT64_MAX - 1,
				  NULL));
	EXPECT_EQ(ENOENT, t_unmap(self->fd, self->ioas, 1, UINT64_MAX - 1,
				  NULL));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, &done));
	EXPECT_EQ(2, done);
}

TEST_F(map, alignment)
{
	uint64_t align = variant->domains ? MOCK_PAGE_SIZE : 1;
	uint64_t wrong = align / 2;

	EXPECT_EQ(align, t_alignment(self->fd, self->ioas));
	if (!variant->domains) {
		/* Bytes */
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + 3, 5,
				      0x1001));
		EXPECT_EQ(EEXIST, t_map_at(self->fd, self->ioas, self->buf, 1,
					   0x1005));
		EXPECT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 1,
				      0x1006));
		return;
	}
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf,
				   T_PAGE + wrong, T_BASE));
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf, wrong,
				   T_BASE));
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
				   T_BASE + wrong));
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf + wrong,
				   T_PAGE, T_BASE));
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf + 1, T_PAGE,
				   T_BASE));
	/* The IOVA is placed before the memory is looked at. */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE, T_BASE));
	EXPECT_EQ(EEXIST, t_map_at(self->fd, self->ioas, self->buf + wrong,
				   T_PAGE, T_BASE));
}

TEST_F(map, half_pages)
{
	static const struct {
		unsigned int iova, va, length;
	} halves[] = {
		/* in units of half a page */
		{ 0, 0, 1 }, { 0, 1, 1 }, { 1, 0, 1 }, { 1, 1, 1 },
		{ 0, 0, 3 }, { 0, 1, 2 }, { 0, 1, 3 }, { 1, 0, 2 },
		{ 1, 0, 3 }, { 1, 1, 2 }, { 1, 1, 4 }, { 0, 1, 21 },
		{ 1, 0, 22 }, { 1, 1, 23 },
	};
	uint64_t half = MOCK_PAGE_SIZE, iova, length, done;
	char *va;
	size_t i;

	ASSERT_EQ(T_PAGE, 2 * half);
	for (i = 0; i < ARRAY_SIZE(halves); i++) {
		iova = T_BASE + halves[i].iova * half;
		va = self->buf + halves[i].va * half;
		length = halves[i].length * half;
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, length, iova))
			TH_LOG("case %zu", i);
		CHECK_MAP(iova, length, va);
		/* Whole pages are pinned, only what was asked for is seen. */
		if (halves[i].va)
			CHECK_NOT_MAPPED(iova - half, va - half);
		CHECK_NOT_MAPPED(iova + length, va + length);
		CHECK_REFS(self->buf,
			   (halves[i].va + halves[i].length + 1) / 2 * T_PAGE,
			   1);
		ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova, length,
				     &done));
		EXPECT_EQ(length, done);
		EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length,
					  0));
	}
	/* Both halves of a page, each by itself: two pins */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + half, half,
			      T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, half,
			      T_BASE + half));
	CHECK_MAP(T_BASE, half, self->buf + half);
	CHECK_MAP(T_BASE + half, half, self->buf);
	CHECK_REFS(self->buf, T_PAGE, 2);
}

TEST_F(map, automatic_alignment)
{
	uint64_t iova, half = MOCK_PAGE_SIZE;
	char *huge;

	/* The offset in the page is kept. */
	ASSERT_EQ(0, t_map_any(self->fd, self->ioas, self->buf + half, T_PAGE,
			       &iova));
	EXPECT_EQ(half, iova % T_PAGE);
	CHECK_MAP(iova, T_PAGE, self->buf + half);
	if (variant->domains) {
		/* Alignment follows from the address; this one is below 2048 */
		EXPECT_EQ(EINVAL, t_map_any(self->fd, self->ioas, self->buf + 1,
					    T_PAGE, &iova));
		EXPECT_EQ(EINVAL, t_map_any(self->fd, self->ioas,
					    self->buf + 1024, T_PAGE, &iova));
	} else {
		ASSERT_EQ(0, t_map_any(self->fd, self->ioas, self->buf + 5, 7,
				       &iova));
		EXPECT_EQ(5, iova % T_PAGE);
	}

	/* Where both are like huge pages so is the IOVA. */
	huge = mmap(NULL, 4 * T_PMD, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, huge);
	huge = (char *)(((uintptr_t)huge + T_PMD - 1) & ~(T_PMD - 1));
	ASSERT_EQ(0, t_map_any(self->fd, self->ioas, huge, T_PMD, &iova));
	EXPECT_EQ(0, iova % T_PMD);
	ASSERT_EQ(0, t_map_any(self->fd, self->ioas, huge, T_PMD + T_PAGE,
			       &iova));
	EXPECT_EQ(0, iova % T_PMD);
	/* By the length: 4 pages are aligned to 4 pages. */
	ASSERT_EQ(0, t_map_any(self->fd, self->ioas, huge, 4 * T_PAGE, &iova));
	EXPECT_EQ(0, iova % (4 * T_PAGE));
	ASSERT_EQ(0, t_map_any(self->fd, self->ioas, huge, 3 * T_PAGE, &iova));
	EXPECT_EQ(0, iova % (4 * T_PAGE));
	/* By the address: nothing better than a page is asked for. */
	ASSERT_EQ(0, t_map_any(self->fd, self->ioas, huge + T_PAGE, 8 * T_PAGE,
			       &iova));
	EXPECT_EQ(0, iova % T_PAGE);
}

TEST_F(map, automatic_limits)
{
	struct iommu_iova_range r = { T_BASE + 0x100000, T_BASE + 0x101fff };
	/* Aligned to a page and no better, or more would be asked for. */
	char *odd = self->buf + ((uintptr_t)self->buf / T_PAGE % 2 ? 0 : T_PAGE);
	uint64_t iova;

	/* With a page table the first is not aligned, which is seen before. */
	EXPECT_EQ(variant->domains ? EINVAL : EOVERFLOW,
		  t_map_any(self->fd, self->ioas, NULL, UINT64_MAX / 2, &iova));
	EXPECT_EQ(EOVERFLOW, t_map_any(self->fd, self->ioas, NULL,
				       UINT64_MAX / 2 + 1, &iova));

	ASSERT_EQ(0, t_allow_iovas(self->fd, self->ioas, &r, 1));
	EXPECT_EQ(ENOSPC, t_map_any(self->fd, self->ioas, self->buf, 3 * T_PAGE,
				    &iova));
	ASSERT_EQ(0, t_map_any(self->fd, self->ioas, self->buf, 2 * T_PAGE,
			       &iova));
	EXPECT_EQ(r.start, iova);
	EXPECT_EQ(ENOSPC, t_map_any(self->fd, self->ioas, self->buf, T_PAGE,
				    &iova));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, r.start, 2 * T_PAGE, NULL));
	/* Half a page in makes the second page unreachable for a whole one. */
	ASSERT_EQ(0, t_map_any(self->fd, self->ioas,
			       self->buf + MOCK_PAGE_SIZE, T_PAGE, &iova));
	EXPECT_EQ(r.start + MOCK_PAGE_SIZE, iova);
	EXPECT_EQ(ENOSPC, t_map_any(self->fd, self->ioas, self->buf, T_PAGE,
				    &iova));
	ASSERT_EQ(0, t_allow_iovas(self->fd, self->ioas, NULL, 0));

	/* Only a wide enough gap between reserved regions is taken. */
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	ASSERT_EQ(0, t_add_reserved(self->fd, self->ioas, 0, T_BASE + T_PAGE));
	ASSERT_EQ(0, t_add_reserved(self->fd, self->ioas, T_BASE + 2 * T_PAGE,
				    T_PAGE));
	ASSERT_EQ(0, t_add_reserved(self->fd, self->ioas, T_BASE + 5 * T_PAGE,
				    T_PAGE));
	ASSERT_EQ(0, t_map_any(self->fd, self->ioas, odd,
			       2 * T_PAGE, &iova));
	EXPECT_EQ(T_BASE + 3 * T_PAGE, iova);
	ASSERT_EQ(0, t_map_any(self->fd, self->ioas, odd, T_PAGE,
			       &iova));
	EXPECT_EQ(T_BASE + T_PAGE, iova);
	ASSERT_EQ(0, t_map_any(self->fd, self->ioas, odd, T_PAGE,
			       &iova));
	EXPECT_EQ(T_BASE + 6 * T_PAGE, iova);
}

TEST_F(map, gap_of_one_byte_is_not_used)
{
	uint64_t iova;

	if (variant->domains)
		return;
	ASSERT_EQ(0, t_add_reserved(self->fd, self->ioas, 0, 0xa000));
	ASSERT_EQ(0, t_add_reserved(self->fd, self->ioas, 0xa001,
				    UINT64_MAX - 0xa000));
	EXPECT_EQ(ENOSPC, t_map_any(self->fd, self->ioas, self->buf, 1, &iova));
	/* It can be had by name. */
	EXPECT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 1, 0xa000));
}

TEST_F(map, bad_memory)
{
	char *va;

	va = t_alloc(8 * T_PAGE);
	ASSERT_NE(NULL, va);
	ASSERT_EQ(0, munmap(va + 5 * T_PAGE, T_PAGE));
	ASSERT_EQ(0, mprotect(va + 7 * T_PAGE, T_PAGE, PROT_NONE));

	if (!variant->domains) {
		/* Nobody looks until there is a page table. */
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, 8 * T_PAGE,
				      T_BASE));
		EXPECT_EQ(EFAULT, t_mock(self->fd, self->ioas, NULL, NULL,
					 NULL));
		EXPECT_EQ(0, t_check_refs(self->fd, va, 5 * T_PAGE, 0));
		/* The mapping is still there, and so is the freedom to map. */
		EXPECT_EQ(0, t_map_at(self->fd, self->ioas, va, T_PAGE, 0));
		ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, 8 * T_PAGE,
				     NULL));
		return;
	}
	EXPECT_EQ(EFAULT, t_map_at(self->fd, self->ioas, va, 8 * T_PAGE,
				   T_BASE));
	EXPECT_EQ(0, t_check_refs(self->fd, va, 5 * T_PAGE, 0));
	CHECK_NOT_MAPPED(T_BASE, va);
	EXPECT_EQ(EFAULT, t_map_at(self->fd, self->ioas, va + 5 * T_PAGE,
				   T_PAGE, T_BASE));
	EXPECT_EQ(EFAULT, t_map_at(self->fd, self->ioas, va + 6 * T_PAGE,
				   2 * T_PAGE, T_BASE));
	EXPECT_EQ(0, t_check_refs(self->fd, va + 6 * T_PAGE, T_PAGE, 0));
	EXPECT_EQ(EFAULT, t_map_at(self->fd, self->ioas, NULL, T_PAGE, T_BASE));
	/* Addresses of the kernel */
	EXPECT_EQ(EFAULT, t_map_at(self->fd, self->ioas,
				   (void *)0xffffffff81000000UL, T_PAGE,
				   T_BASE));
	/* The place is free again. */
	EXPECT_EQ(0, t_map_at(self->fd, self->ioas, va, 5 * T_PAGE, T_BASE));
	CHECK_MAP(T_BASE, 5 * T_PAGE, va);
}

TEST_F(map, permissions)
{
	uint64_t iova = T_BASE;
	char *va = mmap(NULL, 4 * T_PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, va);
	memset(va, 3, 4 * T_PAGE);
	ASSERT_EQ(0, mprotect(va, 4 * T_PAGE, PROT_READ));
	ASSERT_EQ(0, t_map(self->fd, self->ioas, va, 4 * T_PAGE, &iova,
			   T_FIXED | IOMMU_IOAS_MAP_READABLE));
	CHECK_MAP(iova, 4 * T_PAGE, va);
	CHECK_REFS(va, 4 * T_PAGE, 1);
	iova += 4 * T_PAGE;
	EXPECT_EQ(variant->domains ? EFAULT : 0,
		  t_map(self->fd, self->ioas, va, 4 * T_PAGE, &iova,
			T_FIXED | T_RW));
	iova += 4 * T_PAGE;
	EXPECT_EQ(variant->domains ? EFAULT : 0,
		  t_map(self->fd, self->ioas, va, 4 * T_PAGE, &iova,
			T_FIXED | IOMMU_IOAS_MAP_WRITEABLE));
	iova += 4 * T_PAGE;
	/* Write only is a permission like others. */
	EXPECT_EQ(0, t_map(self->fd, self->ioas, self->buf, T_PAGE, &iova,
			   T_FIXED | IOMMU_IOAS_MAP_WRITEABLE));
	CHECK_MAP(iova, T_PAGE, self->buf);
}

/* Memory of the kernel's that a process sees but nobody may pin */
static void *find_vvar(void)
{
	unsigned long start;
	char line[512];
	void *va = NULL;
	FILE *f = fopen("/proc/self/maps", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "[vvar]") &&
		    sscanf(line, "%lx-", &start) == 1)
			va = (void *)start;
	if (f)
		fclose(f);
	return va;
}

TEST_F(map, memory_that_is_no_memory)
{
	uint64_t iova = T_BASE;
	void *va = find_vvar();

	if (!variant->domains)
		return;
	if (!va)
		SKIP(return, "this process has no [vvar]");
	EXPECT_EQ(EFAULT, t_map(self->fd, self->ioas, va, T_PAGE, &iova,
				T_FIXED | IOMMU_IOAS_MAP_READABLE));
}

TEST_F(map, secret_memory)
{
	void *va;
	int fd;

	if (!variant->domains)
		return;
	fd = syscall(__NR_memfd_secret, O_CLOEXEC);
	if (fd < 0)
		SKIP(return, "memfd_secret: %m (CONFIG_SECRETMEM)");
	ASSERT_EQ(0, ftruncate(fd, T_PAGE));
	va = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, va);
	memset(va, 1, T_PAGE);
	EXPECT_EQ(EFAULT, t_map_at(self->fd, self->ioas, va, T_PAGE, T_BASE));
	close(fd);
}

TEST_F(map, untouched_memory_read_only)
{
	uint64_t iova = T_BASE;
	char *va = mmap(NULL, 4 * T_PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int i;

	/*
	 * A device that may only read must not be left with the zero page: what
	 * the process writes later has to be seen.
	 */
	ASSERT_NE(MAP_FAILED, va);
	EXPECT_EQ(0, va[0]);
	ASSERT_EQ(0, t_map(self->fd, self->ioas, va, 4 * T_PAGE, &iova,
			   T_FIXED | IOMMU_IOAS_MAP_READABLE));
	CHECK_MAP(iova, 4 * T_PAGE, va);
	for (i = 0; i < 4; i++)
		va[i * T_PAGE] = 9;
	CHECK_MAP(iova, 4 * T_PAGE, va);
}

TEST_F(map, copy_on_write_read_only)
{
	uint64_t iova = T_BASE;
	int stop[2], status;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe(stop));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* Holds the other copy of all pages. */
		close(stop[1]);
		_exit(read(stop[0], &byte, 1) ? 1 : 0);
	}
	ASSERT_EQ(0, t_map(self->fd, self->ioas, self->buf, self->length, &iova,
			   T_FIXED | IOMMU_IOAS_MAP_READABLE));
	CHECK_MAP(iova, self->length, self->buf);
	memset(self->buf, 0x11, self->length);
	CHECK_MAP(iova, self->length, self->buf);
	CHECK_REFS(self->buf, self->length, 1);
	close(stop[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(map, fork_after_map)
{
	int stop[2], status;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, pipe(stop));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(stop[1]);
		_exit(read(stop[0], &byte, 1) ? 1 : 0);
	}
	/* The page the device has stays with the parent. */
	memset(self->buf, 0x22, self->length);
	CHECK_MAP(T_BASE, self->length, self->buf);
	close(stop[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	CHECK_MAP(T_BASE, self->length, self->buf);
}

TEST_F(map, munmap_leaves_the_pins)
{
	int memfd = t_memfd(8 * T_PAGE);
	char *va, *alias;

	ASSERT_LE(0, memfd);
	va = t_map_memfd(memfd, 8 * T_PAGE);
	alias = t_map_memfd(memfd, 8 * T_PAGE);
	ASSERT_NE(NULL, va);
	ASSERT_NE(NULL, alias);
	memset(alias, 4, 8 * T_PAGE);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, 8 * T_PAGE, T_BASE));
	ASSERT_EQ(0, munmap(va, 8 * T_PAGE));
	CHECK_MAP(T_BASE, 8 * T_PAGE, alias);
	CHECK_REFS(alias, 8 * T_PAGE, 1);
	if (!variant->domains)
		/* The pages are looked for when they are needed. */
		EXPECT_EQ(EFAULT, t_mock(self->fd, self->ioas, NULL, NULL,
					 NULL));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, alias, 8 * T_PAGE, 0));
	close(memfd);
}

TEST_F(map, shared_memory)
{
	char *va = mmap(NULL, 16 * T_PAGE, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	/* Not touched before: pinning brings the pages in. */
	ASSERT_NE(MAP_FAILED, va);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, 16 * T_PAGE, T_BASE));
	CHECK_MAP(T_BASE, 16 * T_PAGE, va);
	CHECK_REFS(va, 16 * T_PAGE, 1);
}

/* The program itself: pages of a file, private, never written */
TEST_F(map, private_file_memory)
{
	uintptr_t code = (uintptr_t)&t_open & ~(T_PAGE - 1);
	uint64_t iova = T_BASE;

	ASSERT_EQ(0, t_map(self->fd, self->ioas, (void *)code, T_PAGE, &iova,
			   T_FIXED | IOMMU_IOAS_MAP_READABLE));
	CHECK_MAP(iova, T_PAGE, (void *)code);
	iova += T_PAGE;
	EXPECT_EQ(variant->domains ? EFAULT : 0,
		  t_map(self->fd, self->ioas, (void *)code, T_PAGE, &iova,
			T_FIXED | T_RW));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
}

static long smaps_kb(const void *va, const char *key)
{
	unsigned long first, end;
	bool inside = false;
	char line[512];
	long kb = -1;
	FILE *f = fopen("/proc/self/smaps", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &first, &end) == 2)
			inside = (uintptr_t)va >= first && (uintptr_t)va < end;
		else if (inside && !strncmp(line, key, strlen(key)))
			kb = strtol(line + strlen(key) + 1, NULL, 10);
	}
	if (f)
		fclose(f);
	return kb;
}

TEST_F(map, transparent_huge_pages)
{
	uint64_t half = MOCK_PAGE_SIZE, done;
	char *va;

	va = mmap(NULL, 4 * T_PMD, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, va);
	va = (char *)(((uintptr_t)va + T_PMD - 1) & ~(T_PMD - 1));
	if (madvise(va, 2 * T_PMD, MADV_HUGEPAGE))
		SKIP(return, "MADV_HUGEPAGE: %m");
	memset(va, 6, 2 * T_PMD);
	if (smaps_kb(va, "AnonHugePages:") < 2048)
		SKIP(return, "the kernel gave no huge page");

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, 2 * T_PMD, T_BASE));
	CHECK_MAP(T_BASE, 2 * T_PMD, va);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, &done));
	EXPECT_EQ(2 * T_PMD, done);
	CHECK_NOT_MAPPED(T_BASE, va);
	/* From the middle of one to the middle of the other, off by a half */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va + T_PMD / 2 + half,
			      T_PMD, T_BASE));
	CHECK_MAP(T_BASE, T_PMD, va + T_PMD / 2 + half);
	CHECK_NOT_MAPPED(T_BASE + T_PMD, va + 3 * T_PMD / 2 + half);
	/* A piece of a huge page; the rest of it is free to go. */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va + T_PAGE, T_PAGE,
			      T_BASE + 4 * T_PMD));
	CHECK_MAP(T_BASE + 4 * T_PMD, T_PAGE, va + T_PAGE);
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, T_PMD, NULL));
	CHECK_MAP(T_BASE + 4 * T_PMD, T_PAGE, va + T_PAGE);
}

/* Pins in the whole system, or -1; huge pages count theirs nowhere else. */
static long pins(void)
{
	long acquired = -1, released = -1;
	char line[256];
	FILE *f;

	/* Brings in what the CPUs count for themselves. */
	f = fopen("/proc/sys/vm/stat_refresh", "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		;
	fclose(f);
	f = fopen("/proc/vmstat", "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "nr_foll_pin_acquired ", 21))
			acquired = strtol(line + 21, NULL, 10);
		else if (!strncmp(line, "nr_foll_pin_released ", 21))
			released = strtol(line + 21, NULL, 10);
	}
	if (f)
		fclose(f);
	return acquired < 0 || released < 0 ? -1 : acquired - released;
}

TEST_F(map, huge_pages_pinned_page_by_page)
{
	unsigned int step = MOCK_PAGE_SIZE, i;
	uint64_t iova = T_BASE;
	long before, while_mapped;
	char *va;

	va = mmap(NULL, 3 * T_PMD, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, va);
	va = (char *)(((uintptr_t)va + T_PMD - 1) & ~(T_PMD - 1));
	if (madvise(va, 2 * T_PMD, MADV_HUGEPAGE))
		SKIP(return, "MADV_HUGEPAGE: %m");
	memset(va, 6, 2 * T_PMD);
	before = pins();
	if (before < 0)
		SKIP(return, "no count of pins");

	for (i = 0; i < 2; i++, iova += 4 * T_PMD) {
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va + i * step,
				      T_PMD, iova));
		while_mapped = before;
		if (variant->domains)
			while_mapped += T_PMD / T_PAGE + (i ? 1 : 0);
		EXPECT_EQ(while_mapped, pins());
		ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
		EXPECT_EQ(before, pins());
	}
}

/* A huge page must not be taken for what is mapped in the place of its parts. */
TEST_F(map, transparent_huge_pages_in_parts)
{
	char *va, *half, *away;
	unsigned int i;

	va = mmap(NULL, 4 * T_PMD, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, va);
	va = (char *)(((uintptr_t)va + T_PMD - 1) & ~(T_PMD - 1));
	if (madvise(va, 3 * T_PMD, MADV_HUGEPAGE))
		SKIP(return, "MADV_HUGEPAGE: %m");
	memset(va, 6, 3 * T_PMD);
	if (smaps_kb(va, "AnonHugePages:") < 2048)
		SKIP(return, "the kernel gave no huge page");

	/* The first has small pages in its middle, also a single one. */
	for (i = 100; i < 104; i++) {
		ASSERT_EQ(0, madvise(va + i * T_PAGE, T_PAGE, MADV_DONTNEED));
		va[i * T_PAGE] = i;
	}
	ASSERT_EQ(0, madvise(va + 300 * T_PAGE, T_PAGE, MADV_DONTNEED));
	va[300 * T_PAGE] = 7;
	/* The second has gone but for one page, the rest is new. */
	ASSERT_EQ(0, madvise(va + T_PMD + T_PAGE, T_PMD - T_PAGE,
			     MADV_DONTNEED));
	memset(va + T_PMD + T_PAGE, 8, T_PMD - T_PAGE);
	/* The third has its halves in two places. */
	away = mmap(NULL, T_PMD / 2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	ASSERT_NE(MAP_FAILED, away);
	half = va + 5 * (T_PMD / 2);
	ASSERT_EQ(away, mremap(half, T_PMD / 2, T_PMD / 2,
			       MREMAP_MAYMOVE | MREMAP_FIXED, away));
	ASSERT_EQ(half, mmap(half, T_PMD / 2, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	memset(half, 9, T_PMD / 2);

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, 3 * T_PMD, T_BASE));
	CHECK_MAP(T_BASE, 3 * T_PMD, va);
	CHECK_REFS(va, 3 * T_PMD, 1);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, away, T_PMD / 2,
			      T_BASE + 4 * T_PMD));
	CHECK_MAP(T_BASE + 4 * T_PMD, T_PMD / 2, away);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	CHECK_REFS(va, 3 * T_PMD, 0);
}

TEST_F(map, transparent_huge_pages_entered_singly)
{
	char *va;

	va = mmap(NULL, 2 * T_PMD, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, va);
	va = (char *)(((uintptr_t)va + T_PMD - 1) & ~(T_PMD - 1));
	if (madvise(va, T_PMD, MADV_HUGEPAGE))
		SKIP(return, "MADV_HUGEPAGE: %m");
	memset(va, 6, T_PMD);
	ASSERT_EQ(0, t_huge_pages(self->fd, self->ioas, 0));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, T_PMD, T_BASE));
	CHECK_MAP(T_BASE, T_PMD, va);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	CHECK_NOT_MAPPED(T_BASE, va);
}

TEST_F(map, hugetlb)
{
	uint64_t half = MOCK_PAGE_SIZE;
	char *va;

	if (!t_reserve_hugetlb(4))
		SKIP(return, "no 2 MiB pages to be had");
	va = mmap(NULL, 2 * T_PMD, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	ASSERT_NE(MAP_FAILED, va) TH_LOG("MAP_HUGETLB: %m");
	memset(va, 2, 2 * T_PMD);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, 2 * T_PMD, T_BASE));
	CHECK_MAP(T_BASE, 2 * T_PMD, va);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va + T_PMD - half,
			      T_PAGE, T_BASE + 8 * T_PMD));
	CHECK_MAP(T_BASE + 8 * T_PMD, T_PAGE, va + T_PMD - half);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	CHECK_NOT_MAPPED(T_BASE, va);
	ASSERT_EQ(0, munmap(va, 2 * T_PMD));
}

TEST_F(map, hugetlb_1g)
{
	uint64_t half = MOCK_PAGE_SIZE, size = 1ULL << 30, done;
	char *va;

	va = mmap(NULL, size, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB |
			  30 << MAP_HUGE_SHIFT,
		  -1, 0);
	if (va == MAP_FAILED)
		SKIP(return, "no 1 GiB page (hugepagesz=1G hugepages=1)");
	va[0] = 1;
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, size, T_BASE));
	CHECK_MAP(T_BASE, T_PMD, va);
	CHECK_MAP(T_BASE + size - T_PMD, T_PMD, va + size - T_PMD);
	CHECK_NOT_MAPPED(T_BASE + size, va);
	/* A part over the middle, off by a half */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va + size / 2 - half,
			      T_PMD, T_BASE + size + T_PMD));
	CHECK_MAP(T_BASE + size + T_PMD, T_PMD, va + size / 2 - half);
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, size, &done));
	EXPECT_EQ(size, done);
	CHECK_NOT_MAPPED(T_BASE, va);
	CHECK_MAP(T_BASE + size + T_PMD, T_PMD, va + size / 2 - half);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	ASSERT_EQ(0, munmap(va, size));
	/* Were it still pinned, the pool would not have it back. */
	va = mmap(NULL, size, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB |
			  30 << MAP_HUGE_SHIFT,
		  -1, 0);
	ASSERT_NE(MAP_FAILED, va);
	ASSERT_EQ(0, munmap(va, size));
}

TEST_F(map, unmap_errors)
{
	struct iommu_ioas_unmap cmd = { .size = sizeof(cmd) };
	uint64_t done;

	EXPECT_EQ(ENOENT, t_unmap(self->fd, 0, 0, UINT64_MAX, NULL));
	EXPECT_EQ(ENOENT, t_unmap(self->fd, UINT32_MAX, 0, 0, NULL));
	if (variant->domains)
		EXPECT_EQ(ENOENT, t_unmap(self->fd, self->hwpt[0], 0,
					  UINT64_MAX, NULL));
	EXPECT_EQ(EOVERFLOW, t_unmap(self->fd, self->ioas, UINT64_MAX, 1,
				     NULL));
	EXPECT_EQ(EOVERFLOW, t_unmap(self->fd, self->ioas, UINT64_MAX, 0,
				     NULL));
	EXPECT_EQ(EOVERFLOW, t_unmap(self->fd, self->ioas, 1, UINT64_MAX,
				     NULL));
	EXPECT_EQ(EINVAL, t_unmap(self->fd, self->ioas, T_BASE, 0, NULL));
	EXPECT_EQ(EINVAL, t_unmap(self->fd, self->ioas, 0, 0, NULL));
	EXPECT_EQ(EOVERFLOW, t_unmap(self->fd, self->ioas, UINT64_MAX - 1, 3,
				     NULL));
	EXPECT_EQ(ENOENT, t_unmap(self->fd, self->ioas, T_BASE, T_PAGE, NULL));
	EXPECT_EQ(ENOENT, t_unmap(self->fd, self->ioas, 0, UINT64_MAX - 1,
				  NULL));
	done = 5;
	EXPECT_EQ(0, t_unmap_all(self->fd, self->ioas, &done));
	EXPECT_EQ(0, done);

	/* On failure length is as it was. */
	cmd.ioas_id = self->ioas;
	cmd.iova = T_BASE;
	cmd.length = 3 * T_PAGE;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_IOAS_UNMAP, &cmd));
	EXPECT_EQ(3 * T_PAGE, cmd.length);
}

TEST_F(map, unmap_never_cuts)
{
	static const struct {
		int first, pages;
	} cut[] = {
		/* of a mapping at pages 4 to 7 */
		{ 4, 1 }, { 7, 1 }, { 5, 2 }, { 4, 3 }, { 5, 3 },
		{ 0, 5 }, { 7, 9 }, { 0, 7 }, { 5, 9 },
	};
	uint64_t base = T_BASE, done;
	size_t i;

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 4 * T_PAGE,
			      base + 4 * T_PAGE));
	for (i = 0; i < ARRAY_SIZE(cut); i++)
		EXPECT_EQ(ENOENT, t_unmap(self->fd, self->ioas,
					  base + cut[i].first * T_PAGE,
					  cut[i].pages * T_PAGE, NULL))
			TH_LOG("case %zu", i);
	EXPECT_EQ(ENOENT, t_unmap(self->fd, self->ioas, base + 4 * T_PAGE + 1,
				  4 * T_PAGE, NULL));
	EXPECT_EQ(ENOENT, t_unmap(self->fd, self->ioas, base + 4 * T_PAGE,
				  4 * T_PAGE - 1, NULL));
	CHECK_MAP(base + 4 * T_PAGE, 4 * T_PAGE, self->buf);
	/* A larger range is fine, and needs no alignment. */
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, base + 4 * T_PAGE - 1,
			     4 * T_PAGE + 2, &done));
	EXPECT_EQ(4 * T_PAGE, done);
}

TEST_F(map, unmap_several)
{
	uint64_t base = T_BASE, done;
	unsigned int i;

	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas,
				      self->buf + i * T_PAGE, T_PAGE,
				      base + 3 * i * T_PAGE));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, base + T_PAGE, 10 * T_PAGE,
			     &done));
	/* Those at 3, 6, 9 */
	EXPECT_EQ(3 * T_PAGE, done);
	CHECK_MAP(base, T_PAGE, self->buf);
	CHECK_NOT_MAPPED(base + 9 * T_PAGE, self->buf + 3 * T_PAGE);
	CHECK_MAP(base + 12 * T_PAGE, T_PAGE, self->buf + 4 * T_PAGE);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + T_PAGE, 3 * T_PAGE,
				  0));
	CHECK_REFS(self->buf + 4 * T_PAGE, 4 * T_PAGE, 1);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, &done));
	EXPECT_EQ(5 * T_PAGE, done);
}

TEST_F(map, unmap_stops_at_the_first_it_would_cut)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = self->ioas,
		.iova = T_BASE,
		.length = 5 * T_PAGE,
	};
	uint64_t done;

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE, T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + 4 * T_PAGE,
			      4 * T_PAGE, T_BASE + 4 * T_PAGE));
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_IOAS_UNMAP, &cmd));
	EXPECT_EQ(5 * T_PAGE, cmd.length);
	/* What came before is gone, what comes after is whole. */
	EXPECT_EQ(ENOENT, t_unmap(self->fd, self->ioas, T_BASE, T_PAGE, NULL));
	CHECK_NOT_MAPPED(T_BASE, self->buf);
	CHECK_MAP(T_BASE + 4 * T_PAGE, 4 * T_PAGE, self->buf + 4 * T_PAGE);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, &done));
	EXPECT_EQ(4 * T_PAGE, done);
}

TEST_F(map, unwritable_answers)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = T_RW | T_FIXED,
		.ioas_id = self->ioas,
		.user_va = (uintptr_t)self->buf,
		.length = T_PAGE,
		.iova = T_BASE,
	};
	struct iommu_ioas_copy copy = {
		.size = sizeof(copy),
		.flags = T_RW | T_FIXED,
		.dst_ioas_id = self->ioas,
		.src_ioas_id = self->ioas,
		.length = T_PAGE,
		.dst_iova = T_BASE + T_PAGE,
		.src_iova = T_BASE,
	};
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = self->ioas,
		.iova = T_BASE,
		.length = 2 * T_PAGE,
	};
	uint64_t done;

	/* In all three the deed is done and stays done. */
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_IOAS_MAP,
				 t_readonly(&map, sizeof(map))));
	CHECK_MAP(T_BASE, T_PAGE, self->buf);
	EXPECT_EQ(EEXIST, t_call(self->fd, IOMMU_IOAS_MAP, &map));
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_IOAS_COPY,
				 t_readonly(&copy, sizeof(copy))));
	CHECK_MAP(T_BASE + T_PAGE, T_PAGE, self->buf);
	EXPECT_EQ(EEXIST, t_call(self->fd, IOMMU_IOAS_COPY, &copy));
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_IOAS_UNMAP,
				 t_readonly(&unmap, sizeof(unmap))));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, &done));
	EXPECT_EQ(0, done);
}

TEST_F(map, inputs_are_not_changed)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = T_RW,
		.ioas_id = self->ioas,
		.user_va = (uintptr_t)self->buf,
		.length = T_PAGE,
		.iova = 0x1234,
	};
	struct iommu_ioas_map before = cmd;

	/* Without FIXED_IOVA the input is ignored. */
	ASSERT_EQ(0, t_call(self->fd, IOMMU_IOAS_MAP, &cmd));
	EXPECT_EQ(0, cmd.iova % T_PAGE);
	EXPECT_NE(0, cmd.iova);
	before.iova = cmd.iova;
	EXPECT_EQ(0, memcmp(&before, &cmd, sizeof(cmd)));
}

TEST_F(map, same_memory_twice)
{
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE + 2 * self->length));
	CHECK_MAP(T_BASE, self->length, self->buf);
	CHECK_MAP(T_BASE + 2 * self->length, self->length, self->buf);
	/* Two MAPs know nothing of each other. */
	CHECK_REFS(self->buf, self->length, 2);
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, self->length, NULL));
	CHECK_MAP(T_BASE + 2 * self->length, self->length, self->buf);
	CHECK_REFS(self->buf, self->length, 1);
}

TEST_F(map, copy_errors)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.dst_ioas_id = self->ioas,
		.src_ioas_id = self->ioas,
		.src_iova = T_BASE,
		.dst_iova = UINT64_MAX,
		.length = T_PAGE,
	};
	uint64_t iova = T_BASE + 0x100000;
	unsigned int bit;
	uint32_t ioas;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &ioas));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 4 * T_PAGE,
			      T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
			      T_BASE + 5 * T_PAGE));
	for (bit = 3; bit < 32; bit++) {
		/* The test kernel takes bit 16 for its own. */
		if (bit == 16)
			continue;
		cmd.flags = 1U << bit;
		EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_IOAS_COPY, &cmd));
	}
	cmd.flags = 0;
	EXPECT_EQ(EOVERFLOW, t_call(self->fd, IOMMU_IOAS_COPY, &cmd));
	cmd.dst_iova = 0;
	cmd.src_iova = UINT64_MAX;
	EXPECT_EQ(EOVERFLOW, t_call(self->fd, IOMMU_IOAS_COPY, &cmd));
	cmd.src_iova = T_BASE;
	cmd.length = UINT64_MAX;
	EXPECT_EQ(EOVERFLOW, t_call(self->fd, IOMMU_IOAS_COPY, &cmd));
	cmd.length = 0;
	cmd.src_ioas_id = 0;
	EXPECT_EQ(EINVAL, t_call(self->fd, IOMMU_IOAS_COPY, &cmd));
	cmd.flags = T_RW;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_IOAS_COPY, &cmd));
	cmd.src_ioas_id = self->ioas;
	cmd.dst_ioas_id = 0;
	EXPECT_EQ(EINVAL, t_call(self->fd, IOMMU_IOAS_COPY, &cmd));
	cmd.src_iova = UINT64_MAX - 1;
	cmd.length = 3;
	EXPECT_EQ(EOVERFLOW, t_call(self->fd, IOMMU_IOAS_COPY, &cmd));
	cmd.src_iova = T_BASE;
	cmd.length = T_PAGE;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_IOAS_COPY, &cmd));

	/* Not all of the source is mapped: end, gap, begin, nothing */
	EXPECT_EQ(ENOENT, t_copy_at(self->fd, ioas, self->ioas, T_BASE,
				    5 * T_PAGE, iova));
	EXPECT_EQ(ENOENT, t_copy_at(self->fd, ioas, self->ioas, T_BASE,
				    6 * T_PAGE, iova));
	EXPECT_EQ(ENOENT, t_copy_at(self->fd, ioas, self->ioas,
				    T_BASE + 4 * T_PAGE, 2 * T_PAGE, iova));
	EXPECT_EQ(ENOENT, t_copy_at(self->fd, ioas, self->ioas,
				    T_BASE + 9 * T_PAGE, T_PAGE, iova));
	EXPECT_EQ(ENOENT, t_copy_at(self->fd, ioas, ioas, T_BASE, T_PAGE,
				    iova));

	/* Placement is that of MAP. */
	EXPECT_EQ(EEXIST, t_copy_at(self->fd, self->ioas, self->ioas, T_BASE,
				    T_PAGE, T_BASE + 3 * T_PAGE));
	EXPECT_EQ(EOVERFLOW, t_copy_at(self->fd, ioas, self->ioas, T_BASE,
				       2 * T_PAGE, 0 - T_PAGE));
	ASSERT_EQ(0, t_add_reserved(self->fd, ioas, iova, T_PAGE));
	EXPECT_EQ(EINVAL, t_copy_at(self->fd, ioas, self->ioas, T_BASE, T_PAGE,
				    iova));
	ASSERT_EQ(0, t_add_reserved(self->fd, ioas, 0, UINT64_MAX));
	EXPECT_EQ(ENOSPC, t_copy(self->fd, ioas, self->ioas, T_BASE, T_PAGE,
				 &iova, T_RW));
	ASSERT_EQ(0, t_unmap_all(self->fd, ioas, &iova));
	EXPECT_EQ(0, iova);
	CHECK_REFS(self->buf + T_PAGE, 3 * T_PAGE, 1);
}

TEST_F(map, copy_permissions)
{
	uint64_t iova = T_BASE, to = 0;
	uint32_t ioas;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &ioas));
	ASSERT_EQ(0, t_map(self->fd, self->ioas, self->buf, T_PAGE, &iova,
			   T_FIXED | IOMMU_IOAS_MAP_READABLE));
	EXPECT_EQ(EPERM, t_copy(self->fd, ioas, self->ioas, iova, T_PAGE, &to,
				T_RW));
	EXPECT_EQ(EPERM, t_copy(self->fd, ioas, self->ioas, iova, T_PAGE, &to,
				IOMMU_IOAS_MAP_WRITEABLE));
	EXPECT_EQ(0, t_copy(self->fd, ioas, self->ioas, iova, T_PAGE, &to,
			    IOMMU_IOAS_MAP_READABLE));
	/* A copy of a copy is judged by the first. */
	EXPECT_EQ(EPERM, t_copy(self->fd, ioas, ioas, to, T_PAGE, &to, T_RW));
	ASSERT_EQ(0, t_unmap(self->fd, ioas, to, T_PAGE, NULL));

	/* Written memory may be copied read only, and then again for writing */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
			      T_BASE + T_PAGE));
	ASSERT_EQ(0, t_copy(self->fd, ioas, self->ioas, T_BASE + T_PAGE, T_PAGE,
			    &to, IOMMU_IOAS_MAP_READABLE));
	EXPECT_EQ(0, t_copy(self->fd, ioas, ioas, to, T_PAGE, &to, T_RW));

	/* One of two pieces refuses: neither is there. */
	ASSERT_EQ(0, t_unmap_all(self->fd, ioas, NULL));
	EXPECT_EQ(EPERM, t_copy(self->fd, ioas, self->ioas, T_BASE, 2 * T_PAGE,
				&to, T_RW));
	ASSERT_EQ(0, t_unmap_all(self->fd, ioas, &to));
	EXPECT_EQ(0, to);
}

TEST_F(map, copy_shares_the_pages)
{
	uint32_t ioas, stdev, hwpt;
	uint64_t iova, done;
	uint32_t refs;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &ioas));
	ASSERT_EQ(0, t_mock(self->fd, ioas, &stdev, &hwpt, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_copy(self->fd, ioas, self->ioas, T_BASE, self->length,
			    &iova, T_RW));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, iova, self->length,
				 self->buf));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 1));
	/* Once more, in the same address space */
	ASSERT_EQ(0, t_copy_at(self->fd, self->ioas, self->ioas, T_BASE,
			       self->length, T_BASE + self->length));
	CHECK_MAP(T_BASE + self->length, self->length, self->buf);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 1));

	/* The source goes, the copies stay. */
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, self->length,
			     &done));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, iova, self->length,
				 self->buf));
	CHECK_MAP(T_BASE + self->length, self->length, self->buf);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 1));
	ASSERT_EQ(0, t_unmap(self->fd, ioas, iova, self->length, &done));
	refs = variant->domains ? 1 : 0;
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, refs));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, &done));
	EXPECT_EQ(self->length, done);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
}

TEST_F(map, copy_of_a_part)
{
	uint64_t half = MOCK_PAGE_SIZE;
	uint32_t ioas, hwpt;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &ioas));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_copy_at(self->fd, ioas, self->ioas,
			       T_BASE + 3 * T_PAGE, 5 * T_PAGE, T_BASE));
	ASSERT_EQ(0, t_copy_at(self->fd, ioas, self->ioas,
			       T_BASE + 10 * T_PAGE + half, 3 * half,
			       T_BASE + 64 * T_PAGE));
	EXPECT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));

	/* Pinned are only the pages the copies need. */
	ASSERT_EQ(0, t_mock(self->fd, ioas, NULL, &hwpt, NULL));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, T_BASE, 5 * T_PAGE,
				 self->buf + 3 * T_PAGE));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, T_BASE + 64 * T_PAGE, 3 * half,
				 self->buf + 10 * T_PAGE + half));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, 3 * T_PAGE, 0));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + 3 * T_PAGE, 5 * T_PAGE,
				  1));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + 8 * T_PAGE, 2 * T_PAGE,
				  0));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + 10 * T_PAGE, 2 * T_PAGE,
				  1));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + 12 * T_PAGE, T_PAGE,
				  0));
}

TEST_F(map, overlapping_copies_pin_once)
{
	uint32_t ioas;
	unsigned int i;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &ioas));
	ASSERT_EQ(0, t_map_at(self->fd, ioas, self->buf, 32 * T_PAGE, T_BASE));
	/* Windows of 8 pages, each 4 pages further */
	for (i = 0; i < 6; i++)
		ASSERT_EQ(0, t_copy_at(self->fd, self->ioas, ioas,
				       T_BASE + 4 * i * T_PAGE, 8 * T_PAGE,
				       T_BASE + 16 * i * T_PAGE));
	CHECK_REFS(self->buf, 28 * T_PAGE, 1);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + 28 * T_PAGE,
				  4 * T_PAGE, 0));
	for (i = 0; i < 6; i++)
		CHECK_MAP(T_BASE + 16 * i * T_PAGE, 8 * T_PAGE,
			  self->buf + 4 * i * T_PAGE);
	/* Without the second the first and third leave no page of it alone. */
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE + 16 * T_PAGE,
			     8 * T_PAGE, NULL));
	CHECK_REFS(self->buf, 28 * T_PAGE, 1);
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE + 32 * T_PAGE,
			     8 * T_PAGE, NULL));
	CHECK_REFS(self->buf, 8 * T_PAGE, 1);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + 8 * T_PAGE, 4 * T_PAGE,
				  0));
	CHECK_REFS(self->buf + 12 * T_PAGE, 16 * T_PAGE, 1);
	CHECK_MAP(T_BASE, 8 * T_PAGE, self->buf);
	CHECK_MAP(T_BASE + 48 * T_PAGE, 8 * T_PAGE, self->buf + 12 * T_PAGE);
}

TEST_F(map, copy_of_several)
{
	uint64_t done, iova;
	unsigned int i;
	uint32_t ioas;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &ioas));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, t_map_at(self->fd, ioas,
				      self->buf + (12 - 3 * i) * T_PAGE,
				      2 * T_PAGE, T_BASE + 2 * i * T_PAGE));
	/* From the second page of the first to the first of the last */
	ASSERT_EQ(0, t_copy(self->fd, self->ioas, ioas, T_BASE + T_PAGE,
			    6 * T_PAGE, &iova, T_RW));
	CHECK_MAP(iova, T_PAGE, self->buf + 13 * T_PAGE);
	CHECK_MAP(iova + T_PAGE, 2 * T_PAGE, self->buf + 9 * T_PAGE);
	CHECK_MAP(iova + 3 * T_PAGE, 2 * T_PAGE, self->buf + 6 * T_PAGE);
	CHECK_MAP(iova + 5 * T_PAGE, T_PAGE, self->buf + 3 * T_PAGE);
	CHECK_REFS(self->buf + 9 * T_PAGE, 2 * T_PAGE, 1);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + 12 * T_PAGE, T_PAGE,
				  0));

	/* Each piece is a mapping of its own. */
	EXPECT_EQ(ENOENT, t_unmap(self->fd, self->ioas, iova + T_PAGE, T_PAGE,
				  NULL));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova + T_PAGE, 2 * T_PAGE,
			     &done));
	EXPECT_EQ(2 * T_PAGE, done);
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova, 6 * T_PAGE, &done));
	EXPECT_EQ(4 * T_PAGE, done);
}

TEST_F(map, copy_not_aligned_for_the_destination)
{
	uint32_t ioas;

	if (!variant->domains)
		return;
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &ioas));
	ASSERT_EQ(0, t_map_at(self->fd, ioas, self->buf + 16, 4 * T_PAGE,
			      T_BASE));
	EXPECT_EQ(EINVAL, t_copy_at(self->fd, self->ioas, ioas, T_BASE, T_PAGE,
				    T_BASE));
	EXPECT_EQ(EINVAL, t_copy_at(self->fd, self->ioas, ioas,
				    T_BASE + T_PAGE - 16, T_PAGE + 16, T_BASE));
	EXPECT_EQ(EINVAL, t_copy_at(self->fd, self->ioas, ioas,
				    T_BASE + T_PAGE - 16, T_PAGE, T_BASE + 16));
	/* The part that starts at a page is good. */
	EXPECT_EQ(0, t_copy_at(self->fd, self->ioas, ioas, T_BASE + T_PAGE - 16,
			       T_PAGE, T_BASE));
	CHECK_MAP(T_BASE, T_PAGE, self->buf + T_PAGE);
}

TEST_F(map, destroy_with_mappings)
{
	uint32_t ioas, stdev, hwpt;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &ioas));
	ASSERT_EQ(0, t_mock(self->fd, ioas, &stdev, &hwpt, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, ioas, self->buf, self->length, T_BASE));
	ASSERT_EQ(0, t_copy_at(self->fd, self->ioas, ioas, T_BASE, self->length,
			       T_BASE));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 1));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, ioas));
	ASSERT_EQ(0, t_destroy(self->fd, stdev));
	CHECK_REFS(self->buf, self->length, 1);
	ASSERT_EQ(0, t_destroy(self->fd, ioas));
	CHECK_MAP(T_BASE, self->length, self->buf);
	CHECK_REFS(self->buf, self->length, 1);
}

TEST_F(map, domains_come_and_go)
{
	uint32_t idev, stdev, hwpt;

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + T_PAGE,
			      3 * MOCK_PAGE_SIZE, T_BASE + self->length));
	/* The last domain leaves and takes the pins along. */
	if (variant->domains > 1) {
		ASSERT_EQ(0, t_destroy(self->fd, self->stdev[1]));
		CHECK_MAP(T_BASE, self->length, self->buf);
		ASSERT_EQ(0, t_destroy(self->fd, self->hwpt[1]));
		EXPECT_EQ(0, t_check_map(self->fd, self->hwpt[0], T_BASE,
					 self->length, self->buf));
		EXPECT_EQ(0, t_check_refs(self->fd, self->buf, T_PAGE, 1));
	}
	if (variant->domains)
		ASSERT_EQ(0, t_destroy(self->fd, self->stdev[0]));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));

	/* The next one finds everything in place. */
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, &hwpt, &idev));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, T_BASE, self->length,
				 self->buf));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, T_BASE + self->length,
				 3 * MOCK_PAGE_SIZE, self->buf + T_PAGE));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, T_PAGE, 1));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + T_PAGE, 2 * T_PAGE, 2));
	ASSERT_EQ(0, t_destroy(self->fd, stdev));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
}

/*
 * Random MAP, COPY and UNMAP against a model that is a plain array: page @i of
 * the window is mapped to page @at[i] of the buffer, or not at all (-1).
 */
#define WINDOW 96

struct model {
	int at[WINDOW];
	/* First page of the mapping that page @i belongs to */
	int first[WINDOW];
};

static bool model_free(const struct model *m, int first, int pages)
{
	int i;

	for (i = first; i < first + pages; i++)
		if (m->at[i] >= 0)
			return false;
	return true;
}

static bool model_full(const struct model *m, int first, int pages)
{
	int i;

	for (i = first; i < first + pages; i++)
		if (m->at[i] < 0)
			return false;
	return true;
}

/* What UNMAP does: whole mappings in order until one would be cut */
static bool model_unmap(struct model *m, int first, int pages, uint64_t *done)
{
	int i = first, start, end, j;

	*done = 0;
	while (i < first + pages) {
		if (m->at[i] < 0) {
			i++;
			continue;
		}
		start = m->first[i];
		for (end = start; end < WINDOW && m->at[end] >= 0 &&
		     m->first[end] == start; end++)
			;
		if (start < first || end > first + pages)
			return false;
		for (j = start; j < end; j++)
			m->at[j] = -1;
		*done += end - start;
		i = end;
	}
	return *done;
}

TEST_F(map, random_against_a_model)
{
	uint64_t seed = 0x5eed0000 + variant->domains, state;
	int op, first, pages, from, i, step, want, got;
	uint64_t base = T_BASE, want_done, got_done;
	struct model m;

	if (getenv("IOMMUFD_SEED"))
		seed = strtoull(getenv("IOMMUFD_SEED"), NULL, 0);
	TH_LOG("IOMMUFD_SEED=%#llx", (unsigned long long)seed);
	state = seed ?: 1;
	for (i = 0; i < WINDOW; i++)
		m.at[i] = -1;
	for (step = 0; step < 1500; step++) {
		op = t_random(&state) % 8;
		pages = 1 + t_random(&state) % 12;
		first = t_random(&state) % (WINDOW - pages + 1);
		if (op < 4) {
			from = t_random(&state) % (BUF_PAGES - pages + 1);
			want = model_free(&m, first, pages) ? 0 : EEXIST;
			got = t_map_at(self->fd, self->ioas,
				       self->buf + from * T_PAGE,
				       pages * T_PAGE, base + first * T_PAGE);
			for (i = 0; !want && i < pages; i++) {
				m.at[first + i] = from + i;
				m.first[first + i] = first;
			}
		} else if (op < 6) {
			from = t_random(&state) % (WINDOW - pages + 1);
			want = !model_full(&m, from, pages) ? ENOENT :
			       !model_free(&m, first, pages) ? EEXIST : 0;
			got = t_copy_at(self->fd, self->ioas, self->ioas,
					base + from * T_PAGE, pages * T_PAGE,
					base + first * T_PAGE);
			for (i = 0; !want && i < pages; i++) {
				m.at[first + i] = m.at[from + i];
				m.first[first + i] =
					i && m.first[from + i] ==
					m.first[from + i - 1] ?
					m.first[first + i - 1] : first + i;
			}
		} else {
			want = model_unmap(&m, first, pages, &want_done) ?
			       0 : ENOENT;
			got = t_unmap(self->fd, self->ioas,
				      base + first * T_PAGE, pages * T_PAGE,
				      &got_done);
			if (!want)
				ASSERT_EQ(want_done * T_PAGE, got_done)
					TH_LOG("step %d", step);
		}
		ASSERT_EQ(want, got) TH_LOG("step %d op %d", step, op);
		if (step % 50 || !variant->domains)
			continue;
		for (i = 0; i < WINDOW; i++) {
			if (m.at[i] >= 0)
				CHECK_MAP(base + i * T_PAGE, T_PAGE,
					  self->buf + m.at[i] * T_PAGE);
			else
				CHECK_NOT_MAPPED(base + i * T_PAGE, self->buf);
		}
	}
	want_done = 0;
	for (i = 0; i < WINDOW; i++)
		want_done += m.at[i] >= 0;
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, &got_done));
	EXPECT_EQ(want_done * T_PAGE, got_done);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
}

TEST(temp_limit_minimum)
{
	int fd;

	fd = t_open();
	ASSERT_LE(0, fd);
	if (!t_has_mock(fd))
		SKIP(return, T_NO_MOCK);
	EXPECT_EQ(EINVAL, t_temp_limit(fd, 0));
	EXPECT_EQ(EINVAL, t_temp_limit(fd, 11));
	EXPECT_EQ(0, t_temp_limit(fd, 12));
	EXPECT_EQ(0, t_temp_limit(fd, T_TEMP_LIMIT_DEFAULT));
	close(fd);
}

TEST_HARNESS_MAIN
