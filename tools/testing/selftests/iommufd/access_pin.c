// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that an in-kernel user pins through its IOVAs, by the mock's access:
 * which pages it gets, how often a page is pinned whoever wants it, and who lets
 * go when: the user itself, UNMAP, a move to another address space, close.
 *
 * The reference count of the pages (t_check_refs) is what proves it: 1 while
 * anybody has the page pinned, 0 otherwise. The mock compares the pages that
 * it got with the caller's and says EBADE if they differ.
 */
#include <linux/mman.h>
#include <sys/wait.h>

#include "util.h"

#define NEEDS_PIN MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES
#define WRITE MOCK_FLAGS_ACCESS_WRITE
#define PAGES 16

FIXTURE(access_pin)
{
	int fd;
	uint32_t ioas;
	int access;
	/* Mapped at T_BASE */
	char *buf;
	size_t length;
};

FIXTURE_SETUP(access_pin)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	self->length = PAGES * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN,
				     &self->access));
}

FIXTURE_TEARDOWN(access_pin)
{
	int fd;

	/* An access keeps the context, so it has to go, too. */
	close(self->access);
	close(self->fd);
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, self->buf, self->length, 0));
	close(fd);
}

/* Is each of @npages pages, which may be none, pinned @refs times? */
static int pages_refs(int fd, const void *va, size_t npages, uint32_t refs)
{
	return npages ? t_check_refs(fd, va, npages * T_PAGE, refs) : 0;
}

#define EXPECT_REFS(va, npages, refs)                         \
	EXPECT_EQ(0, pages_refs(self->fd, va, npages, refs))

TEST_F(access_pin, errors)
{
	uint64_t end = UINT64_MAX - T_PAGE + 1;
	unsigned int bit;
	uint32_t item;
	int rw;

	EXPECT_EQ(EINVAL, t_pin(self->fd, self->access, T_BASE, 0, NULL, 0,
				NULL));
	EXPECT_EQ(EINVAL, t_pin(self->fd, self->access, UINT64_MAX, 0, NULL, 0,
				NULL));
	EXPECT_EQ(EOVERFLOW, t_pin(self->fd, self->access, UINT64_MAX, 2, NULL,
				   0, NULL));
	EXPECT_EQ(EOVERFLOW, t_pin(self->fd, self->access, end, T_PAGE + 1,
				   NULL, 0, NULL));
	/* Up to the very last byte nothing overflows. */
	EXPECT_EQ(ENOENT, t_pin(self->fd, self->access, end, T_PAGE, NULL, 0,
				NULL));
	EXPECT_EQ(ENOENT, t_pin(self->fd, self->access, UINT64_MAX, 1, NULL, 0,
				NULL));
	EXPECT_EQ(ENOENT, t_pin(self->fd, self->access, 0, 1, NULL, 0, NULL));

	EXPECT_EQ(ENOMEM, t_pin(self->fd, self->access, T_BASE,
				T_ACCESS_MAX + 1, NULL, 0, NULL));
	EXPECT_EQ(ENOMEM, t_pin(self->fd, -1, T_BASE, UINT64_MAX, NULL, 2,
				NULL));
	EXPECT_EQ(ENOENT, t_pin(self->fd, self->access, T_BASE, T_ACCESS_MAX,
				NULL, 0, NULL));
	for (bit = 1; bit < 32; bit++) {
		if (1U << bit == MOCK_FLAGS_ACCESS_SYZ)
			continue;
		EXPECT_EQ(EOPNOTSUPP, t_pin(self->fd, -1, T_BASE, T_PAGE, NULL,
					    1U << bit, NULL));
	}

	/* One that only copies */
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, 0, &rw));
	EXPECT_EQ(EOPNOTSUPP, t_pin(self->fd, rw, T_BASE, T_PAGE, self->buf, 0,
				    NULL));
	EXPECT_EQ(EOPNOTSUPP, t_pin(self->fd, rw, T_BASE, 0, NULL, 0, NULL));
	EXPECT_EQ(ENOENT, t_unpin(self->fd, rw, 0));
	close(rw);

	EXPECT_EQ(ENOENT, t_unpin(self->fd, self->access, 0));
	EXPECT_EQ(ENOENT, t_unpin(self->fd, self->access, UINT32_MAX));
	EXPECT_REFS(self->buf, PAGES, 0);
	/* What failed has taken no number. */
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE, T_PAGE, self->buf, 0,
			   &item));
	EXPECT_EQ(0, item);
}

TEST_F(access_pin, not_an_access)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int gone, i, bad[4] = { -1, self->fd, null };

	ASSERT_LE(0, null);
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN, &gone));
	close(gone);
	bad[3] = gone;
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(EBADFD, t_pin(self->fd, bad[i], T_BASE, T_PAGE,
					self->buf, 0, NULL));
		EXPECT_EQ(EBADFD, t_unpin(self->fd, bad[i], 0));
	}
	close(null);
}

TEST_F(access_pin, rights)
{
	uint64_t ro = T_BASE + self->length, wo = ro + self->length, iova;
	uint32_t copied;
	int reader;

	ASSERT_EQ(0, t_map(self->fd, self->ioas, self->buf, 4 * T_PAGE, &ro,
			   IOMMU_IOAS_MAP_READABLE | T_FIXED));
	ASSERT_EQ(0, t_map(self->fd, self->ioas, self->buf, 4 * T_PAGE, &wo,
			   IOMMU_IOAS_MAP_WRITEABLE | T_FIXED));
	EXPECT_EQ(EPERM, t_pin(self->fd, self->access, ro, T_PAGE, self->buf,
			       WRITE, NULL));
	EXPECT_EQ(EPERM, t_pin(self->fd, self->access, wo, T_PAGE, self->buf, 0,
			       NULL));
	/* The second half of the range may not be written, then not read. */
	EXPECT_EQ(EPERM, t_pin(self->fd, self->access, ro - T_PAGE, 2 * T_PAGE,
			       NULL, WRITE, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
			      wo - T_PAGE));
	EXPECT_EQ(EPERM, t_pin(self->fd, self->access, wo - T_PAGE, 2 * T_PAGE,
			       NULL, 0, NULL));
	EXPECT_REFS(self->buf, PAGES, 0);

	/* A copy may allow less than what it is a copy of. */
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &copied));
	iova = T_BASE;
	ASSERT_EQ(0, t_copy(self->fd, copied, self->ioas, T_BASE, 2 * T_PAGE,
			    &iova, IOMMU_IOAS_MAP_READABLE | T_FIXED));
	ASSERT_EQ(0, t_create_access(self->fd, copied, NEEDS_PIN, &reader));
	EXPECT_EQ(EPERM, t_pin(self->fd, reader, T_BASE, T_PAGE, self->buf,
			       WRITE, NULL));
	EXPECT_EQ(0, t_pin(self->fd, reader, T_BASE, T_PAGE, self->buf, 0,
			   NULL));
	close(reader);

	EXPECT_EQ(0, t_pin(self->fd, self->access, ro, T_PAGE, self->buf, 0,
			   NULL));
	EXPECT_EQ(0, t_pin(self->fd, self->access, wo, T_PAGE, self->buf, WRITE,
			   NULL));
	EXPECT_EQ(0, t_pin(self->fd, self->access, T_BASE, T_PAGE, self->buf,
			   WRITE, NULL));
	/* Three mappings, each with pins of its own */
	EXPECT_REFS(self->buf, 1, 3);
}

