// SPDX-License-Identifier: GPL-2.0-only
/*
 * HWPT_INVALIDATE: which arrays are accepted, what the requests of the mock's
 * nested page tables do, and how many of them are said to be done.
 */
#include "pt.h"
#include "slow.h"

#define TYPE IOMMU_HWPT_INVALIDATE_DATA_SELFTEST
#define WRONG_TYPE IOMMU_HWPT_INVALIDATE_DATA_SELFTEST_INVALID
#define ALL IOMMU_TEST_INVALIDATE_FLAG_ALL
#define WORDS MOCK_NESTED_DOMAIN_IOTLB_NUM
#define FULL IOMMU_TEST_IOTLB_DEFAULT
#define ENTRIES_MAX 524288
#define REQUEST_LEN sizeof(struct iommu_hwpt_invalidate_selftest)

FIXTURE(invalidate)
{
	int fd;
	uint32_t ioas, stdev, auto_hwpt, idev, parent, hwpt, other;
};

FIXTURE_SETUP(invalidate)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev,
			    &self->auto_hwpt, &self->idev));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT, &self->parent));
	ASSERT_EQ(0, t_nested(self->fd, self->idev, self->parent, 0, 0,
			      &self->hwpt));
	/* Nobody's requests are for this one. */
	ASSERT_EQ(0, t_nested(self->fd, self->idev, self->parent, 0, 0,
			      &self->other));
}

FIXTURE_TEARDOWN(invalidate)
{
	uint32_t i;

	for (i = 0; i < WORDS; i++)
		EXPECT_EQ(0, t_check_iotlb(self->fd, self->other, i, FULL));
	close(self->fd);
}

/* The answer is @err, and @done requests were carried out. */
#define EXPECT_SAYS(err, done, id, type, requests, len, num)             \
	do {                                                             \
		uint32_t num_ = num;                                     \
									 \
		EXPECT_EQ(err, t_invalidate(self->fd, id, type,          \
					    requests, len, &num_));      \
		EXPECT_EQ(done, num_);                                   \
	} while (0)

/* Bit n: word n is not cleared */
#define EXPECT_WORDS(full)                                               \
	do {                                                             \
		uint32_t i_;                                             \
									 \
		for (i_ = 0; i_ < WORDS; i_++)                           \
			EXPECT_EQ(0, t_check_iotlb(self->fd, self->hwpt, \
						   i_, (full) & 1 << i_ ? \
						   FULL : 0))            \
				TH_LOG("word %u", i_);                   \
	} while (0)

TEST_F(invalidate, errors_in_order)
{
	struct iommu_hwpt_invalidate_selftest request = {};
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.data_type = WRONG_TYPE,
		.entry_num = ENTRIES_MAX + 1,
		.__reserved = 1,
	};

#define SAYS(err)                                                        \
	do {                                                             \
		uint32_t num_ = cmd.entry_num;                           \
									 \
		EXPECT_EQ(err, t_call(self->fd, IOMMU_HWPT_INVALIDATE,   \
				      &cmd));                            \
		/* Also if nothing was looked at */                      \
		EXPECT_EQ(0, cmd.entry_num);                             \
		cmd.entry_num = num_;                                    \
	} while (0)

	SAYS(EOPNOTSUPP);
	cmd.__reserved = 1U << 31;
	SAYS(EOPNOTSUPP);
	cmd.__reserved = 0;
	/* Any of four things is wrong with the array ... */
	SAYS(EINVAL);
	cmd.data_uptr = (uintptr_t)&request;
	SAYS(EINVAL);
	cmd.entry_len = T_PAGE + 1;
	SAYS(EINVAL);
	cmd.entry_num = ENTRIES_MAX;
	SAYS(EINVAL);
	cmd.entry_len = 0;
	SAYS(EINVAL);
	/* ... and with the largest that may be it is the object. */
	cmd.entry_len = T_PAGE;
	SAYS(ENOENT);
	cmd.data_uptr = 0;
	SAYS(EINVAL);
	cmd.data_uptr = (uintptr_t)&request;
	cmd.entry_num = ENTRIES_MAX + 1;
	SAYS(EINVAL);
	cmd.entry_num = UINT32_MAX;
	SAYS(EINVAL);
	cmd.entry_num = ENTRIES_MAX;
	cmd.entry_len = UINT32_MAX;
	SAYS(EINVAL);
	cmd.entry_len = 1;
	SAYS(ENOENT);
	cmd.hwpt_id = UINT32_MAX;
	SAYS(ENOENT);
	/* Without requests none of it is looked at. */
	cmd.entry_num = 0;
	cmd.entry_len = UINT32_MAX;
	cmd.data_uptr = 0;
	SAYS(ENOENT);
	cmd.hwpt_id = self->hwpt;
	SAYS(EINVAL); /* type */
	cmd.data_type = TYPE;
	SAYS(0);
