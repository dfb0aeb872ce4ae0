// SPDX-License-Identifier: GPL-2.0-only
/*
 * What all commands of /dev/iommu have in common: how the number is taken
 * apart, which sizes are accepted, which errno comes first, how much is read
 * and written. None of this depends on what a command does, therefore every
 * test here runs over the table of all commands.
 */
#include "util.h"

struct command {
	const char *name;
	unsigned long nr;
	uint32_t size;
	uint32_t min;
};

#define COMMAND(nr, type, min) { #nr, nr, sizeof(struct type), min }

/* The test command is the last: kernels without it leave it out. */
static const struct command commands[] = {
	COMMAND(IOMMU_DESTROY, iommu_destroy, 8),
	COMMAND(IOMMU_IOAS_ALLOC, iommu_ioas_alloc, 12),
	COMMAND(IOMMU_IOAS_ALLOW_IOVAS, iommu_ioas_allow_iovas, 24),
	COMMAND(IOMMU_IOAS_COPY, iommu_ioas_copy, 40),
	COMMAND(IOMMU_IOAS_IOVA_RANGES, iommu_ioas_iova_ranges, 32),
	COMMAND(IOMMU_IOAS_MAP, iommu_ioas_map, 40),
	COMMAND(IOMMU_IOAS_UNMAP, iommu_ioas_unmap, 24),
	COMMAND(IOMMU_OPTION, iommu_option, 24),
	COMMAND(IOMMU_VFIO_IOAS, iommu_vfio_ioas, 12),
	COMMAND(IOMMU_HWPT_ALLOC, iommu_hwpt_alloc, 24),
	COMMAND(IOMMU_GET_HW_INFO, iommu_hw_info, 32),
	COMMAND(IOMMU_HWPT_SET_DIRTY_TRACKING, iommu_hwpt_set_dirty_tracking,
		16),
	COMMAND(IOMMU_HWPT_GET_DIRTY_BITMAP, iommu_hwpt_get_dirty_bitmap, 48),
	COMMAND(IOMMU_HWPT_INVALIDATE, iommu_hwpt_invalidate, 32),
	COMMAND(IOMMU_FAULT_QUEUE_ALLOC, iommu_fault_alloc, 16),
	COMMAND(IOMMU_IOAS_MAP_FILE, iommu_ioas_map_file, 40),
	COMMAND(IOMMU_VIOMMU_ALLOC, iommu_viommu_alloc, 24),
	COMMAND(IOMMU_VDEVICE_ALLOC, iommu_vdevice_alloc, 24),
	COMMAND(IOMMU_IOAS_CHANGE_PROCESS, iommu_ioas_change_process, 8),
	COMMAND(IOMMU_VEVENTQ_ALLOC, iommu_veventq_alloc, 28),
	COMMAND(IOMMU_HW_QUEUE_ALLOC, iommu_hw_queue_alloc, 40),
	COMMAND(IOMMU_X_IOAS_UNMAP_DIRTY, iommu_x_ioas_unmap_dirty, 48),
	COMMAND(IOMMU_TEST_CMD, iommu_test_cmd, 68),
};

/* The numbers of the contract, so that a wrong header can't hide. */
static const struct {
	unsigned long nr;
	uint32_t size;
} contract[] = {
	{ 0x3b80, 8 },	{ 0x3b81, 12 }, { 0x3b82, 24 }, { 0x3b83, 40 },
	{ 0x3b84, 32 }, { 0x3b85, 40 }, { 0x3b86, 24 }, { 0x3b87, 24 },
	{ 0x3b88, 12 }, { 0x3b89, 48 }, { 0x3b8a, 40 }, { 0x3b8b, 16 },
	{ 0x3b8c, 48 }, { 0x3b8d, 32 }, { 0x3b8e, 16 }, { 0x3b8f, 40 },
	{ 0x3b90, 40 }, { 0x3b91, 24 }, { 0x3b92, 8 },	{ 0x3b93, 32 },
	{ 0x3b94, 40 }, { 0x3bc0, 48 }, { 0x3ba0, 72 },
};

static void set_size(void *arg, uint32_t size)
{
	memcpy(arg, &size, sizeof(size));
}

FIXTURE(envelope)
{
	int fd;
	bool mock;
	const struct command *end;
	char *cliff;
};

