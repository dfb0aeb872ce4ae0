// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page fault queues: what devices ask for and how it is answered. The mock
 * counts the groups a device sent and the answers it got, so each test knows
 * whether a group has been answered, and never twice.
 */
#include <poll.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "pt.h"

#define MSG sizeof(struct iommu_hwpt_pgfault)
#define RESP sizeof(struct iommu_hwpt_page_response)

FIXTURE(fault)
{
	int fd, queue;
	uint32_t ioas, idev, stdev, fault;
	/* Without a queue, and with it; the device is on the latter. */
	uint32_t plain, hwpt;
	uint32_t next_grpid;
	bool stop;
};

/* A page table whose faults go to @fault. */
static int fault_hwpt(int fd, uint32_t dev, uint32_t ioas, uint32_t fault,
		      uint32_t *hwpt)
{
	return t_hwpt_full(fd, dev, ioas, IOMMU_HWPT_FAULT_ID_VALID, fault,
			   IOMMU_HWPT_DATA_NONE, NULL, 0, hwpt);
}

FIXTURE_SETUP(fault)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_mock_flags(self->fd, self->ioas, MOCK_FLAGS_DEVICE_PASID,
				  &self->stdev, NULL, &self->idev));
	ASSERT_EQ(0, t_fault_alloc(self->fd, &self->fault, &self->queue));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0,
				  &self->plain));
	ASSERT_EQ(0, fault_hwpt(self->fd, self->idev, self->ioas, self->fault,
				&self->hwpt));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->hwpt, NULL));
	self->next_grpid = 1;
}

FIXTURE_TEARDOWN(fault)
{
	close(self->queue);
	close(self->fd);
}

/* A request that is not the last of its group */
static int partial(int fd, uint32_t dev, uint32_t grpid, uint64_t addr)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_X_TRIGGER_PARTIAL_IOPF,
		.trigger_iopf = {
			.dev_id = dev,
			.grpid = grpid,
			.perm = IOMMU_PGFAULT_PERM_READ,
			.addr = addr,
		},
	};

	return t_test(fd, &cmd);
}

/* A group of @pages requests, at addresses that count up from 0x1000 */
static int group(int fd, uint32_t dev, uint32_t grpid, unsigned int pages)
{
	unsigned int i;
	int err = 0;

	for (i = 1; i < pages && !err; i++)
		err = partial(fd, dev, grpid, i * 0x1000);
	return err ?: t_iopf(fd, dev, 0, grpid);
}

struct counts {
	unsigned int groups, success, invalid, failure;
};

static int count(int fd, uint32_t dev, struct counts *counts)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_X_IOPF_COUNTS,
		.id = dev,
	};
	int err = t_test(fd, &cmd);

	if (!err)
		*counts = (struct counts) {
			.groups = cmd.iopf_counts.out_groups,
			.success = cmd.iopf_counts.out_success,
			.invalid = cmd.iopf_counts.out_invalid,
			.failure = cmd.iopf_counts.out_failure,
		};
	return err;
}

#define EXPECT_COUNTS(dev, groups_, success_, invalid_)                   \
	do {                                                              \
		struct counts counts_ = {};                               \
									  \
		EXPECT_EQ(0, count(self->fd, dev, &counts_));             \
		EXPECT_EQ(groups_, counts_.groups);                       \
		EXPECT_EQ(success_, counts_.success);                     \
		EXPECT_EQ(invalid_, counts_.invalid);                     \
		EXPECT_EQ(0, counts_.failure);                            \
	} while (0)

/* 0, or the errno of answering one group */
static int answer(int queue, uint32_t cookie, uint32_t code)
{
	struct iommu_hwpt_page_response response = {
		.cookie = cookie,
		.code = code,
	};
	ssize_t n = write(queue, &response, RESP);

	return n < 0 ? errno : n == RESP ? 0 : -1;
}

/* poll's answer at once, or -1 */
static int events(int queue)
{
	struct pollfd pfd = { .fd = queue, .events = ~0 };

	return poll(&pfd, 1, 0) < 0 ? -1 : pfd.revents;
}

#define QUIET (POLLOUT)
#define READY (POLLOUT | POLLIN | POLLRDNORM)

TEST_F(fault, alloc_flags)
{
	struct iommu_fault_alloc cmd = { .size = sizeof(cmd) };
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		cmd.flags = 1U << bit;
		EXPECT_EQ(EOPNOTSUPP,
			  t_call(self->fd, IOMMU_FAULT_QUEUE_ALLOC, &cmd));
	}
}

TEST_F(fault, file)
{
	char path[64], name[64] = {};

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->queue);
	ASSERT_LT(0, readlink(path, name, sizeof(name) - 1));
	EXPECT_STREQ("anon_inode:[iommufd-pgfault]", name);
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->queue, F_GETFD));
	EXPECT_EQ(O_RDWR, fcntl(self->queue, F_GETFL) & O_ACCMODE);
	EXPECT_NE(0, self->fault);
}

