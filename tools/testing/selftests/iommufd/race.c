// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several threads, several processes: mapping and unmapping at the same time,
 * page tables that come while memory is mapped, closing the file under a
 * running ioctl, and mappers that fork, exec, exit or are killed. What each
 * thread may be answered follows from what the others do; anything else fails
 * the test, and so does a pin that is left.
 */
#include <sched.h>
#include <signal.h>
#include <sys/time.h>

#include "util.h"

#define SLOT_PAGES 8

FIXTURE(race)
{
	int fd;
	uint32_t ioas, stdev, hwpt, idev;
	char *buf;
	size_t length;
	bool stop;
};

FIXTURE_SETUP(race)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev, &self->hwpt,
			    &self->idev));
	self->length = 64 * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
}

FIXTURE_TEARDOWN(race)
{
	int fd;

	close(self->fd);
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, self->buf, self->length, 0));
	close(fd);
}

/* MAP, look, UNMAP in a window nobody else uses: nothing may ever fail. */
static void *map_alone(void *arg)
{
	struct t_job *job = arg;
	uint64_t iova, done, length;
	uint32_t page;
	int err;

	while (!t_stopped(job)) {
		page = t_random(&job->seed) % 32;
		length = (1 + t_random(&job->seed) % 32) * T_PAGE;
		iova = job->base + page * T_PAGE;
		err = t_map_at(job->fd, job->ioas, job->buf, length, iova);
		if (err) {
			t_wrong(job, "map", err);
			break;
		}
		err = t_check_map(job->fd, job->hwpt, iova, length, job->buf);
		if (err) {
			t_wrong(job, "check", err);
			break;
		}
		err = t_unmap(job->fd, job->ioas, iova, length, &done);
		if (err || done != length) {
			t_wrong(job, "unmap", err);
			break;
		}
		err = t_check_map(job->fd, job->hwpt, iova, T_PAGE, job->buf);
		if (err != EINVAL) {
			t_wrong(job, "check of nothing", err);
			break;
		}
		job->done++;
	}
	return NULL;
}

/* The same with the kernel choosing the address */
static void *map_anywhere(void *arg)
{
	struct t_job *job = arg;
	uint64_t iova[4], length;
	int err, i;

	while (!t_stopped(job)) {
		length = (1 + t_random(&job->seed) % 8) * T_PAGE;
		for (i = 0; i < 4; i++) {
			err = t_map_any(job->fd, job->ioas, job->buf, length,
					&iova[i]);
			if (err) {
				t_wrong(job, "map", err);
				return NULL;
			}
		}
		for (i = 0; i < 4; i++) {
			err = t_check_map(job->fd, job->hwpt, iova[i], length,
					  job->buf);
			if (!err)
				err = t_unmap(job->fd, job->ioas, iova[i],
					      length, NULL);
			if (err) {
				t_wrong(job, "check or unmap", err);
				return NULL;
			}
		}
		job->done++;
	}
	return NULL;
}

/* MAP and UNMAP in a window all share */
static void *map_together(void *arg)
{
	struct t_job *job = arg;
	uint64_t iova, length;
	int err;

	while (!t_stopped(job)) {
		iova = job->base + t_random(&job->seed) % 16 * T_PAGE;
		length = (1 + t_random(&job->seed) % 8) * T_PAGE;
		switch (t_random(&job->seed) % 4) {
		case 0:
		case 1:
			err = t_map_at(job->fd, job->ioas, job->buf, length,
				       iova);
			if (err && err != EEXIST)
				t_wrong(job, "map", err);
			break;
		case 2:
			err = t_unmap(job->fd, job->ioas, iova, length, NULL);
			if (err && err != ENOENT && err != EBUSY)
				t_wrong(job, "unmap", err);
			break;
		default:
			err = t_unmap_all(job->fd, job->ioas, NULL);
			if (err && err != EBUSY)
				t_wrong(job, "unmap all", err);
		}
		if (err)
			job->refused++;
		else
			job->done++;
	}
	return NULL;
}

