// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an administrator can see: fdinfo, debugfs, tracepoints, and what the
 * kernel log says of a refused map.
 */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "actor.h"
#include "pt.h"
#include "vfio.h"

#define DEBUGFS "/sys/kernel/debug/iommufd"
#define TRACEFS "/sys/kernel/tracing"
#define INSTANCE TRACEFS "/instances/iommufd_observe"

/* Room for what is read of a file */
static char text[4 << 20];

/* All of a file, in reads of @chunk bytes; NULL if it cannot be read. */
static char *slurp_by(const char *path, size_t chunk)
{
	size_t used = 0;
	ssize_t got = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	while (used < sizeof(text) - 1) {
		size_t room = sizeof(text) - 1 - used;

		got = read(fd, text + used, room < chunk ? room : chunk);
		if (got <= 0)
			break;
		used += got;
	}
	close(fd);
	text[used] = 0;
	return got < 0 ? NULL : text;
}

static char *slurp(const char *path)
{
	return slurp_by(path, 65536);
}

static char *look_at(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	return slurp(path);
}

/* Is there exactly this line? */
static bool has_line(const char *all, const char *line)
{
	size_t n = strlen(line);
	const char *at;

	for (at = all; (at = strstr(at, line)); at++)
		if ((at == all || at[-1] == '\n') &&
		    (at[n] == '\n' || !at[n]))
			return true;
	return false;
}

static int count(const char *all, const char *what)
{
	int n = 0;

	for (; (all = strstr(all, what)); all++)
		n++;
	return n;
}

#define EXPECT_LINE(...)						\
	do {								\
		char line_[256];					\
		snprintf(line_, sizeof(line_), __VA_ARGS__);		\
		EXPECT_TRUE(has_line(text, line_))			\
			TH_LOG("no line \"%s\" in:\n%s", line_, text);	\
	} while (0)

/* Lines of fdinfo */
#define IOAS_LINE \
	"iommufd-ioas:\tid=%u areas=%d mapped=%zu pinned=%zu hwpts=%d accesses=%d"
#define HWPT_LINE \
	"iommufd-hwpt:\tid=%u type=paging ioas=%u automatic=%d users=%d"
#define DEVICE_LINE \
	"iommufd-device:\tid=%u name=%s group=%s hwpt=%u pasids=%u"

/* and of debugfs */
#define AREA_LINE \
	"context=%llu ioas=%u iova=0x%lx-0x%lx state=live prot=%s backing=%s addr=0x%lx pins=%d"
#define CONTEXT_LINE \
	"context=%llu node=iommu pid=%d comm=%s mode=user pinned=0 objects=%d"

/* A word of the first line that begins with @key, without "name=" */
static char *word(const char *key, const char *name)
{
	static char value[64];
	const char *at = strstr(text, key);

	value[0] = 0;
	at = at ? strstr(at, name) : NULL;
	if (at && sscanf(strchr(at, '=') + 1, "%63s", value) != 1)
		value[0] = 0;
	return value;
}

/* The number of a context; 0 if fdinfo has none */
static uint64_t context_of(int fd)
{
	const char *at = look_at(fd);

	at = at ? strstr(at, "iommufd-context:\t") : NULL;
	return at ? strtoull(strchr(at, '\t'), NULL, 10) : 0;
}

FIXTURE(observe)
{
	int fd;
	uint32_t ioas;
	char *buf;
};

FIXTURE_SETUP(observe)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	self->buf = t_alloc(16 * T_PAGE);
	ASSERT_NE(NULL, self->buf);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
}

FIXTURE_TEARDOWN(observe)
{
	close(self->fd);
}

TEST_F(observe, context)
{
	int other = t_open(), same = dup(self->fd);
	uint64_t nr = context_of(self->fd);

	ASSERT_LE(0, other);
	EXPECT_LT(0, nr);
	EXPECT_LT(nr, context_of(other));
	EXPECT_EQ(nr, context_of(same));
	look_at(other);
	EXPECT_LINE("iommufd-account-mode:\tuser");
	EXPECT_LINE("iommufd-pinned-bytes:\t0");
	EXPECT_LINE("iommufd-objects:\t0");
	EXPECT_EQ(4, count(text, "iommufd-"));
	close(same);
	close(other);
}

