// SPDX-License-Identifier: GPL-2.0-only
/*
 * HWPT_ALLOC of nested page tables: on a parent, which is a page table of an
 * address space made for that, and on a vIOMMU. What invalidation does to them
 * is invalidate.c's.
 */
#include "pt.h"

FIXTURE(nested)
{
	int fd;
	uint32_t home, stdev, auto_hwpt, idev;
	uint32_t ioas, parent;
	char *buf;
	size_t length;
};

FIXTURE_SETUP(nested)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->home));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_mock(self->fd, self->home, &self->stdev,
			    &self->auto_hwpt, &self->idev));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT, &self->parent));
	self->length = 8 * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
}

FIXTURE_TEARDOWN(nested)
{
	int fd;

	close(self->fd);
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, self->buf, self->length, 0));
	close(fd);
}

/* A nested page table of the mock, with data of the test's choice */
static int alloc_data(struct _test_data_nested *self, uint32_t pt,
		      uint32_t type, const void *data, uint32_t len,
		      uint32_t *hwpt)
{
	return t_hwpt_full(self->fd, self->idev, pt, 0, 0, type, (void *)data,
			   len, hwpt);
}

/* The ID that the next object will have */
static uint32_t next_id(int fd)
{
	uint32_t id = 0;

	return t_ioas_alloc(fd, &id) || t_destroy(fd, id) ? 0 : id;
}

/* Whatever failed before, nothing of it holds the parent or an ID. */
#define EXPECT_NOTHING_LEFT(next)                                        \
	do {                                                             \
		EXPECT_EQ(next, next_id(self->fd));                      \
		EXPECT_EQ(0, t_destroy(self->fd, self->parent));         \
		EXPECT_EQ(0, t_destroy(self->fd, self->ioas));           \
	} while (0)

TEST_F(nested, words_begin_as_told)
{
	struct iommu_hwpt_selftest data = { .iotlb = 0x12345678 };
	uint32_t first = 0, second = 0, i;

	ASSERT_EQ(0, t_nested(self->fd, self->idev, self->parent, 0, 0,
			      &first));
	ASSERT_EQ(0, alloc_data(self, self->parent, IOMMU_HWPT_DATA_SELFTEST,
				&data, sizeof(data), &second));
	EXPECT_NE(0, first);
	EXPECT_NE(0, second);
	EXPECT_NE(first, second);
	for (i = 0; i <= MOCK_NESTED_DOMAIN_IOTLB_ID_MAX; i++) {
		EXPECT_EQ(0, t_check_iotlb(self->fd, first, i,
					   IOMMU_TEST_IOTLB_DEFAULT));
		EXPECT_EQ(0, t_check_iotlb(self->fd, second, i, 0x12345678));
		EXPECT_EQ(EINVAL, t_check_iotlb(self->fd, first, i, 0));
	}
	EXPECT_EQ(EINVAL, t_check_iotlb(self->fd, first, i,
					IOMMU_TEST_IOTLB_DEFAULT));
	EXPECT_EQ(EINVAL, t_check_iotlb(self->fd, first, UINT32_MAX,
					IOMMU_TEST_IOTLB_DEFAULT));
	EXPECT_EQ(ENOENT, t_check_iotlb(self->fd, self->parent, 0, 0));
	EXPECT_EQ(ENOENT, t_check_iotlb(self->fd, 0, 0, 0));
}

/* The mock's devices have words, too; a vIOMMU's requests clear them. */
TEST_F(nested, words_of_a_device)
{
	uint32_t i;

	for (i = 0; i <= MOCK_DEV_CACHE_ID_MAX; i++) {
		EXPECT_EQ(0, t_check_cache(self->fd, self->idev, i,
					   IOMMU_TEST_DEV_CACHE_DEFAULT));
		EXPECT_EQ(EINVAL, t_check_cache(self->fd, self->idev, i, 0));
	}
	EXPECT_EQ(EINVAL, t_check_cache(self->fd, self->idev, i,
					IOMMU_TEST_DEV_CACHE_DEFAULT));
	EXPECT_EQ(EINVAL, t_check_cache(self->fd, self->idev, UINT32_MAX,
					IOMMU_TEST_DEV_CACHE_DEFAULT));
	EXPECT_EQ(ENOENT, t_check_cache(self->fd, self->stdev, 0,
					IOMMU_TEST_DEV_CACHE_DEFAULT));
	EXPECT_EQ(ENOENT, t_check_cache(self->fd, 0, 0,
					IOMMU_TEST_DEV_CACHE_DEFAULT));
}

