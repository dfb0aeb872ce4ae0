/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Words the tests of /dev/iommu are written in.
 *
 * Each wrapper of an ioctl takes the inputs as arguments, outputs as pointers
 * (NULL where the test does not care), and returns 0 or the errno, so that a
 * test reads EXPECT_EQ(ENOENT, t_destroy(fd, 0)). Structures are cleared before
 * they are filled; a test that wants one with a wrong field builds it itself and
 * uses t_call().
 */
#ifndef SELFTESTS_IOMMUFD_UTIL_H
#define SELFTESTS_IOMMUFD_UTIL_H

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/iommufd.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "kselftest_harness.h"
#include "iommufd_test.h"

/* A kernel with KASAN and lockdep in an emulated machine is slow. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 240

#define T_PAGE ((size_t)sysconf(_SC_PAGESIZE))
#define T_PMD (2UL << 20)
#define T_RW (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)
#define T_FIXED IOMMU_IOAS_MAP_FIXED_IOVA

/* Where the mock's page tables begin: valid in lazy and populated IOAS. */
#define T_BASE ((uint64_t)MOCK_APERTURE_START)

static inline int t_call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? errno : 0;
}

static inline int t_open(void)
{
	return open("/dev/iommu", O_RDWR | O_CLOEXEC);
}

/* Objects */

static inline int t_destroy(int fd, uint32_t id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return t_call(fd, IOMMU_DESTROY, &cmd);
}

static inline int t_ioas_alloc(int fd, uint32_t *id)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	int err = t_call(fd, IOMMU_IOAS_ALLOC, &cmd);

	if (!err)
		*id = cmd.out_ioas_id;
	return err;
}

/* Address spaces */

static inline int t_iova_ranges(int fd, uint32_t ioas,
				struct iommu_iova_range *ranges, uint32_t *num,
				uint64_t *align)
{
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.num_iovas = *num,
		.allowed_iovas = (uintptr_t)ranges,
	};
	int err = t_call(fd, IOMMU_IOAS_IOVA_RANGES, &cmd);

	*num = cmd.num_iovas;
	if (align)
		*align = cmd.out_iova_alignment;
	return err;
}

/* The alignment, or 0 if it can't be had. */
static inline uint64_t t_alignment(int fd, uint32_t ioas)
{
	struct iommu_iova_range ranges[64];
	uint32_t num = 64;
	uint64_t align = 0;

	if (t_iova_ranges(fd, ioas, ranges, &num, &align))
		return 0;
	return align;
}

static inline int t_allow_iovas(int fd, uint32_t ioas,
				const struct iommu_iova_range *ranges,
				uint32_t num)
{
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.num_iovas = num,
		.allowed_iovas = (uintptr_t)ranges,
	};

	return t_call(fd, IOMMU_IOAS_ALLOW_IOVAS, &cmd);
}

/* @iova is input with T_FIXED in @flags, and output. */
static inline int t_map(int fd, uint32_t ioas, const void *va, uint64_t length,
			uint64_t *iova, uint32_t flags)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.ioas_id = ioas,
		.user_va = (uintptr_t)va,
		.length = length,
		.iova = (flags & T_FIXED) ? *iova : 0,
	};
	int err = t_call(fd, IOMMU_IOAS_MAP, &cmd);

	if (!err)
		*iova = cmd.iova;
	return err;
}

static inline int t_map_at(int fd, uint32_t ioas, const void *va,
			   uint64_t length, uint64_t iova)
{
	return t_map(fd, ioas, va, length, &iova, T_RW | T_FIXED);
}

static inline int t_map_any(int fd, uint32_t ioas, const void *va,
			    uint64_t length, uint64_t *iova)
{
	return t_map(fd, ioas, va, length, iova, T_RW);
}

/* @start is an offset in @file; otherwise as t_map(). */
static inline int t_map_file(int fd, uint32_t ioas, int file, uint64_t start,
			     uint64_t length, uint64_t *iova, uint32_t flags)
{
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.ioas_id = ioas,
		.fd = file,
		.start = start,
		.length = length,
		.iova = (flags & T_FIXED) ? *iova : 0,
	};
	int err = t_call(fd, IOMMU_IOAS_MAP_FILE, &cmd);

	if (!err)
		*iova = cmd.iova;
	return err;
}