TEST_F(fault, unwritable_answer_leaves_nothing)
{
	struct iommu_fault_alloc cmd = { .size = sizeof(cmd) };
	uint32_t first, again;
	int fd, next;

	ASSERT_EQ(0, t_fault_alloc(self->fd, &first, &fd));
	close(fd);
	ASSERT_EQ(0, t_destroy(self->fd, first));
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_FAULT_QUEUE_ALLOC,
				 t_readonly(&cmd, sizeof(cmd))));
	/* ID and descriptor are free: both are the lowest there is. */
	ASSERT_EQ(0, t_fault_alloc(self->fd, &again, &next));
	EXPECT_EQ(first, again);
	EXPECT_EQ(fd, next);
	close(next);
	EXPECT_EQ(0, t_destroy(self->fd, again));
}

TEST_F(fault, no_descriptor_left)
{
	struct rlimit old, none = {};
	uint32_t first, id;
	int fd, err;

	ASSERT_EQ(0, t_fault_alloc(self->fd, &first, &fd));
	close(fd);
	ASSERT_EQ(0, t_destroy(self->fd, first));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	none.rlim_cur = fd;
	none.rlim_max = old.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	err = t_fault_alloc(self->fd, &id, &fd);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	EXPECT_EQ(EMFILE, err);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &id));
	EXPECT_EQ(first, id);
}

TEST_F(fault, nothing_to_read)
{
	struct iommu_hwpt_pgfault msg[2];

	EXPECT_EQ(QUIET, events(self->queue));
	EXPECT_EQ(0, read(self->queue, msg, sizeof(msg)));
	EXPECT_EQ(0, read(self->queue, msg, 0));
}

TEST_F(fault, message)
{
	struct iommu_hwpt_pgfault msg[2];

	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, 0x1234));
	EXPECT_EQ(READY, events(self->queue));
	memset(msg, 0xee, sizeof(msg));
	ASSERT_EQ(MSG, read(self->queue, msg, sizeof(msg)));
	EXPECT_EQ(IOMMU_PGFAULT_FLAGS_LAST_PAGE, msg[0].flags);
	EXPECT_EQ(self->idev, msg[0].dev_id);
	EXPECT_EQ(0, msg[0].pasid);
	EXPECT_EQ(0x1234, msg[0].grpid);
	EXPECT_EQ(IOMMU_PGFAULT_PERM_READ | IOMMU_PGFAULT_PERM_WRITE,
		  msg[0].perm);
	EXPECT_EQ(0, msg[0].__reserved);
	EXPECT_EQ(0xdeadbeaf, msg[0].addr);
	EXPECT_EQ(0, msg[0].length);
	EXPECT_EQ(1, msg[0].cookie);
	EXPECT_EQ(0xeeeeeeee, msg[1].flags);

	EXPECT_EQ(QUIET, events(self->queue));
	EXPECT_EQ(0, read(self->queue, msg, sizeof(msg)));
	EXPECT_COUNTS(self->idev, 1, 0, 0);
	EXPECT_EQ(0, answer(self->queue, 1, IOMMUFD_PAGE_RESP_SUCCESS));
	EXPECT_COUNTS(self->idev, 1, 1, 0);
	EXPECT_EQ(EINVAL, answer(self->queue, 1, IOMMUFD_PAGE_RESP_SUCCESS));
	EXPECT_COUNTS(self->idev, 1, 1, 0);
}

TEST_F(fault, sizes_and_positions)
{
	struct iommu_hwpt_page_response resp[2] = {};
	struct iommu_hwpt_pgfault msg[2];
	size_t size;

	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, 1));
	for (size = 1; size < 2 * MSG; size++) {
		if (size == MSG)
			continue;
		ASSERT_EQ(-1, read(self->queue, msg, size));
		ASSERT_EQ(ESPIPE, errno);
	}
	for (size = 1; size < 2 * RESP; size++) {
		if (size == RESP)
			continue;
		ASSERT_EQ(-1, write(self->queue, resp, size));
		ASSERT_EQ(ESPIPE, errno);
	}
	/* No room, as opposed to no group */
	EXPECT_EQ(-1, read(self->queue, msg, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, write(self->queue, resp, 0));
	EXPECT_EQ(-1, pread(self->queue, msg, MSG, 0));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, pwrite(self->queue, resp, RESP, 0));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, lseek(self->queue, 0, SEEK_SET));
	EXPECT_EQ(ESPIPE, errno);
	/* None of that has taken anything. */
	EXPECT_EQ(MSG, read(self->queue, msg, MSG));
	EXPECT_EQ(1, msg[0].cookie);
}

