// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who pays for pinned pages: RLIMIT_MEMLOCK against the pages of the user or of
 * the process, VmLck and VmPin, and the option RLIMIT_MODE that chooses.
 *
 * The tests run as root; each gives up the capability it must not have in the
 * process of its own that the harness gives it.
 */
#include <pthread.h>

#include "util.h"

#define PAGES 16

enum mode { MODE_NONE, MODE_USER, MODE_PROCESS };

FIXTURE(account)
{
	int fd;
	uint32_t ioas, stdev, hwpt, idev;
	/* Where nothing is pinned */
	uint32_t lazy;
	char *buf;
	size_t length;
	/* kB before the test did anything */
	long pin, lck;
};

FIXTURE_VARIANT(account)
{
	enum mode mode;
};

FIXTURE_VARIANT_ADD(account, none)
{
	.mode = MODE_NONE,
};

FIXTURE_VARIANT_ADD(account, user)
{
	.mode = MODE_USER,
};

FIXTURE_VARIANT_ADD(account, process)
{
	.mode = MODE_PROCESS,
};

FIXTURE_SETUP(account)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_memlock(RLIM_INFINITY));
	if (variant->mode == MODE_PROCESS)
		ASSERT_EQ(0, t_rlimit_mode(self->fd, 1));
	if (variant->mode != MODE_NONE)
		ASSERT_EQ(0, t_drop_cap(CAP_IPC_LOCK));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->lazy));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev, &self->hwpt,
			    &self->idev));
	self->length = PAGES * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
	self->pin = t_vmpin();
	self->lck = t_vmlck();
	ASSERT_LE(0, self->pin);
	ASSERT_LE(0, self->lck);
}

FIXTURE_TEARDOWN(account)
{
	int fd;

	close(self->fd);
	EXPECT_EQ(self->pin, t_vmpin());
	EXPECT_EQ(self->lck, t_vmlck());
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, self->buf, self->length, 0));
	close(fd);
}

/* @n pages are pinned and charged as the mode wants it, no more and no less. */
#define EXPECT_CHARGED(n)                                                \
	do {                                                             \
		long kb_ = (n) * T_PAGE / 1024;                          \
									 \
		EXPECT_EQ(self->pin + kb_, t_vmpin());                   \
		EXPECT_EQ(self->lck +                                    \
			  (variant->mode == MODE_PROCESS ? kb_ : 0),     \
			  t_vmlck());                                    \
	} while (0)

TEST_F(account, map_and_unmap)
{
	EXPECT_CHARGED(0);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	EXPECT_CHARGED(PAGES);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_CHARGED(0);
	/* Whole pages pay, also for half of them. */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + MOCK_PAGE_SIZE,
			      T_PAGE, T_BASE));
	EXPECT_CHARGED(2);
}

TEST_F(account, close_gives_back)
{
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	EXPECT_CHARGED(PAGES);
	close(self->fd);
	EXPECT_CHARGED(0);
	self->fd = -1;
}

TEST_F(account, limit)
{
	int over = variant->mode == MODE_NONE ? 0 : ENOMEM;

	ASSERT_EQ(0, t_memlock(8 * T_PAGE));
	EXPECT_EQ(over, t_map_at(self->fd, self->ioas, self->buf, 9 * T_PAGE,
				 T_BASE));
	if (!over) {
		EXPECT_CHARGED(9);
		return;
	}
	/* Nothing is left of it. */
	EXPECT_CHARGED(0);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
	EXPECT_EQ(EINVAL, t_check_map(self->fd, self->hwpt, T_BASE, T_PAGE,
				      self->buf));
	/* Exactly the limit is within it, at the same place. */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 8 * T_PAGE,
			      T_BASE));
	EXPECT_CHARGED(8);
	EXPECT_EQ(ENOMEM, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
				   T_BASE + 8 * T_PAGE));
	EXPECT_CHARGED(8);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, 8 * T_PAGE, 1));
	/* What is given back can be spent again. */
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 7 * T_PAGE,
			      T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
			      T_BASE + 7 * T_PAGE));
	EXPECT_CHARGED(8);
}

TEST_F(account, limit_zero)
{
	ASSERT_EQ(0, t_memlock(0));
	EXPECT_EQ(variant->mode == MODE_NONE ? 0 : ENOMEM,
		  t_map_at(self->fd, self->ioas, self->buf, T_PAGE, T_BASE));
	/* The lazy one owes nothing yet. */
	EXPECT_EQ(0, t_map_at(self->fd, self->lazy, self->buf, self->length,
			      T_BASE));
}

