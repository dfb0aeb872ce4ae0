// SPDX-License-Identifier: GPL-2.0-only
/*
 * VDEVICE_ALLOC: devices as a guest numbers them; and what is left of one whose
 * device goes first.
 */
#include <linux/userfaultfd.h>
#include <poll.h>

#include "pt.h"
#include "vfio.h"

#define TYPE IOMMU_VIOMMU_TYPE_SELFTEST

FIXTURE(vdevice)
{
	int fd;
	uint32_t ioas, stdev, idev, parent, viommu;
	bool stop;
};

FIXTURE_SETUP(vdevice)
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
	ASSERT_EQ(0, t_viommu(self->fd, self->idev, self->parent, TYPE, NULL, 0,
			      &self->viommu));
}

FIXTURE_TEARDOWN(vdevice)
{
	close(self->fd);
}

TEST_F(vdevice, refusals_in_order)
{
	uint32_t vdev, other, stdev, idev;

	EXPECT_EQ(ENOENT, t_vdevice(self->fd, 0, 0, 1, NULL));
	EXPECT_EQ(ENOENT, t_vdevice(self->fd, self->parent, self->idev, 1,
				    NULL));
	EXPECT_EQ(ENOENT, t_vdevice(self->fd, self->viommu, 0, 1, NULL));
	EXPECT_EQ(ENOENT, t_vdevice(self->fd, self->viommu, self->stdev, 1,
				    NULL));
	ASSERT_EQ(0, t_vdevice(self->fd, self->viommu, self->idev, 1, &vdev));
	/* One for each device, on whatever vIOMMU, by whatever number */
	ASSERT_EQ(0, t_viommu(self->fd, self->idev, self->parent, TYPE, NULL, 0,
			      &other));
	EXPECT_EQ(EEXIST, t_vdevice(self->fd, self->viommu, self->idev, 1,
				    NULL));
	EXPECT_EQ(EEXIST, t_vdevice(self->fd, self->viommu, self->idev, 2,
				    NULL));
	EXPECT_EQ(EEXIST, t_vdevice(self->fd, other, self->idev, 2, NULL));
	/* One for each number of a vIOMMU */
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL, &idev));
	EXPECT_EQ(EEXIST, t_vdevice(self->fd, self->viommu, idev, 1, NULL));
	EXPECT_EQ(0, t_vdevice(self->fd, other, idev, 1, NULL));
}

TEST_F(vdevice, any_number)
{
	static const uint64_t numbers[] = {
		0, 1, UINT32_MAX, 1ULL << 32, INT64_MAX, UINT64_MAX,
	};
	uint32_t vdev[ARRAY_SIZE(numbers)], idev;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		ASSERT_EQ(0, t_mock(self->fd, self->ioas, NULL, NULL, &idev));
		EXPECT_EQ(0, t_vdevice(self->fd, self->viommu, idev, numbers[i],
				       &vdev[i]))
			TH_LOG("%#llx", (unsigned long long)numbers[i]);
	}
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		EXPECT_EQ(EEXIST, t_vdevice(self->fd, self->viommu, self->idev,
					    numbers[i], NULL));
	/* Each is free again when its vDEVICE is gone. */
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		EXPECT_EQ(0, t_destroy(self->fd, vdev[i]));
		ASSERT_EQ(0, t_vdevice(self->fd, self->viommu, self->idev,
				       numbers[i], &vdev[i]));
		EXPECT_EQ(0, t_destroy(self->fd, vdev[i]));
	}
}

TEST_F(vdevice, answer_that_cannot_be_written)
{
	struct iommu_vdevice_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = self->viommu,
		.dev_id = self->idev,
		.virt_id = 7,
	};
	void *arg = t_readonly(&cmd, sizeof(cmd));

	ASSERT_NE(NULL, arg);
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_VDEVICE_ALLOC, arg));
	/* Neither the device nor the number is taken. */
	EXPECT_EQ(0, t_call(self->fd, IOMMU_VDEVICE_ALLOC, &cmd));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->viommu));
	EXPECT_EQ(0, t_destroy(self->fd, cmd.out_vdevice_id));
	EXPECT_EQ(0, t_destroy(self->fd, self->viommu));
}

TEST_F(vdevice, keeps_its_viommu)
{
	uint32_t vdev, idev;

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, NULL, NULL, &idev));
	ASSERT_EQ(0, t_vdevice(self->fd, self->viommu, idev, 5, &vdev));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->viommu));
	EXPECT_EQ(0, t_destroy(self->fd, vdev));
	EXPECT_EQ(ENOENT, t_destroy(self->fd, vdev));
	EXPECT_EQ(0, t_destroy(self->fd, self->viommu));
}

