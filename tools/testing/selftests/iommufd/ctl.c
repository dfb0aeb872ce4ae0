// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommufdctl (tools/iommufd/ctl), run as a person or a script would. It has to
 * be in PATH; if IOFD_CTL is in the environment it is known to be there.
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include "vfio.h"

#define MISSING 127

/* What a run said on its standard output and standard error */
static char out[1 << 20], err[4096];

static void read_all(int fd, char *buf, size_t room)
{
	size_t used = 0;
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	while (used < room - 1 && (n = read(fd, buf + used,
					    room - 1 - used)) > 0)
		used += n;
	buf[used] = 0;
	close(fd);
}

/* Runs it with up to five words; its exit status, -1 if it did not exit. */
static int run_as(uid_t uid, const char *a, const char *b, const char *c,
		  const char *d, const char *e)
{
	const char *words[7] = { "iommufdctl", a, b, c, d, e };
	int fds[2] = { t_memfd(0), t_memfd(0) };
	int status = -1;
	pid_t child = fork();

	if (!child) {
		dup2(fds[0], 1);
		dup2(fds[1], 2);
		if (uid && setuid(uid))
			_exit(126);
		execvp(words[0], (char **)words);
		_exit(MISSING);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	read_all(fds[0], out, sizeof(out));
	read_all(fds[1], err, sizeof(err));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define RUN(a, b, c, d, e) run_as(0, a, b, c, d, e)

/* JSON as RFC 8259 has it, ASCII only: where it ends, or NULL. */
static const char *json_value(const char *at, int depth);

static const char *json_string(const char *at)
{
	if (*at++ != '"')
		return NULL;
	for (; *at != '"'; at++) {
		if ((unsigned char)*at < 0x20 || (unsigned char)*at > 0x7e)
			return NULL;
		if (*at != '\\')
			continue;
		at++;
		if (*at == 'u') {
			if (strspn(at + 1, "0123456789abcdefABCDEF") < 4)
				return NULL;
			at += 4;
		} else if (!*at || !strchr("\"\\/bfnrt", *at)) {
			return NULL;
		}
	}
	return at + 1;
}

static const char *json_list(const char *at, char close, bool keys, int depth)
{
	at++;
	if (*at == close)
		return at + 1;
	for (;;) {
		if (keys) {
			at = json_string(at);
			if (!at || *at++ != ':')
				return NULL;
		}
		at = json_value(at, depth + 1);
		if (!at)
			return NULL;
		if (*at == close)
			return at + 1;
		if (*at++ != ',')
			return NULL;
	}
}

static const char *json_value(const char *at, int depth)
{
	size_t n;

	if (depth > 10)
		return NULL;
	switch (*at) {
	case '{':
		return json_list(at, '}', true, depth);
	case '[':
		return json_list(at, ']', false, depth);
	case '"':
		return json_string(at);
	case 'n':
		return strncmp(at, "null", 4) ? NULL : at + 4;
	default:
		n = strspn(at, "0123456789");
		return n && (n == 1 || *at != '0') ? at + n : NULL;
	}
}

/* How many lines of one array each; -1 if anything else is there */
static int json_lines(void)
{
	const char *at = out;
	int n = 0;

	while (*at) {
		if (*at != '[')
			return -1;
		at = json_value(at, 0);
		if (!at || *at++ != '\n')
			return -1;
		n++;
	}
	return n;
}

#define EXPECT_OUT(...)							\
	do {								\
		char text_[512];					\
		snprintf(text_, sizeof(text_), __VA_ARGS__);		\
		EXPECT_NE(NULL, strstr(out, text_))			\
			TH_LOG("no \"%s\" in:\n%s", text_, out);	\
	} while (0)

FIXTURE(ctl)
{
	int fd;
	uint32_t ioas, stdev, hwpt, idev;
	unsigned long long context;
	char pid[16];
	char *buf;
};

FIXTURE_SETUP(ctl)
{
	char path[64];
	FILE *f;

	if (RUN("--help", NULL, NULL, NULL, NULL) == MISSING) {
		ASSERT_EQ(NULL, getenv("IOFD_CTL"));
		SKIP(return, "no iommufdctl in PATH");
	}
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	self->buf = t_alloc(4 * T_PAGE);
	ASSERT_NE(NULL, self->buf);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 2 * T_PAGE,
			      T_BASE));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev, &self->hwpt,
			    &self->idev));
	snprintf(self->pid, sizeof(self->pid), "%d", getpid());
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->fd);
	f = fopen(path, "r");
	ASSERT_NE(NULL, f);
	while (!self->context && fgets(out, sizeof(out), f))
		sscanf(out, "iommufd-context:\t%llu", &self->context);
	fclose(f);
	ASSERT_NE(0, self->context);
}

