// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every ioctl on its happy path with the kernel's fault injection: the first
 * allocation fails, then in a second run the second, and so on until a run goes
 * through. For each run
 *
 * - the ioctl either works or says an errno it may say for lack of memory or an
 *   injected fault, and in the latter case a fault has really been injected,
 * - if it does not work there are as many objects as before,
 * - said again without faults it works (what it did before is undone, or at
 *   least not in the way),
 * - after close no page is pinned, nothing is charged, and no file is open that
 *   was not before.
 *
 * A scenario is a pair: what to prepare, and the one ioctl to be tried.
 */
#include <signal.h>

#include "pt.h"
#include "vfio.h"

#define BUF_PAGES 24
#define MAX_FAULTS 1000
#define BAR_LENGTH (64 * T_PAGE)

struct scene {
	int fd;
	uint32_t ioas, other, stdev, hwpt, idev, id;
	int access, dmabuf;
	char *buf;
	size_t length;
	/* How often the step has been tried */
	unsigned int tries;
	char *huge;
	/* Memory of a device, BAR_LENGTH bytes of it */
	char *bar;
	/* Whose memory is mapped, if not that of the caller */
	pid_t mapper;
	/* Where a region of a vIOMMU is in the file */
	uint64_t offset;
	/* There was no memory for an event. */
	bool lost;
};

FIXTURE(fail_nth)
{
	int nth;
	char *buf;
	size_t length;
	long pin, lck;
	int dmabufs;
};

typedef int (*step_t)(struct scene *s);

FIXTURE_VARIANT(fail_nth)
{
	step_t prepare, step;
	/* There is nothing on the way that could fail. */
	bool faultless;
	/* Memory of a device is needed. */
	bool needs_bar;
	/* A device for VFIO's container is needed. */
	bool needs_group;
};

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good;

	if (fd < 0)
		return false;
	good = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return good;
}

#define DEBUGFS "/sys/kernel/debug/"

