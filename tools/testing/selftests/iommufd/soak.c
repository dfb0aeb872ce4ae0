// SPDX-License-Identifier: GPL-2.0-only
/*
 * The whole ABI at once: threads that share a few contexts do one random thing
 * after the other, with IDs that may have gone a moment ago, now and then with
 * an allocation that fails. What each is answered must be an errno that its
 * description has. The kernel's own checks are the other half of the test, and
 * at the end nothing may be pinned or charged.
 *
 * SOAK_SECONDS is how long (20), SOAK_SEED what the random numbers begin with
 * (from the clock), SOAK_THREADS how many (4). A run cannot be repeated step by
 * step, since threads meet as they like, but its mix of steps can.
 */
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "pt.h"

/* It is SOAK_SECONDS that ends the test. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT (7 * 24 * 60 * 60)

#define CONTEXTS 3
#define IDS 8
#define THREADS_MAX 16
#define BUFFER_PAGES 768
#define WINDOW (T_BASE + (64UL << 20))

/* What IDs and descriptors were last seen as, for all threads; racy by intent */
enum id_kind {
	IOAS, HWPT, PARENT, NESTED, IDEV, STDEV, FAULT, VIOMMU, VDEVICE,
	VEVENTQ, HW_QUEUE, KINDS,
};

struct context {
	int fd;
	uint32_t ids[KINDS][IDS];
	int access[IDS], faults[IDS], events[IDS], dmabufs[IDS];
	uint64_t offset, length;
};

struct worker {
	struct context *contexts, *ctx;
	uint64_t seed;
	char *buf;
	int memfd, fail_nth;
	bool *stop;
	bool injected;
	unsigned long *answers;
	int *wrong;
	unsigned long done;
	pthread_t thread;
};

static uint64_t rnd(struct worker *w, uint64_t below)
{
	return t_random(&w->seed) % below;
}

static bool chance(struct worker *w, unsigned int one_in)
{
	return !rnd(w, one_in);
}

static uint32_t *slot(struct worker *w, enum id_kind kind)
{
	return &w->ctx->ids[kind][rnd(w, IDS)];
}

static uint32_t some(struct worker *w, enum id_kind kind)
{
	uint32_t id = 0;
	int i;

	/* Now and then something that is of another kind, or nothing. */
	if (chance(w, 40))
		return rnd(w, 64);
	for (i = 0; i < IDS && !id; i++)
		id = __atomic_load_n(slot(w, kind), __ATOMIC_RELAXED);
	return id;
}

static void keep(struct worker *w, enum id_kind kind, uint32_t id)
{
	__atomic_store_n(slot(w, kind), id, __ATOMIC_RELAXED);
}

static int some_fd(struct worker *w, int *fds)
{
	return __atomic_load_n(&fds[rnd(w, IDS)], __ATOMIC_RELAXED);
}

/* Whatever was there is closed, whoever may be using it. */
static void keep_fd(struct worker *w, int *fds, int fd)
{
	int old = __atomic_exchange_n(&fds[rnd(w, IDS)], fd, __ATOMIC_RELAXED);

	if (old >= 0)
		close(old);
}

static uint64_t some_iova(struct worker *w)
{
	if (chance(w, 50))
		return -(rnd(w, 4) * T_PAGE);
	return WINDOW + rnd(w, 512) * T_PAGE;
}

static uint64_t some_length(struct worker *w)
{
	if (chance(w, 50))
		return rnd(w, 3 * T_PAGE);
	if (chance(w, 4))
		return (1 + rnd(w, BUFFER_PAGES / 2)) * T_PAGE;
	return (1 + rnd(w, 8)) * T_PAGE;
}

static char *some_memory(struct worker *w)
{
	return w->buf + rnd(w, BUFFER_PAGES / 2) * T_PAGE;
}

static uint32_t some_prot(struct worker *w)
{
	static const uint32_t prots[] = {
		T_RW, T_RW, T_RW, IOMMU_IOAS_MAP_READABLE,
		IOMMU_IOAS_MAP_WRITEABLE,
	};

	return prots[rnd(w, 5)] | (chance(w, 4) ? 0 : T_FIXED);
}

/* Objects */

static int ioas_alloc(struct worker *w)
{
	uint32_t id;
	int err = t_ioas_alloc(w->ctx->fd, &id);

	if (!err)
		keep(w, IOAS, id);
	return err;
}