FIXTURE_TEARDOWN(ctl)
{
	close(self->fd);
}

TEST_F(ctl, list)
{
	char line[200];

	ASSERT_EQ(0, prctl(PR_SET_NAME, "holder"));
	ASSERT_EQ(0, t_memlock(8 << 20));
	EXPECT_EQ(0, RUN(NULL, NULL, NULL, NULL, NULL));
	snprintf(line, sizeof(line),
		 "%-8llu %-8d %-15s %-8s %9s %9s %5d %8d %5d %7d %8d  %d\n",
		 self->context, getpid(), "holder", "user", "8.0K", "8.0M", 1,
		 1, 1, 1, 0, self->fd);
	EXPECT_OUT("%s", line);
	EXPECT_EQ(0, strncmp(out, "CONTEXT ", 8));
	EXPECT_EQ(0, RUN("list", NULL, NULL, NULL, NULL));
	EXPECT_OUT("%s", line);
	EXPECT_STREQ("", err);
}

TEST_F(ctl, show)
{
	int other = t_open();
	char word[64];

	ASSERT_LE(0, other);
	ASSERT_EQ(0, t_memlock(RLIM_INFINITY));
	snprintf(word, sizeof(word), "%s:%d", self->pid, self->fd);
	EXPECT_EQ(0, RUN("show", word, NULL, NULL, NULL));
	EXPECT_OUT("context %llu: mode user, 8.0K pinned, 4 objects\n",
		   self->context);
	EXPECT_OUT("  held by %s ctl, fd %d of /dev/iommu, RLIMIT_MEMLOCK unlimited\n",
		   self->pid, self->fd);
	EXPECT_OUT("  ioas     id=%u areas=1 mapped=8192 pinned=8192 hwpts=1 accesses=0\n",
		   self->ioas);
	EXPECT_OUT("  hwpt     id=%u type=paging ioas=%u automatic=1 users=1\n",
		   self->hwpt, self->ioas);
	EXPECT_OUT("  device   id=%u name=", self->idev);
	EXPECT_EQ(0, strncmp(out, "context ", 8));
	EXPECT_EQ(NULL, strstr(out + 1, "\ncontext "));

	/* By number it is the same, and a process has both. */
	snprintf(word, sizeof(word), "@%llu", self->context);
	EXPECT_EQ(0, RUN("show", word, NULL, NULL, NULL));
	EXPECT_OUT("context %llu: ", self->context);
	EXPECT_EQ(NULL, strstr(out + 1, "\ncontext "));
	EXPECT_EQ(0, RUN("show", self->pid, NULL, NULL, NULL));
	EXPECT_OUT("context %llu: ", self->context);
	EXPECT_NE(NULL, strstr(out + 1, "\ncontext "));

	close(other);
	EXPECT_EQ(1, RUN("show", "@999999999", NULL, NULL, NULL));
	EXPECT_STREQ("", out);
	EXPECT_EQ(1, RUN("show", "1", NULL, NULL, NULL));
	EXPECT_EQ(1, RUN("--json", "show", "1:0", NULL, NULL));
	EXPECT_STREQ("[]\n", out);
}