TEST_F(observe, ioas)
{
	uint32_t stdev, hwpt, idev, second;
	uint64_t iova;

	look_at(self->fd);
	EXPECT_LINE("iommufd-objects:\t1");
	EXPECT_LINE(IOAS_LINE, self->ioas, 0, 0UL, 0UL, 0, 0);

	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 2 * T_PAGE,
			      T_BASE));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + 8 * T_PAGE,
			      T_PAGE, T_BASE + 8 * T_PAGE));
	/* Half a page is mapped, a whole one is pinned. */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + 4 * T_PAGE,
			      MOCK_PAGE_SIZE, T_BASE + 16 * T_PAGE));
	look_at(self->fd);
	EXPECT_LINE(IOAS_LINE, self->ioas, 3, 3 * T_PAGE + MOCK_PAGE_SIZE, 0UL,
		    0, 0);
	EXPECT_LINE("iommufd-pinned-bytes:\t0");

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, &hwpt, &idev));
	look_at(self->fd);
	EXPECT_LINE(IOAS_LINE, self->ioas, 3, 3 * T_PAGE + MOCK_PAGE_SIZE,
		    4 * T_PAGE, 1, 0);
	EXPECT_LINE("iommufd-pinned-bytes:\t%zu", 4 * T_PAGE);
	EXPECT_EQ(4 * T_PAGE / 1024, t_vmpin());

	/* A copy pins nothing more, but its IOAS needs what it has. */
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &second));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, idev, second, 0, &hwpt));
	ASSERT_EQ(0, t_copy(self->fd, second, self->ioas, T_BASE, 2 * T_PAGE,
			    &iova, T_RW));
	look_at(self->fd);
	EXPECT_LINE(IOAS_LINE, second, 1, 2 * T_PAGE, 2 * T_PAGE, 1, 0);
	EXPECT_LINE("iommufd-pinned-bytes:\t%zu", 4 * T_PAGE);

	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, 2 * T_PAGE, NULL));
	look_at(self->fd);
	EXPECT_LINE(IOAS_LINE, self->ioas, 2, T_PAGE + MOCK_PAGE_SIZE,
		    2 * T_PAGE, 1, 0);

	/* With the last page table the pins go, the mappings stay. */
	ASSERT_EQ(0, t_destroy(self->fd, stdev));
	look_at(self->fd);
	EXPECT_LINE(IOAS_LINE, self->ioas, 2, T_PAGE + MOCK_PAGE_SIZE, 0UL, 0,
		    0);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	look_at(self->fd);
	EXPECT_LINE(IOAS_LINE, self->ioas, 0, 0UL, 0UL, 0, 0);
}

/* A map that fails leaves no trace in the sums. */
TEST_F(observe, refused)
{
	uint32_t stdev;
	char *hole = t_alloc(2 * T_PAGE);

	ASSERT_NE(NULL, hole);
	ASSERT_EQ(0, munmap(hole + T_PAGE, T_PAGE));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL, NULL));
	EXPECT_EQ(EFAULT, t_map_at(self->fd, self->ioas, hole, 2 * T_PAGE,
				   T_BASE));
	look_at(self->fd);
	EXPECT_LINE(IOAS_LINE, self->ioas, 0, 0UL, 0UL, 1, 0);
}

/* Nor does one that is cut in two. */
TEST_F(observe, cut)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = T_BASE + T_PAGE,
		.size = T_PAGE,
	};
	uint32_t id = self->ioas, stdev;

	ASSERT_EQ(0, t_vfio_ioas(self->fd, IOMMU_VFIO_IOAS_SET, &id));
	ASSERT_LE(0, ioctl(self->fd, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 4 * T_PAGE,
			      T_BASE));
	ASSERT_EQ(0, t_call(self->fd, VFIO_IOMMU_UNMAP_DMA, &unmap));
	look_at(self->fd);
	EXPECT_LINE(IOAS_LINE, self->ioas, 2, 3 * T_PAGE, 3 * T_PAGE, 1, 0);
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	look_at(self->fd);
	EXPECT_LINE(IOAS_LINE, self->ioas, 0, 0UL, 0UL, 1, 0);
}

/* Device memory is mapped and not pinned. */
TEST_F(observe, device_memory)
{
	uint32_t stdev;
	int dmabuf;

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL, NULL));
	ASSERT_EQ(0, t_dmabuf(self->fd, 2 * T_PAGE, O_RDWR | O_CLOEXEC,
			      &dmabuf));
	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, dmabuf, 0, 2 * T_PAGE,
				   T_BASE));
	look_at(self->fd);
	EXPECT_LINE(IOAS_LINE, self->ioas, 1, 2 * T_PAGE, 0UL, 1, 0);
	close(dmabuf);
}

TEST_F(observe, page_tables_and_devices)
{
	uint32_t stdev, idev, automatic, manual;
	char name[64], group[64];

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, &automatic, &idev));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, idev, self->ioas, 0, &manual));
	look_at(self->fd);
	EXPECT_LINE(HWPT_LINE, automatic, self->ioas, 1, 1);
	EXPECT_LINE(HWPT_LINE, manual, self->ioas, 0, 0);
	strcpy(name, word("iommufd-device:", "name="));
	strcpy(group, word("iommufd-device:", "group="));
	EXPECT_EQ(0, strncmp(name, "iommufd_mock", 12));
	EXPECT_LINE(DEVICE_LINE, idev, name, group, automatic, 0);
	/* The mock's own */
	EXPECT_LINE("iommufd-object:\tid=%u type=mock\\040device", stdev);

	ASSERT_EQ(0, t_mock_replace(self->fd, stdev, manual, NULL));
	look_at(self->fd);
	EXPECT_LINE(DEVICE_LINE, idev, name, group, manual, 0);
	EXPECT_LINE(HWPT_LINE, manual, self->ioas, 0, 1);
	EXPECT_EQ(1, count(text, "iommufd-hwpt:"));
	EXPECT_LINE(IOAS_LINE, self->ioas, 0, 0UL, 0UL, 1, 0);
}