static int destroy(struct worker *w)
{
	return t_destroy(w->ctx->fd, some(w, rnd(w, KINDS)));
}

static int map(struct worker *w)
{
	uint64_t iova = some_iova(w);

	return t_map(w->ctx->fd, some(w, IOAS), some_memory(w), some_length(w),
		     &iova, some_prot(w));
}

static int map_file(struct worker *w)
{
	int fd = chance(w, 3) ? some_fd(w, w->ctx->dmabufs) : w->memfd;
	uint64_t iova = some_iova(w);

	return t_map_file(w->ctx->fd, some(w, IOAS), fd, rnd(w, 64) * T_PAGE,
			  some_length(w), &iova, some_prot(w));
}

static int copy(struct worker *w)
{
	uint64_t iova = some_iova(w);

	return t_copy(w->ctx->fd, some(w, IOAS), some(w, IOAS), some_iova(w),
		      some_length(w), &iova, some_prot(w));
}

static int unmap(struct worker *w)
{
	if (chance(w, 8))
		return t_unmap_all(w->ctx->fd, some(w, IOAS), NULL);
	return t_unmap(w->ctx->fd, some(w, IOAS), some_iova(w),
		       some_length(w) * (1 + rnd(w, 64)), NULL);
}

static int iova_ranges(struct worker *w)
{
	struct iommu_iova_range ranges[8];
	uint32_t n = rnd(w, 9);

	return t_iova_ranges(w->ctx->fd, some(w, IOAS), ranges, &n, NULL);
}

static int allow_iovas(struct worker *w)
{
	struct iommu_iova_range ranges[2] = {
		{ WINDOW, WINDOW + (16UL << 20) - 1 },
		{ WINDOW + (32UL << 20), WINDOW + (33UL << 20) - 1 },
	};

	return t_allow_iovas(w->ctx->fd, some(w, IOAS), ranges, rnd(w, 3));
}

static int huge_pages(struct worker *w)
{
	return t_huge_pages(w->ctx->fd, some(w, IOAS), rnd(w, 2));
}

static int change_process(struct worker *w)
{
	return t_change_process(w->ctx->fd);
}

/* Devices and page tables */

static int mock(struct worker *w)
{
	uint32_t flags = chance(w, 2) ? MOCK_FLAGS_DEVICE_PASID : 0;
	uint32_t stdev, hwpt, idev;
	enum id_kind to = rnd(w, 3) ? IOAS : rnd(w, 2) ? HWPT : NESTED;
	int err;

	if (chance(w, 8))
		flags |= MOCK_FLAGS_DEVICE_NO_DIRTY;
	err = t_mock_flags(w->ctx->fd, some(w, to), flags, &stdev, &hwpt,
			   &idev);
	if (err)
		return err;
	keep(w, STDEV, stdev);
	keep(w, IDEV, idev);
	keep(w, HWPT, hwpt);
	return 0;
}

static int mock_replace(struct worker *w)
{
	enum id_kind to = rnd(w, 3) ? IOAS : rnd(w, 2) ? HWPT : NESTED;

	return t_mock_replace(w->ctx->fd, some(w, STDEV), some(w, to), NULL);
}

static int pasid(struct worker *w)
{
	static const uint32_t pasids[] = { 1, 2, IOMMU_TEST_PASID_RESERVED };
	uint32_t pt = some(w, rnd(w, 3) ? HWPT : NESTED);
	uint32_t nr = pasids[rnd(w, 3)];

	switch (rnd(w, 4)) {
	case 0:
		return t_pasid_replace(w->ctx->fd, some(w, STDEV), nr, &pt);
	case 1:
		return t_pasid_detach(w->ctx->fd, some(w, STDEV), nr);
	case 2:
		return t_pasid_check(w->ctx->fd, some(w, STDEV), nr, pt);
	default:
		return t_pasid_attach(w->ctx->fd, some(w, STDEV), nr, &pt);
	}
}

static int hwpt_alloc(struct worker *w)
{
	static const uint32_t flags[] = {
		0, IOMMU_HWPT_ALLOC_NEST_PARENT,
		IOMMU_HWPT_ALLOC_DIRTY_TRACKING, IOMMU_HWPT_ALLOC_PASID,
		IOMMU_HWPT_FAULT_ID_VALID,
		IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID,
		IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
	};
	uint32_t flag = flags[rnd(w, 7)], id;
	int err;

	err = t_hwpt_full(w->ctx->fd, some(w, IDEV), some(w, IOAS), flag,
			  some(w, FAULT), IOMMU_HWPT_DATA_NONE, NULL, 0, &id);
	if (!err)
		keep(w, flag & IOMMU_HWPT_ALLOC_NEST_PARENT ? PARENT : HWPT,
		     id);
	return err;
}

