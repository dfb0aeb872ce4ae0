// SPDX-License-Identifier: GPL-2.0-only
/*
 * PASIDs: page tables of their own for parts of a device's DMA. Who may be
 * attached where, replacing with a page table that is refused at the last
 * moment, and groups of several devices, with and without PASIDs.
 */
#include "pt.h"

#define PASID 100
/* 2 to the power of MOCK_PASID_WIDTH */
#define PASIDS 0x100000U
#define TRAP IOMMU_TEST_PASID_RESERVED

#define HWPT_PASID IOMMU_HWPT_ALLOC_PASID

FIXTURE(pasid)
{
	int fd;
	uint32_t a, b, stdev, idev, automatic;
	/* Made for PASIDs: two in a, one in b; and one in a that is not */
	uint32_t first, second, other, plain;
	char *buf;
};

#define LENGTH (8 * T_PAGE)

FIXTURE_SETUP(pasid)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	self->buf = t_alloc(LENGTH);
	ASSERT_NE(NULL, self->buf);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->a));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->b));
	ASSERT_EQ(0, t_map_at(self->fd, self->a, self->buf, LENGTH, T_BASE));
	ASSERT_EQ(0, t_mock_flags(self->fd, self->a, MOCK_FLAGS_DEVICE_PASID,
				  &self->stdev, &self->automatic, &self->idev));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->a, HWPT_PASID,
				  &self->first));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->a, HWPT_PASID,
				  &self->second));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->b, HWPT_PASID,
				  &self->other));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->a, 0,
				  &self->plain));
	/* What is attached without PASID would not go with any. */
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->first, NULL));
}

FIXTURE_TEARDOWN(pasid)
{
	int fd;

	close(self->fd);
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, self->buf, LENGTH, 0));
	close(fd);
}

TEST_F(pasid, attach_detach)
{
	ASSERT_EQ(0, t_pasid_check(self->fd, self->stdev, PASID, 0));
	ASSERT_EQ(0, t_pasid_to(self->fd, self->stdev, PASID, self->second));
	EXPECT_EQ(0, t_pasid_check(self->fd, self->stdev, PASID,
				   self->second));
	/* That and nothing else */
	EXPECT_EQ(EINVAL, t_pasid_check(self->fd, self->stdev, PASID, 0));
	EXPECT_EQ(EINVAL, t_pasid_check(self->fd, self->stdev, PASID,
					self->first));
	EXPECT_EQ(0, t_pasid_check(self->fd, self->stdev, PASID + 1, 0));
	EXPECT_EQ(0, t_pasid_check(self->fd, self->stdev, 0, self->first));
	EXPECT_EQ(0, t_check_map(self->fd, self->second, T_BASE, LENGTH,
				 self->buf));
	/* Attached is in use. */
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->second));
	ASSERT_EQ(0, t_pasid_detach(self->fd, self->stdev, PASID));
	EXPECT_EQ(0, t_pasid_check(self->fd, self->stdev, PASID, 0));
	EXPECT_EQ(0, t_pasid_check(self->fd, self->stdev, 0, self->first));
	EXPECT_EQ(0, t_destroy(self->fd, self->second));
	/* Once more is no error. */
	EXPECT_EQ(0, t_pasid_detach(self->fd, self->stdev, PASID));
}

TEST_F(pasid, objects)
{
	uint32_t pt = self->first;

	EXPECT_EQ(ENOENT, t_pasid_attach(self->fd, 0, PASID, &pt));
	EXPECT_EQ(ENOENT, t_pasid_attach(self->fd, self->idev, PASID, &pt));
	EXPECT_EQ(ENOENT, t_pasid_replace(self->fd, self->idev, PASID, &pt));
	EXPECT_EQ(ENOENT, t_pasid_detach(self->fd, self->idev, PASID));
	EXPECT_EQ(ENOENT, t_pasid_check(self->fd, self->idev, PASID, 0));
	EXPECT_EQ(ENOENT, t_pasid_check(self->fd, self->stdev, PASID, 9999));
	EXPECT_EQ(EINVAL, t_pasid_check(self->fd, self->stdev, PASID,
					self->a));

	EXPECT_EQ(ENOENT, t_pasid_to(self->fd, self->stdev, PASID, 0));
	EXPECT_EQ(ENOENT, t_pasid_to(self->fd, self->stdev, PASID, UINT32_MAX));
	EXPECT_EQ(EINVAL, t_pasid_to(self->fd, self->stdev, PASID, self->idev));
	EXPECT_EQ(EINVAL, t_pasid_to(self->fd, self->stdev, PASID, self->stdev));
	EXPECT_EQ(0, t_pasid_check(self->fd, self->stdev, PASID, 0));
	ASSERT_EQ(0, t_pasid_to(self->fd, self->stdev, PASID, self->second));
	EXPECT_EQ(ENOENT, t_pasid_move(self->fd, self->stdev, PASID, 0));
	EXPECT_EQ(EINVAL, t_pasid_move(self->fd, self->stdev, PASID, self->idev));
	EXPECT_EQ(0, t_pasid_check(self->fd, self->stdev, PASID,
				   self->second));
}