TEST_F(observe, pasids)
{
	uint32_t stdev, idev, plain, other, pt;
	char name[64], group[16];
	int fd = self->fd;

	ASSERT_EQ(0, t_mock_flags(fd, self->ioas, MOCK_FLAGS_DEVICE_PASID,
				  &stdev, NULL, &idev));
	ASSERT_EQ(0, t_hwpt_alloc(fd, idev, self->ioas, IOMMU_HWPT_ALLOC_PASID,
				  &plain));
	ASSERT_EQ(0, t_hwpt_alloc(fd, idev, self->ioas, IOMMU_HWPT_ALLOC_PASID,
				  &other));
	ASSERT_EQ(0, t_mock_replace(fd, stdev, plain, NULL));
	pt = other;
	ASSERT_EQ(0, t_pasid_attach(fd, stdev, 7, &pt));
	ASSERT_EQ(0, t_pasid_attach(fd, stdev, 8, &pt));
	look_at(fd);
	strcpy(name, word("iommufd-device:", "name="));
	strcpy(group, word("iommufd-device:", "group="));
	EXPECT_LINE(DEVICE_LINE, idev, name, group, plain, 2);
	EXPECT_LINE(HWPT_LINE, plain, self->ioas, 0, 1);
	EXPECT_LINE(HWPT_LINE, other, self->ioas, 0, 2);

	/* Refused and moved ones change nothing, nor does a second detach. */
	EXPECT_EQ(EBUSY, t_pasid_attach(fd, stdev, 8, &pt));
	pt = plain;
	ASSERT_EQ(0, t_pasid_replace(fd, stdev, 8, &pt));
	look_at(fd);
	EXPECT_LINE(DEVICE_LINE, idev, name, group, plain, 2);
	EXPECT_LINE(HWPT_LINE, plain, self->ioas, 0, 2);
	ASSERT_EQ(0, t_pasid_detach(fd, stdev, 7));
	ASSERT_EQ(0, t_pasid_detach(fd, stdev, 7));
	look_at(fd);
	EXPECT_LINE(DEVICE_LINE, idev, name, group, plain, 1);
	ASSERT_EQ(0, t_pasid_detach(fd, stdev, 0));
	look_at(fd);
	EXPECT_LINE(DEVICE_LINE, idev, name, group, 0, 1);
	EXPECT_LINE(HWPT_LINE, other, self->ioas, 0, 0);
}

TEST_F(observe, accesses)
{
	uint32_t second, id;
	int access;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &second));
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas,
				     MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES,
				     &access));
	look_at(self->fd);
	id = strtoul(word("iommufd-access:", "id="), NULL, 10);
	EXPECT_LINE("iommufd-access:\tid=%u ioas=%u", id, self->ioas);
	EXPECT_LINE(IOAS_LINE, self->ioas, 0, 0UL, 0UL, 0, 1);
	ASSERT_EQ(0, t_access_replace(self->fd, access, second));
	look_at(self->fd);
	EXPECT_LINE("iommufd-access:\tid=%u ioas=%u", id, second);
	EXPECT_LINE(IOAS_LINE, second, 0, 0UL, 0UL, 0, 1);
	close(access);
	look_at(self->fd);
	EXPECT_EQ(0, count(text, "iommufd-access:"));
}

/* Who reads pays for the buffer, so there is an end to it. */
TEST_F(observe, many_objects)
{
	uint32_t id;
	int i;

	for (i = 1; i < 4200; i++)
		ASSERT_EQ(0, t_ioas_alloc(self->fd, &id));
	look_at(self->fd);
	EXPECT_LINE("iommufd-objects:\t4200");
	EXPECT_EQ(4096, count(text, "iommufd-ioas:"));
}

/* Looking, against what it looks at */

static void *read_fdinfo(void *arg)
{
	struct t_job *job = arg;
	char path[64], buf[4096];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", job->fd);
	while (!t_stopped(job)) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, buf, sizeof(buf)) <= 0)
			t_wrong(job, "read fdinfo", errno);
		if (fd >= 0)
			close(fd);
		job->done++;
	}
	return NULL;
}

static void *read_debugfs(void *arg)
{
	struct t_job *job = arg;
	char buf[4096];
	ssize_t got;
	int fd;

	while (!t_stopped(job)) {
		fd = open(job->done & 1 ? DEBUGFS "/areas" :
					  DEBUGFS "/contexts",
			  O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			t_wrong(job, "open debugfs", errno);
			break;
		}
		do {
			got = read(fd, buf, sizeof(buf));
		} while (got > 0 && !t_stopped(job));
		if (got < 0)
			t_wrong(job, "read debugfs", errno);
		close(fd);
		job->done++;
	}
	return NULL;
}

