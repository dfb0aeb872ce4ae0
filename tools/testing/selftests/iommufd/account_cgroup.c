// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cgroup that pays: region iommufd/pinned of the dmem controller, on top of
 * any mode and without regard to privilege. Which cgroup that is when others
 * than the mapper pin and unpin, its limit, and that all comes back.
 */
#include <pthread.h>
#include <sched.h>

#include "cgroup.h"

#define PAGES 16

enum mode { USER, PROCESS, FILE_MODE, NONE };

FIXTURE(cgroup)
{
	int fd;
	uint32_t ioas, lazy, stdev, hwpt, idev;
	char *buf;
	size_t length;
	long pin, lck;
	/* An ID that a child got; it shares this page */
	uint32_t *id;
	/* Groups 0 and 1; the test is in 0. */
	bool made;
};

FIXTURE_VARIANT(cgroup)
{
	enum mode mode;
};

FIXTURE_VARIANT_ADD(cgroup, user)
{
	.mode = USER,
};

FIXTURE_VARIANT_ADD(cgroup, process)
{
	.mode = PROCESS,
};

FIXTURE_VARIANT_ADD(cgroup, file)
{
	.mode = FILE_MODE,
};

FIXTURE_VARIANT_ADD(cgroup, none)
{
	.mode = NONE,
};

FIXTURE_SETUP(cgroup)
{
	uint64_t mode = variant->mode;

	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	if (t_cgroup_make(0))
		SKIP(return, T_NO_DMEM);
	ASSERT_EQ(0, t_cgroup_make(1));
	self->made = true;
	ASSERT_EQ(0, t_cgroup_enter(0));
	ASSERT_EQ(0, t_memlock(RLIM_INFINITY));
	if (mode != NONE) {
		ASSERT_EQ(0, t_option(self->fd, IOMMU_X_OPTION_ACCOUNT_MODE,
				      IOMMU_OPTION_OP_SET, 0, &mode));
		ASSERT_EQ(0, t_drop_cap(CAP_IPC_LOCK));
	}
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->lazy));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev, &self->hwpt,
			    &self->idev));
	self->length = PAGES * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
	self->id = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->id);
	self->pin = t_vmpin();
	self->lck = t_vmlck();
}

FIXTURE_TEARDOWN(cgroup)
{
	close(self->fd);
	if (!self->made)
		return;
	EXPECT_EQ(0, t_cgroup_pinned(0));
	EXPECT_EQ(0, t_cgroup_pinned(1));
	EXPECT_EQ(self->pin, t_vmpin());
	EXPECT_EQ(self->lck, t_vmlck());
	EXPECT_EQ(0, t_cgroup_remove(0));
	EXPECT_EQ(0, t_cgroup_remove(1));
}

/* @n pages are charged to the first group, @m to the second. */
#define EXPECT_PAID(n, m)                                         \
	do {                                                      \
		EXPECT_EQ((n) * (long)T_PAGE, t_cgroup_pinned(0)); \
		EXPECT_EQ((m) * (long)T_PAGE, t_cgroup_pinned(1)); \
	} while (0)

/* Runs @call in a child that is in group @nr: its errno, or 255. */
#define IN_GROUP(nr, call)                                               \
	({                                                               \
		int status_ = -1;                                        \
		pid_t pid_ = fork();                                     \
									 \
		if (!pid_) {                                             \
			if (t_cgroup_enter(nr))                          \
				_exit(255);                              \
			_exit(call);                                     \
		}                                                        \
		waitpid(pid_, &status_, 0);                              \
		WIFEXITED(status_) ? WEXITSTATUS(status_) : 255;         \
	})

TEST_F(cgroup, map_and_unmap)
{
	EXPECT_PAID(0, 0);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	EXPECT_PAID(PAGES, 0);
	/* Copies cost nothing, what is only mapped neither. */
	ASSERT_EQ(0, t_copy_at(self->fd, self->lazy, self->ioas, T_BASE,
			       self->length, T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->buf, self->length,
			      T_BASE + T_PMD));
	EXPECT_PAID(PAGES, 0);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_PAID(0, 0);
	/* In an empty space that is not only lazy but endless. */
	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, NULL, 1ULL << 62,
			      1ULL << 62));
	EXPECT_PAID(0, 0);
}

TEST_F(cgroup, limit)
{
	ASSERT_EQ(0, t_cgroup_limit(0, 8 * T_PAGE));
	EXPECT_EQ(ENOMEM, t_map_at(self->fd, self->ioas, self->buf, 9 * T_PAGE,
				   T_BASE));
	EXPECT_PAID(0, 0);
	EXPECT_EQ(self->pin, t_vmpin());
	EXPECT_EQ(self->lck, t_vmlck());
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 8 * T_PAGE,
			      T_BASE));
	EXPECT_PAID(8, 0);
	EXPECT_EQ(ENOMEM, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
				   T_BASE + T_PMD));
	EXPECT_PAID(8, 0);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 8 * T_PAGE,
			      T_BASE));
	EXPECT_PAID(8, 0);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	ASSERT_EQ(0, t_cgroup_limit(0, 0));
	EXPECT_EQ(ENOMEM, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
				   T_BASE));
}