TEST_F(nested, is_no_table_of_an_address_space)
{
	struct iommu_iova_range before = {}, after = {};
	uint32_t hwpt, num = 1;
	uint64_t align;

	ASSERT_EQ(0, t_iova_ranges(self->fd, self->ioas, &before, &num,
				   &align));
	ASSERT_EQ(0, t_nested(self->fd, self->idev, self->parent, 0, 0, &hwpt));
	ASSERT_EQ(0, t_iova_ranges(self->fd, self->ioas, &after, &num, &align));
	EXPECT_EQ(before.start, after.start);
	EXPECT_EQ(before.last, after.last);
	/* It has no mappings, and adds no pins. */
	EXPECT_EQ(ENOENT, t_check_map(self->fd, hwpt, T_BASE, self->length,
				      self->buf));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 1));
	EXPECT_EQ(0, t_check_map(self->fd, self->parent, T_BASE, self->length,
				 self->buf));
}

TEST_F(nested, who_holds_whom)
{
	uint32_t first, second;

	ASSERT_EQ(0, t_nested(self->fd, self->idev, self->parent, 0, 0,
			      &first));
	ASSERT_EQ(0, t_nested(self->fd, self->idev, self->parent, 0, 0,
			      &second));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->parent));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->ioas));
	ASSERT_EQ(0, t_destroy(self->fd, first));
	EXPECT_EQ(ENOENT, t_destroy(self->fd, first));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->parent));
	EXPECT_EQ(0, t_check_iotlb(self->fd, second, 0,
				   IOMMU_TEST_IOTLB_DEFAULT));
	ASSERT_EQ(0, t_destroy(self->fd, second));
	ASSERT_EQ(0, t_destroy(self->fd, self->parent));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
}

TEST_F(nested, outlives_the_device_it_was_made_for)
{
	uint32_t hwpt;

	ASSERT_EQ(0, t_nested(self->fd, self->idev, self->parent, 0, 0, &hwpt));
	ASSERT_EQ(0, t_destroy(self->fd, self->stdev));
	EXPECT_EQ(0, t_check_iotlb(self->fd, hwpt, 3,
				   IOMMU_TEST_IOTLB_DEFAULT));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->parent));
	EXPECT_EQ(0, t_destroy(self->fd, hwpt));
	EXPECT_EQ(0, t_destroy(self->fd, self->parent));
}

TEST_F(nested, end_of_the_context)
{
	unsigned int i;

	/* Objects go in any order but one in use; here users come first. */
	for (i = 0; i < 3; i++) {
		uint32_t hole, hwpt;

		ASSERT_EQ(0, t_ioas_alloc(self->fd, &hole));
		ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas,
					  IOMMU_HWPT_ALLOC_NEST_PARENT, &hwpt));
		ASSERT_EQ(0, t_destroy(self->fd, hole));
		ASSERT_EQ(0, t_nested(self->fd, self->idev, hwpt, 0, 0, &hole));
		EXPECT_LT(hole, hwpt);
	}
}

TEST_F(nested, flags)
{
	uint32_t next = next_id(self->fd), bit, hwpt = 0;

	for (bit = 0; bit < 32; bit++) {
		switch (1U << bit) {
		case IOMMU_HWPT_FAULT_ID_VALID:
			/* Possible, but there is no such queue. */
			EXPECT_EQ(ENOENT, t_nested(self->fd, self->idev,
						   self->parent, 1U << bit, 0,
						   NULL));
			break;
		case IOMMU_HWPT_ALLOC_PASID:
			EXPECT_EQ(0, t_nested(self->fd, self->idev,
					      self->parent, 1U << bit, 0,
					      &hwpt));
			EXPECT_EQ(0, t_destroy(self->fd, hwpt));
			break;
		default:
			EXPECT_EQ(EOPNOTSUPP, t_nested(self->fd, self->idev,
						       self->parent, 1U << bit,
						       0, NULL))
				TH_LOG("bit %u", bit);
		}
	}
	/* One that is possible does not make another so. */
	EXPECT_EQ(EOPNOTSUPP, t_nested(self->fd, self->idev, self->parent,
				       IOMMU_HWPT_ALLOC_PASID |
				       IOMMU_HWPT_ALLOC_NEST_PARENT, 0, NULL));
	EXPECT_EQ(EOPNOTSUPP, t_nested(self->fd, self->idev, self->parent,
				       IOMMU_HWPT_ALLOC_PASID |
				       IOMMU_HWPT_ALLOC_DIRTY_TRACKING, 0,
				       NULL));
	EXPECT_NOTHING_LEFT(next);
}

