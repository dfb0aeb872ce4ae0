// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_IOAS_MAP_FILE: memfd, shmem and hugetlbfs files; everything that is the
 * same as for IOMMU_IOAS_MAP is in map.c.
 */
#include "util.h"

#define PAGES 16

FIXTURE(map_file)
{
	int fd, memfd;
	uint32_t ioas, lazy, stdev, hwpt, idev;
	size_t length;
	char *va;
	long pin;
};

FIXTURE_SETUP(map_file)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->lazy));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev, &self->hwpt,
			    &self->idev));
	self->length = PAGES * T_PAGE;
	self->memfd = t_memfd(self->length);
	ASSERT_LE(0, self->memfd);
	self->va = t_map_memfd(self->memfd, self->length);
	ASSERT_NE(NULL, self->va);
	self->pin = t_vmpin();
}

FIXTURE_TEARDOWN(map_file)
{
	close(self->fd);
	EXPECT_EQ(self->pin, t_vmpin());
	self->fd = t_open();
	EXPECT_EQ(0, t_check_refs(self->fd, self->va, self->length, 0));
	close(self->fd);
}

TEST_F(map_file, errors)
{
	uint64_t iova = T_BASE;
	int pipefd[2];

	EXPECT_EQ(EOPNOTSUPP, t_map_file(self->fd, self->ioas, self->memfd, 0,
					 T_PAGE, &iova, T_RW | 8));
	EXPECT_EQ(EOVERFLOW, t_map_file(self->fd, self->ioas, self->memfd, 0,
					UINT64_MAX, &iova, T_RW));
	iova = UINT64_MAX;
	EXPECT_EQ(EOVERFLOW, t_map_file(self->fd, self->ioas, self->memfd, 0,
					T_PAGE, &iova, T_RW | T_FIXED));
	iova = T_BASE;
	EXPECT_EQ(EINVAL, t_map_file(self->fd, self->ioas, self->memfd, 0, T_PAGE,
				     &iova, 0));
	EXPECT_EQ(ENOENT, t_map_file_at(self->fd, 0, self->memfd, 0, T_PAGE, T_BASE));
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->ioas, -1, 0, 0, T_BASE));
	EXPECT_EQ(EOVERFLOW, t_map_file_at(self->fd, self->ioas, -1, UINT64_MAX,
					   T_PAGE, T_BASE));
	EXPECT_EQ(EBADF, t_map_file_at(self->fd, self->ioas, -1, 0, T_PAGE, T_BASE));
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->lazy, self->memfd, 0,
					UINT64_MAX - T_PAGE + 1, T_BASE));

	/* Beyond the end of the file, wholly, partly, by a byte */
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->ioas, self->memfd,
					self->length, T_PAGE, T_BASE));
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->ioas, self->memfd, T_PAGE,
					self->length, T_BASE));
	ASSERT_EQ(0, ftruncate(self->memfd, self->length - 1));
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->ioas, self->memfd, 0,
					self->length, T_BASE));
	ASSERT_EQ(0, ftruncate(self->memfd, self->length));
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->ioas, self->memfd,
					UINT64_MAX - 2 * T_PAGE + 1, T_PAGE, T_BASE));

	/* Any file is good until its pages are wanted. */
	ASSERT_EQ(0, pipe(pipefd));
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->ioas, pipefd[0], 0, T_PAGE,
					T_BASE));
	EXPECT_EQ(0, t_map_file_at(self->fd, self->lazy, pipefd[0], 0, T_PAGE,
				   T_BASE));
	EXPECT_EQ(EINVAL, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0,
				       NULL));
	EXPECT_EQ(EINVAL, t_map_file_at(self->fd, self->ioas, self->fd, 0, T_PAGE,
					T_BASE));

	/* Nothing of all that is in the way. */
	EXPECT_EQ(0, t_map_file_at(self->fd, self->ioas, self->memfd, 0, self->length,
				   T_BASE));
	EXPECT_EQ(EEXIST, t_map_file_at(self->fd, self->ioas, self->memfd, 0, T_PAGE,
					T_BASE));
}

TEST_F(map_file, contents)
{
	/* Holes are filled: nobody has touched the memory yet. */
	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, self->memfd, 0, self->length,
				   T_BASE));
	memset(self->va, 1, self->length);
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE, self->length,
				 self->va));
	EXPECT_EQ(0, t_check_refs(self->fd, self->va, self->length, 1));
	EXPECT_EQ(self->pin + (long)self->length / 1024, t_vmpin());

	/* From the middle of a page to the middle of another */
	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, self->memfd,
				   T_PAGE + MOCK_PAGE_SIZE, 3 * T_PAGE,
				   T_BASE + T_PMD));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE + T_PMD,
				 3 * T_PAGE,
				 self->va + T_PAGE + MOCK_PAGE_SIZE));
	EXPECT_EQ(0, t_check_refs(self->fd, self->va + T_PAGE, 4 * T_PAGE, 2));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, self->length, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, self->va, T_PAGE, 0));
	EXPECT_EQ(0, t_check_refs(self->fd, self->va + T_PAGE, 4 * T_PAGE, 1));
}

