// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching devices, and PASIDs, to nested page tables: what is said of an
 * address space is then about that of the parent.
 */
#include "pt.h"

#define PASID 100
#define TRAP IOMMU_TEST_PASID_RESERVED
#define DEVICE (MOCK_FLAGS_DEVICE_PASID | MOCK_FLAGS_DEVICE_X_SW_MSI)
#define PARENT (IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_PASID)

FIXTURE(attach_nested)
{
	int fd;
	uint32_t a, b, stdev, idev, automatic;
	uint32_t parent, other_parent;
	/* Two for PASIDs and one not on the one parent, one on the other */
	uint32_t first, second, plain, other;
};

FIXTURE_SETUP(attach_nested)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->a));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->b));
	ASSERT_EQ(0, t_mock_flags(self->fd, self->b, DEVICE, &self->stdev,
				  &self->automatic, &self->idev));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->a, PARENT,
				  &self->parent));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->b, PARENT,
				  &self->other_parent));
	ASSERT_EQ(0, t_nested(self->fd, self->idev, self->parent,
			      IOMMU_HWPT_ALLOC_PASID, 0, &self->first));
	ASSERT_EQ(0, t_nested(self->fd, self->idev, self->parent,
			      IOMMU_HWPT_ALLOC_PASID, 0, &self->second));
	ASSERT_EQ(0, t_nested(self->fd, self->idev, self->parent, 0, 0,
			      &self->plain));
	ASSERT_EQ(0, t_nested(self->fd, self->idev, self->other_parent,
			      IOMMU_HWPT_ALLOC_PASID, 0, &self->other));
}

FIXTURE_TEARDOWN(attach_nested)
{
	close(self->fd);
}

TEST_F(attach_nested, attach_detach)
{
	uint32_t stdev, hwpt;
	int fd = self->fd;

	EXPECT_EQ(0, t_usable(fd, self->a, MOCK_MSI_START));
	ASSERT_EQ(0, t_mock_flags(fd, self->plain, DEVICE, &stdev, &hwpt,
				  NULL));
	EXPECT_EQ(self->plain, hwpt);
	EXPECT_EQ(0, t_pasid_check(fd, stdev, 0, self->plain));
	EXPECT_EQ(EINVAL, t_pasid_check(fd, stdev, 0, self->parent));
	/* Its reserved regions are in the parent's address space. */
	EXPECT_EQ(EINVAL, t_usable(fd, self->a, MOCK_MSI_START));
	EXPECT_EQ(EBUSY, t_destroy(fd, self->plain));
	EXPECT_EQ(EBUSY, t_pasid_to(fd, stdev, 0, self->plain));
	ASSERT_EQ(0, t_pasid_detach(fd, stdev, 0));
	EXPECT_EQ(0, t_pasid_check(fd, stdev, 0, 0));
	EXPECT_EQ(0, t_destroy(fd, self->plain));
}

TEST_F(attach_nested, conflict)
{
	int fd = self->fd;

	ASSERT_EQ(0, t_map_at(fd, self->a, t_page(), T_PAGE, MOCK_MSI_START));
	EXPECT_EQ(EADDRINUSE, t_mock_flags(fd, self->plain, DEVICE, NULL, NULL,
					   NULL));
	EXPECT_EQ(EADDRINUSE, t_mock_replace(fd, self->stdev, self->plain,
					     NULL));
	EXPECT_EQ(0, t_pasid_check(fd, self->stdev, 0, self->automatic));
	EXPECT_EQ(EINVAL, t_usable(fd, self->b, MOCK_MSI_START));
	/* Nothing refers to it for the tries. */
	EXPECT_EQ(0, t_destroy(fd, self->plain));
}

TEST_F(attach_nested, replace)
{
	uint32_t stdev = self->stdev, hwpt;
	int fd = self->fd;

	/* From an automatic one, which goes */
	ASSERT_EQ(0, t_mock_replace(fd, stdev, self->first, &hwpt));
	EXPECT_EQ(self->first, hwpt);
	EXPECT_EQ(ENOENT, t_destroy(fd, self->automatic));
	EXPECT_EQ(0, t_usable(fd, self->b, MOCK_MSI_START));
	EXPECT_EQ(EINVAL, t_usable(fd, self->a, MOCK_MSI_START));
	/* On the same parent, and by the same */
	ASSERT_EQ(0, t_mock_replace(fd, stdev, self->second, NULL));
	ASSERT_EQ(0, t_mock_replace(fd, stdev, self->second, NULL));
	EXPECT_EQ(0, t_destroy(fd, self->first));
	EXPECT_EQ(EINVAL, t_usable(fd, self->a, MOCK_MSI_START));
	/* Onto the parent itself, and back */
	ASSERT_EQ(0, t_mock_replace(fd, stdev, self->parent, NULL));
	EXPECT_EQ(EINVAL, t_usable(fd, self->a, MOCK_MSI_START));
	ASSERT_EQ(0, t_mock_replace(fd, stdev, self->second, NULL));
	/* On another */
	ASSERT_EQ(0, t_mock_replace(fd, stdev, self->other, NULL));
	EXPECT_EQ(0, t_destroy(fd, self->second));
	EXPECT_EQ(EINVAL, t_usable(fd, self->b, MOCK_MSI_START));
	/* An address space stands for an automatic one, as ever. */
	ASSERT_EQ(0, t_mock_replace(fd, stdev, self->b, &hwpt));
	EXPECT_NE(self->other_parent, hwpt);
	EXPECT_EQ(0, t_destroy(fd, self->other));
	EXPECT_EQ(0, t_destroy(fd, self->other_parent));
	EXPECT_EQ(EINVAL, t_usable(fd, self->b, MOCK_MSI_START));
}

