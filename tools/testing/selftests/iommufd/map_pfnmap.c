// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_IOAS_MAP of device memory by its address: BAR 2 of QEMU's ivshmem
 * (1af4:1110), which is plain memory, as VFIO lets a process mmap it.
 *
 * With the mock IOMMU, whose page table can be looked at, and with edu behind
 * the real one, which reads and writes the BAR by DMA.
 */
#include <linux/mman.h>
#include <pthread.h>
#include <sys/wait.h>

#include "vfio.h"

#define IVSHMEM_BAR VFIO_PCI_BAR2_REGION_INDEX

#define ALLOW_PARAM "/sys/module/iommufd/parameters/allow_pfnmap"

/* What the mapping may take to come back */
#define RESTORE_SECONDS 1.0
/* Long enough for it to come back where it must not */
#define STAY_USEC 700000

/* A device with a BAR that can be mapped */
struct bar {
	/* VFIO wants a context for each device; this one does nothing else. */
	int fd;
	int dev;
	uint64_t offset, size;
};

static bool bar_open(struct __test_metadata *_metadata, struct bar *bar,
		     unsigned int vendor, unsigned int device, int index)
{
	struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = index,
	};
	char path[300], node[300];
	uint32_t id;

	bar->fd = -1;
	bar->dev = -1;
	if (access("/sys/kernel/iommu_groups/0", F_OK) ||
	    !find_pci(vendor, device, path, sizeof(path)))
		return false;
	/* A device that is there and not ready for use is a failure. */
	EXPECT_TRUE(find_cdev(path, node, sizeof(node)))
		TH_LOG("%s is not bound to vfio-pci", path);
	bar->dev = open(node, O_RDWR | O_CLOEXEC);
	bar->fd = t_open();
	EXPECT_EQ(0, vfio_bind(bar->dev, bar->fd, &id));
	EXPECT_EQ(0, t_call(bar->dev, VFIO_DEVICE_GET_REGION_INFO, &region));
	EXPECT_TRUE(region.flags & VFIO_REGION_INFO_FLAG_MMAP);
	bar->offset = region.offset;
	bar->size = region.size;
	return true;
}

static void bar_close(struct bar *bar)
{
	if (bar->dev >= 0)
		close(bar->dev);
	if (bar->fd >= 0)
		close(bar->fd);
	bar->dev = -1;
	bar->fd = -1;
}

/* @length bytes of the BAR from byte @at, anywhere or exactly at @va. */
static char *bar_mmap(const struct bar *bar, char *va, uint64_t at,
		      size_t length, int prot)
{
	va = mmap(va, length, prot, MAP_SHARED | (va ? MAP_FIXED : 0), bar->dev,
		  bar->offset + at);
	return va == MAP_FAILED ? NULL : va;
}

/* Space for mappings at fixed places, with memory nowhere */
static char *reserve(size_t length)
{
	char *va = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);

	return va == MAP_FAILED ? NULL : va;
}

/* All of the BAR where the CPU's page tables can have huge entries for it. */
static char *bar_mmap_all(const struct bar *bar)
{
	uintptr_t va = (uintptr_t)reserve(bar->size + T_PMD);

	if (!va)
		return NULL;
	va = (va + T_PMD - 1) & ~(T_PMD - 1);
	return bar_mmap(bar, (char *)va, 0, bar->size, PROT_READ | PROT_WRITE);
}

static bool allow_pfnmap(bool on)
{
	int fd = open(ALLOW_PARAM, O_WRONLY | O_CLOEXEC);
	bool good;

	good = write(fd, on ? "1" : "0", 1) == 1;
	close(fd);
	return good;
}

static char *put_ram(char *va, size_t length)
{
	va = mmap(va, length, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	return va == MAP_FAILED ? NULL : va;
}

FIXTURE(map_pfnmap)
{
	int fd;
	uint32_t ioas, lazy, stdev, hwpt, idev;
	struct bar bar;
	char *va;
	size_t length;
	long pin, lck;
};

FIXTURE_SETUP(map_pfnmap)
{
	self->bar.dev = -1;
	self->bar.fd = -1;
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	if (access(ALLOW_PARAM, F_OK))
		SKIP(return, "kernel without CONFIG_IOMMUFD_PFNMAP");
	if (!bar_open(_metadata, &self->bar, IVSHMEM_VENDOR, IVSHMEM_DEVICE,
		      IVSHMEM_BAR))
		SKIP(return, "no PCI device 1af4:1110 (QEMU: -device ivshmem-plain)");
	ASSERT_TRUE(allow_pfnmap(true));
	ASSERT_EQ(0, vfio_decode(self->bar.dev, true));
	self->length = self->bar.size;
	self->va = bar_mmap_all(&self->bar);
	ASSERT_NE(NULL, self->va);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->lazy));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev, &self->hwpt,
			    &self->idev));
	self->pin = t_vmpin();
	self->lck = t_vmlck();
}