static inline int t_map_file_at(int fd, uint32_t ioas, int file, uint64_t start,
				uint64_t length, uint64_t iova)
{
	return t_map_file(fd, ioas, file, start, length, &iova, T_RW | T_FIXED);
}

static inline int t_copy(int fd, uint32_t dst, uint32_t src, uint64_t src_iova,
			 uint64_t length, uint64_t *dst_iova, uint32_t flags)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dst_ioas_id = dst,
		.src_ioas_id = src,
		.length = length,
		.dst_iova = (flags & T_FIXED) ? *dst_iova : 0,
		.src_iova = src_iova,
	};
	int err = t_call(fd, IOMMU_IOAS_COPY, &cmd);

	if (!err)
		*dst_iova = cmd.dst_iova;
	return err;
}

static inline int t_copy_at(int fd, uint32_t dst, uint32_t src,
			    uint64_t src_iova, uint64_t length,
			    uint64_t dst_iova)
{
	return t_copy(fd, dst, src, src_iova, length, &dst_iova,
		      T_RW | T_FIXED);
}

static inline int t_unmap(int fd, uint32_t ioas, uint64_t iova, uint64_t length,
			  uint64_t *unmapped)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.iova = iova,
		.length = length,
	};
	int err = t_call(fd, IOMMU_IOAS_UNMAP, &cmd);

	if (unmapped)
		*unmapped = cmd.length;
	return err;
}

static inline int t_unmap_all(int fd, uint32_t ioas, uint64_t *unmapped)
{
	return t_unmap(fd, ioas, 0, UINT64_MAX, unmapped);
}

static inline int t_change_process(int fd)
{
	struct iommu_ioas_change_process cmd = { .size = sizeof(cmd) };

	return t_call(fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd);
}

static inline int t_option(int fd, uint32_t option, uint16_t op,
			   uint32_t object, uint64_t *val)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = option,
		.op = op,
		.object_id = object,
		.val64 = *val,
	};
	int err = t_call(fd, IOMMU_OPTION, &cmd);

	*val = cmd.val64;
	return err;
}

static inline int t_huge_pages(int fd, uint32_t ioas, uint64_t val)
{
	return t_option(fd, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET, ioas,
			&val);
}

static inline int t_rlimit_mode(int fd, uint64_t val)
{
	return t_option(fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, 0,
			&val);
}

static inline int t_vfio_ioas(int fd, uint16_t op, uint32_t *id)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.ioas_id = *id,
		.op = op,
	};
	int err = t_call(fd, IOMMU_VFIO_IOAS, &cmd);

	*id = cmd.ioas_id;
	return err;
}

/* Page tables and devices */

static inline int t_hwpt_alloc(int fd, uint32_t dev, uint32_t pt,
			       uint32_t flags, uint32_t *hwpt)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dev_id = dev,
		.pt_id = pt,
	};
	int err = t_call(fd, IOMMU_HWPT_ALLOC, &cmd);

	if (!err && hwpt)
		*hwpt = cmd.out_hwpt_id;
	return err;
}

static inline int t_test(int fd, struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	return t_call(fd, IOMMU_TEST_CMD, cmd);
}

static inline int t_add_reserved(int fd, uint32_t ioas, uint64_t start,
				 uint64_t length)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_ADD_RESERVED,
		.id = ioas,
		.add_reserved = { .start = start, .length = length },
	};

	return t_test(fd, &cmd);
}

static inline int t_mock_flags(int fd, uint32_t pt, uint32_t dev_flags,
			       uint32_t *stdev, uint32_t *hwpt, uint32_t *idev)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS,
		.id = pt,
		.mock_domain_flags = { .dev_flags = dev_flags },
	};
	int err = t_test(fd, &cmd);

	if (err)
		return err;
	if (stdev)
		*stdev = cmd.mock_domain_flags.out_stdev_id;
	if (hwpt)
		*hwpt = cmd.mock_domain_flags.out_hwpt_id;
	if (idev)
		*idev = cmd.mock_domain_flags.out_idev_id;
	return 0;
}

