// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: KUnit of builtin/iova_bitmap.c
 *
 * The bitmap lies in real user memory of the test's own mm.  The model is a
 * copy of that memory in which bits are set one by one, for every step of the
 * range; all of the memory is compared, so that a bit too many is found too,
 * also before and behind the bitmap.
 */
#include <linux/iova_bitmap.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "test/kunit.h"

#define BYTES		(3 * PAGE_SIZE)
#define BATCHES		150
#define SETS		80

struct model {
	struct kunit *test;
	struct rnd_state rnd;
	unsigned long user;
	u8 *want;
	u8 *got;

	/* the bitmap of this batch: @data is an offset in the memory */
	unsigned long data;
	unsigned long iova;
	unsigned long length;
	unsigned long page_size;
	unsigned int nr_calls;
};

static unsigned long map_user(struct kunit *test, unsigned long bytes)
{
	unsigned long user;

	user = kunit_vm_mmap(test, NULL, 0, bytes, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, user, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(user));
	return user;
}

static u64 __user *user_at(unsigned long address)
{
	return (u64 __user *)address;
}

static void model_set(struct model *m, unsigned long iova,
		      unsigned long length)
{
	unsigned long at, bit;

	/* @iova, and then the first byte of every page; none is at the top */
	for (at = iova; at - iova < length;
	     at = round_down(at, m->page_size) + m->page_size) {
		if (at < m->iova || at - m->iova >= m->length)
			continue;
		bit = (at - m->iova) / m->page_size;
		m->want[m->data + bit / 8] |= 1 << bit % 8;
	}
}

static int set_at_random(struct iova_bitmap *bitmap, unsigned long iova,
			 size_t length, void *opaque)
{
	struct model *m = opaque;
	unsigned int i;

	m->nr_calls++;
	KUNIT_ASSERT_EQ(m->test, iova, m->iova);
	KUNIT_ASSERT_EQ(m->test, length, m->length);

	for (i = 0; i < SETS; i++) {
		unsigned long bits = m->length / m->page_size;
		unsigned long at = m->iova +
				   iofd_kunit_below(&m->rnd, bits) *
				   m->page_size;
		unsigned long len = m->page_size;

		if (iofd_kunit_one_in(&m->rnd, 2))
			at += iofd_kunit_below(&m->rnd, m->page_size);
		if (iofd_kunit_one_in(&m->rnd, 4))
			len = iofd_kunit_below(&m->rnd, 200 * m->page_size);
		if (iofd_kunit_one_in(&m->rnd, 32))
			len = iofd_kunit_below(&m->rnd, 64) * 1024 *
			      m->page_size;
		/* partly or wholly below the bitmap */
		if (iofd_kunit_one_in(&m->rnd, 16))
			at = m->iova -
			     iofd_kunit_below(&m->rnd, 64) * m->page_size;

		iova_bitmap_set(bitmap, at, len);
		model_set(m, at, len);
	}
	return 0;
}

static void random_batch(struct model *m)
{
	unsigned long room, last_bit;
	struct iova_bitmap *bitmap;

	m->page_size = BIT(10 + iofd_kunit_below(&m->rnd, 4));
	m->iova = SZ_1G + iofd_kunit_below(&m->rnd, SZ_1M) * m->page_size;
	m->data = iofd_kunit_below(&m->rnd, BYTES);
	room = (BYTES - m->data) * 8;
	last_bit = iofd_kunit_below(&m->rnd, room);
	if (iofd_kunit_one_in(&m->rnd, 4))
		last_bit = room - 1;
	m->length = (last_bit + 1) * m->page_size;
	/* the last bit need not stand for a whole page */
	if (iofd_kunit_one_in(&m->rnd, 4))
		m->length -= iofd_kunit_below(&m->rnd, m->page_size - 1);
	if (m->length < m->page_size)
		m->length = m->page_size;

	/* bits that are set already stay */
	prandom_bytes_state(&m->rnd, m->want, BYTES);
	if (iofd_kunit_one_in(&m->rnd, 2))
		memset(m->want, 0, BYTES);
	KUNIT_ASSERT_EQ(m->test, copy_to_user(user_at(m->user), m->want,
					      BYTES), 0);

	bitmap = iova_bitmap_alloc(m->iova, m->length, m->page_size,
				   user_at(m->user + m->data));
	KUNIT_ASSERT_FALSE(m->test, IS_ERR(bitmap));
	m->nr_calls = 0;
	KUNIT_ASSERT_EQ(m->test,
			iova_bitmap_for_each(bitmap, m, set_at_random), 0);
	KUNIT_ASSERT_EQ(m->test, m->nr_calls, 1);
	iova_bitmap_free(bitmap);

	KUNIT_ASSERT_EQ(m->test, copy_from_user(m->got, user_at(m->user),
						BYTES), 0);
	KUNIT_ASSERT_MEMEQ(m->test, m->got, m->want, BYTES);
}

