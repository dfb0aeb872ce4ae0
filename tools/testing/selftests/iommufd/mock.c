// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock IOMMU itself. The other tests believe what it says, so this one makes
 * sure that it says no where the answer is no, and that it can be asked while
 * mappings come and go.
 */
#include <dirent.h>
#include <pthread.h>

#include "util.h"

#define HALF (T_PAGE / 2)

FIXTURE(mock)
{
	int fd;
	uint32_t ioas, stdev, hwpt, idev;
	char *buf;
	size_t length;
};

FIXTURE_SETUP(mock)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev, &self->hwpt,
			    &self->idev));
	self->length = 8 * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
}

FIXTURE_TEARDOWN(mock)
{
	int fd;

	close(self->fd);
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, self->buf, self->length, 0));
	close(fd);
}

TEST_F(mock, check_map_says_no)
{
	uint64_t base = T_BASE;
	char *other = t_alloc(T_PAGE);

	ASSERT_NE(NULL, other);
	/* Nothing is there. */
	EXPECT_EQ(EINVAL, t_check_map(self->fd, self->hwpt, base, T_PAGE,
				      self->buf));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 4 * T_PAGE,
			      base));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, base, 4 * T_PAGE,
				 self->buf));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, base + HALF, T_PAGE,
				 self->buf + HALF));
	/* One too many, at either end */
	EXPECT_EQ(EINVAL, t_check_map(self->fd, self->hwpt, base,
				      4 * T_PAGE + HALF, self->buf));
	EXPECT_EQ(EINVAL, t_check_map(self->fd, self->hwpt, base - HALF, T_PAGE,
				      self->buf));
	/* Something else is there. */
	EXPECT_EQ(EINVAL, t_check_map(self->fd, self->hwpt, base, T_PAGE,
				      other));
	EXPECT_EQ(EINVAL, t_check_map(self->fd, self->hwpt, base, HALF,
				      self->buf + HALF));
	EXPECT_EQ(EINVAL, t_check_map(self->fd, self->hwpt, base, HALF,
				      self->buf + T_PAGE));
	/* The same address with other memory behind it */
	ASSERT_EQ(0, munmap(self->buf, T_PAGE));
	ASSERT_EQ(self->buf, mmap(self->buf, T_PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				  0));
	self->buf[0] = 1;
	EXPECT_EQ(EINVAL, t_check_map(self->fd, self->hwpt, base, HALF,
				      self->buf));
	EXPECT_EQ(0, t_check_map(self->fd, self->hwpt, base + T_PAGE, T_PAGE,
				 self->buf + T_PAGE));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(EINVAL, t_check_map(self->fd, self->hwpt, base + T_PAGE,
				      T_PAGE, self->buf + T_PAGE));
	munmap(other, T_PAGE);
}

TEST_F(mock, check_map_arguments)
{
	uint32_t ids[] = { 0, UINT32_MAX, self->ioas, self->stdev, self->idev };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ids); i++)
		EXPECT_EQ(ENOENT, t_check_map(self->fd, ids[i], T_BASE, T_PAGE,
					      self->buf));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE, T_BASE));
	EXPECT_EQ(EINVAL, t_check_map(self->fd, self->hwpt, T_BASE + 1, HALF,
				      self->buf + 1));
	EXPECT_EQ(EINVAL, t_check_map(self->fd, self->hwpt, T_BASE, HALF - 1,
				      self->buf));
	EXPECT_EQ(EINVAL, t_check_map(self->fd, self->hwpt, T_BASE, HALF,
				      self->buf + 1));
	EXPECT_EQ(EINVAL, t_check_map(self->fd, self->hwpt, T_BASE,
				      -(uint64_t)HALF, self->buf));
	EXPECT_EQ(EINVAL, t_check_map(self->fd, self->hwpt, -(uint64_t)HALF,
				      T_PAGE, self->buf));
	EXPECT_EQ(EFAULT, t_check_map(self->fd, self->hwpt, T_BASE, HALF,
				      NULL));
}

