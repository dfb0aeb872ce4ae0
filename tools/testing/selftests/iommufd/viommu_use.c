// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest does with its share of an IOMMU: attach its devices to page
 * tables of its own, and invalidate what they cache.
 */
#include "pt.h"

#define TYPE IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST
#define WRONG_TYPE IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST_INVALID
#define ALL IOMMU_TEST_INVALIDATE_FLAG_ALL
#define WORDS MOCK_DEV_CACHE_NUM
#define FULL IOMMU_TEST_DEV_CACHE_DEFAULT
#define ENTRIES_MAX 524288

#define REQUEST struct iommu_viommu_invalidate_selftest

FIXTURE(viommu_use)
{
	int fd;
	uint32_t ioas, stdev[2], idev[2], parent, viommu, vdev, other;
};

/* The first device is number 10 of the guest, the second none of its. */
FIXTURE_SETUP(viommu_use)
{
	int i;

	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev[i], NULL,
				    &self->idev[i]));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev[0], self->ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT,
				  &self->parent));
	ASSERT_EQ(0, t_viommu(self->fd, self->idev[0], self->parent,
			      IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0,
			      &self->viommu));
	ASSERT_EQ(0, t_viommu(self->fd, self->idev[0], self->parent,
			      IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0,
			      &self->other));
	ASSERT_EQ(0, t_vdevice(self->fd, self->viommu, self->idev[0], 10,
			       &self->vdev));
}

FIXTURE_TEARDOWN(viommu_use)
{
	uint32_t i;

	/* Nobody asks for anything of this one. */
	for (i = 0; i < WORDS; i++)
		EXPECT_EQ(0, t_check_cache(self->fd, self->idev[1], i, FULL));
	close(self->fd);
}

/* Which words are still full, as bits */
static unsigned int full(int fd, uint32_t idev)
{
	unsigned int i, bits = 0;

	for (i = 0; i < WORDS; i++) {
		if (!t_check_cache(fd, idev, i, FULL))
			bits |= 1U << i;
		else if (t_check_cache(fd, idev, i, 0))
			return -1;
	}
	return bits;
}

TEST_F(viommu_use, caches_to_begin_with)
{
	EXPECT_EQ(0xf, full(self->fd, self->idev[0]));
	EXPECT_EQ(EINVAL, t_check_cache(self->fd, self->idev[0], WORDS, FULL));
	EXPECT_EQ(ENOENT, t_check_cache(self->fd, self->stdev[0], 0, FULL));
}

TEST_F(viommu_use, one_and_all)
{
	REQUEST one = { .vdev_id = 10, .cache_id = 2 };
	REQUEST all = { .vdev_id = 10, .cache_id = 1, .flags = ALL };
	REQUEST two[2] = { one, { .vdev_id = 10, .cache_id = 0 } };
	uint32_t num = 1;

	EXPECT_EQ(0, t_invalidate(self->fd, self->viommu, TYPE, &one, sizeof(one),
				  &num));
	EXPECT_EQ(1, num);
	EXPECT_EQ(0xb, full(self->fd, self->idev[0]));
	num = 2;
	EXPECT_EQ(0, t_invalidate(self->fd, self->viommu, TYPE, two, sizeof(one), &num));
	EXPECT_EQ(2, num);
	EXPECT_EQ(0xa, full(self->fd, self->idev[0]));
	num = 1;
	EXPECT_EQ(0, t_invalidate(self->fd, self->viommu, TYPE, &all, sizeof(all),
				  &num));
	EXPECT_EQ(1, num);
	EXPECT_EQ(0, full(self->fd, self->idev[0]));
}

TEST_F(viommu_use, bad_requests)
{
	REQUEST bad[] = {
		{ .vdev_id = 10, .cache_id = 0, .flags = 2 },
		{ .vdev_id = 10, .cache_id = 0, .flags = 3 },
		{ .vdev_id = 10, .cache_id = WORDS },
		{ .vdev_id = 10, .cache_id = WORDS, .flags = ALL },
		{ .vdev_id = 11, .cache_id = 0 },
		{ .vdev_id = 0, .cache_id = 0, .flags = ALL },
	};
	static const int answers[] = {
		EOPNOTSUPP, EOPNOTSUPP, EINVAL, EINVAL, EINVAL, EINVAL,
	};
	REQUEST requests[3] = { { .vdev_id = 10, .cache_id = 3 } };
	uint32_t num;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		num = 1;
		EXPECT_EQ(answers[i], t_invalidate(self->fd, self->viommu, TYPE, &bad[i],
						   sizeof(bad[i]), &num))
			TH_LOG("%zu", i);
		EXPECT_EQ(0, num);
		/* Those in front of it are carried out, those behind not. */
		requests[1] = bad[i];
		requests[2] = (REQUEST) { .vdev_id = 10, .cache_id = 2 };
		num = 3;
		EXPECT_EQ(answers[i], t_invalidate(self->fd, self->viommu, TYPE,
						   requests, sizeof(REQUEST), &num))
			TH_LOG("%zu", i);
		EXPECT_EQ(1, num);
	}
	EXPECT_EQ(0x7, full(self->fd, self->idev[0]));
}