TEST_F(nested, flags_of_the_parent)
{
	static const uint32_t more[] = {
		0, IOMMU_HWPT_ALLOC_PASID, IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
		IOMMU_HWPT_ALLOC_PASID | IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
	};
	uint32_t table, hwpt = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(more); i++) {
		ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas,
					  IOMMU_HWPT_ALLOC_NEST_PARENT |
					  more[i], &table));
		EXPECT_EQ(0, t_nested(self->fd, self->idev, table, 0, 0,
				      &hwpt));
		EXPECT_EQ(0, t_destroy(self->fd, hwpt));
		EXPECT_EQ(0, t_destroy(self->fd, table));
		/* The same without the one that counts */
		ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas,
					  more[i], &table));
		EXPECT_EQ(EINVAL, t_nested(self->fd, self->idev, table, 0, 0,
					   NULL));
		EXPECT_EQ(0, t_destroy(self->fd, table));
	}
}

TEST_F(nested, errors_in_order)
{
	struct iommu_hwpt_selftest data = {};
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_HWPT_ALLOC_NEST_PARENT |
			 IOMMU_HWPT_FAULT_ID_VALID,
		.__reserved = 1,
		.data_len = sizeof(data),
		.data_uptr = 8,
		.fault_id = UINT32_MAX,
	};
	struct iommu_hwpt_alloc *arg;
	uint32_t next, plain, nested;

	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0, &plain));
	ASSERT_EQ(0, t_nested(self->fd, self->idev, self->parent, 0, 0,
			      &nested));
	next = next_id(self->fd);
	cmd.pt_id = nested;
	arg = t_readonly(&cmd, sizeof(cmd));
	ASSERT_NE(NULL, arg);
	/* All that can be wrong is: each time the first of it is put right. */
#define SAYS(err)                                                        \
	do {                                                             \
		ASSERT_EQ(0, mprotect(arg, T_PAGE,                       \
				      PROT_READ | PROT_WRITE));          \
		*arg = cmd;                                              \
		ASSERT_EQ(0, mprotect(arg, T_PAGE, PROT_READ));          \
		EXPECT_EQ(err, t_call(self->fd, IOMMU_HWPT_ALLOC, arg)); \
	} while (0)

	SAYS(EOPNOTSUPP);
	cmd.__reserved = 0;
	SAYS(EINVAL); /* data without type */
	cmd.data_type = 1;
	SAYS(ENOENT); /* no device */
	cmd.dev_id = self->idev;
	SAYS(EINVAL); /* nothing to nest on: a nested one */
	cmd.pt_id = 0;
	SAYS(EINVAL); /* nor one that does not exist */
	cmd.pt_id = plain;
	SAYS(EOPNOTSUPP); /* flags */
	cmd.flags = IOMMU_HWPT_FAULT_ID_VALID;
	SAYS(EINVAL); /* not made for it */
	cmd.pt_id = self->auto_hwpt;
	SAYS(EINVAL); /* nor is an automatic one */
	cmd.pt_id = self->parent;
	SAYS(EOPNOTSUPP); /* the mock does not know the type */
	cmd.data_type = IOMMU_HWPT_DATA_SELFTEST;
	SAYS(EFAULT); /* can't be read */
	cmd.data_uptr = (uintptr_t)&data;
	SAYS(ENOENT); /* no fault queue */
	cmd.flags = 0;
	SAYS(EFAULT); /* can't be answered */
#undef SAYS
	EXPECT_EQ(0, t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	EXPECT_EQ(next, cmd.out_hwpt_id);
	EXPECT_EQ(0, t_destroy(self->fd, cmd.out_hwpt_id));
	EXPECT_EQ(0, t_destroy(self->fd, nested));
	EXPECT_EQ(0, t_destroy(self->fd, plain));
	EXPECT_NOTHING_LEFT(plain);
}

