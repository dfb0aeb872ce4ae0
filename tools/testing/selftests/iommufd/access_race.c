// SPDX-License-Identifier: GPL-2.0-only
/*
 * In-kernel users that pin and copy while mappings, page tables, the users
 * themselves come and go. Whoever pins may be told that there is nothing
 * (ENOENT) or that it is about to go (EINVAL); whoever unmaps is never refused,
 * because the mock lets go when it is told. No page may be a wrong one, and
 * none may stay pinned.
 *
 * userfaultfd holds a pin where it is worst: in the middle.
 */
#include <signal.h>
#include <sys/wait.h>

#include "slow.h"

#define NEEDS_PIN MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES
#define AREAS 8
#define AREA_PAGES 8
#define ITEMS 6

FIXTURE(access_race)
{
	int fd;
	uint32_t ioas, other;
	/* Area n of it is where T_BASE + n * area is mapped to. */
	char *buf;
	size_t length;
	bool stop;
};

FIXTURE_SETUP(access_race)
{
	size_t i;

	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->other));
	self->length = AREAS * AREA_PAGES * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
	for (i = 0; i < self->length; i++)
		self->buf[i] = i * 7 + (i >> 12);
}

FIXTURE_TEARDOWN(access_race)
{
	int fd;

	close(self->fd);
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, self->buf, self->length, 0));
	close(fd);
}

static size_t random_range(struct t_job *job, size_t *at)
{
	size_t area = AREA_PAGES * T_PAGE;

	*at = t_random(&job->seed) % (AREAS * area - 2 * area);
	return 1 + t_random(&job->seed) % (2 * area);
}

static void *pin_and_unpin(void *arg)
{
	bool have[ITEMS] = {};
	uint32_t item[ITEMS];
	struct t_job *job = arg;
	size_t at, length;
	int err, i;

	while (!t_stopped(job)) {
		i = t_random(&job->seed) % ITEMS;
		if (have[i]) {
			/* It may have been taken away. */
			err = t_unpin(job->fd, job->access, item[i]);
			if (err && err != ENOENT)
				t_wrong(job, "unpin", err);
			have[i] = false;
			continue;
		}
		length = random_range(job, &at);
		err = t_pin(job->fd, job->access, T_BASE + at, length,
			    job->buf + at, t_random(&job->seed) & 1, &item[i]);
		have[i] = !err;
		t_expected(job, "pin", err);
	}
	return NULL;
}

/* An access that lives no longer than its pins, which it does not undo */
static void *pin_and_close(void *arg)
{
	struct t_job *job = arg;
	size_t at, length;
	int err, i, access;

	while (!t_stopped(job)) {
		err = t_create_access(job->fd, job->ioas, NEEDS_PIN, &access);
		if (err) {
			t_wrong(job, "create", err);
			break;
		}
		for (i = 0; i < 4; i++) {
			length = random_range(job, &at);
			err = t_pin(job->fd, access, T_BASE + at, length,
				    job->buf + at, 0, NULL);
			if (!t_expected(job, "pin", err))
				break;
		}
		close(access);
	}
	return NULL;
}

static void *copy(void *arg)
{
	size_t area = AREA_PAGES * T_PAGE, at, length;
	struct t_job *job = arg;
	char *data = malloc(2 * area);
	uint32_t flags;
	int err;

	while (!t_stopped(job)) {
		length = random_range(job, &at);
		flags = t_random(&job->seed) & 1 ? MOCK_ACCESS_RW_SLOW_PATH : 0;
		if (t_random(&job->seed) & 1) {
			/* Writes what is there. */
			err = t_access_rw(job->fd, job->access, T_BASE + at,
					  job->buf + at, length,
					  flags | MOCK_ACCESS_RW_WRITE);
			t_expected(job, "write", err);
			continue;
		}
		err = t_access_rw(job->fd, job->access, T_BASE + at, data,
				  length, flags);
		if (!t_expected(job, "read", err))
			break;
		if (!err && memcmp(data, job->buf + at, length))
			t_wrong(job, "what was read", 0);
	}
	free(data);
	return NULL;
}

