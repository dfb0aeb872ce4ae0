// SPDX-License-Identifier: GPL-2.0-only
/* DESTROY: which IDs are given out, who keeps whom, what is gone afterwards. */
#include "util.h"

FIXTURE(destroy)
{
	int fd;
	uint32_t ioas;
};

FIXTURE_SETUP(destroy)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
}

FIXTURE_TEARDOWN(destroy)
{
	close(self->fd);
}

TEST_F(destroy, ids_that_do_not_exist)
{
	static const uint32_t ids[] = {
		0, 2, 3, 1000, INT32_MAX, 0x80000000, 0x80000001, UINT32_MAX,
	};
	size_t i;

	EXPECT_EQ(1, self->ioas);
	for (i = 0; i < ARRAY_SIZE(ids); i++)
		EXPECT_EQ(ENOENT, t_destroy(self->fd, ids[i]))
			TH_LOG("ID %u", ids[i]);
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
	EXPECT_EQ(ENOENT, t_destroy(self->fd, self->ioas));
}

TEST_F(destroy, lowest_free_id)
{
	static const unsigned int holes[] = { 7, 3, 60, 4, 1, 99 };
	static const unsigned int filled[] = { 1, 3, 4, 7, 60, 99 };
	uint32_t id[100], got;
	size_t i;

	id[0] = self->ioas;
	for (i = 1; i < ARRAY_SIZE(id); i++) {
		ASSERT_EQ(0, t_ioas_alloc(self->fd, &id[i]));
		ASSERT_EQ(id[i - 1] + 1, id[i]);
	}
	for (i = 0; i < ARRAY_SIZE(holes); i++)
		ASSERT_EQ(0, t_destroy(self->fd, id[holes[i]]));
	for (i = 0; i < ARRAY_SIZE(holes); i++) {
		ASSERT_EQ(0, t_ioas_alloc(self->fd, &got));
		EXPECT_EQ(id[filled[i]], got);
	}
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &got));
	EXPECT_EQ(id[99] + 1, got);
}

TEST_F(destroy, failures_use_up_no_id)
{
	uint32_t hwpt, stdev, idev, first, second;

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL, &idev));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &first));
	ASSERT_EQ(0, t_destroy(self->fd, first));
	EXPECT_EQ(EOPNOTSUPP, t_hwpt_alloc(self->fd, idev, self->ioas,
					   1U << 31, &hwpt));
	EXPECT_EQ(EINVAL, t_hwpt_alloc(self->fd, idev, stdev, 0, &hwpt));
	EXPECT_EQ(ENOENT, t_mock(self->fd, 0, NULL, NULL, NULL));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &second));
	EXPECT_EQ(first, second);
}

TEST_F(destroy, device_belongs_to_its_driver)
{
	uint32_t stdev, idev;

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL, &idev));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, idev));
	EXPECT_EQ(0, t_destroy(self->fd, stdev));
	EXPECT_EQ(ENOENT, t_destroy(self->fd, idev));
}

TEST_F(destroy, address_space)
{
	uint32_t stdev, auto_hwpt, idev, manual, other;
	int access;

	/* An automatic page table */
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, &auto_hwpt, &idev));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->ioas));
	/* One that nobody uses */
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, idev, self->ioas, 0, &manual));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &other));
	ASSERT_EQ(0, t_mock_replace(self->fd, stdev, other, NULL));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->ioas));
	ASSERT_EQ(0, t_destroy(self->fd, manual));
	/* An access, also of the kind that never pins */
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, 0, &access));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->ioas));
	ASSERT_EQ(0, t_access_replace(self->fd, access, other));
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
	close(access);
}

TEST_F(destroy, mappings_do_not_count)
{
	char *buf = t_alloc(4 * T_PAGE);
	uint32_t id;

	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, buf, 4 * T_PAGE, T_BASE));
	ASSERT_EQ(0, t_add_reserved(self->fd, self->ioas, 0, 0x1000));
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
	/* The number comes back empty. */
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &id));
	EXPECT_EQ(self->ioas, id);
	EXPECT_EQ(0, t_map_at(self->fd, id, buf, 4 * T_PAGE, T_BASE));
	EXPECT_EQ(0, t_map_at(self->fd, id, buf, T_PAGE, 0));
}

TEST_F(destroy, page_table)
{
	uint32_t stdev[2], idev, manual, auto_hwpt;

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev[0], &auto_hwpt,
			    &idev));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, auto_hwpt));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, idev, self->ioas, 0, &manual));
	ASSERT_EQ(0, t_mock(self->fd, manual, &stdev[1], NULL, NULL));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, manual));
	ASSERT_EQ(0, t_mock_replace(self->fd, stdev[0], manual, NULL));
	ASSERT_EQ(0, t_destroy(self->fd, stdev[1]));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, manual));
	ASSERT_EQ(0, t_mock_replace(self->fd, stdev[0], self->ioas, NULL));
	EXPECT_EQ(0, t_destroy(self->fd, manual));
	EXPECT_EQ(ENOENT, t_destroy(self->fd, manual));
}

TEST_F(destroy, any_order_at_close)
{
	uint32_t stdev, idev, hwpt, other;
	int access, fd;
	char *buf;

	buf = t_alloc(8 * T_PAGE);
	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, buf, 8 * T_PAGE, T_BASE));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL, &idev));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &other));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, idev, other, 0, &hwpt));
	ASSERT_EQ(0, t_mock(self->fd, hwpt, NULL, NULL, NULL));
	ASSERT_EQ(0, t_copy_at(self->fd, other, self->ioas, T_BASE, 8 * T_PAGE,
			       T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, other, 1, &access));
	EXPECT_EQ(0, t_check_refs(self->fd, buf, 8 * T_PAGE, 1));
	close(access);
	close(self->fd);
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, buf, 8 * T_PAGE, 0));
	self->fd = fd;
}

TEST_F(destroy, thousands)
{
	uint32_t id, first = 0;
	unsigned int i, round;

	for (round = 0; round < 2; round++) {
		for (i = 0; i < 3000; i++) {
			ASSERT_EQ(0, t_ioas_alloc(self->fd, &id));
			if (!i)
				first = id;
			ASSERT_EQ(first + i, id);
		}
		for (i = 0; i < 3000; i++)
			ASSERT_EQ(0, t_destroy(self->fd, first + i * 7 % 3000));
	}
}

TEST_HARNESS_MAIN
