// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: page requests of mock devices
 *
 * A device may ask for pages while at least one domain with a fault handler is
 * attached to it.  It counts what it asks for and the answers it is given, so a
 * test can tell whether each group got exactly one.
 *
 * Hardware stops the requests of a device and waits for those on their way
 * before its domain is switched.  The mock's requests are made by an ioctl,
 * which the group's lock keeps apart from attach, replace and detach.
 */
#include <linux/err.h>
#include <linux/iommu.h>

#include "device/device.h"
#include "iommufd_test.h"
#include "test/mock.h"

static struct iopf_queue *mock_iopf_queue;

/**
 * mock_iopf_attach - a domain takes the place of another on a device
 * @dev: mock device
 * @domain: the new one
 * @old: the one before, or NULL
 *
 * For RID and PASIDs alike, to be called when nothing else can fail any more.
 *
 * Return: 0; -ENOMEM, then nothing has changed.
 */
int mock_iopf_attach(struct device *dev, struct iommu_domain *domain,
		     struct iommu_domain *old)
{
	struct mock_iopf *iopf = &mock_device_of(dev)->iopf;
	int rc;

	if (domain->iopf_handler) {
		if (!iopf->domains) {
			rc = iopf_queue_add_device(mock_iopf_queue, dev);
			if (rc)
				return rc;
		}
		iopf->domains++;
	}
	if (old && old->iopf_handler) {
		iopf->domains--;
		if (!iopf->domains)
			iopf_queue_remove_device(mock_iopf_queue, dev);
	}
	return 0;
}

/**
 * mock_iopf_response - the device is answered
 * @dev: mock device
 * @evt: last request of the group
 * @msg: answer
 */
void mock_iopf_response(struct device *dev, struct iopf_fault *evt,
			struct iommu_page_response *msg)
{
	struct mock_iopf *iopf = &mock_device_of(dev)->iopf;

	/* Refused one by one where nobody handles them: no answer to a group */
	if (!(evt->fault.prm.flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE))
		return;
	if (!WARN_ON(msg->code >= MOCK_IOPF_ANSWERS))
		atomic_inc(&iopf->answers[msg->code]);
}

static struct iommufd_device *borrow_mock(struct iofd_ucmd *ucmd, u32 id)
{
	struct iommufd_device *idev = iofd_device_borrow(ucmd->ctx, id);

	if (IS_ERR(idev) || mock_iommu_has_device(idev->dev))
		return idev;
	iofd_device_return(idev);
	return ERR_PTR(-EINVAL);
}

/* IOMMU_TEST_OP_TRIGGER_IOPF, IOMMU_TEST_OP_X_TRIGGER_PARTIAL_IOPF */
int mock_iopf_trigger_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct iopf_fault evt = {
		.fault = {
			.type = IOMMU_FAULT_PAGE_REQ,
			.prm = {
				.pasid = cmd->trigger_iopf.pasid,
				.grpid = cmd->trigger_iopf.grpid,
				.perm = cmd->trigger_iopf.perm,
				.addr = cmd->trigger_iopf.addr,
			},
		},
	};
	struct iommufd_device *idev;

	idev = borrow_mock(ucmd, cmd->trigger_iopf.dev_id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	if (cmd->trigger_iopf.pasid != IOMMU_NO_PASID)
		evt.fault.prm.flags |= IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;
	if (cmd->op == IOMMU_TEST_OP_TRIGGER_IOPF) {
		evt.fault.prm.flags |= IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
		atomic_inc(&mock_device_of(idev->dev)->iopf.groups);
	}
	/* Whoever does not handle it answers it: hardware sees no difference. */
	scoped_guard(mutex, &idev->igroup->lock)
		iommu_report_device_fault(idev->dev, &evt);
	iofd_device_return(idev);
	return 0;
}

/* IOMMU_TEST_OP_X_IOPF_COUNTS */
int mock_iopf_counts_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct iommufd_device *idev;
	struct mock_iopf *iopf;

	idev = borrow_mock(ucmd, cmd->id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	iopf = &mock_device_of(idev->dev)->iopf;
	cmd->iopf_counts.out_groups = atomic_read(&iopf->groups);
	cmd->iopf_counts.out_success =
		atomic_read(&iopf->answers[IOMMU_PAGE_RESP_SUCCESS]);
	cmd->iopf_counts.out_invalid =
		atomic_read(&iopf->answers[IOMMU_PAGE_RESP_INVALID]);
	cmd->iopf_counts.out_failure =
		atomic_read(&iopf->answers[IOMMU_PAGE_RESP_FAILURE]);
	iofd_device_return(idev);
	return iofd_ucmd_respond(ucmd, sizeof(*cmd));
}

int __init mock_iopf_init(void)
{
	mock_iopf_queue = iopf_queue_alloc("iommufd_mock");
	return mock_iopf_queue ? 0 : -ENOMEM;
}

void mock_iopf_exit(void)
{
	iopf_queue_free(mock_iopf_queue);
}
