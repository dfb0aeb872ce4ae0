// SPDX-License-Identifier: GPL-2.0-only
/*
 * Event queues of vIOMMUs through their files. What a queue does with events
 * that are lost, numbers that wrap and copies that fail has a KUnit suite too.
 */
#include <poll.h>
#include <sys/wait.h>

#include "pt.h"

#define TYPE IOMMU_VEVENTQ_TYPE_SELFTEST
#define VIRT_ID 0x99
#define DEPTH_MAX 524288

struct event {
	struct iommufd_vevent_header header;
	struct iommu_viommu_event_selftest data;
};

#define HEADER sizeof(struct iommufd_vevent_header)
#define EVENT sizeof(struct event)

static_assert(EVENT == 12, "no padding");

FIXTURE(veventq)
{
	int fd;
	uint32_t ioas, stdev, idev, parent, viommu, vdev, nested;
	bool stop;
};

FIXTURE_SETUP(veventq)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev, NULL,
			    &self->idev));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT, &self->parent));
	ASSERT_EQ(0, t_viommu(self->fd, self->idev, self->parent,
			      IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0,
			      &self->viommu));
	ASSERT_EQ(0, t_vdevice(self->fd, self->viommu, self->idev, VIRT_ID,
			       &self->vdev));
	ASSERT_EQ(0, t_nested(self->fd, self->idev, self->viommu, 0, 0,
			      &self->nested));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->nested, NULL));
}

FIXTURE_TEARDOWN(veventq)
{
	close(self->fd);
}

static int events(int queue)
{
	struct pollfd pfd = { .fd = queue, .events = ~0 };

	return poll(&pfd, 1, 0) < 0 ? -1 : pfd.revents;
}

#define READY (POLLIN | POLLRDNORM)

TEST_F(veventq, alloc_errors_in_order)
{
	struct iommu_veventq_alloc cmd = {
		.size = sizeof(cmd),
		.flags = 1,
		.viommu_id = UINT32_MAX,
		.type = TYPE,
	};
	uint32_t ids[] = { 0, UINT32_MAX, self->ioas, self->idev, self->parent,
			   self->nested, self->vdev };
	uint32_t id;
	unsigned int i;
	int queue;

	for (i = 0; i < 32; i++) {
		cmd.flags = 1U << i;
		EXPECT_EQ(EOPNOTSUPP,
			  t_call(self->fd, IOMMU_VEVENTQ_ALLOC, &cmd));
	}
	cmd.flags = 0;
	cmd.__reserved = 1;
	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_VEVENTQ_ALLOC, &cmd));
	cmd.__reserved = 0;
	cmd.type = IOMMU_VEVENTQ_TYPE_DEFAULT;
	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_VEVENTQ_ALLOC, &cmd));
	cmd.type = TYPE;
	EXPECT_EQ(EINVAL, t_call(self->fd, IOMMU_VEVENTQ_ALLOC, &cmd));
	cmd.veventq_depth = DEPTH_MAX + 1;
	EXPECT_EQ(EINVAL, t_call(self->fd, IOMMU_VEVENTQ_ALLOC, &cmd));
	cmd.veventq_depth = UINT32_MAX;
	EXPECT_EQ(EINVAL, t_call(self->fd, IOMMU_VEVENTQ_ALLOC, &cmd));
	cmd.veventq_depth = DEPTH_MAX;
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		cmd.viommu_id = ids[i];
		EXPECT_EQ(ENOENT, t_call(self->fd, IOMMU_VEVENTQ_ALLOC, &cmd));
	}
	cmd.viommu_id = self->viommu;
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_VEVENTQ_ALLOC,
				 t_readonly(&cmd, sizeof(cmd))));
	/* That left nothing: there is no queue of the type yet. */
	EXPECT_EQ(EOPNOTSUPP, t_vevent(self->fd, self->idev));
	ASSERT_EQ(0, t_veventq(self->fd, self->viommu, TYPE, DEPTH_MAX, &id,
			       &queue));
	EXPECT_EQ(EEXIST, t_call(self->fd, IOMMU_VEVENTQ_ALLOC, &cmd));
	/* A type of hardware that the mock is not: nobody minds. */
	cmd.type = IOMMU_VEVENTQ_TYPE_ARM_SMMUV3;
	ASSERT_EQ(0, t_call(self->fd, IOMMU_VEVENTQ_ALLOC, &cmd));
	close(cmd.out_veventq_fd);
	EXPECT_EQ(0, t_destroy(self->fd, cmd.out_veventq_id));
	close(queue);
	EXPECT_EQ(0, t_destroy(self->fd, id));
}