TEST_F(mock, check_refs_says_no)
{
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + T_PAGE, T_PAGE,
			      T_BASE));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + T_PAGE, T_PAGE, 1));
	EXPECT_EQ(EIO, t_check_refs(self->fd, self->buf + T_PAGE, T_PAGE, 0));
	EXPECT_EQ(EIO, t_check_refs(self->fd, self->buf + T_PAGE, T_PAGE, 2));
	EXPECT_EQ(EIO, t_check_refs(self->fd, self->buf, 2 * T_PAGE, 1));
	EXPECT_EQ(EIO, t_check_refs(self->fd, self->buf, 2 * T_PAGE, 0));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + T_PAGE, T_PAGE,
			      T_BASE + T_PAGE));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + T_PAGE, T_PAGE, 2));

	EXPECT_EQ(EINVAL, t_check_refs(self->fd, self->buf, HALF, 0));
	EXPECT_EQ(EINVAL, t_check_refs(self->fd, self->buf + HALF, T_PAGE, 0));
	EXPECT_EQ(EINVAL, t_check_refs(self->fd, self->buf,
				       -(uint64_t)T_PAGE, 0));
	EXPECT_EQ(EFAULT, t_check_refs(self->fd, NULL, T_PAGE, 0));
}

static int alloc_selftest(int fd, uint32_t idev, uint32_t ioas,
			  const struct iommu_hwpt_selftest *data, uint32_t len,
			  uint32_t *hwpt)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = idev,
		.pt_id = ioas,
		.data_type = IOMMU_HWPT_DATA_SELFTEST,
		.data_len = len,
		.data_uptr = (uintptr_t)data,
	};
	int err = t_call(fd, IOMMU_HWPT_ALLOC, &cmd);

	if (!err)
		*hwpt = cmd.out_hwpt_id;
	return err;
}

TEST_F(mock, page_tables_to_choose_from)
{
	struct iommu_hwpt_selftest data = {};
	struct iommu_iova_range range;
	uint32_t ioas, hwpt, num = 1;
	uint64_t align;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &ioas));
	data.pagetable_type = MOCK_IOMMUPT_HUGE + 1;
	EXPECT_EQ(EOPNOTSUPP, alloc_selftest(self->fd, self->idev, ioas, &data,
					     sizeof(data), &hwpt));
	data.pagetable_type = UINT32_MAX;
	EXPECT_EQ(EOPNOTSUPP, alloc_selftest(self->fd, self->idev, ioas, &data,
					     sizeof(data), &hwpt));
	EXPECT_EQ(EINVAL, alloc_selftest(self->fd, self->idev, ioas, &data, 3,
					 &hwpt));
	EXPECT_EQ(EFAULT, alloc_selftest(self->fd, self->idev, ioas, NULL,
					 sizeof(data), &hwpt));

	/* Without the second word it is the default. */
	ASSERT_EQ(0, alloc_selftest(self->fd, self->idev, ioas, &data, 4,
				    &hwpt));
	ASSERT_EQ(0, t_iova_ranges(self->fd, ioas, &range, &num, &align));
	EXPECT_EQ(MOCK_APERTURE_START, range.start);
	EXPECT_EQ(MOCK_APERTURE_LAST, range.last);
	EXPECT_EQ(MOCK_PAGE_SIZE, align);
	ASSERT_EQ(0, t_destroy(self->fd, hwpt));

	data.pagetable_type = MOCK_IOMMUPT_HUGE;
	ASSERT_EQ(0, alloc_selftest(self->fd, self->idev, ioas, &data,
				    sizeof(data), &hwpt));
	ASSERT_EQ(0, t_iova_ranges(self->fd, ioas, &range, &num, &align));
	EXPECT_EQ(0, range.start);
	EXPECT_EQ((1ULL << 38) - 1, range.last);
	EXPECT_EQ(T_PAGE, align);

	/* The first and the last page it has */
	EXPECT_EQ(0, t_map_at(self->fd, ioas, self->buf, T_PAGE, 0));
	EXPECT_EQ(0, t_map_at(self->fd, ioas, self->buf, T_PAGE,
			      range.last - T_PAGE + 1));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, 0, T_PAGE, self->buf));
	EXPECT_EQ(0, t_check_map(self->fd, hwpt, range.last - T_PAGE + 1,
				 T_PAGE, self->buf));
	/* Its smallest page is no half. */
	EXPECT_EQ(EINVAL, t_check_map(self->fd, hwpt, 0, HALF, self->buf));
	ASSERT_EQ(0, t_destroy(self->fd, hwpt));
}