TEST_F(access_pin, gaps)
{
	uint64_t end = T_BASE + self->length;

	/* Behind the end, across it, before the beginning, across that */
	EXPECT_EQ(ENOENT, t_pin(self->fd, self->access, end, 1, NULL, 0, NULL));
	EXPECT_EQ(ENOENT, t_pin(self->fd, self->access, end - T_PAGE,
				T_PAGE + 1, NULL, 0, NULL));
	EXPECT_EQ(ENOENT, t_pin(self->fd, self->access, T_BASE - 1, 1, NULL, 0,
				NULL));
	EXPECT_EQ(ENOENT, t_pin(self->fd, self->access, T_BASE - 1, 2, NULL, 0,
				NULL));
	/* A hole of one page between two areas */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
			      end + T_PAGE));
	EXPECT_EQ(ENOENT, t_pin(self->fd, self->access, end - T_PAGE,
				3 * T_PAGE, NULL, 0, NULL));
	EXPECT_EQ(ENOENT, t_pin(self->fd, self->access, T_BASE,
				self->length + 2 * T_PAGE, NULL, 0, NULL));
	EXPECT_REFS(self->buf, PAGES, 0);
}

TEST_F(access_pin, pages_are_the_callers)
{
	uint32_t item, page, n;

	for (page = 0; page < PAGES; page++) {
		for (n = 1; page + n <= PAGES; n += 5) {
			ASSERT_EQ(0, t_pin(self->fd, self->access,
					   T_BASE + page * T_PAGE, n * T_PAGE,
					   self->buf + page * T_PAGE, WRITE,
					   &item));
			EXPECT_REFS(self->buf, page, 0);
			EXPECT_REFS(self->buf + page * T_PAGE, n, 1);
			EXPECT_REFS(self->buf + (page + n) * T_PAGE,
				    PAGES - page - n, 0);
			ASSERT_EQ(0, t_unpin(self->fd, self->access, item));
		}
	}
}

TEST_F(access_pin, whole_pages_for_a_part)
{
	uint32_t item;

	/* One byte, the two around a boundary, a page that lies across one */
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE + T_PAGE - 1, 1,
			   self->buf + T_PAGE - 1, 0, &item));
	EXPECT_REFS(self->buf, 1, 1);
	EXPECT_REFS(self->buf + T_PAGE, 1, 0);
	ASSERT_EQ(0, t_unpin(self->fd, self->access, item));
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE + T_PAGE - 1, 2,
			   self->buf + T_PAGE - 1, 0, &item));
	EXPECT_REFS(self->buf, 2, 1);
	ASSERT_EQ(0, t_unpin(self->fd, self->access, item));
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE + 100, T_PAGE,
			   self->buf + 100, 0, &item));
	EXPECT_REFS(self->buf, 2, 1);
	EXPECT_REFS(self->buf + 2 * T_PAGE, 1, 0);
	ASSERT_EQ(0, t_unpin(self->fd, self->access, item));
	EXPECT_REFS(self->buf, PAGES, 0);
	/* Parts of one page that do not meet: it goes with the last. */
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE, 8, self->buf, 0,
			   &item));
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE + 512, 8, self->buf,
			   0, NULL));
	EXPECT_REFS(self->buf, 1, 1);
	ASSERT_EQ(0, t_unpin(self->fd, self->access, item));
	EXPECT_REFS(self->buf, 1, 1);
}

TEST_F(access_pin, other_pages_are_refused)
{
	char *other = t_alloc(T_PAGE);
	uint32_t item;

	ASSERT_NE(NULL, other);
	EXPECT_EQ(EBADE, t_pin(self->fd, self->access, T_BASE, T_PAGE,
			       self->buf + T_PAGE, 0, NULL));
	EXPECT_EQ(EBADE, t_pin(self->fd, self->access, T_BASE, T_PAGE, other, 0,
			       NULL));
	/* The first pages are right, the last is not. */
	ASSERT_NE(MAP_FAILED, mmap(self->buf + 3 * T_PAGE, T_PAGE,
				   PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				   0));
	self->buf[3 * T_PAGE] = 1;
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE, 4 * T_PAGE,
			   self->buf, 0, &item));
	ASSERT_NE(MAP_FAILED, mmap(self->buf + 3 * T_PAGE, T_PAGE,
				   PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				   0));
	self->buf[3 * T_PAGE] = 1;
	EXPECT_EQ(EBADE, t_pin(self->fd, self->access, T_BASE, 4 * T_PAGE,
			       self->buf, 0, NULL));
	ASSERT_EQ(0, t_unpin(self->fd, self->access, item));
	EXPECT_REFS(self->buf, PAGES, 0);
	/* Nothing to compare with */
	EXPECT_EQ(EFAULT, t_pin(self->fd, self->access, T_BASE, T_PAGE,
				(void *)T_PAGE, 0, NULL));
	EXPECT_REFS(self->buf, PAGES, 0);
	munmap(other, T_PAGE);
}

TEST_F(access_pin, pins_nest)
{
	uint32_t item[8], i;

	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE, 4 * T_PAGE,
				   self->buf, i % 2 ? WRITE : 0, &item[i]));
		EXPECT_EQ(i, item[i]);
		EXPECT_REFS(self->buf, 4, 1);
	}
	/* In no particular order, until the last one */
	for (i = 0; i < 8; i++) {
		EXPECT_REFS(self->buf, 4, 1);
		ASSERT_EQ(0, t_unpin(self->fd, self->access, item[i * 3 % 8]));
		EXPECT_EQ(ENOENT, t_unpin(self->fd, self->access,
					  item[i * 3 % 8]));
	}
	EXPECT_REFS(self->buf, 4, 0);
}