FIXTURE_SETUP(fail_nth)
{
	char path[300];
	int fd;

	fd = t_open();
	ASSERT_LE(0, fd);
	if (!t_has_mock(fd))
		SKIP(return, T_NO_MOCK);
	close(fd);
	if (variant->needs_bar && !find_pci(IVSHMEM_VENDOR, IVSHMEM_DEVICE,
					    path, sizeof(path)))
		SKIP(return, "no PCI device 1af4:1110 (QEMU: -device ivshmem-plain)");
	if (variant->needs_group && (access("/dev/vfio/vfio", F_OK) ||
				     !find_pci(EDU_VENDOR, EDU_DEVICE, path,
					       sizeof(path)) ||
				     !find_group(path, path, sizeof(path))))
		SKIP(return, "no container, or no PCI device 1234:11e8 (QEMU: -device edu)");
	if (access(DEBUGFS "failslab", F_OK))
		SKIP(return, "kernel without CONFIG_FAILSLAB, or no debugfs");
	snprintf(path, sizeof(path), "/proc/self/task/%d/fail-nth", getpid());
	self->nth = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->nth);
	/* All allocations count: those that may sleep, those of one page. */
	ASSERT_TRUE(write_file(DEBUGFS "failslab/ignore-gfp-wait", "N"));
	if (!access(DEBUGFS "fail_page_alloc", F_OK)) {
		write_file(DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N");
		write_file(DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N");
		write_file(DEBUGFS "fail_page_alloc/min-order", "0");
		write_file(DEBUGFS "fail_page_alloc/verbose", "0");
	}
	/* A stack dump for each fault would be all there is in the log. */
	write_file(DEBUGFS "failslab/verbose", "0");
	write_file(DEBUGFS "fail_function/verbose", "0");
	write_file(DEBUGFS "fail_iommufd/verbose", "0");
	write_file(DEBUGFS "fail_usercopy/verbose", "0");

	/* Without the privilege, or charging would not be tried. */
	ASSERT_EQ(0, t_drop_cap(CAP_IPC_LOCK));
	ASSERT_EQ(0, t_memlock(RLIM_INFINITY));
	self->length = BUF_PAGES * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
	self->pin = t_vmpin();
	self->lck = t_vmlck();
	self->dmabufs = t_dmabufs();
}

FIXTURE_TEARDOWN(fail_nth)
{
	int fd = t_open();

	/* with_little_memory() leaves the limit of the whole kernel low. */
	EXPECT_EQ(0, t_temp_limit(fd, T_TEMP_LIMIT_DEFAULT));
	close(fd);
}

/* Arms: fault point number @n that this thread passes from now on fails. */
static bool arm(int nth, unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	return pwrite(nth, text, strlen(text), 0) == (ssize_t)strlen(text);
}

/* Disarms, and tells whether the fault has come. */
static bool disarm(int nth)
{
	char text[16] = {};
	bool came;

	came = pread(nth, text, sizeof(text) - 1, 0) > 0 && text[0] == '0';
	if (pwrite(nth, "0", 1, 0) != 1)
		return false;
	return came;
}

/*
 * A free descriptor behind many free ones: a higher one if any of those below
 * is open, or reserved, which is seen by nothing else.
 */
static int far_descriptor(int fd)
{
	int many[32], i;

	for (i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = dup(fd);
	for (i = 0; i < ARRAY_SIZE(many); i++)
		close(many[i]);
	return many[ARRAY_SIZE(many) - 1];
}

/* Errnos that an injected fault may turn into */
static bool plausible(int err)
{
	switch (err) {
	case ENOMEM:
	case EFAULT:
	case EINVAL:
	case ENOENT:
	case EMFILE:
	case ENFILE:
	/* The container's commands say so of an IOAS that is not there. */
	case ENODEV:
		return true;
	}
	return false;
}

/*
 * Runs @prepare, then @step with ever later faults, until one run has none.
 */
static void try_all(struct __test_metadata *_metadata,
		    struct _test_data_fail_nth *self, step_t prepare,
		    step_t step, bool faultless)
{
	int err, fd, objects, descriptor, last = -1;
	struct scene s;
	unsigned int n;
	bool came;

	for (n = 1; n < MAX_FAULTS; n++) {
		s = (struct scene) {
			.buf = self->buf,
			.length = self->length,
			.access = -1,
			.dmabuf = -1,
		};
		s.fd = t_open();
		ASSERT_LE(0, s.fd);
		err = prepare ? prepare(&s) : 0;
		ASSERT_EQ(0, err)
			TH_LOG("prepare: %s", strerror(err));

		objects = t_objects(s.fd);
		ASSERT_TRUE(arm(self->nth, n));
		err = step(&s);
		came = disarm(self->nth);
		if (err) {
			/* There is no context if it could not be opened. */
			ASSERT_TRUE(s.fd < 0 || objects == t_objects(s.fd))
				TH_LOG("n %u: %d objects, and now %d", n,
				       objects, t_objects(s.fd));
			ASSERT_TRUE(came)
				TH_LOG("n %u: %s without a fault", n,
				       strerror(err));
			ASSERT_TRUE(plausible(err))
				TH_LOG("n %u: %s", n, strerror(err));
			err = step(&s);
			/*
			 * A fault while the answer is copied leaves a mapping
			 * in place, as documented.
			 */
			ASSERT_TRUE(!err || err == EEXIST)
				TH_LOG("n %u: said again: %s", n,
				       strerror(err));
		}
		if (s.access >= 0)
			close(s.access);
		if (s.dmabuf >= 0)
			close(s.dmabuf);
		if (s.fd >= 0)
			close(s.fd);
		if (s.mapper > 0) {
			kill(s.mapper, SIGKILL);
			waitpid(s.mapper, NULL, 0);
		}

		fd = t_open();
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, t_check_refs(fd, self->buf, self->length, 0))
			TH_LOG("n %u: pins are left", n);
		close(fd);
		ASSERT_EQ(self->pin, t_vmpin())
			TH_LOG("n %u", n);
		ASSERT_EQ(self->lck, t_vmlck())
			TH_LOG("n %u", n);
		ASSERT_EQ(self->dmabufs, t_dmabufs())
			TH_LOG("n %u: a dma-buf is left", n);
		/* The first run may have opened what all of them need. */
		descriptor = far_descriptor(self->nth);
		ASSERT_TRUE(n == 1 || descriptor == last)
			TH_LOG("n %u: a descriptor is left", n);
		last = descriptor;
		if (!came)
			break;
	}
	EXPECT_LT(n, MAX_FAULTS);
	/* Were there no fault at all nothing would have been tested. */
	EXPECT_EQ(faultless, n == 1);
	TH_LOG("%u faults", n - 1);
}

/* Preparations; each builds on the one before it. */

static int with_ioas(struct scene *s)
{
	return t_ioas_alloc(s->fd, &s->ioas) ?: t_ioas_alloc(s->fd, &s->other);
}

static int with_lazy_maps(struct scene *s)
{
	return with_ioas(s) ?:
	       t_map_at(s->fd, s->ioas, s->buf, 8 * T_PAGE, T_BASE) ?:
	       t_map_at(s->fd, s->ioas, s->buf + 8 * T_PAGE, 8 * T_PAGE,
			T_BASE + 8 * T_PAGE) ?:
	       t_map_at(s->fd, s->ioas, s->buf + MOCK_PAGE_SIZE, T_PAGE,
			T_BASE + 0x200000);
}

static int with_device(struct scene *s)
{
	return with_ioas(s) ?:
	       t_mock(s->fd, s->ioas, &s->stdev, &s->hwpt, &s->idev);
}

static int with_two_domains(struct scene *s)
{
	return with_device(s) ?:
	       t_hwpt_alloc(s->fd, s->idev, s->ioas, 0, &s->id);
}

static int with_device_elsewhere(struct scene *s)
{
	return with_lazy_maps(s) ?:
	       t_mock(s->fd, s->other, &s->stdev, &s->hwpt, &s->idev);
}

static int with_maps(struct scene *s)
{
	return with_lazy_maps(s) ?:
	       t_mock(s->fd, s->ioas, &s->stdev, &s->hwpt, &s->idev);
}

static int with_maps_and_table(struct scene *s)
{
	return with_maps(s) ?:
	       t_hwpt_alloc(s->fd, s->idev, s->ioas, 0, &s->id);
}

static int with_maps_elsewhere(struct scene *s)
{
	/* Copies of what the second address space will hold */
	return with_device(s) ?:
	       t_map_at(s->fd, s->other, s->buf, 8 * T_PAGE, T_BASE) ?:
	       t_map_at(s->fd, s->other, s->buf + 8 * T_PAGE, 8 * T_PAGE,
			T_BASE + 8 * T_PAGE);
}

/* Attached without PASID: hwpt in the one address space; id is in the other. */
static int with_pasid_tables(struct scene *s)
{
	return with_lazy_maps(s) ?:
	       t_mock_flags(s->fd, s->other, MOCK_FLAGS_DEVICE_PASID, &s->stdev,
			    NULL, &s->idev) ?:
	       t_hwpt_alloc(s->fd, s->idev, s->other, IOMMU_HWPT_ALLOC_PASID,
			    &s->hwpt) ?:
	       t_hwpt_alloc(s->fd, s->idev, s->ioas, IOMMU_HWPT_ALLOC_PASID,
			    &s->id) ?:
	       t_mock_replace(s->fd, s->stdev, s->hwpt, NULL);
}

static int with_pasid(struct scene *s)
{
	uint32_t pt;

	return with_pasid_tables(s) ?:
	       (pt = s->id, t_pasid_attach(s->fd, s->stdev, 7, &pt));
}

static int with_sw_msi(struct scene *s)
{
	return with_ioas(s) ?:
	       t_mock_flags(s->fd, s->ioas, MOCK_FLAGS_DEVICE_X_SW_MSI,
			    &s->stdev, &s->hwpt, &s->idev) ?:
	       t_hwpt_alloc(s->fd, s->idev, s->other, 0, &s->id);
}

static int place_msi(struct scene *s)
{
	uint64_t iova;

	return t_msi(s->fd, s->idev, 0xfee00000, &iova);
}

static int with_placed_msi(struct scene *s)
{
	return with_sw_msi(s) ?: place_msi(s);
}

static int with_small_pages(struct scene *s)
{
	return with_ioas(s) ?: t_huge_pages(s->fd, s->ioas, 0) ?:
	       t_mock(s->fd, s->ioas, &s->stdev, &s->hwpt, &s->idev);
}

/* Page 3 has been written, and has an IOPTE of its own. */
static int with_dirty_page(struct scene *s)
{
	return with_small_pages(s) ?:
	       t_map_at(s->fd, s->ioas, s->buf, 8 * T_PAGE, T_BASE) ?:
	       t_map_at(s->fd, s->ioas, s->buf + 8 * T_PAGE, 8 * T_PAGE,
			T_BASE + 8 * T_PAGE) ?:
	       t_hwpt_alloc(s->fd, s->idev, s->ioas,
			    IOMMU_HWPT_ALLOC_DIRTY_TRACKING, &s->id) ?:
	       t_set_dirty(s->fd, s->id, IOMMU_HWPT_DIRTY_TRACKING_ENABLE) ?:
	       t_dma_write_one(s->fd, s->id, T_BASE + 3 * T_PAGE);
}

/* Memory is brought in here, where a fault would only mean a page fault. */
static int with_huge_page(struct scene *s)
{
	static char *huge;

	if (!huge) {
		huge = mmap(NULL, 2 * T_PMD, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (huge == MAP_FAILED)
			return errno;
		huge = (char *)(((uintptr_t)huge + T_PMD - 1) & ~(T_PMD - 1));
		madvise(huge, T_PMD, MADV_HUGEPAGE);
		memset(huge, 1, T_PMD);
	}
	s->huge = huge;
	return with_device(s);
}

/* Mapped anew each time, so that the page tables are empty. */
static int with_bar(struct scene *s)
{
	static struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = VFIO_PCI_BAR2_REGION_INDEX,
	};
	static int fd = -1, dev = -1;
	static char *bar;
	char path[300], node[300];
	uint32_t id;
	int err;

	if (!bar) {
		find_pci(IVSHMEM_VENDOR, IVSHMEM_DEVICE, path, sizeof(path));
		fd = t_open();
		dev = find_cdev(path, node, sizeof(node)) ?
		      open(node, O_RDWR | O_CLOEXEC) : -1;
		err = vfio_bind(dev, fd, &id) ?:
		      t_call(dev, VFIO_DEVICE_GET_REGION_INFO, &region) ?:
		      vfio_decode(dev, true);
		if (err)
			return err;
	} else {
		munmap(bar, BAR_LENGTH);
	}
	bar = mmap(NULL, BAR_LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, dev,
		   region.offset);
	s->bar = bar;
	return bar == MAP_FAILED ? errno : with_device(s);
}

static int with_parent(struct scene *s)
{
	return with_maps(s) ?:
	       t_hwpt_alloc(s->fd, s->idev, s->ioas,
			    IOMMU_HWPT_ALLOC_NEST_PARENT, &s->hwpt);
}

static int with_nested(struct scene *s)
{
	return with_parent(s) ?:
	       t_nested(s->fd, s->idev, s->hwpt, 0, 0, &s->id);
}

static int with_bar_mapped(struct scene *s)
{
	return with_bar(s) ?:
	       t_map_at(s->fd, s->ioas, s->bar, BAR_LENGTH, T_BASE);
}

static int with_bar_elsewhere(struct scene *s)
{
	return with_bar(s) ?:
	       t_map_at(s->fd, s->other, s->bar, BAR_LENGTH, T_BASE);
}

static int with_little_memory(struct scene *s)
{
	return with_device(s) ?: t_temp_limit(s->fd, 64);
}

static int with_access(struct scene *s)
{
	return with_ioas(s) ?: t_create_access(s->fd, s->ioas, 1, &s->access);
}

static int with_process_mode(struct scene *s)
{
	return t_rlimit_mode(s->fd, 1) ?: with_device(s);
}

/* Mapped by a child, so that pinning has to go through another process. */
static int with_mapper(struct scene *s)
{
	int ready[2], err;
	char byte;

	err = with_device_elsewhere(s) ?: t_unmap_all(s->fd, s->ioas, NULL);
	if (err)
		return err;
	if (pipe(ready))
		return errno;
	s->mapper = fork();
	if (!s->mapper) {
		if (t_map_at(s->fd, s->ioas, s->buf, s->length, T_BASE) ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		/* The context is not to live on in here. */
		close(s->fd);
		close(ready[1]);
		pause();
		_exit(0);
	}
	close(ready[1]);
	/* The second answer is the end: the child has closed the file. */
	err = read(ready[0], &byte, 1) == 1 && !read(ready[0], &byte, 1) ?
	      0 : ECHILD;
	close(ready[0]);
	return err;
}

/*
 * Files, mapped and pinned by a child, of which this process is to be the
 * successor: two page sets, one of them in two places, in process mode.
 */
static int with_files(struct scene *s)
{
	static int memfd = -1;
	int err, status;

	if (memfd < 0)
		memfd = t_memfd(s->length);
	err = with_process_mode(s);
	if (err)
		return err;
	s->mapper = fork();
	if (!s->mapper)
		_exit(t_map_file_at(s->fd, s->ioas, memfd, 0, s->length,
				    T_BASE) ?:
		      t_map_file_at(s->fd, s->ioas, memfd, 0, s->length,
				    T_BASE + T_PMD) ?:
		      t_copy_at(s->fd, s->other, s->ioas, T_BASE, s->length,
				T_BASE));
	err = waitpid(s->mapper, &status, 0) == s->mapper ?
	      WEXITSTATUS(status) : ECHILD;
	s->mapper = 0;
	return err;
}

/* Two areas, next to each other */
static int with_pinner(struct scene *s)
{
	return with_ioas(s) ?:
	       t_map_at(s->fd, s->ioas, s->buf, 12 * T_PAGE, T_BASE) ?:
	       t_map_at(s->fd, s->ioas, s->buf + 12 * T_PAGE, 12 * T_PAGE,
			T_BASE + 12 * T_PAGE) ?:
	       t_create_access(s->fd, s->ioas, 1, &s->access);
}

static int with_pinner_of_little_memory(struct scene *s)
{
	return with_pinner(s) ?: t_temp_limit(s->fd, 64);
}

static int with_pinner_and_domain(struct scene *s)
{
	return with_pinner(s) ?:
	       t_mock(s->fd, s->ioas, &s->stdev, &s->hwpt, &s->idev);
}

/* Some in the middle is pinned, across the boundary. */
static int with_pins(struct scene *s)
{
	return with_pinner(s) ?:
	       t_pin(s->fd, s->access, T_BASE + 8 * T_PAGE, 8 * T_PAGE,
		     s->buf + 8 * T_PAGE, 1, &s->id);
}

static int with_pins_and_domain(struct scene *s)
{
	return with_pins(s) ?:
	       t_mock(s->fd, s->ioas, &s->stdev, &s->hwpt, &s->idev);
}

#define DMABUF_PAGES 8

static int with_dmabuf(struct scene *s)
{
	return with_two_domains(s) ?:
	       t_dmabuf(s->fd, DMABUF_PAGES * T_PAGE, O_RDWR, &s->dmabuf);
}

static int map_dmabuf(struct scene *s)
{
	uint64_t iova = T_BASE;

	return t_map_file(s->fd, s->ioas, s->dmabuf, MOCK_PAGE_SIZE, 5 * T_PAGE,
			  &iova, T_RW | T_FIXED);
}

static int with_mapped_dmabuf(struct scene *s)
{
	return with_dmabuf(s) ?: map_dmabuf(s);
}

static int with_lazy_dmabuf(struct scene *s)
{
	return with_ioas(s) ?:
	       t_dmabuf(s->fd, DMABUF_PAGES * T_PAGE, O_RDWR, &s->dmabuf) ?:
	       map_dmabuf(s);
}

static int with_revoked_dmabuf(struct scene *s)
{
	return with_lazy_dmabuf(s) ?: t_dmabuf_revoke(s->fd, s->dmabuf, true);
}

/* Steps */

static int step_open(struct scene *s)
{
	uint32_t id;

	close(s->fd);
	s->fd = t_open();
	return s->fd < 0 ? errno : t_ioas_alloc(s->fd, &id);
}

static int step_ioas_alloc(struct scene *s)
{
	return t_ioas_alloc(s->fd, &s->id);
}

static int step_destroy_ioas(struct scene *s)
{
	return t_destroy(s->fd, s->ioas);
}

static int step_ranges(struct scene *s)
{
	struct iommu_iova_range ranges[8];
	uint32_t num = 8;

	return t_iova_ranges(s->fd, s->ioas, ranges, &num, NULL);
}

static int step_allow(struct scene *s)
{
	struct iommu_iova_range ranges[] = {
		{ T_BASE, T_BASE + 0xffffff },
		{ T_BASE + 0x2000000, T_BASE + 0x2ffffff },
		{ T_BASE + 0x1000000, T_BASE + 0x1ffffff },
	};

	return t_allow_iovas(s->fd, s->ioas, ranges, 3);
}

static int step_reserve(struct scene *s)
{
	return t_add_reserved(s->fd, s->ioas, 0x1000, 0x1000);
}

static int step_huge_pages(struct scene *s)
{
	return t_huge_pages(s->fd, s->ioas, 0);
}

static int step_rlimit_mode(struct scene *s)
{
	return t_rlimit_mode(s->fd, 1);
}

static int step_map(struct scene *s)
{
	return t_map_at(s->fd, s->ioas, s->buf, s->length, T_BASE);
}

static int step_map_bar(struct scene *s)
{
	return t_map_at(s->fd, s->ioas, s->bar, BAR_LENGTH, T_BASE);
}

static int step_unmap_bar(struct scene *s)
{
	int err = t_unmap(s->fd, s->ioas, T_BASE, BAR_LENGTH, NULL);

	return s->tries++ && err == ENOENT ? 0 : err;
}

static int step_map_any(struct scene *s)
{
	uint64_t iova;

	return t_map_any(s->fd, s->ioas, s->buf + MOCK_PAGE_SIZE, 3 * T_PAGE,
			 &iova);
}

static int step_map_huge(struct scene *s)
{
	return t_map_at(s->fd, s->ioas, s->huge, T_PMD, T_BASE);
}

static int step_dmabuf(struct scene *s)
{
	return t_dmabuf(s->fd, DMABUF_PAGES * T_PAGE, O_RDWR, &s->dmabuf);
}

static int step_map_dmabuf(struct scene *s)
{
	return map_dmabuf(s);
}

static int step_revoke_dmabuf(struct scene *s)
{
	return t_dmabuf_revoke(s->fd, s->dmabuf, true);
}

static int step_copy_dmabuf(struct scene *s)
{
	return t_copy_at(s->fd, s->ioas, s->ioas, T_BASE, 5 * T_PAGE,
			 T_BASE + T_PMD);
}

static int step_copy(struct scene *s)
{
	return t_copy_at(s->fd, s->other, s->ioas, T_BASE + T_PAGE, 14 * T_PAGE,
			 T_BASE);
}

static int step_copy_from_other(struct scene *s)
{
	return t_copy_at(s->fd, s->ioas, s->other, T_BASE + T_PAGE, 14 * T_PAGE,
			 T_BASE);
}

static int step_unmap(struct scene *s)
{
	int err = t_unmap(s->fd, s->ioas, T_BASE, 16 * T_PAGE, NULL);

	/* The first try may have got as far as removing them all. */
	return s->tries++ && err == ENOENT ? 0 : err;
}

static int step_set_dirty(struct scene *s)
{
	return t_set_dirty(s->fd, s->id, IOMMU_HWPT_DIRTY_TRACKING_ENABLE);
}

/* The record of page 3 is still there, or it has been reported. */
static int step_get_dirty(struct scene *s)
{
	uint64_t bits = 0;
	int err = t_get_dirty(s->fd, s->id, 0, T_BASE, 16 * T_PAGE, T_PAGE,
			      &bits);

	if (!err && bits != 1 << 3)
		err = EBADMSG;
	return err;
}

static int step_unmap_dirty(struct scene *s)
{
	uint64_t bits = 0;
	int err = t_unmap_dirty(s->fd, s->ioas, s->id, T_BASE, 16 * T_PAGE,
				T_PAGE, &bits, NULL);

	if (!err && bits != 1 << 3)
		err = EBADMSG;
	/* The answer may not have arrived, but nothing is half done. */
	return s->tries++ && err == ENOENT ? 0 : err;
}

static int step_unmap_all(struct scene *s)
{
	return t_unmap_all(s->fd, s->ioas, NULL);
}

static int step_hwpt_alloc(struct scene *s)
{
	return t_hwpt_alloc(s->fd, s->idev, s->ioas, 0, &s->id);
}

static int step_destroy_hwpt(struct scene *s)
{
	return t_destroy(s->fd, s->id);
}

static int step_nested(struct scene *s)
{
	return t_nested(s->fd, s->idev, s->hwpt, 0, 0, &s->id);
}

static int step_invalidate(struct scene *s)
{
	struct iommu_hwpt_invalidate_selftest requests[3] = {};
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = s->id,
		.data_uptr = (uintptr_t)requests,
		.data_type = IOMMU_HWPT_INVALIDATE_DATA_SELFTEST,
		.entry_len = sizeof(requests[0]),
		.entry_num = ARRAY_SIZE(requests),
	};

	return t_call(s->fd, IOMMU_HWPT_INVALIDATE, &cmd);
}

static int step_hw_info(struct scene *s)
{
	uint8_t data[64];
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.dev_id = s->idev,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)data,
	};

	return t_call(s->fd, IOMMU_GET_HW_INFO, &cmd);
}