/* All that is not in use by something else */
static void destroy_all(int fd, uint32_t max)
{
	bool more = true;
	uint32_t id;

	while (more) {
		more = false;
		for (id = 1; id <= max; id++)
			more |= !t_destroy(fd, id);
	}
}

TEST_F(vdevice, device_goes_first)
{
	uint32_t vdev, idev, stdev, id, i;

	ASSERT_EQ(0, t_vdevice(self->fd, self->viommu, self->idev, 5, &vdev));
	ASSERT_EQ(0, t_destroy(self->fd, self->stdev));

	/* The vDEVICE has gone with it and uses nothing, */
	EXPECT_EQ(ENOENT, t_destroy(self->fd, vdev));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL, &idev));
	ASSERT_EQ(0, t_vdevice(self->fd, self->viommu, idev, 5, &id));
	EXPECT_NE(vdev, id);
	ASSERT_EQ(0, t_destroy(self->fd, id));
	EXPECT_EQ(0, t_destroy(self->fd, self->viommu));

	/* but its ID is never seen again. */
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, t_ioas_alloc(self->fd, &id));
		ASSERT_NE(vdev, id);
	}
	EXPECT_EQ(ENOENT, t_destroy(self->fd, vdev));
	EXPECT_EQ(ENOENT, t_map_at(self->fd, vdev, self, T_PAGE, T_BASE));
	destroy_all(self->fd, id);
	EXPECT_EQ(ENOENT, t_destroy(self->fd, vdev));
	/* So the context is not empty, however much is destroyed. */
	EXPECT_EQ(EBUSY, t_rlimit_mode(self->fd, 1));
}

TEST_F(vdevice, goes_before_its_device)
{
	uint32_t vdev, id;

	ASSERT_EQ(0, t_vdevice(self->fd, self->viommu, self->idev, 5, &vdev));
	ASSERT_EQ(0, t_destroy(self->fd, vdev));
	/* The ID is free at once, and again after the device is. */
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &id));
	EXPECT_EQ(vdev, id);
	ASSERT_EQ(0, t_destroy(self->fd, self->stdev));
	EXPECT_EQ(0, t_destroy(self->fd, id));
	destroy_all(self->fd, id);
	EXPECT_EQ(0, t_rlimit_mode(self->fd, 1));
}

TEST_F(vdevice, close_with_tombs)
{
	uint32_t vdev[3], stdev[3], idev[3];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vdev); i++) {
		ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev[i], NULL,
				    &idev[i]));
		ASSERT_EQ(0, t_vdevice(self->fd, self->viommu, idev[i], i,
				       &vdev[i]));
	}
	/* One is a tomb, one is gone, one ends with the context. */
	ASSERT_EQ(0, t_destroy(self->fd, stdev[0]));
	ASSERT_EQ(0, t_destroy(self->fd, vdev[1]));
	ASSERT_EQ(0, close(self->fd));
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
}

TEST_F(vdevice, device_of_another_iommu)
{
	char path[300], node[300];
	uint32_t id;
	int dev;

	if (!find_pci(EDU_VENDOR, EDU_DEVICE, path, sizeof(path)) ||
	    !find_cdev(path, node, sizeof(node)))
		SKIP(return, "no PCI device 1234:11e8 (QEMU: -device edu) for vfio-pci");
	dev = open(node, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, dev);
	ASSERT_EQ(0, vfio_bind(dev, self->fd, &id));
	EXPECT_EQ(EINVAL, t_vdevice(self->fd, self->viommu, id, 1, NULL));
	/* Its driver has no vIOMMU like the mock's. */
	EXPECT_EQ(EOPNOTSUPP, t_viommu(self->fd, id, self->parent, TYPE, NULL,
				       0, NULL));
	close(dev);
	EXPECT_EQ(ENOENT, t_vdevice(self->fd, self->viommu, id, 1, NULL));
	EXPECT_EQ(0, t_vdevice(self->fd, self->viommu, self->idev, 1, NULL));
}

/* Two threads and what they fight about */
struct fight {
	int fd;
	uint32_t viommu, idev, vdev;
	pthread_barrier_t barrier;
	bool stop;
	int err;
};

static void *destroy_vdevice(void *arg)
{
	struct fight *f = arg;

	for (;;) {
		pthread_barrier_wait(&f->barrier);
		if (f->stop)
			return NULL;
		f->err = t_destroy(f->fd, f->vdev);
		pthread_barrier_wait(&f->barrier);
	}
}