TEST_F(access_pin, pins_overlap)
{
	uint32_t a, b, c;

	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE, 6 * T_PAGE,
			   self->buf, 0, &a));
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE + 4 * T_PAGE,
			   6 * T_PAGE, self->buf + 4 * T_PAGE, 0, &b));
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE + 2 * T_PAGE,
			   12 * T_PAGE, self->buf + 2 * T_PAGE, 0, &c));
	EXPECT_REFS(self->buf, 14, 1);
	EXPECT_REFS(self->buf + 14 * T_PAGE, 2, 0);
	ASSERT_EQ(0, t_unpin(self->fd, self->access, c));
	EXPECT_REFS(self->buf, 10, 1);
	EXPECT_REFS(self->buf + 10 * T_PAGE, 6, 0);
	ASSERT_EQ(0, t_unpin(self->fd, self->access, a));
	EXPECT_REFS(self->buf, 4, 0);
	EXPECT_REFS(self->buf + 4 * T_PAGE, 6, 1);
	ASSERT_EQ(0, t_unpin(self->fd, self->access, b));
	EXPECT_REFS(self->buf, PAGES, 0);
}

TEST_F(access_pin, items_belong_to_one_access)
{
	uint32_t item;
	int second;

	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN, &second));
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE, T_PAGE, self->buf, 0,
			   &item));
	EXPECT_EQ(0, item);
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE, T_PAGE, self->buf, 0,
			   &item));
	EXPECT_EQ(1, item);
	ASSERT_EQ(0, t_pin(self->fd, second, T_BASE, 2 * T_PAGE, self->buf, 0,
			   &item));
	EXPECT_EQ(0, item);
	EXPECT_REFS(self->buf, 2, 1);
	EXPECT_EQ(ENOENT, t_unpin(self->fd, second, 1));
	EXPECT_EQ(0, t_unpin(self->fd, second, 0));
	EXPECT_REFS(self->buf, 1, 1);
	EXPECT_REFS(self->buf + T_PAGE, 1, 0);
	close(second);
}

TEST_F(access_pin, adjacent_areas)
{
	uint64_t base = T_BASE + 0x1000000;
	uint32_t item, i;

	/* In the order in which they lie in memory: one range to the caller */
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas,
				      self->buf + i * 4 * T_PAGE, 4 * T_PAGE,
				      base + i * 4 * T_PAGE));
	ASSERT_EQ(0, t_pin(self->fd, self->access, base, self->length,
			   self->buf, WRITE, &item));
	EXPECT_REFS(self->buf, PAGES, 1);
	ASSERT_EQ(0, t_unpin(self->fd, self->access, item));
	ASSERT_EQ(0, t_pin(self->fd, self->access, base + 3 * T_PAGE + 8,
			   10 * T_PAGE, self->buf + 3 * T_PAGE + 8, WRITE,
			   &item));
	EXPECT_REFS(self->buf, 3, 0);
	EXPECT_REFS(self->buf + 3 * T_PAGE, 11, 1);
	EXPECT_REFS(self->buf + 14 * T_PAGE, 2, 0);
	ASSERT_EQ(0, t_unpin(self->fd, self->access, item));
	EXPECT_REFS(self->buf, PAGES, 0);
}

TEST_F(access_pin, pages_in_the_order_of_iovas)
{
	uint64_t base = T_BASE + 0x1000000;
	int memfd = t_memfd(self->length);
	char *va, *mirror;
	uint32_t item, i;

	/* The areas lie in the IOVAs as they do in the mirror. */
	ASSERT_LE(0, memfd);
	va = t_map_memfd(memfd, self->length);
	mirror = t_map_memfd(memfd, self->length);
	ASSERT_TRUE(va && mirror);
	for (i = 0; i < 4; i++) {
		ASSERT_NE(MAP_FAILED,
			  mmap(mirror + (3 - i) * 4 * T_PAGE, 4 * T_PAGE,
			       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			       memfd, i * 4 * T_PAGE));
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas,
				      va + i * 4 * T_PAGE, 4 * T_PAGE,
				      base + (3 - i) * 4 * T_PAGE));
	}
	EXPECT_EQ(EBADE, t_pin(self->fd, self->access, base, self->length, va,
			       0, NULL));
	ASSERT_EQ(0, t_pin(self->fd, self->access, base, self->length, mirror,
			   0, &item));
	EXPECT_REFS(va, PAGES, 1);
	ASSERT_EQ(0, t_unpin(self->fd, self->access, item));
	ASSERT_EQ(0, t_pin(self->fd, self->access, base + 7 * T_PAGE + 3,
			   6 * T_PAGE, mirror + 7 * T_PAGE + 3, 0, &item));
	EXPECT_REFS(mirror, 7, 0);
	EXPECT_REFS(mirror + 7 * T_PAGE, 7, 1);
	EXPECT_REFS(mirror + 14 * T_PAGE, 2, 0);
	ASSERT_EQ(0, t_unpin(self->fd, self->access, item));
	EXPECT_REFS(va, PAGES, 0);
	munmap(va, self->length);
	munmap(mirror, self->length);
	close(memfd);
}

TEST_F(access_pin, domain_first)
{
	uint32_t stdev, hwpt, item;

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, &hwpt, NULL));
	EXPECT_REFS(self->buf, PAGES, 1);
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE + T_PAGE, 4 * T_PAGE,
			   self->buf + T_PAGE, WRITE, &item));
	EXPECT_REFS(self->buf, PAGES, 1);
	ASSERT_EQ(0, t_unpin(self->fd, self->access, item));
	EXPECT_REFS(self->buf, PAGES, 1);
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, T_BASE, self->length,
				 self->buf));
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE + T_PAGE, 4 * T_PAGE,
			   self->buf + T_PAGE, WRITE, &item));
	/* The domain goes: only what the access wants is left. */
	ASSERT_EQ(0, t_destroy(self->fd, stdev));
	EXPECT_REFS(self->buf, 1, 0);
	EXPECT_REFS(self->buf + T_PAGE, 4, 1);
	EXPECT_REFS(self->buf + 5 * T_PAGE, 11, 0);
	ASSERT_EQ(0, t_unpin(self->fd, self->access, item));
	EXPECT_REFS(self->buf, PAGES, 0);
}

