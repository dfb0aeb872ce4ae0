// SPDX-License-Identifier: GPL-2.0-only
/*
 * The I/O address space without its mappings: creation, which addresses can be
 * used (IOVA_RANGES, reserved regions, the allowed list), and its option
 * HUGE_PAGES.
 */
#include "util.h"

#define MAX_RANGES 32

FIXTURE(ioas)
{
	int fd;
	uint32_t id;
	char *buf;
};

FIXTURE_SETUP(ioas)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->id));
	self->buf = t_alloc(8 * T_PAGE);
	ASSERT_NE(NULL, self->buf);
}

FIXTURE_TEARDOWN(ioas)
{
	close(self->fd);
}

/* Compares the list of ranges with pairs of start and last. */
static bool ranges_are(int fd, uint32_t id, const uint64_t (*want)[2],
		       uint32_t count)
{
	struct iommu_iova_range got[MAX_RANGES];
	uint32_t num = MAX_RANGES, i;

	if (t_iova_ranges(fd, id, got, &num, NULL)) {
		ksft_print_msg("IOVA_RANGES: %m\n");
		return false;
	}
	for (i = 0; i < num; i++)
		if (i >= count || got[i].start != want[i][0] ||
		    got[i].last != want[i][1])
			break;
	if (i == count && num == count)
		return true;
	for (i = 0; i < num; i++)
		ksft_print_msg("range %u: %#llx - %#llx\n", i,
			       (unsigned long long)got[i].start,
			       (unsigned long long)got[i].last);
	return false;
}

#define RANGES_ARE(...)                                                  \
	ranges_are(self->fd, self->id,                                   \
		   (const uint64_t[][2]) { __VA_ARGS__ },                \
		   ARRAY_SIZE(((const uint64_t[][2]) { __VA_ARGS__ })))

TEST_F(ioas, alloc_flags)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		cmd.flags = 1U << bit;
		EXPECT_EQ(EOPNOTSUPP,
			  t_call(self->fd, IOMMU_IOAS_ALLOC, &cmd));
	}
}

TEST_F(ioas, fresh)
{
	uint64_t val = 7;

	EXPECT_TRUE(RANGES_ARE({ 0, UINT64_MAX }));
	EXPECT_EQ(1, t_alignment(self->fd, self->id));
	EXPECT_EQ(0, t_option(self->fd, IOMMU_OPTION_HUGE_PAGES,
			      IOMMU_OPTION_OP_GET, self->id, &val));
	EXPECT_EQ(1, val);
	/* Nothing is mapped, and asking for that is no error. */
	EXPECT_EQ(0, t_unmap_all(self->fd, self->id, &val));
	EXPECT_EQ(0, val);
}

TEST_F(ioas, iova_ranges_errors)
{
	struct iommu_iova_range range;
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.num_iovas = 1,
		.allowed_iovas = (uintptr_t)&range,
	};
	uint32_t stdev, hwpt, idev;

	cmd.__reserved = 1;
	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_IOAS_IOVA_RANGES, &cmd));
	cmd.__reserved = 0;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_IOAS_IOVA_RANGES, &cmd));
	cmd.ioas_id = UINT32_MAX;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_IOAS_IOVA_RANGES, &cmd));
	cmd.ioas_id = INT32_MAX;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_IOAS_IOVA_RANGES, &cmd));

	/* IDs of other types */
	ASSERT_EQ(0, t_mock(self->fd, self->id, &stdev, &hwpt, &idev));
	cmd.ioas_id = stdev;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_IOAS_IOVA_RANGES, &cmd));
	cmd.ioas_id = hwpt;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_IOAS_IOVA_RANGES, &cmd));
	cmd.ioas_id = idev;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_IOAS_IOVA_RANGES, &cmd));
}