FIXTURE_SETUP(envelope)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	self->mock = t_has_mock(self->fd);
	self->end = commands + ARRAY_SIZE(commands) - !self->mock;
	self->cliff = t_cliff();
	ASSERT_NE(NULL, self->cliff);
}

FIXTURE_TEARDOWN(envelope)
{
	close(self->fd);
}

TEST(numbers_and_layouts)
{
	size_t i;

	ASSERT_EQ(ARRAY_SIZE(contract), ARRAY_SIZE(commands));
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		EXPECT_EQ(contract[i].nr, commands[i].nr);
		EXPECT_EQ(contract[i].size, commands[i].size)
			TH_LOG("%s", commands[i].name);
	}
}

TEST_F(envelope, below_minimum_is_einval)
{
	const struct command *c;
	char arg[128];
	uint32_t size;

	for (c = commands; c < self->end; c++) {
		for (size = 0; size < c->min; size++) {
			/* Were it looked at, this would be other errnos. */
			memset(arg, 0xff, sizeof(arg));
			set_size(arg, size);
			EXPECT_EQ(EINVAL, t_call(self->fd, c->nr, arg))
				TH_LOG("%s size %u", c->name, size);
		}
	}
}

TEST_F(envelope, below_minimum_wins_over_unreadable_rest)
{
	const struct command *c;
	char *arg = self->cliff + T_PAGE - 4;

	for (c = commands; c < self->end; c++) {
		set_size(arg, c->min - 1);
		EXPECT_EQ(EINVAL, t_call(self->fd, c->nr, arg))
			TH_LOG("%s", c->name);
	}
}

TEST_F(envelope, unknown_tail_is_e2big)
{
	const struct command *c;
	char arg[512];
	size_t at;

	for (c = commands; c < self->end; c++) {
		for (at = c->size; at < sizeof(arg);
		     at += at < c->size + 9u ? 1 : 61) {
			memset(arg, 0, sizeof(arg));
			set_size(arg, sizeof(arg));
			arg[at] = 1;
			EXPECT_EQ(E2BIG, t_call(self->fd, c->nr, arg))
				TH_LOG("%s byte %zu", c->name, at);
		}
		/* What lies behind size is none of the kernel's business. */
		memset(arg, 0, sizeof(arg));
		set_size(arg, c->size + 8);
		arg[c->size + 8] = 1;
		EXPECT_NE(E2BIG, t_call(self->fd, c->nr, arg))
			TH_LOG("%s", c->name);
	}
}

TEST_F(envelope, zero_tail_changes_nothing)
{
	const struct command *c;
	size_t length = 3UL << 20;
	char exact[128], *large, *tail;
	int expected;
	size_t i;

	large = mmap(NULL, length, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, large);
	for (c = commands; c < self->end; c++) {
		memset(exact, 0, sizeof(exact));
		set_size(exact, c->size);
		expected = t_call(self->fd, c->nr, exact);

		memset(large, 0, 128);
		set_size(large, length);
		EXPECT_EQ(expected, t_call(self->fd, c->nr, large))
			TH_LOG("%s", c->name);
		tail = large + c->size;
		for (i = 0; i < 128; i++)
			ASSERT_EQ(0, tail[i])
				TH_LOG("%s wrote byte %zu", c->name,
				       c->size + i);
	}
}

TEST_F(envelope, unreadable_tail_is_efault)
{
	const struct command *c;
	char *arg;

	for (c = commands; c < self->end; c++) {
		arg = self->cliff + T_PAGE - c->size;
		memset(arg, 0, c->size);
		set_size(arg, c->size + 8);
		EXPECT_EQ(EFAULT, t_call(self->fd, c->nr, arg))
			TH_LOG("%s", c->name);
	}
}

TEST_F(envelope, unreadable_struct_is_efault)
{
	const struct command *c;
	char *arg;

	for (c = commands; c < self->end; c++) {
		/* The size can be read, the rest can not. */
		arg = self->cliff + T_PAGE - 4;
		set_size(arg, c->size);
		EXPECT_EQ(EFAULT, t_call(self->fd, c->nr, arg))
			TH_LOG("%s", c->name);
		/* All but the last byte of the smallest struct */
		arg = self->cliff + T_PAGE - c->min + 1;
		memset(arg, 0, c->min - 1);
		set_size(arg, c->min);
		EXPECT_EQ(EFAULT, t_call(self->fd, c->nr, arg))
			TH_LOG("%s", c->name);
	}
}