TEST_F(nested, no_data)
{
	uint32_t next = next_id(self->fd);
	struct iommu_hwpt_selftest data = {};

	EXPECT_EQ(EOPNOTSUPP, t_hwpt_alloc(self->fd, self->idev, self->parent,
					   0, NULL));
	/* Neither does it matter whose table it is. */
	EXPECT_EQ(EOPNOTSUPP, t_hwpt_alloc(self->fd, self->idev,
					   self->auto_hwpt, 0, NULL));
	EXPECT_EQ(EINVAL, alloc_data(self, self->parent,
				     IOMMU_HWPT_DATA_SELFTEST, &data, 0, NULL));
	EXPECT_EQ(EINVAL, alloc_data(self, self->parent, IOMMU_HWPT_DATA_NONE,
				     &data, sizeof(data), NULL));
	EXPECT_NOTHING_LEFT(next);
}

TEST_F(nested, data_types)
{
	uint32_t next = next_id(self->fd), type;
	uint8_t data[32] = {};

	/* Lengths that would be right for the hardware that has them */
	for (type = 1; type <= 4; type++)
		EXPECT_EQ(EOPNOTSUPP, alloc_data(self, self->parent, type, data,
						 type == 1 ? 24 :
						 type == 2 ? 16 : 32, NULL))
			TH_LOG("type %u", type);
	EXPECT_EQ(EOPNOTSUPP, alloc_data(self, self->parent, UINT32_MAX, data,
					 8, NULL));
	EXPECT_EQ(EOPNOTSUPP, alloc_data(self, self->parent,
					 IOMMU_HWPT_DATA_SELFTEST + 1, data, 8,
					 NULL));
	EXPECT_NOTHING_LEFT(next);
}

TEST_F(nested, data_lengths)
{
	uint32_t next = next_id(self->fd), len, i, hwpt = 0;
	char *data = (char *)t_cliff() + T_PAGE;
	const uint32_t word = 0xdeadc0de;

	for (len = 1; len <= 12; len++) {
		/* It ends where memory ends. */
		memset(data - len, 0, len);
		memcpy(data - len, &word, len < 4 ? len : 4);
		if (len < 4 || len > 8) {
			EXPECT_EQ(EINVAL, alloc_data(self, self->parent,
						     IOMMU_HWPT_DATA_SELFTEST,
						     data - len, len, NULL))
				TH_LOG("length %u", len);
			continue;
		}
		EXPECT_EQ(0, alloc_data(self, self->parent,
					IOMMU_HWPT_DATA_SELFTEST, data - len,
					len, &hwpt))
			TH_LOG("length %u", len);
		for (i = 0; i <= MOCK_NESTED_DOMAIN_IOTLB_ID_MAX; i++)
			EXPECT_EQ(0, t_check_iotlb(self->fd, hwpt, i, word));
		EXPECT_EQ(0, t_destroy(self->fd, hwpt));
		/* One byte of it is behind the end. */
		EXPECT_EQ(EFAULT, alloc_data(self, self->parent,
					     IOMMU_HWPT_DATA_SELFTEST,
					     data - len + 1, len, NULL))
			TH_LOG("length %u", len);
	}
	EXPECT_EQ(EINVAL, alloc_data(self, self->parent,
				     IOMMU_HWPT_DATA_SELFTEST, data - 8,
				     UINT32_MAX, NULL));
	EXPECT_EQ(EFAULT, alloc_data(self, self->parent,
				     IOMMU_HWPT_DATA_SELFTEST, NULL, 8, NULL));
	EXPECT_NOTHING_LEFT(next);
}

TEST_F(nested, unwritable_answer)
{
	struct iommu_hwpt_selftest data = {};
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = self->idev,
		.pt_id = self->parent,
		.data_type = IOMMU_HWPT_DATA_SELFTEST,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
	};
	uint32_t next = next_id(self->fd);

	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_HWPT_ALLOC,
				 t_readonly(&cmd, sizeof(cmd))));
	EXPECT_NOTHING_LEFT(next);
}

/*
 * Fault queues. What arrives in them is fault.c's; here it is who holds them.
 */