TEST_F(account, limit_is_rounded_down_to_pages)
{
	if (variant->mode == MODE_NONE)
		return;
	ASSERT_EQ(0, t_memlock(4 * T_PAGE - 1));
	EXPECT_EQ(ENOMEM, t_map_at(self->fd, self->ioas, self->buf, 4 * T_PAGE,
				   T_BASE));
	EXPECT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 3 * T_PAGE,
			      T_BASE));
}

TEST_F(account, same_memory_twice_pays_twice)
{
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE + self->length));
	EXPECT_CHARGED(2 * PAGES);
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, self->length, NULL));
	EXPECT_CHARGED(PAGES);
}

TEST_F(account, copies_and_domains_pay_nothing)
{
	uint32_t ioas, hwpt;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &ioas));
	ASSERT_EQ(0, t_mock(self->fd, ioas, NULL, NULL, NULL));
	ASSERT_EQ(0, t_memlock(PAGES * T_PAGE));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	EXPECT_CHARGED(PAGES);
	/* The limit is used up, hence these prove it twice. */
	ASSERT_EQ(0, t_copy_at(self->fd, ioas, self->ioas, T_BASE, self->length,
			       T_BASE));
	ASSERT_EQ(0, t_copy_at(self->fd, self->ioas, self->ioas, T_BASE,
			       self->length, T_BASE + self->length));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0, &hwpt));
	EXPECT_CHARGED(PAGES);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_CHARGED(PAGES);
	/* Of the last copy only a part was copied: the rest is given back. */
	ASSERT_EQ(0, t_copy_at(self->fd, self->ioas, ioas, T_BASE + 2 * T_PAGE,
			       3 * T_PAGE, T_BASE));
	ASSERT_EQ(0, t_unmap_all(self->fd, ioas, NULL));
	EXPECT_CHARGED(3);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_CHARGED(0);
}

TEST_F(account, lazy_pays_later)
{
	uint32_t hwpt = 0, stdev;
	int over = variant->mode == MODE_NONE ? 0 : ENOMEM;

	ASSERT_EQ(0, t_memlock((PAGES - 1) * T_PAGE));
	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->buf, 2 * T_PAGE,
			      T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->buf + 2 * T_PAGE,
			      self->length - 2 * T_PAGE, T_BASE + 0x100000));
	EXPECT_CHARGED(0);
	/* The first page table is what costs, whoever makes it. */
	EXPECT_EQ(over, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0,
				     &hwpt));
	if (over) {
		EXPECT_CHARGED(0);
		EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length,
					  0));
		EXPECT_EQ(ENOMEM, t_mock(self->fd, self->lazy, NULL, NULL,
					 NULL));
		EXPECT_EQ(ENOMEM, t_mock_replace(self->fd, self->stdev,
						 self->lazy, NULL));
		EXPECT_CHARGED(0);
		ASSERT_EQ(0, t_memlock(PAGES * T_PAGE));
		ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0,
					  &hwpt));
	}
	EXPECT_CHARGED(PAGES);
	ASSERT_EQ(0, t_mock(self->fd, self->lazy, &stdev, NULL, NULL));
	EXPECT_CHARGED(PAGES);
	ASSERT_EQ(0, t_destroy(self->fd, hwpt));
	EXPECT_CHARGED(PAGES);
	ASSERT_EQ(0, t_destroy(self->fd, stdev));
	EXPECT_CHARGED(0);
}

TEST_F(account, two_files)
{
	int fd, over = variant->mode == MODE_NONE ? 0 : ENOMEM;
	uint32_t ioas;

	/* Both counters, that of the user and that of the process, are one. */
	fd = t_open();
	ASSERT_LE(0, fd);
	if (variant->mode == MODE_PROCESS)
		ASSERT_EQ(0, t_rlimit_mode(fd, 1));
	ASSERT_EQ(0, t_ioas_alloc(fd, &ioas));
	ASSERT_EQ(0, t_mock(fd, ioas, NULL, NULL, NULL));
	ASSERT_EQ(0, t_memlock(8 * T_PAGE));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 6 * T_PAGE,
			      T_BASE));
	EXPECT_EQ(over, t_map_at(fd, ioas, self->buf, 3 * T_PAGE, T_BASE));
	EXPECT_CHARGED(over ? 6 : 9);
	if (over) {
		EXPECT_EQ(0, t_map_at(fd, ioas, self->buf, 2 * T_PAGE, T_BASE));
		EXPECT_CHARGED(8);
	}
	close(fd);
	EXPECT_CHARGED(6);
}