TEST_F(mock, device_without_dirty_tracking)
{
	uint32_t stdev, hwpt, dirty;

	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas,
				  IOMMU_HWPT_ALLOC_DIRTY_TRACKING, &dirty));
	EXPECT_EQ(EINVAL, t_mock_flags(self->fd, dirty,
				       MOCK_FLAGS_DEVICE_NO_DIRTY, NULL, NULL,
				       NULL));
	ASSERT_EQ(0, t_mock_flags(self->fd, self->ioas,
				  MOCK_FLAGS_DEVICE_NO_DIRTY, &stdev, &hwpt,
				  NULL));
	EXPECT_EQ(self->hwpt, hwpt);
	EXPECT_EQ(EINVAL, t_mock_replace(self->fd, stdev, dirty, NULL));
	EXPECT_EQ(0, t_mock_replace(self->fd, self->stdev, dirty, NULL));
	ASSERT_EQ(0, t_destroy(self->fd, stdev));
}

static int pasid_width(int fd, uint32_t idev)
{
	struct iommu_hw_info cmd = { .size = sizeof(cmd), .dev_id = idev };

	return t_call(fd, IOMMU_GET_HW_INFO, &cmd) ? -1 :
						     cmd.out_max_pasid_log2;
}

TEST_F(mock, device_flags)
{
	uint32_t idev;

	EXPECT_EQ(EINVAL, t_mock_flags(self->fd, self->ioas, 1 << 1, NULL,
				       NULL, NULL));
	EXPECT_EQ(EINVAL, t_mock_flags(self->fd, self->ioas, 1U << 31, NULL,
				       NULL, NULL));
	EXPECT_EQ(0, pasid_width(self->fd, self->idev));
	ASSERT_EQ(0, t_mock_flags(self->fd, self->ioas, MOCK_FLAGS_DEVICE_PASID,
				  NULL, NULL, &idev));
	EXPECT_EQ(MOCK_PASID_WIDTH, pasid_width(self->fd, idev));
}

static int count_devices(void)
{
	DIR *dir = opendir("/sys/bus/iommufd_mock/devices");
	struct dirent *entry;
	int n = 0;

	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* What a fuzzer says instead of an address: which area, and where in it */
static uint64_t by_number(uint32_t n, uint32_t offset)
{
	return (uint64_t)offset << 32 | n;
}

TEST_F(mock, areas_by_number)
{
	const uint32_t syz = MOCK_FLAGS_ACCESS_SYZ;
	uint64_t iova[] = { T_BASE, T_BASE + 0x10000, T_BASE + 0x8000 };
	int order[] = { 0, 2, 1 };
	uint32_t ioas, hwpt, n;
	uint64_t to = T_BASE;
	int access;
	char byte;

	ASSERT_EQ(0, t_create_access(self->fd, self->ioas,
				     MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES,
				     &access));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &ioas));
	ASSERT_EQ(0, t_mock(self->fd, ioas, NULL, &hwpt, NULL));
	/* None at all: that is IOVA 0, where nothing is. */
	EXPECT_EQ(ENOENT, t_pin(self->fd, access, by_number(0, 0), T_PAGE, NULL,
				syz, NULL));
	for (n = 0; n < 3; n++)
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas,
				      self->buf + 2 * n * T_PAGE, 2 * T_PAGE,
				      iova[n]));
	for (n = 0; n < 3; n++) {
		char *va = self->buf + 2 * order[n] * T_PAGE;

		EXPECT_EQ(0, t_pin(self->fd, access, by_number(n, T_PAGE),
				   T_PAGE, va + T_PAGE, syz, NULL));
		va[7] = 'a' + n;
		ASSERT_EQ(0, t_access_rw(self->fd, access, by_number(n, 7),
					 &byte, 1, syz));
		EXPECT_EQ('a' + n, byte);
		ASSERT_EQ(0, t_copy(self->fd, ioas, self->ioas,
				    by_number(n, T_PAGE), T_PAGE, &to,
				    T_RW | T_FIXED | syz));
		EXPECT_EQ(0, t_check_map(self->fd, hwpt, to, T_PAGE,
					 va + T_PAGE));
		ASSERT_EQ(0, t_unmap_all(self->fd, ioas, NULL));
	}
	/* No more than these, and the offset is not kept inside. */
	EXPECT_EQ(ENOENT, t_pin(self->fd, access, by_number(3, T_PAGE), T_PAGE,
				NULL, syz, NULL));
	EXPECT_EQ(ENOENT, t_access_rw(self->fd, access, by_number(0, 2 * T_PAGE),
				      &byte, 1, syz));
	EXPECT_EQ(ENOENT, t_copy(self->fd, ioas, self->ioas,
				 by_number(UINT32_MAX, 0), T_PAGE, &to,
				 T_RW | T_FIXED | syz));
	EXPECT_EQ(ENOENT, t_copy(self->fd, ioas, 0, by_number(0, 0), T_PAGE, &to,
				 T_RW | T_FIXED | syz));
	/* Without the flag it is an address like any other. */
	EXPECT_EQ(ENOENT, t_pin(self->fd, access, by_number(0, T_PAGE), T_PAGE,
				NULL, 0, NULL));
	EXPECT_EQ(EOPNOTSUPP, t_copy(self->fd, ioas, self->ioas, T_BASE, T_PAGE,
				     &to, T_RW | T_FIXED | syz | syz << 1));
	close(access);
}