static int step_attach(struct scene *s)
{
	return t_mock(s->fd, s->ioas, &s->stdev, &s->hwpt, &s->idev);
}

static int step_attach_hwpt(struct scene *s)
{
	return t_mock(s->fd, s->id, &s->stdev, &s->hwpt, &s->idev);
}

static int step_replace(struct scene *s)
{
	return t_mock_replace(s->fd, s->stdev, s->ioas, NULL);
}

static int step_replace_hwpt(struct scene *s)
{
	return t_mock_replace(s->fd, s->stdev, s->id, NULL);
}

static int step_detach(struct scene *s)
{
	return t_destroy(s->fd, s->stdev);
}

static int step_pasid_attach(struct scene *s)
{
	uint32_t pt = s->id;

	return t_pasid_attach(s->fd, s->stdev, 7, &pt);
}

static int step_pasid_replace(struct scene *s)
{
	uint32_t pt = s->hwpt;

	return t_pasid_replace(s->fd, s->stdev, 7, &pt);
}

static int step_pasid_detach(struct scene *s)
{
	return t_pasid_detach(s->fd, s->stdev, 7);
}

static int step_place_msi(struct scene *s)
{
	return place_msi(s);
}

static int step_access(struct scene *s)
{
	return t_create_access(s->fd, s->ioas, 1, &s->access);
}