#undef SAYS
	EXPECT_WORDS(0xf);
}

TEST_F(invalidate, objects_without)
{
	uint32_t ids[] = {
		self->ioas, self->parent, self->auto_hwpt, self->idev,
		self->stdev,
	};
	struct iommu_hwpt_invalidate_selftest request = { .flags = ALL };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		EXPECT_SAYS(EINVAL, 0, ids[i], TYPE, &request, sizeof(request),
			    1);
		EXPECT_SAYS(EINVAL, 0, ids[i], TYPE, NULL, 0, 0);
	}
	EXPECT_WORDS(0xf);
}

TEST_F(invalidate, question_about_the_type)
{
	EXPECT_SAYS(0, 0, self->hwpt, TYPE, NULL, 0, 0);
	EXPECT_SAYS(EINVAL, 0, self->hwpt, WRONG_TYPE, NULL, 0, 0);
	EXPECT_SAYS(EINVAL, 0, self->hwpt, IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
		    NULL, 0, 0);
	EXPECT_SAYS(EINVAL, 0, self->hwpt,
		    IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3, NULL, 0, 0);
	/* An array that can't be read does not matter. */
	EXPECT_SAYS(0, 0, self->hwpt, TYPE, (void *)8, 3, 0);
	EXPECT_WORDS(0xf);
}

TEST_F(invalidate, one_word_each)
{
	unsigned int left = 0xf;
	struct iommu_hwpt_invalidate_selftest request = {};
	uint32_t i;

	for (i = 0; i < WORDS; i++) {
		request.iotlb_id = i;
		EXPECT_SAYS(0, 1, self->hwpt, TYPE, &request, sizeof(request),
			    1);
		left &= ~(1 << i);
		EXPECT_WORDS(left);
	}
}

TEST_F(invalidate, several_at_once)
{
	struct iommu_hwpt_invalidate_selftest requests[] = {
		{ .iotlb_id = 3 }, { .iotlb_id = 1 }, { .iotlb_id = 3 },
	};

	EXPECT_SAYS(0, 3, self->hwpt, TYPE, requests, sizeof(*requests), 3);
	EXPECT_WORDS(0x5);
}

TEST_F(invalidate, all_words)
{
	struct iommu_hwpt_invalidate_selftest request = { .flags = ALL, .iotlb_id = 2 };

	EXPECT_SAYS(0, 1, self->hwpt, TYPE, &request, sizeof(request), 1);
	EXPECT_WORDS(0);
}