/* More than a queue keeps on its stack, and less */
TEST_F(fault, groups_of_several_pages)
{
	static const unsigned int sizes[] = { 1, 2, 3, 4, 16, 300 };
	struct iommu_hwpt_pgfault *msg = calloc(301, MSG);
	unsigned int i, j;

	ASSERT_NE(NULL, msg);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (j = 1; j < sizes[i]; j++)
			ASSERT_EQ(0, partial(self->fd, self->idev, i, j));
		/* Only the last makes it a group. */
		EXPECT_EQ(QUIET, events(self->queue));
		ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, i));
		EXPECT_EQ(READY, events(self->queue));
		EXPECT_EQ(-1, read(self->queue, msg, (sizes[i] - 1) * MSG));
		EXPECT_EQ(EINVAL, errno);
		ASSERT_EQ(sizes[i] * MSG, read(self->queue, msg, 301 * MSG));
		for (j = 0; j < sizes[i]; j++) {
			ASSERT_EQ(i, msg[j].grpid);
			ASSERT_EQ(i + 1, msg[j].cookie);
			ASSERT_EQ(self->idev, msg[j].dev_id);
			ASSERT_EQ(j + 1 == sizes[i] ?
				  IOMMU_PGFAULT_FLAGS_LAST_PAGE : 0,
				  msg[j].flags);
			if (j + 1 < sizes[i])
				ASSERT_EQ(j + 1, msg[j].addr);
		}
	}
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		EXPECT_EQ(0, answer(self->queue, i + 1, i % 2));
	EXPECT_COUNTS(self->idev, 6, 3, 3);
	free(msg);
}

TEST_F(fault, whole_groups_in_order)
{
	struct iommu_hwpt_pgfault msg[16];

	ASSERT_EQ(0, group(self->fd, self->idev, 1, 2));
	ASSERT_EQ(0, group(self->fd, self->idev, 2, 5));
	ASSERT_EQ(0, group(self->fd, self->idev, 3, 1));
	/* The second does not fit; the third would, and must not overtake. */
	ASSERT_EQ(2 * MSG, read(self->queue, msg, 6 * MSG));
	EXPECT_EQ(1, msg[0].grpid);
	EXPECT_EQ(1, msg[1].grpid);
	EXPECT_EQ(-1, read(self->queue, msg, 4 * MSG));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(6 * MSG, read(self->queue, msg, 6 * MSG));
	EXPECT_EQ(2, msg[0].grpid);
	EXPECT_EQ(2, msg[0].cookie);
	EXPECT_EQ(2, msg[4].grpid);
	EXPECT_EQ(3, msg[5].grpid);
	EXPECT_EQ(3, msg[5].cookie);
	EXPECT_EQ(0, read(self->queue, msg, sizeof(msg)));
}

TEST_F(fault, groups_interleaved)
{
	struct iommu_hwpt_pgfault msg[4];

	ASSERT_EQ(0, partial(self->fd, self->idev, 1, 0x1000));
	ASSERT_EQ(0, partial(self->fd, self->idev, 2, 0x2000));
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, 2));
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, 1));
	ASSERT_EQ(4 * MSG, read(self->queue, msg, sizeof(msg)));
	EXPECT_EQ(0x2000, msg[0].addr);
	EXPECT_EQ(2, msg[1].grpid);
	EXPECT_EQ(0x1000, msg[2].addr);
	EXPECT_EQ(1, msg[3].grpid);
}

TEST_F(fault, readv)
{
	struct iommu_hwpt_pgfault msg[3];
	struct iovec iov[2] = {
		{ .iov_base = msg, .iov_len = MSG },
		{ .iov_base = msg + 1, .iov_len = 2 * MSG },
	};

	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, 1));
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, 2));
	ASSERT_EQ(2 * MSG, readv(self->queue, iov, 2));
	EXPECT_EQ(1, msg[0].grpid);
	EXPECT_EQ(2, msg[1].grpid);
}

TEST_F(fault, lowest_cookie_is_next)
{
	static const uint32_t freed[] = { 2, 4, 1 };
	static const uint32_t wanted[] = { 1, 2, 4, 6 };
	struct iommu_hwpt_pgfault msg[5];
	unsigned int i;

	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, i));
	ASSERT_EQ(5 * MSG, read(self->queue, msg, sizeof(msg)));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(i + 1, msg[i].cookie);
	for (i = 0; i < ARRAY_SIZE(freed); i++)
		ASSERT_EQ(0, answer(self->queue, freed[i], 0));
	for (i = 0; i < ARRAY_SIZE(wanted); i++) {
		ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, i));
		ASSERT_EQ(MSG, read(self->queue, msg, sizeof(msg)));
		EXPECT_EQ(wanted[i], msg[0].cookie);
	}
}