TEST_F(map_file, automatic_iova)
{
	uint64_t iova;

	ASSERT_EQ(0, t_map_file(self->fd, self->ioas, self->memfd,
				MOCK_PAGE_SIZE, T_PAGE, &iova, T_RW));
	EXPECT_EQ(MOCK_PAGE_SIZE, iova % T_PAGE);
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, iova, T_PAGE,
				 self->va + MOCK_PAGE_SIZE));
}

TEST_F(map_file, file_closed_and_truncated)
{
	memset(self->va, 0x77, self->length);
	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, self->memfd, 0, self->length,
				   T_BASE));
	EXPECT_EQ(0, t_check_refs(self->fd, self->va, self->length, 1));
	ASSERT_EQ(0, ftruncate(self->memfd, 0));
	close(self->memfd);
	EXPECT_EQ(self->pin + (long)self->length / 1024, t_vmpin());
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(self->pin, t_vmpin());
	/* The teardown looks at the pages: give it some. */
	self->va = t_alloc(self->length);
	ASSERT_NE(NULL, self->va);
}

/* The process that mapped it is not needed to pin it. */
TEST_F(map_file, mapper_is_gone)
{
	uint32_t hwpt;
	int status;
	pid_t pid;

	memset(self->va, 3, self->length);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(t_map_file_at(self->fd, self->lazy, self->memfd, 0, self->length,
				    T_BASE));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0, &hwpt));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, T_BASE, self->length,
				 self->va));
	EXPECT_EQ(0, t_check_refs(self->fd, self->va, self->length, 1));
}

TEST_F(map_file, read_only_file)
{
	char path[64];
	int file;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->memfd);
	file = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, file);
	/* As Linux 7.2: the mode of the file is not asked. */
	EXPECT_EQ(0, t_map_file_at(self->fd, self->ioas, file, 0, self->length,
				   T_BASE));
	close(file);
}

TEST_F(map_file, copies_share_pins)
{
	memset(self->va, 9, self->length);
	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, self->memfd, 0, self->length,
				   T_BASE));
	ASSERT_EQ(0, t_copy_at(self->fd, self->ioas, self->ioas,
			       T_BASE + T_PAGE, 4 * T_PAGE, T_BASE + T_PMD));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE + T_PMD,
				 4 * T_PAGE, self->va + T_PAGE));
	EXPECT_EQ(0, t_check_refs(self->fd, self->va, self->length, 1));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, self->length, NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, self->va, T_PAGE, 0));
	EXPECT_EQ(0, t_check_refs(self->fd, self->va + T_PAGE, 4 * T_PAGE, 1));
	EXPECT_EQ(0, t_check_refs(self->fd, self->va + 5 * T_PAGE,
				  11 * T_PAGE, 0));
}

TEST_F(map_file, access_copies)
{
	char text[] = "in the file";
	int access;

	memset(self->va, 0, self->length);
	memcpy(self->va + T_PAGE - 4, text, sizeof(text));
	ASSERT_EQ(0, t_map_file_at(self->fd, self->lazy, self->memfd, 0, self->length,
				   T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, self->lazy, 0, &access));
	memset(text, 0, sizeof(text));
	EXPECT_EQ(0, t_access_rw(self->fd, access, T_BASE + T_PAGE - 4, text,
				 sizeof(text), 0));
	EXPECT_STREQ("in the file", text);
	text[0] = 'I';
	EXPECT_EQ(0, t_access_rw(self->fd, access, T_BASE + T_PAGE - 4, text,
				 sizeof(text), MOCK_ACCESS_RW_WRITE));
	EXPECT_STREQ("In the file", self->va + T_PAGE - 4);
	EXPECT_EQ(0, t_check_refs(self->fd, self->va, self->length, 0));
	close(access);
}

/* A huge folio is taken as a whole and let go in parts. */
TEST_F(map_file, hugetlb)
{
	size_t length = 2 * T_PMD;
	int file;
	char *va;

	if (!t_reserve_hugetlb(2))
		SKIP(return, "no hugetlb pages");
	file = syscall(__NR_memfd_create, "huge", 4U /* HUGETLB */);
	ASSERT_LE(0, file);
	ASSERT_EQ(0, ftruncate(file, length));
	va = t_map_memfd(file, length);
	ASSERT_NE(NULL, va);

	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, file, 0, length, T_BASE));
	memset(va, 5, length);
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE, length, va));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));

	/* A copy of the middle outlives the whole. */
	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, file, 5 * T_PAGE,
				   length - 9 * T_PAGE, T_BASE));
	ASSERT_EQ(0, t_copy_at(self->fd, self->ioas, self->ioas,
			       T_BASE + T_PMD - 8 * T_PAGE, 16 * T_PAGE,
			       T_BASE + 4 * T_PMD));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, length - 9 * T_PAGE,
			     NULL));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE + 4 * T_PMD,
				 16 * T_PAGE, va + T_PMD - 3 * T_PAGE));
	EXPECT_EQ(self->pin + 16 * (long)T_PAGE / 1024, t_vmpin());
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	munmap(va, length);
	close(file);
	/* A pin too many or too few would keep a page from going back. */
	EXPECT_EQ(self->pin, t_vmpin());
}

TEST_HARNESS_MAIN
