// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_IOAS_CHANGE_PROCESS: what one process has pinned becomes another's.
 *
 * Process A maps, process B takes over. They differ in user and cgroup, so that
 * every counter there is has to move.
 */
#include <pthread.h>

#include "actor.h"

#define PAGES 16
#define A 0
#define B 1
#define UID_A 4242
#define UID_B 4343

enum mode { USER, PROCESS, FILE_MODE, NONE };

FIXTURE(change)
{
	int fd, memfd, access;
	uint32_t ioas, lazy, stdev, hwpt, idev;
	pid_t a, b;
	char *alias;
	size_t length;
};

FIXTURE_VARIANT(change)
{
	enum mode mode;
};

FIXTURE_VARIANT_ADD(change, user)
{
	.mode = USER,
};

FIXTURE_VARIANT_ADD(change, process)
{
	.mode = PROCESS,
};

FIXTURE_VARIANT_ADD(change, file)
{
	.mode = FILE_MODE,
};

FIXTURE_VARIANT_ADD(change, none)
{
	.mode = NONE,
};

/* Puts an actor into its place: a cgroup, a user, or with all privileges. */
static int place(unsigned int nr, enum mode mode, uid_t uid)
{
	return ACTOR(nr, .op = ACTOR_GROUP, .id = nr, .id2 = getpid()) ?:
	       ACTOR(nr, .op = ACTOR_MEMLOCK, .length = 1 << 30) ?:
	       (mode == NONE ? 0 : ACTOR(nr, .op = ACTOR_SETUID, .id = uid));
}

FIXTURE_SETUP(change)
{
	uint64_t mode = variant->mode;
	unsigned int i;

	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	for (i = 0; i < 2; i++)
		if (t_cgroup_make(i))
			SKIP(return, T_NO_DMEM);
	if (mode != NONE)
		ASSERT_EQ(0, t_option(self->fd, IOMMU_X_OPTION_ACCOUNT_MODE,
				      IOMMU_OPTION_OP_SET, 0, &mode));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->lazy));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev, &self->hwpt,
			    &self->idev));
	ASSERT_EQ(0, t_create_access(self->fd, self->lazy,
				     MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES,
				     &self->access));
	self->length = PAGES * T_PAGE;
	self->memfd = t_memfd(self->length);
	ASSERT_LE(0, self->memfd);
	self->alias = t_map_memfd(self->memfd, self->length);
	ASSERT_NE(NULL, self->alias);
	memset(self->alias, 1, self->length);
	ASSERT_TRUE(actors_init());
	self->a = actor_start(A);
	self->b = actor_start(B);
	ASSERT_LE(0, self->a);
	ASSERT_LE(0, self->b);
	ASSERT_EQ(0, place(A, variant->mode, UID_A));
	ASSERT_EQ(0, place(B, variant->mode, UID_B));
}

FIXTURE_TEARDOWN(change)
{
	unsigned int tries;

	if (!self->a)
		return;
	close(self->access);
	if (t_status_kb(self->a, "VmPin") >= 0)
		EXPECT_TRUE(actor_end(A, self->a));
	if (t_status_kb(self->b, "VmPin") >= 0)
		EXPECT_TRUE(actor_end(B, self->b));
	close(self->fd);
	/* An actor closes its files a moment after its memory is gone. */
	self->fd = t_open();
	for (tries = 0; tries < 500 && t_check_refs(self->fd, self->alias,
						    self->length, 0); tries++)
		usleep(10000);
	EXPECT_EQ(0, t_check_refs(self->fd, self->alias, self->length, 0));
	close(self->fd);
	EXPECT_EQ(0, t_cgroup_pinned(0));
	EXPECT_EQ(0, t_cgroup_pinned(1));
	EXPECT_EQ(0, t_cgroup_remove(0));
	EXPECT_EQ(0, t_cgroup_remove(1));
}

/* Pages that actor @nr's user or file has left of its limit of 1 GiB, used. */
static long used(unsigned int nr, int fd)
{
	uint64_t budget = 0;

	int err = ACTOR_VALUE(nr, &budget, .op = ACTOR_BUDGET, .fd = fd);

	return err || budget == UINT64_MAX ? -1 : (1L << 30) - (long)budget;
}

