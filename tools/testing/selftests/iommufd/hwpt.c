// SPDX-License-Identifier: GPL-2.0-only
/*
 * HWPT_ALLOC of page tables for an address space, without driver data, and
 * GET_HW_INFO. Attaching devices to page tables is attach.c's.
 */
#include "util.h"

FIXTURE(hwpt)
{
	int fd;
	/* The device is attached here ... */
	uint32_t home, stdev, auto_hwpt, idev;
	/* ... so that this one is free of domains. */
	uint32_t ioas;
	char *buf;
	size_t length;
};

FIXTURE_SETUP(hwpt)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->home));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_mock(self->fd, self->home, &self->stdev,
			    &self->auto_hwpt, &self->idev));
	self->length = 32 * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
}

FIXTURE_TEARDOWN(hwpt)
{
	int fd;

	close(self->fd);
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, self->buf, self->length, 0));
	close(fd);
}

/* The address space shows no trace of a page table. */
#define EXPECT_FREE(ioas)                                                \
	do {                                                             \
		struct iommu_iova_range range_ = {};                     \
		uint32_t num_ = 1;                                       \
		uint64_t align_ = 0;                                     \
									 \
		EXPECT_EQ(0, t_iova_ranges(self->fd, ioas, &range_,      \
					   &num_, &align_));             \
		EXPECT_EQ(0, range_.start);                              \
		EXPECT_EQ(UINT64_MAX, range_.last);                      \
		EXPECT_EQ(1, align_);                                    \
	} while (0)

TEST_F(hwpt, alloc_populates)
{
	struct iommu_iova_range range = {};
	uint32_t hwpt, num = 1;
	uint64_t align = 0;

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + MOCK_PAGE_SIZE,
			      3 * MOCK_PAGE_SIZE, T_BASE + 0x4000000));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0, &hwpt));
	EXPECT_NE(0, hwpt);
	/* No device is attached, and all is there. */
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, T_BASE, self->length,
				 self->buf));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, T_BASE + 0x4000000,
				 3 * MOCK_PAGE_SIZE,
				 self->buf + MOCK_PAGE_SIZE));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, 2 * T_PAGE, 2));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + 2 * T_PAGE,
				  self->length - 2 * T_PAGE, 1));
	ASSERT_EQ(0, t_iova_ranges(self->fd, self->ioas, &range, &num, &align));
	EXPECT_EQ(MOCK_APERTURE_START, range.start);
	EXPECT_EQ(MOCK_APERTURE_LAST, range.last);
	EXPECT_EQ(MOCK_PAGE_SIZE, align);

	ASSERT_EQ(0, t_destroy(self->fd, hwpt));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
	EXPECT_FREE(self->ioas);
}

TEST_F(hwpt, map_reaches_unattached_tables)
{
	uint32_t hwpt[3];
	unsigned int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0,
					  &hwpt[i]));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 1));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, t_check_map(self->fd, hwpt[i], T_BASE,
					 self->length, self->buf));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(EINVAL, t_check_map(self->fd, hwpt[i], T_BASE,
					      MOCK_PAGE_SIZE, self->buf));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_destroy(self->fd, hwpt[1]));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt[2], T_BASE, self->length,
				 self->buf));
	ASSERT_EQ(0, t_destroy(self->fd, hwpt[0]));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 1));
	ASSERT_EQ(0, t_destroy(self->fd, hwpt[2]));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
}

