// SPDX-License-Identifier: GPL-2.0-only
/*
 * HW_QUEUE_ALLOC: queues in a guest's memory that hardware reads by itself,
 * and what can no longer be done with that memory.
 */
#include "pt.h"

#define TYPE IOMMU_HW_QUEUE_TYPE_SELFTEST

FIXTURE(hw_queue)
{
	int fd;
	uint32_t ioas, stdev, idev, parent, viommu;
	char *buf;
	size_t length;
	bool stop;
};

FIXTURE_SETUP(hw_queue)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev, NULL,
			    &self->idev));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT,
				  &self->parent));
	ASSERT_EQ(0, t_viommu(self->fd, self->idev, self->parent,
			      IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0,
			      &self->viommu));
	self->length = 16 * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
}

FIXTURE_TEARDOWN(hw_queue)
{
	int fd;

	close(self->fd);
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, self->buf, self->length, 0));
	close(fd);
}

static int map_buf(struct _test_data_hw_queue *self)
{
	return t_map_at(self->fd, self->ioas, self->buf, self->length, T_BASE);
}

TEST_F(hw_queue, refusals_in_order)
{
	struct iommu_hw_queue_alloc cmd = {
		.size = sizeof(cmd),
		.flags = 1,
		.index = 2,
		.nesting_parent_iova = UINT64_MAX,
	};
	int fd = self->fd;

	/* Each line mends what the one before was refused for. */
	EXPECT_EQ(EOPNOTSUPP, t_call(fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
	cmd.flags = 0;
	EXPECT_EQ(EOPNOTSUPP, t_call(fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
	cmd.type = TYPE - 1;
	EXPECT_EQ(EINVAL, t_call(fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
	cmd.length = UINT64_MAX;
	EXPECT_EQ(EOVERFLOW, t_call(fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
	cmd.nesting_parent_iova = 1;
	EXPECT_EQ(ENOENT, t_call(fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
	cmd.viommu_id = self->parent;
	EXPECT_EQ(ENOENT, t_call(fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
	cmd.viommu_id = self->viommu;
	EXPECT_EQ(EOPNOTSUPP, t_call(fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
	cmd.type = TYPE;
	EXPECT_EQ(ERANGE, t_call(fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
	cmd.length = 1ULL << 63;
	EXPECT_EQ(ENOMEM, t_call(fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
	cmd.length = 64;
	EXPECT_EQ(ENOENT, t_call(fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
	ASSERT_EQ(0, map_buf(self));
	EXPECT_EQ(ENOENT, t_call(fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
	cmd.nesting_parent_iova = T_BASE;
	EXPECT_EQ(EINVAL, t_call(fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
	cmd.index = 1;
	EXPECT_EQ(EIO, t_call(fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
	cmd.index = 0;
	EXPECT_EQ(0, t_call(fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
	EXPECT_EQ(EEXIST, t_call(fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
}

/* With all else right, each flag that there might be one day */
TEST_F(hw_queue, flags)
{
	struct iommu_hw_queue_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = self->viommu,
		.type = TYPE,
		.nesting_parent_iova = T_BASE,
		.length = T_PAGE,
	};
	unsigned int i;

	ASSERT_EQ(0, map_buf(self));
	for (i = 0; i < 32; i++) {
		cmd.flags = 1U << i;
		EXPECT_EQ(EOPNOTSUPP,
			  t_call(self->fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
	}
	cmd.flags = 0;
	EXPECT_EQ(0, t_call(self->fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
}

TEST_F(hw_queue, top_of_the_address_space)
{
	/* The last byte there is, and one more */
	EXPECT_EQ(ENOENT, t_hw_queue(self->fd, self->viommu, TYPE, 0,
				     UINT64_MAX, 1, NULL));
	EXPECT_EQ(EOVERFLOW, t_hw_queue(self->fd, self->viommu, TYPE, 0,
					UINT64_MAX, 2, NULL));
	EXPECT_EQ(ENOENT, t_hw_queue(self->fd, self->viommu, TYPE, 0,
				     UINT64_MAX - T_PAGE + 1, T_PAGE, NULL));
	EXPECT_EQ(ERANGE, t_hw_queue(self->fd, self->viommu, TYPE, 0, 0,
				     UINT64_MAX, NULL));
	EXPECT_EQ(ENOMEM, t_hw_queue(self->fd, self->viommu, TYPE, 0, T_PAGE,
				     UINT64_MAX - T_PAGE + 1, NULL));
}

TEST_F(hw_queue, what_it_takes)
{
	uint64_t iova = T_BASE + 32 * T_PAGE;
	uint32_t flags = IOMMU_IOAS_MAP_WRITEABLE | T_FIXED;
	uint32_t id = 0;

	/* Every page of it mapped */
	ASSERT_EQ(0, map_buf(self));
	EXPECT_EQ(ENOENT, t_hw_queue(self->fd, self->viommu, TYPE, 0,
				     T_BASE + 15 * T_PAGE, T_PAGE + 1, NULL));
	EXPECT_EQ(ENOENT, t_hw_queue(self->fd, self->viommu, TYPE, 0,
				     T_BASE - 1, 2, NULL));
	/* for reading */
	ASSERT_EQ(0, t_map(self->fd, self->ioas, self->buf, T_PAGE, &iova,
			   flags));
	EXPECT_EQ(EPERM, t_hw_queue(self->fd, self->viommu, TYPE, 0, iova, 64,
				    NULL));
	/* which is enough, */
	iova += T_PAGE;
	flags = IOMMU_IOAS_MAP_READABLE | T_FIXED;
	ASSERT_EQ(0, t_map(self->fd, self->ioas, self->buf, T_PAGE, &iova,
			   flags));
	EXPECT_EQ(0, t_hw_queue(self->fd, self->viommu, TYPE, 0, iova, 64,
				&id));
	EXPECT_EQ(0, t_destroy(self->fd, id));
	/* and the pages one after the other: here the same one twice. */
	iova += T_PAGE;
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE, iova));
	EXPECT_EQ(EFAULT, t_hw_queue(self->fd, self->viommu, TYPE, 0,
				     iova - 1, 2, NULL));
	/* Nothing of all that stayed locked. */
	EXPECT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(MOCK_PAGE_SIZE, t_alignment(self->fd, self->ioas));
}

TEST_F(hw_queue, any_place_in_a_page)
{
	uint32_t id = 0;

	ASSERT_EQ(0, map_buf(self));
	/* The mock compares where it is told to be with its page table. */
	EXPECT_EQ(0, t_hw_queue(self->fd, self->viommu, TYPE, 0,
				T_BASE + T_PAGE + 123, 7, &id));
	EXPECT_EQ(EBUSY, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(0, t_destroy(self->fd, id));
	EXPECT_EQ(0, t_hw_queue(self->fd, self->viommu, TYPE, 0,
				T_BASE + T_PAGE, T_PAGE, &id));
	EXPECT_EQ(0, t_destroy(self->fd, id));
	EXPECT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
}

TEST_F(hw_queue, many_pages)
{
	uint64_t length;
	uint32_t id;
	char *huge;

	if (!t_reserve_hugetlb(1))
		SKIP(return, "no 2 MiB page");
	huge = mmap(NULL, T_PMD, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	ASSERT_NE(MAP_FAILED, huge);
	memset(huge, 1, T_PMD);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, huge, T_PMD / 2, T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, huge + T_PMD / 2, T_PMD / 2,
			      T_BASE + T_PMD / 2));
	/* Across pages, and across mappings that only happen to be neighbours */
	ASSERT_EQ(0, t_hw_queue(self->fd, self->viommu, TYPE, 0, T_BASE + 64,
				T_PMD - 128, &id));
	EXPECT_EQ(EBUSY, t_unmap(self->fd, self->ioas, T_BASE, T_PMD / 2,
				 NULL));
	EXPECT_EQ(EBUSY, t_unmap(self->fd, self->ioas, T_BASE + T_PMD / 2,
				 T_PMD / 2, NULL));
	EXPECT_EQ(0, t_destroy(self->fd, id));
	EXPECT_EQ(0, t_unmap_all(self->fd, self->ioas, &length));
	EXPECT_EQ(T_PMD, length);
	munmap(huge, T_PMD);
}

TEST_F(hw_queue, memory_cannot_be_unmapped)
{
	uint64_t length;
	uint32_t id[2];
	size_t i;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas,
				      self->buf + i * T_PAGE, T_PAGE,
				      T_BASE + i * T_PAGE));
	ASSERT_EQ(0, t_hw_queue(self->fd, self->viommu, TYPE, 0,
				T_BASE + 2 * T_PAGE, 64, &id[0]));
	ASSERT_EQ(0, t_hw_queue(self->fd, self->viommu, TYPE, 1,
				T_BASE + 2 * T_PAGE + 64, 64, &id[1]));

	/* What lies below goes, as with any other refusal on the way. */
	EXPECT_EQ(EBUSY, t_unmap_all(self->fd, self->ioas, &length));
	EXPECT_EQ(0, t_check_blocked(self->fd, self->parent, T_BASE,
				     2 * T_PAGE));
	EXPECT_EQ(EBUSY, t_unmap(self->fd, self->ioas, T_BASE + 2 * T_PAGE,
				 T_PAGE, NULL));
	/* Also of a range that would cut it */
	EXPECT_EQ(EBUSY, t_unmap(self->fd, self->ioas, T_BASE + 2 * T_PAGE,
				 T_PAGE / 2, NULL));
	EXPECT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE + 3 * T_PAGE, T_PAGE,
			     NULL));
	EXPECT_EQ(0, t_check_map(self->fd, self->parent, T_BASE + 2 * T_PAGE,
				 T_PAGE, self->buf + 2 * T_PAGE));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + 2 * T_PAGE, T_PAGE, 1));

	/* Either queue is enough. */
	EXPECT_EQ(0, t_destroy(self->fd, id[1]));
	EXPECT_EQ(EBUSY, t_unmap_all(self->fd, self->ioas, &length));
	EXPECT_EQ(0, t_destroy(self->fd, id[0]));
	EXPECT_EQ(0, t_unmap_all(self->fd, self->ioas, &length));
	EXPECT_EQ(T_PAGE, length);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
}

TEST_F(hw_queue, accesses_come_and_go)
{
	uint32_t id, item;
	int access;

	ASSERT_EQ(0, map_buf(self));
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, 1, &access));
	ASSERT_EQ(0, t_pin(self->fd, access, T_BASE, T_PAGE, self->buf, 0,
			   &item));
	ASSERT_EQ(0, t_hw_queue(self->fd, self->viommu, TYPE, 0, T_BASE, T_PAGE,
				&id));
	/* The access is not even asked: its pin is still there. */
	EXPECT_EQ(EBUSY, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(0, t_unpin(self->fd, access, item));
	EXPECT_EQ(0, t_destroy(self->fd, id));
	ASSERT_EQ(0, t_pin(self->fd, access, T_BASE, T_PAGE, self->buf, 0,
			   &item));
	/* Now it is. */
	EXPECT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(ENOENT, t_unpin(self->fd, access, item));
	close(access);
}

TEST_F(hw_queue, alignment)
{
	uint64_t half = MOCK_PAGE_SIZE;
	uint32_t id;

	ASSERT_EQ(0, map_buf(self));
	EXPECT_EQ(half, t_alignment(self->fd, self->ioas));
	/* Half a page anywhere is too much. */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, half,
			      T_BASE + 32 * T_PAGE));
	EXPECT_EQ(EADDRINUSE, t_hw_queue(self->fd, self->viommu, TYPE, 0,
					 T_BASE, 64, NULL));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE + 32 * T_PAGE, half,
			     NULL));
	ASSERT_EQ(0, t_hw_queue(self->fd, self->viommu, TYPE, 0, T_BASE, 64,
				&id));
	EXPECT_EQ(T_PAGE, t_alignment(self->fd, self->ioas));
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf, half,
				   T_BASE + 32 * T_PAGE));
	ASSERT_EQ(0, t_destroy(self->fd, id));
	EXPECT_EQ(half, t_alignment(self->fd, self->ioas));
}

TEST_F(hw_queue, device_memory)
{
	uint64_t iova = T_BASE;
	int dmabuf;

	ASSERT_EQ(0, t_dmabuf(self->fd, T_PAGE, O_CLOEXEC | O_RDWR, &dmabuf));
	ASSERT_EQ(0, t_map_file(self->fd, self->ioas, dmabuf, 0, T_PAGE, &iova,
				T_RW | T_FIXED));
	EXPECT_EQ(EINVAL, t_hw_queue(self->fd, self->viommu, TYPE, 0, iova, 64,
				     NULL));
	EXPECT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	close(dmabuf);
}

TEST_F(hw_queue, depends_on_the_one_before)
{
	uint32_t id[2], viommu, other = 0;

	ASSERT_EQ(0, map_buf(self));
	ASSERT_EQ(0, t_hw_queue(self->fd, self->viommu, TYPE, 0, T_BASE, 64,
				&id[0]));
	/* Each vIOMMU has its own. */
	ASSERT_EQ(0, t_viommu(self->fd, self->idev, self->parent,
			      IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0, &viommu));
	EXPECT_EQ(EIO, t_hw_queue(self->fd, viommu, TYPE, 1, T_BASE, 64, NULL));
	EXPECT_EQ(0, t_hw_queue(self->fd, viommu, TYPE, 0, T_BASE, 64, &other));

	ASSERT_EQ(0, t_hw_queue(self->fd, self->viommu, TYPE, 1, T_BASE, 64,
				&id[1]));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, id[0]));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->viommu));
	EXPECT_EQ(0, t_destroy(self->fd, id[1]));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->viommu));
	EXPECT_EQ(0, t_destroy(self->fd, id[0]));
	EXPECT_EQ(0, t_destroy(self->fd, self->viommu));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, viommu));
	EXPECT_EQ(0, t_destroy(self->fd, other));
	EXPECT_EQ(0, t_destroy(self->fd, viommu));
}

TEST_F(hw_queue, answer_that_cannot_be_written)
{
	struct iommu_hw_queue_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = self->viommu,
		.type = TYPE,
		.nesting_parent_iova = T_BASE,
		.length = 64,
	};
	void *arg = t_readonly(&cmd, sizeof(cmd));

	ASSERT_NE(NULL, arg);
	ASSERT_EQ(0, map_buf(self));
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_HW_QUEUE_ALLOC, arg));
	EXPECT_EQ(EIO, t_hw_queue(self->fd, self->viommu, TYPE, 1, T_BASE, 64,
				  NULL));
	EXPECT_EQ(MOCK_PAGE_SIZE, t_alignment(self->fd, self->ioas));
	EXPECT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(0, t_destroy(self->fd, self->viommu));
}

TEST_F(hw_queue, close_with_queues)
{
	uint32_t id[2];

	ASSERT_EQ(0, map_buf(self));
	ASSERT_EQ(0, t_hw_queue(self->fd, self->viommu, TYPE, 0, T_BASE, 64,
				&id[0]));
	ASSERT_EQ(0, t_hw_queue(self->fd, self->viommu, TYPE, 1, T_BASE, 64,
				&id[1]));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 1));
	/* The teardown looks whether anything stays pinned. */
}

/* Queues come and go; the mapping may be gone, or on its way out. */
static void *queues(void *arg)
{
	struct t_job *job = arg;
	uint32_t id;
	int err;

	while (!t_stopped(job)) {
		err = t_hw_queue(job->fd, job->other, TYPE, job->flags,
				 T_BASE, 64, &id);
		/* The first queue is not there, or is about to go. */
		if (job->flags && err == EIO) {
			job->refused++;
			continue;
		}
		if (!t_expected(job, "alloc", err))
			break;
		if (err)
			continue;
		/* Others can only depend on the first. */
		do {
			err = t_destroy(job->fd, id);
		} while (err == EBUSY && !job->flags);
		if (err) {
			t_wrong(job, "destroy", err);
			break;
		}
	}
	return NULL;
}

static void *map_and_unmap(void *arg)
{
	struct t_job *job = arg;
	int err;

	while (!t_stopped(job)) {
		err = t_map_at(job->fd, job->ioas, job->buf, 2 * T_PAGE,
			       T_BASE);
		if (err && err != EEXIST) {
			t_wrong(job, "map", err);
			break;
		}
		err = t_unmap(job->fd, job->ioas, T_BASE, 2 * T_PAGE, NULL);
		if (err == EBUSY) {
			job->refused++;
			continue;
		}
		if (err) {
			t_wrong(job, "unmap", err);
			break;
		}
		job->done++;
	}
	return NULL;
}

TEST_F(hw_queue, race)
{
	static const t_work_t work[] = { queues, queues, map_and_unmap };
	struct t_job jobs[ARRAY_SIZE(work)];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		jobs[i] = (struct t_job) {
			.fd = self->fd,
			.ioas = self->ioas,
			.other = self->viommu,
			.flags = i,
			.buf = self->buf,
			.stop = &self->stop,
		};
	t_run(_metadata, work, jobs, ARRAY_SIZE(work));
	/* Not one lock is left. */
	t_unmap_all(self->fd, self->ioas, NULL);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
}

TEST_HARNESS_MAIN