FIXTURE_TEARDOWN(map_pfnmap)
{
	if (self->va) {
		EXPECT_EQ(self->pin, t_vmpin());
		EXPECT_EQ(self->lck, t_vmlck());
		EXPECT_TRUE(allow_pfnmap(true));
	}
	if (self->fd >= 0)
		close(self->fd);
	if (self->va)
		munmap(self->va, self->length);
	bar_close(&self->bar);
}

#define MAPPED(hwpt, iova, va, length)                                        \
	t_check_map(self->fd, hwpt, iova, length, va)
#define BLOCKED(hwpt, iova, length)                                           \
	t_check_blocked(self->fd, hwpt, iova, length)

/* Wait for a mapping to come back: 0, or what is the matter after a second. */
static int wait_mapped(int fd, uint32_t hwpt, uint64_t iova, size_t length,
		       const char *va)
{
	double end = t_seconds() + RESTORE_SECONDS;
	int err;

	do {
		err = t_check_blocked(fd, hwpt, iova, T_PAGE) ? 0 : ETIMEDOUT;
		if (!err)
			break;
		usleep(10000);
	} while (t_seconds() < end);
	return err ?: t_check_map(fd, hwpt, iova, length, va);
}

TEST_F(map_pfnmap, map)
{
	uint64_t pinned = 1, unmapped, iova;

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->va, self->length,
			      T_BASE));
	EXPECT_EQ(0, MAPPED(self->hwpt, T_BASE, self->va, self->length));
	/* Beyond it there is nothing. */
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE + self->length, 4 * T_PAGE));
	/* Neither pinned nor charged */
	EXPECT_EQ(self->pin, t_vmpin());
	EXPECT_EQ(self->lck, t_vmlck());
	EXPECT_EQ(0, t_option(self->fd, IOMMU_X_OPTION_PINNED,
			      IOMMU_OPTION_OP_GET, 0, &pinned));
	EXPECT_EQ(0, pinned);

	EXPECT_EQ(EEXIST, t_map_at(self->fd, self->ioas, self->va, T_PAGE,
				   T_BASE));
	EXPECT_EQ(ENOENT, t_unmap(self->fd, self->ioas, T_BASE, T_PAGE, NULL));
	EXPECT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, self->length,
			     &unmapped));
	EXPECT_EQ(self->length, unmapped);
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, self->length));

	/* A piece of it, where the kernel likes */
	ASSERT_EQ(0, t_map_any(self->fd, self->ioas, self->va + 3 * T_PAGE,
			       5 * T_PAGE, &iova));
	EXPECT_EQ(0, MAPPED(self->hwpt, iova, self->va + 3 * T_PAGE,
			    5 * T_PAGE));
}

TEST_F(map_pfnmap, parts_of_pages)
{
	const char *va = self->va + T_PAGE + MOCK_PAGE_SIZE;

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, 2 * T_PAGE, T_BASE));
	EXPECT_EQ(0, MAPPED(self->hwpt, T_BASE, va, 2 * T_PAGE));
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE + 2 * T_PAGE, T_PAGE));
}

TEST_F(map_pfnmap, without_huge_pages)
{
	ASSERT_EQ(0, t_huge_pages(self->fd, self->lazy, 0));
	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->va, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->lazy,
				    &self->hwpt));
	EXPECT_EQ(0, MAPPED(self->hwpt, T_BASE, self->va, self->length));
}

/* Addresses that are not like the BAR's: what lies where is seen. */
TEST_F(map_pfnmap, pieces_in_disorder)
{
	size_t n = 8 * T_PAGE;
	char *va = reserve(3 * n);

	ASSERT_NE(NULL, va);
	ASSERT_NE(NULL, bar_mmap(&self->bar, va, 2 * n, n,
				 PROT_READ | PROT_WRITE));
	ASSERT_NE(NULL, bar_mmap(&self->bar, va + n, 0, n,
				 PROT_READ | PROT_WRITE));
	ASSERT_NE(NULL, bar_mmap(&self->bar, va + 2 * n, n, n,
				 PROT_READ | PROT_WRITE));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va + T_PAGE,
			      3 * n - 2 * T_PAGE, T_BASE));
	EXPECT_EQ(0, MAPPED(self->hwpt, T_BASE, va + T_PAGE,
			    3 * n - 2 * T_PAGE));
	/* Two entries that are alike in this: the beginning is not the end. */
	EXPECT_EQ(EINVAL, MAPPED(self->hwpt, T_BASE, va + n + T_PAGE, T_PAGE));
	EXPECT_EQ(0, munmap(va, 3 * n));
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, 3 * n));
}