TEST_F(hwpt, errors_in_order)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.__reserved = 1,
		.data_len = 8,
		.pt_id = UINT32_MAX,
		.flags = 1U << 31,
	};
	uint32_t pts[] = { 0, UINT32_MAX, self->idev, self->stdev };
	unsigned int bit;
	size_t i;

	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	cmd.__reserved = 0;
	/* Data without type, then a type without data */
	EXPECT_EQ(EINVAL, t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	cmd.data_len = 0;
	cmd.data_type = IOMMU_HWPT_DATA_VTD_S1;
	EXPECT_EQ(EINVAL, t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	cmd.data_type = IOMMU_HWPT_DATA_NONE;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	cmd.dev_id = self->ioas;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	cmd.dev_id = self->stdev;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	cmd.dev_id = self->auto_hwpt;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	cmd.dev_id = self->idev;
	/* No such ID is EINVAL here, like one of a type that can't be. */
	for (i = 0; i < ARRAY_SIZE(pts); i++) {
		cmd.pt_id = pts[i];
		EXPECT_EQ(EINVAL, t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd))
			TH_LOG("pt_id %u", pts[i]);
	}
	cmd.pt_id = self->ioas;
	for (bit = 4; bit < 32; bit++) {
		cmd.flags = 1U << bit;
		EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	}
	cmd.flags = IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_NEST_PARENT;
	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	EXPECT_FREE(self->ioas);
	/* Nothing holds the address space. */
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
}

TEST_F(hwpt, fault_queue_that_does_not_exist)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_HWPT_FAULT_ID_VALID,
		.dev_id = self->idev,
		.pt_id = self->ioas,
	};
	uint32_t ids[] = { 0, UINT32_MAX, self->ioas, self->idev };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		cmd.fault_id = ids[i];
		EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	}
	EXPECT_FREE(self->ioas);
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
}

TEST_F(hwpt, data_nobody_takes)
{
	uint64_t data[8] = {};
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = self->idev,
		.pt_id = self->ioas,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)data,
	};

	/* The mock knows none of the types of hardware. */
	for (cmd.data_type = 1; cmd.data_type <= 4; cmd.data_type++)
		EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd))
			TH_LOG("type %u", cmd.data_type);
	EXPECT_FREE(self->ioas);
}

TEST_F(hwpt, dirty_tracking_the_device_has_not)
{
	uint32_t idev, hwpt;

	ASSERT_EQ(0, t_mock_flags(self->fd, self->home,
				  MOCK_FLAGS_DEVICE_NO_DIRTY, NULL, NULL,
				  &idev));
	EXPECT_EQ(EOPNOTSUPP, t_hwpt_alloc(self->fd, idev, self->ioas,
					   IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
					   &hwpt));
	EXPECT_EQ(0, t_hwpt_alloc(self->fd, idev, self->ioas, 0, &hwpt));
}

TEST_F(hwpt, every_flag_with_every_other)
{
	uint32_t flags, hwpt = 0, idev;
	bool good;

	ASSERT_EQ(0, t_mock_flags(self->fd, self->home,
				  MOCK_FLAGS_DEVICE_NO_DIRTY, NULL, NULL,
				  &idev));
	for (flags = 0; flags < 16; flags++) {
		/* Where it gets as far as the queue there is none. */
		if (flags & IOMMU_HWPT_FAULT_ID_VALID) {
			int err = flags & IOMMU_HWPT_ALLOC_NEST_PARENT ?
				  EOPNOTSUPP : ENOENT;

			EXPECT_EQ(err, t_hwpt_alloc(self->fd, self->idev,
						    self->ioas, flags, NULL))
				TH_LOG("flags %#x", flags);
			continue;
		}
		EXPECT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas,
					  flags, &hwpt))
			TH_LOG("flags %#x", flags);
		EXPECT_EQ(0, t_destroy(self->fd, hwpt));
		/* A device that can not record writes */
		good = !(flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
		EXPECT_EQ(good ? 0 : EOPNOTSUPP,
			  t_hwpt_alloc(self->fd, idev, self->ioas, flags,
				       &hwpt))
			TH_LOG("flags %#x", flags);
		if (good)
			EXPECT_EQ(0, t_destroy(self->fd, hwpt));
	}
	EXPECT_FREE(self->ioas);
}