TEST_F(fault, answers)
{
	struct iommu_hwpt_page_response resp[4];
	struct iommu_hwpt_pgfault msg[4];
	char *cliff = t_cliff();
	unsigned int i;

	ASSERT_NE(NULL, cliff);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, i));
	/* Not outstanding: nothing, then not read, then never given */
	EXPECT_EQ(EINVAL, answer(self->queue, 0, 0));
	EXPECT_EQ(EINVAL, answer(self->queue, 1, 0));
	ASSERT_EQ(4 * MSG, read(self->queue, msg, sizeof(msg)));
	EXPECT_EQ(EINVAL, answer(self->queue, 0, 0));
	EXPECT_EQ(EINVAL, answer(self->queue, 5, 0));
	EXPECT_EQ(EINVAL, answer(self->queue, UINT32_MAX, 0));
	/* Codes: 2 is the core's failure, which is not for programs. */
	EXPECT_EQ(EINVAL, answer(self->queue, 1, 2));
	EXPECT_EQ(EINVAL, answer(self->queue, 1, UINT32_MAX));
	EXPECT_EQ(-1, write(self->queue, cliff + T_PAGE, RESP));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_COUNTS(self->idev, 4, 0, 0);

	/* Two are good, the third is not, the fourth is not looked at. */
	for (i = 0; i < 4; i++)
		resp[i] = (struct iommu_hwpt_page_response) {
			.cookie = i + 1,
			.code = i,
		};
	resp[3].code = 0;
	EXPECT_EQ(2 * RESP, write(self->queue, resp, sizeof(resp)));
	EXPECT_COUNTS(self->idev, 4, 1, 1);
	EXPECT_EQ(-1, write(self->queue, resp, sizeof(resp)));
	EXPECT_EQ(EINVAL, errno);
	/* The second of two can't be read. */
	memcpy(cliff + T_PAGE - RESP, &resp[3], RESP);
	EXPECT_EQ(RESP, write(self->queue, cliff + T_PAGE - RESP, 2 * RESP));
	EXPECT_COUNTS(self->idev, 4, 2, 1);
	EXPECT_EQ(0, answer(self->queue, 3, IOMMUFD_PAGE_RESP_INVALID));
	EXPECT_COUNTS(self->idev, 4, 2, 2);
}

TEST_F(fault, what_can_not_be_copied_stays_first)
{
	struct iommu_hwpt_pgfault msg[16];
	char *cliff = t_cliff();

	ASSERT_NE(NULL, cliff);
	ASSERT_EQ(0, group(self->fd, self->idev, 1, 1));
	ASSERT_EQ(0, group(self->fd, self->idev, 2, 5));
	ASSERT_EQ(0, group(self->fd, self->idev, 3, 1));

	EXPECT_EQ(-1, read(self->queue, cliff + T_PAGE, 7 * MSG));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(READY, events(self->queue));
	EXPECT_EQ(EINVAL, answer(self->queue, 1, 0));
	/* Room for the first, and for a part of the second */
	ASSERT_EQ(MSG, read(self->queue, cliff + T_PAGE - 3 * MSG, 7 * MSG));
	memcpy(msg, cliff + T_PAGE - 3 * MSG, MSG);
	EXPECT_EQ(1, msg[0].grpid);
	EXPECT_EQ(1, msg[0].cookie);
	EXPECT_EQ(EINVAL, answer(self->queue, 2, 0));
	EXPECT_EQ(-1, read(self->queue, cliff + T_PAGE - MSG, 7 * MSG));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(6 * MSG, read(self->queue, msg, sizeof(msg)));
	EXPECT_EQ(2, msg[0].grpid);
	EXPECT_EQ(2, msg[0].cookie);
	EXPECT_EQ(2, msg[4].grpid);
	EXPECT_EQ(3, msg[5].grpid);
	EXPECT_EQ(3, msg[5].cookie);
	EXPECT_COUNTS(self->idev, 3, 0, 0);
}