/* An address space stands for a page table that was not made for PASIDs. */
TEST_F(pasid, no_address_space)
{
	uint32_t id;

	EXPECT_EQ(EINVAL, t_pasid_to(self->fd, self->stdev, PASID, self->a));
	EXPECT_EQ(EINVAL, t_pasid_to(self->fd, self->stdev, PASID, self->b));
	ASSERT_EQ(0, t_pasid_to(self->fd, self->stdev, PASID, self->second));
	EXPECT_EQ(EINVAL, t_pasid_move(self->fd, self->stdev, PASID, self->b));
	EXPECT_EQ(0, t_pasid_check(self->fd, self->stdev, PASID,
				   self->second));
	/* Nothing was made for the tries; the lowest free ID is the proof. */
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &id));
	EXPECT_EQ(self->automatic, id);
}

TEST_F(pasid, compatible)
{
	uint32_t stdev = self->stdev;
	int fd = self->fd;

	/* Not made for PASIDs */
	EXPECT_EQ(EINVAL, t_pasid_to(fd, stdev, PASID, self->plain));
	ASSERT_EQ(0, t_pasid_to(fd, stdev, PASID, self->second));
	EXPECT_EQ(EINVAL, t_pasid_move(fd, stdev, PASID, self->plain));
	EXPECT_EQ(0, t_pasid_check(fd, stdev, PASID, self->second));

	/* While a PASID is attached the rest has to be made for it too. */
	EXPECT_EQ(EINVAL, t_mock_replace(fd, stdev, self->plain, NULL));
	EXPECT_EQ(EINVAL, t_mock_replace(fd, stdev, self->a, NULL));
	EXPECT_EQ(EINVAL, t_mock_replace(fd, stdev, self->b, NULL));
	EXPECT_EQ(0, t_pasid_check(fd, stdev, 0, self->first));
	EXPECT_EQ(0, t_mock_replace(fd, stdev, self->other, NULL));
	ASSERT_EQ(0, t_pasid_detach(fd, stdev, PASID));
	ASSERT_EQ(0, t_mock_replace(fd, stdev, self->plain, NULL));

	/* And the other way round */
	EXPECT_EQ(EINVAL, t_pasid_to(fd, stdev, PASID, self->second));
	EXPECT_EQ(0, t_pasid_check(fd, stdev, PASID, 0));
	ASSERT_EQ(0, t_mock_replace(fd, stdev, self->b, NULL));
	EXPECT_EQ(EINVAL, t_pasid_to(fd, stdev, PASID, self->second));
	/* Where nothing is attached without PASID there is nothing to suit. */
	ASSERT_EQ(0, t_pasid_detach(fd, stdev, 0));
	EXPECT_EQ(0, t_pasid_check(fd, stdev, 0, 0));
	ASSERT_EQ(0, t_pasid_to(fd, stdev, PASID, self->second));
	EXPECT_EQ(EINVAL, t_pasid_to(fd, stdev, 0, self->plain));
	EXPECT_EQ(EINVAL, t_pasid_to(fd, stdev, 0, self->b));
	EXPECT_EQ(0, t_pasid_to(fd, stdev, 0, self->first));
}

TEST_F(pasid, width)
{
	EXPECT_EQ(EINVAL, t_pasid_to(self->fd, self->stdev, PASIDS, self->second));
	EXPECT_EQ(EINVAL, t_pasid_to(self->fd, self->stdev, UINT32_MAX,
				     self->second));
	EXPECT_EQ(0, t_destroy(self->fd, self->second));
	ASSERT_EQ(0, t_pasid_to(self->fd, self->stdev, PASIDS - 1, self->other));
	EXPECT_EQ(0, t_pasid_check(self->fd, self->stdev, PASIDS - 1,
				   self->other));
}