static void random_against_bits(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->test = test;
	m->user = map_user(test, BYTES);
	m->want = kunit_kzalloc(test, BYTES, GFP_KERNEL);
	m->got = kunit_kzalloc(test, BYTES, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m->want);
	KUNIT_ASSERT_NOT_NULL(test, m->got);

	iofd_kunit_random(test, &m->rnd);
	for (i = 0; i < BATCHES; i++)
		random_batch(m);
}

static u8 user_byte(struct kunit *test, unsigned long address)
{
	u8 byte = 0xa5;

	KUNIT_ASSERT_EQ(test, copy_from_user(&byte, user_at(address), 1), 0);
	return byte;
}

static void range_at_the_top(struct kunit *test)
{
	const unsigned long base = ULONG_MAX - (16 * SZ_4K - 1);
	unsigned long user = map_user(test, PAGE_SIZE);
	struct iova_bitmap *bitmap;

	/* unaligned, and the last page ends at ULONG_MAX */
	bitmap = iova_bitmap_alloc(base, 16 * SZ_4K, SZ_4K, user_at(user + 1));
	KUNIT_ASSERT_FALSE(test, IS_ERR(bitmap));
	iova_bitmap_set(bitmap, ULONG_MAX, 1);
	KUNIT_EXPECT_EQ(test, user_byte(test, user + 2), 0x80);
	iova_bitmap_set(bitmap, base, 1);
	KUNIT_EXPECT_EQ(test, user_byte(test, user + 1), 0x01);

	/* a length that wraps ends at the top; 0 is nothing */
	iova_bitmap_set(bitmap, base + 14 * SZ_4K, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, user_byte(test, user + 2), 0xc0);
	iova_bitmap_set(bitmap, base + 5 * SZ_4K, 0);
	iova_bitmap_set(bitmap, 0, base);
	iova_bitmap_set(bitmap, 0, SZ_4K);
	KUNIT_EXPECT_EQ(test, user_byte(test, user + 1), 0x01);
	iova_bitmap_set(bitmap, 0, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, user_byte(test, user + 1), 0xff);
	KUNIT_EXPECT_EQ(test, user_byte(test, user + 2), 0xff);
	KUNIT_EXPECT_EQ(test, user_byte(test, user), 0);
	KUNIT_EXPECT_EQ(test, user_byte(test, user + 3), 0);
	iova_bitmap_free(bitmap);
}

static void range_at_zero(struct kunit *test)
{
	unsigned long user = map_user(test, PAGE_SIZE);
	struct iova_bitmap *bitmap;

	/* 12 KiB is no page size: the lowest bit of it, 4 KiB, counts */
	bitmap = iova_bitmap_alloc(0, 9 * SZ_4K, 3 * SZ_4K, user_at(user));
	KUNIT_ASSERT_FALSE(test, IS_ERR(bitmap));
	iova_bitmap_set(bitmap, SZ_4K - 1, 2);
	KUNIT_EXPECT_EQ(test, user_byte(test, user), 0x03);
	iova_bitmap_set(bitmap, 7 * SZ_4K, ULONG_MAX - 7 * SZ_4K);
	KUNIT_EXPECT_EQ(test, user_byte(test, user), 0x83);
	KUNIT_EXPECT_EQ(test, user_byte(test, user + 1), 0x01);
	iova_bitmap_free(bitmap);
}

static int count_calls(struct iova_bitmap *bitmap, unsigned long iova,
		       size_t length, void *opaque)
{
	unsigned int *calls = opaque;

	++*calls;
	iova_bitmap_set(bitmap, iova, 2 * SZ_4K);
	return -EXDEV;
}

static void callback_and_empty_range(struct kunit *test)
{
	unsigned long user = map_user(test, PAGE_SIZE);
	struct iova_bitmap *bitmap;
	unsigned int calls = 0;

	bitmap = iova_bitmap_alloc(SZ_1M, SZ_1M, SZ_4K, user_at(user));
	KUNIT_ASSERT_FALSE(test, IS_ERR(bitmap));
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, &calls, count_calls),
			-EXDEV);
	KUNIT_EXPECT_EQ(test, calls, 1);
	KUNIT_EXPECT_EQ(test, user_byte(test, user), 0x03);
	iova_bitmap_free(bitmap);

	bitmap = iova_bitmap_alloc(0, 0, SZ_4K, user_at(user + 8));
	KUNIT_ASSERT_FALSE(test, IS_ERR(bitmap));
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, &calls, count_calls),
			0);
	KUNIT_EXPECT_EQ(test, calls, 1);
	iova_bitmap_set(bitmap, 0, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, user_byte(test, user + 8), 0);
	iova_bitmap_free(bitmap);
}

