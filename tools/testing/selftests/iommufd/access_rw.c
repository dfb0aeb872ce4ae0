// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies that an in-kernel user makes to and from the memory behind IOVAs, by
 * the mock's access. The kernel copies through the addresses of the mapper
 * where it is the caller's own memory, and through the pages otherwise;
 * MOCK_ACCESS_RW_SLOW_PATH asks for the latter. Either way with the pages pinned
 * for a page table already, or by nobody.
 */
#include <linux/mman.h>
#include <sys/wait.h>

#include "util.h"

#define WRITE MOCK_ACCESS_RW_WRITE
#define SLOW MOCK_ACCESS_RW_SLOW_PATH
#define PAGES 16

FIXTURE(access_rw)
{
	int fd;
	uint32_t ioas;
	int access;
	/* Mapped at T_BASE */
	char *buf;
	/* To copy from and to */
	char *data;
	size_t length;
	/* How often a page of @buf is pinned when nothing goes on */
	uint32_t refs;
	long pin;
};

FIXTURE_VARIANT(access_rw)
{
	uint32_t flags;
	bool domain;
};

FIXTURE_VARIANT_ADD(access_rw, by_address)
{
	.flags = 0,
};

FIXTURE_VARIANT_ADD(access_rw, by_page)
{
	.flags = SLOW,
};

FIXTURE_VARIANT_ADD(access_rw, by_address_with_domain)
{
	.flags = 0,
	.domain = true,
};

FIXTURE_VARIANT_ADD(access_rw, by_page_with_domain)
{
	.flags = SLOW,
	.domain = true,
};

/* No two bytes near each other, or in the same place of two pages, are alike. */
static void fill(char *va, size_t length, unsigned int seed)
{
	size_t i;

	for (i = 0; i < length; i++)
		va[i] = (i + seed) * 7 + (i >> 8) * 13 + (i >> 16);
}

FIXTURE_SETUP(access_rw)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	if (variant->domain)
		ASSERT_EQ(0, t_mock(self->fd, self->ioas, NULL, NULL, NULL));
	self->refs = variant->domain;
	self->length = PAGES * T_PAGE;
	self->buf = t_alloc(self->length);
	self->data = t_alloc(self->length);
	ASSERT_TRUE(self->buf && self->data);
	fill(self->buf, self->length, 0);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, 0, &self->access));
	self->pin = t_vmpin();
}

FIXTURE_TEARDOWN(access_rw)
{
	int fd;

	close(self->access);
	close(self->fd);
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, self->buf, self->length, 0));
	close(fd);
}

static int copy_out(struct _test_data_access_rw *self, uint32_t flags,
		    uint64_t iova, void *data, size_t length)
{
	return t_access_rw(self->fd, self->access, iova, data, length, flags);
}

static int copy_in(struct _test_data_access_rw *self, uint32_t flags,
		   uint64_t iova, void *data, size_t length)
{
	return t_access_rw(self->fd, self->access, iova, data, length,
			   flags | WRITE);
}

TEST_F(access_rw, every_offset)
{
	static const int near[] = { -9, -8, -1, 0, 1, 7, 100 };
	static const size_t lengths[] = { 1, 2, 8, 9, 100, 4095, 4096, 4097,
					  8192, 9000 };
	char *want = t_alloc(self->length);
	unsigned int i, j;
	size_t at, n;

	ASSERT_NE(NULL, want);
	memcpy(want, self->buf, self->length);
	for (i = 0; i < ARRAY_SIZE(near); i++) {
		for (j = 0; j < ARRAY_SIZE(lengths); j++) {
			at = 4 * T_PAGE + near[i];
			n = lengths[j];
			memset(self->data, 0, self->length);
			ASSERT_EQ(0, copy_out(self, variant->flags, T_BASE + at,
					      self->data + 3, n));
			EXPECT_EQ(0, memcmp(self->data + 3, self->buf + at, n))
				TH_LOG("%zu bytes at %zu", n, at);
			/* No more than was asked for */
			EXPECT_EQ(0, self->data[2]);
			EXPECT_EQ(0, self->data[n + 3]);

			fill(self->data, n, i * 31 + j);
			memcpy(want + at, self->data, n);
			ASSERT_EQ(0, copy_in(self, variant->flags, T_BASE + at,
					     self->data, n));
			ASSERT_EQ(0, memcmp(self->buf, want, self->length))
				TH_LOG("%zu bytes at %zu", n, at);
		}
	}
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length,
				  self->refs));
	EXPECT_EQ(self->pin, t_vmpin());
	munmap(want, self->length);
}