static int step_access_replace(struct scene *s)
{
	return t_access_replace(s->fd, s->access, s->other);
}

static int step_pin(struct scene *s)
{
	return t_pin(s->fd, s->access, T_BASE + 100, 20 * T_PAGE, s->buf + 100,
		     1, NULL);
}

static int step_unpin(struct scene *s)
{
	int err = t_unpin(s->fd, s->access, s->id);

	return s->tries++ && err == ENOENT ? 0 : err;
}

static int step_unmap_pinned(struct scene *s)
{
	int err = t_unmap(s->fd, s->ioas, T_BASE, 24 * T_PAGE, NULL);

	return s->tries++ && err == ENOENT ? 0 : err;
}

/* Five pages around the boundary of the areas */
static int copy(struct scene *s, uint32_t flags)
{
	static char data[5 * 4096];

	return t_access_rw(s->fd, s->access, T_BASE + 10 * T_PAGE + 9, data,
			   sizeof(data), flags);
}

static int step_read(struct scene *s)
{
	return copy(s, 0);
}

static int step_write(struct scene *s)
{
	return copy(s, MOCK_ACCESS_RW_WRITE);
}

static int step_read_by_page(struct scene *s)
{
	return copy(s, MOCK_ACCESS_RW_SLOW_PATH);
}

static int step_write_by_page(struct scene *s)
{
	return copy(s, MOCK_ACCESS_RW_SLOW_PATH | MOCK_ACCESS_RW_WRITE);
}

static int step_change_process(struct scene *s)
{
	return t_change_process(s->fd);
}

static int step_vfio_ioas(struct scene *s)
{
	return t_vfio_ioas(s->fd, IOMMU_VFIO_IOAS_SET, &s->ioas);
}

/* Closing must not need anything: no fault may make it leave something. */
static int step_close(struct scene *s)
{
	int access = s->access, fd = s->fd;

	s->access = -1;
	s->fd = -1;
	if (access >= 0)
		close(access);
	close(fd);
	return 0;
}

static int with_nest_parent(struct scene *s)
{
	return with_device(s) ?:
	       t_map_at(s->fd, s->ioas, s->buf, 8 * T_PAGE, T_BASE) ?:
	       t_hwpt_alloc(s->fd, s->idev, s->ioas,
			    IOMMU_HWPT_ALLOC_NEST_PARENT, &s->id);
}

/* ->other is the vIOMMU from here on. */
static int with_viommu(struct scene *s)
{
	return with_nest_parent(s) ?:
	       t_viommu(s->fd, s->idev, s->id, IOMMU_VIOMMU_TYPE_SELFTEST,
			NULL, 0, &s->other);
}

static int with_vdevice(struct scene *s)
{
	return with_viommu(s) ?:
	       t_vdevice(s->fd, s->other, s->idev, 1, &s->id);
}

static int with_hw_queue(struct scene *s)
{
	return with_viommu(s) ?:
	       t_hw_queue(s->fd, s->other, IOMMU_HW_QUEUE_TYPE_SELFTEST, 0,
			  T_BASE, T_PAGE, &s->id);
}

static int alloc_region(struct scene *s)
{
	struct iommu_viommu_selftest data = {};
	int err;

	err = t_viommu(s->fd, s->idev, s->id, IOMMU_VIOMMU_TYPE_SELFTEST,
		       &data, sizeof(data), &s->other);
	s->offset = data.out_mmap_offset;
	return err;
}