TEST_F(access_pin, domains_later)
{
	uint32_t stdev[2], hwpt[2], idev, item;

	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE + 3 * T_PAGE,
			   2 * T_PAGE, self->buf + 3 * T_PAGE, 0, &item));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev[0], &hwpt[0], &idev));
	EXPECT_REFS(self->buf, PAGES, 1);
	EXPECT_EQ(0, t_check_map(self->fd, hwpt[0], T_BASE, self->length,
				 self->buf));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, idev, self->ioas, 0, &hwpt[1]));
	ASSERT_EQ(0, t_mock(self->fd, hwpt[1], &stdev[1], NULL, NULL));
	EXPECT_REFS(self->buf, PAGES, 1);
	ASSERT_EQ(0, t_unpin(self->fd, self->access, item));
	EXPECT_REFS(self->buf, PAGES, 1);
	EXPECT_EQ(0, t_check_map(self->fd, hwpt[1], T_BASE, self->length,
				 self->buf));
	ASSERT_EQ(0, t_destroy(self->fd, stdev[0]));
	EXPECT_REFS(self->buf, PAGES, 1);
	ASSERT_EQ(0, t_destroy(self->fd, stdev[1]));
	ASSERT_EQ(0, t_destroy(self->fd, hwpt[1]));
	EXPECT_REFS(self->buf, PAGES, 0);
}

TEST_F(access_pin, copies_share_the_pin)
{
	uint32_t other, item[2];
	int second;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &other));
	ASSERT_EQ(0, t_copy_at(self->fd, other, self->ioas, T_BASE + 2 * T_PAGE,
			       8 * T_PAGE, T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, other, NEEDS_PIN, &second));
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE, 6 * T_PAGE,
			   self->buf, 0, &item[0]));
	ASSERT_EQ(0, t_pin(self->fd, second, T_BASE, 8 * T_PAGE,
			   self->buf + 2 * T_PAGE, WRITE, &item[1]));
	EXPECT_REFS(self->buf, 10, 1);
	/* The original is unmapped; the pin through the copy stays. */
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, self->length, NULL));
	EXPECT_EQ(ENOENT, t_unpin(self->fd, self->access, item[0]));
	EXPECT_REFS(self->buf, 2, 0);
	EXPECT_REFS(self->buf + 2 * T_PAGE, 8, 1);
	ASSERT_EQ(0, t_unpin(self->fd, second, item[1]));
	EXPECT_REFS(self->buf, PAGES, 0);
	close(second);
}

TEST_F(access_pin, two_mappings_pin_twice)
{
	uint64_t again = T_BASE + self->length;
	uint32_t a, b;

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      again));
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE, self->length,
			   self->buf, 0, &a));
	ASSERT_EQ(0, t_pin(self->fd, self->access, again, 4 * T_PAGE,
			   self->buf, 0, &b));
	EXPECT_REFS(self->buf, 4, 2);
	EXPECT_REFS(self->buf + 4 * T_PAGE, 12, 1);
	/* From the end of the first to the beginning of the second */
	ASSERT_EQ(0, t_pin(self->fd, self->access, again - T_PAGE, 2 * T_PAGE,
			   NULL, 0, NULL));
	ASSERT_EQ(0, t_unpin(self->fd, self->access, b));
	EXPECT_REFS(self->buf, 1, 2);
	EXPECT_REFS(self->buf + T_PAGE, 15, 1);
	ASSERT_EQ(0, t_unpin(self->fd, self->access, a));
	EXPECT_REFS(self->buf, 1, 1);
	EXPECT_REFS(self->buf + T_PAGE, 14, 0);
	EXPECT_REFS(self->buf + 15 * T_PAGE, 1, 1);
}

TEST_F(access_pin, unmap_takes_the_pins_along)
{
	uint64_t next = T_BASE + self->length, done;
	uint32_t inside, across, behind, again;
	char *more = t_alloc(4 * T_PAGE);

	ASSERT_NE(NULL, more);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, more, 4 * T_PAGE, next));
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE, 4 * T_PAGE,
			   self->buf, 0, &inside));
	ASSERT_EQ(0, t_pin(self->fd, self->access, next - T_PAGE, 2 * T_PAGE,
			   NULL, 0, &across));
	ASSERT_EQ(0, t_pin(self->fd, self->access, next + 2 * T_PAGE, T_PAGE,
			   more + 2 * T_PAGE, 0, &behind));
	/* Half of an area does not go, and its pins do not either. */
	EXPECT_EQ(ENOENT, t_unmap(self->fd, self->ioas, T_BASE, 4 * T_PAGE,
				  NULL));
	EXPECT_EQ(ENOENT, t_unmap(self->fd, self->ioas, T_BASE + T_PAGE,
				  self->length, NULL));
	EXPECT_REFS(self->buf, 4, 1);
	EXPECT_REFS(more, 1, 1);

	EXPECT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, self->length,
			     &done));
	EXPECT_EQ(self->length, done);
	EXPECT_REFS(self->buf, PAGES, 0);
	EXPECT_EQ(ENOENT, t_unpin(self->fd, self->access, inside));
	/* A pin goes as a whole, one that the range does not meet stays. */
	EXPECT_EQ(ENOENT, t_unpin(self->fd, self->access, across));
	EXPECT_REFS(more, 2, 0);
	EXPECT_REFS(more + 2 * T_PAGE, 1, 1);
	EXPECT_EQ(ENOENT, t_pin(self->fd, self->access, T_BASE, T_PAGE, NULL, 0,
				NULL));
	ASSERT_EQ(0, t_pin(self->fd, self->access, next, T_PAGE, more, 0,
			   &again));
	EXPECT_LT(behind, again);

	/* Other memory under the same number */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + 4 * T_PAGE,
			      4 * T_PAGE, T_BASE));
	EXPECT_EQ(0, t_pin(self->fd, self->access, T_BASE, T_PAGE,
			   self->buf + 4 * T_PAGE, 0, NULL));
	EXPECT_EQ(0, t_unpin(self->fd, self->access, behind));
	EXPECT_EQ(0, t_unmap_all(self->fd, self->ioas, &done));
	EXPECT_EQ(8 * T_PAGE, done);
	EXPECT_EQ(ENOENT, t_unpin(self->fd, self->access, again));
	EXPECT_REFS(self->buf, PAGES, 0);
	EXPECT_REFS(more, 4, 0);
	munmap(more, 4 * T_PAGE);
}

TEST_F(access_pin, unmap_of_what_many_have_pinned)
{
	uint32_t item[4][4], stdev, hwpt, i, j;
	uint64_t done;
	int access[4];

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, &hwpt, NULL));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN,
					     &access[i]));
		for (j = 0; j < 4; j++)
			ASSERT_EQ(0, t_pin(self->fd, access[i],
					   T_BASE + i * T_PAGE, 8 * T_PAGE,
					   self->buf + i * T_PAGE, 0,
					   &item[i][j]));
	}
	EXPECT_REFS(self->buf, PAGES, 1);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, &done));
	EXPECT_EQ(self->length, done);
	EXPECT_REFS(self->buf, PAGES, 0);
	EXPECT_EQ(EINVAL, t_check_map(self->fd, hwpt, T_BASE, T_PAGE,
				      self->buf));
	for (i = 0; i < 4; i++) {
		for (j = 0; j < 4; j++)
			EXPECT_EQ(ENOENT, t_unpin(self->fd, access[i],
						  item[i][j]));
		close(access[i]);
	}
}