/* Everything comes and goes. Nothing may ever be held back by a reader. */
static void *come_and_go(void *arg)
{
	struct t_job *job = arg;
	uint32_t ioas, stdev, hwpt;
	int access, err;

	while (!t_stopped(job)) {
		err = t_ioas_alloc(job->fd, &ioas);
		if (!err)
			err = t_map_at(job->fd, ioas, job->buf, 2 * T_PAGE,
				       T_BASE);
		if (!err)
			err = t_mock(job->fd, ioas, &stdev, &hwpt, NULL);
		if (!err)
			err = t_create_access(job->fd, ioas, 0, &access);
		if (err) {
			t_wrong(job, "make", err);
			break;
		}
		close(access);
		err = t_destroy(job->fd, stdev);
		if (err) {
			t_wrong(job, "destroy the device", err);
			break;
		}
		/* The automatic page table has gone with its device. */
		if (t_destroy(job->fd, hwpt) != ENOENT)
			t_wrong(job, "a page table stays", 0);
		err = t_unmap(job->fd, ioas, T_BASE, 2 * T_PAGE, NULL);
		if (!err)
			err = t_destroy(job->fd, ioas);
		if (err)
			t_wrong(job, "destroy the IOAS", err);
		job->done++;
	}
	return NULL;
}

static void *open_and_close(void *arg)
{
	struct t_job *job = arg;
	uint32_t ioas = 0;
	int fd, err;

	while (!t_stopped(job)) {
		fd = t_open();
		err = fd < 0 ? errno : t_ioas_alloc(fd, &ioas);
		if (!err)
			err = t_map_at(fd, ioas, job->buf, 2 * T_PAGE, T_BASE);
		if (err)
			t_wrong(job, "a context of its own", err);
		close(fd);
		job->done++;
	}
	return NULL;
}

TEST_F(observe, race)
{
	static const t_work_t work[] = {
		read_fdinfo, read_debugfs, come_and_go, open_and_close,
	};
	struct t_job jobs[4];
	bool stop = false;
	int i;

	for (i = 0; i < 4; i++)
		jobs[i] = (struct t_job){
			.fd = self->fd, .buf = self->buf, .stop = &stop,
		};
	t_run(_metadata, work, jobs, 4);
	look_at(self->fd);
	EXPECT_LINE("iommufd-objects:\t1");
	EXPECT_LINE("iommufd-pinned-bytes:\t0");
}

/* debugfs */

static void check_root_only(struct __test_metadata *_metadata, const char *path)
{
	struct stat st;

	ASSERT_EQ(0, stat(path, &st))
		TH_LOG("%s: %m", path);
	EXPECT_EQ(0400, st.st_mode & 07777);
	EXPECT_EQ(0, st.st_uid);
}

TEST_F(observe, debugfs_contexts)
{
	static const int fds[2] = { 200, 201 };
	int pass[2], status, sent[2];
	uint64_t mine, left;
	pid_t child;

	check_root_only(_metadata, DEBUGFS "/contexts");
	check_root_only(_metadata, DEBUGFS "/areas");

	/* A child opens the node with a name of its own, hands it on, and goes. */
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, pass));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		prctl(PR_SET_NAME, "who was here");
		sent[0] = t_open();
		sent[1] = open("/dev/null", O_RDONLY);
		_exit(actor_send_fds(pass[0], sent, 2));
	}
	ASSERT_EQ(0, actor_receive_fds(pass[1], fds, 2));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);

	ASSERT_EQ(0, prctl(PR_SET_NAME, "reader"));
	mine = context_of(self->fd);
	left = context_of(fds[0]);
	ASSERT_NE(NULL, slurp(DEBUGFS "/contexts"));
	EXPECT_LINE(CONTEXT_LINE, (unsigned long long)mine, getpid(), "observe",
		    1);
	EXPECT_LINE(CONTEXT_LINE, (unsigned long long)left, child,
		    "who\\040was\\040here", 0);
	close(fds[0]);
	close(fds[1]);
	close(pass[0]);
	close(pass[1]);
}

TEST_F(observe, debugfs_areas)
{
	unsigned long long context = context_of(self->fd);
	int memfd = t_memfd(4 * T_PAGE), access, i;
	uint32_t second, item;
	char line[64];

	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE, T_BASE));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &second));
	/* The last page there is */
	ASSERT_EQ(0, t_map(self->fd, second, self->buf, T_PAGE,
			   &(uint64_t){ 0 - 2 * T_PAGE },
			   IOMMU_IOAS_MAP_READABLE | T_FIXED));
	ASSERT_EQ(0, t_map_file_at(self->fd, second, memfd, T_PAGE, 2 * T_PAGE,
				   T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas,
				     MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES,
				     &access));
	ASSERT_EQ(0, t_pin(self->fd, access, T_BASE, T_PAGE, self->buf, 0,
			   &item));
	ASSERT_NE(NULL, slurp(DEBUGFS "/areas"));
	EXPECT_LINE(AREA_LINE, context, self->ioas, T_BASE,
		    T_BASE + T_PAGE - 1, "rw", "user", (unsigned long)self->buf,
		    1);
	EXPECT_LINE(AREA_LINE, context, second, T_BASE, T_BASE + 2 * T_PAGE - 1,
		    "rw", "file", T_PAGE, 0);
	EXPECT_LINE(AREA_LINE, context, second, 0 - 2 * T_PAGE, 0 - T_PAGE - 1,
		    "r-", "user", (unsigned long)self->buf, 0);
	ASSERT_EQ(0, t_unpin(self->fd, access, item));
	close(access);
	close(memfd);

	/* Each once and in order, also read in small pieces */
	for (i = 0; i < 3000; i++)
		ASSERT_EQ(0, t_map_at(self->fd, second, self->buf, T_PAGE,
				      T_BASE + (i + 2) * 2 * T_PAGE));
	ASSERT_NE(NULL, slurp_by(DEBUGFS "/areas", 777));
	snprintf(line, sizeof(line), "context=%llu ioas=%u ", context, second);
	EXPECT_EQ(3002, count(text, line));
	for (i = 0; i < 3000; i++) {
		snprintf(line, sizeof(line), "ioas=%u iova=0x%lx-", second,
			 T_BASE + (i + 2) * 2 * T_PAGE);
		ASSERT_EQ(1, count(text, line))
			TH_LOG("%s", line);
	}
}