static int with_region(struct scene *s)
{
	return with_nest_parent(s) ?: alloc_region(s);
}

static int step_viommu_alloc(struct scene *s)
{
	return t_viommu(s->fd, s->idev, s->id, IOMMU_VIOMMU_TYPE_SELFTEST,
			NULL, 0, NULL);
}

static int step_vdevice_alloc(struct scene *s)
{
	return t_vdevice(s->fd, s->other, s->idev, 1, NULL);
}

static int step_hw_queue_alloc(struct scene *s)
{
	return t_hw_queue(s->fd, s->other, IOMMU_HW_QUEUE_TYPE_SELFTEST, 0,
			  T_BASE, T_PAGE, NULL);
}

static int step_veventq_alloc(struct scene *s)
{
	return t_veventq(s->fd, s->other, IOMMU_VEVENTQ_TYPE_SELFTEST, 4,
			 &s->id, &s->access);
}

static int step_mmap(struct scene *s)
{
	void *va = mmap(NULL, 2 * T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			s->fd, s->offset);

	if (va == MAP_FAILED)
		return errno;
	return munmap(va, 2 * T_PAGE) ? errno : 0;
}

FIXTURE_VARIANT_ADD(fail_nth, viommu_alloc)
{
	.prepare = with_nest_parent,
	.step = step_viommu_alloc,
};

FIXTURE_VARIANT_ADD(fail_nth, viommu_alloc_with_region)
{
	.prepare = with_nest_parent,
	.step = alloc_region,
};

FIXTURE_VARIANT_ADD(fail_nth, veventq_alloc)
{
	.prepare = with_viommu,
	.step = step_veventq_alloc,
};

FIXTURE_VARIANT_ADD(fail_nth, vdevice_alloc)
{
	.prepare = with_viommu,
	.step = step_vdevice_alloc,
};

FIXTURE_VARIANT_ADD(fail_nth, vdevice_destroy)
{
	.prepare = with_vdevice,
	.step = step_destroy_hwpt,
};

FIXTURE_VARIANT_ADD(fail_nth, unbind_with_vdevice)
{
	.prepare = with_vdevice,
	.step = step_detach,
};

FIXTURE_VARIANT_ADD(fail_nth, hw_queue_alloc)
{
	.prepare = with_viommu,
	.step = step_hw_queue_alloc,
};

FIXTURE_VARIANT_ADD(fail_nth, hw_queue_destroy)
{
	.prepare = with_hw_queue,
	.step = step_destroy_hwpt,
};

FIXTURE_VARIANT_ADD(fail_nth, mmap)
{
	.prepare = with_region,
	.step = step_mmap,
};

FIXTURE_VARIANT_ADD(fail_nth, open)
{
	.step = step_open,
};

FIXTURE_VARIANT_ADD(fail_nth, ioas_alloc)
{
	.step = step_ioas_alloc,
};

FIXTURE_VARIANT_ADD(fail_nth, ioas_destroy)
{
	.prepare = with_ioas,
	.step = step_destroy_ioas,
};

FIXTURE_VARIANT_ADD(fail_nth, ioas_destroy_mapped)
{
	.prepare = with_lazy_maps,
	.step = step_destroy_ioas,
};

FIXTURE_VARIANT_ADD(fail_nth, iova_ranges)
{
	.prepare = with_device,
	.step = step_ranges,
};

FIXTURE_VARIANT_ADD(fail_nth, allow_iovas)
{
	.prepare = with_ioas,
	.step = step_allow,
};

FIXTURE_VARIANT_ADD(fail_nth, add_reserved)
{
	.prepare = with_ioas,
	.step = step_reserve,
};

FIXTURE_VARIANT_ADD(fail_nth, option_huge_pages)
{
	.prepare = with_ioas,
	.step = step_huge_pages,
};

FIXTURE_VARIANT_ADD(fail_nth, option_rlimit_mode)
{
	.step = step_rlimit_mode,
	.faultless = true,
};

FIXTURE_VARIANT_ADD(fail_nth, map_lazy)
{
	.prepare = with_ioas,
	.step = step_map,
};

FIXTURE_VARIANT_ADD(fail_nth, map_one_domain)
{
	.prepare = with_device,
	.step = step_map,
};

FIXTURE_VARIANT_ADD(fail_nth, map_two_domains)
{
	.prepare = with_two_domains,
	.step = step_map,
};

FIXTURE_VARIANT_ADD(fail_nth, map_process_mode)
{
	.prepare = with_process_mode,
	.step = step_map,
};

FIXTURE_VARIANT_ADD(fail_nth, map_any)
{
	.prepare = with_device,
	.step = step_map_any,
};

FIXTURE_VARIANT_ADD(fail_nth, map_small_pages)
{
	.prepare = with_small_pages,
	.step = step_map,
};

FIXTURE_VARIANT_ADD(fail_nth, map_huge)
{
	.prepare = with_huge_page,
	.step = step_map_huge,
};

FIXTURE_VARIANT_ADD(fail_nth, map_in_pieces)
{
	.prepare = with_little_memory,
	.step = step_map,
};

FIXTURE_VARIANT_ADD(fail_nth, map_bar)
{
	.prepare = with_bar,
	.step = step_map_bar,
	.needs_bar = true,
};

FIXTURE_VARIANT_ADD(fail_nth, copy_of_bar)
{
	.prepare = with_bar_elsewhere,
	.step = step_copy_from_other,
	.needs_bar = true,
};

FIXTURE_VARIANT_ADD(fail_nth, hwpt_alloc_bar)
{
	.prepare = with_bar_mapped,
	.step = step_hwpt_alloc,
	.needs_bar = true,
};

FIXTURE_VARIANT_ADD(fail_nth, unmap_bar)
{
	.prepare = with_bar_mapped,
	.step = step_unmap_bar,
	.needs_bar = true,
};

FIXTURE_VARIANT_ADD(fail_nth, copy_lazy)
{
	.prepare = with_lazy_maps,
	.step = step_copy,
};

FIXTURE_VARIANT_ADD(fail_nth, copy_of_pinned)
{
	.prepare = with_maps,
	.step = step_copy,
};

FIXTURE_VARIANT_ADD(fail_nth, copy_that_pins)
{
	.prepare = with_maps_elsewhere,
	.step = step_copy_from_other,
};

FIXTURE_VARIANT_ADD(fail_nth, unmap_lazy)
{
	.prepare = with_lazy_maps,
	.step = step_unmap,
};

FIXTURE_VARIANT_ADD(fail_nth, unmap)
{
	.prepare = with_maps,
	.step = step_unmap,
};

FIXTURE_VARIANT_ADD(fail_nth, unmap_two_domains)
{
	.prepare = with_maps_and_table,
	.step = step_unmap_all,
};

FIXTURE_VARIANT_ADD(fail_nth, hwpt_alloc)
{
	.prepare = with_device_elsewhere,
	.step = step_hwpt_alloc,
};

FIXTURE_VARIANT_ADD(fail_nth, hwpt_alloc_other_process)
{
	.prepare = with_mapper,
	.step = step_hwpt_alloc,
};

FIXTURE_VARIANT_ADD(fail_nth, hwpt_alloc_second)
{
	.prepare = with_maps,
	.step = step_hwpt_alloc,
};

FIXTURE_VARIANT_ADD(fail_nth, hwpt_destroy)
{
	.prepare = with_maps_and_table,
	.step = step_destroy_hwpt,
};

FIXTURE_VARIANT_ADD(fail_nth, hwpt_alloc_nested)
{
	.prepare = with_parent,
	.step = step_nested,
};