TEST_F(ioas, iova_ranges_short_array)
{
	struct iommu_iova_range got[3] = {};
	uint64_t align = 0;
	uint32_t num;

	ASSERT_EQ(0, t_add_reserved(self->fd, self->id, 0x1000, 0x1000));
	ASSERT_EQ(0, t_add_reserved(self->fd, self->id, 0x8000, 0x1000));
	/* 0-fff, 2000-7fff, 9000-: asking for the number needs no array. */
	num = 0;
	EXPECT_EQ(EMSGSIZE, t_iova_ranges(self->fd, self->id, NULL, &num,
					  &align));
	EXPECT_EQ(3, num);
	EXPECT_EQ(1, align);

	memset(got, 0xee, sizeof(got));
	num = 2;
	EXPECT_EQ(EMSGSIZE, t_iova_ranges(self->fd, self->id, got, &num, NULL));
	EXPECT_EQ(3, num);
	EXPECT_EQ(0, got[0].start);
	EXPECT_EQ(0xfff, got[0].last);
	EXPECT_EQ(0x2000, got[1].start);
	EXPECT_EQ(0x7fff, got[1].last);
	EXPECT_EQ(0xeeeeeeeeeeeeeeeeULL, got[2].start);

	num = 3;
	EXPECT_EQ(0, t_iova_ranges(self->fd, self->id, got, &num, NULL));
	EXPECT_EQ(3, num);
	EXPECT_EQ(0x9000, got[2].start);
	EXPECT_EQ(UINT64_MAX, got[2].last);
}

TEST_F(ioas, iova_ranges_unwritable)
{
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = self->id,
		.num_iovas = 5,
		.allowed_iovas = 8,
		.out_iova_alignment = 77,
	};
	struct iommu_iova_range range;
	void *readonly;

	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_IOAS_IOVA_RANGES, &cmd));
	/* Then the struct has not been written. */
	EXPECT_EQ(5, cmd.num_iovas);
	EXPECT_EQ(77, cmd.out_iova_alignment);

	cmd.allowed_iovas = (uintptr_t)&range;
	readonly = t_readonly(&cmd, sizeof(cmd));
	ASSERT_NE(NULL, readonly);
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_IOAS_IOVA_RANGES, readonly));
}

TEST_F(ioas, reserved_at_the_ends)
{
	ASSERT_EQ(0, t_add_reserved(self->fd, self->id, 0, 1));
	EXPECT_TRUE(RANGES_ARE({ 1, UINT64_MAX }));
	ASSERT_EQ(0, t_add_reserved(self->fd, self->id, UINT64_MAX, 1));
	EXPECT_TRUE(RANGES_ARE({ 1, UINT64_MAX - 1 }));
	ASSERT_EQ(0, t_add_reserved(self->fd, self->id, UINT64_MAX - 0xfff,
				    0x1000));
	EXPECT_TRUE(RANGES_ARE({ 1, UINT64_MAX - 0x1000 }));
}

TEST_F(ioas, reserved_touching_and_overlapping)
{
	ASSERT_EQ(0, t_add_reserved(self->fd, self->id, 0x1000, 0x1000));
	ASSERT_EQ(0, t_add_reserved(self->fd, self->id, 0x2000, 0x1000));
	EXPECT_TRUE(RANGES_ARE({ 0, 0xfff }, { 0x3000, UINT64_MAX }));
	ASSERT_EQ(0, t_add_reserved(self->fd, self->id, 0x1800, 0x4000));
	EXPECT_TRUE(RANGES_ARE({ 0, 0xfff }, { 0x5800, UINT64_MAX }));
	ASSERT_EQ(0, t_add_reserved(self->fd, self->id, 0x1000, 0x1000));
	ASSERT_EQ(0, t_add_reserved(self->fd, self->id, 0x1004, 4));
	EXPECT_TRUE(RANGES_ARE({ 0, 0xfff }, { 0x5800, UINT64_MAX }));
	/* A gap of one byte */
	ASSERT_EQ(0, t_add_reserved(self->fd, self->id, 0, 0xfff));
	EXPECT_TRUE(RANGES_ARE({ 0xfff, 0xfff }, { 0x5800, UINT64_MAX }));
}