/*
 * Actor @nr, which runs as process @pid, pays for @n pages, in the counter of
 * the mode, in VmPin and in its cgroup, and in no other.
 */
#define EXPECT_PAYS(nr, pid, n)                                             \
	do {                                                                \
		long bytes_ = (n) * (long)T_PAGE;                           \
		unsigned int nr_ = (nr);                                    \
		pid_t payer_ = (pid);                                       \
									    \
		EXPECT_EQ(bytes_ / 1024, t_status_kb(payer_, "VmPin"));     \
		EXPECT_EQ(variant->mode == PROCESS ? bytes_ / 1024 : 0,     \
			  t_status_kb(payer_, "VmLck"));                    \
		if (variant->mode == USER)                                  \
			EXPECT_EQ(bytes_, used(nr_, self->fd));             \
		EXPECT_EQ(bytes_, t_cgroup_pinned(nr_));                    \
	} while (0)

#define MAP_FILE_BY(nr, ioas_, at, npages)                                   \
	ACTOR(nr, .op = ACTOR_MAP_FILE, .fd = self->fd, .id = ioas_,         \
	      .id2 = self->memfd, .iova = at, .length = (npages) * T_PAGE)

#define CHANGE(nr) ACTOR(nr, .op = ACTOR_CHANGE, .fd = self->fd)

TEST_F(change, everything_moves)
{
	ASSERT_EQ(0, MAP_FILE_BY(A, self->ioas, T_BASE, PAGES));
	ASSERT_EQ(0, MAP_FILE_BY(A, self->ioas, T_BASE + T_PMD, 3));
	EXPECT_PAYS(A, self->a, PAGES + 3);
	EXPECT_PAYS(B, self->b, 0);
	ASSERT_EQ(0, CHANGE(B));
	EXPECT_PAYS(A, self->a, 0);
	EXPECT_PAYS(B, self->b, PAGES + 3);
	if (variant->mode == FILE_MODE)
		EXPECT_EQ((PAGES + 3) * (long)T_PAGE, used(B, self->fd));
	/* The device saw nothing of it. */
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE, self->length,
				 self->alias));
	EXPECT_EQ(0, t_check_refs(self->fd, self->alias, 3 * T_PAGE, 2));
	/* Who maps now pays for itself, whoever took over before. */
	ASSERT_EQ(0, MAP_FILE_BY(A, self->ioas, T_BASE + 2 * T_PMD, 2));
	EXPECT_PAYS(A, self->a, 2);
	ASSERT_EQ(0, CHANGE(A));
	EXPECT_PAYS(A, self->a, PAGES + 5);
	EXPECT_PAYS(B, self->b, 0);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_PAYS(A, self->a, 0);
	EXPECT_PAYS(B, self->b, 0);
}

TEST_F(change, later_pins_are_the_new_ones)
{
	uint32_t hwpt, item;

	ASSERT_EQ(0, MAP_FILE_BY(A, self->lazy, T_BASE, PAGES));
	ASSERT_EQ(0, t_pin(self->fd, self->access, T_BASE, 2 * T_PAGE, NULL, 0,
			   &item));
	EXPECT_EQ(2 * (long)T_PAGE / 1024, t_status_kb(self->a, "VmPin"));
	ASSERT_EQ(0, CHANGE(B));
	EXPECT_PAYS(A, self->a, 0);
	EXPECT_PAYS(B, self->b, 2);
	/* By B itself, so that its cgroup pays. */
	ASSERT_EQ(0, ACTOR(B, .op = ACTOR_PIN, .fd = self->fd,
			   .id = self->access, .iova = T_BASE + 8 * T_PAGE,
			   .length = T_PAGE));
	EXPECT_PAYS(B, self->b, 3);
	ASSERT_EQ(0, t_unpin(self->fd, self->access, item));
	EXPECT_PAYS(A, self->a, 0);
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0, &hwpt));
	EXPECT_EQ(PAGES * (long)T_PAGE / 1024, t_status_kb(self->b, "VmPin"));
	ASSERT_EQ(0, t_destroy(self->fd, hwpt));
	EXPECT_EQ((long)T_PAGE / 1024, t_status_kb(self->b, "VmPin"));
}