FIXTURE_VARIANT_ADD(fail_nth, hwpt_destroy_nested)
{
	.prepare = with_nested,
	.step = step_destroy_hwpt,
};

FIXTURE_VARIANT_ADD(fail_nth, hwpt_invalidate)
{
	.prepare = with_nested,
	.step = step_invalidate,
};

FIXTURE_VARIANT_ADD(fail_nth, close_nested)
{
	.prepare = with_nested,
	.step = step_close,
};

FIXTURE_VARIANT_ADD(fail_nth, hw_info)
{
	.prepare = with_device,
	.step = step_hw_info,
};

FIXTURE_VARIANT_ADD(fail_nth, attach)
{
	.prepare = with_lazy_maps,
	.step = step_attach,
};

FIXTURE_VARIANT_ADD(fail_nth, attach_second)
{
	.prepare = with_maps,
	.step = step_attach,
};

FIXTURE_VARIANT_ADD(fail_nth, attach_hwpt)
{
	.prepare = with_maps_and_table,
	.step = step_attach_hwpt,
};

FIXTURE_VARIANT_ADD(fail_nth, replace_ioas)
{
	.prepare = with_device_elsewhere,
	.step = step_replace,
};

FIXTURE_VARIANT_ADD(fail_nth, replace_hwpt)
{
	.prepare = with_maps_and_table,
	.step = step_replace_hwpt,
};

FIXTURE_VARIANT_ADD(fail_nth, detach)
{
	.prepare = with_maps,
	.step = step_detach,
};

FIXTURE_VARIANT_ADD(fail_nth, pasid_attach)
{
	.prepare = with_pasid_tables,
	.step = step_pasid_attach,
};

FIXTURE_VARIANT_ADD(fail_nth, pasid_replace)
{
	.prepare = with_pasid,
	.step = step_pasid_replace,
};

FIXTURE_VARIANT_ADD(fail_nth, pasid_detach)
{
	.prepare = with_pasid,
	.step = step_pasid_detach,
};

FIXTURE_VARIANT_ADD(fail_nth, pasid_detach_by_destroy)
{
	.prepare = with_pasid,
	.step = step_detach,
};

FIXTURE_VARIANT_ADD(fail_nth, sw_msi)
{
	.prepare = with_sw_msi,
	.step = step_place_msi,
};

FIXTURE_VARIANT_ADD(fail_nth, sw_msi_brought_along)
{
	.prepare = with_placed_msi,
	.step = step_replace_hwpt,
};

FIXTURE_VARIANT_ADD(fail_nth, access_create)
{
	.prepare = with_ioas,
	.step = step_access,
};

FIXTURE_VARIANT_ADD(fail_nth, access_replace)
{
	.prepare = with_access,
	.step = step_access_replace,
};

FIXTURE_VARIANT_ADD(fail_nth, change_process)
{
	.prepare = with_files,
	.step = step_change_process,
};

FIXTURE_VARIANT_ADD(fail_nth, vfio_ioas)
{
	.prepare = with_ioas,
	.step = step_vfio_ioas,
};

FIXTURE_VARIANT_ADD(fail_nth, close_mapped)
{
	.prepare = with_maps_and_table,
	.step = step_close,
};

FIXTURE_VARIANT_ADD(fail_nth, close_access)
{
	.prepare = with_access,
	.step = step_close,
	.faultless = true,
};

FIXTURE_VARIANT_ADD(fail_nth, pin)
{
	.prepare = with_pinner,
	.step = step_pin,
};

FIXTURE_VARIANT_ADD(fail_nth, pin_in_pieces)
{
	.prepare = with_pinner_of_little_memory,
	.step = step_pin,
};

FIXTURE_VARIANT_ADD(fail_nth, pin_what_a_domain_has)
{
	.prepare = with_pinner_and_domain,
	.step = step_pin,
};

FIXTURE_VARIANT_ADD(fail_nth, pin_around_pins)
{
	.prepare = with_pins,
	.step = step_pin,
};

FIXTURE_VARIANT_ADD(fail_nth, unpin)
{
	.prepare = with_pins,
	.step = step_unpin,
	.faultless = true,
};

FIXTURE_VARIANT_ADD(fail_nth, attach_around_pins)
{
	.prepare = with_pins,
	.step = step_attach,
};

FIXTURE_VARIANT_ADD(fail_nth, unmap_pinned)
{
	.prepare = with_pins,
	.step = step_unmap_pinned,
};

FIXTURE_VARIANT_ADD(fail_nth, unmap_pinned_with_domain)
{
	.prepare = with_pins_and_domain,
	.step = step_unmap_pinned,
};

FIXTURE_VARIANT_ADD(fail_nth, access_replace_pinned)
{
	.prepare = with_pins,
	.step = step_access_replace,
};

FIXTURE_VARIANT_ADD(fail_nth, read)
{
	.prepare = with_pinner,
	.step = step_read,
};

FIXTURE_VARIANT_ADD(fail_nth, write)
{
	.prepare = with_pinner,
	.step = step_write,
};

FIXTURE_VARIANT_ADD(fail_nth, read_by_page)
{
	.prepare = with_pinner,
	.step = step_read_by_page,
};

FIXTURE_VARIANT_ADD(fail_nth, write_by_page)
{
	.prepare = with_pinner,
	.step = step_write_by_page,
};

FIXTURE_VARIANT_ADD(fail_nth, write_by_page_half_pinned)
{
	.prepare = with_pins,
	.step = step_write_by_page,
};

FIXTURE_VARIANT_ADD(fail_nth, close_pinned)
{
	.prepare = with_pins_and_domain,
	.step = step_close,
};

FIXTURE_VARIANT_ADD(fail_nth, dmabuf)
{
	.prepare = NULL,
	.step = step_dmabuf,
};

FIXTURE_VARIANT_ADD(fail_nth, map_dmabuf)
{
	.prepare = with_dmabuf,
	.step = step_map_dmabuf,
};

FIXTURE_VARIANT_ADD(fail_nth, copy_dmabuf)
{
	.prepare = with_mapped_dmabuf,
	.step = step_copy_dmabuf,
};

FIXTURE_VARIANT_ADD(fail_nth, attach_with_dmabuf)
{
	.prepare = with_lazy_dmabuf,
	.step = step_attach,
};

FIXTURE_VARIANT_ADD(fail_nth, attach_with_revoked_dmabuf)
{
	.prepare = with_revoked_dmabuf,
	.step = step_attach,
};

FIXTURE_VARIANT_ADD(fail_nth, revoke_dmabuf)
{
	.prepare = with_mapped_dmabuf,
	.step = step_revoke_dmabuf,
	.faultless = true,
};

FIXTURE_VARIANT_ADD(fail_nth, unmap_dmabuf)
{
	.prepare = with_mapped_dmabuf,
	.step = step_unmap_all,
};

FIXTURE_VARIANT_ADD(fail_nth, close_dmabuf)
{
	.prepare = with_mapped_dmabuf,
	.step = step_close,
};

/* The queue's file is kept, and closed, as that of an access is. */
static int with_page_requests(struct scene *s)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_X_TRIGGER_PARTIAL_IOPF,
	};
	unsigned int i;
	int err;

	err = with_device(s) ?: t_fault_alloc(s->fd, &s->id, &s->access) ?:
	      t_hwpt_full(s->fd, s->idev, s->ioas, IOMMU_HWPT_FAULT_ID_VALID,
			  s->id, IOMMU_HWPT_DATA_NONE, NULL, 0, &s->hwpt) ?:
	      t_mock_replace(s->fd, s->stdev, s->hwpt, NULL);
	cmd.trigger_iopf.dev_id = s->idev;
	/* Too many to be read without an allocation */
	for (i = 0; i < 9 && !err; i++)
		err = t_test(s->fd, &cmd);
	return err ?: t_iopf(s->fd, s->idev, 0, 0);
}

