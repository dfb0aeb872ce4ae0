/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Actors: processes that do what a test tells them, one order at a time, so that
 * a test can say who maps, who pins and who pays.
 *
 * An actor is forked by the test or by another actor, may exec (it becomes a new
 * run of the same program, which goes on as that actor) and exit. File
 * descriptors have the same number in each actor that has them.
 */
#ifndef SELFTESTS_IOMMUFD_ACTOR_H
#define SELFTESTS_IOMMUFD_ACTOR_H

#include <signal.h>
#include <sys/socket.h>

#include "cgroup.h"

/* The memory of its own that an actor maps */
#define ACTOR_PAGES 16
#define ACTOR_MAX 8

enum actor_op {
	ACTOR_MAP,		/* own memory: id IOAS */
	ACTOR_MAP_FILE,		/* id IOAS, id2 file, offset 0 */
	ACTOR_COPY,		/* id to, id2 from, iova to, iova2 from */
	ACTOR_UNMAP,		/* id IOAS */
	ACTOR_PIN,		/* id access; value: item */
	ACTOR_UNPIN,		/* id access, id2 item */
	ACTOR_CHANGE,
	ACTOR_HWPT,		/* id device, id2 IOAS; value: page table */
	ACTOR_DESTROY,		/* id */
	ACTOR_BUDGET,		/* value: bytes */
	ACTOR_GROUP,		/* id group, id2 who made it */
	ACTOR_MEMLOCK,		/* length */
	ACTOR_SETUID,		/* id */
	ACTOR_SEND,		/* fd, id: another one */
	ACTOR_RECEIVE,		/* fd, id: where they go */
	ACTOR_CLOSE,		/* fd */
	ACTOR_FORK,		/* id: which actor; value: its pid */
	ACTOR_EXEC,
	ACTOR_EXIT,
};

struct actor_order {
	enum actor_op op;
	int fd;
	uint32_t id, id2;
	uint64_t iova, iova2, length;
};

struct actor_answer {
	int err;
	uint64_t value;
};

/*
 * Both ends of the line to each actor, and of that on which files are passed;
 * made once, so that they exist in all of them.
 */
struct actor_lines {
	int line[ACTOR_MAX][2];
	int pass[2];
};

static struct actor_lines actor_lines;

static inline int actor_send_fds(int sock, const int *fds, unsigned int nr)
{
	char control[CMSG_SPACE(2 * sizeof(int))] = {}, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(nr * sizeof(int)),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(nr * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, nr * sizeof(int));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : errno;
}

