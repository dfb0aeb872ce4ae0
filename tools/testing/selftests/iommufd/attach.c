// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching a device to an address space or a page table, replacing what it is
 * attached to, and the page tables that come and go by themselves. The device
 * is the mock: MOCK_DOMAIN binds one and attaches it, destroying its object
 * detaches and unbinds.
 */
#include "util.h"

FIXTURE(attach)
{
	int fd;
	uint32_t a, b;
	char *buf;
	size_t length;
};

FIXTURE_SETUP(attach)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->a));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->b));
	self->length = 16 * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
}

FIXTURE_TEARDOWN(attach)
{
	int fd;

	close(self->fd);
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, self->buf, self->length, 0));
	close(fd);
}

static bool is_free(int fd, uint32_t ioas)
{
	struct iommu_iova_range range;
	uint64_t align;
	uint32_t num = 1;

	return !t_iova_ranges(fd, ioas, &range, &num, &align) && num == 1 &&
	       range.start == 0 && range.last == UINT64_MAX && align == 1;
}

static bool is_narrowed(int fd, uint32_t ioas)
{
	struct iommu_iova_range range;
	uint64_t align;
	uint32_t num = 1;

	return !t_iova_ranges(fd, ioas, &range, &num, &align) && num == 1 &&
	       range.start == MOCK_APERTURE_START &&
	       range.last == MOCK_APERTURE_LAST && align == MOCK_PAGE_SIZE;
}

TEST_F(attach, ids)
{
	uint32_t stdev = 0, hwpt = 0, idev = 0;

	ASSERT_EQ(0, t_mock(self->fd, self->a, &stdev, &hwpt, &idev));
	EXPECT_NE(0, stdev);
	EXPECT_NE(0, hwpt);
	EXPECT_NE(0, idev);
	EXPECT_NE(stdev, hwpt);
	EXPECT_NE(stdev, idev);
	EXPECT_NE(hwpt, idev);
	EXPECT_TRUE(is_narrowed(self->fd, self->a));
	EXPECT_TRUE(is_free(self->fd, self->b));
	ASSERT_EQ(0, t_destroy(self->fd, stdev));
	EXPECT_EQ(ENOENT, t_destroy(self->fd, stdev));
	EXPECT_EQ(ENOENT, t_destroy(self->fd, hwpt));
	EXPECT_EQ(ENOENT, t_destroy(self->fd, idev));
	EXPECT_TRUE(is_free(self->fd, self->a));
}

TEST_F(attach, errors)
{
	uint32_t stdev, idev, id;

	EXPECT_EQ(ENOENT, t_mock(self->fd, 0, NULL, NULL, NULL));
	EXPECT_EQ(ENOENT, t_mock(self->fd, UINT32_MAX, NULL, NULL, NULL));
	EXPECT_EQ(EINVAL, t_mock_flags(self->fd, self->a, 1U << 31, NULL, NULL,
				       NULL));
	EXPECT_EQ(EINVAL, t_mock_flags(self->fd, self->a, 2, NULL, NULL, NULL));
	ASSERT_EQ(0, t_mock(self->fd, self->a, &stdev, NULL, &idev));
	/* Objects nothing can be attached to */
	EXPECT_EQ(EINVAL, t_mock(self->fd, idev, NULL, NULL, NULL));
	EXPECT_EQ(EINVAL, t_mock(self->fd, stdev, NULL, NULL, NULL));
	ASSERT_EQ(0, t_destroy(self->fd, stdev));
	/* None of the devices that could not be attached is left. */
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &id));
	EXPECT_EQ(self->b + 1, id);
}

TEST_F(attach, unwritable_answer)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN,
		.id = self->a,
	};
	uint32_t id;

	ASSERT_EQ(0, t_map_at(self->fd, self->a, self->buf, self->length,
			      T_BASE));
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_TEST_CMD,
				 t_readonly(&cmd, sizeof(cmd))));
	EXPECT_TRUE(is_free(self->fd, self->a));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &id));
	EXPECT_EQ(self->b + 1, id);
}