TEST_F(attach_nested, pasid)
{
	uint32_t stdev = self->stdev;
	int fd = self->fd;

	ASSERT_EQ(0, t_mock_replace(fd, stdev, self->first, NULL));
	EXPECT_EQ(EINVAL, t_pasid_to(fd, stdev, PASID, self->plain));
	ASSERT_EQ(0, t_pasid_to(fd, stdev, PASID, self->second));
	EXPECT_EQ(0, t_pasid_check(fd, stdev, PASID, self->second));
	EXPECT_EQ(EBUSY, t_destroy(fd, self->second));
	EXPECT_EQ(EINVAL, t_mock_replace(fd, stdev, self->plain, NULL));
	EXPECT_EQ(EINVAL, t_pasid_move(fd, stdev, PASID, self->plain));
	ASSERT_EQ(0, t_pasid_move(fd, stdev, PASID, self->parent));
	ASSERT_EQ(0, t_pasid_move(fd, stdev, PASID, self->other));
	EXPECT_EQ(0, t_pasid_check(fd, stdev, PASID, self->other));
	EXPECT_EQ(0, t_destroy(fd, self->second));
	/* A PASID reserves nothing. */
	EXPECT_EQ(EINVAL, t_usable(fd, self->a, MOCK_MSI_START));
	EXPECT_EQ(0, t_usable(fd, self->b, MOCK_MSI_START));
	ASSERT_EQ(0, t_pasid_detach(fd, stdev, PASID));
	EXPECT_EQ(0, t_destroy(fd, self->other));
	/* Not while it is attached without PASID */
	ASSERT_EQ(0, t_mock_replace(fd, stdev, self->plain, NULL));
	EXPECT_EQ(EINVAL, t_pasid_to(fd, stdev, PASID, self->first));
}

TEST_F(attach_nested, replace_fails_late)
{
	uint32_t stdev = self->stdev;
	int fd = self->fd;

	ASSERT_EQ(0, t_mock_replace(fd, stdev, self->first, NULL));
	ASSERT_EQ(0, t_pasid_to(fd, stdev, TRAP, self->second));
	ASSERT_EQ(ENOMEM, t_pasid_move(fd, stdev, TRAP, self->other));
	EXPECT_EQ(0, t_pasid_check(fd, stdev, TRAP, self->second));
	EXPECT_EQ(EBUSY, t_destroy(fd, self->second));
	EXPECT_EQ(0, t_destroy(fd, self->other));
	ASSERT_EQ(0, t_pasid_move(fd, stdev, TRAP, self->first));
	EXPECT_EQ(0, t_destroy(fd, self->second));
}

/* MSIs go through the parent. */
TEST_F(attach_nested, sw_msi)
{
	uint64_t first, second;
	int fd = self->fd;

	ASSERT_EQ(0, t_mock_replace(fd, self->stdev, self->first, NULL));
	ASSERT_EQ(0, t_msi(fd, self->idev, 0xfee01040, &first));
	EXPECT_EQ(0, t_check_phys(fd, self->parent, first, 0xfee01000));
	ASSERT_EQ(0, t_mock_replace(fd, self->stdev, self->other, NULL));
	EXPECT_EQ(0, t_check_phys(fd, self->other_parent, first, 0xfee01000));
	ASSERT_EQ(0, t_msi(fd, self->idev, 0xfee02040, &second));
	EXPECT_EQ(0, t_check_phys(fd, self->other_parent, second, 0xfee02000));
	EXPECT_EQ(0, t_check_phys(fd, self->parent, second, 0));
	ASSERT_EQ(0, t_mock_replace(fd, self->stdev, self->plain, NULL));
	EXPECT_EQ(0, t_check_phys(fd, self->parent, second, 0xfee02000));
}

TEST_F(attach_nested, close_while_attached)
{
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->first, NULL));
	ASSERT_EQ(0, t_pasid_to(self->fd, self->stdev, PASID, self->second));
	ASSERT_EQ(0, t_pasid_to(self->fd, self->stdev, PASID + 1, self->other));
}

TEST_HARNESS_MAIN