TEST_F(account, mode_is_decided_by_map)
{
	uint32_t hwpt;

	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->buf, self->length,
			      T_BASE));
	/* For MODE_NONE the privilege goes between MAP and pinning. */
	ASSERT_EQ(0, t_drop_cap(CAP_IPC_LOCK));
	ASSERT_EQ(0, t_memlock(0));
	EXPECT_EQ(variant->mode == MODE_NONE ? 0 : ENOMEM,
		  t_hwpt_alloc(self->fd, self->idev, self->lazy, 0, &hwpt));
	EXPECT_CHARGED(variant->mode == MODE_NONE ? PAGES : 0);
	/* A new one is judged by what the caller is now. */
	EXPECT_EQ(ENOMEM, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
				   T_BASE));
}

/* Parent and child wait for each other by a byte in a pipe. */
static bool child_say(int fd)
{
	return write(fd, "x", 1) == 1;
}

static bool child_hear(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 1;
}

TEST_F(account, mapper_pays)
{
	int to[2], from[2], status;
	long pages = 4, kb;
	uint32_t hwpt;
	char *buf;
	pid_t pid;

	ASSERT_EQ(0, pipe(to));
	ASSERT_EQ(0, pipe(from));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(to[1]);
		buf = t_alloc(pages * T_PAGE);
		/* The limit of the child is what counts, also later. */
		if (!buf || t_memlock(variant->mode == MODE_NONE ? 0 :
				      pages * T_PAGE) ||
		    t_map_at(self->fd, self->lazy, buf, pages * T_PAGE,
			     T_BASE) || !child_say(from[1]))
			_exit(1);
		child_hear(to[0]);
		_exit(0);
	}
	close(to[0]);
	ASSERT_TRUE(child_hear(from[0]));
	ASSERT_EQ(0, t_memlock(0));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0, &hwpt));
	EXPECT_CHARGED(0);
	kb = pages * T_PAGE / 1024;
	EXPECT_EQ(kb, t_status_kb(pid, "VmPin"));
	EXPECT_EQ(variant->mode == MODE_PROCESS ? kb : 0,
		  t_status_kb(pid, "VmLck"));
	ASSERT_EQ(0, t_destroy(self->fd, hwpt));
	EXPECT_EQ(0, t_status_kb(pid, "VmPin"));
	EXPECT_EQ(0, t_status_kb(pid, "VmLck"));
	close(to[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(account, limit_of_the_mapper_counts)
{
	int to[2], from[2], status;
	uint32_t hwpt;
	char *buf;
	pid_t pid;

	if (variant->mode == MODE_NONE)
		return;
	ASSERT_EQ(0, pipe(to));
	ASSERT_EQ(0, pipe(from));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(to[1]);
		buf = t_alloc(4 * T_PAGE);
		if (!buf || t_memlock(3 * T_PAGE) ||
		    t_map_at(self->fd, self->lazy, buf, 4 * T_PAGE, T_BASE) ||
		    !child_say(from[1]))
			_exit(1);
		child_hear(to[0]);
		_exit(0);
	}
	close(to[0]);
	ASSERT_TRUE(child_hear(from[0]));
	/* That the caller's own limit is none does not help. */
	EXPECT_EQ(ENOMEM, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0,
				       &hwpt));
	EXPECT_EQ(0, t_status_kb(pid, "VmPin"));
	close(to[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(account, mapper_leaves)
{
	char *buf, *alias;
	int status, memfd;
	pid_t pid;

	memfd = t_memfd(4 * T_PAGE);
	ASSERT_LE(0, memfd);
	alias = t_map_memfd(memfd, 4 * T_PAGE);
	ASSERT_NE(NULL, alias);
	memset(alias, 1, 4 * T_PAGE);
	self->pin = t_vmpin();
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		buf = t_map_memfd(memfd, 4 * T_PAGE);
		_exit(!buf || t_map_at(self->fd, self->ioas, buf, 4 * T_PAGE,
				       T_BASE));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	/* The pins stay, and do not become ours. */
	EXPECT_EQ(0, t_check_refs(self->fd, alias, 4 * T_PAGE, 1));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE, 4 * T_PAGE,
				 alias));
	EXPECT_CHARGED(0);
	/* No process is left to be paid back, and that is no problem. */
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, alias, 4 * T_PAGE, 0));
	EXPECT_CHARGED(0);
}

