// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose counter is held against RLIMIT_MEMLOCK: the option that chooses between
 * user, process and file, the module parameter for files to come, what can be
 * read of it, and the case it is there for: a manager that opens the files for
 * several virtual machines of one user.
 */
#include <sys/socket.h>

#include "util.h"

#define PAGES 16
#define PARAM "/sys/module/iommufd/parameters/account_mode_iommu"
#define NOBODY 65534

enum { USER, PROCESS, FILE_MODE };

static int mode_set(int fd, uint64_t mode)
{
	return t_option(fd, IOMMU_X_OPTION_ACCOUNT_MODE, IOMMU_OPTION_OP_SET,
			0, &mode);
}

static uint64_t number(int fd, uint32_t option)
{
	uint64_t value = 0;

	if (t_option(fd, option, IOMMU_OPTION_OP_GET, 0, &value))
		return 0xbad;
	return value;
}

TEST(option)
{
	uint64_t value = 0;
	uint32_t ioas;
	int fd = t_open();

	ASSERT_LE(0, fd);
	EXPECT_EQ(USER, number(fd, IOMMU_X_OPTION_ACCOUNT_MODE));
	EXPECT_STREQ("user", t_fdinfo(fd, "iommufd-account-mode"));
	ASSERT_EQ(0, mode_set(fd, FILE_MODE));
	EXPECT_EQ(FILE_MODE, number(fd, IOMMU_X_OPTION_ACCOUNT_MODE));
	EXPECT_EQ(FILE_MODE, number(fd, IOMMU_OPTION_RLIMIT_MODE));
	EXPECT_STREQ("fd", t_fdinfo(fd, "iommufd-account-mode"));
	ASSERT_EQ(0, mode_set(fd, PROCESS));
	EXPECT_EQ(PROCESS, number(fd, IOMMU_OPTION_RLIMIT_MODE));
	ASSERT_EQ(0, t_rlimit_mode(fd, USER));
	EXPECT_EQ(USER, number(fd, IOMMU_X_OPTION_ACCOUNT_MODE));

	/* What the older option can't set */
	EXPECT_EQ(EINVAL, t_rlimit_mode(fd, FILE_MODE));
	EXPECT_EQ(EINVAL, mode_set(fd, FILE_MODE + 1));
	EXPECT_EQ(EINVAL, mode_set(fd, UINT64_MAX));
	EXPECT_EQ(EOPNOTSUPP, t_option(fd, IOMMU_X_OPTION_ACCOUNT_MODE, 2, 0,
				       &value));
	EXPECT_EQ(EOPNOTSUPP, t_option(fd, IOMMU_X_OPTION_ACCOUNT_MODE,
				       IOMMU_OPTION_OP_GET, 1, &value));
	EXPECT_EQ(EOPNOTSUPP, t_option(fd, IOMMU_X_OPTION_PINNED,
				       IOMMU_OPTION_OP_SET, 0, &value));
	EXPECT_EQ(EOPNOTSUPP, t_option(fd, IOMMU_X_OPTION_PINNED,
				       IOMMU_OPTION_OP_GET, 1, &value));
	EXPECT_EQ(EOPNOTSUPP, t_option(fd, IOMMU_X_OPTION_BUDGET,
				       IOMMU_OPTION_OP_SET, 0, &value));
	EXPECT_EQ(EOPNOTSUPP, t_option(fd, IOMMU_X_OPTION_BUDGET + 1,
				       IOMMU_OPTION_OP_GET, 0, &value));

	/* Busy comes before invalid. */
	EXPECT_STREQ("0", t_fdinfo(fd, "iommufd-objects"));
	ASSERT_EQ(0, t_ioas_alloc(fd, &ioas));
	EXPECT_STREQ("1", t_fdinfo(fd, "iommufd-objects"));
	EXPECT_EQ(EBUSY, mode_set(fd, FILE_MODE));
	EXPECT_EQ(EBUSY, mode_set(fd, FILE_MODE + 1));
	ASSERT_EQ(0, t_destroy(fd, ioas));
	ASSERT_EQ(0, t_drop_cap(CAP_SYS_RESOURCE));
	EXPECT_EQ(EPERM, mode_set(fd, FILE_MODE));
	EXPECT_EQ(USER, number(fd, IOMMU_X_OPTION_ACCOUNT_MODE));
	close(fd);
}

