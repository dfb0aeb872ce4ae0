// SPDX-License-Identifier: GPL-2.0-only
/*
 * The demo of /dev/iommu: two PCI devices, QEMU's edu and an NVMe disk, are
 * driven from this process, and the IOMMU lets them reach what the process
 * mapped for them and nothing else. A third one, ivshmem, has memory of its own
 * for them to reach.
 *
 * Exit status: 0 if every step held, else 1.
 */
#include <stdio.h>
#include <stdlib.h>

#include "report.h"
#include "steps.h"

int main(void)
{
	static struct demo demo;
	unsigned int i;
	int ret = 0;

	printf("iommufd demo: two PCI devices driven from user space through /dev/iommu\n");
	report_init(demo_step_count);
	for (i = 0; i < demo_step_count && !ret; i++) {
		step_begin(demo_steps[i].title);
		ret = demo_steps[i].run(&demo);
		step_end(!ret);
	}
	return report_table() ? EXIT_SUCCESS : EXIT_FAILURE;
}