TEST_F(access_pin, replace_lets_go)
{
	uint32_t other, a, b, c;
	char *more = t_alloc(T_PAGE);

	ASSERT_NE(NULL, more);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &other));
	ASSERT_EQ(0, t_map_at(self->fd, other, more, T_PAGE, T_BASE));
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE, 4 * T_PAGE,
			   self->buf, 0, &a));
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE + 2 * T_PAGE,
			   8 * T_PAGE, self->buf + 2 * T_PAGE, WRITE, &b));
	/* Where it is already: nothing happens. */
	ASSERT_EQ(0, t_access_replace(self->fd, self->access, self->ioas));
	EXPECT_REFS(self->buf, 10, 1);
	ASSERT_EQ(0, t_unpin(self->fd, self->access, a));
	EXPECT_REFS(self->buf, 2, 0);

	ASSERT_EQ(0, t_access_replace(self->fd, self->access, other));
	EXPECT_REFS(self->buf, PAGES, 0);
	EXPECT_EQ(ENOENT, t_unpin(self->fd, self->access, b));
	/* The same IOVA is other memory now. */
	EXPECT_EQ(EBADE, t_pin(self->fd, self->access, T_BASE, T_PAGE,
			       self->buf, 0, NULL));
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE, T_PAGE, more, 0,
			   &c));
	EXPECT_REFS(more, 1, 1);
	EXPECT_EQ(ENOENT, t_pin(self->fd, self->access, T_BASE + T_PAGE, T_PAGE,
				NULL, 0, NULL));
	/* What it has left can go and does not ask. */
	ASSERT_EQ(0, t_destroy(self->fd, self->ioas));
	EXPECT_REFS(more, 1, 1);

	/* To nowhere: it stays, and may pin as before. */
	EXPECT_EQ(ENOENT, t_access_replace(self->fd, self->access, self->ioas));
	EXPECT_EQ(0, t_pin(self->fd, self->access, T_BASE, T_PAGE, more, WRITE,
			   NULL));
	EXPECT_REFS(more, 1, 1);
	ASSERT_EQ(0, t_unmap_all(self->fd, other, NULL));
	EXPECT_REFS(more, 1, 0);
	munmap(more, T_PAGE);
}

TEST_F(access_pin, refused_replace)
{
	uint32_t fine;

	/* An area that is not a multiple of a page is in the way there. */
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &fine));
	ASSERT_EQ(0, t_map_at(self->fd, fine, self->buf, 16, 0));
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE, T_PAGE, self->buf, 0,
			   NULL));
	EXPECT_EQ(EADDRINUSE, t_access_replace(self->fd, self->access, fine));
	EXPECT_EQ(0, t_pin(self->fd, self->access, T_BASE + T_PAGE, T_PAGE,
			   self->buf + T_PAGE, 0, NULL));
	EXPECT_REFS(self->buf + T_PAGE, 1, 1);
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->ioas));
}

TEST_F(access_pin, close_of_the_access)
{
	int second;

	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN, &second));
	ASSERT_EQ(0, t_pin(self->fd, second, T_BASE, 8 * T_PAGE, self->buf, 0,
			   NULL));
	ASSERT_EQ(0, t_pin(self->fd, second, T_BASE, 4 * T_PAGE, self->buf, 0,
			   NULL));
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE + 7 * T_PAGE,
			   4 * T_PAGE, self->buf + 7 * T_PAGE, 0, NULL));
	close(second);
	EXPECT_REFS(self->buf, 7, 0);
	EXPECT_REFS(self->buf + 7 * T_PAGE, 4, 1);
	close(self->access);
	EXPECT_REFS(self->buf, PAGES, 0);
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
	self->access = -1;
}

TEST_F(access_pin, close_of_the_context)
{
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE, 8 * T_PAGE,
			   self->buf, 0, NULL));
	close(self->fd);
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	/* The access is what keeps it. */
	EXPECT_REFS(self->buf, 8, 1);
	close(self->access);
	EXPECT_REFS(self->buf, PAGES, 0);
	self->access = -1;
}

TEST_F(access_pin, access_of_another_context)
{
	uint32_t item;
	int fd = t_open();

	/* It is named by its descriptor; which context asks does not matter. */
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, t_pin(fd, self->access, T_BASE, T_PAGE, self->buf, 0,
			   &item));
	close(fd);
	EXPECT_REFS(self->buf, 1, 1);
	EXPECT_EQ(0, t_unpin(self->fd, self->access, item));
}

TEST_F(access_pin, memory_that_can_not_be_pinned)
{
	uint64_t iova = T_BASE + 0x1000000;
	char *va = t_alloc(8 * T_PAGE);
	long pin = t_vmpin();
	uint32_t i;

	ASSERT_NE(NULL, va);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, 8 * T_PAGE, iova));
	for (i = 0; i < 3; i++) {
		switch (i) {
		case 0:
			ASSERT_EQ(0, mprotect(va + 4 * T_PAGE, 4 * T_PAGE,
					      PROT_READ));
			break;
		case 1:
			ASSERT_EQ(0, mprotect(va + 4 * T_PAGE, 4 * T_PAGE,
					      PROT_NONE));
			break;
		case 2:
			ASSERT_EQ(0, munmap(va + 4 * T_PAGE, 4 * T_PAGE));
			break;
		}
		EXPECT_EQ(EFAULT, t_pin(self->fd, self->access,
					iova + 4 * T_PAGE, T_PAGE, NULL, 0,
					NULL));
		EXPECT_EQ(EFAULT, t_pin(self->fd, self->access, iova,
					8 * T_PAGE, NULL, 0, NULL));
		EXPECT_REFS(va, 4, 0);
		EXPECT_EQ(pin, t_vmpin());
		EXPECT_EQ(0, t_pin(self->fd, self->access, iova, 4 * T_PAGE, va,
				   0, NULL));
		EXPECT_REFS(va, 4, 1);
		ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova, 8 * T_PAGE,
				     NULL));
		EXPECT_REFS(va, 4, 0);
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, 8 * T_PAGE,
				      iova));
	}
	/* Two areas, of which the second is bad */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
			      iova - T_PAGE));
	ASSERT_EQ(0, munmap(va, T_PAGE));
	EXPECT_EQ(EFAULT, t_pin(self->fd, self->access, iova - T_PAGE,
				2 * T_PAGE, NULL, 0, NULL));
	EXPECT_REFS(self->buf, 1, 0);
	EXPECT_EQ(pin, t_vmpin());
	munmap(va, 4 * T_PAGE);
}