/* A device without PASIDs has one, 0, which is none. */
TEST_F(pasid, device_without)
{
	uint32_t stdev;

	ASSERT_EQ(0, t_mock(self->fd, self->first, &stdev, NULL, NULL));
	EXPECT_EQ(EINVAL, t_pasid_to(self->fd, stdev, 1, self->second));
	EXPECT_EQ(EINVAL, t_pasid_to(self->fd, stdev, PASID, self->second));
	EXPECT_EQ(0, t_pasid_check(self->fd, stdev, PASID, 0));
	EXPECT_EQ(0, t_destroy(self->fd, self->second));
}

TEST_F(pasid, already_attached)
{
	ASSERT_EQ(0, t_pasid_to(self->fd, self->stdev, PASID, self->second));
	EXPECT_EQ(EBUSY, t_pasid_to(self->fd, self->stdev, PASID, self->second));
	EXPECT_EQ(EBUSY, t_pasid_to(self->fd, self->stdev, PASID, self->first));
	EXPECT_EQ(EBUSY, t_pasid_to(self->fd, self->stdev, 0, self->first));
	EXPECT_EQ(0, t_pasid_check(self->fd, self->stdev, PASID,
				   self->second));
	/* Others are free. */
	EXPECT_EQ(0, t_pasid_to(self->fd, self->stdev, PASID + 1, self->second));
	EXPECT_EQ(0, t_pasid_detach(self->fd, self->stdev, PASID));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->second));
	EXPECT_EQ(0, t_pasid_detach(self->fd, self->stdev, PASID + 1));
	EXPECT_EQ(0, t_destroy(self->fd, self->second));
}

TEST_F(pasid, replace)
{
	uint32_t stdev = self->stdev;
	int fd = self->fd;

	EXPECT_EQ(EINVAL, t_pasid_move(fd, stdev, PASID, self->second));
	EXPECT_EQ(0, t_pasid_check(fd, stdev, PASID, 0));
	ASSERT_EQ(0, t_pasid_to(fd, stdev, PASID, self->second));
	ASSERT_EQ(0, t_pasid_move(fd, stdev, PASID, self->second));
	EXPECT_EQ(0, t_pasid_check(fd, stdev, PASID, self->second));
	/* To another address space and back */
	ASSERT_EQ(0, t_pasid_move(fd, stdev, PASID, self->other));
	EXPECT_EQ(0, t_pasid_check(fd, stdev, PASID, self->other));
	EXPECT_EQ(EBUSY, t_destroy(fd, self->other));
	EXPECT_EQ(0, t_destroy(fd, self->second));
	/* The page table that is attached without PASID, too */
	ASSERT_EQ(0, t_pasid_move(fd, stdev, PASID, self->first));
	EXPECT_EQ(0, t_destroy(fd, self->other));
	EXPECT_EQ(0, t_pasid_check(fd, stdev, PASID, self->first));
	EXPECT_EQ(0, t_pasid_check(fd, stdev, 0, self->first));
	ASSERT_EQ(0, t_pasid_detach(fd, stdev, PASID));
	EXPECT_EQ(0, t_pasid_check(fd, stdev, 0, self->first));
	EXPECT_EQ(EBUSY, t_destroy(fd, self->first));
}

/* The mock refuses every second page table for this one PASID. */
TEST_F(pasid, replace_fails_late)
{
	uint32_t stdev = self->stdev;
	int i, fd = self->fd;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, t_pasid_to(fd, stdev, TRAP, self->second));
		ASSERT_EQ(ENOMEM, t_pasid_move(fd, stdev, TRAP, self->other));
		EXPECT_EQ(0, t_pasid_check(fd, stdev, TRAP, self->second));
		EXPECT_EQ(EBUSY, t_destroy(fd, self->second));
		EXPECT_EQ(0, t_check_map(fd, self->second, T_BASE, LENGTH,
					 self->buf));
		ASSERT_EQ(0, t_pasid_move(fd, stdev, TRAP, self->other));
		EXPECT_EQ(0, t_pasid_check(fd, stdev, TRAP, self->other));
		/* By another one, but the same has nothing to fail. */
		ASSERT_EQ(ENOMEM, t_pasid_move(fd, stdev, TRAP, self->second));
		ASSERT_EQ(0, t_pasid_move(fd, stdev, TRAP, self->other));
		ASSERT_EQ(0, t_pasid_detach(fd, stdev, TRAP));
		EXPECT_EQ(0, t_pasid_check(fd, stdev, TRAP, 0));
	}
	/* The failed one was not referenced for good. */
	EXPECT_EQ(0, t_destroy(fd, self->other));
	EXPECT_EQ(0, t_destroy(fd, self->second));
}

