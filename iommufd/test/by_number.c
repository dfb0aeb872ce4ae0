// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: addresses by number
 *
 * A fuzzer finds no mapping by guessing addresses. With MOCK_FLAGS_ACCESS_SYZ
 * an IOVA is two numbers instead: the lower half says the number of an area, in
 * ascending order from 0, the upper half an offset that is added to its start.
 * Without so many areas it is IOVA 0.
 *
 * The table of areas is read here as it lies: the space room has no verb that
 * only tests would need. By the time the address is used it may have changed.
 */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/rwsem.h>

#include "iommufd_test.h"
#include "object/access.h"
#include "object/ioas.h"
#include "test/mock.h"
#include "test/test.h"

/* The address that a pair of numbers stands for. */
static u64 find_area(struct iofd_aspace *aspace, u64 numbers)
{
	const struct iofd_range all = { 0, ULONG_MAX };
	u32 n = lower_32_bits(numbers);
	struct iofd_iova_node *node;
	u64 iova = 0;

	down_read(&aspace->iova_rwsem);
	node = iofd_iova_used_first(&aspace->iova, all);
	while (node && n--)
		node = iofd_iova_used_next(node, all);
	if (node)
		iova = node->range.first + upper_32_bits(numbers);
	up_read(&aspace->iova_rwsem);
	return iova;
}

/**
 * mock_access_by_number - the address in an access's IOAS
 * @access: access
 * @numbers: the two numbers
 *
 * Return: IOVA; 0 if there is no such area, or the access is not attached.
 */
u64 mock_access_by_number(struct iommufd_access *access, u64 numbers)
{
	guard(rwsem_read)(&access->lock);
	return access->ioas ? find_area(&access->ioas->aspace, numbers) : 0;
}

/**
 * iofd_test_copy_ioctl - IOMMU_IOAS_COPY with a flag more
 * @ucmd: ioctl
 *
 * Return: as ioas_copy_ioctl(), which does everything but the flag.
 */
int iofd_test_copy_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_ioas_copy *cmd = ucmd->cmd;
	struct iofd_ioas *ioas;

	if (cmd->flags & MOCK_FLAGS_ACCESS_SYZ) {
		ioas = iofd_ioas_borrow(ucmd->ctx, cmd->src_ioas_id);
		if (IS_ERR(ioas))
			return PTR_ERR(ioas);
		cmd->src_iova = find_area(&ioas->aspace, cmd->src_iova);
		cmd->flags &= ~MOCK_FLAGS_ACCESS_SYZ;
		iofd_ioas_return(ioas);
	}
	return ioas_copy_ioctl(ucmd);
}
