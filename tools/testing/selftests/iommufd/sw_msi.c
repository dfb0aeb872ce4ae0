// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSIs of devices whose IOMMU translates them (Arm's do): the window they go
 * through, the IOVA of each page, and that devices keep theirs wherever they are
 * attached. The mock stands for such an IOMMU on any machine.
 */
#include "pt.h"

#define MSI MOCK_FLAGS_DEVICE_X_SW_MSI
#define MSI_SMALL MOCK_FLAGS_DEVICE_X_SW_MSI_SMALL
#define MSI_PASID (MSI | MOCK_FLAGS_DEVICE_PASID)

/* Pages of interrupt controllers, and an address in each */
#define PAGE_OF(n) (0xfee00000ULL + (uint64_t)(n) * T_PAGE)
#define ADDR_OF(n) (PAGE_OF(n) + 0x40)

/* As many pages as a context can have */
#define PAGES_MAX 64

FIXTURE(sw_msi)
{
	int fd;
	uint32_t a, b, stdev, hwpt, idev;
};

FIXTURE_SETUP(sw_msi)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->a));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->b));
	ASSERT_EQ(0, t_mock_flags(self->fd, self->a, MSI_PASID, &self->stdev,
				  &self->hwpt, &self->idev));
}

FIXTURE_TEARDOWN(sw_msi)
{
	close(self->fd);
}

TEST_F(sw_msi, window_is_reserved)
{
	struct iommu_iova_range ranges[4];
	uint32_t num = 4;

	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->a, t_page(), T_PAGE,
				   MOCK_MSI_START));
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->a, t_page(), T_PAGE,
				   MOCK_MSI_START + MOCK_MSI_LENGTH - T_PAGE));
	ASSERT_EQ(0, t_iova_ranges(self->fd, self->a, ranges, &num, NULL));
	EXPECT_EQ(2, num);
	EXPECT_EQ(MOCK_MSI_START - 1, ranges[0].last);
	EXPECT_EQ(MOCK_MSI_START + MOCK_MSI_LENGTH, ranges[1].start);
	/* What is there already keeps devices out. */
	ASSERT_EQ(0, t_map_at(self->fd, self->b, t_page(), T_PAGE,
			      MOCK_MSI_START));
	EXPECT_EQ(EADDRINUSE, t_mock_flags(self->fd, self->b, MSI, NULL, NULL,
					   NULL));
	EXPECT_EQ(EADDRINUSE, t_mock_replace(self->fd, self->stdev, self->b,
					     NULL));
	EXPECT_EQ(0, t_mock_flags(self->fd, self->b, MSI_SMALL, NULL, NULL,
				  NULL));
}

TEST_F(sw_msi, pages_in_order)
{
	uint64_t iova;
	int n;

	for (n = 0; n < 5; n++) {
		ASSERT_EQ(0, t_msi(self->fd, self->idev, ADDR_OF(n), &iova));
		EXPECT_EQ(MOCK_MSI_START + n * T_PAGE, iova);
		EXPECT_EQ(0, t_check_phys(self->fd, self->hwpt, iova + 0x40,
					  ADDR_OF(n)));
	}
	/* Asked again, and elsewhere in the page: the same */
	ASSERT_EQ(0, t_msi(self->fd, self->idev, PAGE_OF(2) + T_PAGE - 4, &iova));
	EXPECT_EQ(MOCK_MSI_START + 2 * T_PAGE, iova);
	EXPECT_EQ(0, t_check_phys(self->fd, self->hwpt,
				  MOCK_MSI_START + 5 * T_PAGE, 0));
}

TEST_F(sw_msi, not_translated)
{
	uint32_t idev, stdev;
	uint64_t iova = 0;

	/* A device without window, on the same page table */
	ASSERT_EQ(0, t_mock(self->fd, self->a, NULL, NULL, &idev));
	ASSERT_EQ(0, t_msi(self->fd, idev, ADDR_OF(0), &iova));
	EXPECT_EQ(1, iova);
	/* Nothing attached */
	ASSERT_EQ(0, t_mock_flags(self->fd, self->a, MSI, &stdev, NULL, &idev));
	ASSERT_EQ(0, t_pasid_detach(self->fd, stdev, 0));
	iova = 0;
	ASSERT_EQ(0, t_msi(self->fd, idev, ADDR_OF(0), &iova));
	EXPECT_EQ(1, iova);
	EXPECT_EQ(0, t_check_phys(self->fd, self->hwpt, MOCK_MSI_START, 0));
	EXPECT_EQ(ENOENT, t_msi(self->fd, stdev, ADDR_OF(0), &iova));
}