TEST_F(account, mapper_left_before_pinning)
{
	int status, err;
	uint32_t hwpt;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(t_map_at(self->fd, self->lazy, self->buf, 4 * T_PAGE,
			       T_BASE));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	err = t_hwpt_alloc(self->fd, self->idev, self->lazy, 0, &hwpt);
	/*
	 * There is nobody to charge (EINVAL) and no memory to pin (EFAULT); in
	 * process mode both are true and either may be said.
	 */
	if (variant->mode == MODE_PROCESS && err == EINVAL)
		err = EFAULT;
	EXPECT_EQ(EFAULT, err);
	EXPECT_CHARGED(0);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
}

/* Pins of in-kernel users: an IOAS without a page table, where they alone pay */

#define NEEDS_PIN MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES

TEST_F(account, access_pays_once)
{
	uint32_t item[4], other;
	int first, second, third;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &other));
	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_copy_at(self->fd, other, self->lazy, T_BASE,
			       self->length, T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, self->lazy, NEEDS_PIN, &first));
	ASSERT_EQ(0, t_create_access(self->fd, self->lazy, NEEDS_PIN, &second));
	ASSERT_EQ(0, t_create_access(self->fd, other, NEEDS_PIN, &third));
	EXPECT_CHARGED(0);
	ASSERT_EQ(0, t_pin(self->fd, first, T_BASE, 4 * T_PAGE, self->buf, 0,
			   &item[0]));
	EXPECT_CHARGED(4);
	/* Again, by another one, and through a copy */
	ASSERT_EQ(0, t_pin(self->fd, first, T_BASE, 4 * T_PAGE, self->buf, 0,
			   &item[1]));
	EXPECT_CHARGED(4);
	ASSERT_EQ(0, t_pin(self->fd, second, T_BASE, 6 * T_PAGE, self->buf, 0,
			   &item[2]));
	EXPECT_CHARGED(6);
	ASSERT_EQ(0, t_pin(self->fd, third, T_BASE + T_PAGE, 6 * T_PAGE,
			   self->buf + T_PAGE, 0, &item[3]));
	EXPECT_CHARGED(7);
	/* One byte costs a page. */
	ASSERT_EQ(0, t_pin(self->fd, first, T_BASE + 9 * T_PAGE - 1, 1,
			   self->buf + 9 * T_PAGE - 1, 0, NULL));
	EXPECT_CHARGED(8);
	ASSERT_EQ(0, t_unpin(self->fd, first, item[0]));
	ASSERT_EQ(0, t_unpin(self->fd, first, item[1]));
	EXPECT_CHARGED(8);
	ASSERT_EQ(0, t_unpin(self->fd, second, item[2]));
	EXPECT_CHARGED(7);
	close(first);
	EXPECT_CHARGED(6);
	/* The mapping that was made first is gone, its copy goes on paying. */
	ASSERT_EQ(0, t_unmap_all(self->fd, self->lazy, NULL));
	EXPECT_CHARGED(6);
	ASSERT_EQ(0, t_unmap_all(self->fd, other, NULL));
	EXPECT_CHARGED(0);
	close(second);
	close(third);
}

TEST_F(account, access_and_domain_pay_once)
{
	uint32_t item, hwpt;
	int access;

	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, self->lazy, NEEDS_PIN, &access));
	ASSERT_EQ(0, t_pin(self->fd, access, T_BASE, 4 * T_PAGE, self->buf, 0,
			   &item));
	EXPECT_CHARGED(4);
	ASSERT_EQ(0, t_memlock(self->length));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0, &hwpt));
	EXPECT_CHARGED(PAGES);
	ASSERT_EQ(0, t_unpin(self->fd, access, item));
	EXPECT_CHARGED(PAGES);
	ASSERT_EQ(0, t_pin(self->fd, access, T_BASE + 4 * T_PAGE, 6 * T_PAGE,
			   self->buf + 4 * T_PAGE, 0, &item));
	EXPECT_CHARGED(PAGES);
	ASSERT_EQ(0, t_destroy(self->fd, hwpt));
	EXPECT_CHARGED(6);
	/* Moving on gives everything back. */
	ASSERT_EQ(0, t_access_replace(self->fd, access, self->ioas));
	EXPECT_CHARGED(0);
	close(access);
}