TEST_F(access_pin, read_only_memory)
{
	uint64_t iova = T_BASE + 0x1000000;
	char *va = t_alloc(T_PAGE);

	ASSERT_NE(NULL, va);
	ASSERT_EQ(0, mprotect(va, T_PAGE, PROT_READ));
	ASSERT_EQ(0, t_map(self->fd, self->ioas, va, T_PAGE, &iova,
			   IOMMU_IOAS_MAP_READABLE | T_FIXED));
	EXPECT_EQ(0, t_pin(self->fd, self->access, iova, T_PAGE, va, 0, NULL));
	EXPECT_REFS(va, 1, 1);
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova, T_PAGE, NULL));
	munmap(va, T_PAGE);
}

/*
 * Pinned for reading while the process has never touched it: what it writes
 * later has to be seen by who pinned, so the page must not be copied then.
 */
TEST_F(access_pin, untouched_memory)
{
	uint64_t iova = T_BASE + 0x1000000;
	int status;
	pid_t pid;
	char *va;

	va = mmap(NULL, 2 * T_PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, va);
	madvise(va, 2 * T_PAGE, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, t_map(self->fd, self->ioas, va, 2 * T_PAGE, &iova,
			   IOMMU_IOAS_MAP_READABLE | T_FIXED));
	ASSERT_EQ(0, t_pin(self->fd, self->access, iova, T_PAGE, NULL, 0,
			   NULL));
	va[0] = 1;
	EXPECT_EQ(0, t_pin(self->fd, self->access, iova, T_PAGE, va, 0, NULL));
	EXPECT_REFS(va, 1, 1);
	/* Shared with a child when it is pinned */
	va[T_PAGE] = 1;
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		pause();
		_exit(0);
	}
	EXPECT_EQ(0, t_pin(self->fd, self->access, iova + T_PAGE, T_PAGE, NULL,
			   0, NULL));
	va[T_PAGE] = 2;
	EXPECT_EQ(0, t_pin(self->fd, self->access, iova + T_PAGE, T_PAGE,
			   va + T_PAGE, 0, NULL));
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova, 2 * T_PAGE, NULL));
	EXPECT_REFS(va, 2, 0);
	munmap(va, 2 * T_PAGE);
}

TEST_F(access_pin, memory_that_moves)
{
	uint32_t item, second;
	char *moved;

	/* Looked for when it is pinned, not when it is mapped */
	ASSERT_EQ(0, munmap(self->buf, T_PAGE));
	ASSERT_NE(MAP_FAILED, mmap(self->buf, T_PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				   0));
	self->buf[0] = 1;
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE, 2 * T_PAGE,
			   self->buf, 0, &item));
	/* From now on it is that page, wherever the process has it. */
	moved = mremap(self->buf, T_PAGE, T_PAGE,
		       MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	ASSERT_NE(MAP_FAILED, moved);
	self->buf[0] = 2;
	EXPECT_EQ(EBADE, t_pin(self->fd, self->access, T_BASE, T_PAGE,
			       self->buf, 0, NULL));
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE, T_PAGE, moved, 0,
			   &second));
	EXPECT_REFS(moved, 1, 1);
	EXPECT_REFS(self->buf, 1, 0);
	ASSERT_EQ(0, t_unpin(self->fd, self->access, item));
	ASSERT_EQ(0, t_unpin(self->fd, self->access, second));
	EXPECT_REFS(moved, 1, 0);
	/* And the page at the address again */
	EXPECT_EQ(0, t_pin(self->fd, self->access, T_BASE, T_PAGE, self->buf, 0,
			   NULL));
	munmap(moved, T_PAGE);
}

TEST_F(access_pin, answer_that_can_not_be_written)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_ACCESS_PAGES,
		.id = self->access,
		.access_pages = {
			.iova = T_BASE,
			.length = 2 * T_PAGE,
			.uptr = (uintptr_t)self->buf,
		},
	};
	void *ro = t_readonly(&cmd, sizeof(cmd));

	ASSERT_NE(NULL, ro);
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_TEST_CMD, ro));
	EXPECT_REFS(self->buf, PAGES, 0);
	EXPECT_EQ(ENOENT, t_unpin(self->fd, self->access, 0));
	munmap(ro, T_PAGE);
}

TEST_F(access_pin, as_long_as_may_be)
{
	uint64_t iova = T_BASE + 0x1000000;
	long pin = t_vmpin();
	uint32_t item[3] = {};
	char *va;

	va = t_alloc(T_ACCESS_MAX);
	ASSERT_NE(NULL, va);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, T_ACCESS_MAX, iova));
	ASSERT_EQ(0, t_pin(self->fd, self->access, iova, T_ACCESS_MAX, va,
			   WRITE, &item[0]));
	EXPECT_EQ(0, t_check_refs(self->fd, va, T_ACCESS_MAX, 1));
	EXPECT_EQ(pin + (T_ACCESS_MAX >> 10), t_vmpin());
	ASSERT_EQ(0, t_unpin(self->fd, self->access, item[0]));
	/* In small pieces, with some of it pinned already */
	ASSERT_EQ(0, t_temp_limit(self->fd, 264));
	EXPECT_EQ(0, t_pin(self->fd, self->access, iova + T_ACCESS_MAX / 4,
			   T_PAGE, va + T_ACCESS_MAX / 4, 0, &item[0]));
	EXPECT_EQ(0, t_pin(self->fd, self->access, iova + T_ACCESS_MAX / 2 + 1,
			   T_ACCESS_MAX / 4, va + T_ACCESS_MAX / 2 + 1, 0,
			   &item[1]));
	EXPECT_EQ(0, t_pin(self->fd, self->access, iova, T_ACCESS_MAX, va,
			   WRITE, &item[2]));
	t_temp_limit(self->fd, T_TEMP_LIMIT_DEFAULT);
	EXPECT_EQ(0, t_check_refs(self->fd, va, T_ACCESS_MAX, 1));
	EXPECT_EQ(pin + (T_ACCESS_MAX >> 10), t_vmpin());
	ASSERT_EQ(0, t_unpin(self->fd, self->access, item[2]));
	ASSERT_EQ(0, t_unpin(self->fd, self->access, item[0]));
	EXPECT_EQ(pin + (T_ACCESS_MAX >> 12) + 4, t_vmpin());
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova, T_ACCESS_MAX, NULL));
	EXPECT_EQ(pin, t_vmpin());
	EXPECT_EQ(0, t_check_refs(self->fd, va, T_ACCESS_MAX, 0));
	munmap(va, T_ACCESS_MAX);
}