TEST_F(envelope, unreadable_size_is_efault)
{
	const struct command *c;

	for (c = commands; c < self->end; c++) {
		EXPECT_EQ(EFAULT, t_call(self->fd, c->nr, NULL))
			TH_LOG("%s", c->name);
		EXPECT_EQ(EFAULT, t_call(self->fd, c->nr, self->cliff + T_PAGE))
			TH_LOG("%s", c->name);
		/* Two of the four bytes */
		EXPECT_EQ(EFAULT, t_call(self->fd, c->nr,
					 self->cliff + T_PAGE - 2))
			TH_LOG("%s", c->name);
		EXPECT_EQ(EFAULT, t_call(self->fd, c->nr,
					 (void *)(uintptr_t)-8))
			TH_LOG("%s", c->name);
	}
}

TEST_F(envelope, shortest_struct_is_accepted)
{
	const struct command *c;
	char full[128], *arg;
	int expected;

	/*
	 * Zeroes stand for what is missing, hence the answer equals that to a
	 * full struct of zeroes, also where memory ends with the struct.
	 */
	for (c = commands; c < self->end; c++) {
		memset(full, 0, sizeof(full));
		set_size(full, c->size);
		expected = t_call(self->fd, c->nr, full);

		arg = self->cliff + T_PAGE - c->min;
		memset(arg, 0, c->min);
		set_size(arg, c->min);
		EXPECT_EQ(expected, t_call(self->fd, c->nr, arg))
			TH_LOG("%s", c->name);
	}
}

TEST_F(envelope, all_sizes_in_between)
{
	const struct command *c;
	char full[128], arg[256];
	uint32_t size;
	int expected;

	for (c = commands; c < self->end; c++) {
		memset(full, 0, sizeof(full));
		set_size(full, c->size);
		expected = t_call(self->fd, c->nr, full);
		for (size = c->min; size <= c->size + 32; size++) {
			memset(arg, 0, sizeof(arg));
			set_size(arg, size);
			EXPECT_EQ(expected, t_call(self->fd, c->nr, arg))
				TH_LOG("%s size %u", c->name, size);
		}
	}
}

TEST_F(envelope, holes_of_the_table)
{
	uint32_t arg[32] = { sizeof(arg) };
	unsigned long nr;

	for (nr = 0x3b95; nr <= 0x3b9f; nr++) {
		EXPECT_EQ(ENOTTY, t_call(self->fd, nr, arg))
			TH_LOG("0x%lx", nr);
		/* With the test command the holes are inside the table. */
		EXPECT_EQ(self->mock ? EFAULT : ENOTTY,
			  t_call(self->fd, nr, NULL))
			TH_LOG("0x%lx", nr);
	}
}

TEST_F(envelope, outside_of_the_table)
{
	uint32_t arg[32] = { sizeof(arg) };
	unsigned long nr;

	/* Nothing is read here, so a bad pointer makes no difference. */
	for (nr = 0; nr < 0x100; nr++) {
		if (nr >= 0x64 && nr <= 0x7f)
			continue;
		if ((nr >= 0x80 && nr <= 0xa0) || nr == 0xc0)
			continue;
		EXPECT_EQ(ENOTTY, t_call(self->fd, 0x3b00 | nr, arg))
			TH_LOG("0x%lx", nr);
		EXPECT_EQ(ENOTTY, t_call(self->fd, 0x3b00 | nr, NULL))
			TH_LOG("0x%lx", nr);
	}
	/* Commands of VFIO that the emulation does not have */
	for (nr = 0x73; nr <= 0x7f; nr++) {
		EXPECT_EQ(ENOTTY, t_call(self->fd, 0x3b00 | nr, arg))
			TH_LOG("0x%lx", nr);
		EXPECT_EQ(ENOTTY, t_call(self->fd, 0x3b00 | nr, NULL))
			TH_LOG("0x%lx", nr);
	}
	/* The whole number counts, not the low byte. */
	EXPECT_EQ(ENOTTY, t_call(self->fd, _IO('<', 0x64), arg));
	EXPECT_EQ(ENOTTY, t_call(self->fd, _IOR(';', 0x64, uint32_t), arg));
}