/* Tracepoints, in a buffer of their own */

static bool put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ssize_t n = strlen(value);
	bool good;

	if (fd < 0)
		return false;
	good = write(fd, value, n) == n;
	close(fd);
	return good;
}

FIXTURE(trace)
{
	int fd;
	uint32_t ioas;
	unsigned long long context;
	char *buf;
};

FIXTURE_SETUP(trace)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	if (access(TRACEFS "/events", F_OK))
		SKIP(return, "kernel without tracepoints");
	self->buf = t_alloc(16 * T_PAGE);
	ASSERT_NE(NULL, self->buf);
	self->context = context_of(self->fd);
	ASSERT_TRUE(!mkdir(INSTANCE, 0700) || errno == EEXIST);
	ASSERT_TRUE(put(INSTANCE "/trace", ""));
	ASSERT_TRUE(put(INSTANCE "/events/iommufd/enable", "1"));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
}

FIXTURE_TEARDOWN(trace)
{
	close(self->fd);
	put(INSTANCE "/events/iommufd/enable", "0");
	rmdir(INSTANCE);
}

static void traced(struct __test_metadata *_metadata)
{
	ASSERT_NE(NULL, slurp(INSTANCE "/trace"));
}

/* How often an event is there, with these fields anywhere in its line */
static int events(const char *event, const char *fields)
{
	const char *at, *end, *hit;
	char head[80];
	int n = 0;

	snprintf(head, sizeof(head), " iommufd_%s: ", event);
	for (at = text; (at = strstr(at, head)); at++) {
		end = strchrnul(at, '\n');
		hit = strstr(at, fields);
		n += hit && hit + strlen(fields) <= end;
	}
	return n;
}

#define EXPECT_EVENT(nr, event, ...)					\
	do {								\
		const char *event_ = event;				\
		char fields_[256];					\
		snprintf(fields_, sizeof(fields_), __VA_ARGS__);	\
		EXPECT_EQ(nr, events(event_, fields_))			\
			TH_LOG("%s: %s in:\n%s", event_, fields_, text);	\
	} while (0)

#define MAP_FIELDS \
	"ioas=%u iova=0x%lx length=0x%lx prot=%s backing=%s addr=0x%lx result=%d"
#define UNMAP_FIELDS \
	"context=%llu ioas=%u iova=0x%lx-0x%lx unmapped=0x%lx result=0"
#define LOAD_FIELDS \
	"context=%llu ioas=%u hwpt=%u iova=0x%lx-0x%lx"
#define CHARGE_FIELDS \
	"payer=%d uid=%u mode=%s counters=limit|cgroup|mm|context pages=%d"
#define ATTACH_FIELDS \
	"context=%llu device=%u name=%s pasid=0 pt=%u hwpt=%u result=%d"
#define ACCESS_FIELDS \
	"context=%llu access=%u iova=0x%lx length=0x%lx flags=0x%x result=0"

TEST_F(trace, ioctl)
{
	EXPECT_EQ(ENOENT, t_destroy(self->fd, 77));
	EXPECT_EQ(ENOTTY, t_call(self->fd, _IO(IOMMUFD_TYPE, 0xdf), NULL));
	EXPECT_EQ(0, ioctl(self->fd, VFIO_GET_API_VERSION));
	traced(_metadata);
	EXPECT_EVENT(1, "ioctl", "context=%llu cmd=IOAS_ALLOC result=0",
		     self->context);
	EXPECT_EVENT(1, "ioctl", "context=%llu cmd=DESTROY result=%d",
		     self->context, -ENOENT);
	EXPECT_EVENT(1, "ioctl", "context=%llu cmd=0xdf result=%d",
		     self->context, -ENOTTY);
	EXPECT_EVENT(1, "ioctl", "context=%llu cmd=VFIO_GET_API_VERSION result=0",
		     self->context);
	EXPECT_EVENT(1, "object_create", "context=%llu id=%u type=ioas",
		     self->context, self->ioas);
	ASSERT_EQ(0, t_destroy(self->fd, self->ioas));
	traced(_metadata);
	EXPECT_EVENT(1, "object_destroy", "context=%llu id=%u type=ioas",
		     self->context, self->ioas);
}