TEST_F(ioas, everything_reserved)
{
	uint64_t iova;
	uint32_t num = 0;

	ASSERT_EQ(0, t_add_reserved(self->fd, self->id, 0, UINT64_MAX));
	EXPECT_TRUE(RANGES_ARE({ UINT64_MAX, UINT64_MAX }));
	ASSERT_EQ(0, t_add_reserved(self->fd, self->id, UINT64_MAX, 1));
	/* None is an answer as well: an array of 0 is long enough. */
	EXPECT_EQ(0, t_iova_ranges(self->fd, self->id, NULL, &num, NULL));
	EXPECT_EQ(0, num);
	EXPECT_EQ(ENOSPC, t_map_any(self->fd, self->id, self->buf, T_PAGE,
				    &iova));
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->id, self->buf, T_PAGE, 0));
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->id, self->buf, T_PAGE,
				   T_BASE));
}

TEST_F(ioas, add_reserved_errors)
{
	struct iommu_iova_range allowed = { 0x10000, 0x1ffff };

	EXPECT_EQ(EINVAL, t_add_reserved(self->fd, self->id, 0x1000, 0));
	EXPECT_EQ(EOVERFLOW, t_add_reserved(self->fd, self->id, UINT64_MAX, 2));
	EXPECT_EQ(EOVERFLOW,
		  t_add_reserved(self->fd, self->id, 2, UINT64_MAX));
	EXPECT_EQ(ENOENT, t_add_reserved(self->fd, 0, 0x1000, 1));

	ASSERT_EQ(0, t_map_at(self->fd, self->id, self->buf, 16, 0x1008));
	EXPECT_EQ(EADDRINUSE, t_add_reserved(self->fd, self->id, 0, 0x1009));
	EXPECT_EQ(EADDRINUSE, t_add_reserved(self->fd, self->id, 0x1017, 1));
	EXPECT_EQ(0, t_add_reserved(self->fd, self->id, 0, 0x1008));
	EXPECT_EQ(0, t_add_reserved(self->fd, self->id, 0x1018, 1));

	ASSERT_EQ(0, t_allow_iovas(self->fd, self->id, &allowed, 1));
	EXPECT_EQ(EADDRINUSE,
		  t_add_reserved(self->fd, self->id, 0x1ffff, 0x1000));
	EXPECT_EQ(EADDRINUSE, t_add_reserved(self->fd, self->id, 0xf000,
					     0x1001));
	EXPECT_EQ(0, t_add_reserved(self->fd, self->id, 0x20000, 0x1000));
}

TEST_F(ioas, device_narrows_and_widens)
{
	uint32_t stdev, second, hwpt;

	ASSERT_EQ(0, t_mock(self->fd, self->id, &stdev, &hwpt, NULL));
	EXPECT_TRUE(RANGES_ARE({ MOCK_APERTURE_START, MOCK_APERTURE_LAST }));
	EXPECT_EQ(MOCK_PAGE_SIZE, t_alignment(self->fd, self->id));
	ASSERT_EQ(0, t_mock(self->fd, self->id, &second, NULL, NULL));
	EXPECT_EQ(0, t_destroy(self->fd, stdev));
	EXPECT_TRUE(RANGES_ARE({ MOCK_APERTURE_START, MOCK_APERTURE_LAST }));
	EXPECT_EQ(0, t_destroy(self->fd, second));
	EXPECT_TRUE(RANGES_ARE({ 0, UINT64_MAX }));
	EXPECT_EQ(1, t_alignment(self->fd, self->id));
}

TEST_F(ioas, mappings_do_not_show_in_ranges)
{
	struct iommu_iova_range allowed = { 0x100000, 0x1fffff };

	ASSERT_EQ(0, t_map_at(self->fd, self->id, self->buf, T_PAGE, 0x5000));
	ASSERT_EQ(0, t_allow_iovas(self->fd, self->id, &allowed, 1));
	EXPECT_TRUE(RANGES_ARE({ 0, UINT64_MAX }));
}