TEST_F(hwpt, nested_needs_data)
{
	uint32_t manual;

	EXPECT_EQ(EOPNOTSUPP, t_hwpt_alloc(self->fd, self->idev,
					   self->auto_hwpt, 0, NULL));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0,
				  &manual));
	EXPECT_EQ(EOPNOTSUPP, t_hwpt_alloc(self->fd, self->idev, manual, 0,
					   NULL));
	EXPECT_EQ(EOPNOTSUPP, t_hwpt_alloc(self->fd, self->idev, manual,
					   IOMMU_HWPT_ALLOC_NEST_PARENT, NULL));
	EXPECT_EQ(0, t_destroy(self->fd, manual));
}

TEST_F(hwpt, unwritable_answer)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = self->idev,
		.pt_id = self->ioas,
	};

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_HWPT_ALLOC,
				 t_readonly(&cmd, sizeof(cmd))));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
	EXPECT_FREE(self->ioas);
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
}

TEST_F(hwpt, shortest_struct)
{
	struct iommu_hwpt_alloc cmd = {
		.size = 24,
		.dev_id = self->idev,
		.pt_id = self->ioas,
		/* Behind the end, hence no input */
		.data_type = 77,
		.data_len = 99,
		.fault_id = 11,
		.__reserved2 = 22,
	};

	ASSERT_EQ(0, t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	EXPECT_NE(0, cmd.out_hwpt_id);
	EXPECT_EQ(77, cmd.data_type);
	EXPECT_EQ(99, cmd.data_len);
	EXPECT_EQ(11, cmd.fault_id);
	EXPECT_EQ(22, cmd.__reserved2);
	EXPECT_EQ(0, t_destroy(self->fd, cmd.out_hwpt_id));
}

TEST_F(hwpt, reserved2_is_not_checked)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = self->idev,
		.pt_id = self->ioas,
		.__reserved2 = 22,
	};

	EXPECT_EQ(0, t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd));
}

TEST_F(hwpt, mappings_it_can_not_hold)
{
	static const struct {
		uint64_t iova, length;
		unsigned int offset;
	} cases[] = {
		/* not aligned: address, length, memory */
		{ MOCK_APERTURE_START + 1024, 4096, 0 },
		{ MOCK_APERTURE_START, 1024, 0 },
		{ MOCK_APERTURE_START, 4096, 1024 },
		/* outside: below, across the begin, across the end, far */
		{ 0, 4096, 0 },
		{ MOCK_APERTURE_START - 4096, 4096, 0 },
		{ MOCK_APERTURE_START - 4096, 8192, 0 },
		{ MOCK_APERTURE_LAST + 1 - 4096, 8192, 0 },
		{ MOCK_APERTURE_LAST + 1, 4096, 0 },
		{ 0ULL - 4096, 4096, 0 },
	};
	struct iommu_iova_range allowed = { 0x1000, 0x1fff };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas,
				      self->buf + cases[i].offset,
				      cases[i].length, cases[i].iova));
		EXPECT_EQ(EADDRINUSE, t_hwpt_alloc(self->fd, self->idev,
						   self->ioas, 0, NULL))
			TH_LOG("case %zu", i);
		EXPECT_FREE(self->ioas);
		ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	}
	ASSERT_EQ(0, t_allow_iovas(self->fd, self->ioas, &allowed, 1));
	EXPECT_EQ(EADDRINUSE, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0,
					   NULL));
	EXPECT_FREE(self->ioas);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
}

TEST_F(hwpt, memory_that_can_not_be_pinned)
{
	char *bad = t_cliff();

	ASSERT_NE(NULL, bad);
	/* A good mapping before and one behind are undone. */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 4 * T_PAGE,
			      T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, bad, 2 * T_PAGE,
			      T_BASE + 0x100000));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + 8 * T_PAGE,
			      4 * T_PAGE, T_BASE + 0x200000));
	EXPECT_EQ(EFAULT, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0,
				       NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
	EXPECT_EQ(0, t_check_refs(self->fd, bad, T_PAGE, 0));
	EXPECT_FREE(self->ioas);
	/* Without the bad one it works. */
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE + 0x100000,
			     2 * T_PAGE, NULL));
	EXPECT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, 4 * T_PAGE, 1));
}