/* Counting references is no use on huge pages; VmPin tells as much. */
static void pin_pieces(struct __test_metadata *_metadata,
		       struct _test_data_access_pin *self, char *va,
		       size_t length)
{
	uint64_t iova = T_BASE + 0x1000000;
	uint32_t item[3], i;
	long pin = t_vmpin();

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, length, iova));
	ASSERT_EQ(0, t_pin(self->fd, self->access, iova + T_PAGE, T_PAGE,
			   va + T_PAGE, WRITE, &item[0]));
	EXPECT_EQ(pin + 4, t_vmpin());
	ASSERT_EQ(0, t_pin(self->fd, self->access, iova + length / 2 - 1,
			   length / 2 + 1, va + length / 2 - 1, 0, &item[1]));
	EXPECT_EQ(pin + 8 + length / 2048, t_vmpin());
	ASSERT_EQ(0, t_pin(self->fd, self->access, iova, length, va, WRITE,
			   &item[2]));
	EXPECT_EQ(pin + length / 1024, t_vmpin());
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, t_unpin(self->fd, self->access, item[i]));
	EXPECT_EQ(pin, t_vmpin());
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova, length, NULL));
}

TEST_F(access_pin, transparent_huge_pages)
{
	char *va = mmap(NULL, 4 * T_PMD, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, va);
	va = (char *)(((uintptr_t)va + T_PMD - 1) & ~(T_PMD - 1));
	if (madvise(va, 2 * T_PMD, MADV_HUGEPAGE))
		SKIP(return, "kernel without transparent huge pages");
	memset(va, 1, 2 * T_PMD);
	pin_pieces(_metadata, self, va, 2 * T_PMD);
}

TEST_F(access_pin, hugetlb)
{
	char *va;

	if (!t_reserve_hugetlb(2))
		SKIP(return, "no huge pages to be had");
	va = mmap(NULL, 2 * T_PMD, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1,
		  0);
	ASSERT_NE(MAP_FAILED, va);
	memset(va, 1, 2 * T_PMD);
	pin_pieces(_metadata, self, va, 2 * T_PMD);
	munmap(va, 2 * T_PMD);
}

TEST_F(access_pin, shared_memory)
{
	size_t length = 64 * T_PAGE;
	int memfd = t_memfd(length);
	char *va, *alias;

	ASSERT_LE(0, memfd);
	va = t_map_memfd(memfd, length);
	alias = t_map_memfd(memfd, length);
	ASSERT_TRUE(va && alias);
	/* Nothing is there yet: pinning brings it. */
	pin_pieces(_metadata, self, va, length);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, length,
			      T_BASE + 0x2000000));
	EXPECT_EQ(0, t_pin(self->fd, self->access, T_BASE + 0x2000000, length,
			   alias, 0, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, alias, length, 1));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	munmap(va, length);
	munmap(alias, length);
	close(memfd);
}

static int child_pins(struct _test_data_access_pin *self, uint64_t iova,
		      size_t length, char *alias)
{
	uint32_t item;

	if (t_pin(self->fd, self->access, iova, length, alias, WRITE, &item))
		return 1;
	if (t_check_refs(self->fd, alias, length, 1))
		return 2;
	if (t_unpin(self->fd, self->access, item))
		return 3;
	if (t_check_refs(self->fd, alias, length, 0))
		return 4;
	/* Left to the parent */
	if (t_pin(self->fd, self->access, iova + T_PAGE, T_PAGE, NULL, 0,
		  &item))
		return 5;
	return t_vmpin() ? 6 : 0;
}

TEST_F(access_pin, pinned_by_another_process)
{
	uint64_t iova = T_BASE + 0x1000000;
	size_t length = 8 * T_PAGE;
	int status, memfd = t_memfd(length);
	long pin = t_vmpin();
	char *va, *alias;
	pid_t pid;

	ASSERT_LE(0, memfd);
	va = t_map_memfd(memfd, length);
	ASSERT_NE(NULL, va);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, length, iova));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* At the mapper's address is something else here. */
		alias = t_map_memfd(memfd, length);
		if (!alias ||
		    mmap(va, length, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != va)
			_exit(10);
		_exit(child_pins(self, iova, length, alias));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status)
		TH_LOG("child: step %d", WEXITSTATUS(status));
	/* Who mapped it is who it counts for. */
	EXPECT_REFS(va, 1, 0);
	EXPECT_REFS(va + T_PAGE, 1, 1);
	EXPECT_EQ(pin + 4, t_vmpin());
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova, length, NULL));
	EXPECT_EQ(pin, t_vmpin());
	EXPECT_EQ(0, t_check_refs(self->fd, va, length, 0));
	munmap(va, length);
	close(memfd);
}

TEST_F(access_pin, mapper_has_left)
{
	uint64_t iova = T_BASE + 0x1000000;
	size_t length = 8 * T_PAGE;
	int status, memfd = t_memfd(length);
	uint32_t stdev, item;
	char *va, *alias;
	pid_t pid;

	ASSERT_LE(0, memfd);
	va = t_map_memfd(memfd, length);
	ASSERT_NE(NULL, va);
	memset(va, 1, length);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		/* Leaves a pin in the middle behind. */
		_exit(t_map_at(self->fd, self->ioas, va, length, iova) ?:
		      t_pin(self->fd, self->access, iova + 2 * T_PAGE,
			    4 * T_PAGE, va + 2 * T_PAGE, WRITE, NULL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	alias = t_map_memfd(memfd, length);
	ASSERT_NE(NULL, alias);
	/* What is pinned can be pinned again, what is not can not. */
	EXPECT_EQ(0, t_check_refs(self->fd, alias + 2 * T_PAGE, 4 * T_PAGE, 1));
	ASSERT_EQ(0, t_pin(self->fd, self->access, iova + 3 * T_PAGE,
			   2 * T_PAGE, alias + 3 * T_PAGE, 0, &item));
	EXPECT_EQ(EFAULT, t_pin(self->fd, self->access, iova + T_PAGE,
				2 * T_PAGE, NULL, 0, NULL));
	EXPECT_EQ(EFAULT, t_pin(self->fd, self->access, iova + 5 * T_PAGE,
				2 * T_PAGE, NULL, 0, NULL));
	EXPECT_EQ(EFAULT, t_mock(self->fd, self->ioas, &stdev, NULL, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, alias, 2 * T_PAGE, 0));
	EXPECT_EQ(0, t_check_refs(self->fd, alias + 2 * T_PAGE, 4 * T_PAGE, 1));
	/* Once given back it is gone for good. */
	ASSERT_EQ(0, t_unpin(self->fd, self->access, 0));
	EXPECT_EQ(0, t_check_refs(self->fd, alias + 3 * T_PAGE, 2 * T_PAGE, 1));
	EXPECT_EQ(EFAULT, t_pin(self->fd, self->access, iova + 2 * T_PAGE,
				T_PAGE, NULL, 0, NULL));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova, length, NULL));
	EXPECT_EQ(ENOENT, t_unpin(self->fd, self->access, item));
	EXPECT_EQ(0, t_check_refs(self->fd, alias, length, 0));
	munmap(va, length);
	munmap(alias, length);
	close(memfd);
}