TEST_F(viommu_use, arrays)
{
	struct {
		REQUEST request;
		uint32_t more;
	} longer[2] = {
		{ .request = { .vdev_id = 10, .cache_id = 0 } },
		{ .request = { .vdev_id = 10, .cache_id = 1 }, .more = 1 },
	};
	REQUEST request = { .vdev_id = 10, .cache_id = 0 };
	uint32_t shorter[2] = { 0, 10 };
	char *end = t_cliff();
	uint32_t num;

	ASSERT_NE(NULL, end);
	/* Is the type known? */
	num = 0;
	EXPECT_EQ(0, t_invalidate(self->fd, self->viommu, TYPE, NULL, 0, &num));
	EXPECT_EQ(EINVAL, t_invalidate(self->fd, self->viommu, WRONG_TYPE, NULL, 0,
				       &num));
	EXPECT_EQ(0, num);
	num = 1;
	EXPECT_EQ(EINVAL, t_invalidate(self->fd, self->viommu, WRONG_TYPE, &request,
				       sizeof(request), &num));
	EXPECT_EQ(0, num);

	/* The array is read as a whole before anything is carried out. */
	num = 2;
	EXPECT_EQ(E2BIG, t_invalidate(self->fd, self->viommu, TYPE, longer,
				      sizeof(longer[0]), &num));
	EXPECT_EQ(0, num);
	num = 2;
	memcpy(end + T_PAGE - sizeof(request), &request, sizeof(request));
	EXPECT_EQ(EFAULT, t_invalidate(self->fd, self->viommu, TYPE,
				       end + T_PAGE - sizeof(request), sizeof(request),
				       &num));
	EXPECT_EQ(0, num);
	EXPECT_EQ(0xf, full(self->fd, self->idev[0]));

	/* Longer with nothing in it, and shorter */
	num = 1;
	EXPECT_EQ(0, t_invalidate(self->fd, self->viommu, TYPE, longer,
				  sizeof(longer[0]), &num));
	EXPECT_EQ(1, num);
	EXPECT_EQ(0xe, full(self->fd, self->idev[0]));
	num = 1;
	shorter[0] = ALL;
	EXPECT_EQ(0, t_invalidate(self->fd, self->viommu, TYPE, shorter, sizeof(shorter),
				  &num));
	EXPECT_EQ(1, num);
	EXPECT_EQ(0, full(self->fd, self->idev[0]));
}

TEST_F(viommu_use, as_many_as_may_be)
{
	REQUEST *requests = calloc(ENTRIES_MAX, sizeof(*requests));
	uint32_t num = ENTRIES_MAX, i;

	ASSERT_NE(NULL, requests);
	for (i = 0; i < ENTRIES_MAX; i++)
		requests[i].vdev_id = 10;
	requests[ENTRIES_MAX - 1].cache_id = 3;
	EXPECT_EQ(0, t_invalidate(self->fd, self->viommu, TYPE, requests,
				  sizeof(*requests), &num));
	EXPECT_EQ(ENTRIES_MAX, num);
	EXPECT_EQ(0x6, full(self->fd, self->idev[0]));
	free(requests);
}

TEST_F(viommu_use, only_devices_of_its_own)
{
	REQUEST request = { .vdev_id = 10, .cache_id = 0 };
	uint32_t num = 1;

	EXPECT_EQ(EINVAL, t_invalidate(self->fd, self->other, TYPE, &request,
				       sizeof(request), &num));
	EXPECT_EQ(0, num);
	/* One that is gone is not, */
	ASSERT_EQ(0, t_destroy(self->fd, self->vdev));
	num = 1;
	EXPECT_EQ(EINVAL, t_invalidate(self->fd, self->viommu, TYPE, &request,
				       sizeof(request), &num));
	/* and its number is free for another device. */
	ASSERT_EQ(0, t_vdevice(self->fd, self->other, self->idev[0], 10, NULL));
	num = 1;
	EXPECT_EQ(0, t_invalidate(self->fd, self->other, TYPE, &request,
				  sizeof(request), &num));
	EXPECT_EQ(0xe, full(self->fd, self->idev[0]));
}

TEST_F(viommu_use, device_that_is_gone)
{
	REQUEST request = { .vdev_id = 10, .cache_id = 0 };
	uint32_t num = 1;

	ASSERT_EQ(0, t_destroy(self->fd, self->stdev[0]));
	EXPECT_EQ(EINVAL, t_invalidate(self->fd, self->viommu, TYPE, &request,
				       sizeof(request), &num));
	EXPECT_EQ(0, num);
}

TEST_F(viommu_use, attach_needs_a_vdevice)
{
	uint32_t hwpt;

	ASSERT_EQ(0, t_nested(self->fd, self->idev[0], self->viommu, 0, 0,
			      &hwpt));
	EXPECT_EQ(ENOENT, t_mock_replace(self->fd, self->stdev[1], hwpt, NULL));
	EXPECT_EQ(0, t_mock_replace(self->fd, self->stdev[0], hwpt, NULL));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, hwpt));
	/* On this vIOMMU */
	ASSERT_EQ(0, t_vdevice(self->fd, self->other, self->idev[1], 10, NULL));
	EXPECT_EQ(ENOENT, t_mock_replace(self->fd, self->stdev[1], hwpt, NULL));
	/* What is attached does not keep the vDEVICE. */
	EXPECT_EQ(0, t_destroy(self->fd, self->vdev));
	EXPECT_EQ(0, t_mock_replace(self->fd, self->stdev[0], self->ioas,
				    NULL));
	EXPECT_EQ(ENOENT, t_mock_replace(self->fd, self->stdev[0], hwpt, NULL));
	EXPECT_EQ(0, t_destroy(self->fd, hwpt));
}

TEST_F(viommu_use, unbound_while_attached)
{
	uint32_t hwpt;

	ASSERT_EQ(0, t_nested(self->fd, self->idev[0], self->viommu, 0, 0,
			      &hwpt));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev[0], hwpt, NULL));
	EXPECT_EQ(0, t_destroy(self->fd, self->stdev[0]));
	EXPECT_EQ(ENOENT, t_destroy(self->fd, self->vdev));
	EXPECT_EQ(0, t_destroy(self->fd, hwpt));
	EXPECT_EQ(0, t_destroy(self->fd, self->viommu));
}

TEST_HARNESS_MAIN