TEST_F(attach, conflicts)
{
	uint32_t id;

	/* Mapped where the device can't reach */
	ASSERT_EQ(0, t_map_at(self->fd, self->a, self->buf, T_PAGE, 0x1000));
	EXPECT_EQ(EADDRINUSE, t_mock(self->fd, self->a, NULL, NULL, NULL));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->a, NULL));
	/* Mapped finer than the device can translate */
	ASSERT_EQ(0, t_map_at(self->fd, self->a, self->buf, 17, T_BASE));
	EXPECT_EQ(EADDRINUSE, t_mock(self->fd, self->a, NULL, NULL, NULL));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->a, NULL));
	/* Memory that is none */
	ASSERT_EQ(0, t_map_at(self->fd, self->a, self->buf, T_PAGE, T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->a, t_cliff(), 2 * T_PAGE,
			      T_BASE + 0x100000));
	EXPECT_EQ(EFAULT, t_mock(self->fd, self->a, NULL, NULL, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, T_PAGE, 0));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->a, NULL));

	EXPECT_TRUE(is_free(self->fd, self->a));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &id));
	EXPECT_EQ(self->b + 1, id);
	EXPECT_EQ(0, t_mock(self->fd, self->a, NULL, NULL, NULL));
}

TEST_F(attach, mapped_before_and_after)
{
	uint32_t stdev, hwpt;

	ASSERT_EQ(0, t_map_at(self->fd, self->a, self->buf, 8 * T_PAGE,
			      T_BASE));
	ASSERT_EQ(0, t_mock(self->fd, self->a, &stdev, &hwpt, NULL));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, T_BASE, 8 * T_PAGE,
				 self->buf));
	ASSERT_EQ(0, t_map_at(self->fd, self->a, self->buf + 8 * T_PAGE,
			      8 * T_PAGE, T_BASE + 8 * T_PAGE));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, T_BASE, self->length,
				 self->buf));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 1));
	ASSERT_EQ(0, t_destroy(self->fd, stdev));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
	/* The mappings outlive the device. */
	EXPECT_EQ(EEXIST, t_map_at(self->fd, self->a, self->buf, T_PAGE,
				   T_BASE));
}

TEST_F(attach, automatic_table_is_shared)
{
	uint32_t stdev[3], hwpt[3], other, idev;

	ASSERT_EQ(0, t_mock(self->fd, self->a, &stdev[0], &hwpt[0], &idev));
	ASSERT_EQ(0, t_mock(self->fd, self->a, &stdev[1], &hwpt[1], NULL));
	EXPECT_EQ(hwpt[0], hwpt[1]);
	/* By its ID it can be had as well. */
	ASSERT_EQ(0, t_mock(self->fd, hwpt[0], &stdev[2], &hwpt[2], NULL));
	EXPECT_EQ(hwpt[0], hwpt[2]);
	ASSERT_EQ(0, t_mock(self->fd, self->b, NULL, &other, NULL));
	EXPECT_NE(hwpt[0], other);

	EXPECT_EQ(EBUSY, t_destroy(self->fd, hwpt[0]));
	ASSERT_EQ(0, t_destroy(self->fd, stdev[0]));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, hwpt[0]));
	ASSERT_EQ(0, t_destroy(self->fd, stdev[2]));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, hwpt[0]));
	EXPECT_TRUE(is_narrowed(self->fd, self->a));
	ASSERT_EQ(0, t_destroy(self->fd, stdev[1]));
	EXPECT_EQ(ENOENT, t_destroy(self->fd, hwpt[0]));
	EXPECT_TRUE(is_free(self->fd, self->a));
	EXPECT_EQ(0, t_destroy(self->fd, self->a));
}