TEST_F(sw_msi, one_iova_for_the_context)
{
	uint32_t hwpt, idev, small;
	uint64_t iova;

	ASSERT_EQ(0, t_mock_flags(self->fd, self->b, MSI, NULL, &hwpt, &idev));
	ASSERT_EQ(0, t_msi(self->fd, self->idev, ADDR_OF(7), &iova));
	EXPECT_EQ(MOCK_MSI_START, iova);
	ASSERT_EQ(0, t_msi(self->fd, idev, ADDR_OF(8), &iova));
	EXPECT_EQ(MOCK_MSI_START + T_PAGE, iova);
	ASSERT_EQ(0, t_msi(self->fd, idev, ADDR_OF(7), &iova));
	EXPECT_EQ(MOCK_MSI_START, iova);
	EXPECT_EQ(0, t_check_phys(self->fd, hwpt, MOCK_MSI_START, PAGE_OF(7)));
	/* What only the one needs, only the one has. */
	EXPECT_EQ(0, t_check_phys(self->fd, self->hwpt, MOCK_MSI_START + T_PAGE,
				  0));
	/* Another window is counted by itself. */
	ASSERT_EQ(0, t_mock_flags(self->fd, self->b, MSI_SMALL, NULL, &hwpt,
				  &small));
	ASSERT_EQ(0, t_msi(self->fd, small, ADDR_OF(8), &iova));
	EXPECT_EQ(MOCK_MSI_SMALL_START, iova);
	EXPECT_EQ(0, t_check_phys(self->fd, hwpt, iova, PAGE_OF(8)));
}

TEST_F(sw_msi, limits)
{
	uint32_t small;
	uint64_t iova;
	int n;

	ASSERT_EQ(0, t_mock_flags(self->fd, self->b, MSI_SMALL, NULL, NULL,
				  &small));
	/* The window is full. */
	for (n = 0; n < MOCK_MSI_SMALL_LENGTH / T_PAGE; n++)
		ASSERT_EQ(0, t_msi(self->fd, small, ADDR_OF(n), &iova));
	EXPECT_EQ(EOVERFLOW, t_msi(self->fd, small, ADDR_OF(n), &iova));
	/* So is the context. */
	for (; n < PAGES_MAX; n++)
		ASSERT_EQ(0, t_msi(self->fd, self->idev, ADDR_OF(n), &iova));
	EXPECT_EQ(EOVERFLOW, t_msi(self->fd, self->idev, ADDR_OF(n), &iova));
	/* Those that exist can still be had. */
	EXPECT_EQ(0, t_msi(self->fd, self->idev, ADDR_OF(n - 1), &iova));
	EXPECT_EQ(EOVERFLOW, t_msi(self->fd, self->idev, ADDR_OF(0), &iova));
}

TEST_F(sw_msi, brought_along)
{
	uint64_t first, second, iova;
	uint32_t hwpt, manual;
	int fd = self->fd;

	ASSERT_EQ(0, t_msi(fd, self->idev, ADDR_OF(3), &first));
	ASSERT_EQ(0, t_msi(fd, self->idev, ADDR_OF(4), &second));
	/* To another address space */
	ASSERT_EQ(0, t_mock_replace(fd, self->stdev, self->b, &hwpt));
	EXPECT_EQ(0, t_check_phys(fd, hwpt, first, PAGE_OF(3)));
	EXPECT_EQ(0, t_check_phys(fd, hwpt, second, PAGE_OF(4)));
	/* Within it */
	ASSERT_EQ(0, t_hwpt_alloc(fd, self->idev, self->b, 0, &manual));
	EXPECT_EQ(0, t_check_phys(fd, manual, first, 0));
	ASSERT_EQ(0, t_mock_replace(fd, self->stdev, manual, NULL));
	EXPECT_EQ(0, t_check_phys(fd, manual, first, PAGE_OF(3)));
	EXPECT_EQ(0, t_check_phys(fd, manual, second, PAGE_OF(4)));
	/* Off it, and on again */
	ASSERT_EQ(0, t_pasid_detach(fd, self->stdev, 0));
	ASSERT_EQ(0, t_hwpt_alloc(fd, self->idev, self->a, 0, &hwpt));
	hwpt = self->a;
	ASSERT_EQ(0, t_pasid_attach(fd, self->stdev, 0, &hwpt));
	EXPECT_EQ(0, t_check_phys(fd, hwpt, first, PAGE_OF(3)));
	EXPECT_EQ(0, t_check_phys(fd, hwpt, second, PAGE_OF(4)));
	ASSERT_EQ(0, t_msi(fd, self->idev, ADDR_OF(4), &iova));
	EXPECT_EQ(second, iova);
}