static int step_fault_queue(struct scene *s)
{
	return t_fault_alloc(s->fd, &s->id, &s->access);
}

static int step_read_page_requests(struct scene *s)
{
	struct iommu_hwpt_pgfault msg[10];
	ssize_t n = read(s->access, msg, sizeof(msg));

	if (n < 0)
		return errno;
	return n == sizeof(msg) && msg[9].cookie == 1 ? 0 : EBADMSG;
}

FIXTURE_VARIANT_ADD(fail_nth, fault_queue)
{
	.prepare = with_ioas,
	.step = step_fault_queue,
};

FIXTURE_VARIANT_ADD(fail_nth, read_page_requests)
{
	.prepare = with_page_requests,
	.step = step_read_page_requests,
};

FIXTURE_VARIANT_ADD(fail_nth, set_dirty)
{
	.prepare = with_dirty_page,
	.step = step_set_dirty,
};

FIXTURE_VARIANT_ADD(fail_nth, get_dirty)
{
	.prepare = with_dirty_page,
	.step = step_get_dirty,
};

FIXTURE_VARIANT_ADD(fail_nth, unmap_dirty)
{
	.prepare = with_dirty_page,
	.step = step_unmap_dirty,
};

/* Files, whose pages are looked for and not faulted in */
static int with_memfd(struct scene *s)
{
	static int memfd = -1;

	if (memfd < 0)
		memfd = t_memfd(s->length);
	s->id = memfd;
	return memfd < 0 ? errno : with_device(s);
}

static int step_map_file(struct scene *s)
{
	return t_map_file_at(s->fd, s->ioas, s->id, T_PAGE, s->length - T_PAGE,
			     T_BASE);
}

FIXTURE_VARIANT_ADD(fail_nth, map_file)
{
	.prepare = with_memfd,
	.step = step_map_file,
};

/* A vIOMMU with all it can have, and a device on a nested page table of it */
static int with_events(struct scene *s)
{
	return with_vdevice(s) ?:
	       t_nested(s->fd, s->idev, s->other, 0, 0, &s->hwpt) ?:
	       t_mock_replace(s->fd, s->stdev, s->hwpt, NULL) ?:
	       t_veventq(s->fd, s->other, IOMMU_VEVENTQ_TYPE_SELFTEST, 4,
			 &s->id, &s->access);
}

static int with_event(struct scene *s)
{
	return with_events(s) ?: t_vevent(s->fd, s->idev);
}

/* An event for which there was no memory was there: its number is lost. */
static bool is_marked_lost(int queue)
{
	struct iommufd_vevent_header header;

	return read(queue, &header, sizeof(header)) == sizeof(header) &&
	       header.flags == IOMMU_VEVENTQ_FLAG_LOST_EVENTS &&
	       header.sequence == 0;
}

static int step_vevent(struct scene *s)
{
	bool right = !s->lost || is_marked_lost(s->access);
	int err = t_vevent(s->fd, s->idev);

	s->lost = err == ENOMEM;
	return right ? err : EBADMSG;
}

static int step_read_event(struct scene *s)
{
	char event[64];
	ssize_t n = read(s->access, event, sizeof(event));

	if (n < 0)
		return errno;
	/* What could not be read is still there. */
	return n ? 0 : EBADMSG;
}

static int step_invalidate_viommu(struct scene *s)
{
	struct iommu_viommu_invalidate_selftest requests[3] = {
		{ .vdev_id = 1 }, { .vdev_id = 1 }, { .vdev_id = 1 },
	};
	uint32_t num = ARRAY_SIZE(requests);

	return t_invalidate(s->fd, s->other,
			    IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST, requests,
			    sizeof(requests[0]), &num);
}

FIXTURE_VARIANT_ADD(fail_nth, invalidate_viommu)
{
	.prepare = with_vdevice,
	.step = step_invalidate_viommu,
};

FIXTURE_VARIANT_ADD(fail_nth, event)
{
	.prepare = with_events,
	.step = step_vevent,
};

FIXTURE_VARIANT_ADD(fail_nth, read_event)
{
	.prepare = with_event,
	.step = step_read_event,
	.faultless = true,
};

static int step_attach_nested(struct scene *s)
{
	return t_mock_replace(s->fd, s->stdev, s->hwpt, NULL);
}

static int with_nested_on_viommu(struct scene *s)
{
	return with_vdevice(s) ?:
	       t_nested(s->fd, s->idev, s->other, 0, 0, &s->hwpt);
}

FIXTURE_VARIANT_ADD(fail_nth, attach_nested)
{
	.prepare = with_nested_on_viommu,
	.step = step_attach_nested,
};

static int step_nested_on_viommu(struct scene *s)
{
	return t_nested(s->fd, s->idev, s->other, 0, 0, &s->hwpt);
}

FIXTURE_VARIANT_ADD(fail_nth, hwpt_alloc_nested_on_viommu)
{
	.prepare = with_vdevice,
	.step = step_nested_on_viommu,
};

static int with_read_page_requests(struct scene *s)
{
	return with_page_requests(s) ?: step_read_page_requests(s);
}

static int step_answer(struct scene *s)
{
	struct iommu_hwpt_page_response answer = {
		.cookie = 1,
		.code = IOMMUFD_PAGE_RESP_SUCCESS,
	};

	return write(s->access, &answer, sizeof(answer)) == sizeof(answer) ?
	       0 : errno;
}

FIXTURE_VARIANT_ADD(fail_nth, answer_page_requests)
{
	.prepare = with_read_page_requests,
	.step = step_answer,
	.faultless = true,
};

/* Detaching answers them itself. */
FIXTURE_VARIANT_ADD(fail_nth, detach_with_page_requests)
{
	.prepare = with_read_page_requests,
	.step = step_detach,
};

/* Ends: whatever an end needs it has to have. */

static int with_closed_fault_queue(struct scene *s)
{
	int err = with_ioas(s) ?: t_fault_alloc(s->fd, &s->id, &s->access);

	close(s->access);
	s->access = -1;
	return err;
}

static int with_closed_veventq(struct scene *s)
{
	int err = with_event(s);

	close(s->access);
	s->access = -1;
	return err;
}

static int with_viommu_to_destroy(struct scene *s)
{
	int err = with_region(s);

	s->id = s->other;
	return err;
}

FIXTURE_VARIANT_ADD(fail_nth, fault_queue_destroy)
{
	.prepare = with_closed_fault_queue,
	.step = step_destroy_hwpt,
};

FIXTURE_VARIANT_ADD(fail_nth, veventq_destroy)
{
	.prepare = with_closed_veventq,
	.step = step_destroy_hwpt,
};

FIXTURE_VARIANT_ADD(fail_nth, viommu_destroy)
{
	.prepare = with_viommu_to_destroy,
	.step = step_destroy_hwpt,
};

FIXTURE_VARIANT_ADD(fail_nth, close_with_all_of_a_viommu)
{
	.prepare = with_event,
	.step = step_close,
};

/* Our own options */

static int step_account_mode(struct scene *s)
{
	uint64_t mode = 1;

	return t_option(s->fd, IOMMU_X_OPTION_ACCOUNT_MODE, IOMMU_OPTION_OP_SET,
			0, &mode);
}

static int step_budget(struct scene *s)
{
	uint64_t val = 0;

	return t_option(s->fd, IOMMU_X_OPTION_BUDGET, IOMMU_OPTION_OP_GET, 0,
			&val) ?:
	       t_option(s->fd, IOMMU_X_OPTION_PINNED, IOMMU_OPTION_OP_GET, 0,
			&val);
}