TEST_F(map_pfnmap, mixed_with_memory)
{
	size_t n = 4 * T_PAGE;
	char *va = reserve(3 * n);

	ASSERT_NE(NULL, va);
	ASSERT_NE(NULL, bar_mmap(&self->bar, va + n, 0, n,
				 PROT_READ | PROT_WRITE));
	/* Nothing at all beside it */
	EXPECT_EQ(EFAULT, t_map_at(self->fd, self->ioas, va + n, 2 * n,
				   T_BASE));
	ASSERT_NE(NULL, put_ram(va, n));
	ASSERT_NE(NULL, put_ram(va + 2 * n, n));
	EXPECT_EQ(EFAULT, t_map_at(self->fd, self->ioas, va + n, 2 * n,
				   T_BASE));
	EXPECT_EQ(EFAULT, t_map_at(self->fd, self->ioas, va, 2 * n, T_BASE));
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, 3 * n));
	EXPECT_EQ(0, t_check_refs(self->fd, va, n, 0));
	/* Each by itself */
	EXPECT_EQ(0, t_map_at(self->fd, self->ioas, va, n, T_BASE));
	EXPECT_EQ(0, t_map_at(self->fd, self->ioas, va + n, n, T_BASE + n));
	EXPECT_EQ(0, t_map_at(self->fd, self->ioas, va + 2 * n, n,
			      T_BASE + 2 * n));
	memset(va, 1, n);
	memset(va + 2 * n, 1, n);
	EXPECT_EQ(0, MAPPED(self->hwpt, T_BASE, va, 3 * n));
	EXPECT_EQ(0, t_check_refs(self->fd, va, n, 1));
	EXPECT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));

	/* Without a page table it is found out when there is one. */
	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, va + n, 2 * n, T_BASE));
	EXPECT_EQ(EFAULT, t_mock_replace(self->fd, self->stdev, self->lazy,
					 NULL));
	munmap(va, 3 * n);
}

TEST_F(map_pfnmap, rights)
{
	char *va = bar_mmap(&self->bar, NULL, 0, 8 * T_PAGE, PROT_READ);
	uint64_t iova = T_BASE;

	ASSERT_NE(NULL, va);
	EXPECT_EQ(EFAULT, t_map_at(self->fd, self->ioas, va, 8 * T_PAGE,
				   T_BASE));
	EXPECT_EQ(EFAULT, t_map(self->fd, self->ioas, va, 8 * T_PAGE, &iova,
				IOMMU_IOAS_MAP_WRITEABLE | T_FIXED));
	ASSERT_EQ(0, t_map(self->fd, self->ioas, va, 8 * T_PAGE, &iova,
			   IOMMU_IOAS_MAP_READABLE | T_FIXED));
	EXPECT_EQ(0, MAPPED(self->hwpt, T_BASE, va, 8 * T_PAGE));
	/* The copy of a mapping cannot have more. */
	EXPECT_EQ(EPERM, t_copy_at(self->fd, self->ioas, self->ioas, T_BASE,
				   8 * T_PAGE, T_BASE + 8 * T_PAGE));
	ASSERT_EQ(0, mprotect(va, T_PAGE, PROT_NONE));
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, 8 * T_PAGE));
	EXPECT_EQ(EFAULT, t_map(self->fd, self->ioas, va, 8 * T_PAGE, &iova,
				IOMMU_IOAS_MAP_READABLE));
	munmap(va, 8 * T_PAGE);
}

TEST_F(map_pfnmap, forbidden)
{
	uint64_t iova;
	char *ram;

	ram = t_alloc(T_PAGE);
	ASSERT_NE(NULL, ram);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->va, T_PAGE, T_BASE));
	ASSERT_TRUE(allow_pfnmap(false));
	EXPECT_EQ(EFAULT, t_map_any(self->fd, self->ioas, self->va, T_PAGE,
				    &iova));
	EXPECT_EQ(0, t_map_any(self->fd, self->ioas, ram, T_PAGE, &iova));
	/* What is there stays. */
	EXPECT_EQ(0, MAPPED(self->hwpt, T_BASE, self->va, T_PAGE));
	ASSERT_TRUE(allow_pfnmap(true));
	EXPECT_EQ(0, t_map_any(self->fd, self->ioas, self->va, T_PAGE, &iova));
	EXPECT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	munmap(ram, T_PAGE);
}

/* A physical address well inside of memory, where nothing is reserved; or 0 */
static off_t somewhere_in_memory(void)
{
	const unsigned long inside = 768UL << 20;
	unsigned long first, last;
	off_t found = 0;
	char line[200];
	FILE *f = fopen("/proc/iomem", "r");

	if (!f)
		return 0;
	while (!found && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx", &first, &last) == 2 &&
		    strstr(line, "System RAM") && last - first > inside)
			found = first + inside;
	fclose(f);
	return found;
}

/* PFN-mapped is not enough: it must not be memory that could be pinned. */
TEST_F(map_pfnmap, ordinary_memory)
{
	int mem = open("/dev/mem", O_RDWR | O_CLOEXEC);
	off_t at = somewhere_in_memory();
	char *va;

	if (mem < 0)
		SKIP(return, "no /dev/mem");
	if (!at)
		SKIP(return, "/proc/iomem does not tell of enough memory");
	va = mmap(NULL, 4 * T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mem, at);
	close(mem);
	if (va == MAP_FAILED)
		SKIP(return, "no memory to be had from /dev/mem");
	EXPECT_EQ(EFAULT, t_map_at(self->fd, self->ioas, va, 4 * T_PAGE,
				   T_BASE));
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, 4 * T_PAGE));
	munmap(va, 4 * T_PAGE);
}