TEST_F(trace, mapping)
{
	uint64_t iova, none = 0;
	uint32_t stdev, hwpt;
	int memfd = t_memfd(T_PAGE);

	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, &hwpt, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 3 * T_PAGE,
			      T_BASE));
	EXPECT_EQ(EEXIST, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
				   T_BASE));
	ASSERT_EQ(0, t_map_file(self->fd, self->ioas, memfd, 0, T_PAGE, &iova,
				IOMMU_IOAS_MAP_READABLE));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, T_BASE, 3 * T_PAGE, NULL));
	EXPECT_EQ(ENOENT, t_unmap(self->fd, self->ioas, T_BASE, T_PAGE, &none));
	traced(_metadata);
	EXPECT_EVENT(1, "map", MAP_FIELDS, self->ioas, T_BASE, 3 * T_PAGE, "rw",
		     "user", (unsigned long)self->buf, 0);
	EXPECT_EVENT(1, "map", MAP_FIELDS, self->ioas, T_BASE, T_PAGE, "rw",
		     "user", (unsigned long)self->buf, -EEXIST);
	EXPECT_EVENT(1, "map", MAP_FIELDS, self->ioas, (unsigned long)iova,
		     T_PAGE, "r-", "file", 0UL, 0);
	EXPECT_EVENT(3, "map", "context=%llu ", self->context);
	EXPECT_EVENT(1, "pin", "context=%llu backing=user addr=0x%lx pages=3 result=0",
		     self->context, (unsigned long)self->buf);
	EXPECT_EVENT(1, "load", LOAD_FIELDS " result=0", self->context,
		     self->ioas, hwpt, T_BASE, T_BASE + 3 * T_PAGE - 1);
	EXPECT_EVENT(1, "unload", LOAD_FIELDS, self->context, self->ioas, hwpt,
		     T_BASE, T_BASE + 3 * T_PAGE - 1);
	EXPECT_EVENT(1, "unpin", "context=%llu backing=user addr=0x%lx pages=3",
		     self->context, (unsigned long)self->buf);
	EXPECT_EVENT(1, "unmap", UNMAP_FIELDS, self->context, self->ioas,
		     T_BASE, T_BASE + 3 * T_PAGE - 1, 3 * T_PAGE);
	EXPECT_EVENT(1, "unmap", UNMAP_FIELDS, self->context, self->ioas,
		     T_BASE, T_BASE + T_PAGE - 1, 0UL);
	close(memfd);
}

TEST_F(trace, charging)
{
	uint32_t stdev;

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 3 * T_PAGE,
			      T_BASE));
	ASSERT_EQ(0, t_drop_cap(CAP_IPC_LOCK));
	ASSERT_EQ(0, t_memlock(T_PAGE));
	EXPECT_EQ(ENOMEM, t_map_at(self->fd, self->ioas, self->buf, 2 * T_PAGE,
				   T_BASE + 8 * T_PAGE));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	traced(_metadata);
	EXPECT_EVENT(1, "charge", CHARGE_FIELDS " result=0", getpid(), getuid(),
		     "none", 3);
	EXPECT_EVENT(1, "charge", CHARGE_FIELDS " result=%d", getpid(),
		     getuid(), "user", 2, -ENOMEM);
	EXPECT_EVENT(2, "charge", "context=%llu ", self->context);
	EXPECT_EVENT(1, "pin", "addr=0x%lx pages=2 result=%d",
		     (unsigned long)self->buf, -ENOMEM);
	EXPECT_EVENT(1, "uncharge", CHARGE_FIELDS, getpid(), getuid(), "none",
		     3);
}

TEST_F(trace, attaching)
{
	uint32_t stdev, idev, hwpt, manual;
	char name[64];

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, &hwpt, &idev));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, idev, self->ioas, 0, &manual));
	ASSERT_EQ(0, t_mock_replace(self->fd, stdev, manual, NULL));
	EXPECT_EQ(ENOENT, t_mock_replace(self->fd, stdev, 99, NULL));
	look_at(self->fd);
	strcpy(name, word("iommufd-device:", "name="));
	ASSERT_EQ(0, t_destroy(self->fd, stdev));
	traced(_metadata);
	EXPECT_EVENT(1, "attach", ATTACH_FIELDS, self->context, idev, name,
		     self->ioas, hwpt, 0);
	EXPECT_EVENT(1, "replace", ATTACH_FIELDS, self->context, idev, name,
		     manual, manual, 0);
	EXPECT_EVENT(1, "replace", ATTACH_FIELDS, self->context, idev, name, 99,
		     0, -ENOENT);
	EXPECT_EVENT(1, "detach", "context=%llu device=%u name=%s pasid=0",
		     self->context, idev, name);
}