/* COPY out of the address space others work in, and away with it */
static void *copy_along(void *arg)
{
	struct t_job *job = arg;
	uint64_t iova, from, length;
	int err;

	while (!t_stopped(job)) {
		from = job->base + t_random(&job->seed) % 16 * T_PAGE;
		length = (1 + t_random(&job->seed) % 4) * T_PAGE;
		err = t_copy(job->fd, job->other, job->ioas, from, length,
			     &iova, T_RW);
		if (err == ENOENT) {
			job->refused++;
			continue;
		}
		if (!err)
			err = t_unmap_all(job->fd, job->other, NULL);
		if (err) {
			t_wrong(job, "copy", err);
			break;
		}
		job->done++;
	}
	return NULL;
}

/* Page tables come and go; each must be complete at once. */
static void *make_tables(void *arg)
{
	struct t_job *job = arg;
	uint32_t hwpt;
	int err;

	while (!t_stopped(job)) {
		err = t_hwpt_alloc(job->fd, job->idev, job->ioas, 0, &hwpt);
		if (err) {
			t_wrong(job, "alloc", err);
			break;
		}
		err = t_check_map(job->fd, hwpt, job->base, SLOT_PAGES * T_PAGE,
				  job->buf);
		if (err) {
			t_wrong(job, "check", err);
			break;
		}
		err = t_destroy(job->fd, hwpt);
		if (err) {
			t_wrong(job, "destroy", err);
			break;
		}
		job->done++;
	}
	return NULL;
}

/* Devices come and go. */
static void *make_devices(void *arg)
{
	struct t_job *job = arg;
	uint32_t stdev;
	int err;

	while (!t_stopped(job)) {
		err = t_mock(job->fd, job->ioas, &stdev, NULL, NULL);
		if (err) {
			t_wrong(job, "attach", err);
			break;
		}
		err = t_mock_replace(job->fd, stdev, job->other, NULL);
		if (err) {
			t_wrong(job, "replace", err);
			break;
		}
		err = t_destroy(job->fd, stdev);
		if (err) {
			t_wrong(job, "destroy", err);
			break;
		}
		job->done++;
	}
	return NULL;
}

static void *make_address_spaces(void *arg)
{
	struct t_job *job = arg;
	uint32_t ioas;
	int err;

	while (!t_stopped(job)) {
		err = t_ioas_alloc(job->fd, &ioas);
		if (!err)
			err = t_map_at(job->fd, ioas, job->buf,
				       SLOT_PAGES * T_PAGE, T_BASE);
		if (!err)
			err = t_destroy(job->fd, ioas);
		if (err) {
			t_wrong(job, "address space", err);
			break;
		}
		job->done++;
	}
	return NULL;
}

static struct t_job job(const struct _test_data_race *self, uint64_t seed,
			uint64_t base)
{
	return (struct t_job) {
		.fd = self->fd,
		.ioas = self->ioas,
		.hwpt = self->hwpt,
		.idev = self->idev,
		.buf = self->buf,
		.base = base,
		.seed = seed,
		.stop = (bool *)&self->stop,
	};
}

TEST_F(race, windows_of_their_own)
{
	struct t_job jobs[] = {
		job(self, 1, T_BASE), job(self, 2, T_BASE + 0x1000000),
		job(self, 3, T_BASE + 0x2000000),
	};
	t_work_t works[] = { map_alone, map_alone, map_alone };

	t_run(_metadata, works, jobs, 3);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
}

TEST_F(race, addresses_by_the_kernel)
{
	struct t_job jobs[] = {
		job(self, 1, T_BASE), job(self, 2, T_BASE),
		job(self, 3, T_BASE + 0x40000000),
	};
	t_work_t works[] = { map_anywhere, map_anywhere, map_alone };

	t_run(_metadata, works, jobs, 3);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
}

TEST_F(race, one_window_for_all)
{
	struct t_job jobs[] = {
		job(self, 1, T_BASE), job(self, 2, T_BASE), job(self, 3, T_BASE),
	};
	t_work_t works[] = { map_together, map_together, map_together };

	t_run(_metadata, works, jobs, 3);
	EXPECT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
}