/*
 * An interrupt is set up when everything else has been brought along, and the
 * device is still where it was. It must be where the device comes to.
 */
TEST_F(sw_msi, set_up_while_moving)
{
	const uint32_t flags = MSI | MOCK_FLAGS_DEVICE_X_LATE_MSI;
	uint32_t stdev, idev, from, to, back;
	uint64_t iova;
	int fd = self->fd;

	ASSERT_EQ(0, t_mock_flags(fd, self->a, flags, &stdev, &from, &idev));
	EXPECT_EQ(0, t_check_phys(fd, from, MOCK_MSI_START, 0));
	ASSERT_EQ(0, t_hwpt_alloc(fd, idev, self->a, 0, &back));
	ASSERT_EQ(0, t_mock_replace(fd, stdev, self->b, &to));
	EXPECT_EQ(0, t_check_phys(fd, to, MOCK_MSI_START + 0x40,
				  MOCK_LATE_MSI));
	EXPECT_EQ(0, t_check_phys(fd, from, MOCK_MSI_START + 0x40,
				  MOCK_LATE_MSI));
	ASSERT_EQ(0, t_msi(fd, idev, MOCK_LATE_MSI, &iova));
	EXPECT_EQ(MOCK_MSI_START, iova);

	/* Only where it moves to, and only while it moves */
	EXPECT_EQ(0, t_check_phys(fd, back, MOCK_MSI_START, 0));
	ASSERT_EQ(0, t_mock_replace(fd, stdev, back, NULL));
	ASSERT_EQ(0, t_msi(fd, idev, ADDR_OF(1), &iova));
	EXPECT_EQ(0, t_check_phys(fd, back, iova, PAGE_OF(1)));
	EXPECT_EQ(0, t_check_phys(fd, from, iova, 0));
}

/* A page table keeps the pages, and so the window, for as long as it lives. */
TEST_F(sw_msi, stays_in_the_page_table)
{
	uint32_t manual;
	uint64_t iova;
	int fd = self->fd;

	ASSERT_EQ(0, t_hwpt_alloc(fd, self->idev, self->b, 0, &manual));
	EXPECT_EQ(0, t_map_at(fd, self->b, t_page(), T_PAGE, MOCK_MSI_START));
	EXPECT_EQ(EADDRINUSE, t_mock_replace(fd, self->stdev, manual, NULL));
	ASSERT_EQ(0, t_unmap_all(fd, self->b, NULL));
	ASSERT_EQ(0, t_mock_replace(fd, self->stdev, manual, NULL));
	ASSERT_EQ(0, t_msi(fd, self->idev, ADDR_OF(0), &iova));
	ASSERT_EQ(0, t_destroy(fd, self->stdev));
	EXPECT_EQ(0, t_check_phys(fd, manual, iova, PAGE_OF(0)));
	EXPECT_EQ(EINVAL, t_map_at(fd, self->b, t_page(), T_PAGE, iova));
	ASSERT_EQ(0, t_destroy(fd, manual));
	EXPECT_EQ(0, t_map_at(fd, self->b, t_page(), T_PAGE, iova));
}

/* PASIDs have nothing to do with it. */
TEST_F(sw_msi, pasid)
{
	uint32_t manual, pt;
	uint64_t iova;
	int fd = self->fd;

	ASSERT_EQ(0, t_hwpt_alloc(fd, self->idev, self->a,
				  IOMMU_HWPT_ALLOC_PASID, &manual));
	ASSERT_EQ(0, t_hwpt_alloc(fd, self->idev, self->b,
				  IOMMU_HWPT_ALLOC_PASID, &pt));
	ASSERT_EQ(0, t_mock_replace(fd, self->stdev, manual, NULL));
	ASSERT_EQ(0, t_msi(fd, self->idev, ADDR_OF(0), &iova));
	ASSERT_EQ(0, t_pasid_attach(fd, self->stdev, 5, &pt));
	EXPECT_EQ(0, t_check_phys(fd, pt, iova, 0));
	EXPECT_EQ(0, t_map_at(fd, self->b, t_page(), T_PAGE, MOCK_MSI_START));
}