TEST_F(attach, manual_table)
{
	uint32_t stdev, second, idev, manual, hwpt;

	ASSERT_EQ(0, t_mock(self->fd, self->a, &stdev, NULL, &idev));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, idev, self->b, 0, &manual));
	/* It is not taken for an automatic one. */
	ASSERT_EQ(0, t_mock(self->fd, self->b, &second, &hwpt, NULL));
	EXPECT_NE(manual, hwpt);
	ASSERT_EQ(0, t_destroy(self->fd, second));
	EXPECT_EQ(ENOENT, t_destroy(self->fd, hwpt));

	ASSERT_EQ(0, t_mock(self->fd, manual, &second, &hwpt, NULL));
	EXPECT_EQ(manual, hwpt);
	EXPECT_EQ(EBUSY, t_destroy(self->fd, manual));
	ASSERT_EQ(0, t_destroy(self->fd, second));
	/* Detaching does not take it away. */
	EXPECT_TRUE(is_narrowed(self->fd, self->b));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->b));
	EXPECT_EQ(0, t_destroy(self->fd, manual));
	EXPECT_EQ(0, t_destroy(self->fd, self->b));
}

TEST_F(attach, replace_address_space)
{
	uint32_t stdev, old, hwpt;

	ASSERT_EQ(0, t_map_at(self->fd, self->a, self->buf, 8 * T_PAGE,
			      T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->b, self->buf + 8 * T_PAGE,
			      8 * T_PAGE, T_BASE));
	ASSERT_EQ(0, t_mock(self->fd, self->a, &stdev, &old, NULL));
	ASSERT_EQ(0, t_mock_replace(self->fd, stdev, self->b, &hwpt));
	EXPECT_NE(old, hwpt);
	EXPECT_EQ(ENOENT, t_destroy(self->fd, old));
	EXPECT_EQ(ENOENT, t_mock_replace(self->fd, stdev, old, NULL));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, T_BASE, 8 * T_PAGE,
				 self->buf + 8 * T_PAGE));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, 8 * T_PAGE, 0));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + 8 * T_PAGE, 8 * T_PAGE,
				  1));
	EXPECT_TRUE(is_free(self->fd, self->a));
	EXPECT_TRUE(is_narrowed(self->fd, self->b));
	EXPECT_EQ(0, t_destroy(self->fd, self->a));
}

TEST_F(attach, replace_by_the_same)
{
	uint32_t stdev, hwpt, same = 0;

	ASSERT_EQ(0, t_mock(self->fd, self->a, &stdev, &hwpt, NULL));
	ASSERT_EQ(0, t_mock_replace(self->fd, stdev, hwpt, &same));
	EXPECT_EQ(hwpt, same);
	same = 0;
	ASSERT_EQ(0, t_mock_replace(self->fd, stdev, self->a, &same));
	EXPECT_EQ(hwpt, same);
	EXPECT_TRUE(is_narrowed(self->fd, self->a));
	ASSERT_EQ(0, t_destroy(self->fd, stdev));
	EXPECT_TRUE(is_free(self->fd, self->a));
}

TEST_F(attach, replace_within_one_address_space)
{
	uint32_t stdev, idev, first, second, old, hwpt;

	ASSERT_EQ(0, t_map_at(self->fd, self->a, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_mock(self->fd, self->a, &stdev, &old, &idev));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, idev, self->a, 0, &first));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, idev, self->a, 0, &second));
	ASSERT_EQ(0, t_mock_replace(self->fd, stdev, first, &hwpt));
	EXPECT_EQ(first, hwpt);
	EXPECT_EQ(ENOENT, t_destroy(self->fd, old));
	ASSERT_EQ(0, t_mock_replace(self->fd, stdev, second, &hwpt));
	EXPECT_EQ(second, hwpt);
	EXPECT_EQ(0, t_destroy(self->fd, first));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, second));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 1));
	/* An address space means an automatic one, so the device moves. */
	ASSERT_EQ(0, t_mock_replace(self->fd, stdev, self->a, &hwpt));
	EXPECT_NE(second, hwpt);
	EXPECT_EQ(0, t_destroy(self->fd, second));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, T_BASE, self->length,
				 self->buf));
	EXPECT_TRUE(is_narrowed(self->fd, self->a));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 1));
}