static void *alloc_vdevice(void *arg)
{
	struct fight *f = arg;

	for (;;) {
		pthread_barrier_wait(&f->barrier);
		if (f->stop)
			return NULL;
		f->err = t_vdevice(f->fd, f->viommu, f->idev, 5, &f->vdev);
		pthread_barrier_wait(&f->barrier);
	}
}

#define ROUNDS 150

TEST_F(vdevice, destroyed_and_unbound_at_once)
{
	struct fight f = { .fd = self->fd, .viommu = self->viommu };
	unsigned int i, destroyed = 0;
	uint32_t stdev, idev;
	pthread_t thread;

	pthread_barrier_init(&f.barrier, NULL, 2);
	ASSERT_EQ(0, pthread_create(&thread, NULL, destroy_vdevice, &f));
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL, &idev));
		/* The number is free again, whoever ended the last vDEVICE. */
		ASSERT_EQ(0, t_vdevice(self->fd, self->viommu, idev, 5,
				       &f.vdev));
		pthread_barrier_wait(&f.barrier);
		/* The other one has less to do until they meet. */
		if (i % 3)
			sched_yield();
		EXPECT_EQ(0, t_destroy(self->fd, stdev));
		pthread_barrier_wait(&f.barrier);
		ASSERT_TRUE(!f.err || f.err == ENOENT)
			TH_LOG("round %u: %s", i, strerror(f.err));
		destroyed += !f.err;
		EXPECT_EQ(ENOENT, t_destroy(self->fd, f.vdev));
	}
	f.stop = true;
	pthread_barrier_wait(&f.barrier);
	pthread_join(thread, NULL);
	TH_LOG("%u destroyed, %u entombed", destroyed, ROUNDS - destroyed);
	EXPECT_EQ(0, t_destroy(self->fd, self->viommu));
}

TEST_F(vdevice, made_and_unbound_at_once)
{
	struct fight f = { .fd = self->fd, .viommu = self->viommu };
	unsigned int i, made = 0;
	pthread_t thread;
	uint32_t stdev;

	pthread_barrier_init(&f.barrier, NULL, 2);
	ASSERT_EQ(0, pthread_create(&thread, NULL, alloc_vdevice, &f));
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL,
				    &f.idev));
		pthread_barrier_wait(&f.barrier);
		if (i % 3)
			sched_yield();
		EXPECT_EQ(0, t_destroy(self->fd, stdev));
		pthread_barrier_wait(&f.barrier);
		ASSERT_TRUE(!f.err || f.err == ENOENT)
			TH_LOG("round %u: %s", i, strerror(f.err));
		/* Made in time it went with the device. */
		EXPECT_EQ(ENOENT, t_destroy(self->fd, f.err ? 0 : f.vdev));
		made += !f.err;
	}
	f.stop = true;
	pthread_barrier_wait(&f.barrier);
	pthread_join(thread, NULL);
	TH_LOG("%u made, %u too late", made, ROUNDS - made);
	EXPECT_EQ(0, t_destroy(self->fd, self->viommu));
}

/*
 * An answer that is slow to be copied: the page can be read, and who writes to
 * it waits until the test lets him.
 */
struct slow_answer {
	int fd, uffd, err;
	struct iommu_vdevice_alloc *cmd;
	bool done;
	pthread_t thread;
};

/* No write protection by userfaultfd, as against one that does not work */
#define SLOW_ABSENT 255

static int slow_protect(struct slow_answer *slow, bool protect)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)slow->cmd, T_PAGE },
		.mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(slow->uffd, UFFDIO_WRITEPROTECT, &wp) ? errno : 0;
}

static int slow_init(struct slow_answer *slow, int fd,
		     const struct iommu_vdevice_alloc *cmd)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP,
	};
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_WP };

	slow->fd = fd;
	slow->done = false;
	slow->uffd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (slow->uffd < 0 || ioctl(slow->uffd, UFFDIO_API, &api))
		return SLOW_ABSENT;
	slow->cmd = t_alloc(T_PAGE);
	if (!slow->cmd)
		return errno;
	*slow->cmd = *cmd;
	reg.range.start = (uintptr_t)slow->cmd;
	reg.range.len = T_PAGE;
	if (ioctl(slow->uffd, UFFDIO_REGISTER, &reg))
		return errno;
	return slow_protect(slow, true);
}

