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

/* Pages to mark: one bit in each of @first..@last. */
struct touch {
	unsigned long first;
	unsigned long last;
};

static int touch_pages(struct iova_bitmap *bitmap, unsigned long iova,
		       size_t length, void *opaque)
{
	const unsigned long step = PAGE_SIZE * 8 * SZ_4K;
	struct touch *touch = opaque;

	iova_bitmap_set(bitmap, iova + touch->first * step,
			(touch->last - touch->first) * step + SZ_4K);
	return 0;
}

static void lost_bits_are_reported(struct kunit *test)
{
	const unsigned long pages = 5, per_page = PAGE_SIZE * 8 * SZ_4K;
	unsigned long user = map_user(test, pages * PAGE_SIZE);
	struct touch before = { 0, 1 }, over = { 1, 3 }, behind = { 3, 4 };
	struct iova_bitmap *bitmap;

	KUNIT_ASSERT_EQ(test, vm_munmap(user + 2 * PAGE_SIZE, PAGE_SIZE), 0);
	bitmap = iova_bitmap_alloc(0, pages * per_page, SZ_4K, user_at(user));
	KUNIT_ASSERT_FALSE(test, IS_ERR(bitmap));

	/* a hole that no bit falls into does no harm */
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, &before,
						   touch_pages), 0);
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, &behind,
						   touch_pages), 0);
	KUNIT_EXPECT_EQ(test, user_byte(test, user + 4 * PAGE_SIZE), 1);

	/* one that matters does, and the rest is written all the same */
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, &over, touch_pages),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, user_byte(test, user + 2 * PAGE_SIZE - 1), 0xff);
	KUNIT_EXPECT_EQ(test, user_byte(test, user + 3 * PAGE_SIZE), 0xff);

	/* and is not remembered for ever */
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, &before,
						   touch_pages), 0);
	iova_bitmap_free(bitmap);
}

static struct kunit_case iova_bitmap_cases[] = {
	KUNIT_CASE_SLOW(random_against_bits),
	KUNIT_CASE(range_at_the_top),
	KUNIT_CASE(range_at_zero),
	KUNIT_CASE(callback_and_empty_range),
	KUNIT_CASE(window_moves),
	KUNIT_CASE(lost_bits_are_reported),
	{}
};

struct kunit_suite iofd_iova_bitmap_suite = {
	.name = "iova_bitmap",
	.test_cases = iova_bitmap_cases,
};