static int nested(struct worker *w)
{
	uint32_t flags = chance(w, 2) ? IOMMU_HWPT_FAULT_ID_VALID : 0, id;
	int err;

	err = t_nested(w->ctx->fd, some(w, IDEV),
		       some(w, rnd(w, 2) ? PARENT : VIOMMU), flags,
		       some(w, FAULT), &id);
	if (!err)
		keep(w, NESTED, id);
	return err;
}

static int invalidate(struct worker *w)
{
	struct iommu_viommu_invalidate_selftest request[4] = {
		{ .vdev_id = rnd(w, 4), .cache_id = rnd(w, 4) },
		{ .vdev_id = rnd(w, 4), .cache_id = rnd(w, 4) },
	};
	bool viommu = chance(w, 2);
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = some(w, viommu ? VIOMMU : NESTED),
		.data_uptr = (uintptr_t)request,
		.data_type = IOMMU_HWPT_INVALIDATE_DATA_SELFTEST,
		.entry_len = viommu ? 12 : 8,
		.entry_num = rnd(w, 5),
	};

	return t_call(w->ctx->fd, IOMMU_HWPT_INVALIDATE, &cmd);
}

static int hw_info(struct worker *w)
{
	struct iommu_test_hw_info info;
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.dev_id = some(w, IDEV),
		.data_len = sizeof(info),
		.data_uptr = (uintptr_t)&info,
	};

	return t_call(w->ctx->fd, IOMMU_GET_HW_INFO, &cmd);
}

static int dirty(struct worker *w)
{
	uint64_t bitmap[64] = {};
	struct iommu_hwpt_set_dirty_tracking set = {
		.size = sizeof(set),
		.flags = rnd(w, 2),
		.hwpt_id = some(w, HWPT),
	};
	struct iommu_hwpt_get_dirty_bitmap get = {
		.size = sizeof(get),
		.hwpt_id = some(w, HWPT),
		.flags = rnd(w, 2),
		.iova = some_iova(w),
		.length = (1 + rnd(w, 1024)) * T_PAGE,
		.page_size = T_PAGE,
		.data = (uintptr_t)bitmap,
	};
	struct iommu_x_ioas_unmap_dirty both = {
		.size = sizeof(both),
		.ioas_id = some(w, IOAS),
		.hwpt_id = some(w, HWPT),
		.iova = some_iova(w),
		.length = (1 + rnd(w, 1024)) * T_PAGE,
		.page_size = T_PAGE,
		.data = (uintptr_t)bitmap,
	};

	switch (rnd(w, 3)) {
	case 0:
		return t_call(w->ctx->fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &set);
	case 1:
		return t_call(w->ctx->fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &get);
	default:
		return t_call(w->ctx->fd, IOMMU_X_IOAS_UNMAP_DIRTY, &both);
	}
}

/* Page faults */

static int fault_alloc(struct worker *w)
{
	uint32_t id;
	int fd, err;

	err = t_fault_alloc(w->ctx->fd, &id, &fd);
	if (err)
		return err;
	keep(w, FAULT, id);
	keep_fd(w, w->ctx->faults, fd);
	return 0;
}

static int fault_trigger(struct worker *w)
{
	return t_iopf(w->ctx->fd, some(w, IDEV), rnd(w, 3), rnd(w, 8));
}

static int fault_answer(struct worker *w)
{
	int fd = some_fd(w, w->ctx->faults);
	struct iommu_hwpt_page_response response[2] = {
		{ .cookie = 1 + rnd(w, 4), .code = rnd(w, 2) },
		{ .cookie = 1 + rnd(w, 4), .code = rnd(w, 3) },
	};
	struct iommu_hwpt_pgfault faults[4];
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (poll(&poll_fd, 1, 0) < 0)
		return errno;
	n = read(fd, faults, rnd(w, 5) * sizeof(faults[0]));
	if (n < 0)
		return errno;
	if (n > 0 && chance(w, 2))
		response[0].cookie = faults[0].cookie;
	n = write(fd, response, (1 + rnd(w, 2)) * sizeof(response[0]));
	return n < 0 ? errno : 0;
}