TEST_F(trace, queues)
{
	uint32_t stdev, idev, hwpt, fault, viommu, parent, vdevice, nested;
	uint32_t veventq;
	char data[64];
	int fault_fd, event_fd;

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL, &idev));
	ASSERT_EQ(0, t_fault_alloc(self->fd, &fault, &fault_fd));
	ASSERT_EQ(0, t_hwpt_full(self->fd, idev, self->ioas,
				 IOMMU_HWPT_FAULT_ID_VALID, fault,
				 IOMMU_HWPT_DATA_NONE, NULL, 0, &hwpt));
	ASSERT_EQ(0, t_mock_replace(self->fd, stdev, hwpt, NULL));
	ASSERT_EQ(0, t_iopf(self->fd, idev, 0, 0));
	ASSERT_EQ(40, read(fault_fd, data, 40));

	ASSERT_EQ(0, t_hwpt_alloc(self->fd, idev, self->ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT, &parent));
	ASSERT_EQ(0, t_viommu(self->fd, idev, parent,
			      IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0, &viommu));
	ASSERT_EQ(0, t_vdevice(self->fd, viommu, idev, 7, &vdevice));
	ASSERT_EQ(0, t_nested(self->fd, idev, viommu, 0, 0, &nested));
	ASSERT_EQ(0, t_mock_replace(self->fd, stdev, nested, NULL));
	ASSERT_EQ(0, t_veventq(self->fd, viommu, IOMMU_VEVENTQ_TYPE_SELFTEST, 1,
			       &veventq, &event_fd));
	ASSERT_EQ(0, t_vevent(self->fd, idev));
	ASSERT_EQ(0, t_vevent(self->fd, idev));
	ASSERT_EQ(-1, read(event_fd, data, 8));
	traced(_metadata);
	EXPECT_EVENT(1, "queue_push", "context=%llu id=%u type=fault result=0",
		     self->context, fault);
	EXPECT_EVENT(1, "queue_pop", "context=%llu id=%u type=fault result=40",
		     self->context, fault);
	EXPECT_EVENT(1, "queue_push",
		     "context=%llu id=%u type=veventq result=0", self->context,
		     veventq);
	EXPECT_EVENT(1, "queue_push",
		     "context=%llu id=%u type=veventq result=%d", self->context,
		     veventq, -ENOSPC);
	EXPECT_EVENT(1, "queue_pop",
		     "context=%llu id=%u type=veventq result=%d", self->context,
		     veventq, -EINVAL);
	close(fault_fd);
	close(event_fd);
}

TEST_F(trace, accesses)
{
	unsigned int id;
	uint32_t item, second;
	int access;
	char byte = 1;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &second));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 3 * T_PAGE,
			      T_BASE));
	ASSERT_EQ(0, t_create_access(self->fd, self->ioas,
				     MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES,
				     &access));
	ASSERT_EQ(0, t_pin(self->fd, access, T_BASE, 2 * T_PAGE, self->buf,
			   MOCK_FLAGS_ACCESS_WRITE, &item));
	ASSERT_EQ(0, t_access_rw(self->fd, access, T_BASE + 5, &byte, 1,
				 MOCK_ACCESS_RW_WRITE));
	ASSERT_EQ(0, t_unpin(self->fd, access, item));
	look_at(self->fd);
	id = strtoul(word("iommufd-access:", "id="), NULL, 10);
	ASSERT_EQ(0, t_access_replace(self->fd, access, second));
	close(access);
	traced(_metadata);
	EXPECT_EVENT(1, "access_attach", "context=%llu access=%u ioas=%u result=0",
		     self->context, id, self->ioas);
	EXPECT_EVENT(1, "access_attach", "context=%llu access=%u ioas=%u result=0",
		     self->context, id, second);
	EXPECT_EVENT(1, "access_attach", "context=%llu access=%u ioas=0 result=0",
		     self->context, id);
	EXPECT_EVENT(1, "access_pin", ACCESS_FIELDS, self->context, id, T_BASE,
		     2 * T_PAGE, 1);
	EXPECT_EVENT(1, "access_unpin", ACCESS_FIELDS, self->context, id,
		     T_BASE, 2 * T_PAGE, 0);
	EXPECT_EVENT(1, "access_rw", ACCESS_FIELDS, self->context, id,
		     T_BASE + 5, 1UL, 1);
}

TEST_F(trace, device_memory)
{
	uint32_t stdev;
	int dmabuf;

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL, NULL));
	ASSERT_EQ(0, t_dmabuf(self->fd, 4 * T_PAGE, O_RDWR | O_CLOEXEC,
			      &dmabuf));
	ASSERT_EQ(0, t_map_file_at(self->fd, self->ioas, dmabuf, T_PAGE,
				   2 * T_PAGE, T_BASE));
	ASSERT_EQ(0, t_dmabuf_revoke(self->fd, dmabuf, true));
	traced(_metadata);
	EXPECT_EVENT(1, "map", MAP_FIELDS, self->ioas, T_BASE, 2 * T_PAGE, "rw",
		     "dma-buf", T_PAGE, 0);
	/* Present before the first window is there */
	EXPECT_EVENT(1, "restore", "backing=dma-buf addr=0x%lx length=0x%lx windows=0 result=0",
		     T_PAGE, 2 * T_PAGE);
	EXPECT_EVENT(1, "revoke", "backing=dma-buf addr=0x%lx length=0x%lx windows=1",
		     T_PAGE, 2 * T_PAGE);
	/* A second time there is nothing to take. */
	ASSERT_EQ(0, t_dmabuf_revoke(self->fd, dmabuf, true));
	traced(_metadata);
	EXPECT_EQ(1, events("revoke", ""));
	close(dmabuf);
}