TEST_F(nested, fault_queue_is_held)
{
	static const uint32_t flags = IOMMU_HWPT_FAULT_ID_VALID;
	uint32_t fault, nested, paging;
	int queue, err;

	err = t_fault_alloc(self->fd, &fault, &queue);
	if (err == EOPNOTSUPP)
		SKIP(return, "kernel without fault queues");
	ASSERT_EQ(0, err);
	/* By its descriptor, to begin with */
	EXPECT_EQ(EBUSY, t_destroy(self->fd, fault));
	ASSERT_EQ(0, t_nested(self->fd, self->idev, self->parent, flags, fault,
			      &nested));
	ASSERT_EQ(0, t_hwpt_full(self->fd, self->idev, self->ioas, flags, fault,
				 IOMMU_HWPT_DATA_NONE, NULL, 0, &paging));
	close(queue);
	EXPECT_EQ(EBUSY, t_destroy(self->fd, fault));
	ASSERT_EQ(0, t_destroy(self->fd, nested));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, fault));
	ASSERT_EQ(0, t_destroy(self->fd, paging));
	EXPECT_EQ(0, t_destroy(self->fd, fault));
}

TEST_F(nested, fault_queue_and_failures)
{
	static const uint32_t flags = IOMMU_HWPT_FAULT_ID_VALID;
	struct iommu_hwpt_selftest data = {};
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dev_id = self->idev,
		.pt_id = self->parent,
		.data_type = IOMMU_HWPT_DATA_SELFTEST,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
	};
	uint32_t fault, hwpt;
	int queue, err;

	err = t_fault_alloc(self->fd, &fault, &queue);
	if (err == EOPNOTSUPP)
		SKIP(return, "kernel without fault queues");
	ASSERT_EQ(0, err);
	close(queue);
	/* Others are no queues, and parents have none. */
	EXPECT_EQ(ENOENT, t_nested(self->fd, self->idev, self->parent, flags,
				   self->idev, NULL));
	EXPECT_EQ(EOPNOTSUPP, t_hwpt_full(self->fd, self->idev, self->ioas,
					  flags | IOMMU_HWPT_ALLOC_NEST_PARENT,
					  fault, IOMMU_HWPT_DATA_NONE, NULL, 0,
					  NULL));
	/* Without the flag the number means nothing. */
	ASSERT_EQ(0, t_nested(self->fd, self->idev, self->parent, 0, fault,
			      &hwpt));
	EXPECT_EQ(0, t_destroy(self->fd, hwpt));
	/* The last step fails, for both kinds. */
	cmd.fault_id = fault;
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_HWPT_ALLOC,
				 t_readonly(&cmd, sizeof(cmd))));
	cmd.pt_id = self->ioas;
	cmd.data_type = IOMMU_HWPT_DATA_NONE;
	cmd.data_len = 0;
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_HWPT_ALLOC,
				 t_readonly(&cmd, sizeof(cmd))));
	EXPECT_EQ(0, t_destroy(self->fd, fault));
	EXPECT_EQ(0, t_destroy(self->fd, self->parent));
}

/* On a vIOMMU; the vIOMMU itself is viommu.c's. */

FIXTURE(nested_viommu)
{
	int fd;
	uint32_t ioas, stdev, idev, parent, viommu;
};

FIXTURE_SETUP(nested_viommu)
{
	int err;

	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev, NULL,
			    &self->idev));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT, &self->parent));
	err = t_viommu(self->fd, self->idev, self->parent,
		       IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0, &self->viommu);
	if (err == EOPNOTSUPP)
		SKIP(return, "kernel without vIOMMUs");
	ASSERT_EQ(0, err);
}

FIXTURE_TEARDOWN(nested_viommu)
{
	close(self->fd);
}

TEST_F(nested_viommu, who_holds_whom)
{
	uint32_t hwpt, i;

	ASSERT_EQ(0, t_nested(self->fd, self->idev, self->viommu, 0, 0, &hwpt));
	for (i = 0; i <= MOCK_NESTED_DOMAIN_IOTLB_ID_MAX; i++)
		EXPECT_EQ(0, t_check_iotlb(self->fd, hwpt, i,
					   IOMMU_TEST_IOTLB_DEFAULT));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->viommu));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->parent));
	ASSERT_EQ(0, t_destroy(self->fd, hwpt));
	/* It was the vIOMMU alone that held the parent. */
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->parent));
	ASSERT_EQ(0, t_destroy(self->fd, self->viommu));
	EXPECT_EQ(0, t_destroy(self->fd, self->parent));
}

