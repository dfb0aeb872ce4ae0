/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory whose pages come when the test wants it (userfaultfd): whoever touches
 * it is held up until then, in the kernel too.
 */
#ifndef SELFTESTS_IOMMUFD_SLOW_H
#define SELFTESTS_IOMMUFD_SLOW_H

#include <linux/userfaultfd.h>
#include <poll.h>

#include "util.h"

struct slow {
	int uffd;
	char *va;
	size_t length;
};

/* No userfaultfd, as against one that does not work */
#define SLOW_ABSENT 255

static inline int slow_init(struct slow *slow, size_t length)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	slow->length = length;
	slow->uffd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (slow->uffd < 0)
		return SLOW_ABSENT;
	slow->va = mmap(NULL, length, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (slow->va == MAP_FAILED)
		return errno;
	madvise(slow->va, length, MADV_NOHUGEPAGE);
	reg.range.start = (uintptr_t)slow->va;
	reg.range.len = length;
	if (ioctl(slow->uffd, UFFDIO_API, &api) ||
	    ioctl(slow->uffd, UFFDIO_REGISTER, &reg))
		return errno;
	return 0;
}

/* Waits until somebody wants a page. */
static inline bool slow_wanted(struct slow *slow)
{
	struct pollfd p = { .fd = slow->uffd, .events = POLLIN };
	struct uffd_msg msg;

	return poll(&p, 1, 30000) == 1 &&
	       read(slow->uffd, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.event == UFFD_EVENT_PAGEFAULT;
}

/* All of it is there from now on. */
static inline bool slow_come(struct slow *slow)
{
	struct uffdio_zeropage zero = {
		.range = { (uintptr_t)slow->va, slow->length },
	};

	return !ioctl(slow->uffd, UFFDIO_ZEROPAGE, &zero);
}

#endif