/* Puts what comes at the numbers in @fds. */
static inline int actor_receive_fds(int sock, const int *fds, unsigned int nr)
{
	char control[CMSG_SPACE(2 * sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int got[2];
	unsigned int i;

	errno = EIO;
	if (recvmsg(sock, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return errno;
	memcpy(got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), nr * sizeof(int));
	for (i = 0; i < nr; i++) {
		if (got[i] == fds[i])
			continue;
		if (dup2(got[i], fds[i]) < 0)
			return errno;
		close(got[i]);
	}
	return 0;
}

static inline void actor_run(unsigned int nr);

static inline int actor_obey(unsigned int nr, const struct actor_order *order,
			     char *buf, uint64_t *value)
{
	int fds[2] = { order->fd, (int)order->id };
	uint32_t id = 0;
	char text[16];
	pid_t pid;
	int err;

	switch (order->op) {
	case ACTOR_MAP:
		return t_map_at(order->fd, order->id, buf, order->length,
				order->iova);
	case ACTOR_MAP_FILE:
		return t_map_file_at(order->fd, order->id, order->id2, 0,
				     order->length, order->iova);
	case ACTOR_COPY:
		return t_copy_at(order->fd, order->id, order->id2, order->iova2,
				 order->length, order->iova);
	case ACTOR_UNMAP:
		return t_unmap(order->fd, order->id, order->iova, order->length,
			       NULL);
	case ACTOR_PIN:
		err = t_pin(order->fd, order->id, order->iova, order->length,
			    NULL, 0, &id);
		*value = id;
		return err;
	case ACTOR_UNPIN:
		return t_unpin(order->fd, order->id, order->id2);
	case ACTOR_CHANGE:
		return t_change_process(order->fd);
	case ACTOR_HWPT:
		err = t_hwpt_alloc(order->fd, order->id, order->id2, 0, &id);
		*value = id;
		return err;
	case ACTOR_DESTROY:
		return t_destroy(order->fd, order->id);
	case ACTOR_BUDGET:
		return t_option(order->fd, IOMMU_X_OPTION_BUDGET,
				IOMMU_OPTION_OP_GET, 0, value);
	case ACTOR_GROUP:
		t_cgroup_owner = order->id2;
		return t_cgroup_enter(order->id);
	case ACTOR_MEMLOCK:
		return t_memlock(order->length);
	case ACTOR_SETUID:
		return setresuid(order->id, order->id, order->id) ? errno : 0;
	case ACTOR_SEND:
		return actor_send_fds(actor_lines.pass[0], fds, 2);
	case ACTOR_RECEIVE:
		return actor_receive_fds(actor_lines.pass[1], fds, 2);
	case ACTOR_CLOSE:
		return close(order->fd) ? errno : 0;
	case ACTOR_FORK:
		pid = fork();
		if (!pid)
			actor_run(order->id);
		*value = pid;
		return pid < 0 ? errno : 0;
	case ACTOR_EXEC:
		snprintf(text, sizeof(text), "%u", nr);
		setenv("IOMMUFD_ACTOR", text, 1);
		execl("/proc/self/exe", "actor", NULL);
		return errno;
	case ACTOR_EXIT:
		_exit(0);
	}
	_exit(1);
}

static inline void actor_answer(unsigned int nr, int err, uint64_t value)
{
	struct actor_answer answer = { .err = err, .value = value };

	if (write(actor_lines.line[nr][1], &answer, sizeof(answer)) !=
	    sizeof(answer))
		_exit(1);
}

/* The life of actor @nr. */
static inline void actor_run(unsigned int nr)
{
	struct actor_order order;
	uint64_t value;
	unsigned int i;
	char *buf;
	int err;

	/* When the test's end of the line is gone the actor goes too. */
	for (i = 0; i < ACTOR_MAX; i++)
		close(actor_lines.line[i][0]);
	/* Its children end without its help. */
	signal(SIGCHLD, SIG_IGN);
	buf = t_alloc(ACTOR_PAGES * T_PAGE);
	if (!buf)
		_exit(1);
	while (read(actor_lines.line[nr][1], &order, sizeof(order)) ==
	       sizeof(order)) {
		value = 0;
		err = actor_obey(nr, &order, buf, &value);
		actor_answer(nr, err, value);
	}
	_exit(1);
}

/* Where the lines are found again after exec. */
#define ACTOR_LINES_FD 200

static void __attribute__((constructor)) actor_after_exec(void)
{
	const char *nr = getenv("IOMMUFD_ACTOR");
	unsigned int i;

	if (!nr)
		return;
	for (i = 0; i < ACTOR_MAX; i++) {
		actor_lines.line[i][0] = ACTOR_LINES_FD + 2 * i;
		actor_lines.line[i][1] = ACTOR_LINES_FD + 2 * i + 1;
	}
	actor_lines.pass[0] = ACTOR_LINES_FD + 2 * ACTOR_MAX;
	actor_lines.pass[1] = ACTOR_LINES_FD + 2 * ACTOR_MAX + 1;
	/* That is what exec was to answer. */
	actor_answer(atoi(nr), 0, 0);
	actor_run(atoi(nr));
}

/* For the test */

static inline bool actor_line(int line[2], int number)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) ||
	    dup2(pair[0], number) < 0 || dup2(pair[1], number + 1) < 0)
		return false;
	close(pair[0]);
	close(pair[1]);
	line[0] = number;
	line[1] = number + 1;
	return true;
}

static inline bool actors_init(void)
{
	unsigned int i;

	signal(SIGCHLD, SIG_IGN);
	for (i = 0; i < ACTOR_MAX; i++)
		if (!actor_line(actor_lines.line[i], ACTOR_LINES_FD + 2 * i))
			return false;
	return actor_line(actor_lines.pass, ACTOR_LINES_FD + 2 * ACTOR_MAX);
}

static inline pid_t actor_start(unsigned int nr)
{
	pid_t pid = fork();

	if (!pid)
		actor_run(nr);
	return pid;
}

static inline void actor_tell(unsigned int nr, struct actor_order order)
{
	if (write(actor_lines.line[nr][0], &order, sizeof(order)) !=
	    sizeof(order))
		abort();
}

/* Has an actor do something: its errno. */
static inline int actor_do(unsigned int nr, struct actor_order order,
			   uint64_t *value)
{
	struct actor_answer answer;

	actor_tell(nr, order);
	if (read(actor_lines.line[nr][0], &answer, sizeof(answer)) !=
	    sizeof(answer))
		answer = (struct actor_answer){ .err = EPIPE };
	if (value)
		*value = answer.value;
	return answer.err;
}

#define ACTOR(nr, ...) actor_do(nr, (struct actor_order){ __VA_ARGS__ }, NULL)
#define ACTOR_VALUE(nr, value, ...) \
	actor_do(nr, (struct actor_order){ __VA_ARGS__ }, value)

/* The actor exits; its memory is gone when this returns. */
static inline bool actor_end(unsigned int nr, pid_t pid)
{
	unsigned int tries;

	actor_tell(nr, (struct actor_order){ .op = ACTOR_EXIT });
	for (tries = 0; tries < 1000; tries++) {
		/* What is no more than a zombie has no memory to show. */
		if (t_status_kb(pid, "VmPin") < 0)
			return true;
		usleep(10000);
	}
	return false;
}

#endif