/* More than two windows of bitmap, visited back and forth. */
static void window_moves(struct kunit *test)
{
	const unsigned long pages = 3 * PAGE_SIZE / sizeof(void *);
	const unsigned long per_page = PAGE_SIZE * 8;
	unsigned long user = map_user(test, pages * PAGE_SIZE);
	struct iova_bitmap *bitmap;
	unsigned long i, page;

	bitmap = iova_bitmap_alloc(0, pages * per_page * SZ_4K, SZ_4K,
				   user_at(user));
	KUNIT_ASSERT_FALSE(test, IS_ERR(bitmap));
	for (i = 0; i < pages; i += 97) {
		page = i / 97 % 2 ? pages - 1 - i : i;
		iova_bitmap_set(bitmap, page * per_page * SZ_4K, SZ_4K);
		KUNIT_ASSERT_EQ(test,
				user_byte(test, user + page * PAGE_SIZE), 1);
	}

	/* one range over a border of windows and of pages */
	page = PAGE_SIZE / sizeof(void *);
	iova_bitmap_set(bitmap, ((page - 20) * per_page - 3) * SZ_4K,
			(25 * per_page + 3) * SZ_4K);
	for (i = (page - 20) * PAGE_SIZE; i < (page + 5) * PAGE_SIZE; i += 509)
		KUNIT_ASSERT_EQ(test, user_byte(test, user + i), 0xff);
	KUNIT_EXPECT_EQ(test,
			user_byte(test, user + (page - 20) * PAGE_SIZE - 1),
			0xe0);
	KUNIT_EXPECT_EQ(test, user_byte(test, user + (page + 5) * PAGE_SIZE) &
			      0xfe, 0);
	iova_bitmap_free(bitmap);
}

/* What for_each asked for, part by part. */
struct parts {
	unsigned long next;
	unsigned long align;
	unsigned int nr_calls;
};

static int note_part(struct iova_bitmap *bitmap, unsigned long iova,
		     size_t length, void *opaque)
{
	struct parts *parts = opaque;

	if (iova != parts->next)
		return -EXDEV;
	if (iova)
		parts->align = min(parts->align, 1UL << __ffs(iova));
	parts->next = iova + length;
	parts->nr_calls++;
	iova_bitmap_set(bitmap, iova, 1);
	iova_bitmap_set(bitmap, parts->next - 1, 1);
	return 0;
}

static void windows_are_cut_where_large_pages_end(struct kunit *test)
{
	const unsigned long per_page = PAGE_SIZE * 8 * SZ_4K;
	const unsigned long pages = 3 * PAGE_SIZE / sizeof(void *) + 7;
	unsigned long user = map_user(test, pages * PAGE_SIZE);
	struct parts parts = { .align = ULONG_MAX };
	struct iova_bitmap *bitmap;

	bitmap = iova_bitmap_alloc(0, pages * per_page, SZ_4K, user_at(user));
	KUNIT_ASSERT_FALSE(test, IS_ERR(bitmap));
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, &parts, note_part),
			0);
	iova_bitmap_free(bitmap);
	KUNIT_EXPECT_EQ(test, parts.next, pages * per_page);
	KUNIT_EXPECT_GE(test, parts.nr_calls, 4);
	KUNIT_EXPECT_LE(test, parts.nr_calls, 8);
	/* at least half of what a window of almost a page of pointers covers */
	KUNIT_EXPECT_GE(test, parts.align,
			PAGE_SIZE / sizeof(void *) / 2 * per_page);
	KUNIT_EXPECT_EQ(test, user_byte(test, user), 0x01);
	KUNIT_EXPECT_EQ(test, user_byte(test, user + pages * PAGE_SIZE - 1),
			0x80);

	/* from an IOVA that is aligned to little, up to the very top */
	parts = (struct parts){
		.next = -(pages * per_page - SZ_4K), .align = ULONG_MAX,
	};
	bitmap = iova_bitmap_alloc(parts.next, -parts.next, SZ_4K,
				   user_at(user));
	KUNIT_ASSERT_FALSE(test, IS_ERR(bitmap));
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, &parts, note_part),
			0);
	KUNIT_EXPECT_EQ(test, parts.next, 0);
	iova_bitmap_free(bitmap);
}