TEST_F(ioas, allow_iovas_errors)
{
	struct iommu_iova_range r[3] = { { 0x1000, 0x1fff } };
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.num_iovas = 1,
		.allowed_iovas = (uintptr_t)r,
	};
	struct iommu_iova_range *edge;

	cmd.__reserved = 1;
	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_IOAS_ALLOW_IOVAS, &cmd));
	cmd.__reserved = 0;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_IOAS_ALLOW_IOVAS, &cmd));
	cmd.num_iovas = 0;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_IOAS_ALLOW_IOVAS, &cmd));

	EXPECT_EQ(EFAULT, t_allow_iovas(self->fd, self->id, NULL, 1));
	EXPECT_EQ(EFAULT, t_allow_iovas(self->fd, self->id, NULL, UINT32_MAX));

	/* start has to be below last, so a single byte is no range. */
	r[0].last = r[0].start;
	EXPECT_EQ(EINVAL, t_allow_iovas(self->fd, self->id, r, 1));
	r[0].last = r[0].start - 1;
	EXPECT_EQ(EINVAL, t_allow_iovas(self->fd, self->id, r, 1));
	r[0] = (struct iommu_iova_range){ UINT64_MAX, 0 };
	EXPECT_EQ(EINVAL, t_allow_iovas(self->fd, self->id, r, 1));
	r[0] = (struct iommu_iova_range){ UINT64_MAX, UINT64_MAX };
	EXPECT_EQ(EINVAL, t_allow_iovas(self->fd, self->id, r, 1));

	r[0] = (struct iommu_iova_range){ 0x1000, 0x1fff };
	r[1] = (struct iommu_iova_range){ 0x1fff, 0x2fff };
	EXPECT_EQ(EINVAL, t_allow_iovas(self->fd, self->id, r, 2));
	r[1] = r[0];
	EXPECT_EQ(EINVAL, t_allow_iovas(self->fd, self->id, r, 2));
	r[1] = (struct iommu_iova_range){ 0, UINT64_MAX };
	EXPECT_EQ(EINVAL, t_allow_iovas(self->fd, self->id, r, 2));

	/* Entries are read one by one: the bad one comes before the cliff. */
	edge = (void *)(t_cliff() + T_PAGE - sizeof(*edge));
	*edge = (struct iommu_iova_range){ 2, 1 };
	EXPECT_EQ(EINVAL, t_allow_iovas(self->fd, self->id, edge, 2));
	*edge = (struct iommu_iova_range){ 1, 2 };
	EXPECT_EQ(EFAULT, t_allow_iovas(self->fd, self->id, edge, 2));

	ASSERT_EQ(0, t_add_reserved(self->fd, self->id, 0x8000, 0x1000));
	r[0] = (struct iommu_iova_range){ 0x7000, 0x8000 };
	EXPECT_EQ(EADDRINUSE, t_allow_iovas(self->fd, self->id, r, 1));
	r[0] = (struct iommu_iova_range){ 0x8fff, 0x9fff };
	EXPECT_EQ(EADDRINUSE, t_allow_iovas(self->fd, self->id, r, 1));
	r[0] = (struct iommu_iova_range){ 0, UINT64_MAX };
	EXPECT_EQ(EADDRINUSE, t_allow_iovas(self->fd, self->id, r, 1));
	r[0] = (struct iommu_iova_range){ 0x9000, 0x9fff };
	EXPECT_EQ(0, t_allow_iovas(self->fd, self->id, r, 1));
}