TEST_F(fault, replace_answers_invalid)
{
	struct iommu_hwpt_pgfault msg[4];
	uint32_t other;

	ASSERT_EQ(0, group(self->fd, self->idev, 1, 2));
	ASSERT_EQ(0, group(self->fd, self->idev, 2, 1));
	ASSERT_EQ(0, group(self->fd, self->idev, 3, 1));
	ASSERT_EQ(2 * MSG, read(self->queue, msg, 2 * MSG));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->plain, NULL));
	EXPECT_COUNTS(self->idev, 3, 0, 3);
	EXPECT_EQ(QUIET, events(self->queue));
	EXPECT_EQ(0, read(self->queue, msg, sizeof(msg)));
	EXPECT_EQ(EINVAL, answer(self->queue, 1, 0));
	EXPECT_COUNTS(self->idev, 3, 0, 3);

	/* Also between two page tables of one queue */
	ASSERT_EQ(0, fault_hwpt(self->fd, self->idev, self->ioas, self->fault,
				&other));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->hwpt, NULL));
	ASSERT_EQ(0, group(self->fd, self->idev, 4, 1));
	ASSERT_EQ(MSG, read(self->queue, msg, MSG));
	ASSERT_EQ(0, group(self->fd, self->idev, 5, 1));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, other, NULL));
	EXPECT_COUNTS(self->idev, 5, 0, 5);
	EXPECT_EQ(EINVAL, answer(self->queue, msg[0].cookie, 0));
	ASSERT_EQ(0, group(self->fd, self->idev, 6, 1));
	ASSERT_EQ(MSG, read(self->queue, msg, sizeof(msg)));
	EXPECT_EQ(6, msg[0].grpid);
	EXPECT_EQ(1, msg[0].cookie);
	EXPECT_EQ(0, answer(self->queue, 1, 0));
	EXPECT_COUNTS(self->idev, 6, 1, 5);
}

TEST_F(fault, requests_nobody_handles)
{
	/* A page table without a queue, then a PASID nothing is attached to */
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->plain, NULL));
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, 1));
	EXPECT_COUNTS(self->idev, 1, 0, 1);
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->hwpt, NULL));
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 77, 1));
	EXPECT_COUNTS(self->idev, 2, 0, 2);
	EXPECT_EQ(QUIET, events(self->queue));

	EXPECT_EQ(ENOENT, t_iopf(self->fd, 0, 0, 1));
	EXPECT_EQ(ENOENT, t_iopf(self->fd, self->ioas, 0, 1));
	EXPECT_EQ(ENOENT, t_iopf(self->fd, self->stdev, 0, 1));
}

TEST_F(fault, one_queue_for_two_devices)
{
	uint32_t stdev, idev, hwpt;
	struct iommu_hwpt_pgfault msg[4];

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL, &idev));
	ASSERT_EQ(0, fault_hwpt(self->fd, idev, self->ioas, self->fault,
				&hwpt));
	ASSERT_EQ(0, t_mock_replace(self->fd, stdev, hwpt, NULL));
	ASSERT_EQ(0, t_iopf(self->fd, idev, 0, 1));
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, 1));
	ASSERT_EQ(2 * MSG, read(self->queue, msg, sizeof(msg)));
	EXPECT_EQ(idev, msg[0].dev_id);
	EXPECT_EQ(self->idev, msg[1].dev_id);
	ASSERT_EQ(0, t_iopf(self->fd, idev, 0, 2));
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, 2));

	/* Only the attachment that ends is answered, read or not. */
	ASSERT_EQ(0, t_mock_replace(self->fd, stdev, self->plain, NULL));
	EXPECT_COUNTS(idev, 2, 0, 2);
	EXPECT_COUNTS(self->idev, 2, 0, 0);
	EXPECT_EQ(EINVAL, answer(self->queue, 1, 0));
	EXPECT_EQ(0, answer(self->queue, 2, 0));
	ASSERT_EQ(MSG, read(self->queue, msg, sizeof(msg)));
	EXPECT_EQ(self->idev, msg[0].dev_id);
	EXPECT_EQ(0, answer(self->queue, msg[0].cookie, 0));
	EXPECT_COUNTS(self->idev, 2, 2, 0);

	/* Two attachments to one page table */
	ASSERT_EQ(0, t_mock_replace(self->fd, stdev, self->hwpt, NULL));
	ASSERT_EQ(0, t_iopf(self->fd, idev, 0, 3));
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, 3));
	ASSERT_EQ(0, t_destroy(self->fd, stdev));
	EXPECT_COUNTS(self->idev, 3, 2, 0);
	ASSERT_EQ(MSG, read(self->queue, msg, sizeof(msg)));
	EXPECT_EQ(self->idev, msg[0].dev_id);
}