static void unwritable_windows_are_not_harvested(struct kunit *test)
{
	const unsigned long per_page = PAGE_SIZE * 8 * SZ_4K;
	const unsigned long window = PAGE_SIZE / sizeof(void *);
	const unsigned long pages = 3 * window;
	unsigned long user = map_user(test, pages * PAGE_SIZE);
	struct parts parts = { .align = ULONG_MAX };
	struct iova_bitmap *bitmap;

	/* the fifth page of five: nothing of the window is asked for */
	KUNIT_ASSERT_EQ(test, vm_munmap(user + 4 * PAGE_SIZE, PAGE_SIZE), 0);
	bitmap = iova_bitmap_alloc(0, 5 * per_page, SZ_4K, user_at(user));
	KUNIT_ASSERT_FALSE(test, IS_ERR(bitmap));
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, &parts, note_part),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, parts.nr_calls, 0);
	KUNIT_EXPECT_EQ(test, user_byte(test, user), 0);
	iova_bitmap_free(bitmap);

	/* without that page it is, and the failure is not remembered */
	bitmap = iova_bitmap_alloc(0, 4 * per_page, SZ_4K, user_at(user));
	KUNIT_ASSERT_FALSE(test, IS_ERR(bitmap));
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, &parts, note_part),
			0);
	KUNIT_EXPECT_EQ(test, parts.nr_calls, 1);

	/* nor does it stop who sets bits without asking */
	iova_bitmap_set(bitmap, SZ_4K, SZ_4K);
	KUNIT_EXPECT_EQ(test, user_byte(test, user), 0x03);
	iova_bitmap_free(bitmap);

	/* in a later window: what is in front of it is, what is behind is not */
	parts = (struct parts){ .align = ULONG_MAX };
	KUNIT_ASSERT_EQ(test, vm_munmap(user + 2 * window * PAGE_SIZE,
					PAGE_SIZE), 0);
	bitmap = iova_bitmap_alloc(0, (pages - 5) * per_page, SZ_4K,
				   user_at(user + 5 * PAGE_SIZE));
	KUNIT_ASSERT_FALSE(test, IS_ERR(bitmap));
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, &parts, note_part),
			-EFAULT);
	KUNIT_EXPECT_GE(test, parts.nr_calls, 1);
	KUNIT_EXPECT_LE(test, parts.next, (2 * window - 5) * per_page);
	iova_bitmap_free(bitmap);
}

/* More than was asked for, as the IOPTE of a very large page makes it. */
static int set_beyond(struct iova_bitmap *bitmap, unsigned long iova,
		      size_t length, void *opaque)
{
	unsigned int *calls = opaque;

	++*calls;
	iova_bitmap_set(bitmap, iova, ULONG_MAX);
	return 0;
}

static void bits_lost_beyond_a_window_are_reported(struct kunit *test)
{
	const unsigned long per_page = PAGE_SIZE * 8 * SZ_4K;
	const unsigned long pages = 2 * PAGE_SIZE / sizeof(void *);
	unsigned long user = map_user(test, pages * PAGE_SIZE);
	struct iova_bitmap *bitmap;
	unsigned int calls = 0;

	KUNIT_ASSERT_EQ(test, vm_munmap(user + (pages - 1) * PAGE_SIZE,
					PAGE_SIZE), 0);
	bitmap = iova_bitmap_alloc(0, pages * per_page, SZ_4K, user_at(user));
	KUNIT_ASSERT_FALSE(test, IS_ERR(bitmap));
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, &calls, set_beyond),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, calls, 1);
	KUNIT_EXPECT_EQ(test, user_byte(test, user), 0xff);
	iova_bitmap_free(bitmap);
}

static struct kunit_case iova_bitmap_cases[] = {
	KUNIT_CASE_SLOW(random_against_bits),
	KUNIT_CASE(range_at_the_top),
	KUNIT_CASE(range_at_zero),
	KUNIT_CASE(callback_and_empty_range),
	KUNIT_CASE(window_moves),
	KUNIT_CASE(windows_are_cut_where_large_pages_end),
	KUNIT_CASE(unwritable_windows_are_not_harvested),
	KUNIT_CASE(bits_lost_beyond_a_window_are_reported),
	{}
};

struct kunit_suite iofd_iova_bitmap_suite = {
	.name = "iova_bitmap",
	.test_cases = iova_bitmap_cases,
};