/* Virtual IOMMUs */

static int viommu(struct worker *w)
{
	struct iommu_viommu_selftest data = { .in_data = rnd(w, 1 << 30) };
	bool with_data = chance(w, 2);
	uint32_t id;
	int err;

	err = t_viommu(w->ctx->fd, some(w, IDEV), some(w, PARENT),
		       IOMMU_VIOMMU_TYPE_SELFTEST, with_data ? &data : NULL,
		       with_data ? sizeof(data) : 0, &id);
	if (err)
		return err;
	keep(w, VIOMMU, id);
	if (with_data) {
		w->ctx->offset = data.out_mmap_offset;
		w->ctx->length = data.out_mmap_length;
	}
	return 0;
}

static int vdevice(struct worker *w)
{
	uint32_t id;
	int err = t_vdevice(w->ctx->fd, some(w, VIOMMU), some(w, IDEV),
			    rnd(w, 4), &id);

	if (!err)
		keep(w, VDEVICE, id);
	return err;
}

static int veventq(struct worker *w)
{
	uint32_t id;
	int fd, err;

	err = t_veventq(w->ctx->fd, some(w, VIOMMU),
			IOMMU_VEVENTQ_TYPE_SELFTEST, 1 + rnd(w, 4), &id, &fd);
	if (err)
		return err;
	keep(w, VEVENTQ, id);
	keep_fd(w, w->ctx->events, fd);
	return 0;
}

static int vevent(struct worker *w)
{
	char data[64];

	if (chance(w, 3))
		return read(some_fd(w, w->ctx->events), data,
			    rnd(w, sizeof(data))) < 0 ? errno : 0;
	return t_vevent(w->ctx->fd, some(w, IDEV));
}

static int hw_queue(struct worker *w)
{
	uint32_t id;
	int err = t_hw_queue(w->ctx->fd, some(w, VIOMMU),
			     IOMMU_HW_QUEUE_TYPE_SELFTEST, rnd(w, 3),
			     some_iova(w),
			     chance(w, 4) ? some_length(w) : 64 * rnd(w, 64),
			     &id);

	if (!err)
		keep(w, HW_QUEUE, id);
	return err;
}

static int mmap_region(struct worker *w)
{
	uint64_t length = w->ctx->length, offset = w->ctx->offset;
	char *p;

	p = mmap(NULL, length ?: T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		 w->ctx->fd, offset);
	if (p == MAP_FAILED)
		return errno;
	__atomic_load_n(p, __ATOMIC_RELAXED);
	munmap(p, length ?: T_PAGE);
	return 0;
}

/* In-kernel users */

static int access_create(struct worker *w)
{
	int fd, err;

	err = t_create_access(w->ctx->fd, some(w, IOAS), rnd(w, 2), &fd);
	if (!err)
		keep_fd(w, w->ctx->access, fd);
	return err;
}

static int access_pin(struct worker *w)
{
	uint32_t item;
	int access = some_fd(w, w->ctx->access);
	int err;

	err = t_pin(w->ctx->fd, access, some_iova(w), some_length(w), NULL,
		    rnd(w, 2) * MOCK_FLAGS_ACCESS_WRITE, &item);
	if (!err && chance(w, 2))
		err = t_unpin(w->ctx->fd, access, item);
	return err;
}

static int access_rw(struct worker *w)
{
	char data[4096];
	uint32_t flags = rnd(w, 2) * MOCK_ACCESS_RW_WRITE |
			 rnd(w, 2) * MOCK_ACCESS_RW_SLOW_PATH;

	memset(data, 0x5a, sizeof(data));
	return t_access_rw(w->ctx->fd, some_fd(w, w->ctx->access),
			   some_iova(w), data, rnd(w, sizeof(data)), flags);
}

static int access_replace(struct worker *w)
{
	return t_access_replace(w->ctx->fd, some_fd(w, w->ctx->access),
				some(w, IOAS));
}

static int dmabuf(struct worker *w)
{
	int fd, err;

	if (chance(w, 2))
		return t_dmabuf_revoke(w->ctx->fd,
				       some_fd(w, w->ctx->dmabufs), rnd(w, 2));
	err = t_dmabuf(w->ctx->fd, 64 * T_PAGE, O_CLOEXEC, &fd);
	if (!err)
		keep_fd(w, w->ctx->dmabufs, fd);
	return err;
}