/* The counter of the mode is given back if it is the cgroup that refuses. */
TEST_F(cgroup, limit_leaves_the_mode_alone)
{
	if (variant->mode == NONE)
		return;
	ASSERT_EQ(0, t_memlock(8 * T_PAGE));
	ASSERT_EQ(0, t_cgroup_limit(0, 4 * T_PAGE));
	EXPECT_EQ(ENOMEM, t_map_at(self->fd, self->ioas, self->buf, 5 * T_PAGE,
				   T_BASE));
	ASSERT_EQ(0, t_cgroup_limit(0, 16 * T_PAGE));
	EXPECT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 8 * T_PAGE,
			      T_BASE));
	/* And the other way round. */
	EXPECT_EQ(ENOMEM, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
				   T_BASE + T_PMD));
	EXPECT_PAID(8, 0);
}

/* Children, threads, and whoever else is in the mapper's cgroup */
TEST_F(cgroup, another_process_pins)
{
	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, IN_GROUP(0, t_hwpt_alloc(self->fd, self->idev, self->lazy,
					      0, self->id)));
	EXPECT_PAID(PAGES, 0);
	ASSERT_EQ(0, IN_GROUP(0, t_destroy(self->fd, *self->id)));
	EXPECT_PAID(0, 0);
}

/* The mapper has only mapped: who makes it pinned pays, of another cgroup. */
TEST_F(cgroup, another_cgroup_pins)
{
	ASSERT_EQ(0, t_cgroup_limit(1, PAGES * T_PAGE));
	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, IN_GROUP(1, t_hwpt_alloc(self->fd, self->idev, self->lazy,
					      0, self->id)));
	EXPECT_PAID(0, PAGES);
	/* Whoever unpins: it goes back to where it came from. */
	ASSERT_EQ(0, t_destroy(self->fd, *self->id));
	EXPECT_PAID(0, 0);
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0,
				  self->id));
	EXPECT_PAID(PAGES, 0);
	ASSERT_EQ(0, IN_GROUP(1, t_destroy(self->fd, *self->id)));
	EXPECT_PAID(0, 0);
	/* Its limit counts too. */
	ASSERT_EQ(0, t_cgroup_limit(1, PAGES * T_PAGE - 1));
	EXPECT_EQ(ENOMEM, IN_GROUP(1, t_hwpt_alloc(self->fd, self->idev,
						   self->lazy, 0, NULL)));
	EXPECT_PAID(0, 0);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
}

#define NEEDS_PIN MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES

/* Several charges come back in other pieces than they were made in. */
TEST_F(cgroup, pieces)
{
	uint32_t item[4], hwpt;
	int access;

	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, self->lazy, NEEDS_PIN, &access));
	/* One charge, many returns */
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0, &hwpt));
	EXPECT_PAID(PAGES, 0);
	ASSERT_EQ(0, t_pin(self->fd, access, T_BASE, 2 * T_PAGE, NULL, 0,
			   &item[0]));
	ASSERT_EQ(0, t_pin(self->fd, access, T_BASE + 8 * T_PAGE, 3 * T_PAGE,
			   NULL, 0, &item[1]));
	ASSERT_EQ(0, t_pin(self->fd, access, T_BASE + 14 * T_PAGE, 2 * T_PAGE,
			   NULL, 0, &item[2]));
	ASSERT_EQ(0, t_destroy(self->fd, hwpt));
	EXPECT_PAID(7, 0);
	ASSERT_EQ(0, t_unpin(self->fd, access, item[1]));
	EXPECT_PAID(4, 0);
	/* Many charges, one return */
	ASSERT_EQ(0, t_pin(self->fd, access, T_BASE + 4 * T_PAGE, T_PAGE, NULL,
			   0, &item[1]));
	EXPECT_PAID(5, 0);
	ASSERT_EQ(0, t_pin(self->fd, access, T_BASE, PAGES * T_PAGE, NULL, 0,
			   &item[3]));
	EXPECT_PAID(PAGES, 0);
	ASSERT_EQ(0, t_unpin(self->fd, access, item[0]));
	ASSERT_EQ(0, t_unpin(self->fd, access, item[1]));
	ASSERT_EQ(0, t_unpin(self->fd, access, item[2]));
	EXPECT_PAID(PAGES, 0);
	ASSERT_EQ(0, t_unpin(self->fd, access, item[3]));
	EXPECT_PAID(0, 0);
	close(access);
}