TEST_F(race, one_window_lazily)
{
	struct t_job jobs[] = {
		job(self, 1, T_BASE), job(self, 2, T_BASE),
		job(self, 3, T_BASE),
	};
	t_work_t works[] = { map_together, map_together, map_together };
	unsigned int i;
	uint32_t lazy;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &lazy));
	for (i = 0; i < 3; i++)
		jobs[i].ioas = lazy;
	t_run(_metadata, works, jobs, 3);
	EXPECT_EQ(0, t_unmap_all(self->fd, lazy, NULL));
}

TEST_F(race, copy_while_unmapped)
{
	struct t_job jobs[] = { job(self, 1, T_BASE), job(self, 2, T_BASE) };
	t_work_t works[] = { map_together, copy_along };
	uint32_t other;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &other));
	ASSERT_EQ(0, t_mock(self->fd, other, NULL, NULL, NULL));
	jobs[1].other = other;
	t_run(_metadata, works, jobs, 2);
	EXPECT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(0, t_unmap_all(self->fd, other, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
}

TEST_F(race, tables_while_mapping)
{
	struct t_job jobs[] = {
		job(self, 1, T_BASE + 0x1000000),
		job(self, 2, T_BASE + 0x2000000),
		job(self, 3, T_BASE), job(self, 4, T_BASE),
	};
	t_work_t works[] = { map_alone, map_alone, make_tables, make_tables };

	/* This one is there all the time and in every table. */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf,
			      SLOT_PAGES * T_PAGE, T_BASE));
	t_run(_metadata, works, jobs, 4);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, SLOT_PAGES * T_PAGE, 1));
}

TEST_F(race, devices_while_mapping)
{
	struct t_job jobs[] = {
		job(self, 1, T_BASE), job(self, 2, T_BASE),
		job(self, 3, T_BASE),
	};
	t_work_t works[] = { make_devices, make_devices, map_alone };
	uint32_t one, two, hwpt;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &one));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &two));
	/* Its table is what the third thread looks into. */
	ASSERT_EQ(0, t_mock(self->fd, one, NULL, &hwpt, NULL));
	jobs[0].ioas = one;
	jobs[0].other = two;
	jobs[1].ioas = two;
	jobs[1].other = one;
	jobs[2].ioas = one;
	jobs[2].hwpt = hwpt;
	t_run(_metadata, works, jobs, 3);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
}

TEST_F(race, objects)
{
	struct t_job jobs[] = {
		job(self, 7, T_BASE), job(self, 7, T_BASE),
		job(self, 3, T_BASE),
	};
	t_work_t works[] = {
		make_address_spaces, make_address_spaces, map_alone,
	};

	t_run(_metadata, works, jobs, 3);
}

/* Two threads that want the same ID gone: one gets it. */
struct destroyer {
	int fd;
	uint32_t id;
	pthread_barrier_t *barrier;
	int err;
};

static void *destroy_once(void *arg)
{
	struct destroyer *d = arg;

	pthread_barrier_wait(d->barrier);
	d->err = t_destroy(d->fd, d->id);
	return NULL;
}

TEST_F(race, destroy_twice)
{
	pthread_barrier_t barrier;
	struct destroyer d[2];
	pthread_t thread[2];
	unsigned int i, round;
	uint32_t ioas;
	bool left;

	for (round = 0; round < 100; round++) {
		ASSERT_EQ(0, t_ioas_alloc(self->fd, &ioas));
		ASSERT_EQ(0, t_map_at(self->fd, ioas, self->buf, T_PAGE,
				      T_BASE));
		pthread_barrier_init(&barrier, NULL, 2);
		for (i = 0; i < 2; i++) {
			d[i] = (struct destroyer) {
				self->fd, ioas, &barrier, 0
			};
			ASSERT_EQ(0, pthread_create(&thread[i], NULL,
						    destroy_once, &d[i]));
		}
		for (i = 0; i < 2; i++) {
			pthread_join(thread[i], NULL);
			/* In use, because the other one is at it */
			EXPECT_TRUE(!d[i].err || d[i].err == ENOENT ||
				    d[i].err == EBUSY)
				TH_LOG("%s", strerror(d[i].err));
		}
		EXPECT_FALSE(!d[0].err && !d[1].err);
		left = d[0].err && d[1].err;
		EXPECT_EQ(left ? 0 : ENOENT, t_destroy(self->fd, ioas));
		pthread_barrier_destroy(&barrier);
	}
}