TEST_F(fault, devices_of_a_group)
{
	uint32_t stdev[2], idev[2], pt = self->plain;
	struct iommu_hwpt_pgfault msg[8];
	unsigned int i;

	/* The first makes the attachment, and is what faults are told of. */
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, t_mock_flags(self->fd, pt,
					  MOCK_FLAGS_DEVICE_X_GROUP, &stdev[i],
					  NULL, &idev[i]));
	ASSERT_EQ(0, t_mock_replace(self->fd, stdev[0], self->hwpt, NULL));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, t_iopf(self->fd, idev[i % 2], 0, i));
	ASSERT_EQ(2 * MSG, read(self->queue, msg, 2 * MSG));
	EXPECT_EQ(idev[0], msg[0].dev_id);
	EXPECT_EQ(idev[0], msg[1].dev_id);
	/* It goes: its own are answered, read or not, the other's not. */
	ASSERT_EQ(0, t_destroy(self->fd, stdev[0]));
	EXPECT_COUNTS(idev[1], 2, 0, 0);
	EXPECT_EQ(EINVAL, answer(self->queue, msg[0].cookie, 0));
	EXPECT_EQ(0, answer(self->queue, msg[1].cookie, 0));
	ASSERT_EQ(MSG, read(self->queue, msg, sizeof(msg)));
	EXPECT_EQ(3, msg[0].grpid);
	EXPECT_EQ(idev[1], msg[0].dev_id);
	EXPECT_COUNTS(idev[1], 2, 1, 0);

	/* A newcomer that goes again takes its own with it too. */
	ASSERT_EQ(0, t_mock_flags(self->fd, self->hwpt,
				  MOCK_FLAGS_DEVICE_X_GROUP, &stdev[0], NULL,
				  &idev[0]));
	ASSERT_EQ(0, t_iopf(self->fd, idev[0], 0, 4));
	ASSERT_EQ(0, t_iopf(self->fd, idev[0], 0, 5));
	ASSERT_EQ(MSG, read(self->queue, msg, MSG));
	EXPECT_EQ(4, msg[0].grpid);
	EXPECT_EQ(idev[1], msg[0].dev_id);
	ASSERT_EQ(0, t_destroy(self->fd, stdev[0]));
	EXPECT_EQ(EINVAL, answer(self->queue, msg[0].cookie, 0));
	EXPECT_EQ(QUIET, events(self->queue));
	ASSERT_EQ(0, t_destroy(self->fd, stdev[1]));
}

/* A page table for PASIDs, its faults to @fault if that is not 0 */
static int pasid_hwpt(int fd, uint32_t dev, uint32_t ioas, uint32_t fault,
		      uint32_t *hwpt)
{
	return t_hwpt_full(fd, dev, ioas, IOMMU_HWPT_ALLOC_PASID |
			   (fault ? IOMMU_HWPT_FAULT_ID_VALID : 0), fault,
			   IOMMU_HWPT_DATA_NONE, NULL, 0, hwpt);
}

TEST_F(fault, pasids)
{
	uint32_t plain, five, six, pt;
	struct iommu_hwpt_pgfault msg[4];

	ASSERT_EQ(0, pasid_hwpt(self->fd, self->idev, self->ioas, 0, &plain));
	ASSERT_EQ(0, pasid_hwpt(self->fd, self->idev, self->ioas, self->fault,
				&five));
	ASSERT_EQ(0, pasid_hwpt(self->fd, self->idev, self->ioas, self->fault,
				&six));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, plain, NULL));
	pt = five;
	ASSERT_EQ(0, t_pasid_attach(self->fd, self->stdev, 5, &pt));
	pt = six;
	ASSERT_EQ(0, t_pasid_attach(self->fd, self->stdev, 6, &pt));
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 5, 1));
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 6, 1));
	/* Nobody wants those of other PASIDs, or without. */
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 7, 1));
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, 1));
	EXPECT_COUNTS(self->idev, 4, 0, 2);
	ASSERT_EQ(2 * MSG, read(self->queue, msg, sizeof(msg)));
	EXPECT_EQ(5, msg[0].pasid);
	EXPECT_EQ(6, msg[1].pasid);
	EXPECT_EQ(IOMMU_PGFAULT_FLAGS_PASID_VALID |
		  IOMMU_PGFAULT_FLAGS_LAST_PAGE, msg[0].flags);
	EXPECT_EQ(self->idev, msg[0].dev_id);

	/* Each attachment is answered when it ends itself, by replace */
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 5, 2));
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 6, 2));
	pt = plain;
	ASSERT_EQ(0, t_pasid_replace(self->fd, self->stdev, 5, &pt));
	EXPECT_COUNTS(self->idev, 6, 0, 4);
	EXPECT_EQ(EINVAL, answer(self->queue, msg[0].cookie, 0));
	EXPECT_EQ(0, answer(self->queue, msg[1].cookie, 0));
	/* or detach. */
	ASSERT_EQ(0, t_pasid_detach(self->fd, self->stdev, 6));
	EXPECT_COUNTS(self->idev, 6, 1, 5);
	EXPECT_EQ(QUIET, events(self->queue));
	/* Requests were allowed by the last of them only. */
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 6, 3));
	EXPECT_COUNTS(self->idev, 7, 1, 6);
	ASSERT_EQ(0, t_pasid_detach(self->fd, self->stdev, 5));
}

