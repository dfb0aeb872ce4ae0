// SPDX-License-Identifier: GPL-2.0-only
/*
 * In-kernel users of an address space (what an mdev driver is), through the
 * mock's: created, moved, closed. access_pin.c and access_rw.c have what they
 * are made for.
 */
#include "util.h"

#define NEEDS_PIN MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES

FIXTURE(access)
{
	int fd;
	uint32_t ioas;
	char *buf;
	size_t length;
};

FIXTURE_SETUP(access)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	self->length = 8 * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
}

FIXTURE_TEARDOWN(access)
{
	int fd;

	close(self->fd);
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, self->buf, self->length, 0));
	close(fd);
}

TEST_F(access, errors)
{
	unsigned int bit;
	uint32_t hwpt;
	int access;

	for (bit = 1; bit < 32; bit++)
		EXPECT_EQ(EOPNOTSUPP, t_create_access(self->fd, self->ioas,
						      1U << bit, &access));
	EXPECT_EQ(ENOENT, t_create_access(self->fd, 0, NEEDS_PIN, &access));
	EXPECT_EQ(ENOENT, t_create_access(self->fd, UINT32_MAX, 0, &access));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, NULL, &hwpt, NULL));
	/* Only an address space will do. */
	EXPECT_EQ(ENOENT, t_create_access(self->fd, hwpt, NEEDS_PIN, &access));
}

TEST_F(access, descriptor)
{
	char byte;
	int access;

	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, 0, &access));
	EXPECT_LE(0, access);
	EXPECT_EQ(FD_CLOEXEC, fcntl(access, F_GETFD));
	EXPECT_EQ(-1, read(access, &byte, 1));
	EXPECT_EQ(-1, write(access, &byte, 1));
	EXPECT_EQ(0, close(access));
}

TEST_F(access, holds_the_address_space)
{
	int first, second;

	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN, &first));
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, 0, &second));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->ioas));
	close(first);
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->ioas));
	close(second);
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
}

TEST_F(access, belongs_to_its_maker)
{
	uint32_t id, next;
	int access;

	/* Its ID is the lowest free one, though nobody tells. */
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, 0, &access));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &next));
	for (id = self->ioas + 1; id < next; id++)
		EXPECT_EQ(EBUSY, t_destroy(self->fd, id));
	EXPECT_LT(self->ioas + 1, next);
	close(access);
	for (id = self->ioas + 1; id < next; id++)
		EXPECT_EQ(ENOENT, t_destroy(self->fd, id));
}

TEST_F(access, alignment)
{
	int pin, rw;

	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, 0, &rw));
	EXPECT_EQ(1, t_alignment(self->fd, self->ioas));
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN, &pin));
	EXPECT_EQ(T_PAGE, t_alignment(self->fd, self->ioas));
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf, 16, 0));
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
				   16));
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf + 16, T_PAGE,
				   0));
	EXPECT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE, 0));
	close(pin);
	EXPECT_EQ(1, t_alignment(self->fd, self->ioas));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 16, T_PAGE));
	/* Too fine for one that pins, fine for one that copies */
	EXPECT_EQ(EADDRINUSE, t_create_access(self->fd, self->ioas, NEEDS_PIN,
					      &pin));
	EXPECT_EQ(1, t_alignment(self->fd, self->ioas));
	EXPECT_EQ(0, t_create_access(self->fd, self->ioas, 0, &pin));
	close(pin);
	close(rw);
}

TEST_F(access, pins_nothing_by_itself)
{
	int access;

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN, &access));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
	/* Nor is UNMAP stopped by it. */
	EXPECT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, self->length, NULL));
	close(access);
}

TEST_F(access, replace)
{
	uint32_t other, fine, hwpt;
	int access, null;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &other));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &fine));
	ASSERT_EQ(0, t_map_at(self->fd, fine, self->buf, 16, 0));
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN, &access));
	ASSERT_EQ(0, t_access_replace(self->fd, access, self->ioas));
	EXPECT_EQ(T_PAGE, t_alignment(self->fd, self->ioas));

	ASSERT_EQ(0, t_access_replace(self->fd, access, other));
	EXPECT_EQ(1, t_alignment(self->fd, self->ioas));
	EXPECT_EQ(T_PAGE, t_alignment(self->fd, other));
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, other));

	/* What fails leaves it where it is. */
	EXPECT_EQ(ENOENT, t_access_replace(self->fd, access, self->ioas));
	EXPECT_EQ(ENOENT, t_access_replace(self->fd, access, 0));
	EXPECT_EQ(EADDRINUSE, t_access_replace(self->fd, access, fine));
	EXPECT_EQ(1, t_alignment(self->fd, fine));
	EXPECT_EQ(T_PAGE, t_alignment(self->fd, other));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, other));
	ASSERT_EQ(0, t_mock(self->fd, other, NULL, &hwpt, NULL));
	EXPECT_EQ(ENOENT, t_access_replace(self->fd, access, hwpt));

	/* Not an access */
	EXPECT_EQ(EBADFD, t_access_replace(self->fd, -1, other));
	EXPECT_EQ(EBADFD, t_access_replace(self->fd, self->fd, other));
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	EXPECT_EQ(EBADFD, t_access_replace(self->fd, null, other));
	close(null);
	close(access);
	EXPECT_EQ(EBADFD, t_access_replace(self->fd, access, other));
}

TEST_F(access, keeps_the_context_alive)
{
	int access, fd;

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, NULL, NULL, NULL));
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas, NEEDS_PIN, &access));
	close(self->fd);
	/* Seen from outside: what is pinned stays so until the last one goes. */
	fd = t_open();
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, t_check_refs(fd, self->buf, self->length, 1));
	close(access);
	EXPECT_EQ(0, t_check_refs(fd, self->buf, self->length, 0));
	self->fd = fd;
}

TEST_F(access, no_descriptor_left)
{
	struct rlimit lim = { .rlim_cur = 0, .rlim_max = 4096 };
	int access;

	/* All numbers below the highest open one count as taken. */
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &lim));
	EXPECT_EQ(ENOMEM, t_create_access(self->fd, self->ioas, NEEDS_PIN,
					  &access));
	lim.rlim_cur = 1024;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &lim));
	EXPECT_EQ(1, t_alignment(self->fd, self->ioas));
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
}

TEST_F(access, unknown_test_operations)
{
	struct iommu_test_cmd cmd = {};

	cmd.op = 0;
	EXPECT_EQ(EOPNOTSUPP, t_test(self->fd, &cmd));
	cmd.op = 24;
	EXPECT_EQ(EOPNOTSUPP, t_test(self->fd, &cmd));
	cmd.op = UINT32_MAX;
	EXPECT_EQ(EOPNOTSUPP, t_test(self->fd, &cmd));
}

TEST_HARNESS_MAIN