TEST_F(invalidate, wrong_type)
{
	struct iommu_hwpt_invalidate_selftest request = { .flags = ALL };
	uint32_t types[] = {
		WRONG_TYPE, IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
		IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3, UINT32_MAX,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		EXPECT_SAYS(EINVAL, 0, self->hwpt, types[i], &request,
			    sizeof(request), 1);
	EXPECT_WORDS(0xf);
}

TEST_F(invalidate, lengths)
{
	char requests[4096] = {};
	uint32_t len;

	/* Whatever is shorter or longer than what the mock knows */
	for (len = 1; len <= 24; len++)
		if (len != REQUEST_LEN)
			EXPECT_SAYS(EINVAL, 0, self->hwpt, TYPE, requests, len,
				    2);
	EXPECT_SAYS(EINVAL, 0, self->hwpt, TYPE, requests, sizeof(requests), 1);
	EXPECT_WORDS(0xf);
}

TEST_F(invalidate, bad_request)
{
	struct iommu_hwpt_invalidate_selftest request = {};
	unsigned int bit;

	for (bit = 1; bit < 32; bit++) {
		request.flags = 1U << bit;
		EXPECT_SAYS(EOPNOTSUPP, 0, self->hwpt, TYPE, &request,
			    sizeof(request), 1);
		/* Flags come before the word ... */
		request.iotlb_id = WORDS;
		EXPECT_SAYS(EOPNOTSUPP, 0, self->hwpt, TYPE, &request,
			    sizeof(request), 1);
		request.iotlb_id = 0;
	}
	/* ... which has to be one also if all are meant. */
	request.flags = ALL;
	request.iotlb_id = WORDS;
	EXPECT_SAYS(EINVAL, 0, self->hwpt, TYPE, &request, sizeof(request), 1);
	request.iotlb_id = UINT32_MAX;
	EXPECT_SAYS(EINVAL, 0, self->hwpt, TYPE, &request, sizeof(request), 1);
	request.flags = 0;
	EXPECT_SAYS(EINVAL, 0, self->hwpt, TYPE, &request, sizeof(request), 1);
	EXPECT_WORDS(0xf);
}

TEST_F(invalidate, stops_at_the_first_that_fails)
{
	struct iommu_hwpt_invalidate_selftest requests[] = {
		{ .iotlb_id = 0 }, { .iotlb_id = 2 }, { .flags = 2 },
		{ .iotlb_id = 1 },
	};

	EXPECT_SAYS(EOPNOTSUPP, 2, self->hwpt, TYPE, requests,
		    sizeof(*requests), 4);
	EXPECT_WORDS(0xa);
	requests[0].iotlb_id = 1;
	requests[1].iotlb_id = WORDS;
	EXPECT_SAYS(EINVAL, 1, self->hwpt, TYPE, requests, sizeof(*requests),
		    4);
	EXPECT_WORDS(0x8);
	/* What follows the last is none of it. */
	EXPECT_SAYS(0, 1, self->hwpt, TYPE, requests, sizeof(*requests), 1);
	EXPECT_WORDS(0x8);
}

TEST_F(invalidate, unreadable)
{
	char *end = (char *)t_cliff() + T_PAGE;
	struct iommu_hwpt_invalidate_selftest *requests;

	EXPECT_SAYS(EFAULT, 0, self->hwpt, TYPE, (void *)8, REQUEST_LEN,
		    1);
	EXPECT_WORDS(0xf);
	requests = (void *)(end - 2 * sizeof(*requests));
	memset(requests, 0, 2 * sizeof(*requests));
	requests[0].iotlb_id = 3;
	EXPECT_SAYS(EFAULT, 2, self->hwpt, TYPE, requests, sizeof(*requests),
		    3);
	EXPECT_WORDS(0x6);
	/* The second ends where nothing is. */
	requests = (void *)(end - 2 * sizeof(*requests) + 1);
	requests[0].flags = 0;
	requests[0].iotlb_id = 1;
	EXPECT_SAYS(EFAULT, 1, self->hwpt, TYPE, requests, sizeof(*requests),
		    2);
	EXPECT_WORDS(0x4);
}

TEST_F(invalidate, unwritable_answer)
{
	struct iommu_hwpt_invalidate_selftest request = { .iotlb_id = 1 };
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = self->hwpt,
		.data_uptr = (uintptr_t)&request,
		.data_type = TYPE,
		.entry_len = sizeof(request),
		.entry_num = 1,
	};

	/* It is done all the same. */
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_HWPT_INVALIDATE,
				 t_readonly(&cmd, sizeof(cmd))));
	EXPECT_WORDS(0xd);
	/* This counts more than what else is wrong. */
	cmd.__reserved = 1;
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_HWPT_INVALIDATE,
				 t_readonly(&cmd, sizeof(cmd))));
	cmd.__reserved = 0;
	cmd.hwpt_id = 0;
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_HWPT_INVALIDATE,
				 t_readonly(&cmd, sizeof(cmd))));
}