TEST_F(attach, replace_errors)
{
	uint32_t stdev, idev, hwpt, same;

	ASSERT_EQ(0, t_map_at(self->fd, self->a, self->buf, 8 * T_PAGE,
			      T_BASE));
	ASSERT_EQ(0, t_mock(self->fd, self->a, &stdev, &hwpt, &idev));
	EXPECT_EQ(ENOENT, t_mock_replace(self->fd, 0, self->b, NULL));
	EXPECT_EQ(ENOENT, t_mock_replace(self->fd, idev, self->b, NULL));
	EXPECT_EQ(ENOENT, t_mock_replace(self->fd, self->a, self->b, NULL));
	EXPECT_EQ(ENOENT, t_mock_replace(self->fd, stdev, 0, NULL));
	EXPECT_EQ(ENOENT, t_mock_replace(self->fd, stdev, UINT32_MAX, NULL));
	EXPECT_EQ(EINVAL, t_mock_replace(self->fd, stdev, idev, NULL));
	EXPECT_EQ(EINVAL, t_mock_replace(self->fd, stdev, stdev, NULL));

	/* The new one does not suit: address, alignment, memory */
	ASSERT_EQ(0, t_map_at(self->fd, self->b, self->buf + 8 * T_PAGE,
			      T_PAGE, 0));
	EXPECT_EQ(EADDRINUSE, t_mock_replace(self->fd, stdev, self->b, NULL));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->b, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->b, self->buf + 8 * T_PAGE, 3,
			      T_BASE));
	EXPECT_EQ(EADDRINUSE, t_mock_replace(self->fd, stdev, self->b, NULL));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->b, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->b, t_cliff(), 2 * T_PAGE,
			      T_BASE));
	EXPECT_EQ(EFAULT, t_mock_replace(self->fd, stdev, self->b, NULL));

	/* All is as it was. */
	EXPECT_TRUE(is_free(self->fd, self->b));
	EXPECT_EQ(0, t_destroy(self->fd, self->b));
	EXPECT_TRUE(is_narrowed(self->fd, self->a));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, hwpt));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, T_BASE, 8 * T_PAGE,
				 self->buf));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, 8 * T_PAGE, 1));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + 8 * T_PAGE, 8 * T_PAGE,
				  0));
	ASSERT_EQ(0, t_mock_replace(self->fd, stdev, self->a, &same));
	EXPECT_EQ(hwpt, same);
}

TEST_F(attach, many_devices)
{
	uint32_t stdev[24], hwpt[24];
	size_t i;

	/* In two address spaces by turns */
	ASSERT_EQ(0, t_map_at(self->fd, self->a, self->buf, self->length,
			      T_BASE));
	for (i = 0; i < ARRAY_SIZE(stdev); i++) {
		ASSERT_EQ(0, t_mock(self->fd, i % 2 ? self->b : self->a,
				    &stdev[i], &hwpt[i], NULL));
		EXPECT_EQ(hwpt[i % 2], hwpt[i]);
	}
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 1));
	for (i = 0; i < ARRAY_SIZE(stdev); i++)
		ASSERT_EQ(0, t_destroy(self->fd, stdev[i * 7 %
						       ARRAY_SIZE(stdev)]));
	EXPECT_TRUE(is_free(self->fd, self->a));
	EXPECT_TRUE(is_free(self->fd, self->b));
}

TEST_F(attach, close_while_attached)
{
	uint32_t idev, hwpt;

	ASSERT_EQ(0, t_map_at(self->fd, self->a, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_mock(self->fd, self->a, NULL, NULL, &idev));
	ASSERT_EQ(0, t_mock(self->fd, self->b, NULL, NULL, NULL));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, idev, self->a, 0, &hwpt));
	ASSERT_EQ(0, t_mock(self->fd, hwpt, NULL, NULL, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 1));
	/* Teardown looks whether everything is gone. */
}

TEST_HARNESS_MAIN