static inline int t_mock(int fd, uint32_t pt, uint32_t *stdev, uint32_t *hwpt,
			 uint32_t *idev)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MOCK_DOMAIN,
		.id = pt,
	};
	int err = t_test(fd, &cmd);

	if (err)
		return err;
	if (stdev)
		*stdev = cmd.mock_domain.out_stdev_id;
	if (hwpt)
		*hwpt = cmd.mock_domain.out_hwpt_id;
	if (idev)
		*idev = cmd.mock_domain.out_idev_id;
	return 0;
}

static inline int t_mock_replace(int fd, uint32_t stdev, uint32_t pt,
				 uint32_t *hwpt)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE,
		.id = stdev,
		.mock_domain_replace = { .pt_id = pt },
	};
	int err = t_test(fd, &cmd);

	if (!err && hwpt)
		*hwpt = cmd.mock_domain_replace.pt_id;
	return err;
}

/* Does @hwpt translate [@iova, +@length) to this process's memory at @va? */
static inline int t_check_map(int fd, uint32_t hwpt, uint64_t iova,
			      uint64_t length, const void *va)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MD_CHECK_MAP,
		.id = hwpt,
		.check_map = {
			.iova = iova,
			.length = length,
			.uptr = (uintptr_t)va,
		},
	};

	return t_test(fd, &cmd);
}

/* Does @hwpt translate nothing of [@iova, +@length)? EIO if it does. */
static inline int t_check_blocked(int fd, uint32_t hwpt, uint64_t iova,
				  uint64_t length)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_X_MD_CHECK_BLOCKED,
		.id = hwpt,
		.check_map = { .iova = iova, .length = length },
	};

	return t_test(fd, &cmd);
}

/* Is each page of [@va, +@length) pinned exactly @refs times? EIO if not. */
static inline int t_check_refs(int fd, const void *va, uint64_t length,
			       uint32_t refs)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MD_CHECK_REFS,
		.check_refs = {
			.length = length,
			.uptr = (uintptr_t)va,
			.refs = refs,
		},
	};

	return t_test(fd, &cmd);
}

static inline int t_create_access(int fd, uint32_t ioas, uint32_t flags,
				  int *access_fd)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_CREATE_ACCESS,
		.id = ioas,
		.create_access = { .flags = flags },
	};
	int err = t_test(fd, &cmd);

	if (!err)
		*access_fd = cmd.create_access.out_access_fd;
	return err;
}

static inline int t_access_replace(int fd, int access_fd, uint32_t ioas)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_ACCESS_REPLACE_IOAS,
		.id = access_fd,
		.access_replace_ioas = { .ioas_id = ioas },
	};

	return t_test(fd, &cmd);
}

/*
 * Pins [@iova, +@length) through an access. With @va not NULL the pages have to
 * be this process's at @va, or it says EBADE.
 */
static inline int t_pin(int fd, int access_fd, uint64_t iova, uint64_t length,
			const void *va, uint32_t flags, uint32_t *item)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_ACCESS_PAGES,
		.id = access_fd,
		.access_pages = {
			.flags = flags,
			.iova = iova,
			.length = length,
			.uptr = (uintptr_t)va,
		},
	};
	int err = t_test(fd, &cmd);

	if (!err && item)
		*item = cmd.access_pages.out_access_pages_id;
	return err;
}

static inline int t_unpin(int fd, int access_fd, uint32_t item)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_DESTROY_ACCESS_PAGES,
		.id = access_fd,
		.destroy_access_pages = { .access_pages_id = item },
	};

	return t_test(fd, &cmd);
}

/* Copies between @data and the memory behind @iova; flags give the direction. */
static inline int t_access_rw(int fd, int access_fd, uint64_t iova, void *data,
			      uint64_t length, uint32_t flags)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_ACCESS_RW,
		.id = access_fd,
		.access_rw = {
			.iova = iova,
			.length = length,
			.uptr = (uintptr_t)data,
			.flags = flags,
		},
	};

	return t_test(fd, &cmd);
}

/* The longest that one operation of an access may be */
#define T_ACCESS_MAX (16UL << 20)

#define T_TEMP_LIMIT_DEFAULT 65536

static inline int t_temp_limit(int fd, uint32_t limit)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT,
		.memory_limit = { .limit = limit },
	};

	return t_test(fd, &cmd);
}