/*
 * Against a model that knows which ranges are pinned, where each area is and
 * whether there is a domain, and counts from scratch after every step.
 */
#define AREAS 4
#define AREA_PAGES 8
#define ITEMS 32

struct model {
	struct {
		bool mapped;
		/* First page in the buffer, and the mapping it came from */
		unsigned int page, set;
	} area[AREAS];
	struct {
		bool live;
		unsigned int first, last;
		uint32_t id;
	} item[ITEMS];
	unsigned int sets;
	uint32_t stdev;
};

static bool model_covers(const struct model *m, unsigned int page)
{
	unsigned int i;

	if (m->stdev)
		return true;
	for (i = 0; i < ITEMS; i++)
		if (m->item[i].live && m->item[i].first <= page &&
		    page <= m->item[i].last)
			return true;
	return false;
}

/* How often page @page of the buffer is pinned: once for each mapping. */
static unsigned int model_refs(const struct model *m, unsigned int page)
{
	unsigned int i, j, n = 0, set[AREAS];

	for (i = 0; i < AREAS; i++) {
		if (!m->area[i].mapped || page < m->area[i].page ||
		    page >= m->area[i].page + AREA_PAGES)
			continue;
		if (!model_covers(m, i * AREA_PAGES + page - m->area[i].page))
			continue;
		for (j = 0; j < n && set[j] != m->area[i].set; j++)
			;
		if (j == n)
			set[n++] = m->area[i].set;
	}
	return n;
}

/* Is the range mapped throughout? */
static bool model_mapped(const struct model *m, unsigned int first,
			 unsigned int last)
{
	unsigned int i;

	for (i = first / AREA_PAGES; i <= last / AREA_PAGES; i++)
		if (!m->area[i].mapped)
			return false;
	return true;
}

static void model_unmap(struct model *m, unsigned int area)
{
	unsigned int i;

	m->area[area].mapped = false;
	for (i = 0; i < ITEMS; i++)
		if (m->item[i].first / AREA_PAGES <= area &&
		    area <= m->item[i].last / AREA_PAGES)
			m->item[i].live = false;
}

TEST_F(access_pin, random_steps)
{
	unsigned int step, i, j, k, first, last, total, refs;
	struct model m = {};
	uint64_t seed, base = T_BASE + 0x1000000, iova, bytes;
	long pin = t_vmpin();
	int err;

	seed = time(NULL) | 1;
	TH_LOG("seed %#llx", (unsigned long long)seed);
	for (i = 0; i < ITEMS; i++)
		m.item[i].id = UINT32_MAX;
	/* Only the areas below count. */
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));

	for (step = 0; step < 600; step++) {
		i = t_random(&seed) % AREAS;
		k = t_random(&seed) % ITEMS;
		switch (t_random(&seed) % 10) {
		case 0:
			iova = base + i * AREA_PAGES * T_PAGE;
			if (m.area[i].mapped) {
				ASSERT_EQ(0, t_unmap(self->fd, self->ioas, iova,
						     AREA_PAGES * T_PAGE,
						     NULL));
				model_unmap(&m, i);
				break;
			}
			j = t_random(&seed) % AREAS;
			if (m.area[j].mapped) {
				/* A copy of another one */
				ASSERT_EQ(0, t_copy_at(self->fd, self->ioas,
						       self->ioas,
						       base + j * AREA_PAGES *
							       T_PAGE,
						       AREA_PAGES * T_PAGE,
						       iova));
				m.area[i].page = m.area[j].page;
				m.area[i].set = m.area[j].set;
			} else {
				m.area[i].page = t_random(&seed) %
						 (PAGES - AREA_PAGES + 1);
				m.area[i].set = m.sets++;
				ASSERT_EQ(0, t_map_at(self->fd, self->ioas,
						      self->buf +
							      m.area[i].page *
								      T_PAGE,
						      AREA_PAGES * T_PAGE,
						      iova));
			}
			m.area[i].mapped = true;
			break;
		case 1:
			if (m.stdev) {
				ASSERT_EQ(0, t_destroy(self->fd, m.stdev));
				m.stdev = 0;
			} else {
				ASSERT_EQ(0, t_mock(self->fd, self->ioas,
						    &m.stdev, NULL, NULL));
			}
			break;
		case 2:
		case 3:
		case 4:
		case 5:
			/* Numbers are not used again. */
			err = t_unpin(self->fd, self->access, m.item[k].id);
			ASSERT_EQ(m.item[k].live ? 0 : ENOENT, err)
				TH_LOG("step %u: item %u", step, m.item[k].id);
			m.item[k].live = false;
			break;
		default:
			if (m.item[k].live)
				break;
			first = t_random(&seed) % (AREAS * AREA_PAGES);
			last = first + t_random(&seed) %
					       (AREAS * AREA_PAGES - first);
			iova = base + first * T_PAGE +
			       t_random(&seed) % T_PAGE;
			bytes = base + last * T_PAGE +
				t_random(&seed) % T_PAGE;
			if (bytes < iova)
				bytes = iova;
			bytes = bytes - iova + 1;
			/* One area is one range in memory, too. */
			i = first / AREA_PAGES;
			err = t_pin(self->fd, self->access, iova, bytes,
				    last / AREA_PAGES == i ?
					    self->buf + m.area[i].page *
							T_PAGE +
						    (iova - base -
						     i * AREA_PAGES * T_PAGE) :
					    NULL,
				    step & 1, &m.item[k].id);
			ASSERT_EQ(model_mapped(&m, first, last) ? 0 : ENOENT,
				  err)
				TH_LOG("step %u: pages %u to %u", step, first,
				       last);
			m.item[k].live = !err;
			m.item[k].first = first;
			m.item[k].last = last;
			break;
		}
		total = 0;
		for (i = 0; i < PAGES; i++) {
			refs = model_refs(&m, i);
			total += refs;
			ASSERT_EQ(0, t_check_refs(self->fd,
						  self->buf + i * T_PAGE,
						  T_PAGE, refs))
				TH_LOG("step %u: page %u is not pinned %u times",
				       step, i, refs);
		}
		ASSERT_EQ(pin + total * T_PAGE / 1024, t_vmpin())
			TH_LOG("step %u", step);
	}
}

TEST_HARNESS_MAIN