/* Reserved regions are for DMA without PASID only. */
TEST_F(pasid, no_reserved_regions)
{
	uint32_t stdev, idev, pt;
	int fd = self->fd;

	ASSERT_EQ(0, t_mock_flags(fd, self->first,
				  MOCK_FLAGS_DEVICE_PASID |
				  MOCK_FLAGS_DEVICE_X_SW_MSI, &stdev, NULL,
				  &idev));
	ASSERT_EQ(EINVAL, t_map_at(fd, self->a, self->buf, T_PAGE,
				   MOCK_MSI_START));
	ASSERT_EQ(0, t_pasid_to(fd, stdev, PASID, self->other));
	EXPECT_EQ(0, t_map_at(fd, self->b, self->buf, T_PAGE, MOCK_MSI_START));
	/* So it cannot be attached there without. */
	pt = self->other;
	EXPECT_EQ(EADDRINUSE, t_mock_replace(fd, stdev, pt, NULL));
	EXPECT_EQ(0, t_pasid_check(fd, stdev, 0, self->first));
}

TEST_F(pasid, unwritable_answer)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_PASID_ATTACH,
		.id = self->stdev,
		.pasid_attach = { .pasid = PASID, .pt_id = self->second },
	};

	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_TEST_CMD,
				 t_readonly(&cmd, sizeof(cmd))));
	EXPECT_EQ(0, t_pasid_check(self->fd, self->stdev, PASID, 0));
	EXPECT_EQ(0, t_destroy(self->fd, self->second));
}

TEST_F(pasid, many)
{
	uint32_t i;

	for (i = 1; i <= 64; i++)
		ASSERT_EQ(0, t_pasid_to(self->fd, self->stdev, i * 9999,
					i % 2 ? self->second : self->other));
	for (i = 1; i <= 64; i++)
		ASSERT_EQ(0, t_pasid_move(self->fd, self->stdev, i * 9999,
					  self->first));
	EXPECT_EQ(0, t_destroy(self->fd, self->second));
	EXPECT_EQ(0, t_destroy(self->fd, self->other));
	/* Half of them; teardown closes the device with the others attached. */
	for (i = 1; i <= 64; i += 2)
		ASSERT_EQ(0, t_pasid_detach(self->fd, self->stdev, i * 9999));
	ASSERT_EQ(0, t_destroy(self->fd, self->stdev));
	EXPECT_EQ(0, t_destroy(self->fd, self->first));
}

TEST_F(pasid, close_while_attached)
{
	ASSERT_EQ(0, t_pasid_to(self->fd, self->stdev, PASID, self->second));
	ASSERT_EQ(0, t_pasid_to(self->fd, self->stdev, PASID + 1, self->other));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, LENGTH, 1));
	/* Teardown looks whether everything is gone. */
}

/* Against each other: attach, replace, detach of the same few PASIDs */

static void *attacher(void *arg)
{
	struct t_job *job = arg;
	uint32_t pts[] = { job->hwpt, job->other };

	while (!t_stopped(job)) {
		uint64_t r = t_random(&job->seed);
		uint32_t pt = pts[r & 1];
		/* None is 0, which would be the device without PASID. */
		uint32_t pasid = TRAP - 1 + (r >> 1) % 3;
		int err;

		switch ((r >> 8) % 3) {
		case 0:
			err = t_pasid_to(job->fd, job->ioas, pasid, pt);
			break;
		case 1:
			err = t_pasid_move(job->fd, job->ioas, pasid, pt);
			break;
		default:
			err = t_pasid_detach(job->fd, job->ioas, pasid);
			break;
		}
		switch (err) {
		case 0:
			job->done++;
			break;
		case EBUSY:
		case EINVAL:
		case ENOMEM:
			job->refused++;
			break;
		default:
			t_wrong(job, "PASID", err);
		}
	}
	return NULL;
}