/* The only one who maps in @ioas, so nothing may ever fail. */
static void *map_and_unmap(void *arg)
{
	size_t area = AREA_PAGES * T_PAGE;
	bool mapped[AREAS] = {};
	struct t_job *job = arg;
	uint64_t done, want;
	int err, i;

	while (!t_stopped(job)) {
		i = t_random(&job->seed) % (AREAS + 1);
		if (i == AREAS) {
			for (want = 0, i = 0; i < AREAS; i++) {
				want += mapped[i] * area;
				mapped[i] = false;
			}
			err = t_unmap_all(job->fd, job->ioas, &done);
			if (err || done != want)
				t_wrong(job, "unmap all", err);
			continue;
		}
		if (mapped[i]) {
			err = t_unmap(job->fd, job->ioas, T_BASE + i * area,
				      area, &done);
			if (err || done != area)
				t_wrong(job, "unmap", err);
		} else {
			err = t_map_at(job->fd, job->ioas, job->buf + i * area,
				       area, T_BASE + i * area);
			if (err)
				t_wrong(job, "map", err);
		}
		mapped[i] = !mapped[i];
		job->done++;
	}
	return NULL;
}

static void *attach_and_detach(void *arg)
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
		err = t_destroy(job->fd, stdev);
		if (err)
			t_wrong(job, "detach", err);
		job->done++;
	}
	return NULL;
}

static void *move(void *arg)
{
	struct t_job *job = arg;
	uint32_t to;
	int err;

	while (!t_stopped(job)) {
		to = t_random(&job->seed) & 1 ? job->ioas : job->other;
		err = t_access_replace(job->fd, job->access, to);
		if (err)
			t_wrong(job, "replace", err);
		job->done++;
	}
	return NULL;
}

static void run(struct __test_metadata *_metadata,
		struct _test_data_access_race *self, const t_work_t *work,
		struct t_job *jobs, unsigned int n)
{
	uint64_t seed = time(NULL);
	unsigned int i;

	TH_LOG("seed %#llx", (unsigned long long)seed);
	for (i = 0; i < n; i++) {
		jobs[i].fd = self->fd;
		jobs[i].ioas = self->ioas;
		jobs[i].other = self->other;
		jobs[i].buf = self->buf;
		jobs[i].seed = (seed + i) * 2 + 1;
		jobs[i].stop = &self->stop;
	}
	t_run(_metadata, work, jobs, n);
}

TEST_F(access_race, pin_while_unmapped)
{
	static const t_work_t work[] = { pin_and_unpin, map_and_unmap };
	struct t_job jobs[2] = {};

	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN,
				     &jobs[0].access));
	run(_metadata, self, work, jobs, 2);
	close(jobs[0].access);
}

TEST_F(access_race, pin_while_unmapped_with_domain)
{
	static const t_work_t work[] = { pin_and_unpin, map_and_unmap };
	struct t_job jobs[2] = {};

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, NULL, NULL, NULL));
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN,
				     &jobs[0].access));
	run(_metadata, self, work, jobs, 2);
	close(jobs[0].access);
}

TEST_F(access_race, several_who_pin)
{
	static const t_work_t work[] = {
		pin_and_unpin, pin_and_unpin, pin_and_close, map_and_unmap
	};
	struct t_job jobs[4] = {};

	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN,
				     &jobs[0].access));
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN,
				     &jobs[1].access));
	run(_metadata, self, work, jobs, 4);
	close(jobs[0].access);
	close(jobs[1].access);
}

TEST_F(access_race, pin_while_domains_come)
{
	static const t_work_t work[] = {
		pin_and_unpin, copy, attach_and_detach, map_and_unmap
	};
	struct t_job jobs[4] = {};

	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN,
				     &jobs[0].access));
	jobs[1].access = jobs[0].access;
	run(_metadata, self, work, jobs, 4);
	close(jobs[0].access);
}

TEST_F(access_race, copy_while_unmapped)
{
	static const t_work_t work[] = { copy, copy, map_and_unmap };
	struct t_job jobs[3] = {};

	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, 0,
				     &jobs[0].access));
	jobs[1].access = jobs[0].access;
	run(_metadata, self, work, jobs, 3);
	close(jobs[0].access);
}

TEST_F(access_race, pin_while_moved)
{
	static const t_work_t work[] = {
		pin_and_unpin, copy, move, map_and_unmap
	};
	struct t_job jobs[4] = {};
	unsigned int i;

	/* The same memory at the same IOVAs there, and it stays. */
	ASSERT_EQ(0, t_map_at(self->fd, self->other, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN,
				     &jobs[0].access));
	for (i = 1; i < 3; i++)
		jobs[i].access = jobs[0].access;
	run(_metadata, self, work, jobs, 4);
	close(jobs[0].access);
}

struct call {
	int fd, access;
	uint32_t ioas, item;
	uint64_t iova, length;
	uint32_t flags;
	int err;
	bool done;
	pthread_t thread;
};

