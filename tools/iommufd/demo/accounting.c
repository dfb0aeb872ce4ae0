// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two programs of one user, each with a device and a limit of its own for
 * memory that devices can reach, as two virtual machines would be.
 *
 * The demo is the privileged one that opens /dev/iommu for them, says how memory
 * is to be counted, and hands over. The programs are children without
 * privileges; each does one thing: map a piece of its memory when it is told to.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/iommufd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accounting.h"
#include "iommu.h"
#include "memory.h"
#include "report.h"

#define PROGRAMS	2
#define USER		4242
#define LIMIT		(2 * MIB)
#define IOVA		0x01000000ull

enum { COUNT_BY_USER, COUNT_BY_PROCESS };

struct program {
	struct vfio_device *dev;
	int iommufd;
	__u32 ioas;
	pid_t pid;
	int order, answer;	/* pipes: length to map, 0: end; errno */
};

/*
 * The life of a program. It has been forked from a process with threads, so it
 * does nothing but system calls.
 */
static void live(const struct program *program, int order, int answer)
{
	struct rlimit limit = { LIMIT, LIMIT };
	size_t mapped = 0, length;
	unsigned char *va;
	int err;

	va = mmap(NULL, 2 * LIMIT, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (va == MAP_FAILED || setrlimit(RLIMIT_MEMLOCK, &limit) ||
	    setresgid(USER, USER, USER) || setresuid(USER, USER, USER))
		_exit(1);
	while (read(order, &length, sizeof(length)) == sizeof(length) &&
	       length) {
		err = iommu_map_at(program->iommufd, program->ioas, va + mapped,
				   length, IOVA + mapped,
				   DEVICE_READS | DEVICE_WRITES) ? errno : 0;
		if (!err)
			mapped += length;
		if (write(answer, &err, sizeof(err)) != sizeof(err))
			break;
	}
	_exit(0);
}

static int run_program(struct program *program)
{
	int order[2], answer[2];

	if (pipe(order) || pipe(answer))
		return failed_errno("no pipe");
	program->pid = fork();
	if (program->pid < 0)
		return failed_errno("cannot start a program");
	if (!program->pid) {
		close(order[1]);
		close(answer[0]);
		live(program, order[0], answer[1]);
	}
	close(order[0]);
	close(answer[1]);
	program->order = order[1];
	program->answer = answer[0];
	return 0;
}

/* A program maps @length bytes more; @err is what it was told. */
static int have_mapped(struct program *program, size_t length, int *err)
{
	if (write(program->order, &length, sizeof(length)) != sizeof(length) ||
	    read(program->answer, err, sizeof(*err)) != sizeof(*err))
		return failed("a program has gone");
	return 0;
}

static int set_mode(int iommufd, __u64 mode)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = IOMMU_X_OPTION_ACCOUNT_MODE,
		.op = IOMMU_OPTION_OP_SET,
		.val64 = mode,
	};

	return ioctl(iommufd, IOMMU_OPTION, &cmd);
}

/* KiB that are charged through a file now, or -1. */
static long charged_kib(int iommufd)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = IOMMU_X_OPTION_PINNED,
		.op = IOMMU_OPTION_OP_GET,
	};

	return ioctl(iommufd, IOMMU_OPTION, &cmd) ? -1 :
						    (long)(cmd.val64 / KIB);
}

static int prepare(struct program *program, struct vfio_device *dev, int mode)
{
	__u32 pt_id;

	program->dev = dev;
	program->iommufd = iommu_open();
	if (program->iommufd < 0)
		return failed_errno("cannot open /dev/iommu");
	if (set_mode(program->iommufd, mode))
		return failed_errno("cannot say how memory is counted");
	if (iommu_ioas_alloc(program->iommufd, &program->ioas))
		return failed_errno("no I/O address space");
	if (vfio_open(dev, program->iommufd))
		return -1;
	pt_id = program->ioas;
	if (vfio_attach(dev, &pt_id))
		return failed_errno("cannot attach %s", dev->bdf);
	return run_program(program);
}

static int end(struct program *program)
{
	const size_t none = 0;
	int status;

	if (write(program->order, &none, sizeof(none)) != sizeof(none))
		return failed("a program has gone");
	close(program->order);
	close(program->answer);
	if (waitpid(program->pid, &status, 0) != program->pid || status)
		return failed("a program ended with status %d", status);
	vfio_close(program->dev);
	close(program->iommufd);
	return 0;
}

/* One after the other maps as much as its limit allows. */
static int both_map(struct program *program, const int *expected)
{
	int err, i;

	for (i = 0; i < PROGRAMS; i++) {
		if (have_mapped(&program[i], LIMIT, &err))
			return -1;
		if (err != expected[i])
			return failed("program %d maps 2 MiB: %s", i + 1,
				      err ? strerror(err) : "it was not refused");
		note("program %d, limit %lu KiB, maps %lu KiB: %s; it is charged %ld KiB",
		     i + 1, LIMIT / KIB, LIMIT / KIB,
		     err ? strerror(err) : "done",
		     charged_kib(program[i].iommufd));
	}
	return 0;
}

static int by_user(struct program *program)
{
	static const int expected[PROGRAMS] = { 0, ENOMEM };

	if (both_map(program, expected))
		return -1;
	if (charged_kib(program[1].iommufd))
		return failed("something of a map that was refused is charged");
	proved("counted per user, the second is refused: the first has used up the limit");
	return 0;
}

static int by_process(struct program *program)
{
	static const int expected[PROGRAMS];
	long before, after;
	int err;

	if (both_map(program, expected))
		return -1;
	proved("counted per process, both have what they may have");

	before = charged_kib(program[0].iommufd);
	if (have_mapped(&program[0], 64 * KIB, &err))
		return -1;
	after = charged_kib(program[0].iommufd);
	if (err != ENOMEM || before != after)
		return failed("64 KiB beyond the limit: %s, %ld KiB charged",
			      err ? strerror(err) : "not refused", after);
	if (charged_kib(program[1].iommufd) != (long)(LIMIT / KIB))
		return failed("the other program's memory has changed");
	proved("the one that maps 64 KiB more is refused, alone; it still has %ld KiB",
	       after);
	return 0;
}

int accounting_show(struct vfio_device *first, struct vfio_device *second)
{
	static int (*const show[])(struct program *program) = {
		[COUNT_BY_USER] = by_user,
		[COUNT_BY_PROCESS] = by_process,
	};
	struct program program[PROGRAMS];
	int mode;

	for (mode = COUNT_BY_USER; mode <= COUNT_BY_PROCESS; mode++) {
		if (prepare(&program[0], first, mode) ||
		    prepare(&program[1], second, mode) ||
		    show[mode](program) || end(&program[0]) || end(&program[1]))
			return -1;
	}
	return 0;
}