TEST_F(account, access_over_the_limit)
{
	int access, over = variant->mode == MODE_NONE ? 0 : ENOMEM;
	uint32_t item[2];

	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->buf, 8 * T_PAGE,
			      T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->buf + 8 * T_PAGE,
			      8 * T_PAGE, T_BASE + 8 * T_PAGE));
	ASSERT_EQ(0, t_create_access(self->fd, self->lazy, NEEDS_PIN, &access));
	ASSERT_EQ(0, t_memlock(6 * T_PAGE));
	EXPECT_EQ(over, t_pin(self->fd, access, T_BASE, 7 * T_PAGE, self->buf,
			      0, NULL));
	/* The second area is the one too many. */
	EXPECT_EQ(over, t_pin(self->fd, access, T_BASE + 5 * T_PAGE, 7 * T_PAGE,
			      self->buf + 5 * T_PAGE, 0, NULL));
	if (!over) {
		EXPECT_CHARGED(12);
		close(access);
		return;
	}
	EXPECT_CHARGED(0);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
	ASSERT_EQ(0, t_pin(self->fd, access, T_BASE + 5 * T_PAGE, 6 * T_PAGE,
			   self->buf + 5 * T_PAGE, 0, &item[0]));
	EXPECT_CHARGED(6);
	EXPECT_EQ(ENOMEM, t_pin(self->fd, access, T_BASE, T_PAGE, self->buf, 0,
				NULL));
	/* Partly new: what was there before stays. */
	EXPECT_EQ(ENOMEM, t_pin(self->fd, access, T_BASE + 4 * T_PAGE,
				4 * T_PAGE, self->buf + 4 * T_PAGE, 0, NULL));
	EXPECT_EQ(ENOMEM, t_pin(self->fd, access, T_BASE + 10 * T_PAGE,
				2 * T_PAGE, self->buf + 10 * T_PAGE, 0, NULL));
	EXPECT_CHARGED(6);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, 5 * T_PAGE, 0));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + 5 * T_PAGE, 6 * T_PAGE,
				  1));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + 11 * T_PAGE,
				  5 * T_PAGE, 0));
	/* All of it is paid for already. */
	ASSERT_EQ(0, t_pin(self->fd, access, T_BASE + 6 * T_PAGE, 4 * T_PAGE,
			   self->buf + 6 * T_PAGE, 0, &item[1]));
	EXPECT_CHARGED(6);
	ASSERT_EQ(0, t_unpin(self->fd, access, item[0]));
	EXPECT_CHARGED(4);
	EXPECT_EQ(0, t_pin(self->fd, access, T_BASE, 2 * T_PAGE, self->buf, 0,
			   NULL));
	EXPECT_CHARGED(6);
	close(access);
	EXPECT_CHARGED(0);
}

TEST_F(account, access_that_fails_pays_nothing)
{
	int access;
	char *va;

	va = t_alloc(4 * T_PAGE);
	ASSERT_NE(NULL, va);
	ASSERT_EQ(0, munmap(va + 2 * T_PAGE, T_PAGE));
	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->buf, T_PAGE, T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, va, 4 * T_PAGE,
			      T_BASE + T_PAGE));
	ASSERT_EQ(0, t_create_access(self->fd, self->lazy, NEEDS_PIN, &access));
	EXPECT_EQ(EFAULT, t_pin(self->fd, access, T_BASE, 4 * T_PAGE, NULL, 0,
				NULL));
	EXPECT_EQ(EFAULT, t_pin(self->fd, access, T_BASE + 2 * T_PAGE,
				2 * T_PAGE, NULL, 0, NULL));
	/* The last page, and one behind the end */
	EXPECT_EQ(ENOENT, t_pin(self->fd, access, T_BASE + 4 * T_PAGE,
				2 * T_PAGE, NULL, 0, NULL));
	EXPECT_CHARGED(0);
	EXPECT_EQ(0, t_pin(self->fd, access, T_BASE, 3 * T_PAGE, NULL, 0,
			   NULL));
	EXPECT_CHARGED(3);
	close(access);
	munmap(va, 2 * T_PAGE);
	munmap(va + 3 * T_PAGE, T_PAGE);
}