TEST_F(map_pfnmap, in_kernel_users)
{
	char data[64];
	int access;

	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->va, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, self->lazy,
				     MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES,
				     &access));
	EXPECT_EQ(EINVAL, t_pin(self->fd, access, T_BASE, T_PAGE, NULL, 0,
				NULL));
	EXPECT_EQ(EINVAL, t_access_rw(self->fd, access, T_BASE, data,
				      sizeof(data), 0));
	EXPECT_EQ(EINVAL, t_access_rw(self->fd, access, T_BASE, data,
				      sizeof(data), MOCK_ACCESS_RW_WRITE));
	EXPECT_EQ(EINVAL, t_access_rw(self->fd, access, T_BASE, data,
				      sizeof(data), MOCK_ACCESS_RW_SLOW_PATH));
	close(access);
}

TEST_F(map_pfnmap, attach_later)
{
	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->va, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->lazy,
				    &self->hwpt));
	EXPECT_EQ(0, MAPPED(self->hwpt, T_BASE, self->va, self->length));
	/* And again, after it was in no page table. */
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->ioas, NULL));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->lazy,
				    &self->hwpt));
	EXPECT_EQ(0, MAPPED(self->hwpt, T_BASE, self->va, self->length));
}

TEST_F(map_pfnmap, two_domains_and_a_copy)
{
	uint32_t second, other, hwpt;

	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0,
				  &second));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->va, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_copy_at(self->fd, self->lazy, self->ioas,
			       T_BASE + T_PAGE, 4 * T_PAGE, T_BASE));
	ASSERT_EQ(0, t_mock(self->fd, self->lazy, &other, &hwpt, NULL));
	EXPECT_EQ(0, MAPPED(self->hwpt, T_BASE, self->va, self->length));
	EXPECT_EQ(0, MAPPED(second, T_BASE, self->va, self->length));
	EXPECT_EQ(0, MAPPED(hwpt, T_BASE, self->va + T_PAGE, 4 * T_PAGE));

	/* It goes from all of them, and comes back to all of them. */
	ASSERT_EQ(0, vfio_decode(self->bar.dev, false));
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, self->length));
	EXPECT_EQ(0, BLOCKED(second, T_BASE, self->length));
	EXPECT_EQ(0, BLOCKED(hwpt, T_BASE, 4 * T_PAGE));
	ASSERT_EQ(0, vfio_decode(self->bar.dev, true));
	EXPECT_EQ(0, wait_mapped(self->fd, self->hwpt, T_BASE, self->length,
				 self->va));
	EXPECT_EQ(0, MAPPED(second, T_BASE, self->va, self->length));
	EXPECT_EQ(0, MAPPED(hwpt, T_BASE, self->va + T_PAGE, 4 * T_PAGE));

	/* The copy lives without the original. */
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, self->length));
	EXPECT_EQ(0, BLOCKED(second, T_BASE, self->length));
	EXPECT_EQ(0, MAPPED(hwpt, T_BASE, self->va + T_PAGE, 4 * T_PAGE));
	EXPECT_EQ(0, t_destroy(self->fd, second));
	EXPECT_EQ(0, t_destroy(self->fd, other));
}

TEST_F(map_pfnmap, munmap)
{
	char *va = bar_mmap(&self->bar, NULL, 0, 8 * T_PAGE,
			    PROT_READ | PROT_WRITE);
	uint64_t unmapped;

	ASSERT_NE(NULL, va);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, 8 * T_PAGE, T_BASE));
	EXPECT_EQ(0, MAPPED(self->hwpt, T_BASE, va, 8 * T_PAGE));
	/* A part is enough for all of it. */
	ASSERT_EQ(0, munmap(va + 7 * T_PAGE, T_PAGE));
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, 8 * T_PAGE));
	usleep(STAY_USEC);
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, 8 * T_PAGE));
	/* The IOVA is still taken. */
	EXPECT_EQ(EEXIST, t_map_at(self->fd, self->ioas, self->va, T_PAGE,
				   T_BASE + 7 * T_PAGE));
	/* Whoever puts it back gets it back. */
	ASSERT_NE(NULL, bar_mmap(&self->bar, va + 7 * T_PAGE, 7 * T_PAGE,
				 T_PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, wait_mapped(self->fd, self->hwpt, T_BASE, 8 * T_PAGE, va));

	ASSERT_EQ(0, munmap(va, 8 * T_PAGE));
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, 8 * T_PAGE));
	/* Ordinary memory is no device memory. */
	ASSERT_NE(NULL, put_ram(va, 8 * T_PAGE));
	memset(va, 1, 8 * T_PAGE);
	usleep(STAY_USEC);
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, 8 * T_PAGE));
	EXPECT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, 8 * T_PAGE,
			     &unmapped));
	EXPECT_EQ(8 * T_PAGE, unmapped);
	munmap(va, 8 * T_PAGE);
}