/* Behind several areas, of several address spaces: it is moved once. */
TEST_F(change, copies)
{
	ASSERT_EQ(0, MAP_FILE_BY(A, self->ioas, T_BASE, PAGES));
	ASSERT_EQ(0, t_copy_at(self->fd, self->lazy, self->ioas, T_BASE,
			       self->length, T_BASE));
	ASSERT_EQ(0, t_copy_at(self->fd, self->ioas, self->ioas, T_BASE,
			       4 * T_PAGE, T_BASE + T_PMD));
	ASSERT_EQ(0, CHANGE(B));
	EXPECT_PAYS(A, self->a, 0);
	EXPECT_PAYS(B, self->b, PAGES);
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, self->length, NULL));
	EXPECT_EQ(4 * (long)T_PAGE / 1024, t_status_kb(self->b, "VmPin"));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_PAYS(B, self->b, 0);
}

TEST_F(change, nothing_to_change)
{
	int fd = t_open();

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, t_change_process(fd));
	close(fd);
	EXPECT_EQ(0, CHANGE(B));
	EXPECT_PAYS(B, self->b, 0);
}

TEST_F(change, arguments)
{
	struct iommu_ioas_change_process cmd = { .size = sizeof(cmd) };

	cmd.__reserved = 1;
	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_IOAS_CHANGE_PROCESS,
				     &cmd));
	cmd.__reserved = 0;
	cmd.size = 4;
	EXPECT_EQ(EINVAL, t_call(self->fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd));
}

/* Memory of a process, pinned or not, anywhere in the context */
TEST_F(change, memory_of_a_process)
{
	uint32_t other;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &other));
	ASSERT_EQ(0, MAP_FILE_BY(A, self->ioas, T_BASE, PAGES));
	ASSERT_EQ(0, ACTOR(A, .op = ACTOR_MAP, .fd = self->fd, .id = other,
			   .iova = T_BASE, .length = T_PAGE));
	EXPECT_EQ(EINVAL, CHANGE(B));
	EXPECT_PAYS(A, self->a, PAGES);
	EXPECT_PAYS(B, self->b, 0);
	/* Also where the limit would not allow it, and for who pays anyway. */
	ASSERT_EQ(0, t_cgroup_limit(B, 0));
	EXPECT_EQ(EINVAL, CHANGE(B));
	EXPECT_EQ(EINVAL, CHANGE(A));
	ASSERT_EQ(0, t_destroy(self->fd, other));
	EXPECT_EQ(ENOMEM, CHANGE(B));
	EXPECT_EQ(0, CHANGE(A));
	EXPECT_PAYS(A, self->a, PAGES);
	EXPECT_PAYS(B, self->b, 0);
}

/* Over the limit: nothing has changed, for none of several. */
TEST_F(change, limit)
{
	int over = variant->mode == USER || variant->mode == PROCESS ? ENOMEM :
								       0;

	ASSERT_EQ(0, MAP_FILE_BY(A, self->ioas, T_BASE, 8));
	ASSERT_EQ(0, MAP_FILE_BY(A, self->ioas, T_BASE + T_PMD, 8));
	ASSERT_EQ(0, MAP_FILE_BY(A, self->lazy, T_BASE, 8));
	ASSERT_EQ(0, ACTOR(B, .op = ACTOR_MEMLOCK, .length = 16 * T_PAGE - 1));
	EXPECT_EQ(over, CHANGE(B));
	ASSERT_EQ(0, ACTOR(B, .op = ACTOR_MEMLOCK, .length = 1 << 30));
	if (over) {
		EXPECT_PAYS(A, self->a, 16);
		EXPECT_PAYS(B, self->b, 0);
		ASSERT_EQ(0, ACTOR(B, .op = ACTOR_MEMLOCK,
				   .length = 16 * T_PAGE));
		EXPECT_EQ(0, CHANGE(B));
		ASSERT_EQ(0, ACTOR(B, .op = ACTOR_MEMLOCK, .length = 1 << 30));
	}
	EXPECT_PAYS(A, self->a, 0);
	EXPECT_PAYS(B, self->b, 16);
}

