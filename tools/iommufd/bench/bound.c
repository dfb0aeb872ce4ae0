// SPDX-License-Identifier: GPL-2.0-only
/* The lower bound, and the in-kernel user: both by the benchmark's module. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "measure.h"
#include "module/iofd_bench.h"
#include "space.h"

static bool folios;

static int do_map(struct space *s, __u64 from, int fd, size_t length,
		  __u64 iova)
{
	struct iofd_bench_map cmd = {
		.from = from,
		.length = length,
		.iova = iova,
		.fd = fd,
		.flags = (fd >= 0 ? IOFD_BENCH_FILE : 0) |
			 (folios ? IOFD_BENCH_FOLIOS : 0),
	};

	return ioctl(s->fd, IOFD_BENCH_MAP, &cmd) ? errno : 0;
}

static int map(struct space *s, void *va, size_t length, __u64 iova)
{
	return do_map(s, (uintptr_t)va, -1, length, iova);
}

static int map_file(struct space *s, int fd, __u64 start, size_t length,
		    __u64 iova)
{
	return do_map(s, start, fd, length, iova);
}

static int unmap(struct space *s, __u64 iova, size_t length)
{
	struct iofd_bench_map cmd = { .length = length, .iova = iova };

	return ioctl(s->fd, IOFD_BENCH_UNMAP, &cmd) ? errno : 0;
}

static const struct space_ops pages_ops = {
	.name = "bound by pages",
	.one_at_a_time = true,
	.map = map,
	.unmap = unmap,
};

static const struct space_ops folio_ops = {
	.name = "bound by folios",
	.one_at_a_time = true,
	.map = map,
	.unmap = unmap,
	.map_file = map_file,
};

void bound_begin(struct bound *b, bool whole_folios)
{
	folios = whole_folios;
	b->space.ops = folios ? &folio_ops : &pages_ops;
	b->space.fd = open("/dev/iofd-bench", O_RDWR | O_CLOEXEC);
	if (b->space.fd < 0)
		die("can't open /dev/iofd-bench");
}

void bound_end(struct bound *b)
{
	close(b->space.fd);
}

int access_measure(struct space *s, __u64 iova, size_t length, __u64 *pin,
		   __u64 *unpin)
{
	struct iofd_bench_access cmd = {
		.iommufd = s->fd,
		.ioas_id = s->ioas_id,
		.iova = iova,
		.length = length,
	};
	int fd = open("/dev/iofd-bench", O_RDWR | O_CLOEXEC), error = 0;

	if (fd < 0)
		return errno;
	if (ioctl(fd, IOFD_BENCH_ACCESS, &cmd))
		error = errno;
	close(fd);
	*pin = cmd.pin;
	*unpin = cmd.unpin;
	return error;
}