TEST_F(pasid, race)
{
	const t_work_t work[] = { attacher, attacher, attacher };
	struct t_job jobs[ARRAY_SIZE(work)] = {};
	bool stop = false;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		jobs[i] = (struct t_job) {
			.fd = self->fd,
			.ioas = self->stdev,
			.hwpt = self->second,
			.other = self->other,
			.seed = 4711 + i,
			.stop = &stop,
		};
	t_run(_metadata, work, jobs, ARRAY_SIZE(jobs));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, t_pasid_detach(self->fd, self->stdev,
					    TRAP - 1 + i));
	EXPECT_EQ(0, t_destroy(self->fd, self->second));
	EXPECT_EQ(0, t_destroy(self->fd, self->other));
}

/* Two devices in one IOMMU group */

#define GROUP (MOCK_FLAGS_DEVICE_PASID | MOCK_FLAGS_DEVICE_X_GROUP)

FIXTURE(group)
{
	int fd;
	uint32_t a, b, stdev[2], idev[2], automatic;
	uint32_t first, second, other;
};

FIXTURE_SETUP(group)
{
	uint32_t hwpt;

	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->a));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->b));
	ASSERT_EQ(0, t_mock_flags(self->fd, self->a, GROUP, &self->stdev[0],
				  &self->automatic, &self->idev[0]));
	ASSERT_EQ(0, t_mock_flags(self->fd, self->a,
				  GROUP | MOCK_FLAGS_DEVICE_X_SW_MSI,
				  &self->stdev[1], &hwpt, &self->idev[1]));
	ASSERT_EQ(self->automatic, hwpt);
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev[0], self->a, HWPT_PASID,
				  &self->first));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev[0], self->a, HWPT_PASID,
				  &self->second));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev[0], self->b, HWPT_PASID,
				  &self->other));
}

FIXTURE_TEARDOWN(group)
{
	close(self->fd);
}

TEST_F(group, shares_one_attachment)
{
	int fd = self->fd;

	/* Another device may only join. */
	EXPECT_EQ(EINVAL, t_mock_flags(fd, self->b, GROUP, NULL, NULL, NULL));
	EXPECT_EQ(EINVAL, t_mock_flags(fd, self->first, GROUP, NULL, NULL,
				       NULL));
	EXPECT_EQ(0, t_mock_flags(fd, self->automatic, GROUP, NULL, NULL,
				  NULL));
	EXPECT_EQ(EBUSY, t_pasid_to(fd, self->stdev[1], 0, self->automatic));
	EXPECT_EQ(EBUSY, t_destroy(fd, self->automatic));
}

TEST_F(group, replace_moves_all)
{
	int fd = self->fd;
	uint32_t hwpt;

	EXPECT_EQ(EINVAL, t_usable(fd, self->a, MOCK_MSI_START));
	EXPECT_EQ(0, t_usable(fd, self->b, MOCK_MSI_START));
	ASSERT_EQ(0, t_mock_replace(fd, self->stdev[0], self->other, NULL));
	EXPECT_EQ(0, t_pasid_check(fd, self->stdev[1], 0, self->other));
	EXPECT_EQ(ENOENT, t_destroy(fd, self->automatic));
	/* With the regions of the one that did not ask */
	EXPECT_EQ(0, t_usable(fd, self->a, MOCK_MSI_START));
	EXPECT_EQ(EINVAL, t_usable(fd, self->b, MOCK_MSI_START));
	/* Both hold the new one. */
	ASSERT_EQ(0, t_destroy(fd, self->stdev[0]));
	EXPECT_EQ(EBUSY, t_destroy(fd, self->other));
	ASSERT_EQ(0, t_mock_replace(fd, self->stdev[1], self->a, &hwpt));
	EXPECT_EQ(0, t_destroy(fd, self->other));
}