TEST_F(fault, nested)
{
	struct iommu_hwpt_pgfault msg[4];
	uint32_t parent, nested;

	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT, &parent));
	ASSERT_EQ(0, t_nested(self->fd, self->idev, parent,
			      IOMMU_HWPT_FAULT_ID_VALID, self->fault, &nested));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, nested, NULL));
	/* The guest has the table of PASIDs: all come to the same place. */
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, 1));
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 99, 2));
	ASSERT_EQ(2 * MSG, read(self->queue, msg, sizeof(msg)));
	EXPECT_EQ(0, msg[0].pasid);
	EXPECT_EQ(99, msg[1].pasid);
	EXPECT_EQ(IOMMU_PGFAULT_FLAGS_PASID_VALID |
		  IOMMU_PGFAULT_FLAGS_LAST_PAGE, msg[1].flags);
	EXPECT_EQ(0, answer(self->queue, msg[1].cookie, 0));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->plain, NULL));
	EXPECT_COUNTS(self->idev, 2, 1, 1);
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->fault));
	close(self->queue);
	ASSERT_EQ(0, t_destroy(self->fd, self->hwpt));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->fault));
	ASSERT_EQ(0, t_destroy(self->fd, nested));
	EXPECT_EQ(0, t_destroy(self->fd, self->fault));
	self->queue = -1;
}

TEST_F(fault, who_keeps_the_queue)
{
	int copy, status;
	pid_t pid;
	char c;
	int up[2];

	ASSERT_EQ(0, pipe(up));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->fault));
	copy = dup(self->queue);
	ASSERT_LE(0, copy);
	close(self->queue);
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->plain, NULL));
	ASSERT_EQ(0, t_destroy(self->fd, self->hwpt));
	/* The copy, then the child that inherited it */
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->fault));
	pid = fork();
	if (!pid) {
		close(up[1]);
		_exit(read(up[0], &c, 1));
	}
	close(up[0]);
	close(copy);
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->fault));
	close(up[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, t_destroy(self->fd, self->fault));
	EXPECT_EQ(ENOENT, t_destroy(self->fd, self->fault));
	EXPECT_EQ(ENOENT, fault_hwpt(self->fd, self->idev, self->ioas,
				     self->fault, NULL));
	self->queue = -1;
}

TEST_F(fault, page_tables_keep_the_queue)
{
	ASSERT_EQ(0, group(self->fd, self->idev, 1, 3));
	close(self->queue);
	self->queue = -1;
	/* Nobody can answer, and nobody does. */
	ASSERT_EQ(0, group(self->fd, self->idev, 2, 1));
	EXPECT_COUNTS(self->idev, 2, 0, 0);
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->fault));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->hwpt));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->plain, NULL));
	EXPECT_COUNTS(self->idev, 2, 0, 2);
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->fault));
	EXPECT_EQ(0, t_destroy(self->fd, self->hwpt));
	EXPECT_EQ(0, t_destroy(self->fd, self->fault));
}

TEST_F(fault, queue_holds_the_context)
{
	struct iommu_hwpt_pgfault msg[2];

	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, 1));
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, 2));
	close(self->fd);
	ASSERT_EQ(MSG, read(self->queue, msg, MSG));
	EXPECT_EQ(1, msg[0].grpid);
	EXPECT_EQ(0, answer(self->queue, 1, 0));
	ASSERT_EQ(MSG, read(self->queue, msg, sizeof(msg)));
	/* One is left unanswered when all goes. */
	EXPECT_EQ(0, close(self->queue));
	self->fd = -1;
	self->queue = -1;
}

static void *trigger_later(void *arg)
{
	struct t_job *job = arg;

	usleep(200000);
	if (t_iopf(job->fd, job->idev, 0, 9))
		t_wrong(job, "trigger", 0);
	return NULL;
}

TEST_F(fault, poll_wakes)
{
	struct pollfd pfd = { .fd = self->queue, .events = POLLIN };
	struct t_job job = { .fd = self->fd, .idev = self->idev };

	ASSERT_EQ(0, poll(&pfd, 1, 10));
	ASSERT_EQ(0, pthread_create(&job.thread, NULL, trigger_later, &job));
	EXPECT_EQ(1, poll(&pfd, 1, 60000));
	EXPECT_EQ(POLLIN, pfd.revents);
	pthread_join(job.thread, NULL);
	EXPECT_EQ(0, job.wrong);
}

/*
 * All at once. Devices ask, readers read, also into memory that is not there,
 * answerers answer what they read and what they guess, and attachments end. In
 * the end each group must have been answered once.
 */
static void *ask(void *arg)
{
	struct t_job *job = arg;

	while (!t_stopped(job)) {
		/* What is not read soon would make the rest slow. */
		if (job->done > 20000)
			usleep(1000);
		if (group(job->fd, job->idev, job->seed << 16 | job->done,
			  1 + t_random(&job->seed) % 5)) {
			t_wrong(job, "trigger", 0);
			break;
		}
		job->done++;
	}
	return NULL;
}