TEST_F(ioas, allowed_list_in_any_order)
{
	struct iommu_iova_range r[3] = {
		{ UINT64_MAX - 0xffff, UINT64_MAX },
		{ 0x5000, 0x5fff },
		{ 0x4000, 0x4fff },
	};
	uint64_t iova, offset = (uintptr_t)self->buf % T_PAGE;

	ASSERT_EQ(0, offset);
	ASSERT_EQ(0, t_allow_iovas(self->fd, self->id, r, 3));
	ASSERT_EQ(0, t_map_any(self->fd, self->id, self->buf, T_PAGE, &iova));
	EXPECT_EQ(0x4000, iova);
	ASSERT_EQ(0, t_map_any(self->fd, self->id, self->buf, T_PAGE, &iova));
	EXPECT_EQ(0x5000, iova);
	ASSERT_EQ(0, t_map_any(self->fd, self->id, self->buf, T_PAGE, &iova));
	EXPECT_EQ(UINT64_MAX - 0xffff, iova);
}

TEST_F(ioas, allowed_list_survives_a_failed_change)
{
	struct iommu_iova_range good = { 0x40000, 0x4ffff };
	struct iommu_iova_range bad[2] = { { 0x1000, 0x9fff }, { 5, 5 } };
	uint64_t iova;

	ASSERT_EQ(0, t_add_reserved(self->fd, self->id, 0x100000, 0x1000));
	ASSERT_EQ(0, t_allow_iovas(self->fd, self->id, &good, 1));
	EXPECT_EQ(EINVAL, t_allow_iovas(self->fd, self->id, bad, 2));
	bad[1] = (struct iommu_iova_range){ 0x100000, 0x1fffff };
	EXPECT_EQ(EADDRINUSE, t_allow_iovas(self->fd, self->id, bad, 2));
	EXPECT_EQ(EFAULT, t_allow_iovas(self->fd, self->id, NULL, 2));

	ASSERT_EQ(0, t_map_any(self->fd, self->id, self->buf, T_PAGE, &iova));
	EXPECT_EQ(0x40000, iova);
	EXPECT_EQ(EADDRINUSE,
		  t_add_reserved(self->fd, self->id, 0x4f000, 0x1000));
	EXPECT_EQ(0, t_add_reserved(self->fd, self->id, 0x1000, 0x1000));
}

TEST_F(ioas, allowed_list_replaced_and_removed)
{
	struct iommu_iova_range r = { 0x40000, 0x4ffff };
	uint64_t iova;

	ASSERT_EQ(0, t_allow_iovas(self->fd, self->id, &r, 1));
	r = (struct iommu_iova_range){ 0x80000, 0x80fff };
	ASSERT_EQ(0, t_allow_iovas(self->fd, self->id, &r, 1));
	ASSERT_EQ(0, t_map_any(self->fd, self->id, self->buf, T_PAGE, &iova));
	EXPECT_EQ(0x80000, iova);
	EXPECT_EQ(ENOSPC, t_map_any(self->fd, self->id, self->buf, T_PAGE,
				    &iova));
	/* A fixed address need not be in the list. */
	EXPECT_EQ(0, t_map_at(self->fd, self->id, self->buf, T_PAGE, 0x40000));
	/* No entries: no pointer is looked at. */
	ASSERT_EQ(0, t_allow_iovas(self->fd, self->id, (void *)8, 0));
	ASSERT_EQ(0, t_map_any(self->fd, self->id, self->buf, T_PAGE, &iova));
	EXPECT_EQ(T_PAGE, iova);
	EXPECT_EQ(0, t_add_reserved(self->fd, self->id, 0x90000, 0x1000));
}