TEST_F(veventq, no_descriptor_left)
{
	struct rlimit old, none;
	uint32_t id;
	int queue, err;

	queue = dup(self->fd);
	close(queue);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	none = old;
	none.rlim_cur = queue;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	err = t_veventq(self->fd, self->viommu, TYPE, 1, &id, &queue);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	EXPECT_EQ(EMFILE, err);
	EXPECT_EQ(EOPNOTSUPP, t_vevent(self->fd, self->idev));
}

TEST_F(veventq, file)
{
	char path[64], name[64] = {};
	uint32_t id;
	int queue;

	ASSERT_EQ(0, t_veventq(self->fd, self->viommu, TYPE, 1, &id, &queue));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", queue);
	ASSERT_LT(0, readlink(path, name, sizeof(name) - 1));
	EXPECT_STREQ("anon_inode:[iommufd-viommu-event]", name);
	EXPECT_EQ(FD_CLOEXEC, fcntl(queue, F_GETFD));
	close(queue);
}

TEST_F(veventq, events)
{
	struct event got[4];
	uint32_t id;
	int queue;

	ASSERT_EQ(0, t_veventq(self->fd, self->viommu, TYPE, 3, &id, &queue));
	EXPECT_EQ(0, events(queue));
	EXPECT_EQ(0, read(queue, got, sizeof(got)));
	EXPECT_EQ(-1, read(queue, got, HEADER - 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, read(queue, got, HEADER));
	EXPECT_EQ(-1, write(queue, got, HEADER));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pread(queue, got, sizeof(got), 0));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, lseek(queue, 0, SEEK_SET));
	EXPECT_EQ(ESPIPE, errno);

	ASSERT_EQ(0, t_vevent(self->fd, self->idev));
	EXPECT_EQ(READY, events(queue));
	/* Too little room for the first */
	EXPECT_EQ(-1, read(queue, got, EVENT - 1));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(0, t_vevent(self->fd, self->idev));
	ASSERT_EQ(EVENT, read(queue, got, 2 * EVENT - 1));
	EXPECT_EQ(0, got[0].header.flags);
	EXPECT_EQ(0, got[0].header.sequence);
	EXPECT_EQ(VIRT_ID, got[0].data.virt_id);
	ASSERT_EQ(0, t_vevent(self->fd, self->idev));
	ASSERT_EQ(2 * EVENT, read(queue, got, sizeof(got)));
	EXPECT_EQ(1, got[0].header.sequence);
	EXPECT_EQ(2, got[1].header.sequence);
	EXPECT_EQ(VIRT_ID, got[1].data.virt_id);
	EXPECT_EQ(0, events(queue));
	close(queue);
	EXPECT_EQ(0, t_destroy(self->fd, id));
}