TEST_F(invalidate, only_the_number_is_answered)
{
	struct iommu_hwpt_invalidate_selftest request = {};
	struct {
		struct iommu_hwpt_invalidate cmd;
		uint64_t behind;
	} arg = {
		.cmd = {
			.size = sizeof(arg),
			.hwpt_id = self->hwpt,
			.data_uptr = (uintptr_t)&request,
			.data_type = TYPE,
			.entry_len = sizeof(request),
			.entry_num = 1,
		},
	}, before = arg;

	ASSERT_EQ(0, t_call(self->fd, IOMMU_HWPT_INVALIDATE, &arg));
	EXPECT_EQ(0, memcmp(&arg, &before, sizeof(arg)));
	arg.cmd.data_type = WRONG_TYPE;
	before.cmd.data_type = WRONG_TYPE;
	ASSERT_EQ(EINVAL, t_call(self->fd, IOMMU_HWPT_INVALIDATE, &arg));
	before.cmd.entry_num = 0;
	EXPECT_EQ(0, memcmp(&arg, &before, sizeof(arg)));
}

TEST_F(invalidate, as_many_as_can_be)
{
	size_t length = (ENTRIES_MAX + 1) * REQUEST_LEN;
	struct iommu_hwpt_invalidate_selftest *requests;

	requests = mmap(NULL, length, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, requests);
	requests[ENTRIES_MAX - 1].iotlb_id = 3;
	requests[ENTRIES_MAX].iotlb_id = 1;
	EXPECT_SAYS(EINVAL, 0, self->hwpt, TYPE, requests, sizeof(*requests),
		    ENTRIES_MAX + 1);
	EXPECT_WORDS(0xf);
	EXPECT_SAYS(0, ENTRIES_MAX, self->hwpt, TYPE, requests,
		    sizeof(*requests), ENTRIES_MAX);
	EXPECT_WORDS(0x6);
	munmap(requests, length);
}

/* The same ioctl on a vIOMMU reaches its caches, which are those of devices. */
TEST_F(invalidate, viommu)
{
	struct iommu_viommu_invalidate_selftest requests[] = {
		{ .vdev_id = 0x99, .cache_id = 2 },
		{ .vdev_id = 0x99, .cache_id = 0 },
		{ .vdev_id = 0x98, .cache_id = 1 },
	};
	uint32_t viommu, i;
	int err;

	err = t_viommu(self->fd, self->idev, self->parent,
		       IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0, &viommu);
	if (err == EOPNOTSUPP)
		SKIP(return, "kernel without vIOMMUs");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, t_vdevice(self->fd, viommu, self->idev, 0x99, NULL));
	EXPECT_SAYS(0, 0, viommu, IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST, NULL,
		    0, 0);
	EXPECT_SAYS(EINVAL, 0, viommu,
		    IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST_INVALID, NULL, 0, 0);
	/* The last one names a device that it has not. */
	EXPECT_SAYS(EINVAL, 2, viommu, IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST,
		    requests, sizeof(*requests), 3);
	for (i = 0; i <= MOCK_DEV_CACHE_ID_MAX; i++)
		EXPECT_EQ(0, t_check_cache(self->fd, self->idev, i, i % 2 ?
					   IOMMU_TEST_DEV_CACHE_DEFAULT : 0));
	EXPECT_WORDS(0xf);
	/* The limits of the array are the ioctl's. */
	EXPECT_SAYS(EINVAL, 0, viommu, IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST,
		    NULL, sizeof(*requests), 1);
	EXPECT_SAYS(EINVAL, 0, viommu, IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST,
		    requests, T_PAGE + 1, 1);
	EXPECT_SAYS(EINVAL, 0, viommu, IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST,
		    requests, sizeof(*requests), ENTRIES_MAX + 1);
}

/* Requests for a nested page table that comes and goes */

