// SPDX-License-Identifier: GPL-2.0-only
/*
 * handover: what a manager of virtual machines does for one of them.
 *
 *   handover <mode> <uid> <KiB> <path>=<fd>... -- <program> [arguments...]
 *
 * Opens each path for reading and writing as file descriptor <fd>, sets the
 * accounting mode of those that are /dev/iommu (user, process, fd; "-" leaves
 * it), sets RLIMIT_MEMLOCK, gives up every privilege for user and group <uid>,
 * and becomes the program. The program can open none of these by itself, which
 * is seen to before it starts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/iommufd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *const modes[] = { "user", "process", "fd", NULL };

static void set_mode(int fd, const char *name)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = IOMMU_X_OPTION_ACCOUNT_MODE,
		.op = IOMMU_OPTION_OP_SET,
	};

	while (modes[cmd.val64] && strcmp(modes[cmd.val64], name))
		cmd.val64++;
	if (!modes[cmd.val64])
		error(1, 0, "there is no accounting mode '%s'", name);
	if (ioctl(fd, IOMMU_OPTION, &cmd))
		error(1, errno, "cannot set the accounting mode '%s'", name);
}

/* Split "path=fd" in place. */
static int split(char *arg)
{
	char *equals = strrchr(arg, '=');

	if (!equals)
		error(1, 0, "'%s' is no <path>=<fd>", arg);
	*equals = 0;
	return atoi(equals + 1);
}

static void open_as(const char *path, int wanted, const char *mode)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		error(1, errno, "cannot open %s", path);
	/* The copy does not have O_CLOEXEC, unless it is no copy. */
	if (fd == wanted ? fcntl(fd, F_SETFD, 0) : dup2(fd, wanted) != wanted)
		error(1, errno, "cannot have %s as %d", path, wanted);
	if (fd != wanted)
		close(fd);
	if (!strcmp(path, "/dev/iommu") && strcmp(mode, "-"))
		set_mode(wanted, mode);
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	int i, last;
	uid_t uid;

	for (last = 4; last < argc && strcmp(argv[last], "--"); last++)
		;
	if (last + 1 >= argc)
		error(1, 0, "usage: handover <mode> <uid> <KiB> <path>=<fd>... -- <program>...");
	uid = atoi(argv[2]);
	limit.rlim_cur = strtoull(argv[3], NULL, 0) * 1024;
	limit.rlim_max = limit.rlim_cur;

	for (i = 4; i < last; i++) {
		int fd = split(argv[i]);

		open_as(argv[i], fd, argv[1]);
	}
	if (setrlimit(RLIMIT_MEMLOCK, &limit))
		error(1, errno, "cannot set RLIMIT_MEMLOCK");
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) ||
	    setresuid(uid, uid, uid))
		error(1, errno, "cannot become user %u", uid);
	for (i = 4; i < last; i++) {
		if (!access(argv[i], R_OK) || errno != EACCES)
			error(1, 0, "user %u could open %s", uid, argv[i]);
	}
	execvp(argv[last + 1], argv + last + 1);
	error(1, errno, "cannot run %s", argv[last + 1]);
	return 1;
}