TEST_F(ioas, allowed_list_refuses_a_device)
{
	struct iommu_iova_range r = { MOCK_APERTURE_START - 2,
				      MOCK_APERTURE_START - 1 };
	uint32_t stdev, id;

	ASSERT_EQ(0, t_allow_iovas(self->fd, self->id, &r, 1));
	EXPECT_EQ(EADDRINUSE, t_mock(self->fd, self->id, NULL, NULL, NULL));
	r = (struct iommu_iova_range){ MOCK_APERTURE_LAST,
				       MOCK_APERTURE_LAST + 1 };
	ASSERT_EQ(0, t_allow_iovas(self->fd, self->id, &r, 1));
	EXPECT_EQ(EADDRINUSE, t_mock(self->fd, self->id, NULL, NULL, NULL));
	/* What failed left no object behind. */
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &id));
	EXPECT_EQ(self->id + 1, id);
	EXPECT_EQ(0, t_destroy(self->fd, id));

	r = (struct iommu_iova_range){ MOCK_APERTURE_START,
				       MOCK_APERTURE_LAST };
	ASSERT_EQ(0, t_allow_iovas(self->fd, self->id, &r, 1));
	EXPECT_EQ(0, t_mock(self->fd, self->id, &stdev, NULL, NULL));
	/* Now the list can't leave the aperture. */
	r.last++;
	EXPECT_EQ(EADDRINUSE, t_allow_iovas(self->fd, self->id, &r, 1));
}

TEST_F(ioas, allow_everything)
{
	struct iommu_iova_range r = { 0, UINT64_MAX };
	uint64_t iova;

	ASSERT_EQ(0, t_allow_iovas(self->fd, self->id, &r, 1));
	ASSERT_EQ(0, t_map_any(self->fd, self->id, self->buf, T_PAGE, &iova));
	/* The first page and the last are never chosen. */
	EXPECT_EQ(T_PAGE, iova);
	r = (struct iommu_iova_range){ 0, T_PAGE - 1 };
	ASSERT_EQ(0, t_allow_iovas(self->fd, self->id, &r, 1));
	EXPECT_EQ(ENOSPC, t_map_any(self->fd, self->id, self->buf, 16, &iova));
	r = (struct iommu_iova_range){ UINT64_MAX - T_PAGE + 1, UINT64_MAX };
	ASSERT_EQ(0, t_allow_iovas(self->fd, self->id, &r, 1));
	EXPECT_EQ(ENOSPC, t_map_any(self->fd, self->id, self->buf, T_PAGE,
				    &iova));
}

TEST_F(ioas, option_errors)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = 77,
		.__reserved = 1,
		.object_id = 0,
	};
	uint64_t val = 1;
	void *readonly;

	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_OPTION, &cmd));
	cmd.option_id = IOMMU_OPTION_HUGE_PAGES;
	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_OPTION, &cmd));
	EXPECT_EQ(EOPNOTSUPP, t_option(self->fd, 2, IOMMU_OPTION_OP_GET,
				       self->id, &val));
	EXPECT_EQ(ENOENT, t_option(self->fd, IOMMU_OPTION_HUGE_PAGES,
				   IOMMU_OPTION_OP_GET, 0, &val));
	EXPECT_EQ(ENOENT, t_option(self->fd, IOMMU_OPTION_HUGE_PAGES, 9, 0,
				   &val));
	EXPECT_EQ(EOPNOTSUPP, t_option(self->fd, IOMMU_OPTION_HUGE_PAGES, 2,
				       self->id, &val));
	EXPECT_EQ(EINVAL, t_huge_pages(self->fd, self->id, 2));
	EXPECT_EQ(EINVAL, t_huge_pages(self->fd, self->id, UINT64_MAX));

	cmd = (struct iommu_option){
		.size = sizeof(cmd),
		.option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_GET,
		.object_id = self->id,
	};
	readonly = t_readonly(&cmd, sizeof(cmd));
	ASSERT_NE(NULL, readonly);
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_OPTION, readonly));
}