TEST_F(nested_viommu, flags)
{
	uint32_t bit, hwpt = 0;

	for (bit = 0; bit < 32; bit++) {
		int err = t_nested(self->fd, self->idev, self->viommu,
				   1U << bit, 0, &hwpt);

		switch (1U << bit) {
		case IOMMU_HWPT_FAULT_ID_VALID:
			EXPECT_EQ(ENOENT, err);
			break;
		case IOMMU_HWPT_ALLOC_PASID:
			EXPECT_EQ(0, err);
			EXPECT_EQ(0, t_destroy(self->fd, hwpt));
			break;
		default:
			EXPECT_EQ(EOPNOTSUPP, err)
				TH_LOG("bit %u", bit);
		}
	}
	EXPECT_EQ(0, t_destroy(self->fd, self->viommu));
}

TEST_F(nested_viommu, data_rules)
{
	struct iommu_hwpt_selftest data[2] = {};
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = self->idev,
		.pt_id = self->viommu,
		.data_type = IOMMU_HWPT_DATA_SELFTEST,
		.data_len = sizeof(data[0]),
		.data_uptr = (uintptr_t)data,
	};
	uint32_t next = next_id(self->fd), len;

	EXPECT_EQ(EOPNOTSUPP, t_hwpt_alloc(self->fd, self->idev, self->viommu,
					   0, NULL));
	for (len = 1; len <= 12; len++) {
		cmd.data_len = len;
		EXPECT_EQ(len < 4 || len > 8 ? EINVAL : 0,
			  t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd))
			TH_LOG("length %u", len);
		if (len >= 4 && len <= 8)
			EXPECT_EQ(0, t_destroy(self->fd, cmd.out_hwpt_id));
	}
	cmd.data_len = 8;
	cmd.data_type = IOMMU_HWPT_DATA_ARM_SMMUV3;
	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	cmd.data_type = IOMMU_HWPT_DATA_SELFTEST;
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_HWPT_ALLOC,
				 t_readonly(&cmd, sizeof(cmd))));
	cmd.data_uptr = 8;
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	EXPECT_EQ(next, next_id(self->fd));
	EXPECT_EQ(0, t_destroy(self->fd, self->viommu));
}

/* Two make and end nested page tables while the parent comes and goes. */

/* The parent of the moment; a stale number is one of the cases. */
static uint32_t race_parent;

static void *nest(void *arg)
{
	struct t_job *job = arg;
	uint32_t hwpt;
	int err;

	while (!t_stopped(job)) {
		err = t_nested(job->fd, job->idev,
			       __atomic_load_n(&race_parent, __ATOMIC_RELAXED),
			       0, 0, &hwpt);
		if (!t_expected(job, "nest", err) || err)
			continue;
		err = t_check_iotlb(job->fd, hwpt, 1, IOMMU_TEST_IOTLB_DEFAULT);
		if (!err)
			err = t_destroy(job->fd, hwpt);
		if (err)
			t_wrong(job, "end", err);
	}
	return NULL;
}

static void *change_parent(void *arg)
{
	struct t_job *job = arg;
	uint32_t parent;
	int err;

	while (!t_stopped(job)) {
		err = t_hwpt_alloc(job->fd, job->idev, job->ioas,
				   IOMMU_HWPT_ALLOC_NEST_PARENT, &parent);
		if (err) {
			t_wrong(job, "parent", err);
			break;
		}
		__atomic_store_n(&race_parent, parent, __ATOMIC_RELAXED);
		while ((err = t_destroy(job->fd, parent)) == EBUSY)
			job->refused++;
		if (err)
			t_wrong(job, "destroy", err);
		job->done++;
	}
	return NULL;
}

TEST_F(nested, race_with_the_end_of_the_parent)
{
	static const t_work_t work[] = { nest, nest, change_parent };
	struct t_job jobs[ARRAY_SIZE(work)];
	bool stop = false;
	size_t i;

	race_parent = self->parent;
	for (i = 0; i < ARRAY_SIZE(work); i++)
		jobs[i] = (struct t_job) {
			.fd = self->fd,
			.idev = self->idev,
			.ioas = self->ioas,
			.stop = &stop,
		};
	t_run(_metadata, work, jobs, ARRAY_SIZE(work));
	EXPECT_EQ(0, t_destroy(self->fd, self->parent));
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
}

TEST_HARNESS_MAIN