TEST_F(access_rw, first_and_last_byte)
{
	char *last = self->buf + self->length - 1;
	char byte = 0;

	ASSERT_EQ(0, copy_out(self, variant->flags, T_BASE, &byte, 1));
	EXPECT_EQ(self->buf[0], byte);
	ASSERT_EQ(0, copy_out(self, variant->flags,
			      T_BASE + self->length - 1, &byte, 1));
	EXPECT_EQ(*last, byte);
	byte = 0x77;
	ASSERT_EQ(0, copy_in(self, variant->flags, T_BASE + self->length - 1,
			     &byte, 1));
	EXPECT_EQ(0x77, *last);
	ASSERT_EQ(0, copy_in(self, variant->flags, T_BASE, &byte, 1));
	EXPECT_EQ(0x77, self->buf[0]);
}

TEST_F(access_rw, errors)
{
	uint32_t flags = variant->flags;
	uint64_t end = T_BASE + self->length;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	unsigned int bit, i;
	int bad[4] = { -1, self->fd, null };

	EXPECT_EQ(EINVAL, copy_out(self, flags, T_BASE, self->data, 0));
	EXPECT_EQ(EINVAL, copy_in(self, flags, T_BASE, self->data, 0));
	EXPECT_EQ(EOVERFLOW, copy_out(self, flags, UINT64_MAX, self->data, 2));
	EXPECT_EQ(EOVERFLOW, copy_in(self, flags, UINT64_MAX - 9, self->data,
				     11));
	EXPECT_EQ(ENOENT, copy_out(self, flags, UINT64_MAX - 9, self->data,
				   10));
	EXPECT_EQ(ENOENT, copy_out(self, flags, 0, self->data, 1));

	EXPECT_EQ(ENOMEM, copy_out(self, flags, T_BASE, self->data,
				   T_ACCESS_MAX + 1));
	EXPECT_EQ(ENOMEM, t_access_rw(self->fd, -1, T_BASE, self->data,
				      UINT64_MAX, UINT32_MAX));
	for (bit = 0; bit < 32; bit++) {
		if ((1U << bit) &
		    (WRITE | SLOW | MOCK_FLAGS_ACCESS_SYZ))
			continue;
		EXPECT_EQ(EOPNOTSUPP, t_access_rw(self->fd, -1, T_BASE,
						  self->data, 1,
						  flags | 1U << bit));
	}
	ASSERT_LE(0, null);
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, 0, &bad[3]));
	close(bad[3]);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(EBADFD, t_access_rw(self->fd, bad[i], T_BASE,
					      self->data, 1, flags));
	close(null);

	/* Outside of what is mapped, by a byte */
	EXPECT_EQ(ENOENT, copy_out(self, flags, end, self->data, 1));
	EXPECT_EQ(ENOENT, copy_out(self, flags, end - 1, self->data, 2));
	EXPECT_EQ(ENOENT, copy_in(self, flags, end - 1, self->data, 2));
	EXPECT_EQ(ENOENT, copy_out(self, flags, T_BASE - 1, self->data, 2));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length,
				  self->refs));
}

TEST_F(access_rw, data_out_of_reach)
{
	char *cliff = t_cliff(), before;

	ASSERT_NE(NULL, cliff);
	before = self->buf[0];
	EXPECT_EQ(EFAULT, copy_in(self, variant->flags, T_BASE,
				  cliff + T_PAGE - 1, 2));
	EXPECT_EQ(before, self->buf[0]);
	EXPECT_EQ(EFAULT, copy_out(self, variant->flags, T_BASE,
				   cliff + T_PAGE - 1, 2));
	EXPECT_EQ(EFAULT, copy_out(self, variant->flags, T_BASE, NULL, 1));
	EXPECT_EQ(0, copy_out(self, variant->flags, T_BASE, cliff + T_PAGE - 2,
			      2));
	EXPECT_EQ(0, memcmp(self->buf, cliff + T_PAGE - 2, 2));
	munmap(cliff, 2 * T_PAGE);
}

