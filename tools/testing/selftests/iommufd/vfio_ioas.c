// SPDX-License-Identifier: GPL-2.0-only
/* IOMMU_VFIO_IOAS: which address space the container commands of VFIO mean. */
#include "util.h"

FIXTURE(vfio_ioas)
{
	int fd;
	uint32_t ioas;
};

FIXTURE_SETUP(vfio_ioas)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
}

FIXTURE_TEARDOWN(vfio_ioas)
{
	close(self->fd);
}

static int get(int fd, uint32_t *id)
{
	return t_vfio_ioas(fd, IOMMU_VFIO_IOAS_GET, id);
}

static int set(int fd, uint32_t id)
{
	return t_vfio_ioas(fd, IOMMU_VFIO_IOAS_SET, &id);
}

static int clear(int fd)
{
	uint32_t id = 4711;

	return t_vfio_ioas(fd, IOMMU_VFIO_IOAS_CLEAR, &id);
}

TEST_F(vfio_ioas, life)
{
	uint32_t id = 0, second;

	EXPECT_EQ(ENODEV, get(self->fd, &id));
	EXPECT_EQ(0, clear(self->fd));
	EXPECT_EQ(0, set(self->fd, self->ioas));
	EXPECT_EQ(0, get(self->fd, &id));
	EXPECT_EQ(self->ioas, id);

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &second));
	EXPECT_EQ(0, set(self->fd, second));
	EXPECT_EQ(0, get(self->fd, &id));
	EXPECT_EQ(second, id);
	EXPECT_EQ(0, clear(self->fd));
	EXPECT_EQ(ENODEV, get(self->fd, &id));
	/* CLEAR forgets the address space and does not touch it. */
	EXPECT_EQ(1, t_alignment(self->fd, second));
}

TEST_F(vfio_ioas, errors)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_VFIO_IOAS_CLEAR,
		.__reserved = 1,
	};
	uint32_t id = self->ioas;

	ASSERT_EQ(0, set(self->fd, self->ioas));
	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_VFIO_IOAS, &cmd));
	EXPECT_EQ(EOPNOTSUPP, t_vfio_ioas(self->fd, 3, &id));
	EXPECT_EQ(EOPNOTSUPP, t_vfio_ioas(self->fd, UINT16_MAX, &id));
	EXPECT_EQ(ENOENT, set(self->fd, 0));
	EXPECT_EQ(ENOENT, set(self->fd, self->ioas + 1));
	EXPECT_EQ(ENOENT, set(self->fd, UINT32_MAX));
	/* None of them changed anything. */
	id = 0;
	EXPECT_EQ(0, get(self->fd, &id));
	EXPECT_EQ(self->ioas, id);

	cmd.__reserved = 0;
	cmd.op = IOMMU_VFIO_IOAS_GET;
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_VFIO_IOAS,
				 t_readonly(&cmd, sizeof(cmd))));
}

TEST_F(vfio_ioas, other_types)
{
	uint32_t stdev, hwpt, idev;

	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, &hwpt, &idev));
	EXPECT_EQ(ENOENT, set(self->fd, stdev));
	EXPECT_EQ(ENOENT, set(self->fd, hwpt));
	EXPECT_EQ(ENOENT, set(self->fd, idev));
	/* One with a device can be chosen. */
	EXPECT_EQ(0, set(self->fd, self->ioas));
}

TEST_F(vfio_ioas, set_and_clear_write_nothing)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.ioas_id = self->ioas,
		.op = IOMMU_VFIO_IOAS_SET,
	};

	EXPECT_EQ(0, t_call(self->fd, IOMMU_VFIO_IOAS,
			    t_readonly(&cmd, sizeof(cmd))));
	cmd.op = IOMMU_VFIO_IOAS_CLEAR;
	EXPECT_EQ(0, t_call(self->fd, IOMMU_VFIO_IOAS,
			    t_readonly(&cmd, sizeof(cmd))));
}

TEST_F(vfio_ioas, destroying_clears)
{
	uint32_t id = 0, again;

	ASSERT_EQ(0, set(self->fd, self->ioas));
	/* The setting holds nothing, */
	ASSERT_EQ(0, t_destroy(self->fd, self->ioas));
	EXPECT_EQ(ENODEV, get(self->fd, &id));
	/* and the next owner of the number does not inherit it. */
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &again));
	EXPECT_EQ(self->ioas, again);
	EXPECT_EQ(ENODEV, get(self->fd, &id));
}

TEST_F(vfio_ioas, destroying_another_does_not)
{
	uint32_t id = 0, other;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &other));
	ASSERT_EQ(0, set(self->fd, self->ioas));
	ASSERT_EQ(0, t_destroy(self->fd, other));
	EXPECT_EQ(0, get(self->fd, &id));
	EXPECT_EQ(self->ioas, id);
}

TEST_F(vfio_ioas, a_refused_destroy_does_not)
{
	uint32_t id = 0;

	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, NULL, NULL, NULL));
	ASSERT_EQ(0, set(self->fd, self->ioas));
	ASSERT_EQ(EBUSY, t_destroy(self->fd, self->ioas));
	EXPECT_EQ(0, get(self->fd, &id));
	EXPECT_EQ(self->ioas, id);
}

TEST_F(vfio_ioas, each_file_has_its_own)
{
	uint32_t id = 0;
	int fd;

	fd = t_open();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, set(self->fd, self->ioas));
	EXPECT_EQ(ENODEV, get(fd, &id));
	EXPECT_EQ(ENOENT, set(fd, self->ioas));
	close(fd);
	EXPECT_EQ(0, get(self->fd, &id));
}

TEST_HARNESS_MAIN