/* Devices of a group have one window, and what one needs is brought along. */
TEST_F(sw_msi, group)
{
	const uint32_t flags = MOCK_FLAGS_DEVICE_X_GROUP;
	uint32_t stdev, first, second, hwpt;
	uint64_t iova;
	int fd = self->fd;

	ASSERT_EQ(0, t_mock_flags(fd, self->b, flags, &stdev, &hwpt, &first));
	ASSERT_EQ(0, t_msi(fd, first, ADDR_OF(0), &iova));
	EXPECT_EQ(1, iova);
	ASSERT_EQ(0, t_mock_flags(fd, self->b, flags | MSI, NULL, NULL,
				  &second));
	ASSERT_EQ(0, t_msi(fd, second, ADDR_OF(0), &iova));
	EXPECT_EQ(MOCK_MSI_START, iova);
	/* The one that made the attachment leaves. */
	ASSERT_EQ(0, t_destroy(fd, stdev));
	ASSERT_EQ(0, t_msi(fd, second, ADDR_OF(1), &iova));
	EXPECT_EQ(MOCK_MSI_START + T_PAGE, iova);
	EXPECT_EQ(0, t_check_phys(fd, hwpt, iova, PAGE_OF(1)));
}

/* Interrupts are set up while the device moves: none may be left behind. */

static uint64_t iova_of(unsigned long n)
{
	return MOCK_MSI_START + n * T_PAGE;
}

/* Are the last pages that were told there, in order, in a page table? */
static int last_pages(struct t_job *job, uint32_t hwpt, unsigned long told)
{
	unsigned long n = told < 3 ? 0 : told - 3;
	int err = 0;

	for (; !err && n < told && n < PAGES_MAX; n++)
		err = t_check_phys(job->fd, hwpt, iova_of(n), PAGE_OF(n));
	return err;
}

static void *mover(void *arg)
{
	struct t_job *job = arg, *setter = job->self;
	unsigned long told;
	uint32_t hwpt;
	int err;

	while (!t_stopped(job)) {
		err = t_mock_replace(job->fd, job->ioas,
				     job->done % 2 ? job->hwpt : job->other,
				     &hwpt);
		if (err) {
			t_wrong(job, "replace", err);
			break;
		}
		told = __atomic_load_n(&setter->done, __ATOMIC_ACQUIRE);
		err = last_pages(job, hwpt, told);
		if (err)
			t_wrong(job, "page left behind", err);
		else
			job->done++;
	}
	return NULL;
}

static void *setter(void *arg)
{
	struct t_job *job = arg;
	uint64_t iova;
	int err;

	while (!t_stopped(job)) {
		/* Few pages, or they would all be there before long */
		err = t_msi(job->fd, job->idev, ADDR_OF(job->done % PAGES_MAX),
			    &iova);
		if (err || iova != iova_of(job->done % PAGES_MAX))
			t_wrong(job, "MSI", err);
		else
			__atomic_fetch_add(&job->done, 1, __ATOMIC_RELEASE);
		usleep(20000);
	}
	return NULL;
}

TEST_F(sw_msi, race)
{
	const t_work_t work[] = { mover, setter };
	struct t_job jobs[ARRAY_SIZE(work)] = {};
	uint32_t manual[2], hwpt;
	unsigned long n, pages;
	bool stop = false;
	size_t i;

	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->a, 0,
				  &manual[0]));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->b, 0,
				  &manual[1]));
	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		jobs[i] = (struct t_job) {
			.fd = self->fd,
			.ioas = self->stdev,
			.idev = self->idev,
			.hwpt = manual[0],
			.other = manual[1],
			.stop = &stop,
			.self = &jobs[1],
		};
	t_run(_metadata, work, jobs, ARRAY_SIZE(jobs));
	/* Where it is now it has all, with no further question. */
	pages = jobs[1].done < PAGES_MAX ? jobs[1].done : PAGES_MAX;
	/* The last move was made with one done less. */
	hwpt = jobs[0].done % 2 ? manual[1] : manual[0];
	ASSERT_EQ(0, t_pasid_check(self->fd, self->stdev, 0, hwpt));
	for (n = 0; n < pages; n++)
		ASSERT_EQ(0, t_check_phys(self->fd, hwpt, iova_of(n),
					  PAGE_OF(n)));
}

TEST_HARNESS_MAIN