TEST_F(map_pfnmap, mremap)
{
	size_t n = 8 * T_PAGE;
	char *va = bar_mmap(&self->bar, NULL, 0, n, PROT_READ | PROT_WRITE);
	char *to = reserve(n);

	ASSERT_NE(NULL, va);
	ASSERT_NE(NULL, to);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, n, T_BASE));
	ASSERT_EQ(to, mremap(va, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, n));
	usleep(STAY_USEC);
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, n));
	ASSERT_EQ(va, mremap(to, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, va));
	EXPECT_EQ(0, wait_mapped(self->fd, self->hwpt, T_BASE, n, va));
	munmap(va, n);
}

TEST_F(map_pfnmap, mprotect)
{
	size_t n = 8 * T_PAGE;

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->va, n, T_BASE));
	ASSERT_EQ(0, mprotect(self->va, n, PROT_READ));
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, n));
	usleep(STAY_USEC);
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, n));
	ASSERT_EQ(0, mprotect(self->va, n, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, wait_mapped(self->fd, self->hwpt, T_BASE, n, self->va));
}

TEST_F(map_pfnmap, memory_decode)
{
	uint64_t iova;
	uint32_t hwpt = 0;
	int i;

	ASSERT_EQ(0, t_map_at(self->fd, self->lazy, self->va, T_PAGE, T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->va, self->length,
			      T_BASE));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, vfio_decode(self->bar.dev, false));
		EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, self->length));
		/* What was never there is not waited for. */
		EXPECT_EQ(EFAULT, t_map_any(self->fd, self->ioas, self->va,
					    T_PAGE, &iova));
		EXPECT_EQ(EFAULT, t_hwpt_alloc(self->fd, self->idev,
					       self->lazy, 0, &hwpt));
		ASSERT_EQ(0, vfio_decode(self->bar.dev, true));
		EXPECT_EQ(0, wait_mapped(self->fd, self->hwpt, T_BASE,
					 self->length, self->va));
	}
	EXPECT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->lazy, 0, &hwpt));
	EXPECT_EQ(0, MAPPED(hwpt, T_BASE, self->va, T_PAGE));
	EXPECT_EQ(0, t_destroy(self->fd, hwpt));
}

/* Off for long: the looks have become rare by then, but not too rare. */
TEST_F(map_pfnmap, memory_decode_off_for_long)
{
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->va, self->length,
			      T_BASE));
	ASSERT_EQ(0, vfio_decode(self->bar.dev, false));
	usleep(3000000);
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, self->length));
	ASSERT_EQ(0, vfio_decode(self->bar.dev, true));
	EXPECT_EQ(0, wait_mapped(self->fd, self->hwpt, T_BASE, self->length,
				 self->va));
}

TEST_F(map_pfnmap, everything_while_revoked)
{
	uint32_t second, stdev, hwpt;
	uint64_t unmapped;

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->va, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->va, T_PAGE,
			      T_BASE + self->length));
	ASSERT_EQ(0, vfio_decode(self->bar.dev, false));
	/* unmap */
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE + self->length,
			     T_PAGE, &unmapped));
	EXPECT_EQ(T_PAGE, unmapped);
	/* attach, copy: with a hole */
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0,
				  &second));
	ASSERT_EQ(0, t_copy_at(self->fd, self->lazy, self->ioas, T_BASE,
			       self->length, T_BASE));
	ASSERT_EQ(0, t_mock(self->fd, self->lazy, &stdev, &hwpt, NULL));
	EXPECT_EQ(0, BLOCKED(second, T_BASE, self->length));
	EXPECT_EQ(0, BLOCKED(hwpt, T_BASE, self->length));
	ASSERT_EQ(0, vfio_decode(self->bar.dev, true));
	EXPECT_EQ(0, wait_mapped(self->fd, second, T_BASE, self->length,
				 self->va));
	EXPECT_EQ(0, MAPPED(self->hwpt, T_BASE, self->va, self->length));
	EXPECT_EQ(0, MAPPED(hwpt, T_BASE, self->va, self->length));
	EXPECT_EQ(0, BLOCKED(second, T_BASE + self->length, T_PAGE));

	/* detach, destroy, close */
	ASSERT_EQ(0, vfio_decode(self->bar.dev, false));
	ASSERT_EQ(0, t_destroy(self->fd, second));
	ASSERT_EQ(0, t_destroy(self->fd, stdev));
	ASSERT_EQ(0, t_destroy(self->fd, self->lazy));
	ASSERT_EQ(0, t_destroy(self->fd, self->stdev));
	ASSERT_EQ(0, t_destroy(self->fd, self->ioas));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, vfio_decode(self->bar.dev, true));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->va, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev, &self->hwpt,
			    &self->idev));
	ASSERT_EQ(0, vfio_decode(self->bar.dev, false));
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, vfio_decode(self->bar.dev, true));
}