struct closer {
	int fd;
	uint32_t ioas;
	char *buf;
	size_t length;
	int last;
	unsigned long maps;
};

static void *map_until_closed(void *arg)
{
	struct closer *c = arg;
	uint64_t iova;

	do {
		c->last = t_map_any(c->fd, c->ioas, c->buf, c->length, &iova);
		c->maps += !c->last;
	} while (!c->last);
	return NULL;
}

TEST_F(race, close_while_mapping)
{
	struct closer c[2];
	pthread_t thread[2];
	unsigned int round, i;
	uint32_t ioas;
	int fd;

	for (round = 0; round < 20; round++) {
		/*
		 * A high number that nothing else in this process is given, or
		 * the thread would go on with another file.
		 */
		fd = t_open();
		ASSERT_LE(0, fd);
		ASSERT_EQ(200, dup2(fd, 200));
		close(fd);
		ASSERT_EQ(0, t_ioas_alloc(200, &ioas));
		ASSERT_EQ(0, t_mock(200, ioas, NULL, NULL, NULL));
		for (i = 0; i < 2; i++) {
			c[i] = (struct closer) {
				.fd = 200,
				.ioas = ioas,
				.buf = self->buf,
				.length = self->length,
			};
			ASSERT_EQ(0, pthread_create(&thread[i], NULL,
						    map_until_closed, &c[i]));
		}
		usleep(1000 * (1 + round * 5));
		close(200);
		for (i = 0; i < 2; i++) {
			pthread_join(thread[i], NULL);
			EXPECT_EQ(EBADF, c[i].last);
		}
		ASSERT_EQ(0, t_check_refs(self->fd, self->buf, self->length,
					  0))
			TH_LOG("round %u", round);
	}
}

/*
 * Mappers in processes of their own. Their memory is a memfd, so that the test
 * can see the same pages.
 */
struct shared {
	int memfd;
	char *va;
	size_t length;
};

static bool share(struct shared *s, size_t length)
{
	s->memfd = t_memfd(length);
	s->length = length;
	s->va = s->memfd < 0 ? NULL : t_map_memfd(s->memfd, length);
	if (!s->va)
		return false;
	memset(s->va, 1, length);
	return true;
}