/* Two cgroups pay for one page set, and a third party gives pieces back. */
TEST_F(cgroup, two_pay_for_one_mapping)
{
	uint32_t first;
	int access;

	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, self->lazy, NEEDS_PIN, &access));
	ASSERT_EQ(0, t_pin(self->fd, access, T_BASE, 6 * T_PAGE, NULL, 0,
			   &first));
	EXPECT_PAID(6, 0);
	ASSERT_EQ(0, IN_GROUP(1, t_pin(self->fd, access, T_BASE + 4 * T_PAGE,
				       8 * T_PAGE, NULL, 0, self->id)));
	EXPECT_PAID(6, 6);
	/*
	 * Four pages come back. A piece of what the other group was charged at
	 * once is not for us to return, so it is a piece of ours.
	 */
	ASSERT_EQ(0, t_unpin(self->fd, access, first));
	EXPECT_PAID(2, 6);
	ASSERT_EQ(0, t_pin(self->fd, access, T_BASE + 8 * T_PAGE, 8 * T_PAGE,
			   NULL, 0, &first));
	EXPECT_PAID(6, 6);
	/* The other one gives up what it paid, and what is still used stays. */
	ASSERT_EQ(0, IN_GROUP(1, t_unpin(self->fd, access, *self->id)));
	EXPECT_PAID(6, 2);
	ASSERT_EQ(0, t_unpin(self->fd, access, first));
	EXPECT_PAID(0, 0);
	close(access);
}

/* What cannot be returned now is used by the next pin, and goes at the end. */
TEST_F(cgroup, kept_for_the_next_pin)
{
	uint32_t hwpt, item;
	int access;

	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, self->lazy, NEEDS_PIN, &access));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0, &hwpt));
	ASSERT_EQ(0, t_pin(self->fd, access, T_BASE, 2 * T_PAGE, NULL, 0,
			   &item));
	ASSERT_EQ(0, IN_GROUP(1, t_destroy(self->fd, hwpt)));
	EXPECT_PAID(PAGES, 0);
	ASSERT_EQ(0, IN_GROUP(1, t_pin(self->fd, access, T_BASE + 8 * T_PAGE,
				       4 * T_PAGE, NULL, 0, self->id)));
	EXPECT_PAID(PAGES, 0);
	/* The next one of the cgroup itself sets it right. */
	ASSERT_EQ(0, t_unpin(self->fd, access, item));
	EXPECT_PAID(4, 0);
	ASSERT_EQ(0, IN_GROUP(1, t_unpin(self->fd, access, *self->id)));
	EXPECT_PAID(0, 0);
	close(access);
}

/* A process that moves to another cgroup leaves behind what it owes. */
TEST_F(cgroup, mapper_moves)
{
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 4 * T_PAGE,
			      T_BASE));
	ASSERT_EQ(0, t_cgroup_enter(1));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 2 * T_PAGE,
			      T_BASE + T_PMD));
	EXPECT_PAID(4, 2);
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, 4 * T_PAGE, NULL));
	EXPECT_PAID(0, 2);
}

/* The mapper exits, its cgroup is removed: the charge lives on, and ends. */
TEST_F(cgroup, cgroup_is_removed)
{
	char *alias;
	int memfd;

	memfd = t_memfd(4 * T_PAGE);
	ASSERT_LE(0, memfd);
	alias = t_map_memfd(memfd, 4 * T_PAGE);
	ASSERT_NE(NULL, alias);
	ASSERT_EQ(0, t_cgroup_make(2));
	ASSERT_EQ(0, IN_GROUP(2, t_map_at(self->fd, self->ioas, alias,
					  4 * T_PAGE, T_BASE)));
	EXPECT_EQ(4 * (long)T_PAGE, t_cgroup_pinned(2));
	ASSERT_EQ(0, t_cgroup_remove(2));
	ASSERT_EQ(0, t_cgroup_enter(0));
	EXPECT_PAID(0, 0);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, alias, 4 * T_PAGE, T_BASE));
	EXPECT_PAID(4, 0);
}

struct watcher {
	int fd;
	void *va;
	bool stop;
	unsigned long looks, pinned;
};

static void *watch(void *arg)
{
	struct watcher *w = arg;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		if (t_check_refs(w->fd, w->va, T_PAGE, 0))
			w->pinned++;
		w->looks++;
	}
	return NULL;
}

TEST_F(cgroup, nothing_is_pinned_before_it_is_paid)
{
	struct watcher w = {};
	size_t length = 2048 * T_PAGE;
	uint64_t tries = 0;
	pthread_t thread;
	double end;
	char *buf;

	buf = t_alloc(length);
	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, t_cgroup_limit(0, length - T_PAGE));
	w.fd = t_open();
	w.va = buf;
	ASSERT_LE(0, w.fd);
	ASSERT_EQ(0, t_temp_limit(self->fd, 64));
	ASSERT_EQ(0, pthread_create(&thread, NULL, watch, &w));
	end = t_seconds() + 1;
	while (t_seconds() < end || tries < 50 ||
	       __atomic_load_n(&w.looks, __ATOMIC_RELAXED) < 50) {
		ASSERT_EQ(ENOMEM, t_map_at(self->fd, self->ioas, buf, length,
					   T_BASE));
		tries++;
	}
	__atomic_store_n(&w.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	t_temp_limit(self->fd, T_TEMP_LIMIT_DEFAULT);
	EXPECT_EQ(0, w.pinned)
		TH_LOG("pinned in %lu of %lu looks", w.pinned, w.looks);
	close(w.fd);
	munmap(buf, length);
}

TEST_HARNESS_MAIN