TEST_F(map_pfnmap, process_exit)
{
	uint32_t second = 0;
	char byte = 0;
	int ready[2], go[2], status;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (t_map_at(self->fd, self->ioas, self->va, self->length,
			     T_BASE) ||
		    t_map_at(self->fd, self->lazy, self->va, self->length,
			     T_BASE) ||
		    write(ready[1], "x", 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(1);
		_exit(0);
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	/* Bring the same memory in here, to compare with */
	for (size_t i = 0; i < self->length; i += T_PAGE)
		__atomic_load_n(self->va + i, __ATOMIC_RELAXED);
	EXPECT_EQ(0, MAPPED(self->hwpt, T_BASE, self->va, self->length));
	/* That this process loses it is nothing to the mapping. */
	ASSERT_EQ(0, mprotect(self->va, self->length, PROT_NONE));
	EXPECT_NE(0, BLOCKED(self->hwpt, T_BASE, T_PAGE));
	ASSERT_EQ(0, mprotect(self->va, self->length, PROT_READ | PROT_WRITE));

	ASSERT_EQ(1, write(go[1], "x", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, self->length));
	/* Never seen, and nobody is left to ask */
	EXPECT_EQ(EFAULT, t_mock_replace(self->fd, self->stdev, self->lazy,
					 NULL));
	/* Seen, and gone for good: an empty area */
	EXPECT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas, 0,
				  &second));
	usleep(STAY_USEC);
	EXPECT_EQ(0, BLOCKED(second, T_BASE, self->length));
	EXPECT_EQ(EEXIST, t_map_at(self->fd, self->ioas, self->va, T_PAGE,
				   T_BASE));
	EXPECT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(0, t_destroy(self->fd, second));
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	close(go[1]);
}

/* A mapping of the CPU's keeps the device open; the last one lets it go. */
TEST_F(map_pfnmap, close_of_the_device)
{
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->va, self->length,
			      T_BASE));
	bar_close(&self->bar);
	EXPECT_EQ(0, MAPPED(self->hwpt, T_BASE, self->va, self->length));
	ASSERT_EQ(0, munmap(self->va, self->length));
	EXPECT_EQ(0, BLOCKED(self->hwpt, T_BASE, self->length));
	/* Nothing holds the device any more: it can be opened again. */
	ASSERT_TRUE(bar_open(_metadata, &self->bar, IVSHMEM_VENDOR,
			     IVSHMEM_DEVICE, IVSHMEM_BAR));
	ASSERT_NE(NULL, bar_mmap(&self->bar, self->va, 0, self->length,
				 PROT_READ | PROT_WRITE));
	ASSERT_EQ(0, vfio_decode(self->bar.dev, true));
	EXPECT_EQ(0, wait_mapped(self->fd, self->hwpt, T_BASE, self->length,
				 self->va));
}

struct watcher {
	int fd;
	uint32_t hwpt;
	bool stop;
	unsigned long blocked;
};

static void *watch_blocked(void *arg)
{
	struct watcher *w = arg;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED))
		w->blocked += !t_check_blocked(w->fd, w->hwpt, T_BASE, T_PAGE);
	return NULL;
}

/* A function level reset takes 100 ms, in which the BAR is out of reach. */
TEST_F(map_pfnmap, reset)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct watcher w = { .fd = self->fd, .hwpt = self->hwpt };
	struct bar nvme;
	pthread_t thread;
	size_t n;
	char *va;

	if (!bar_open(_metadata, &nvme, NVME_VENDOR, NVME_DEVICE,
		      VFIO_PCI_BAR0_REGION_INDEX))
		SKIP(return, "no PCI device 1b36:0010 (QEMU: -device nvme)");
	ASSERT_EQ(0, t_call(nvme.dev, VFIO_DEVICE_GET_INFO, &info));
	if (!(info.flags & VFIO_DEVICE_FLAGS_RESET)) {
		bar_close(&nvme);
		SKIP(return, "the NVMe disk cannot be reset");
	}
	ASSERT_EQ(0, vfio_decode(nvme.dev, true));
	/* The table of its interrupts is in there and cannot be mapped. */
	n = T_PAGE;
	va = bar_mmap(&nvme, NULL, 0, n, PROT_READ | PROT_WRITE);
	ASSERT_NE(NULL, va);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, n, T_BASE));
	EXPECT_EQ(0, MAPPED(self->hwpt, T_BASE, va, n));
	ASSERT_EQ(0, pthread_create(&thread, NULL, watch_blocked, &w));
	EXPECT_EQ(0, t_call(nvme.dev, VFIO_DEVICE_RESET, NULL));
	__atomic_store_n(&w.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_LT(0, w.blocked);
	ASSERT_EQ(0, vfio_decode(nvme.dev, true));
	EXPECT_EQ(0, wait_mapped(self->fd, self->hwpt, T_BASE, n, va));
	EXPECT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	munmap(va, n);
	bar_close(&nvme);
}