static void *call_pin(void *arg)
{
	struct call *c = arg;

	c->err = t_pin(c->fd, c->access, c->iova, c->length, NULL, 0, &c->item);
	__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void *call_unmap(void *arg)
{
	struct call *c = arg;

	c->err = t_unmap(c->fd, c->ioas, c->iova, c->length, NULL);
	__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void *call_replace(void *arg)
{
	struct call *c = arg;

	c->err = t_access_replace(c->fd, c->access, c->ioas);
	__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool is_done(struct call *c)
{
	return __atomic_load_n(&c->done, __ATOMIC_ACQUIRE);
}

TEST_F(access_race, unmap_meets_a_slow_pin)
{
	struct call pin = {}, unmap;
	struct slow slow;
	uint64_t far = T_BASE + 0x1000000;
	uint32_t item;
	int second, err;

	err = slow_init(&slow, 4 * T_PAGE);
	if (err == SLOW_ABSENT)
		SKIP(return, "kernel without userfaultfd");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, slow.va, slow.length,
			      T_BASE));
	pin.fd = self->fd;
	pin.ioas = self->ioas;
	pin.iova = T_BASE;
	pin.length = slow.length;
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN,
				     &pin.access));
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN, &second));
	unmap = pin;
	ASSERT_EQ(0, pthread_create(&pin.thread, NULL, call_pin, &pin));
	ASSERT_TRUE(slow_wanted(&slow));

	/* Nobody else has to wait for it, unless it had to be told. */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      far));
	ASSERT_EQ(0, t_pin(self->fd, second, far, self->length, self->buf, 0,
			   &item));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 1));
	ASSERT_EQ(0, t_unpin(self->fd, second, item));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, far, self->length, NULL));

	ASSERT_EQ(0, pthread_create(&unmap.thread, NULL, call_unmap, &unmap));
	usleep(300000);
	EXPECT_FALSE(is_done(&pin));
	EXPECT_FALSE(is_done(&unmap));
	/* It is on its way out: no new pins, no copy, and no second UNMAP. */
	EXPECT_EQ(EINVAL, t_pin(self->fd, second, T_BASE, T_PAGE, NULL, 0,
				NULL));
	EXPECT_EQ(EINVAL, t_access_rw(self->fd, second, T_BASE, self->buf, 1,
				      0));
	EXPECT_EQ(EBUSY, t_unmap(self->fd, self->ioas, T_BASE, slow.length,
				 NULL));
	EXPECT_EQ(EEXIST, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
				   T_BASE));
	ASSERT_TRUE(slow_come(&slow));
	pthread_join(pin.thread, NULL);
	pthread_join(unmap.thread, NULL);
	/* The pin was first, and was taken away again. */
	EXPECT_EQ(0, pin.err);
	EXPECT_EQ(0, unmap.err);
	EXPECT_EQ(ENOENT, t_unpin(self->fd, pin.access, pin.item));
	EXPECT_EQ(0, t_check_refs(self->fd, slow.va, slow.length, 0));
	EXPECT_EQ(ENOENT, t_unmap(self->fd, self->ioas, T_BASE, slow.length,
				  NULL));
	close(pin.access);
	close(second);
}

/* A pin that waits, and then finds that its last page can't be had */
TEST_F(access_race, unmap_meets_a_pin_that_fails)
{
	struct call pin, unmap;
	unsigned int round;
	struct slow slow;
	int second, err;

	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN, &second));
	for (round = 0; round < 20; round++) {
		err = slow_init(&slow, 4 * T_PAGE);
		if (err == SLOW_ABSENT)
			SKIP(return, "kernel without userfaultfd");
		ASSERT_EQ(0, err);
		pin = (struct call) {
			.fd = self->fd,
			.ioas = self->ioas,
			.iova = T_BASE,
			.length = slow.length,
		};
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas, slow.va,
				      slow.length, T_BASE));
		ASSERT_EQ(0, munmap(slow.va + 3 * T_PAGE, T_PAGE));
		slow.length -= T_PAGE;
		ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN,
					     &pin.access));
		unmap = pin;
		ASSERT_EQ(0, pthread_create(&pin.thread, NULL, call_pin, &pin));
		ASSERT_TRUE(slow_wanted(&slow));
		ASSERT_EQ(0, pthread_create(&unmap.thread, NULL, call_unmap,
					    &unmap));
		/* Once the area is closed the unmap waits for the pin. */
		while (t_access_rw(self->fd, second, T_BASE + 3 * T_PAGE,
				   self->buf, 1, 0) != EINVAL)
			ASSERT_FALSE(is_done(&unmap));
		EXPECT_FALSE(is_done(&pin));
		EXPECT_FALSE(is_done(&unmap));
		ASSERT_TRUE(slow_come(&slow));
		pthread_join(pin.thread, NULL);
		pthread_join(unmap.thread, NULL);
		ASSERT_EQ(EFAULT, pin.err);
		ASSERT_EQ(0, unmap.err);
		EXPECT_EQ(0, t_check_refs(self->fd, slow.va, slow.length, 0));
		EXPECT_EQ(ENOENT, t_unmap(self->fd, self->ioas, T_BASE,
					  4 * T_PAGE, NULL));
		close(pin.access);
		close(slow.uffd);
		munmap(slow.va, slow.length);
	}
	close(second);
}

