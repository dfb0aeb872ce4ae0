// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of files on a block device: with DAX it is the device's own storage
 * and must not be pinned for long, and without it a shared mapping must not be
 * written behind the filesystem's back. uapi.md 6 lists the answers.
 *
 * Formats /dev/pmem0, which the test VM makes of a piece of its memory; run
 * elsewhere it asks for the device by IOMMUFD_PMEM=<device>.
 */
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "util.h"

#define MOUNT_POINT	"/tmp/iommufd_map_fs"
#define FILE_PAGES	16

FIXTURE(map_fs)
{
	int fd, file;
	uint32_t ioas, stdev, hwpt, idev;
	size_t length;
	bool mounted;
};

FIXTURE_VARIANT(map_fs)
{
	const char *options;
	bool dax;
};

FIXTURE_VARIANT_ADD(map_fs, page_cache)
{
	.options = "dax=never",
	.dax = false,
};

FIXTURE_VARIANT_ADD(map_fs, dax)
{
	.options = "dax=always",
	.dax = true,
};

/* Only the disk that was made for this: everything on it is lost. */
static const char *disk(void)
{
	const char *named = getenv("IOMMUFD_PMEM");
	FILE *f;
	char word[4096] = "";

	if (named)
		return named;
	f = fopen("/proc/cmdline", "r");
	if (f) {
		if (!fgets(word, sizeof(word), f))
			word[0] = 0;
		fclose(f);
	}
	return strstr(word, "rdinit=/init") ? "/dev/pmem0" : NULL;
}

FIXTURE_SETUP(map_fs)
{
	const char *dev = disk();
	char cmd[256];

	self->fd = -1;
	self->file = -1;
	if (!dev || access(dev, R_OK | W_OK))
		SKIP(return, "no disk to format (IOMMUFD_PMEM=)");
	snprintf(cmd, sizeof(cmd), "mke2fs -b 4096 %s > /dev/null 2>&1", dev);
	ASSERT_EQ(0, system(cmd)) TH_LOG("%s", cmd);
	mkdir(MOUNT_POINT, 0700);
	ASSERT_EQ(0, mount(dev, MOUNT_POINT, "ext4", 0, variant->options))
		TH_LOG("mount %s: %m", variant->options);
	self->mounted = true;

	self->length = FILE_PAGES * T_PAGE;
	self->file = open(MOUNT_POINT "/file", O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, self->file);
	ASSERT_EQ(0, posix_fallocate(self->file, 0, self->length));

	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev, &self->hwpt,
			    &self->idev));
}

FIXTURE_TEARDOWN(map_fs)
{
	if (self->fd >= 0)
		close(self->fd);
	if (self->file >= 0)
		close(self->file);
	/* Also the proof that nothing of the file is pinned or mapped. */
	if (self->mounted)
		EXPECT_EQ(0, umount(MOUNT_POINT));
	rmdir(MOUNT_POINT);
}

/* Map the file's memory; 0 or errno. */
static int map_memory(int fd, uint32_t ioas, int file, size_t length,
		      int flags, uint32_t rights, bool touch)
{
	uint64_t iova = T_BASE;
	char *va;
	int rc;

	va = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, file, 0);
	if (va == MAP_FAILED)
		return errno;
	if (touch)
		memset(va, 3, length);
	rc = t_map(fd, ioas, va, length, &iova, T_FIXED | rights);
	if (!rc)
		rc = t_unmap(fd, ioas, T_BASE, length, NULL);
	munmap(va, length);
	return rc;
}

TEST_F(map_fs, shared)
{
	/* The filesystem has to know what is written to its page cache. */
	EXPECT_EQ(variant->dax ? EOPNOTSUPP : EFAULT,
		  map_memory(self->fd, self->ioas, self->file, self->length,
			     MAP_SHARED, T_RW, true));
	EXPECT_EQ(variant->dax ? EOPNOTSUPP : 0,
		  map_memory(self->fd, self->ioas, self->file, self->length,
			     MAP_SHARED, IOMMU_IOAS_MAP_READABLE, true));
}

TEST_F(map_fs, private_copies)
{
	/* What was written is anonymous memory; what was not is the file's. */
	EXPECT_EQ(0,
		  map_memory(self->fd, self->ioas, self->file, self->length,
			     MAP_PRIVATE, T_RW, true));
	EXPECT_EQ(variant->dax ? EOPNOTSUPP : 0,
		  map_memory(self->fd, self->ioas, self->file, self->length,
			     MAP_PRIVATE, IOMMU_IOAS_MAP_READABLE, false));
}

/* A refusal half way through a mapping takes back what came before it. */
TEST_F(map_fs, after_good_memory)
{
	size_t good = 8 * T_PAGE;
	uint64_t iova = T_BASE;
	char *va;

	va = t_alloc(good + self->length);
	ASSERT_NE(NULL, va);
	ASSERT_NE(MAP_FAILED, mmap(va + good, self->length,
				   PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_FIXED, self->file, 0));
	EXPECT_EQ(variant->dax ? EOPNOTSUPP : EFAULT,
		  t_map(self->fd, self->ioas, va, good + self->length, &iova,
			T_FIXED | T_RW));
	EXPECT_EQ(0, t_check_refs(self->fd, va, good, 0));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, good, T_BASE));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, T_BASE, good, va));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	ASSERT_EQ(0, munmap(va + good, self->length));
}

/* No memfd: not for MAP_FILE, with DAX or without. */
TEST_F(map_fs, by_file)
{
	uint64_t iova = T_BASE;

	EXPECT_EQ(EINVAL, t_map_file(self->fd, self->ioas, self->file, 0,
				     self->length, &iova, T_FIXED | T_RW));
}

TEST_HARNESS_MAIN