/* Everything at once; whoever loses a race gets a decent errno. */
struct racer {
	struct _test_data_map_pfnmap *self;
	/* The BAR, all of it, mapped at T_BASE */
	char *va;
	/* Odd while memory decode is off */
	unsigned long *off;
	bool *stop;
	unsigned long rounds;
	int err;
};

static bool racing(struct racer *r)
{
	r->rounds++;
	return !r->err && !__atomic_load_n(r->stop, __ATOMIC_RELAXED);
}

/* Nothing may be there now, whoever was looking just then. */
static int race_blocked(struct racer *r, uint64_t iova)
{
	return t_check_blocked(r->self->fd, r->self->hwpt, iova, 4 * T_PAGE);
}

static void *race_decode(void *arg)
{
	struct racer *r = arg;
	size_t at;

	while (racing(r)) {
		r->err = vfio_decode(r->self->bar.dev, false);
		__atomic_add_fetch(r->off, 1, __ATOMIC_SEQ_CST);
		usleep(r->rounds % 7 * 5000);
		if (!r->err)
			r->err = race_blocked(r, T_BASE);
		__atomic_add_fetch(r->off, 1, __ATOMIC_SEQ_CST);
		if (!r->err)
			r->err = vfio_decode(r->self->bar.dev, true);
		/* Entries that need no fault are no obstacle to looking. */
		for (at = 0; at < r->self->length; at += T_PAGE)
			__atomic_load_n(r->va + at, __ATOMIC_RELAXED);
		usleep(r->rounds % 11 * 1000);
	}
	return NULL;
}

static void *race_map(void *arg)
{
	/* Without the page that loses its rights now and then */
	struct racer *r = arg;
	size_t n = r->self->length - T_PAGE;
	unsigned long off;
	uint64_t iova;
	int err;

	while (racing(r)) {
		err = t_map_any(r->self->fd, r->self->ioas, r->va, n, &iova);
		if (err) {
			r->err = err == EFAULT ? 0 : err;
			continue;
		}
		off = __atomic_load_n(r->off, __ATOMIC_SEQ_CST);
		err = off % 2 ? race_blocked(r, iova) : 0;
		if (off == __atomic_load_n(r->off, __ATOMIC_SEQ_CST))
			r->err = err;
		err = t_unmap(r->self->fd, r->self->ioas, iova, n, NULL);
		if (err)
			r->err = err;
	}
	return NULL;
}

static void *race_attach(void *arg)
{
	struct racer *r = arg;
	uint32_t hwpt;
	int err;

	while (racing(r)) {
		err = t_hwpt_alloc(r->self->fd, r->self->idev, r->self->ioas,
				   0, &hwpt);
		if (!err)
			r->err = t_destroy(r->self->fd, hwpt);
		else
			r->err = err;
	}
	return NULL;
}

static void *race_mprotect(void *arg)
{
	struct racer *r = arg;
	char *last = r->va + r->self->length - T_PAGE;

	while (racing(r)) {
		if (mprotect(last, T_PAGE, PROT_READ) ||
		    mprotect(last, T_PAGE, PROT_READ | PROT_WRITE))
			r->err = errno;
		usleep(20000);
	}
	return NULL;
}

TEST_F(map_pfnmap, race)
{
	void *(*const work[])(void *arg) = {
		race_decode, race_map, race_map, race_attach, race_mprotect,
	};
	struct racer racers[ARRAY_SIZE(work)] = {};
	pthread_t threads[ARRAY_SIZE(work)];
	unsigned long off = 0;
	bool stop = false;
	unsigned int i;
	char *va;

	/* An address for small page table entries, so that looking takes long */
	va = reserve(self->length + 2 * T_PMD);
	ASSERT_NE(NULL, va);
	va = (char *)(((uintptr_t)va + T_PMD) & ~(T_PMD - 1)) + T_PAGE;
	ASSERT_NE(NULL, bar_mmap(&self->bar, va, 0, self->length,
				 PROT_READ | PROT_WRITE));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, self->length, T_BASE));
	for (i = 0; i < ARRAY_SIZE(work); i++) {
		racers[i] = (struct racer) {
			.self = self,
			.va = va,
			.off = &off,
			.stop = &stop,
		};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, work[i],
					    &racers[i]));
	}
	usleep(8000000);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < ARRAY_SIZE(work); i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, racers[i].err)
			TH_LOG("racer %u: %s", i, strerror(racers[i].err));
		EXPECT_LT(10, racers[i].rounds);
	}
	ASSERT_EQ(0, vfio_decode(self->bar.dev, true));
	EXPECT_EQ(0, wait_mapped(self->fd, self->hwpt, T_BASE, self->length,
				 va));
}

/* A real device: edu, which can reach IOVAs of 28 bits. */
#define IOVA_RAM 0x400000UL
#define IOVA_BAR 0x800000UL

FIXTURE(pfnmap_edu)
{
	int fd;
	uint32_t id, ioas;
	struct edu edu;
	struct bar bar;
	char *va;
	char *ram;
};