TEST_F(veventq, lost_events)
{
	struct event got[4];
	unsigned int i;
	uint32_t id;
	int queue;

	ASSERT_EQ(0, t_veventq(self->fd, self->viommu, TYPE, 2, &id, &queue));
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, t_vevent(self->fd, self->idev));
	ASSERT_EQ(2 * EVENT + HEADER, read(queue, got, sizeof(got)));
	EXPECT_EQ(0, got[0].header.sequence);
	EXPECT_EQ(1, got[1].header.sequence);
	EXPECT_EQ(IOMMU_VEVENTQ_FLAG_LOST_EVENTS, got[2].header.flags);
	EXPECT_EQ(4, got[2].header.sequence);
	EXPECT_EQ(0, events(queue));

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, t_vevent(self->fd, self->idev));
	ASSERT_EQ(EVENT, read(queue, got, EVENT));
	ASSERT_EQ(0, t_vevent(self->fd, self->idev));
	ASSERT_EQ(2 * EVENT, read(queue, got, sizeof(got)));
	EXPECT_EQ(6, got[0].header.sequence);
	EXPECT_EQ(8, got[1].header.sequence);
	EXPECT_EQ(0, got[1].header.flags);

	/* A marker alone makes it ready. */
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, t_vevent(self->fd, self->idev));
	ASSERT_EQ(2 * EVENT, read(queue, got, 2 * EVENT));
	EXPECT_EQ(READY, events(queue));
	ASSERT_EQ(HEADER, read(queue, got, HEADER));
	EXPECT_EQ(11, got[0].header.sequence);
	close(queue);
}

TEST_F(veventq, what_can_not_be_copied_stays)
{
	char *cliff = t_cliff();
	struct event got[2];
	uint32_t id;
	int queue;

	ASSERT_NE(NULL, cliff);
	ASSERT_EQ(0, t_veventq(self->fd, self->viommu, TYPE, 2, &id, &queue));
	ASSERT_EQ(0, t_vevent(self->fd, self->idev));
	ASSERT_EQ(0, t_vevent(self->fd, self->idev));
	EXPECT_EQ(-1, read(queue, cliff + T_PAGE - HEADER, 2 * EVENT));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(EVENT, read(queue, cliff + T_PAGE - EVENT, 2 * EVENT));
	ASSERT_EQ(EVENT, read(queue, got, sizeof(got)));
	EXPECT_EQ(1, got[0].header.sequence);
	close(queue);
}

TEST_F(veventq, who_keeps_what)
{
	struct event got[2];
	int queue, copy;
	uint32_t id;

	ASSERT_EQ(0, t_veventq(self->fd, self->viommu, TYPE, 2, &id, &queue));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, id));
	copy = dup(queue);
	ASSERT_LE(0, copy);
	close(queue);
	EXPECT_EQ(EBUSY, t_destroy(self->fd, id));
	ASSERT_EQ(0, t_vevent(self->fd, self->idev));
	/* With all else gone the vIOMMU is still the queue's. */
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->parent, NULL));
	ASSERT_EQ(0, t_destroy(self->fd, self->nested));
	ASSERT_EQ(0, t_destroy(self->fd, self->vdev));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->viommu));
	EXPECT_EQ(EVENT, read(copy, got, sizeof(got)));
	close(copy);
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->viommu));
	EXPECT_EQ(0, t_destroy(self->fd, id));
	EXPECT_EQ(0, t_destroy(self->fd, self->viommu));
}

TEST_F(veventq, queue_holds_the_context)
{
	struct event got[3];
	uint32_t id;
	int queue;

	ASSERT_EQ(0, t_veventq(self->fd, self->viommu, TYPE, 2, &id, &queue));
	ASSERT_EQ(0, t_vevent(self->fd, self->idev));
	ASSERT_EQ(0, t_vevent(self->fd, self->idev));
	close(self->fd);
	ASSERT_EQ(EVENT, read(queue, got, EVENT));
	EXPECT_EQ(0, got[0].header.sequence);
	/* With an event that nobody reads */
	EXPECT_EQ(0, close(queue));
	self->fd = -1;
}