/* A dma-buf of the mock exporter, which can be mapped with mmap(). */
static inline int t_dmabuf(int fd, uint32_t length, uint32_t flags,
			   int *dmabuf)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_DMABUF_GET,
		.dmabuf_get = { .length = length, .open_flags = flags },
	};

	*dmabuf = ioctl(fd, IOMMU_TEST_CMD, &cmd);
	return *dmabuf < 0 ? errno : 0;
}

static inline int t_dmabuf_revoke(int fd, int dmabuf, bool revoked)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_DMABUF_REVOKE,
		.dmabuf_revoke = { .dmabuf_fd = dmabuf, .revoked = revoked },
	};

	return t_test(fd, &cmd);
}

/* How many of them exist in the kernel; -1 if it does not tell. */
static inline int t_dmabufs(void)
{
	FILE *f = fopen("/sys/kernel/debug/dma_buf/bufinfo", "r");
	char line[256];
	int n = 0;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		n += !!strstr(line, "\tiommufd\t");
	fclose(f);
	return n;
}

/* What fdinfo says behind a key, or NULL; good until the thread's next call */
static inline const char *t_fdinfo(int fd, const char *key)
{
	static __thread char line[256];
	size_t n = strlen(key);
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	if (!f)
		return NULL;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, n) || line[n] != ':' ||
		    line[n + 1] != '\t')
			continue;
		line[strcspn(line, "\n")] = 0;
		fclose(f);
		return line + n + 2;
	}
	fclose(f);
	return NULL;
}

/* The same, a number; -1 if it is not told */
static inline long t_fdinfo_number(int fd, const char *key)
{
	const char *text = t_fdinfo(fd, key);

	return text ? strtol(text, NULL, 10) : -1;
}

/* How many objects a context has, or -1 if fdinfo does not tell */
static inline int t_objects(int fd)
{
	return t_fdinfo_number(fd, "iommufd-objects");
}

/* Without CONFIG_IOMMUFD_TEST the number is unknown. */
static inline bool t_has_mock(int fd)
{
	struct iommu_test_cmd cmd = { .size = 0 };

	return t_call(fd, IOMMU_TEST_CMD, &cmd) == EINVAL;
}

/* Memory */

/*
 * Pages of 4 KiB each, present: MD_CHECK_REFS looks past compound pages, which
 * would make the tests blind.
 */
static inline void *t_alloc(size_t length)
{
	void *va = mmap(NULL, length, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (va == MAP_FAILED)
		return NULL;
	if (madvise(va, length, MADV_NOHUGEPAGE) && errno != EINVAL) {
		munmap(va, length);
		return NULL;
	}
	memset(va, 0x5a, length);
	return va;
}

/* Memory that can be mapped by a second process or at a second address. */
static inline int t_memfd(size_t length)
{
	int fd = syscall(__NR_memfd_create, "iommufd-test", 1U /* CLOEXEC */);

	if (fd >= 0 && ftruncate(fd, length)) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline void *t_map_memfd(int memfd, size_t length)
{
	void *va = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, memfd,
			0);

	return va == MAP_FAILED ? NULL : va;
}

/*
 * Two pages of which only the first is accessible: an argument placed at its
 * end is cut off there.
 */
static inline void *t_cliff(void)
{
	char *va = mmap(NULL, 2 * T_PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (va == MAP_FAILED || mprotect(va + T_PAGE, T_PAGE, PROT_NONE))
		return NULL;
	return va;
}

/* A copy of @arg that the kernel can read and not write. */
static inline void *t_readonly(const void *arg, size_t length)
{
	void *va = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (va == MAP_FAILED)
		return NULL;
	memcpy(va, arg, length);
	if (mprotect(va, T_PAGE, PROT_READ))
		return NULL;
	return va;
}

/* 2 MiB pages for @count; false if the system has none to give. */
static inline bool t_reserve_hugetlb(unsigned int count)
{
	static const char path[] =
		"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
	unsigned int have = 0;
	FILE *f = fopen(path, "r+");

	if (!f)
		return false;
	if (fscanf(f, "%u", &have) == 1 && have < count) {
		rewind(f);
		fprintf(f, "%u\n", count);
		fflush(f);
		rewind(f);
		if (fscanf(f, "%u", &have) != 1)
			have = 0;
	}
	fclose(f);
	return have >= count;
}

/* A number of kB from /proc/<pid>/status, or -1; @pid 0 is the caller. */
static inline long t_status_kb(pid_t pid, const char *key)
{
	char path[64], line[256];
	size_t n = strlen(key);
	long kb = -1;
	FILE *f;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/status", pid);
	else
		snprintf(path, sizeof(path), "/proc/self/status");
	f = fopen(path, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, key, n) && line[n] == ':') {
			kb = strtol(line + n + 1, NULL, 10);
			break;
		}
	}
	fclose(f);
	return kb;
}