TEST_F(hwpt, second_table_needs_no_new_pin)
{
	uint32_t first, second = 0;
	char *buf = t_alloc(4 * T_PAGE);

	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, buf, 4 * T_PAGE, T_BASE));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0, &first));
	ASSERT_EQ(0, munmap(buf, 4 * T_PAGE));
	/* The memory has no address any more, its pages are known. */
	EXPECT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0,
				  &second));
	ASSERT_EQ(0, t_destroy(self->fd, first));
	ASSERT_EQ(0, t_destroy(self->fd, second));
	EXPECT_EQ(EFAULT, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0,
				       NULL));
}

TEST_F(hwpt, hw_info_errors)
{
	struct iommu_test_hw_info info;
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.data_len = sizeof(info),
		.data_uptr = (uintptr_t)&info,
	};
	unsigned int i;

	for (i = 1; i < 32; i++) {
		cmd.flags = 1U << i;
		EXPECT_EQ(EOPNOTSUPP,
			  t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
	}
	cmd.flags = 0;
	for (i = 0; i < 3; i++) {
		cmd.__reserved[i] = 1;
		EXPECT_EQ(EOPNOTSUPP,
			  t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
		cmd.__reserved[i] = 0;
	}
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
	cmd.dev_id = self->ioas;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
	cmd.dev_id = self->auto_hwpt;
	EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));

	cmd.dev_id = self->idev;
	cmd.flags = IOMMU_HW_INFO_FLAG_INPUT_TYPE;
	cmd.in_data_type = IOMMU_HW_INFO_TYPE_INTEL_VTD;
	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
	cmd.in_data_type = UINT32_MAX;
	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
	cmd.flags = 0;
	cmd.data_uptr = 8;
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
	cmd.data_uptr = (uintptr_t)&info;
	cmd.in_data_type = 0;
	cmd.data_len = sizeof(info);
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_GET_HW_INFO,
				 t_readonly(&cmd, sizeof(cmd))));
}