TEST_F(veventq, events_of_no_vdevice)
{
	uint32_t id, stdev, idev;
	int queue;

	ASSERT_EQ(0, t_veventq(self->fd, self->viommu, TYPE, 2, &id, &queue));
	EXPECT_EQ(ENOENT, t_vevent(self->fd, 0));
	EXPECT_EQ(ENOENT, t_vevent(self->fd, self->stdev));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL, &idev));
	EXPECT_EQ(ENOENT, t_vevent(self->fd, idev));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->parent, NULL));
	EXPECT_EQ(ENOENT, t_vevent(self->fd, self->idev));
	EXPECT_EQ(0, events(queue));
	close(queue);
}

static void *trigger_later(void *arg)
{
	struct t_job *job = arg;

	usleep(200000);
	if (t_vevent(job->fd, job->idev))
		t_wrong(job, "trigger", 0);
	return NULL;
}

TEST_F(veventq, poll_wakes)
{
	struct t_job job = { .fd = self->fd, .idev = self->idev };
	struct pollfd pfd = { .events = POLLIN };
	uint32_t id;

	ASSERT_EQ(0, t_veventq(self->fd, self->viommu, TYPE, 2, &id, &pfd.fd));
	ASSERT_EQ(0, poll(&pfd, 1, 10));
	ASSERT_EQ(0, pthread_create(&job.thread, NULL, trigger_later, &job));
	EXPECT_EQ(1, poll(&pfd, 1, 60000));
	EXPECT_EQ(POLLIN, pfd.revents);
	pthread_join(job.thread, NULL);
	EXPECT_EQ(0, job.wrong);
	close(pfd.fd);
}

/* Events come while queues do and go. */
static void *trigger(void *arg)
{
	struct t_job *job = arg;
	int err;

	while (!t_stopped(job)) {
		err = t_vevent(job->fd, job->idev);
		switch (err) {
		case 0:
			job->done++;
			break;
		case EOPNOTSUPP:
			/* No queue */
		case ENOENT:
			/* Elsewhere */
			job->refused++;
			break;
		default:
			t_wrong(job, "trigger", err);
			return NULL;
		}
	}
	return NULL;
}

/* Numbers go up; one reader sees each once. */
static void *make_and_read(void *arg)
{
	struct t_job *job = arg;
	struct event got[8];
	uint32_t id, next;
	unsigned int i;
	int queue, err;
	ssize_t n;

	while (!t_stopped(job)) {
		err = t_veventq(job->fd, job->ioas, TYPE,
				1 + t_random(&job->seed) % 8, &id, &queue);
		if (err) {
			t_wrong(job, "alloc", err);
			break;
		}
		for (i = 0, next = 0; i < 50; i++) {
			n = read(queue, got, EVENT);
			if (n < 0 || (n && got[0].header.sequence < next)) {
				t_wrong(job, "read", n < 0 ? errno : ERANGE);
				return NULL;
			}
			if (n)
				next = got[0].header.sequence + 1;
		}
		close(queue);
		err = t_destroy(job->fd, id);
		if (err) {
			t_wrong(job, "destroy", err);
			break;
		}
		job->done++;
	}
	return NULL;
}

static void *move(void *arg)
{
	struct t_job *job = arg;
	int err;

	while (!t_stopped(job)) {
		err = t_mock_replace(job->fd, job->flags, job->other, NULL) ?:
		      t_mock_replace(job->fd, job->flags, job->hwpt, NULL);
		if (err) {
			t_wrong(job, "replace", err);
			break;
		}
		job->done++;
		usleep(1000);
	}
	return NULL;
}

TEST_F(veventq, race)
{
	static const t_work_t work[] = {
		trigger, trigger, make_and_read, move,
	};
	struct t_job jobs[ARRAY_SIZE(work)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(work); i++)
		jobs[i] = (struct t_job) {
			.fd = self->fd,
			.ioas = self->viommu,
			.hwpt = self->nested,
			.other = self->parent,
			.idev = self->idev,
			.flags = self->stdev,
			.seed = 0x7654321 * (i + 1),
			.stop = &self->stop,
		};
	t_run(_metadata, work, jobs, ARRAY_SIZE(work));
}

TEST_HARNESS_MAIN