TEST_F(ioas, huge_pages)
{
	uint64_t val;

	EXPECT_EQ(0, t_huge_pages(self->fd, self->id, 1));
	EXPECT_EQ(0, t_huge_pages(self->fd, self->id, 0));
	EXPECT_EQ(T_PAGE, t_alignment(self->fd, self->id));
	val = 9;
	EXPECT_EQ(0, t_option(self->fd, IOMMU_OPTION_HUGE_PAGES,
			      IOMMU_OPTION_OP_GET, self->id, &val));
	EXPECT_EQ(0, val);
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->id, self->buf, 16, 0x1000));
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->id, self->buf + 16, T_PAGE,
				   0x1000));
	EXPECT_EQ(0, t_map_at(self->fd, self->id, self->buf, T_PAGE, 0x1000));
	EXPECT_EQ(0, t_huge_pages(self->fd, self->id, 0));
	EXPECT_EQ(0, t_huge_pages(self->fd, self->id, 1));
	EXPECT_EQ(1, t_alignment(self->fd, self->id));
	/* All that is mapped is made of whole pages, so back it goes. */
	EXPECT_EQ(0, t_huge_pages(self->fd, self->id, 0));
}

TEST_F(ioas, huge_pages_off_needs_whole_pages)
{
	uint64_t cases[][3] = {
		/* offset of the memory, length, IOVA */
		{ 0, T_PAGE, 0x10010 },
		{ 0, T_PAGE - 16, 0x10000 },
		{ 16, T_PAGE, 0x10000 },
	};
	uint64_t val;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT_EQ(0, t_map_at(self->fd, self->id,
				      self->buf + cases[i][0], cases[i][1],
				      cases[i][2]));
		EXPECT_EQ(EADDRINUSE, t_huge_pages(self->fd, self->id, 0))
			TH_LOG("case %zu", i);
		val = 0;
		EXPECT_EQ(0, t_option(self->fd, IOMMU_OPTION_HUGE_PAGES,
				      IOMMU_OPTION_OP_GET, self->id, &val));
		EXPECT_EQ(1, val);
		EXPECT_EQ(1, t_alignment(self->fd, self->id));
		ASSERT_EQ(0, t_unmap_all(self->fd, self->id, NULL));
	}
}

TEST_F(ioas, huge_pages_off_with_domain)
{
	uint32_t stdev;

	ASSERT_EQ(0, t_mock(self->fd, self->id, &stdev, NULL, NULL));
	EXPECT_EQ(0, t_huge_pages(self->fd, self->id, 0));
	EXPECT_EQ(T_PAGE, t_alignment(self->fd, self->id));
	EXPECT_EQ(0, t_huge_pages(self->fd, self->id, 1));
	EXPECT_EQ(MOCK_PAGE_SIZE, t_alignment(self->fd, self->id));

	ASSERT_EQ(0, t_map_at(self->fd, self->id, self->buf, T_PAGE, T_BASE));
	EXPECT_EQ(EINVAL, t_huge_pages(self->fd, self->id, 0));
	EXPECT_EQ(MOCK_PAGE_SIZE, t_alignment(self->fd, self->id));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->id, NULL));

	ASSERT_EQ(0, t_huge_pages(self->fd, self->id, 0));
	ASSERT_EQ(0, t_map_at(self->fd, self->id, self->buf, T_PAGE, T_BASE));
	/* It is off, so there is nothing to refuse. */
	EXPECT_EQ(0, t_huge_pages(self->fd, self->id, 0));
	EXPECT_EQ(0, t_huge_pages(self->fd, self->id, 1));
	EXPECT_EQ(EINVAL, t_huge_pages(self->fd, self->id, 0));
}

TEST_F(ioas, option_writes_only_its_value)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_SET,
		.object_id = self->id,
		.val64 = 0,
	};
	struct iommu_option before = cmd;

	ASSERT_EQ(0, t_call(self->fd, IOMMU_OPTION, &cmd));
	EXPECT_EQ(0, memcmp(&before, &cmd, sizeof(cmd)));
	cmd.op = IOMMU_OPTION_OP_GET;
	cmd.val64 = 55;
	before = cmd;
	ASSERT_EQ(0, t_call(self->fd, IOMMU_OPTION, &cmd));
	EXPECT_EQ(0, cmd.val64);
	EXPECT_EQ(0, memcmp(&before, &cmd, offsetof(struct iommu_option,
						    val64)));
}

TEST_HARNESS_MAIN
