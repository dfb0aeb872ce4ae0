// SPDX-License-Identifier: GPL-2.0-only
/* VIOMMU_ALLOC: what it is refused for, in which order, and who keeps whom. */
#include "pt.h"

#define TYPE IOMMU_VIOMMU_TYPE_SELFTEST

FIXTURE(viommu)
{
	int fd;
	uint32_t ioas, stdev, hwpt, idev, parent;
};

FIXTURE_SETUP(viommu)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev, &self->hwpt,
			    &self->idev));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT,
				  &self->parent));
}

FIXTURE_TEARDOWN(viommu)
{
	close(self->fd);
}

/* The next ID that is given out: what failed must not have used one up. */
static uint32_t next_id(int fd)
{
	uint32_t id = 0;

	if (!t_ioas_alloc(fd, &id))
		t_destroy(fd, id);
	return id;
}

TEST_F(viommu, refusals_in_order)
{
	uint32_t next = next_id(self->fd);
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.flags = 1,
		.data_len = 4,
	};
	const uint32_t no_parents[] = {
		0, next, self->ioas, self->idev, self->stdev,
	};
	size_t i;

	/* Each line mends what the one before was refused for. */
	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_VIOMMU_ALLOC, &cmd));
	cmd.flags = 0;
	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_VIOMMU_ALLOC, &cmd));
	cmd.type = TYPE - 1;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_VIOMMU_ALLOC, &cmd));
	cmd.dev_id = self->stdev;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_VIOMMU_ALLOC, &cmd));
	cmd.dev_id = self->idev;
	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_VIOMMU_ALLOC, &cmd));
	cmd.type = TYPE;
	for (i = 0; i < ARRAY_SIZE(no_parents); i++) {
		cmd.hwpt_id = no_parents[i];
		EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_VIOMMU_ALLOC, &cmd))
			TH_LOG("page table %u", cmd.hwpt_id);
	}
	cmd.hwpt_id = self->hwpt;
	EXPECT_EQ(EINVAL, t_call(self->fd, IOMMU_VIOMMU_ALLOC, &cmd));
	cmd.hwpt_id = self->parent;
	EXPECT_EQ(EINVAL, t_call(self->fd, IOMMU_VIOMMU_ALLOC, &cmd));
	cmd.data_len = sizeof(struct iommu_viommu_selftest) + 8;
	EXPECT_EQ(EINVAL, t_call(self->fd, IOMMU_VIOMMU_ALLOC, &cmd));
	cmd.data_len = sizeof(struct iommu_viommu_selftest);
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_VIOMMU_ALLOC, &cmd));
	EXPECT_EQ(next, next_id(self->fd));
	EXPECT_EQ(0, t_destroy(self->fd, self->parent));
}

/* With all else right, each flag that there might be one day */
TEST_F(viommu, flags)
{
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = TYPE,
		.dev_id = self->idev,
		.hwpt_id = self->parent,
	};
	unsigned int i;

	for (i = 0; i < 32; i++) {
		cmd.flags = 1U << i;
		EXPECT_EQ(EOPNOTSUPP,
			  t_call(self->fd, IOMMU_VIOMMU_ALLOC, &cmd));
	}
	cmd.flags = 0;
	EXPECT_EQ(0, t_call(self->fd, IOMMU_VIOMMU_ALLOC, &cmd));
}

/* With all else right: neither an automatic page table nor a plain one */
TEST_F(viommu, no_nest_parent)
{
	uint32_t plain;

	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0, &plain));
	EXPECT_EQ(EINVAL, t_viommu(self->fd, self->idev, self->hwpt, TYPE, NULL,
				   0, NULL));
	EXPECT_EQ(EINVAL, t_viommu(self->fd, self->idev, plain, TYPE, NULL, 0,
				   NULL));
	EXPECT_EQ(0, t_destroy(self->fd, plain));
}

TEST_F(viommu, without_data)
{
	struct iommu_viommu_alloc cmd = {
		/* A program from before there was data */
		.size = offsetof(struct iommu_viommu_alloc, data_len),
		.type = TYPE,
		.dev_id = self->idev,
		.hwpt_id = self->parent,
	};
	uint32_t id;

	EXPECT_EQ(0, t_call(self->fd, IOMMU_VIOMMU_ALLOC, &cmd));
	EXPECT_LT(0, cmd.out_viommu_id);
	EXPECT_EQ(0, t_destroy(self->fd, cmd.out_viommu_id));
	EXPECT_EQ(ENOENT, t_destroy(self->fd, cmd.out_viommu_id));
	/* With no length the pointer is nobody's business. */
	EXPECT_EQ(0, t_viommu(self->fd, self->idev, self->parent, TYPE,
			      (void *)1, 0, &id));
}