TEST_F(account, copying_is_free)
{
	static const uint32_t flags[] = {
		0, MOCK_ACCESS_RW_WRITE, MOCK_ACCESS_RW_SLOW_PATH,
		MOCK_ACCESS_RW_SLOW_PATH | MOCK_ACCESS_RW_WRITE,
	};
	unsigned int i;
	char *data;
	int access;

	data = t_alloc(self->length);
	ASSERT_NE(NULL, data);
	ASSERT_EQ(0, t_memlock(0));
	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, self->lazy, 0, &access));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, t_access_rw(self->fd, access, T_BASE, data,
					 self->length, flags[i]));
	EXPECT_CHARGED(0);
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
	close(access);
	munmap(data, self->length);
}

TEST_F(account, mapper_pays_for_who_pins)
{
	int status, access;
	pid_t pid;

	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, self->lazy, NEEDS_PIN, &access));
	ASSERT_EQ(0, t_memlock(4 * T_PAGE));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* Its own limit is not the one that counts. */
		if (t_memlock(0))
			_exit(1);
		if (t_pin(self->fd, access, T_BASE, 4 * T_PAGE, NULL, 0, NULL))
			_exit(2);
		if (t_vmpin() || t_vmlck())
			_exit(3);
		if (t_memlock(RLIM_INFINITY))
			_exit(4);
		if (t_pin(self->fd, access, T_BASE + 4 * T_PAGE, T_PAGE, NULL,
			  0, NULL) !=
		    (variant->mode == MODE_NONE ? 0 : ENOMEM))
			_exit(5);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status) TH_LOG("child: %d", WEXITSTATUS(status));
	EXPECT_CHARGED(variant->mode == MODE_NONE ? 5 : 4);
	close(access);
	EXPECT_CHARGED(0);
}

TEST_F(account, mapper_left_before_access_pinned)
{
	int status, access, err;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(t_map_at(self->fd, self->lazy, self->buf, 4 * T_PAGE,
			       T_BASE));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(0, t_create_access(self->fd, self->lazy, NEEDS_PIN, &access));
	err = t_pin(self->fd, access, T_BASE, T_PAGE, NULL, 0, NULL);
	/* As above: nobody to charge, and nothing to pin. */
	if (variant->mode == MODE_PROCESS && err == EINVAL)
		err = EFAULT;
	EXPECT_EQ(EFAULT, err);
	EXPECT_CHARGED(0);
	close(access);
}

/* One process, whose payer is another one from one map to the next */
TEST_F(account, mapper_changes_user)
{
	char *buf;
	int status;
	pid_t pid;

	if (variant->mode != MODE_USER)
		return;
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		buf = t_alloc(9 * T_PAGE);
		if (!buf || t_memlock(8 * T_PAGE) ||
		    t_map_at(self->fd, self->ioas, buf, 6 * T_PAGE, T_BASE) ||
		    setresuid(4242, 4242, 4242))
			_exit(1);
		/* Together with what the first user pays it would be too much. */
		if (t_map_at(self->fd, self->ioas, buf + 6 * T_PAGE, 3 * T_PAGE,
			     T_BASE + T_PMD))
			_exit(2);
		if (t_map_at(self->fd, self->ioas, buf, 6 * T_PAGE,
			     T_BASE + 2 * T_PMD) != ENOMEM)
			_exit(3);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status) TH_LOG("child: %d", WEXITSTATUS(status));
}

/* The pages of one user are not those of another. */
TEST_F(account, other_user)
{
	int to[2], from[2], status, over;
	pid_t pid;
	char *buf;

	ASSERT_EQ(0, pipe(to));
	ASSERT_EQ(0, pipe(from));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(to[1]);
		buf = t_alloc(4 * T_PAGE);
		/* Takes all capabilities along. */
		if (!buf || t_memlock(4 * T_PAGE) || setresuid(4242, 4242, 4242))
			_exit(1);
		if (t_map_at(self->fd, self->ioas, buf, 4 * T_PAGE, T_BASE))
			_exit(2);
		if (t_map_at(self->fd, self->ioas, buf, T_PAGE,
			     T_BASE + 0x100000) != ENOMEM)
			_exit(3);
		if (!child_say(from[1]))
			_exit(4);
		child_hear(to[0]);
		_exit(0);
	}
	close(to[0]);
	EXPECT_TRUE(child_hear(from[0]));
	ASSERT_EQ(0, t_memlock(2 * T_PAGE));
	over = variant->mode == MODE_NONE ? 0 : ENOMEM;
	EXPECT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 2 * T_PAGE,
			      T_BASE + 0x200000));
	EXPECT_EQ(over, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
				 T_BASE + 0x300000));
	close(to[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status) TH_LOG("child: %d", WEXITSTATUS(status));
}