/* A child maps @ioas and is held until told; the write end of the pipe is given. */
static pid_t mapper(int fd, uint32_t ioas, void *va, size_t length, int *hold,
		    const char *exec)
{
	int stop[2], ready[2];
	char byte = 0;
	pid_t pid;

	if (pipe(stop) || pipe(ready))
		return -1;
	/* The next child must not keep this one's pipe open. */
	fcntl(stop[1], F_SETFD, FD_CLOEXEC);
	fcntl(ready[0], F_SETFD, FD_CLOEXEC);
	pid = fork();
	if (!pid) {
		close(stop[1]);
		close(ready[0]);
		if (t_map_at(fd, ioas, va, length, T_BASE))
			_exit(1);
		if (exec) {
			/* What has been mapped is no part of it any more. */
			char number[16];

			snprintf(number, sizeof(number), "%d %d", stop[0],
				 ready[1]);
			setenv("IOMMUFD_EXEC", number, 1);
			execl(exec, exec, NULL);
			_exit(2);
		}
		if (write(ready[1], &byte, 1) != 1)
			_exit(3);
		if (read(stop[0], &byte, 1))
			_exit(4);
		_exit(0);
	}
	close(stop[0]);
	close(ready[1]);
	if (pid > 0 && read(ready[0], &byte, 1) != 1) {
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	close(ready[0]);
	*hold = stop[1];
	return pid;
}

/* Where execl() above ends up, before the harness starts */
static void __attribute__((constructor(101))) executed(void)
{
	const char *number = getenv("IOMMUFD_EXEC");
	int stop, ready;
	char byte = 0;

	if (!number || sscanf(number, "%d %d", &stop, &ready) != 2)
		return;
	if (write(ready, &byte, 1) != 1)
		_exit(5);
	_exit(read(stop, &byte, 1) ? 6 : 0);
}

static void release(struct __test_metadata *_metadata, pid_t pid, int hold)
{
	int status;

	close(hold);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(race, mapper_is_another_process)
{
	struct shared s;
	uint32_t lazy, hwpt;
	pid_t pid;
	int hold;

	ASSERT_TRUE(share(&s, 16 * T_PAGE));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &lazy));
	pid = mapper(self->fd, lazy, s.va, s.length, &hold, NULL);
	ASSERT_LT(0, pid);
	/* Not the same address here, so that memory of the wrong one shows */
	ASSERT_NE(MAP_FAILED, mmap(s.va, s.length, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				   0));
	s.va = t_map_memfd(s.memfd, s.length);
	ASSERT_NE(NULL, s.va);
	EXPECT_EQ(0, t_check_refs(self->fd, s.va, s.length, 0));
	/* Pinned on behalf of a process that does not call */
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, lazy, 0, &hwpt));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, T_BASE, s.length, s.va));
	EXPECT_EQ(0, t_check_refs(self->fd, s.va, s.length, 1));
	release(_metadata, pid, hold);
	/* It is gone and its pages are still there. */
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, T_BASE, s.length, s.va));
	EXPECT_EQ(0, t_check_refs(self->fd, s.va, s.length, 1));
	ASSERT_EQ(0, t_destroy(self->fd, hwpt));
	EXPECT_EQ(0, t_check_refs(self->fd, s.va, s.length, 0));
	/* Nothing new can be had from it. */
	EXPECT_EQ(EFAULT, t_hwpt_alloc(self->fd, self->idev, lazy, 0, &hwpt));
}

TEST_F(race, mapper_execs)
{
	uint32_t lazy, second, hwpt = 0, again = 0;
	struct shared s;
	int hold[2];
	pid_t pid[2];

	ASSERT_TRUE(share(&s, 16 * T_PAGE));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &lazy));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &second));
	pid[0] = mapper(self->fd, lazy, s.va, s.length, &hold[0],
			"/proc/self/exe");
	ASSERT_LT(0, pid[0]);
	/* The process lives, the address space that was meant does not. */
	EXPECT_EQ(EFAULT, t_hwpt_alloc(self->fd, self->idev, lazy, 0, &hwpt));
	EXPECT_EQ(0, t_check_refs(self->fd, s.va, s.length, 0));

	/* With its pages pinned before, a second table is no problem. */
	pid[1] = mapper(self->fd, self->ioas, s.va, s.length, &hold[1],
			"/proc/self/exe");
	ASSERT_LT(0, pid[1]);
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0,
				  &again));
	EXPECT_EQ(0, t_check_map(self->fd, again, T_BASE, s.length, s.va));
	EXPECT_EQ(0, t_check_refs(self->fd, s.va, s.length, 1));
	ASSERT_EQ(0, t_copy_at(self->fd, second, self->ioas, T_BASE, s.length,
			       T_BASE));
	EXPECT_EQ(0, t_hwpt_alloc(self->fd, self->idev, second, 0, &hwpt));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, T_BASE, s.length, s.va));
	release(_metadata, pid[0], hold[0]);
	release(_metadata, pid[1], hold[1]);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, s.va, s.length, 1));
	ASSERT_EQ(0, t_unmap_all(self->fd, second, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, s.va, s.length, 0));
}

TEST_F(race, parent_and_child_map_into_one)
{
	struct shared s;
	pid_t pid;
	int hold;

	ASSERT_TRUE(share(&s, 16 * T_PAGE));
	pid = mapper(self->fd, self->ioas, s.va, s.length, &hold, NULL);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE + s.length));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE, s.length, s.va));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE + s.length,
				 self->length, self->buf));
	release(_metadata, pid, hold);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, s.va, s.length, 0));
}