TEST_F(access_rw, rights)
{
	uint64_t ro = T_BASE + self->length, wo = ro + self->length;
	char keep[8];

	ASSERT_EQ(0, t_map(self->fd, self->ioas, self->buf, T_PAGE, &ro,
			   IOMMU_IOAS_MAP_READABLE | T_FIXED));
	ASSERT_EQ(0, t_map(self->fd, self->ioas, self->buf, T_PAGE, &wo,
			   IOMMU_IOAS_MAP_WRITEABLE | T_FIXED));
	memcpy(keep, self->buf, sizeof(keep));
	EXPECT_EQ(EPERM, copy_in(self, variant->flags, ro, self->data, 8));
	EXPECT_EQ(0, memcmp(self->buf, keep, sizeof(keep)));
	EXPECT_EQ(EPERM, copy_out(self, variant->flags, wo, self->data, 8));
	EXPECT_EQ(EPERM, copy_in(self, variant->flags, ro - 4, self->data, 8));
	EXPECT_EQ(0, copy_out(self, variant->flags, ro, self->data, 8));
	EXPECT_EQ(0, memcmp(self->data, keep, sizeof(keep)));
	memset(self->data, 0x11, 8);
	EXPECT_EQ(0, copy_in(self, variant->flags, wo, self->data, 8));
	EXPECT_EQ(0, memcmp(self->data, self->buf, 8));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, ro, T_PAGE, NULL));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, wo, T_PAGE, NULL));
}

/* Read only for the process, too: nothing that would need to write is done. */
TEST_F(access_rw, memory_read_only)
{
	uint64_t iova = T_BASE + self->length;
	char *va = t_alloc(T_PAGE);

	ASSERT_NE(NULL, va);
	fill(va, T_PAGE, 5);
	ASSERT_EQ(0, mprotect(va, T_PAGE, PROT_READ));
	ASSERT_EQ(0, t_map(self->fd, self->ioas, va, T_PAGE, &iova,
			   IOMMU_IOAS_MAP_READABLE | T_FIXED));
	EXPECT_EQ(0, copy_out(self, variant->flags, iova, self->data, T_PAGE));
	EXPECT_EQ(0, memcmp(self->data, va, T_PAGE));
	EXPECT_EQ(EPERM, copy_in(self, variant->flags, iova, self->data, 1));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova, T_PAGE, NULL));
	munmap(va, T_PAGE);
}

TEST_F(access_rw, across_areas)
{
	uint64_t base = T_BASE + 0x1000000;
	size_t part = T_PAGE + MOCK_PAGE_SIZE, i;
	char *va = t_alloc(4 * part);

	/* They lie in memory in the reverse order, and not at page boundaries. */
	ASSERT_NE(NULL, va);
	fill(va, 4 * part, 9);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas,
				      va + (3 - i) * part, part,
				      base + i * part));
	ASSERT_EQ(0, copy_out(self, variant->flags, base, self->data,
			      4 * part));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, memcmp(self->data + i * part, va + (3 - i) * part,
				    part));
	ASSERT_EQ(0, copy_out(self, variant->flags, base + part - 5,
			      self->data, 10));
	EXPECT_EQ(0, memcmp(self->data, va + 4 * part - 5, 5));
	EXPECT_EQ(0, memcmp(self->data + 5, va + 2 * part, 5));
	fill(self->data, 4 * part, 77);
	ASSERT_EQ(0, copy_in(self, variant->flags, base + 1, self->data + 1,
			     4 * part - 2));
	for (i = 1; i < 3; i++)
		EXPECT_EQ(0, memcmp(self->data + i * part, va + (3 - i) * part,
				    part));
	EXPECT_EQ(0, memcmp(self->data + 1, va + 3 * part + 1, part - 1));
	EXPECT_EQ(0, memcmp(self->data + 3 * part, va, part - 1));
	/* The outermost bytes were not asked for. */
	EXPECT_NE(self->data[0], va[3 * part]);
	EXPECT_NE(self->data[4 * part - 1], va[part - 1]);

	/* A hole: what lies before it may have been copied, no more is said. */
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, base + part, part, NULL));
	EXPECT_EQ(ENOENT, copy_out(self, variant->flags, base, self->data,
				   4 * part));
	EXPECT_EQ(0, copy_out(self, variant->flags, base + 2 * part,
			      self->data, 2 * part));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, base, 4 * part, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, va, 4 * part, 0));
	munmap(va, 4 * part);
}