/* Messages */

/* The kernel log from now on; each read is one line. */
static int open_log(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* Does a line come that has all of this in it? Others are passed over. */
static bool logged(int log, const char *one, const char *two)
{
	char line[2048];
	ssize_t n;

	for (;;) {
		n = read(log, line, sizeof(line) - 1);
		if (n < 0 && errno == EPIPE)
			continue;
		if (n < 0)
			return false;
		line[n] = 0;
		if (strstr(line, one) && strstr(line, two))
			return true;
	}
}

/*
 * Expects that @what, done by this process, leaves a line. The log is limited to
 * ten lines of a kind in five seconds, which another program may have used up.
 */
#define EXPECT_LOGGED(errno_, what, why)				\
	do {								\
		const char *why_ = why;					\
		char me_[64];						\
		bool seen_ = false;					\
		int log_, try_;						\
		snprintf(me_, sizeof(me_), "observe[%d]: ", getpid());	\
		for (try_ = 0; !seen_ && try_ < 3; try_++) {		\
			if (try_)					\
				sleep(6);				\
			log_ = open_log();				\
			ASSERT_LE(0, log_);				\
			ASSERT_EQ(errno_, what);			\
			seen_ = logged(log_, me_, why_);		\
			close(log_);					\
		}							\
		EXPECT_TRUE(seen_)					\
			TH_LOG("not in the log: %s", why_);		\
	} while (0)

TEST_F(observe, message_limit)
{
	uint32_t stdev;

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL, NULL));
	ASSERT_EQ(0, t_drop_cap(CAP_IPC_LOCK));
	ASSERT_EQ(0, t_memlock(2 * T_PAGE));
	EXPECT_LOGGED(ENOMEM,
		      t_map_at(self->fd, self->ioas, self->buf, 4 * T_PAGE,
			       T_BASE),
		      "pinning 16 KiB for device access exceeds RLIMIT_MEMLOCK (8 KiB, counted per user)");
}

TEST_F(observe, message_beyond)
{
	uint32_t stdev;

	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, NULL, NULL));
	EXPECT_LOGGED(EINVAL,
		      t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
			       T_BASE - T_PAGE),
		      "is beyond what the IOMMU translates");
}

/* A real device whose interrupts are an IOVA range */
TEST_F(observe, message_device)
{
	char path[300], node[300], line[400];
	uint32_t id, hwpt;
	int dev;

	if (!find_pci(EDU_VENDOR, EDU_DEVICE, path, sizeof(path)) ||
	    !find_cdev(path, node, sizeof(node))) {
		ASSERT_EQ(NULL, getenv("VFIO_EDU"));
		SKIP(return, "no edu for VFIO");
	}
	dev = open(node, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, dev);
	ASSERT_EQ(0, vfio_bind(dev, self->fd, &id));
	ASSERT_EQ(0, vfio_attach(dev, self->ioas, &hwpt));
	snprintf(line, sizeof(line),
		 "%#lx-%#lx is reserved for device %s,", MSI_FIRST, MSI_LAST,
		 strrchr(path, '/') + 1);
	EXPECT_LOGGED(EINVAL,
		      t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
			       MSI_FIRST + T_PAGE),
		      line);
	look_at(self->fd);
	EXPECT_NE(NULL, strstr(text, strrchr(path, '/') + 1));
	close(dev);
}

/* Device memory and ordinary memory in one range */
TEST_F(observe, message_mixed)
{
	struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	char path[300], node[300];
	uint32_t id;
	char *va;
	int dev;

	if (!find_pci(EDU_VENDOR, EDU_DEVICE, path, sizeof(path)) ||
	    !find_cdev(path, node, sizeof(node))) {
		ASSERT_EQ(NULL, getenv("VFIO_EDU"));
		SKIP(return, "no edu for VFIO");
	}
	dev = open(node, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, dev);
	ASSERT_EQ(0, vfio_bind(dev, self->fd, &id));
	ASSERT_EQ(0, vfio_decode(dev, true));
	ASSERT_EQ(0, t_call(dev, VFIO_DEVICE_GET_REGION_INFO, &region));
	va = t_alloc(4 * T_PAGE);
	ASSERT_NE(NULL, va);
	ASSERT_NE(MAP_FAILED, mmap(va, 2 * T_PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_FIXED, dev, region.offset));
	/* What is only mapped nobody looks at. */
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, NULL, NULL, NULL));
	EXPECT_LOGGED(EFAULT,
		      t_map_at(self->fd, self->ioas, va, 4 * T_PAGE, T_BASE),
		      "only part of the range is device memory");
	munmap(va, 4 * T_PAGE);
	close(dev);
}

TEST_HARNESS_MAIN