TEST_F(ctl, wrong_use)
{
	static const char *const wrong[][3] = {
		{ "steal" }, { "show", "x" }, { "show", "1:" },
		{ "show", "@" }, { "show", "0" }, { "show", "1", "2" },
		{ "list", "1" }, { "watch", "watch" }, { "-n", "0" },
		{ "-c", "0" }, { "-n", "x" }, { "--steal" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(2, RUN(wrong[i][0], wrong[i][1], wrong[i][2], NULL,
				 NULL))
			TH_LOG("%s", wrong[i][0]);
		EXPECT_STREQ("", out);
		EXPECT_NE(NULL, strstr(err, "usage: iommufdctl"));
	}
}

TEST_F(ctl, json)
{
	int status, line[2];
	pid_t child;
	char byte;

	/* A name that would break out of a string and a terminal */
	ASSERT_EQ(0, prctl(PR_SET_NAME, "a\"b\\c\n\x1b[2J\xff"));
	ASSERT_EQ(0, t_memlock(123456));
	/* Somebody else has the same context. */
	ASSERT_EQ(0, pipe(line));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(line[1]);
		_exit(read(line[0], &byte, 1));
	}
	ASSERT_EQ(0, RUN("--json", "show", self->pid, NULL, NULL));
	EXPECT_EQ(1, json_lines())
		TH_LOG("%s", out);
	EXPECT_OUT("{\"context\":%llu,\"account_mode\":\"user\",", self->context);
	EXPECT_OUT(",\"pinned_bytes\":8192,\"object_count\":4,\"holders\":[");
	EXPECT_OUT("{\"pid\":%s,\"comm\":\"a\\\"b\\\\c\\u000a\\u001b[2J\\u00ff\",",
		   self->pid);
	EXPECT_OUT(",\"node\":\"/dev/iommu\",\"fds\":[%d],\"memlock_bytes\":123456}",
		   self->fd);
	EXPECT_OUT("{\"pid\":%d,", child);
	EXPECT_OUT("{\"kind\":\"ioas\",\"id\":%u,\"areas\":1,\"mapped\":8192,",
		   self->ioas);
	EXPECT_OUT("{\"kind\":\"object\",\"id\":%u,\"type\":\"mock device\"}",
		   self->stdev);
	ASSERT_EQ(0, RUN("show", self->pid, NULL, NULL, NULL));
	EXPECT_OUT("held by %s a\"b\\c??[2J?, fd", self->pid);
	close(line[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);

	/* All contexts there are, and none */
	ASSERT_EQ(0, RUN("-j", NULL, NULL, NULL, NULL));
	EXPECT_EQ(1, json_lines());
}

TEST_F(ctl, watch)
{
	double start = t_seconds();

	ASSERT_EQ(0, RUN("-jn0.5", "-c3", "watch", "show", self->pid));
	EXPECT_EQ(3, json_lines());
	EXPECT_LE(1.0, t_seconds() - start);
	ASSERT_EQ(0, RUN("-n0.1", "-c2", "watch", NULL, NULL));
	EXPECT_OUT("\n\nCONTEXT ");
	/* Not a terminal: nothing is cleared. */
	EXPECT_EQ(NULL, strchr(out, '\033'));
}

TEST_F(ctl, without_privilege)
{
	EXPECT_EQ(0, run_as(1000, "--json", NULL, NULL, NULL, NULL));
	EXPECT_STREQ("[]\n", out);
	EXPECT_NE(NULL, strstr(err, " processes could not be looked at"));
}

/* What sysfs knows of a device */
TEST_F(ctl, driver)
{
	char path[300], node[300];
	uint32_t id;
	int dev;

	if (!find_pci(EDU_VENDOR, EDU_DEVICE, path, sizeof(path)) ||
	    !find_cdev(path, node, sizeof(node))) {
		ASSERT_EQ(NULL, getenv("VFIO_EDU"));
		SKIP(return, "no edu for VFIO");
	}
	dev = open(node, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, dev);
	ASSERT_EQ(0, vfio_bind(dev, self->fd, &id));
	ASSERT_EQ(0, RUN("-j", "show", self->pid, NULL, NULL));
	EXPECT_OUT("{\"kind\":\"device\",\"id\":%u,\"name\":\"%s\",\"group\":",
		   id, strrchr(path, '/') + 1);
	EXPECT_OUT(",\"hwpt\":0,\"pasids\":0,\"driver\":\"vfio-pci\"}");
	close(dev);
}

TEST_HARNESS_MAIN