TEST_F(change, limit_of_the_cgroup)
{
	ASSERT_EQ(0, MAP_FILE_BY(A, self->ioas, T_BASE, 8));
	ASSERT_EQ(0, MAP_FILE_BY(A, self->ioas, T_BASE + T_PMD, 8));
	ASSERT_EQ(0, t_cgroup_limit(B, 15 * T_PAGE));
	EXPECT_EQ(ENOMEM, CHANGE(B));
	EXPECT_PAYS(A, self->a, 16);
	EXPECT_PAYS(B, self->b, 0);
	ASSERT_EQ(0, t_cgroup_limit(B, 16 * T_PAGE));
	EXPECT_EQ(0, CHANGE(B));
	EXPECT_PAYS(A, self->a, 0);
	EXPECT_PAYS(B, self->b, 16);
}

/* Counters that are the same for both are not charged again. */
TEST_F(change, limit_that_is_used_up)
{
	ASSERT_EQ(0, ACTOR(A, .op = ACTOR_MEMLOCK, .length = PAGES * T_PAGE));
	ASSERT_EQ(0, t_cgroup_limit(A, PAGES * T_PAGE));
	ASSERT_EQ(0, MAP_FILE_BY(A, self->ioas, T_BASE, PAGES));
	EXPECT_EQ(0, CHANGE(A));
	/* A child: another mm, of the same user and cgroup */
	ASSERT_EQ(0, ACTOR(A, .op = ACTOR_FORK, .id = 2));
	EXPECT_EQ(0, ACTOR(2, .op = ACTOR_CHANGE, .fd = self->fd));
	EXPECT_EQ(0, t_status_kb(self->a, "VmPin"));
	EXPECT_EQ(0, t_status_kb(self->a, "VmLck"));
	EXPECT_EQ(PAGES * (long)T_PAGE, t_cgroup_pinned(A));
	EXPECT_EQ(0, CHANGE(A));
	actor_tell(2, (struct actor_order){ .op = ACTOR_EXIT });
	ASSERT_EQ(0, ACTOR(A, .op = ACTOR_MEMLOCK, .length = 1 << 30));
	EXPECT_PAYS(A, self->a, PAGES);
}

TEST_F(change, the_old_one_is_gone)
{
	ASSERT_EQ(0, MAP_FILE_BY(A, self->ioas, T_BASE, PAGES));
	ASSERT_EQ(0, MAP_FILE_BY(A, self->lazy, T_BASE, PAGES));
	ASSERT_TRUE(actor_end(A, self->a));
	ASSERT_EQ(0, CHANGE(B));
	EXPECT_PAYS(B, self->b, PAGES);
	EXPECT_EQ(0, t_cgroup_pinned(A));
	/* Which could not pay for more any longer; this one can. */
	ASSERT_EQ(0, ACTOR(B, .op = ACTOR_PIN, .fd = self->fd,
			   .id = self->access, .iova = T_BASE,
			   .length = self->length));
	EXPECT_PAYS(B, self->b, 2 * PAGES);
}

TEST_F(change, the_new_one_goes_too)
{
	ASSERT_EQ(0, MAP_FILE_BY(A, self->ioas, T_BASE, PAGES));
	ASSERT_EQ(0, CHANGE(B));
	ASSERT_EQ(0, ACTOR(B, .op = ACTOR_EXEC));
	/* Its memory is another now, the debt is not forgotten for all that. */
	EXPECT_EQ(0, t_status_kb(self->b, "VmPin"));
	EXPECT_EQ(PAGES * (long)T_PAGE, t_cgroup_pinned(B));
	ASSERT_TRUE(actor_end(B, self->b));
	EXPECT_EQ(PAGES * (long)T_PAGE, t_cgroup_pinned(B));
	ASSERT_EQ(0, CHANGE(A));
	EXPECT_PAYS(A, self->a, PAGES);
	EXPECT_EQ(0, t_cgroup_pinned(B));
}

/*
 * Against everything that makes mappings and pins come and go. What is left in
 * the end has one payer.
 */