TEST_F(hwpt, hw_info)
{
	uint8_t data[64];
	struct iommu_test_hw_info *info = (void *)data;
	struct iommu_hw_info cmd;
	uint32_t types[] = {
		IOMMU_HW_INFO_TYPE_DEFAULT, IOMMU_HW_INFO_TYPE_SELFTEST,
	};
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		memset(data, 0xee, sizeof(data));
		cmd = (struct iommu_hw_info){
			.size = sizeof(cmd),
			.flags = IOMMU_HW_INFO_FLAG_INPUT_TYPE,
			.dev_id = self->idev,
			.in_data_type = types[i],
			.data_len = sizeof(data),
			.data_uptr = (uintptr_t)data,
		};
		ASSERT_EQ(0, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
		EXPECT_EQ(IOMMU_HW_INFO_TYPE_SELFTEST, cmd.out_data_type);
		EXPECT_EQ(sizeof(*info), cmd.data_len);
		EXPECT_EQ(0, info->flags);
		EXPECT_EQ(IOMMU_HW_INFO_SELFTEST_REGVAL, info->test_reg);
		/* All of the buffer is written. */
		for (j = sizeof(*info); j < sizeof(data); j++)
			ASSERT_EQ(0, data[j]);
		EXPECT_TRUE(cmd.out_capabilities &
			    IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED);
		EXPECT_EQ(0, cmd.out_max_pasid_log2);
	}

	/* A type nobody has is nothing without its flag. */
	cmd.flags = 0;
	cmd.in_data_type = UINT32_MAX;
	cmd.data_len = 4;
	memset(data, 0xee, sizeof(data));
	ASSERT_EQ(0, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
	EXPECT_EQ(sizeof(*info), cmd.data_len);
	EXPECT_EQ(0, info->flags);
	EXPECT_EQ(0xeeeeeeee, info->test_reg);

	/* Only the length is asked for. */
	cmd.data_len = 0;
	cmd.data_uptr = 8;
	ASSERT_EQ(0, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
	EXPECT_EQ(sizeof(*info), cmd.data_len);
	/* What was asked for does not change what there is. */
	EXPECT_EQ(IOMMU_HW_INFO_TYPE_SELFTEST, cmd.out_data_type);
}

TEST_F(hwpt, hw_info_at_the_end_of_memory)
{
	char *end = (char *)t_cliff() + T_PAGE;
	struct iommu_test_hw_info *info;
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_HW_INFO_FLAG_INPUT_TYPE,
		.dev_id = self->idev,
		.in_data_type = IOMMU_HW_INFO_TYPE_SELFTEST,
	};
	uint32_t len;

	/* Just as much as there is room for, down to a byte */
	for (len = 1; len <= 16; len++) {
		memset(end - 24, 0xee, 24);
		cmd.data_len = len;
		cmd.data_uptr = (uintptr_t)end - len;
		ASSERT_EQ(0, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
		EXPECT_EQ(sizeof(*info), cmd.data_len);
		EXPECT_EQ((char)0xee, *(end - len - 1));
		EXPECT_EQ(0, *(end - len));
	}
	/* The description fits, the zeroes behind it don't. */
	cmd.data_len = 17;
	cmd.out_capabilities = 0;
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
	/* On failure nothing is answered. */
	EXPECT_EQ(17, cmd.data_len);
	EXPECT_EQ(0, cmd.out_capabilities);
	cmd.data_len = UINT32_MAX;
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
	/* A type that there is not comes before it. */
	cmd.in_data_type = IOMMU_HW_INFO_TYPE_AMD;
	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
}

TEST_F(hwpt, hw_info_of_devices)
{
	static const struct {
		uint32_t flags, log2;
		uint64_t caps;
	} cases[] = {
		{ 0, 0, IOMMU_HW_CAP_DIRTY_TRACKING },
		{ MOCK_FLAGS_DEVICE_NO_DIRTY, 0, 0 },
		{ MOCK_FLAGS_DEVICE_PASID, MOCK_PASID_WIDTH,
		  IOMMU_HW_CAP_DIRTY_TRACKING },
		{ MOCK_FLAGS_DEVICE_PASID | MOCK_FLAGS_DEVICE_NO_DIRTY,
		  MOCK_PASID_WIDTH, 0 },
	};
	struct iommu_hw_info cmd;
	uint32_t stdev, idev;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT_EQ(0, t_mock_flags(self->fd, self->home, cases[i].flags,
					  &stdev, NULL, &idev));
		/* What is in there before is no input. */
		cmd = (struct iommu_hw_info){
			.size = sizeof(cmd),
			.dev_id = idev,
			.out_max_pasid_log2 = 0xee,
			.out_capabilities = UINT64_MAX,
		};
		ASSERT_EQ(0, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
		EXPECT_EQ(cases[i].log2, cmd.out_max_pasid_log2)
			TH_LOG("case %zu", i);
		/* Execute and privilege are words of PCI. */
		EXPECT_EQ(cases[i].caps | IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED,
			  cmd.out_capabilities)
			TH_LOG("case %zu", i);
		ASSERT_EQ(0, t_destroy(self->fd, stdev));
	}
}

TEST_F(hwpt, hw_info_of_a_short_struct)
{
	struct iommu_hw_info cmd = {
		.size = offsetof(struct iommu_hw_info, out_capabilities),
		.dev_id = self->idev,
		.out_capabilities = 0x1234,
	};

	ASSERT_EQ(0, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
	EXPECT_EQ(IOMMU_HW_INFO_TYPE_SELFTEST, cmd.out_data_type);
	EXPECT_EQ(sizeof(struct iommu_test_hw_info), cmd.data_len);
	/* Behind the end of what the caller has */
	EXPECT_EQ(0x1234, cmd.out_capabilities);
}

TEST_HARNESS_MAIN