TEST_F(access_rw, offset_of_its_own)
{
	uint64_t iova = T_BASE + 0x1000000 + MOCK_PAGE_SIZE;
	size_t length = 3 * T_PAGE;

	/* IOVA and address do not lie in their pages in the same way. */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + T_PAGE, length,
			      iova));
	ASSERT_EQ(0, copy_out(self, variant->flags, iova, self->data, length));
	EXPECT_EQ(0, memcmp(self->data, self->buf + T_PAGE, length));
	ASSERT_EQ(0, copy_out(self, variant->flags, iova + T_PAGE - 3,
			      self->data, 6));
	EXPECT_EQ(0, memcmp(self->data, self->buf + 2 * T_PAGE - 3, 6));
	fill(self->data, length, 21);
	ASSERT_EQ(0, copy_in(self, variant->flags, iova + 1, self->data,
			     length - 1));
	EXPECT_EQ(0, memcmp(self->data, self->buf + T_PAGE + 1, length - 1));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova, length, NULL));
	if (variant->domain)
		return;
	/* Without a page table any byte will do. */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + 11, 5000, 3));
	ASSERT_EQ(0, copy_out(self, variant->flags, 3, self->data, 5000));
	EXPECT_EQ(0, memcmp(self->data, self->buf + 11, 5000));
	EXPECT_EQ(ENOENT, copy_out(self, variant->flags, 2, self->data, 2));
	EXPECT_EQ(ENOENT, copy_out(self, variant->flags, 5002, self->data, 2));
}

TEST_F(access_rw, through_a_copy)
{
	uint32_t other;
	int access;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &other));
	ASSERT_EQ(0, t_copy_at(self->fd, other, self->ioas, T_BASE + T_PAGE,
			       2 * T_PAGE, T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, other, 0, &access));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	ASSERT_EQ(0, t_access_rw(self->fd, access, T_BASE + 10, self->data,
				 T_PAGE, variant->flags));
	EXPECT_EQ(0, memcmp(self->data, self->buf + T_PAGE + 10, T_PAGE));
	EXPECT_EQ(ENOENT, t_access_rw(self->fd, access, T_BASE,
				      self->data, 2 * T_PAGE + 1,
				      variant->flags));
	/* It follows the access. */
	EXPECT_EQ(ENOENT, copy_out(self, variant->flags, T_BASE, self->data,
				   1));
	ASSERT_EQ(0, t_access_replace(self->fd, self->access, other));
	EXPECT_EQ(0, copy_out(self, variant->flags, T_BASE, self->data, 1));
	close(access);
}

/* After munmap() only who has the pages pinned can reach them, and by page. */
TEST_F(access_rw, memory_is_gone)
{
	bool there = variant->domain && variant->flags;
	char keep[16];

	memcpy(keep, self->buf, sizeof(keep));
	ASSERT_EQ(0, munmap(self->buf, T_PAGE));
	EXPECT_EQ(there ? 0 : EFAULT, copy_out(self, variant->flags, T_BASE,
					       self->data, 16));
	if (there)
		EXPECT_EQ(0, memcmp(keep, self->data, 16));
	EXPECT_EQ(there ? 0 : EFAULT, copy_in(self, variant->flags, T_BASE,
					      self->data, 16));
	/* Other memory has come to the address. */
	ASSERT_NE(MAP_FAILED, mmap(self->buf, T_PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				   0));
	fill(self->buf, T_PAGE, 200);
	ASSERT_EQ(0, copy_out(self, variant->flags, T_BASE, self->data, 16));
	EXPECT_EQ(0, memcmp(there ? keep : self->buf, self->data, 16));
}

TEST_F(access_rw, memory_that_was_never_touched)
{
	uint64_t iova = T_BASE + self->length;
	char *va;

	va = mmap(NULL, 4 * T_PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, va);
	madvise(va, 4 * T_PAGE, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, 4 * T_PAGE, iova));
	ASSERT_EQ(0, copy_out(self, variant->flags, iova, self->data,
			      2 * T_PAGE));
	EXPECT_EQ(0, self->data[0] | self->data[2 * T_PAGE - 1]);
	fill(self->data, 2 * T_PAGE, 3);
	ASSERT_EQ(0, copy_in(self, variant->flags, iova + T_PAGE, self->data,
			     2 * T_PAGE));
	EXPECT_EQ(0, va[T_PAGE - 1]);
	EXPECT_EQ(0, memcmp(self->data, va + T_PAGE, 2 * T_PAGE));
	EXPECT_EQ(0, va[3 * T_PAGE]);
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova, 4 * T_PAGE, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, va, 4 * T_PAGE, 0));
	munmap(va, 4 * T_PAGE);
}