static int vfio_ioas(struct worker *w)
{
	uint32_t id = some(w, IOAS);

	return t_vfio_ioas(w->ctx->fd, rnd(w, 3), &id);
}

/* From outside */

static int read_fdinfo(struct worker *w)
{
	char path[64], text[4096];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", w->ctx->fd);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return errno;
	while (read(fd, text, sizeof(text)) > 0)
		;
	close(fd);
	return 0;
}

/* A context ends under everybody's hands, and a new one has its number. */
static int reopen(struct worker *w)
{
	unsigned int kind;
	int fd, i;

	/* What is made of many steps must have the time to come about. */
	if (!chance(w, 16))
		return 0;
	fd = t_open();
	if (fd < 0)
		return errno;
	if (dup3(fd, w->ctx->fd, O_CLOEXEC) < 0) {
		close(fd);
		return errno;
	}
	close(fd);
	for (kind = 0; kind < KINDS; kind++)
		for (i = 0; i < IDS; i++)
			__atomic_store_n(&w->ctx->ids[kind][i], 0,
					 __ATOMIC_RELAXED);
	return 0;
}

static int advise(struct worker *w)
{
	madvise(some_memory(w), some_length(w) & -T_PAGE,
		chance(w, 2) ? MADV_DONTNEED : MADV_COLD);
	return 0;
}

/* A process that shares the contexts maps memory of its own and ends. */
static int child(struct worker *w)
{
	pid_t pid = fork();
	int i;

	if (pid < 0)
		return errno;
	if (!pid) {
		for (i = 0; i < 8; i++) {
			map(w);
			unmap(w);
			access_pin(w);
		}
		_exit(0);
	}
	if (chance(w, 2))
		kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}

/* A command of this ABI with anything in its struct */
static int garbage(struct worker *w)
{
	uint32_t words[32];
	unsigned int i;
	uint32_t nr = 0x80 + rnd(w, 0x42);

	/* Would take all memory there is, or end the test. */
	if (nr == 0xa0)
		return 0;
	for (i = 0; i < 32; i++)
		words[i] = chance(w, 5) ? t_random(&w->seed) : rnd(w, 32);
	/* Where the kernel may write for us there must be nothing of ours. */
	for (i = 0; i < 32; i += 2)
		if (!words[i + 1])
			words[i] = rnd(w, 32);
	words[0] = rnd(w, 128);
	t_call(w->ctx->fd, _IO(IOMMUFD_TYPE, nr), words);
	return 0;
}

struct step {
	const char *name;
	unsigned int weight;
	int (*fn)(struct worker *w);
	/* Answers besides 0; ENOENT and ENOMEM go without saying. */
	int answers[10];
};