/* The first pages are pinned and the last is not there. */
static void *pin_in_vain(void *arg)
{
	struct t_job *job = arg;
	int err;

	while (!t_stopped(job)) {
		err = t_pin(job->fd, job->access, job->base, 2 * T_PAGE, NULL,
			    0, NULL);
		if (err == EFAULT)
			job->done++;
		else if (err == ENOENT || err == EINVAL)
			job->refused++;
		else
			t_wrong(job, "pin", err);
	}
	return NULL;
}

static void *map_in_vain(void *arg)
{
	struct t_job *job = arg;
	int err;

	while (!t_stopped(job)) {
		err = t_map_at(job->fd, job->ioas, job->buf, 2 * T_PAGE,
			       job->base);
		if (!err) {
			/* Let it be found. */
			usleep(t_random(&job->seed) % 2000);
			err = t_unmap(job->fd, job->ioas, job->base, 2 * T_PAGE,
				      NULL);
		}
		if (err)
			t_wrong(job, "map or unmap", err);
		job->done++;
	}
	return NULL;
}

TEST_F(access_race, failing_pins_while_unmapped)
{
	static const t_work_t work[] = {
		pin_in_vain, pin_in_vain, pin_in_vain, map_in_vain
	};
	struct t_job jobs[4] = {};
	unsigned int i;
	char *va;

	va = t_alloc(2 * T_PAGE);
	ASSERT_NE(NULL, va);
	ASSERT_EQ(0, munmap(va + T_PAGE, T_PAGE));
	for (i = 0; i < 4; i++) {
		jobs[i].fd = self->fd;
		jobs[i].ioas = self->ioas;
		jobs[i].base = T_BASE;
		jobs[i].buf = va;
		jobs[i].seed = i + 1;
		jobs[i].stop = &self->stop;
	}
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN,
					     &jobs[i].access));
	t_run(_metadata, work, jobs, 4);
	for (i = 0; i < 3; i++)
		close(jobs[i].access);
	EXPECT_EQ(0, t_check_refs(self->fd, va, T_PAGE, 0));
	munmap(va, T_PAGE);
}

TEST_F(access_race, move_meets_a_slow_pin)
{
	struct call pin = {}, replace;
	struct slow slow;
	int err;

	err = slow_init(&slow, 4 * T_PAGE);
	if (err == SLOW_ABSENT)
		SKIP(return, "kernel without userfaultfd");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, slow.va, slow.length,
			      T_BASE));
	pin.fd = self->fd;
	pin.ioas = self->other;
	pin.iova = T_BASE;
	pin.length = slow.length;
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN,
				     &pin.access));
	replace = pin;
	ASSERT_EQ(0, pthread_create(&pin.thread, NULL, call_pin, &pin));
	ASSERT_TRUE(slow_wanted(&slow));
	ASSERT_EQ(0, pthread_create(&replace.thread, NULL, call_replace,
				    &replace));
	usleep(300000);
	EXPECT_FALSE(is_done(&pin));
	EXPECT_FALSE(is_done(&replace));
	ASSERT_TRUE(slow_come(&slow));
	pthread_join(pin.thread, NULL);
	pthread_join(replace.thread, NULL);
	EXPECT_EQ(0, pin.err);
	EXPECT_EQ(0, replace.err);
	EXPECT_EQ(ENOENT, t_unpin(self->fd, pin.access, pin.item));
	EXPECT_EQ(0, t_check_refs(self->fd, slow.va, slow.length, 0));
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
	close(pin.access);
}