TEST_F(envelope, other_bits_of_the_number)
{
	const struct command *c;
	unsigned long numbers[4];
	char arg[128];
	size_t i;

	for (c = commands; c < self->end; c++) {
		numbers[0] = _IOR(';', c->nr & 0xff, uint32_t);
		numbers[1] = _IOW(';', c->nr & 0xff, uint32_t);
		numbers[2] = _IO('<', c->nr & 0xff);
		numbers[3] = c->nr | 0x80000000UL;
		for (i = 0; i < ARRAY_SIZE(numbers); i++) {
			memset(arg, 0, sizeof(arg));
			set_size(arg, c->size);
			EXPECT_EQ(ENOTTY, t_call(self->fd, numbers[i], arg))
				TH_LOG("%s 0x%lx", c->name, numbers[i]);
			/* ENOTTY is for who could have been understood. */
			set_size(arg, 0);
			EXPECT_EQ(ENOTTY, t_call(self->fd, numbers[i], arg))
				TH_LOG("%s 0x%lx", c->name, numbers[i]);
			EXPECT_EQ(EFAULT, t_call(self->fd, numbers[i], NULL))
				TH_LOG("%s 0x%lx", c->name, numbers[i]);
		}
	}
}

TEST_F(envelope, answer_is_cut_to_the_callers_size)
{
	uint32_t ioas, idev, size;
	struct iommu_hw_info info;
	size_t i;

	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &ioas));
	ASSERT_EQ(0, t_mock(self->fd, ioas, NULL, NULL, &idev));

	for (size = 32; size <= sizeof(info); size += 4) {
		memset(&info, 0, sizeof(info));
		info.size = size;
		info.dev_id = idev;
		/* Behind the struct the caller promised, so not an input */
		memset((char *)&info + size, 0xee, sizeof(info) - size);
		ASSERT_EQ(0, t_call(self->fd, IOMMU_GET_HW_INFO, &info));
		EXPECT_EQ(IOMMU_HW_INFO_TYPE_SELFTEST, info.out_data_type);
		EXPECT_EQ(size, info.size);
		for (i = size; i < sizeof(info); i++)
			EXPECT_EQ(0xee, ((uint8_t *)&info)[i])
				TH_LOG("size %u byte %zu", size, i);
	}
}

TEST_F(envelope, unwritable_answer_creates_nothing)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	uint32_t first, second;
	void *readonly;

	readonly = t_readonly(&cmd, sizeof(cmd));
	ASSERT_NE(NULL, readonly);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &first));
	EXPECT_EQ(EFAULT, t_call(self->fd, IOMMU_IOAS_ALLOC, readonly));
	/* The lowest free ID is used, so a leak would show as a gap. */
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &second));
	EXPECT_EQ(first + 1, second);
}

TEST_F(envelope, file_has_only_ioctl_and_mmap)
{
	char byte;

	EXPECT_EQ(-1, read(self->fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(envelope, each_open_is_a_world)
{
	uint32_t ioas, other;
	int fd, dup_fd;

	fd = t_open();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &ioas));
	EXPECT_EQ(ENOENT, t_destroy(fd, ioas));
	ASSERT_EQ(0, t_ioas_alloc(fd, &other));
	EXPECT_EQ(ioas, other);
	EXPECT_EQ(0, t_destroy(fd, other));
	EXPECT_EQ(1, t_alignment(self->fd, ioas));

	dup_fd = dup(self->fd);
	ASSERT_LE(0, dup_fd);
	EXPECT_EQ(1, t_alignment(dup_fd, ioas));
	EXPECT_EQ(0, t_destroy(dup_fd, ioas));
	EXPECT_EQ(ENOENT, t_destroy(self->fd, ioas));
	close(dup_fd);
	close(fd);
}

TEST_F(envelope, child_shares_the_context)
{
	uint32_t ioas;
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(t_ioas_alloc(self->fd, &ioas) ? 0 : ioas);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_NE(0, WEXITSTATUS(status));
	EXPECT_EQ(1, t_alignment(self->fd, WEXITSTATUS(status)));
}

TEST_HARNESS_MAIN