FIXTURE_VARIANT_ADD(fail_nth, option_account_mode)
{
	.step = step_account_mode,
	.faultless = true,
};

FIXTURE_VARIANT_ADD(fail_nth, option_budget)
{
	.prepare = with_maps,
	.step = step_budget,
	.faultless = true,
};

/* The commands of VFIO's container on the same file */

static int with_vfio(struct scene *s)
{
	return with_device(s) ?:
	       t_vfio_ioas(s->fd, IOMMU_VFIO_IOAS_SET, &s->ioas);
}

static int vfio_map(struct scene *s)
{
	struct vfio_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)s->buf,
		.iova = T_BASE,
		.size = s->length,
	};

	return t_call(s->fd, VFIO_IOMMU_MAP_DMA, &cmd);
}

static int with_vfio_map(struct scene *s)
{
	return with_vfio(s) ?: vfio_map(s);
}

static int step_vfio_map(struct scene *s)
{
	return vfio_map(s);
}

static int step_vfio_unmap(struct scene *s)
{
	struct vfio_iommu_type1_dma_unmap cmd = {
		.argsz = sizeof(cmd),
		.iova = T_BASE,
		.size = s->length,
	};
	int err = t_call(s->fd, VFIO_IOMMU_UNMAP_DMA, &cmd);

	return s->tries++ && err == ENOENT ? 0 : err;
}

static int step_vfio_info(struct scene *s)
{
	struct {
		struct vfio_iommu_type1_info info;
		char caps[512];
	} cmd = { .info.argsz = sizeof(cmd) };
	int err = t_call(s->fd, VFIO_IOMMU_GET_INFO, &cmd);

	return err ?: cmd.info.cap_offset ? 0 : EBADMSG;
}

static int step_vfio_set_iommu(struct scene *s)
{
	return ioctl(s->fd, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) ? errno : 0;
}

FIXTURE_VARIANT_ADD(fail_nth, vfio_map)
{
	.prepare = with_vfio,
	.step = step_vfio_map,
};

FIXTURE_VARIANT_ADD(fail_nth, vfio_unmap)
{
	.prepare = with_vfio_map,
	.step = step_vfio_unmap,
};

FIXTURE_VARIANT_ADD(fail_nth, vfio_info)
{
	.prepare = with_vfio_map,
	.step = step_vfio_info,
};

FIXTURE_VARIANT_ADD(fail_nth, vfio_set_iommu)
{
	.prepare = with_vfio,
	.step = step_vfio_set_iommu,
};

/* VFIO's own container; ->dmabuf is the file of a group in it. */

static int with_container(struct scene *s)
{
	char path[300], node[300];

	find_pci(EDU_VENDOR, EDU_DEVICE, path, sizeof(path));
	find_group(path, node, sizeof(node));
	close(s->fd);
	s->fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	s->dmabuf = open(node, O_RDWR | O_CLOEXEC);
	if (s->fd < 0 || s->dmabuf < 0)
		return errno;
	return t_call(s->dmabuf, VFIO_GROUP_SET_CONTAINER, &s->fd);
}

static int container_set_iommu(struct scene *s)
{
	return ioctl(s->fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) ? errno : 0;
}

static int container_dirty(struct scene *s, uint32_t flags)
{
	char arg[sizeof(struct vfio_iommu_type1_dirty_bitmap) +
		 sizeof(struct vfio_iommu_type1_dirty_bitmap_get)] = {};
	struct vfio_iommu_type1_dirty_bitmap *cmd = (void *)arg;
	struct vfio_iommu_type1_dirty_bitmap_get *get = (void *)cmd->data;
	uint64_t bits = 0;

	cmd->argsz = sizeof(arg);
	cmd->flags = flags;
	get->iova = T_BASE;
	get->size = s->length;
	get->bitmap.pgsize = T_PAGE;
	get->bitmap.size = sizeof(bits);
	get->bitmap.data = (void *)&bits;
	return t_call(s->fd, VFIO_IOMMU_DIRTY_PAGES, cmd) ?:
	       /* This IOMMU keeps no record: all may have been written. */
	       flags == VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP &&
	       bits != (1 << BUF_PAGES) - 1 ? EBADMSG : 0;
}

static int step_container_set_iommu(struct scene *s)
{
	return container_set_iommu(s);
}

static int step_container_dirty_start(struct scene *s)
{
	return container_dirty(s, VFIO_IOMMU_DIRTY_PAGES_FLAG_START);
}

static int step_container_dirty_get(struct scene *s)
{
	return container_dirty(s, VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP);
}

static int with_container_type(struct scene *s)
{
	return with_container(s) ?: container_set_iommu(s);
}

static int with_container_map(struct scene *s)
{
	return with_container_type(s) ?: vfio_map(s);
}

static int with_container_dirty(struct scene *s)
{
	return with_container_map(s) ?: step_container_dirty_start(s);
}

FIXTURE_VARIANT_ADD(fail_nth, container_set_iommu)
{
	.prepare = with_container,
	.step = step_container_set_iommu,
	.needs_group = true,
	.faultless = true,
};

FIXTURE_VARIANT_ADD(fail_nth, container_map)
{
	.prepare = with_container_type,
	.step = step_vfio_map,
	.needs_group = true,
};

FIXTURE_VARIANT_ADD(fail_nth, container_unmap)
{
	.prepare = with_container_map,
	.step = step_vfio_unmap,
	.needs_group = true,
};

FIXTURE_VARIANT_ADD(fail_nth, container_dirty_start)
{
	.prepare = with_container_map,
	.step = step_container_dirty_start,
	.needs_group = true,
};

FIXTURE_VARIANT_ADD(fail_nth, container_dirty_get)
{
	.prepare = with_container_dirty,
	.step = step_container_dirty_get,
	.needs_group = true,
};

/* Who looks on */

static int look(const char *path, const char *for_what)
{
	static char text[65536];
	size_t done = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	do {
		n = read(fd, text + done, sizeof(text) - 1 - done);
		done += n > 0 ? n : 0;
	} while (n > 0);
	close(fd);
	text[done] = 0;
	return n < 0 ? errno : strstr(text, for_what) ? 0 : EBADMSG;
}

static int step_fdinfo(struct scene *s)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", s->fd);
	return look(path, "iommufd-device:");
}

static int with_counted_objects(struct scene *s)
{
	int err = with_maps(s);

	s->id = t_objects(s->fd);
	return err;
}

static int step_debugfs_contexts(struct scene *s)
{
	char text[64];

	snprintf(text, sizeof(text), "objects=%u\n", s->id);
	return look(DEBUGFS "iommufd/contexts", text);
}

static int step_debugfs_areas(struct scene *s)
{
	char text[64];

	snprintf(text, sizeof(text), "ioas=%u iova=%#llx", s->ioas,
		 (unsigned long long)T_BASE);
	return look(DEBUGFS "iommufd/areas", text);
}

FIXTURE_VARIANT_ADD(fail_nth, fdinfo)
{
	.prepare = with_maps,
	.step = step_fdinfo,
};

FIXTURE_VARIANT_ADD(fail_nth, debugfs_contexts)
{
	.prepare = with_counted_objects,
	.step = step_debugfs_contexts,
};

FIXTURE_VARIANT_ADD(fail_nth, debugfs_areas)
{
	.prepare = with_maps,
	.step = step_debugfs_areas,
};

TEST_F(fail_nth, every_fault)
{
	try_all(_metadata, self, variant->prepare, variant->step,
		variant->faultless);
}

TEST_HARNESS_MAIN