TEST_F(access_rw, half_of_it_is_there)
{
	uint64_t iova = T_BASE + self->length;
	char *va = t_alloc(4 * T_PAGE);

	if (variant->domain)
		/* It could not be mapped then. */
		return;
	ASSERT_NE(NULL, va);
	ASSERT_EQ(0, mprotect(va + 2 * T_PAGE, 2 * T_PAGE, PROT_NONE));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, 4 * T_PAGE, iova));
	EXPECT_EQ(EFAULT, copy_out(self, variant->flags, iova, self->data,
				   4 * T_PAGE));
	EXPECT_EQ(EFAULT, copy_in(self, variant->flags, iova, self->data,
				  2 * T_PAGE + 1));
	EXPECT_EQ(EFAULT, copy_in(self, variant->flags, iova + 3 * T_PAGE,
				  self->data, 1));
	ASSERT_EQ(0, mprotect(va + 2 * T_PAGE, T_PAGE, PROT_READ));
	EXPECT_EQ(EFAULT, copy_in(self, variant->flags, iova + 2 * T_PAGE,
				  self->data, 1));
	EXPECT_EQ(0, copy_out(self, variant->flags, iova, self->data,
			      2 * T_PAGE));
	EXPECT_EQ(0, t_check_refs(self->fd, va, 3 * T_PAGE, 0));
	munmap(va, 4 * T_PAGE);
}

TEST_F(access_rw, as_long_as_may_be)
{
	uint64_t iova = T_BASE + 0x1000000;
	char *va, *data;

	va = t_alloc(T_ACCESS_MAX);
	data = t_alloc(T_ACCESS_MAX);
	ASSERT_TRUE(va && data);
	fill(va, T_ACCESS_MAX, 1);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, T_ACCESS_MAX, iova));
	ASSERT_EQ(0, copy_out(self, variant->flags, iova, data, T_ACCESS_MAX));
	EXPECT_EQ(0, memcmp(va, data, T_ACCESS_MAX));
	memset(data, 0x42, T_ACCESS_MAX);
	ASSERT_EQ(0, copy_in(self, variant->flags, iova, data, T_ACCESS_MAX));
	EXPECT_EQ(0, memcmp(va, data, T_ACCESS_MAX));
	EXPECT_EQ(0, t_check_refs(self->fd, va, T_ACCESS_MAX, self->refs));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova, T_ACCESS_MAX, NULL));
	munmap(va, T_ACCESS_MAX);
	munmap(data, T_ACCESS_MAX);
}

TEST_F(access_rw, huge_pages)
{
	uint64_t iova = T_BASE + 0x1000000;
	char *va;

	if (!t_reserve_hugetlb(2))
		SKIP(return, "no huge pages to be had");
	va = mmap(NULL, 2 * T_PMD, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1,
		  0);
	ASSERT_NE(MAP_FAILED, va);
	fill(va, 2 * T_PMD, 33);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, 2 * T_PMD, iova));
	ASSERT_EQ(0, copy_out(self, variant->flags, iova + T_PMD - 3000,
			      self->data, 9000));
	EXPECT_EQ(0, memcmp(self->data, va + T_PMD - 3000, 9000));
	fill(self->data, 9000, 99);
	ASSERT_EQ(0, copy_in(self, variant->flags, iova + T_PMD - 3000,
			     self->data, 9000));
	EXPECT_EQ(0, memcmp(self->data, va + T_PMD - 3000, 9000));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova, 2 * T_PMD, NULL));
	munmap(va, 2 * T_PMD);
}

/*
 * From a child, which has memory of its own at the same address: the memory is
 * the mapper's all the same.
 */
static int child_copies(struct _test_data_access_rw *self, uint32_t flags)
{
	char data[64], keep[64];

	fill(keep, sizeof(keep), 50);
	memset(self->buf, 0, self->length);
	if (copy_out(self, flags, T_BASE + T_PAGE - 32, data, 64))
		return 1;
	fill(self->data, self->length, 0);
	if (memcmp(data, self->data + T_PAGE - 32, 64))
		return 2;
	if (copy_in(self, flags, T_BASE + 2 * T_PAGE - 32, keep, 64))
		return 3;
	if (self->buf[2 * T_PAGE - 32] || self->buf[2 * T_PAGE + 31])
		return 4;
	return 0;
}