struct racer {
	int fd, memfd, access;
	uint32_t ioas, lazy, idev;
	bool stop;
	unsigned int done[4];
	int odd;
};

#define RACING(r) (!__atomic_load_n(&(r)->stop, __ATOMIC_RELAXED))

static void expect(struct racer *r, int err, int other)
{
	if (err && err != other)
		__atomic_store_n(&r->odd, err, __ATOMIC_RELAXED);
}

static void *race_map(void *arg)
{
	struct racer *r = arg;
	uint64_t iova = T_BASE + 4 * T_PMD;

	while (RACING(r)) {
		expect(r, t_map_file_at(r->fd, r->ioas, r->memfd, 0, 4 * T_PAGE,
					iova), 0);
		expect(r, t_unmap(r->fd, r->ioas, iova, 4 * T_PAGE, NULL), 0);
		r->done[0]++;
	}
	return NULL;
}

static void *race_copy(void *arg)
{
	struct racer *r = arg;

	while (RACING(r)) {
		expect(r, t_copy_at(r->fd, r->lazy, r->ioas, T_BASE, T_PAGE,
				    T_BASE + 4 * T_PMD), 0);
		expect(r, t_unmap(r->fd, r->lazy, T_BASE + 4 * T_PMD, T_PAGE,
				  NULL), 0);
		r->done[1]++;
	}
	return NULL;
}

static void *race_pin(void *arg)
{
	struct racer *r = arg;
	uint32_t item;

	while (RACING(r)) {
		/* EINVAL: the payer has exited */
		int err = t_pin(r->fd, r->access, T_BASE, 4 * T_PAGE, NULL, 0,
				&item);

		expect(r, err, EINVAL);
		if (!err)
			expect(r, t_unpin(r->fd, r->access, item), 0);
		r->done[2]++;
	}
	return NULL;
}

static void *race_attach(void *arg)
{
	struct racer *r = arg;
	uint32_t hwpt;

	while (RACING(r)) {
		int err = t_hwpt_alloc(r->fd, r->idev, r->lazy, 0, &hwpt);

		expect(r, err, EINVAL);
		if (!err)
			expect(r, t_destroy(r->fd, hwpt), 0);
		r->done[3]++;
	}
	return NULL;
}

TEST_F(change, race)
{
	void *(*const fn[4])(void *) = {
		race_map, race_copy, race_pin, race_attach,
	};
	struct racer r = {
		.fd = self->fd,
		.memfd = self->memfd,
		.access = self->access,
		.ioas = self->ioas,
		.lazy = self->lazy,
		.idev = self->idev,
	};
	unsigned int i, changes = 0;
	pthread_t thread[4];
	double end;

	ASSERT_EQ(0, MAP_FILE_BY(A, self->ioas, T_BASE, 8));
	ASSERT_EQ(0, MAP_FILE_BY(A, self->lazy, T_BASE, 8));
	/* The racers are this process; it pays for what it maps itself. */
	ASSERT_EQ(0, t_memlock(RLIM_INFINITY));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, fn[i], &r));
	end = t_seconds() + 4;
	while (t_seconds() < end || changes < 20) {
		/* A third one comes, takes over, and is gone. */
		ASSERT_EQ(0, ACTOR(B, .op = ACTOR_FORK, .id = 2));
		ASSERT_EQ(0, CHANGE(A));
		ASSERT_EQ(0, ACTOR(2, .op = ACTOR_CHANGE, .fd = self->fd));
		actor_tell(2, (struct actor_order){ .op = ACTOR_EXIT });
		ASSERT_EQ(0, CHANGE(B));
		changes++;
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(0, r.odd);
	for (i = 0; i < 4; i++)
		EXPECT_LT(0, r.done[i]);
	EXPECT_PAYS(A, self->a, 0);
	EXPECT_EQ(8 * (long)T_PAGE / 1024, t_status_kb(self->b, "VmPin"));
	ASSERT_EQ(0, CHANGE(A));
	ASSERT_EQ(0, CHANGE(B));
	EXPECT_PAYS(B, self->b, 8);
	EXPECT_EQ(0, t_vmpin());
	EXPECT_EQ(0, t_vmlck());
}

TEST_HARNESS_MAIN
