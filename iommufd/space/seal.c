// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: formats that can be sealed
 *
 * Which format a page table has its driver does not say, but the reader of dirty
 * bits in its operations belongs to one format.
 *
 * Lock: formats_rwsem, a leaf; formats come and go with the driver of this
 * module's mock IOMMU, when no page table exists.
 */
#include <linux/kconfig.h>
#include <linux/rwsem.h>

#include "space/seal.h"

static DECLARE_RWSEM(formats_rwsem);
static LIST_HEAD(formats);

/**
 * iofd_seal_register - make a format known besides those of real hardware
 * @format: format; to be taken back with iofd_seal_unregister()
 */
void iofd_seal_register(struct iofd_seal_format *format)
{
	down_write(&formats_rwsem);
	list_add(&format->link, &formats);
	up_write(&formats_rwsem);
}

/**
 * iofd_seal_unregister - undo iofd_seal_register()
 * @format: format of which no page table exists any more
 */
void iofd_seal_unregister(struct iofd_seal_format *format)
{
	down_write(&formats_rwsem);
	list_del(&format->link);
	up_write(&formats_rwsem);
}

static const struct iofd_seal_format *real_format(struct iommu_domain *domain)
{
	static const struct iofd_seal_format *const known[] = {
#if IS_REACHABLE(CONFIG_IOMMU_PT_AMDV1)
		&iofd_seal_amdv1,
#endif
#if IS_REACHABLE(CONFIG_IOMMU_PT_VTDSS)
		&iofd_seal_vtdss,
#endif
		NULL
	};
	const struct iofd_seal_format *const *format = known;

	while (*format && (*format)->driver_read !=
				  domain->dirty_ops->read_and_clear_dirty)
		format++;
	return *format;
}

/**
 * iofd_seal_format_of - the format of a page table
 * @domain: domain with dirty_ops
 *
 * Return: the format; NULL if it is none that can be sealed.
 */
const struct iofd_seal_format *iofd_seal_format_of(struct iommu_domain *domain)
{
	const struct iofd_seal_format *format = real_format(domain), *pos;

	if (format)
		return format;
	down_read(&formats_rwsem);
	list_for_each_entry(pos, &formats, link) {
		if (pos->driver_read ==
		    domain->dirty_ops->read_and_clear_dirty) {
			format = pos;
			break;
		}
	}
	up_read(&formats_rwsem);
	return format;
}