static void *read_and_answer(void *arg)
{
	struct iommu_hwpt_pgfault *first, *last;
	struct t_job *job = arg;
	struct iommu_hwpt_pgfault msg[12];
	char *cliff = t_cliff();
	size_t room;
	ssize_t n;
	int err;

	while (!t_stopped(job)) {
		room = t_random(&job->seed) % 12 + 1;
		if (t_random(&job->seed) % 4) {
			n = read(job->access, msg, room * MSG);
		} else {
			n = read(job->access, cliff + T_PAGE - room * MSG,
				 12 * MSG);
			if (n > 0)
				memcpy(msg, cliff + T_PAGE - room * MSG, n);
		}
		if (n < 0 && errno != EINVAL && errno != EFAULT) {
			t_wrong(job, "read", errno);
			break;
		}
		last = msg + (n > 0 ? n / MSG : 0);
		for (first = msg; first < last; first++) {
			if (!(first->flags & IOMMU_PGFAULT_FLAGS_LAST_PAGE))
				continue;
			err = answer(job->access, first->cookie,
				     t_random(&job->seed) % 2);
			/* Detached, or somebody guessed it */
			if (err && err != EINVAL) {
				t_wrong(job, "answer", err);
				return NULL;
			}
			if (err)
				job->refused++;
			else
				job->done++;
		}
	}
	return NULL;
}

static void *guess(void *arg)
{
	struct t_job *job = arg;
	int err;

	while (!t_stopped(job)) {
		err = answer(job->access, t_random(&job->seed) % 8,
			     IOMMUFD_PAGE_RESP_INVALID);
		if (err && err != EINVAL) {
			t_wrong(job, "answer", err);
			break;
		}
		job->done++;
	}
	return NULL;
}

static void *move(void *arg)
{
	struct t_job *job = arg;
	uint32_t to[] = { job->hwpt, job->other, job->ioas };
	int err;

	while (!t_stopped(job)) {
		err = t_mock_replace(job->fd, job->flags,
				     to[t_random(&job->seed) % 3], NULL);
		if (err) {
			t_wrong(job, "replace", err);
			break;
		}
		job->done++;
		usleep(1000);
	}
	return NULL;
}

/* Page tables and their queue come and go meanwhile. */
static void *make_and_destroy(void *arg)
{
	uint32_t fault, hwpt, stdev, idev;
	struct t_job *job = arg;
	int queue, err;

	while (!t_stopped(job)) {
		err = t_fault_alloc(job->fd, &fault, &queue);
		err = err ?: t_mock(job->fd, job->ioas, &stdev, NULL, &idev);
		err = err ?: fault_hwpt(job->fd, idev, job->ioas, fault, &hwpt);
		err = err ?: t_mock_replace(job->fd, stdev, hwpt, NULL);
		err = err ?: group(job->fd, idev, 1, 3);
		if (err) {
			t_wrong(job, "make", err);
			break;
		}
		close(queue);
		err = t_destroy(job->fd, stdev);
		err = err ?: t_destroy(job->fd, hwpt);
		err = err ?: t_destroy(job->fd, fault);
		if (err) {
			t_wrong(job, "destroy", err);
			break;
		}
		job->done++;
	}
	return NULL;
}

TEST_F(fault, race)
{
	static const t_work_t work[] = {
		ask, ask, ask, read_and_answer, read_and_answer, guess, move,
		move, make_and_destroy,
	};
	struct t_job jobs[ARRAY_SIZE(work)];
	uint32_t stdev, idev, other;
	struct counts counts;
	unsigned int i;

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL, &idev));
	ASSERT_EQ(0, fault_hwpt(self->fd, idev, self->ioas, self->fault,
				&other));
	for (i = 0; i < ARRAY_SIZE(work); i++)
		jobs[i] = (struct t_job) {
			.fd = self->fd,
			.access = self->queue,
			.ioas = self->plain,
			.hwpt = self->hwpt,
			.other = other,
			.idev = i % 2 ? idev : self->idev,
			.flags = i % 2 ? stdev : self->stdev,
			.seed = 0x1234567 * (i + 1),
			.stop = &self->stop,
		};
	jobs[8].ioas = self->ioas;
	t_run(_metadata, work, jobs, ARRAY_SIZE(work));

	ASSERT_EQ(0, t_mock_replace(self->fd, stdev, self->plain, NULL));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->plain, NULL));
	EXPECT_EQ(QUIET, events(self->queue));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, count(self->fd, i ? idev : self->idev, &counts));
		TH_LOG("%u groups: %u success, %u invalid", counts.groups,
		       counts.success, counts.invalid);
		EXPECT_LT(0, counts.groups);
		EXPECT_EQ(counts.groups, counts.success + counts.invalid);
		EXPECT_EQ(0, counts.failure);
	}
}

TEST_HARNESS_MAIN