FIXTURE_SETUP(pfnmap_edu)
{
	const char *why;

	self->fd = -1;
	self->edu.dev = -1;
	if (access(ALLOW_PARAM, F_OK))
		SKIP(return, "kernel without CONFIG_IOMMUFD_PFNMAP");
	if (!bar_open(_metadata, &self->bar, IVSHMEM_VENDOR, IVSHMEM_DEVICE,
		      IVSHMEM_BAR))
		SKIP(return, "no PCI device 1af4:1110 (QEMU: -device ivshmem-plain)");
	why = edu_open(_metadata, &self->edu);
	if (why)
		SKIP(return, "%s", why);
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, vfio_bind(self->edu.dev, self->fd, &self->id));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	edu_start(_metadata, &self->edu);
	ASSERT_EQ(0, vfio_decode(self->bar.dev, true));
	self->va = bar_mmap_all(&self->bar);
	ASSERT_NE(NULL, self->va);
	self->ram = t_alloc(2 * T_PAGE);
	ASSERT_NE(NULL, self->ram);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->ram, 2 * T_PAGE,
			      IOVA_RAM));
}

FIXTURE_TEARDOWN(pfnmap_edu)
{
	edu_close(&self->edu);
	if (self->fd >= 0)
		close(self->fd);
	if (self->va)
		munmap(self->va, self->bar.size);
	bar_close(&self->bar);
	if (self->ram)
		munmap(self->ram, 2 * T_PAGE);
}

TEST_F(pfnmap_edu, dma)
{
	/* Across the border of two huge pages, and at the very end */
	size_t place[] = { 0, T_PMD - 1024, self->bar.size - EDU_CHUNK };
	unsigned int i;

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->va, self->bar.size,
			      IOVA_BAR));
	for (i = 0; i < ARRAY_SIZE(place); i++) {
		fill(self->ram, i);
		memset(self->va + place[i], 0x11, EDU_CHUNK);
		EDU_READ(IOVA_RAM);
		EDU_WRITE(IOVA_BAR + place[i]);
		EXPECT_EQ(0, memcmp(self->ram, self->va + place[i],
				    EDU_CHUNK));
		/* And out of it */
		fill(self->va + place[i], 100 + i);
		EDU_READ(IOVA_BAR + place[i]);
		EDU_WRITE(IOVA_RAM + T_PAGE);
		EXPECT_EQ(0, memcmp(self->ram + T_PAGE, self->va + place[i],
				    EDU_CHUNK));
	}
	/* Without the mapping it is out of reach. */
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, IOVA_BAR, self->bar.size,
			     NULL));
	memset(self->va, 0x22, EDU_CHUNK);
	EDU_WRITE(IOVA_BAR);
	EXPECT_TRUE(is_all(self->va, 0x22));
}

TEST_F(pfnmap_edu, read_only)
{
	uint64_t iova = IOVA_BAR;

	ASSERT_EQ(0, t_map(self->fd, self->ioas, self->va, self->bar.size,
			   &iova, IOMMU_IOAS_MAP_READABLE | T_FIXED));
	fill(self->va, 7);
	EDU_READ(IOVA_BAR);
	EDU_WRITE(IOVA_RAM);
	EXPECT_EQ(0, memcmp(self->ram, self->va, EDU_CHUNK));
	memset(self->va, 0x33, EDU_CHUNK);
	EDU_WRITE(IOVA_BAR);
	EXPECT_TRUE(is_all(self->va, 0x33));
}

TEST_F(pfnmap_edu, munmap)
{
	char *va = bar_mmap(&self->bar, NULL, 0, T_PAGE,
			    PROT_READ | PROT_WRITE);

	ASSERT_NE(NULL, va);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, T_PAGE, IOVA_BAR));
	fill(self->ram, 3);
	EDU_READ(IOVA_RAM);
	EDU_WRITE(IOVA_BAR);
	EXPECT_EQ(0, memcmp(self->ram, self->va, EDU_CHUNK));
	ASSERT_EQ(0, munmap(va, T_PAGE));
	memset(self->va, 0x44, EDU_CHUNK);
	EDU_WRITE(IOVA_BAR);
	EXPECT_TRUE(is_all(self->va, 0x44));
}

TEST_F(pfnmap_edu, memory_decode)
{
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->va, self->bar.size,
			      IOVA_BAR));
	memset(self->va, 0x55, EDU_CHUNK);
	fill(self->ram, 4);
	EDU_READ(IOVA_RAM);
	ASSERT_EQ(0, vfio_decode(self->bar.dev, false));
	EDU_WRITE(IOVA_BAR);
	ASSERT_EQ(0, vfio_decode(self->bar.dev, true));
	EXPECT_TRUE(is_all(self->va, 0x55));

	/* Back within a second, here seen from outside. */
	usleep(RESTORE_SECONDS * 1000000);
	EDU_WRITE(IOVA_BAR);
	EXPECT_EQ(0, memcmp(self->ram, self->va, EDU_CHUNK));
}

TEST_HARNESS_MAIN