TEST_F(mock, devices_go_with_their_object)
{
	int others = count_devices();
	uint32_t stdev;

	if (others < 0)
		SKIP(return, "no sysfs");
	others--;
	EXPECT_EQ(0, access("/sys/bus/iommufd_mock/devices/iommufd_mock0",
			    F_OK));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL, NULL));
	EXPECT_EQ(others + 2, count_devices());
	ASSERT_EQ(0, t_destroy(self->fd, stdev));
	EXPECT_EQ(others + 1, count_devices());
	/* A failed attach leaves none. */
	EXPECT_EQ(ENOENT, t_mock(self->fd, UINT32_MAX, NULL, NULL, NULL));
	EXPECT_EQ(others + 1, count_devices());
	close(self->fd);
	EXPECT_EQ(others, count_devices());
	self->fd = t_open();
}

struct churn {
	int fd;
	uint32_t ioas;
	char *buf;
	size_t length;
	bool stop;
	int err;
};

static void *churn_mappings(void *arg)
{
	struct churn *churn = arg;

	while (!__atomic_load_n(&churn->stop, __ATOMIC_RELAXED) &&
	       !churn->err) {
		churn->err = t_map_at(churn->fd, churn->ioas, churn->buf,
				      churn->length, T_BASE);
		if (!churn->err)
			churn->err = t_unmap(churn->fd, churn->ioas, T_BASE,
					     churn->length, NULL);
	}
	return NULL;
}

/*
 * Unmapping all that a lower level of the table translates frees that level.
 * Whoever walks the table meanwhile says yes or no and nothing else. He must not
 * look at freed memory either, but a few instructions wide as that gap would
 * be, its KASAN report would come seldom.
 */
TEST_F(mock, check_map_meets_unmap)
{
	struct churn churn = {
		.fd = self->fd,
		.ioas = self->ioas,
		.length = MOCK_HUGE_PAGE_SIZE,
	};
	unsigned int yes = 0, no = 0, other = 0;
	double end = t_seconds() + 5;
	pthread_t thread;

	churn.buf = t_alloc(churn.length);
	ASSERT_NE(NULL, churn.buf);
	ASSERT_EQ(0, pthread_create(&thread, NULL, churn_mappings, &churn));
	/* Both answers have to be seen, however slow the machine is. */
	while (t_seconds() < end || ((!yes || !no) && t_seconds() < end + 60)) {
		int err = t_check_map(self->fd, self->hwpt, T_BASE,
				      T_PAGE, churn.buf);

		if (!err)
			yes++;
		else if (err == EINVAL)
			no++;
		else
			other++;
	}
	__atomic_store_n(&churn.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, churn.err);
	EXPECT_EQ(0, t_check_refs(self->fd, churn.buf, churn.length, 0));
	EXPECT_LT(0, yes);
	EXPECT_LT(0, no);
	EXPECT_EQ(0, other);
}

static void *churn_devices(void *arg)
{
	struct churn *churn = arg;
	unsigned int i;

	for (i = 0; i < 20 && !churn->err; i++) {
		uint32_t stdev;

		churn->err = t_mock(churn->fd, churn->ioas, &stdev, NULL, NULL);
		if (!churn->err)
			churn->err = t_destroy(churn->fd, stdev);
	}
	return NULL;
}

TEST_F(mock, devices_from_several_threads)
{
	struct churn churn[3];
	pthread_t threads[3];
	int i;

	for (i = 0; i < 3; i++) {
		churn[i] = (struct churn){ .fd = self->fd, .ioas = self->ioas };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, churn_devices,
					    &churn[i]));
	}
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_EQ(0, churn[i].err);
	}
	EXPECT_EQ(0, t_destroy(self->fd, self->stdev));
	EXPECT_EQ(ENOENT, t_destroy(self->fd, self->hwpt));
}

TEST_HARNESS_MAIN