TEST_F(viommu, with_data)
{
	struct iommu_viommu_selftest data = { .in_data = 0x12345678 };
	uint32_t id;

	/* As much as there is room for */
	data.out_mmap_offset = 1;
	data.out_mmap_length = 1;
	ASSERT_EQ(0, t_viommu(self->fd, self->idev, self->parent, TYPE, &data,
			      offsetof(struct iommu_viommu_selftest,
				       out_mmap_offset), &id));
	EXPECT_EQ(0x12345678, data.out_data);
	EXPECT_EQ(1, data.out_mmap_offset);
	EXPECT_EQ(1, data.out_mmap_length);
	EXPECT_EQ(0, t_destroy(self->fd, id));

	ASSERT_EQ(0, t_viommu(self->fd, self->idev, self->parent, TYPE, &data,
			      sizeof(data), &id));
	EXPECT_EQ(0x12345678, data.out_data);
	EXPECT_LE(T_PAGE, data.out_mmap_offset);
	EXPECT_EQ(2 * T_PAGE, data.out_mmap_length);
	EXPECT_EQ(0, t_destroy(self->fd, id));
}

TEST_F(viommu, answer_that_cannot_be_written)
{
	struct iommu_viommu_selftest data = { .in_data = 1 };
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = TYPE,
		.dev_id = self->idev,
		.hwpt_id = self->parent,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
	};
	uint32_t next = next_id(self->fd);
	uint64_t offset;
	void *arg;

	/* Where the next region will be */
	ASSERT_EQ(0, t_call(self->fd, IOMMU_VIOMMU_ALLOC, &cmd));
	offset = data.out_mmap_offset;
	ASSERT_EQ(0, t_destroy(self->fd, cmd.out_viommu_id));

	/* The caller's struct */
	arg = t_readonly(&cmd, sizeof(cmd));
	ASSERT_NE(NULL, arg);
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_VIOMMU_ALLOC, arg));
	EXPECT_EQ(offset, data.out_mmap_offset);
	/* The driver's */
	arg = t_readonly(&data, sizeof(data));
	ASSERT_NE(NULL, arg);
	cmd.data_uptr = (uintptr_t)arg;
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_VIOMMU_ALLOC, &cmd));

	/* Neither left a region behind, an ID, or a user of the page table. */
	cmd.data_uptr = (uintptr_t)&data;
	ASSERT_EQ(0, t_call(self->fd, IOMMU_VIOMMU_ALLOC, &cmd));
	EXPECT_EQ(offset, data.out_mmap_offset);
	EXPECT_EQ(next, cmd.out_viommu_id);
	EXPECT_EQ(0, t_destroy(self->fd, cmd.out_viommu_id));
	EXPECT_EQ(0, t_destroy(self->fd, self->parent));
}

TEST_F(viommu, keeps_its_parent)
{
	uint32_t id[2];

	ASSERT_EQ(0, t_viommu(self->fd, self->idev, self->parent, TYPE, NULL, 0,
			      &id[0]));
	ASSERT_EQ(0, t_viommu(self->fd, self->idev, self->parent, TYPE, NULL, 0,
			      &id[1]));
	EXPECT_NE(id[0], id[1]);
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->parent));
	EXPECT_EQ(0, t_destroy(self->fd, id[0]));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->parent));
	EXPECT_EQ(0, t_destroy(self->fd, id[1]));
	EXPECT_EQ(0, t_destroy(self->fd, self->parent));
}

TEST_F(viommu, outlives_the_device_it_was_made_for)
{
	uint32_t id, stdev, idev;

	ASSERT_EQ(0, t_viommu(self->fd, self->idev, self->parent, TYPE, NULL, 0,
			      &id));
	ASSERT_EQ(0, t_destroy(self->fd, self->stdev));
	ASSERT_EQ(0, t_mock(self->fd, self->parent, &stdev, NULL, &idev));
	EXPECT_EQ(0, t_vdevice(self->fd, id, idev, 1, NULL));
}

TEST_F(viommu, is_no_page_table)
{
	uint32_t id;

	ASSERT_EQ(0, t_viommu(self->fd, self->idev, self->parent, TYPE, NULL, 0,
			      &id));
	EXPECT_EQ(EINVAL, t_mock(self->fd, id, NULL, NULL, NULL));
	EXPECT_EQ(EINVAL, t_mock_replace(self->fd, self->stdev, id, NULL));
	EXPECT_EQ(ENOENT, t_viommu(self->fd, self->idev, id, TYPE, NULL, 0,
				   NULL));
}

TEST_HARNESS_MAIN