static uint32_t race_hwpt;

static void *request_all(void *arg)
{
	struct t_job *job = arg;
	struct iommu_hwpt_invalidate_selftest requests[16] = {
		{ .flags = ALL },
	};
	uint32_t num;
	int err;

	while (!t_stopped(job)) {
		num = ARRAY_SIZE(requests);
		err = t_invalidate(job->fd,
				   __atomic_load_n(&race_hwpt, __ATOMIC_RELAXED), TYPE,
				   requests, sizeof(*requests), &num);
		/* Another object may have got the number: EINVAL. */
		if (t_expected(job, "invalidate", err) &&
		    num != (err ? 0 : ARRAY_SIZE(requests)))
			t_wrong(job, "number", num);
	}
	return NULL;
}

static void *come_and_go(void *arg)
{
	struct t_job *job = arg;
	uint32_t hwpt;
	int err;

	while (!t_stopped(job)) {
		err = t_nested(job->fd, job->idev, job->hwpt, 0, 0, &hwpt);
		if (err) {
			t_wrong(job, "alloc", err);
			break;
		}
		__atomic_store_n(&race_hwpt, hwpt, __ATOMIC_RELAXED);
		sched_yield();
		/* Requests in progress are waited for. */
		err = t_destroy(job->fd, hwpt);
		if (err)
			t_wrong(job, "destroy", err);
		job->done++;
	}
	return NULL;
}

TEST_F(invalidate, race_with_the_end)
{
	static const t_work_t work[] = {
		request_all, request_all, come_and_go,
	};
	struct t_job jobs[ARRAY_SIZE(work)];
	bool stop = false;
	size_t i;

	race_hwpt = self->hwpt;
	for (i = 0; i < ARRAY_SIZE(work); i++)
		jobs[i] = (struct t_job) {
			.fd = self->fd,
			.idev = self->idev,
			.hwpt = self->parent,
			.stop = &stop,
		};
	t_run(_metadata, work, jobs, ARRAY_SIZE(work));
}

/* One call of each kind, by threads of their own */
struct slow_call {
	int fd, err;
	uint32_t id, num;
	void *requests;
	bool done;
	pthread_t thread;
};

static void *call_invalidate(void *arg)
{
	struct slow_call *c = arg;

	c->err = t_invalidate(c->fd, c->id, TYPE, c->requests, REQUEST_LEN,
			      &c->num);
	__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void *call_destroy(void *arg)
{
	struct slow_call *c = arg;

	c->err = t_destroy(c->fd, c->id);
	__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* The page table ends when the last request that is on its way is done. */
TEST_F(invalidate, slow_requests_and_the_end)
{
	struct slow_call call = {
		.fd = self->fd,
		.id = self->hwpt,
		.num = 1,
	};
	struct slow_call end = call;
	struct slow slow;
	int err;

	err = slow_init(&slow, T_PAGE);
	if (err == SLOW_ABSENT)
		SKIP(return, "kernel without userfaultfd");
	ASSERT_EQ(0, err);
	call.requests = slow.va;
	ASSERT_EQ(0, pthread_create(&call.thread, NULL, call_invalidate,
				    &call));
	ASSERT_TRUE(slow_wanted(&slow));
	ASSERT_EQ(0, pthread_create(&end.thread, NULL, call_destroy, &end));
	usleep(300000);
	EXPECT_FALSE(__atomic_load_n(&end.done, __ATOMIC_ACQUIRE));
	EXPECT_FALSE(__atomic_load_n(&call.done, __ATOMIC_ACQUIRE));
	/* Nobody finds it any more. */
	EXPECT_SAYS(ENOENT, 0, self->hwpt, TYPE, NULL, 0, 0);
	ASSERT_TRUE(slow_come(&slow));
	pthread_join(call.thread, NULL);
	pthread_join(end.thread, NULL);
	EXPECT_EQ(0, call.err);
	EXPECT_EQ(1, call.num);
	EXPECT_EQ(0, end.err);
	close(slow.uffd);
}

TEST_HARNESS_MAIN