static inline long t_vmpin(void)
{
	return t_status_kb(0, "VmPin");
}

static inline long t_vmlck(void)
{
	return t_status_kb(0, "VmLck");
}

/* Privilege: raw system calls, so that nothing has to be linked for it. */

static inline int t_drop_cap(unsigned int cap)
{
	struct __user_cap_header_struct hdr = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(__NR_capget, &hdr, data))
		return errno;
	data[cap / 32].effective &= ~(1U << (cap % 32));
	data[cap / 32].permitted &= ~(1U << (cap % 32));
	data[cap / 32].inheritable &= ~(1U << (cap % 32));
	return syscall(__NR_capset, &hdr, data) ? errno : 0;
}

static inline int t_memlock(rlim_t bytes)
{
	struct rlimit lim = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };

	return setrlimit(RLIMIT_MEMLOCK, &lim) ? errno : 0;
}

/* Random numbers that can be had again: the seed is printed by who starts. */

static inline uint64_t t_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x * 0x2545f4914f6cdd1dULL;
}

static inline double t_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/*
 * Threads that work against each other. Each is given what it needs of the
 * first part, counts in the second, and ends when it is stopped or has something
 * to tell.
 */
struct t_job {
	int fd, access;
	uint32_t ioas, other, hwpt, idev, flags;
	char *buf;
	uint64_t base, seed;
	bool *stop;
	void *self;

	unsigned long done, refused;
	/* The first answer that can't be right */
	int wrong;
	const char *where;
	pthread_t thread;
};

typedef void *(*t_work_t)(void *);

/* How long threads work, and how long until each has to have done something */
#define T_SECONDS 3
#define T_SECONDS_MAX 60

static inline bool t_stopped(struct t_job *job)
{
	return __atomic_load_n(job->stop, __ATOMIC_RELAXED) || job->wrong;
}

static inline void t_wrong(struct t_job *job, const char *where, int err)
{
	job->where = where;
	__atomic_store_n(&job->wrong, err ?: -1, __ATOMIC_RELAXED);
}

/* For who uses mappings that come and go: there, not there, on its way out */
static inline bool t_expected(struct t_job *job, const char *where, int err)
{
	switch (err) {
	case 0:
		job->done++;
		return true;
	case ENOENT:
	case EINVAL:
		job->refused++;
		return true;
	}
	t_wrong(job, where, err);
	return false;
}

static inline void t_run(struct __test_metadata *_metadata,
			 const t_work_t *work, struct t_job *jobs,
			 unsigned int n)
{
	double end = t_seconds() + T_SECONDS_MAX;
	unsigned int i;

	for (i = 0; i < n; i++)
		ASSERT_EQ(0, pthread_create(&jobs[i].thread, NULL, work[i],
					    &jobs[i]));
	sleep(T_SECONDS);
	/* On a slow machine one may still be at its first step. */
	for (i = 0; i < n; i++)
		while (!__atomic_load_n(&jobs[i].done, __ATOMIC_RELAXED) &&
		       !__atomic_load_n(&jobs[i].wrong, __ATOMIC_RELAXED) &&
		       t_seconds() < end)
			usleep(100000);
	__atomic_store_n(jobs->stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < n; i++) {
		pthread_join(jobs[i].thread, NULL);
		EXPECT_EQ(0, jobs[i].wrong)
			TH_LOG("thread %u: %s: %d", i, jobs[i].where,
			       jobs[i].wrong);
		EXPECT_LT(0, jobs[i].done)
			TH_LOG("thread %u did nothing", i);
		TH_LOG("thread %u: %lu done, %lu refused", i, jobs[i].done,
		       jobs[i].refused);
	}
}

#define T_NO_MOCK "kernel without CONFIG_IOMMUFD_TEST"

#endif