static int param(const char *text)
{
	int fd = open(PARAM, O_WRONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return errno;
	err = write(fd, text, strlen(text)) < 0 ? errno : 0;
	close(fd);
	return err;
}

TEST(parameter)
{
	int before = t_open(), after;

	ASSERT_LE(0, before);
	ASSERT_EQ(0, param("fd\n"));
	after = t_open();
	EXPECT_EQ(FILE_MODE, number(after, IOMMU_X_OPTION_ACCOUNT_MODE));
	close(after);
	ASSERT_EQ(0, param("process"));
	after = t_open();
	EXPECT_EQ(PROCESS, number(after, IOMMU_X_OPTION_ACCOUNT_MODE));
	close(after);
	EXPECT_EQ(EINVAL, param("none"));
	EXPECT_EQ(EINVAL, param("users"));
	EXPECT_EQ(USER, number(before, IOMMU_X_OPTION_ACCOUNT_MODE));
	ASSERT_EQ(0, param("user"));
	close(before);
}

FIXTURE(file_mode)
{
	int fd;
	uint32_t ioas, stdev, hwpt, idev;
	char *buf;
	size_t length;
	long pin, lck;
};

FIXTURE_SETUP(file_mode)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, mode_set(self->fd, FILE_MODE));
	ASSERT_EQ(0, t_drop_cap(CAP_IPC_LOCK));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev, &self->hwpt,
			    &self->idev));
	self->length = PAGES * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
	ASSERT_EQ(0, t_memlock(self->length));
	self->pin = t_vmpin();
	self->lck = t_vmlck();
}

FIXTURE_TEARDOWN(file_mode)
{
	close(self->fd);
	EXPECT_EQ(self->pin, t_vmpin());
	EXPECT_EQ(self->lck, t_vmlck());
	self->fd = t_open();
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, self->length, 0));
	close(self->fd);
}

TEST_F(file_mode, limit)
{
	char text[32];

	EXPECT_EQ(0, number(self->fd, IOMMU_X_OPTION_PINNED));
	EXPECT_EQ(self->length, number(self->fd, IOMMU_X_OPTION_BUDGET));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 12 * T_PAGE,
			      T_BASE));
	EXPECT_EQ(12 * T_PAGE, number(self->fd, IOMMU_X_OPTION_PINNED));
	EXPECT_EQ(4 * T_PAGE, number(self->fd, IOMMU_X_OPTION_BUDGET));
	snprintf(text, sizeof(text), "%zu", 12 * T_PAGE);
	EXPECT_STREQ(text, t_fdinfo(self->fd, "iommufd-pinned-bytes"));
	EXPECT_EQ(self->pin + 12 * (long)T_PAGE / 1024, t_vmpin());
	EXPECT_EQ(self->lck, t_vmlck());

	EXPECT_EQ(ENOMEM, t_map_at(self->fd, self->ioas,
				   self->buf + 11 * T_PAGE, 5 * T_PAGE,
				   T_BASE + T_PMD));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf + 12 * T_PAGE,
				  4 * T_PAGE, 0));
	EXPECT_EQ(12 * T_PAGE, number(self->fd, IOMMU_X_OPTION_PINNED));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + 12 * T_PAGE,
			      4 * T_PAGE, T_BASE + T_PMD));
	EXPECT_EQ(0, number(self->fd, IOMMU_X_OPTION_BUDGET));
	ASSERT_EQ(0, t_memlock(T_PAGE));
	EXPECT_EQ(0, number(self->fd, IOMMU_X_OPTION_BUDGET));
	ASSERT_EQ(0, t_memlock(RLIM_INFINITY));
	EXPECT_EQ(UINT64_MAX, number(self->fd, IOMMU_X_OPTION_BUDGET));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(0, number(self->fd, IOMMU_X_OPTION_PINNED));
}

/* Two files of one user and process have a limit each. */
TEST_F(file_mode, each_its_own)
{
	uint32_t ioas, stdev, hwpt, idev;
	int fd = t_open();

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, mode_set(fd, FILE_MODE));
	ASSERT_EQ(0, t_ioas_alloc(fd, &ioas));
	ASSERT_EQ(0, t_mock(fd, ioas, &stdev, &hwpt, &idev));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      T_BASE));
	ASSERT_EQ(0, t_map_at(fd, ioas, self->buf, self->length, T_BASE));
	EXPECT_EQ(ENOMEM, t_map_at(fd, ioas, self->buf, T_PAGE,
				   T_BASE + T_PMD));
	EXPECT_EQ(ENOMEM, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
				   T_BASE + T_PMD));
	close(fd);
	EXPECT_EQ(self->length, number(self->fd, IOMMU_X_OPTION_PINNED));
}