static void *slow_alloc(void *arg)
{
	struct slow_answer *slow = arg;

	slow->err = t_call(slow->fd, IOMMU_VDEVICE_ALLOC, slow->cmd);
	__atomic_store_n(&slow->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Until the answer is about to be written */
static bool slow_begin(struct slow_answer *slow)
{
	struct pollfd p = { .fd = slow->uffd, .events = POLLIN };
	struct uffd_msg msg;

	return !pthread_create(&slow->thread, NULL, slow_alloc, slow) &&
	       poll(&p, 1, 30000) == 1 &&
	       read(slow->uffd, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.event == UFFD_EVENT_PAGEFAULT;
}

static void slow_end(struct slow_answer *slow)
{
	slow_protect(slow, false);
	pthread_join(slow->thread, NULL);
	close(slow->uffd);
}

/* What another thread does meanwhile */
struct meanwhile {
	int fd, err;
	uint32_t stdev, pt;
	bool done;
	pthread_t thread;
};

static void *replace_meanwhile(void *arg)
{
	struct meanwhile *m = arg;

	m->err = t_mock_replace(m->fd, m->stdev, m->pt, NULL);
	__atomic_store_n(&m->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void *unbind_meanwhile(void *arg)
{
	struct meanwhile *m = arg;

	m->err = t_destroy(m->fd, m->stdev);
	__atomic_store_n(&m->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool is_done(const bool *done, unsigned int ms)
{
	unsigned int i;

	for (i = 0; i < ms && !__atomic_load_n(done, __ATOMIC_ACQUIRE); i += 10)
		usleep(10000);
	return __atomic_load_n(done, __ATOMIC_ACQUIRE);
}

TEST_F(vdevice, slow_answer)
{
	const struct iommu_vdevice_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = self->viommu,
		.dev_id = self->idev,
		.virt_id = 7,
	};
	struct meanwhile m = {
		.fd = self->fd,
		.stdev = self->stdev,
		.pt = self->parent,
	};
	struct slow_answer slow;
	uint32_t idev, id;
	int err;

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, NULL, NULL, &idev));
	err = slow_init(&slow, self->fd, &cmd);
	if (err == SLOW_ABSENT)
		SKIP(return, "no write protection by userfaultfd");
	ASSERT_EQ(0, err);
	ASSERT_TRUE(slow_begin(&slow));
	/* Whoever attaches the device does not wait. */
	ASSERT_EQ(0, pthread_create(&m.thread, NULL, replace_meanwhile, &m));
	EXPECT_TRUE(is_done(&m.done, 20000));
	EXPECT_FALSE(slow.done);
	if (m.done) {
		/* Device and number are taken, and there is nothing to see. */
		EXPECT_EQ(EEXIST, t_vdevice(self->fd, self->viommu, self->idev,
					    8, NULL));
		EXPECT_EQ(EEXIST, t_vdevice(self->fd, self->viommu, idev, 7,
					    NULL));
		EXPECT_EQ(EBUSY, t_destroy(self->fd, self->viommu));
	}
	slow_end(&slow);
	pthread_join(m.thread, NULL);
	EXPECT_EQ(0, m.err);
	EXPECT_EQ(0, slow.err);
	EXPECT_EQ(0, t_destroy(self->fd, slow.cmd->out_vdevice_id));
	EXPECT_EQ(0, t_vdevice(self->fd, self->viommu, idev, 7, &id));
}

/* The device goes before the answer has come: too late, and nothing is left. */
TEST_F(vdevice, slow_answer_and_unbind)
{
	struct iommu_vdevice_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = self->viommu,
		.virt_id = 7,
	};
	struct meanwhile m = { .fd = self->fd };
	struct slow_answer slow;
	uint32_t id, next, again;
	int err;

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &m.stdev, NULL, &cmd.dev_id));
	err = slow_init(&slow, self->fd, &cmd);
	if (err == SLOW_ABSENT)
		SKIP(return, "no write protection by userfaultfd");
	ASSERT_EQ(0, err);
	ASSERT_TRUE(slow_begin(&slow));
	ASSERT_EQ(0, pthread_create(&m.thread, NULL, unbind_meanwhile, &m));
	/* That waits, as for every ioctl that uses the device. */
	EXPECT_FALSE(is_done(&m.done, 500));
	EXPECT_FALSE(slow.done);
	slow_end(&slow);
	pthread_join(m.thread, NULL);
	EXPECT_EQ(0, m.err);
	EXPECT_EQ(ENOENT, slow.err);
	/* No tomb: all IDs are free, and the number is. */
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &next));
	EXPECT_EQ(m.stdev, next);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &again));
	EXPECT_EQ(cmd.dev_id, again);
	ASSERT_EQ(0, t_vdevice(self->fd, self->viommu, self->idev, 7, &id));
	EXPECT_EQ(slow.cmd->out_vdevice_id, id);
}

TEST_HARNESS_MAIN