static const struct step steps[] = {
	{ "ioas_alloc", 4, ioas_alloc, {} },
	{ "destroy", 16, destroy, { EBUSY } },
	{ "map", 30, map,
	  { EINVAL, EEXIST, EFAULT, EOVERFLOW, ENOSPC } },
	{ "map_file", 10, map_file,
	  { EINVAL, EEXIST, EFAULT, EOVERFLOW, ENOSPC, EBADF, ENODEV,
	    EOPNOTSUPP } },
	{ "copy", 10, copy, { EINVAL, EEXIST, EPERM, EFAULT, EOVERFLOW,
	  ENOSPC, ENODEV } },
	{ "unmap", 16, unmap, { EBUSY, EOVERFLOW, EINVAL, EDEADLK } },
	{ "iova_ranges", 2, iova_ranges, { EMSGSIZE } },
	{ "allow_iovas", 2, allow_iovas, { EADDRINUSE } },
	{ "huge_pages", 2, huge_pages, { EINVAL, EADDRINUSE } },
	{ "change_process", 1, change_process, { EINVAL, EBUSY } },
	{ "mock", 8, mock, { EINVAL, EADDRINUSE, EFAULT, EBUSY, EPERM } },
	{ "mock_replace", 8, mock_replace, { EINVAL, EADDRINUSE, EFAULT } },
	{ "pasid", 12, pasid, { EINVAL, EBUSY, EADDRINUSE, EOPNOTSUPP } },
	{ "hwpt_alloc", 12, hwpt_alloc,
	  { EINVAL, EOPNOTSUPP, EADDRINUSE, EFAULT } },
	/* What had the number of a parent may be an IOAS by now. */
	{ "nested", 8, nested, { EINVAL, EOPNOTSUPP, EADDRINUSE, EFAULT } },
	{ "invalidate", 4, invalidate, { EINVAL, EOPNOTSUPP } },
	{ "hw_info", 2, hw_info, { EFAULT } },
	{ "dirty", 12, dirty,
	  { EINVAL, EOPNOTSUPP, EOVERFLOW, EBUSY, EDEADLK } },
	{ "fault_alloc", 4, fault_alloc, { EMFILE } },
	{ "fault_trigger", 8, fault_trigger, { EINVAL } },
	{ "fault_answer", 12, fault_answer,
	  { EINVAL, EBADF, ESPIPE, EISDIR } },
	{ "viommu", 6, viommu, { EINVAL, EOPNOTSUPP } },
	{ "vdevice", 8, vdevice, { EINVAL, EEXIST } },
	{ "veventq", 4, veventq, { EEXIST, EMFILE, EOPNOTSUPP } },
	{ "vevent", 10, vevent, { EINVAL, EOPNOTSUPP, EBADF, ESPIPE } },
	{ "hw_queue", 6, hw_queue,
	  { EINVAL, EOPNOTSUPP, EOVERFLOW, EPERM, EFAULT, EEXIST, EIO,
	    EADDRINUSE, ERANGE } },
	{ "mmap", 4, mmap_region, { ENXIO, ENODEV, EINVAL } },
	{ "access_create", 4, access_create, { EADDRINUSE, EBUSY } },
	{ "access_pin", 12, access_pin,
	  { EINVAL, EPERM, EFAULT, EOVERFLOW, EBADF, EOPNOTSUPP } },
	{ "access_rw", 10, access_rw,
	  { EINVAL, EPERM, EFAULT, EOVERFLOW, EBADF } },
	{ "access_replace", 4, access_replace,
	  { EINVAL, EADDRINUSE, EBADF, EBUSY } },
	{ "dmabuf", 6, dmabuf, { EBADF, EINVAL, EOPNOTSUPP, EMFILE } },
	{ "vfio_ioas", 1, vfio_ioas, { ENODEV } },
	{ "fdinfo", 2, read_fdinfo, { EBADF } },
	{ "reopen", 1, reopen, { EMFILE } },
	{ "advise", 2, advise, {} },
	{ "child", 1, child, { EAGAIN } },
	{ "garbage", 6, garbage, {} },
};

#define STEPS ARRAY_SIZE(steps)

/* An access that is none any more, or whose number is another file's now */
static bool is_stale_fd(int err)
{
	return err == EBADFD;
}

static bool is_answer(const struct step *step, int err)
{
	unsigned int i;

	if (!err || err == ENOENT || err == ENOMEM || is_stale_fd(err))
		return true;
	for (i = 0; i < ARRAY_SIZE(step->answers); i++)
		if (step->answers[i] == err)
			return true;
	return false;
}

/* The n-th allocation or fault point from here fails; 0: none. */
static void fail_nth(struct worker *w, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (w->fail_nth >= 0)
		w->injected = pwrite(w->fail_nth, text, len, 0) == len && n;
}

static const struct step *choose(struct worker *w)
{
	unsigned int i, total = 0, at;

	for (i = 0; i < STEPS; i++)
		total += steps[i].weight;
	at = rnd(w, total);
	for (i = 0; at >= steps[i].weight; i++)
		at -= steps[i].weight;
	return &steps[i];
}

static void *work(void *arg)
{
	struct worker *w = arg;
	const struct step *step;
	bool injected;
	int err;

	w->fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	while (!__atomic_load_n(w->stop, __ATOMIC_RELAXED)) {
		w->ctx = &w->contexts[rnd(w, CONTEXTS)];
		step = choose(w);
		if (chance(w, 8))
			fail_nth(w, 1 + rnd(w, 24));
		err = step->fn(w);
		injected = w->injected;
		if (injected)
			fail_nth(w, 0);
		/* What an allocation that fails leads to is its own chapter. */
		if (!injected && !is_answer(step, err))
			__atomic_store_n(&w->wrong[step - steps], err,
					 __ATOMIC_RELAXED);
		if (!err)
			__atomic_fetch_add(&w->answers[step - steps], 1,
					   __ATOMIC_RELAXED);
		w->done++;
	}
	if (w->fail_nth >= 0)
		close(w->fail_nth);
	return NULL;
}