/* The child is stuck in its own memory, and then killed there. */
static void kill_in_the_middle(struct __test_metadata *_metadata,
			       struct _test_data_access_race *self,
			       uint32_t rw_flags, bool rw)
{
	struct call unmap = {};
	int status, ready[2];
	struct slow slow;
	char data[64], byte;
	pid_t pid;
	int access;

	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN, &access));
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int err = slow_init(&slow, 4 * T_PAGE);

		if (err)
			_exit(err);
		if (t_map_at(self->fd, self->ioas, slow.va, slow.length,
			     T_BASE))
			_exit(1);
		if (write(ready[1], "x", 1) != 1)
			_exit(2);
		if (rw)
			t_access_rw(self->fd, access, T_BASE, data, 64,
				    rw_flags);
		else
			t_pin(self->fd, access, T_BASE, slow.length, NULL, 0,
			      NULL);
		_exit(3);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFEXITED(status));
		if (WEXITSTATUS(status) == SLOW_ABSENT)
			SKIP(return, "kernel without userfaultfd");
		ASSERT_EQ(0, WEXITSTATUS(status));
	}
	usleep(500000);
	unmap.fd = self->fd;
	unmap.ioas = self->ioas;
	unmap.iova = T_BASE;
	unmap.length = 4 * T_PAGE;
	ASSERT_EQ(0, pthread_create(&unmap.thread, NULL, call_unmap, &unmap));
	usleep(300000);
	EXPECT_FALSE(is_done(&unmap));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status))
		TH_LOG("child: %d", WEXITSTATUS(status));
	pthread_join(unmap.thread, NULL);
	EXPECT_EQ(0, unmap.err);
	EXPECT_EQ(ENOENT, t_unpin(self->fd, access, 0));
	/* The access is none the worse. */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	EXPECT_EQ(0, t_pin(self->fd, access, T_BASE, self->length, self->buf, 0,
			   NULL));
	close(access);
	close(ready[0]);
}

TEST_F(access_race, killed_in_a_pin)
{
	kill_in_the_middle(_metadata, self, 0, false);
}

TEST_F(access_race, killed_in_a_copy_by_address)
{
	kill_in_the_middle(_metadata, self, 0, true);
}

TEST_F(access_race, killed_in_a_copy_by_page)
{
	kill_in_the_middle(_metadata, self, MOCK_ACCESS_RW_SLOW_PATH, true);
}

TEST_F(access_race, killed_while_pinning)
{
	int status, memfd, access, round;
	size_t length = T_ACCESS_MAX;
	uint32_t item;
	pid_t pid;
	char *va;

	memfd = t_memfd(length);
	ASSERT_LE(0, memfd);
	va = t_map_memfd(memfd, length);
	ASSERT_NE(NULL, va);
	memset(va, 1, length);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, length, T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN, &access));
	/* Many small pieces, so that the signal comes between two of them */
	ASSERT_EQ(0, t_temp_limit(self->fd, 64));
	for (round = 0; round < 10; round++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			while (!t_pin(self->fd, access, T_BASE, length, NULL, 0,
				      &item) &&
			       !t_unpin(self->fd, access, item))
				;
			_exit(1);
		}
		usleep(20000 + 7000 * round);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
		/* It may have left a whole pin, but not a part of one. */
		if (t_check_refs(self->fd, va, length, 0))
			ASSERT_EQ(0, t_check_refs(self->fd, va, length, 1))
				TH_LOG("round %d", round);
		ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, length,
				     NULL));
		ASSERT_EQ(0, t_check_refs(self->fd, va, length, 0));
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, length,
				      T_BASE));
	}
	t_temp_limit(self->fd, T_TEMP_LIMIT_DEFAULT);
	close(access);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	munmap(va, length);
	close(memfd);
}

TEST_F(access_race, close_while_pinning)
{
	struct t_job job = {
		.fd = self->fd,
		.ioas = self->ioas,
		.buf = self->buf,
		.stop = &self->stop,
	};
	unsigned int round;

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	/* The descriptor goes under a thread that uses it. */
	for (round = 0; round < 20; round++) {
		job.seed = round + 1;
		job.wrong = 0;
		ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN,
					     &job.access));
		ASSERT_EQ(0, pthread_create(&job.thread, NULL, pin_and_unpin,
					    &job));
		usleep(3000 * round);
		close(job.access);
		pthread_join(job.thread, NULL);
		ASSERT_EQ(EBADFD, job.wrong)
			TH_LOG("%s", job.where);
		ASSERT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0))
			TH_LOG("round %u", round);
	}
	EXPECT_LT(0, job.done);
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
}

TEST_HARNESS_MAIN