TEST_F(group, failed_replace_moves_none)
{
	int fd = self->fd;

	/* Where the one that does not ask has its window */
	ASSERT_EQ(0, t_map_at(fd, self->b, t_page(), T_PAGE,
			      MOCK_MSI_START));
	EXPECT_EQ(EADDRINUSE, t_mock_replace(fd, self->stdev[0], self->other,
					     NULL));
	EXPECT_EQ(EADDRINUSE, t_mock_replace(fd, self->stdev[1], self->other,
					     NULL));
	EXPECT_EQ(0, t_pasid_check(fd, self->stdev[0], 0, self->automatic));
	EXPECT_EQ(EINVAL, t_usable(fd, self->a, MOCK_MSI_START));
	EXPECT_EQ(0, t_destroy(fd, self->other));
}

TEST_F(group, leaves_one_by_one)
{
	int fd = self->fd;

	ASSERT_EQ(0, t_pasid_detach(fd, self->stdev[1], 0));
	/* The group's attachment stays, but the device has no part in it. */
	EXPECT_EQ(0, t_pasid_check(fd, self->stdev[1], 0, self->automatic));
	EXPECT_EQ(EINVAL, t_mock_replace(fd, self->stdev[1], self->b, NULL));
	ASSERT_EQ(0, t_pasid_to(fd, self->stdev[1], 0, self->automatic));
	/* The one that made the attachment; the other has it then. */
	ASSERT_EQ(0, t_destroy(fd, self->stdev[0]));
	EXPECT_EQ(0, t_pasid_check(fd, self->stdev[1], 0, self->automatic));
	EXPECT_EQ(EBUSY, t_destroy(fd, self->automatic));
	ASSERT_EQ(0, t_mock_replace(fd, self->stdev[1], self->first, NULL));
	EXPECT_EQ(ENOENT, t_destroy(fd, self->automatic));
	ASSERT_EQ(0, t_destroy(fd, self->stdev[1]));
	EXPECT_EQ(0, t_destroy(fd, self->first));
	EXPECT_EQ(0, t_destroy(fd, self->second));
	EXPECT_EQ(0, t_usable(fd, self->a, MOCK_MSI_START));
}

TEST_F(group, pasids)
{
	int fd = self->fd;

	/* What is attached without PASID counts for the whole group. */
	EXPECT_EQ(EINVAL, t_pasid_to(fd, self->stdev[1], PASID, self->second));
	ASSERT_EQ(0, t_mock_replace(fd, self->stdev[0], self->first, NULL));
	ASSERT_EQ(0, t_pasid_to(fd, self->stdev[1], PASID, self->second));
	EXPECT_EQ(EINVAL, t_mock_replace(fd, self->stdev[0], self->a, NULL));
	/* The PASID is the group's: the same or none. */
	EXPECT_EQ(EINVAL, t_pasid_to(fd, self->stdev[0], PASID, self->other));
	EXPECT_EQ(EINVAL, t_pasid_move(fd, self->stdev[0], PASID, self->other));
	ASSERT_EQ(0, t_pasid_to(fd, self->stdev[0], PASID, self->second));
	ASSERT_EQ(0, t_pasid_move(fd, self->stdev[0], PASID, self->other));
	EXPECT_EQ(0, t_pasid_check(fd, self->stdev[1], PASID, self->other));
	EXPECT_EQ(0, t_destroy(fd, self->second));
	/* The one that made it leaves, the other stays. */
	ASSERT_EQ(0, t_pasid_detach(fd, self->stdev[0], PASID));
	EXPECT_EQ(0, t_pasid_check(fd, self->stdev[1], PASID, self->other));
	EXPECT_EQ(EBUSY, t_destroy(fd, self->other));
	ASSERT_EQ(0, t_pasid_detach(fd, self->stdev[0], PASID));
	EXPECT_EQ(0, t_pasid_check(fd, self->stdev[1], PASID, self->other));
	ASSERT_EQ(0, t_destroy(fd, self->stdev[1]));
	EXPECT_EQ(0, t_pasid_check(fd, self->stdev[0], PASID, 0));
	EXPECT_EQ(0, t_destroy(fd, self->other));
}

TEST_F(group, close_while_attached)
{
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev[1], self->first,
				    NULL));
	ASSERT_EQ(0, t_pasid_to(self->fd, self->stdev[1], PASID, self->second));
	ASSERT_EQ(0, t_pasid_to(self->fd, self->stdev[0], PASID, self->second));
	ASSERT_EQ(0, t_pasid_to(self->fd, self->stdev[0], PASID + 1, self->other));
}

TEST_HARNESS_MAIN