TEST_F(access_rw, from_another_process)
{
	char want[64];
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(child_copies(self, variant->flags));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status)
		TH_LOG("child: step %d", WEXITSTATUS(status));
	fill(want, sizeof(want), 50);
	EXPECT_EQ(0, memcmp(want, self->buf + 2 * T_PAGE - 32, 64));
	EXPECT_EQ(self->pin, t_vmpin());
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length,
				  self->refs));
}

TEST_F(access_rw, mapper_has_left)
{
	uint64_t iova = T_BASE + 0x1000000;
	size_t length = 8 * T_PAGE;
	int status, pinner, memfd = t_memfd(length);
	bool there = variant->domain;
	char *va, *alias;
	pid_t pid;

	ASSERT_LE(0, memfd);
	va = t_map_memfd(memfd, length);
	ASSERT_NE(NULL, va);
	fill(va, length, 8);
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas,
				     MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES,
				     &pinner));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(t_map_at(self->fd, self->ioas, va, length, iova) ?:
		      t_pin(self->fd, pinner, iova + 2 * T_PAGE, 2 * T_PAGE,
			    va + 2 * T_PAGE, 0, NULL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	/* The same address here is of no use. */
	ASSERT_EQ(0, munmap(va, length));
	alias = t_map_memfd(memfd, length);
	ASSERT_NE(NULL, alias);
	EXPECT_EQ(there ? 0 : EFAULT, copy_out(self, variant->flags, iova,
					       self->data, T_PAGE));
	EXPECT_EQ(there ? 0 : EFAULT, copy_in(self, variant->flags, iova,
					      alias, 1));
	/* What somebody has pinned can be reached, up to its last byte. */
	memset(self->data, 0, self->length);
	ASSERT_EQ(0, copy_out(self, variant->flags, iova + 2 * T_PAGE,
			      self->data, 2 * T_PAGE));
	EXPECT_EQ(0, memcmp(self->data, alias + 2 * T_PAGE, 2 * T_PAGE));
	fill(self->data, 2 * T_PAGE, 111);
	ASSERT_EQ(0, copy_in(self, variant->flags, iova + 2 * T_PAGE,
			     self->data, 2 * T_PAGE));
	EXPECT_EQ(0, memcmp(self->data, alias + 2 * T_PAGE, 2 * T_PAGE));
	EXPECT_EQ(there ? 0 : EFAULT,
		  copy_out(self, variant->flags, iova + 4 * T_PAGE - 1,
			   self->data, 2));
	EXPECT_EQ(there ? 0 : EFAULT,
		  copy_out(self, variant->flags, iova + 2 * T_PAGE - 1,
			   self->data, 2));
	close(pinner);
	EXPECT_EQ(there ? 0 : EFAULT,
		  copy_out(self, variant->flags, iova + 2 * T_PAGE, self->data,
			   1));
	EXPECT_EQ(0, t_check_refs(self->fd, alias, length, there));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova, length, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, alias, length, 0));
	munmap(alias, length);
	close(memfd);
}

TEST_F(access_rw, random_copies)
{
	uint64_t seed = time(NULL) | 1;
	char *want = t_alloc(self->length);
	unsigned int step;
	size_t at, n;

	TH_LOG("seed %#llx", (unsigned long long)seed);
	ASSERT_NE(NULL, want);
	memcpy(want, self->buf, self->length);
	for (step = 0; step < 200; step++) {
		at = t_random(&seed) % self->length;
		n = 1 + t_random(&seed) % (self->length - at);
		if (step & 1) {
			memset(self->data, 0, n);
			ASSERT_EQ(0, copy_out(self, variant->flags, T_BASE + at,
					      self->data, n));
			ASSERT_EQ(0, memcmp(self->data, want + at, n))
				TH_LOG("step %u: %zu bytes at %zu", step, n,
				       at);
			continue;
		}
		fill(self->data, n, step);
		memcpy(want + at, self->data, n);
		ASSERT_EQ(0, copy_in(self, variant->flags, T_BASE + at,
				     self->data, n));
		ASSERT_EQ(0, memcmp(self->buf, want, self->length))
			TH_LOG("step %u: %zu bytes at %zu", step, n, at);
	}
	munmap(want, self->length);
}

TEST_HARNESS_MAIN