/*
 * Kills a process in the middle of a MAP too long to be over by then. The file
 * is also open here, so what the MAP did can be looked at: all or nothing.
 */
TEST_F(race, killed_while_mapping)
{
	const unsigned int rounds = 24;
	unsigned int round, whole = 0, none = 0;
	size_t length = 64UL << 20;
	double begin, seconds;
	int status, ready[2];
	struct shared s;
	uint64_t done;
	pid_t pid;
	char byte;

	ASSERT_TRUE(share(&s, length));
	/* How long one takes that is left alone */
	begin = t_seconds();
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, s.va, length, T_BASE));
	seconds = t_seconds() - begin;
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, &done));
	for (round = 0; round < rounds; round++) {
		ASSERT_EQ(0, pipe(ready));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			/* As far as the parent was when it took the time */
			memset(s.va, 1, length);
			if (write(ready[1], "x", 1) != 1)
				_exit(1);
			_exit(t_map_at(self->fd, self->ioas, s.va, length,
				       T_BASE));
		}
		ASSERT_EQ(1, read(ready[0], &byte, 1));
		/* The last one may come to its end. */
		if (round < rounds - 1) {
			usleep(seconds * 1e6 * round / 16);
			kill(pid, SIGKILL);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		close(ready[0]);
		close(ready[1]);
		EXPECT_TRUE(WIFSIGNALED(status) || !WEXITSTATUS(status));
		ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, &done));
		ASSERT_TRUE(!done || done == length)
			TH_LOG("%#lx", (long)done);
		if (done)
			whole++;
		else
			none++;
		ASSERT_EQ(0, t_check_refs(self->fd, s.va, length, 0))
			TH_LOG("round %u", round);
	}
	TH_LOG("%u killed in time, %u too late, %.0f ms for one", none, whole,
	       seconds * 1e3);
	/* The first is killed at once, so the test did test something. */
	EXPECT_LT(0, none);
	EXPECT_LT(0, whole);
}

TEST_F(race, killed_while_others_map)
{
	struct t_job jobs[] = { job(self, 1, T_BASE + 0x10000000) };
	size_t length = 16UL << 20;
	int status, round;
	struct shared s;
	pthread_t thread;
	pid_t pid;

	ASSERT_TRUE(share(&s, length));
	ASSERT_EQ(0, pthread_create(&thread, NULL, map_alone, &jobs[0]));
	for (round = 0; round < 20; round++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			for (;;) {
				if (t_map_at(self->fd, self->ioas, s.va, length,
					     T_BASE) ||
				    t_unmap(self->fd, self->ioas, T_BASE,
					    length, NULL))
					_exit(1);
			}
		}
		usleep(10000 + 3000 * round);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
		status = t_unmap(self->fd, self->ioas, T_BASE, length, NULL);
		EXPECT_TRUE(!status || status == ENOENT);
		ASSERT_EQ(0, t_check_refs(self->fd, s.va, length, 0));
	}
	__atomic_store_n(&self->stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, jobs[0].wrong)
		TH_LOG("%s", jobs[0].where);
}

static void ignore(int signal)
{
	(void)signal;
}

TEST_F(race, signals_that_do_not_kill)
{
	struct sigaction action = { .sa_handler = ignore };
	struct itimerval timer = {
		.it_interval = { .tv_usec = 500 },
		.it_value = { .tv_usec = 500 },
	};
	struct itimerval off = {};
	size_t length = 16UL << 20;
	unsigned int i;
	char *buf;

	buf = t_alloc(length);
	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &timer, NULL));
	/* MAP is not interrupted by them, not even for a restart. */
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(0, t_map_at(self->fd, self->ioas, buf, length,
				      T_BASE));
		EXPECT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, length,
				     NULL));
	}
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &off, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, buf, length, 0));
}

TEST_HARNESS_MAIN