/* CAP_IPC_LOCK has no limit, and what it pins is told all the same. */
TEST(privileged)
{
	uint32_t ioas, stdev, hwpt, idev;
	char *buf = t_alloc(T_PAGE);
	int fd = t_open();

	ASSERT_LE(0, fd);
	if (!t_has_mock(fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_memlock(0));
	ASSERT_EQ(0, mode_set(fd, FILE_MODE));
	ASSERT_EQ(0, t_ioas_alloc(fd, &ioas));
	ASSERT_EQ(0, t_mock(fd, ioas, &stdev, &hwpt, &idev));
	EXPECT_EQ(UINT64_MAX, number(fd, IOMMU_X_OPTION_BUDGET));
	ASSERT_EQ(0, t_map_at(fd, ioas, buf, T_PAGE, T_BASE));
	EXPECT_EQ(T_PAGE, number(fd, IOMMU_X_OPTION_PINNED));
	ASSERT_EQ(0, t_drop_cap(CAP_IPC_LOCK));
	EXPECT_EQ(0, number(fd, IOMMU_X_OPTION_BUDGET));
	close(fd);
}

static int send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {}, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : errno;
}

static int receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(sock, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/*
 * A virtual machine: unprivileged, with room for its memory and no more. It
 * gets the file with IOAS 1 on it, tells how its map went, and stays.
 */
static void machine(int sock)
{
	char *buf = t_alloc(PAGES * T_PAGE);
	int fd, err;

	if (t_memlock(PAGES * T_PAGE) || setgid(NOBODY) || setuid(NOBODY))
		_exit(1);
	fd = receive_fd(sock);
	err = t_map_at(fd, 1, buf, PAGES * T_PAGE, T_BASE);
	if (write(sock, &err, sizeof(err)) != sizeof(err))
		_exit(1);
	/* One page more is too much, whoever was first. */
	err = t_map_at(fd, 1, buf, T_PAGE, T_BASE + T_PMD);
	if (write(sock, &err, sizeof(err)) != sizeof(err) ||
	    read(sock, &err, 1) != 1)
		_exit(1);
	_exit(0);
}

FIXTURE(manager)
{
	int unused;
};

FIXTURE_VARIANT(manager)
{
	uint64_t mode;
	const char *param;
	int second;
};

FIXTURE_VARIANT_ADD(manager, user)
{
	.mode = USER,
	.second = ENOMEM,
};

FIXTURE_VARIANT_ADD(manager, process)
{
	.mode = PROCESS,
};

FIXTURE_VARIANT_ADD(manager, file)
{
	.mode = FILE_MODE,
};

/* Nobody privileged sets a mode; the administrator did. */
FIXTURE_VARIANT_ADD(manager, process_by_parameter)
{
	.param = "process",
};

FIXTURE_VARIANT_ADD(manager, file_by_parameter)
{
	.param = "fd",
};

FIXTURE_SETUP(manager)
{
	self->unused = 0;
	if (variant->param)
		ASSERT_EQ(0, param(variant->param));
}

FIXTURE_TEARDOWN(manager)
{
	if (variant->param)
		EXPECT_EQ(0, param("user"));
}

TEST_F(manager, two_machines)
{
	int fd[2], sock[2][2], err, i, status;
	uint32_t ioas, stdev, hwpt, idev;
	pid_t pid[2];

	for (i = 0; i < 2; i++) {
		fd[i] = t_open();
		ASSERT_LE(0, fd[i]);
		if (!t_has_mock(fd[i]))
			SKIP(return, T_NO_MOCK);
		if (!variant->param)
			ASSERT_EQ(0, mode_set(fd[i], variant->mode));
		ASSERT_EQ(0, t_ioas_alloc(fd[i], &ioas));
		ASSERT_EQ(1, ioas);
		ASSERT_EQ(0, t_mock(fd[i], ioas, &stdev, &hwpt, &idev));
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock[i]));
		pid[i] = fork();
		ASSERT_LE(0, pid[i]);
		if (!pid[i])
			machine(sock[i][1]);
		close(sock[i][1]);
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, send_fd(sock[i][0], fd[i]));
		ASSERT_EQ(sizeof(err), read(sock[i][0], &err, sizeof(err)));
		EXPECT_EQ(i ? variant->second : 0, err);
		ASSERT_EQ(sizeof(err), read(sock[i][0], &err, sizeof(err)));
		EXPECT_EQ(ENOMEM, err);
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, write(sock[i][0], "x", 1));
		close(sock[i][0]);
		ASSERT_EQ(pid[i], waitpid(pid[i], &status, 0));
		EXPECT_EQ(0, status);
		close(fd[i]);
	}
}

TEST_HARNESS_MAIN