static unsigned long from_environment(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

/* Messages of what fails on purpose would drown those that count. */
static void quiet_faults(void)
{
	static const char * const files[] = {
		"failslab/verbose", "fail_page_alloc/verbose",
		"fail_iommufd/verbose",
	};
	static const char * const waits[] = {
		"failslab/ignore-gfp-wait", "fail_page_alloc/ignore-gfp-wait",
		"fail_page_alloc/ignore-gfp-highmem",
	};
	char path[128];
	unsigned int i;
	int fd;

	for (i = 0; i < 2 * ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s",
			 i < ARRAY_SIZE(files) ? files[i] :
						 waits[i - ARRAY_SIZE(files)]);
		fd = open(path, O_WRONLY);
		if (fd < 0)
			continue;
		if (write(fd, i < ARRAY_SIZE(files) ? "0" : "N", 1) != 1)
			ksft_print_msg("%s can't be written\n", path);
		close(fd);
	}
}

/*
 * The kernel writes to a thread's restartable sequence area whenever it has moved
 * the thread, and ends it with SIGSEGV if it can't: for example because the
 * page is shared since a fork and the copy is the allocation that shall fail.
 * So there must be no such area, which libc wants to know before it starts.
 */
static void __attribute__((constructor)) without_rseq(int argc, char **argv)
{
	if (!argc || getenv("GLIBC_TUNABLES"))
		return;
	setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
	execv("/proc/self/exe", argv);
}

TEST(everything_at_once)
{
	static struct context contexts[CONTEXTS];
	static unsigned long answers[STEPS];
	static int wrong[STEPS];
	struct worker workers[THREADS_MAX] = {};
	unsigned long seconds = from_environment("SOAK_SECONDS", 20);
	unsigned long seed = from_environment("SOAK_SEED", time(NULL));
	unsigned long n = from_environment("SOAK_THREADS", 4);
	unsigned long done = 0, i, k;
	bool stop = false;
	double end;
	char *buf;
	int fd;

	ASSERT_LT(0, n);
	ASSERT_GE(THREADS_MAX, n);
	TH_LOG("SOAK_SEED=%lu SOAK_SECONDS=%lu SOAK_THREADS=%lu", seed, seconds,
	       n);
	quiet_faults();
	for (i = 0; i < CONTEXTS; i++) {
		memset(contexts[i].access, -1, sizeof(contexts[i].access));
		memset(contexts[i].faults, -1, sizeof(contexts[i].faults));
		memset(contexts[i].events, -1, sizeof(contexts[i].events));
		memset(contexts[i].dmabufs, -1, sizeof(contexts[i].dmabufs));
		contexts[i].fd = t_open();
		ASSERT_LE(0, contexts[i].fd);
	}
	if (!t_has_mock(contexts[0].fd))
		SKIP(return, T_NO_MOCK);
	buf = t_alloc(BUFFER_PAGES * T_PAGE);
	ASSERT_NE(NULL, buf);

	for (i = 0; i < n; i++) {
		workers[i] = (struct worker){
			.contexts = contexts,
			.seed = seed * 1000003 + i,
			.buf = buf,
			.stop = &stop,
			.answers = answers,
			.wrong = wrong,
			.memfd = t_memfd(128 * T_PAGE),
		};
		ASSERT_LE(0, workers[i].memfd);
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, work,
					    &workers[i]));
	}
	end = t_seconds() + seconds;
	while (t_seconds() < end)
		usleep(200000);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < n; i++) {
		pthread_join(workers[i].thread, NULL);
		done += workers[i].done;
		close(workers[i].memfd);
	}

	for (i = 0; i < CONTEXTS; i++) {
		for (k = 0; k < IDS; k++) {
			close(contexts[i].access[k]);
			close(contexts[i].faults[k]);
			close(contexts[i].events[k]);
			close(contexts[i].dmabufs[k]);
		}
		close(contexts[i].fd);
	}
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, buf, BUFFER_PAGES * T_PAGE, 0));
	close(fd);
	EXPECT_EQ(0, t_vmpin());

	EXPECT_LT(0, done);
	TH_LOG("%lu steps", done);
	for (i = 0; i < STEPS; i++) {
		EXPECT_EQ(0, wrong[i])
			TH_LOG("%s: errno %d", steps[i].name, wrong[i]);
		/* A short run may have no luck with one. */
		if (seconds >= 300)
			EXPECT_LT(0, answers[i]);
		TH_LOG("%-16s %lu succeeded", steps[i].name, answers[i]);
	}
}

TEST_HARNESS_MAIN