/*
 * Charging comes before pinning: a mapping over the limit must never have
 * pinned a page, not even for an instant. A second thread watches the first
 * pages of the buffer while the first tries again and again.
 */
struct watcher {
	int fd;
	void *va;
	bool stop;
	unsigned long looks;
	unsigned long pinned;
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

TEST_F(account, nothing_is_pinned_before_it_is_paid)
{
	struct watcher w = {};
	size_t length = 2048 * T_PAGE;
	uint64_t tries = 0;
	pthread_t thread;
	double end;
	char *buf;

	if (variant->mode == MODE_NONE)
		return;
	buf = t_alloc(length);
	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, t_memlock(length - T_PAGE));
	w.fd = t_open();
	w.va = buf;
	ASSERT_LE(0, w.fd);
	/* As many pieces as possible, that the limit is met in the last */
	ASSERT_EQ(0, t_temp_limit(self->fd, 64));
	ASSERT_EQ(0, pthread_create(&thread, NULL, watch, &w));
	end = t_seconds() + 3;
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

TEST(rlimit_mode)
{
	struct iommu_option cmd = { .size = sizeof(cmd) };
	uint64_t val = 7;
	uint32_t ioas;
	int fd;

	fd = t_open();
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, t_option(fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET,
			      0, &val));
	EXPECT_EQ(0, val);
	EXPECT_EQ(0, t_rlimit_mode(fd, 1));
	EXPECT_EQ(0, t_option(fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET,
			      0, &val));
	EXPECT_EQ(1, val);
	EXPECT_EQ(0, t_rlimit_mode(fd, 1));
	EXPECT_EQ(0, t_rlimit_mode(fd, 0));

	/* It belongs to the file; an object is looked at before anything. */
	val = 5;
	EXPECT_EQ(EOPNOTSUPP, t_option(fd, IOMMU_OPTION_RLIMIT_MODE,
				       IOMMU_OPTION_OP_SET, 1, &val));
	EXPECT_EQ(EOPNOTSUPP, t_option(fd, IOMMU_OPTION_RLIMIT_MODE,
				       IOMMU_OPTION_OP_GET, 1, &val));
	EXPECT_EQ(EOPNOTSUPP, t_option(fd, IOMMU_OPTION_RLIMIT_MODE, 2, 0,
				       &val));
	cmd.__reserved = 1;
	cmd.op = IOMMU_OPTION_OP_GET;
	EXPECT_EQ(EOPNOTSUPP, t_call(fd, IOMMU_OPTION, &cmd));
	EXPECT_EQ(EINVAL, t_rlimit_mode(fd, 2));
	EXPECT_EQ(EINVAL, t_rlimit_mode(fd, UINT64_MAX));

	ASSERT_EQ(0, t_ioas_alloc(fd, &ioas));
	EXPECT_EQ(EBUSY, t_rlimit_mode(fd, 1));
	EXPECT_EQ(EBUSY, t_rlimit_mode(fd, 2));
	EXPECT_EQ(EBUSY, t_rlimit_mode(fd, 0));
	EXPECT_EQ(0, t_option(fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET,
			      0, &val));
	ASSERT_EQ(0, t_destroy(fd, ioas));
	EXPECT_EQ(0, t_rlimit_mode(fd, 1));

	ASSERT_EQ(0, t_drop_cap(CAP_SYS_RESOURCE));
	EXPECT_EQ(EPERM, t_rlimit_mode(fd, 0));
	EXPECT_EQ(EPERM, t_rlimit_mode(fd, 2));
	ASSERT_EQ(0, t_ioas_alloc(fd, &ioas));
	EXPECT_EQ(EPERM, t_rlimit_mode(fd, 0));
	/* Reading needs no privilege. */
	val = 9;
	EXPECT_EQ(0, t_option(fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET,
			      0, &val));
	EXPECT_EQ(1, val);
	close(fd);
}

TEST_HARNESS_MAIN
