/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Control groups for tests: what the dmem controller says of pinned pages.
 *
 * Groups are made below the root of the unified hierarchy and are named after
 * the test's process; a number tells those of one test apart.
 */
#ifndef SELFTESTS_IOMMUFD_CGROUP_H
#define SELFTESTS_IOMMUFD_CGROUP_H

#include "util.h"

#define T_CGROUP "/sys/fs/cgroup"
#define T_REGION "iommufd/pinned"
#define T_NO_DMEM "no dmem controller at " T_CGROUP

/* Who makes the groups: children that a test forks use the same. */
static pid_t t_cgroup_owner;

static inline const char *t_cgroup_path(unsigned int nr, const char *file)
{
	static char path[128];

	snprintf(path, sizeof(path), T_CGROUP "/iommufd-%d-%u/%s",
		 t_cgroup_owner, nr, file);
	return path;
}

static inline int t_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return errno;
	err = write(fd, text, strlen(text)) < 0 ? errno : 0;
	close(fd);
	return err;
}

static inline int t_cgroup_make(unsigned int nr)
{
	t_cgroup_owner = t_cgroup_owner ?: getpid();
	t_write_file(T_CGROUP "/cgroup.subtree_control", "+dmem");
	if (mkdir(t_cgroup_path(nr, ""), 0755))
		return errno;
	return access(t_cgroup_path(nr, "dmem.max"), F_OK) ? ENOENT : 0;
}

/* A process goes into a group; 0 is the caller. */
static inline int t_cgroup_put(unsigned int nr, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return t_write_file(t_cgroup_path(nr, "cgroup.procs"), text);
}

static inline int t_cgroup_enter(unsigned int nr)
{
	return t_cgroup_put(nr, 0);
}

/* Everybody has left. Processes that have been waited for may linger a bit. */
static inline int t_cgroup_remove(unsigned int nr)
{
	unsigned int tries;

	t_write_file(T_CGROUP "/cgroup.procs", "0");
	for (tries = 0; rmdir(t_cgroup_path(nr, "")); tries++) {
		if (errno != EBUSY || tries == 100)
			return errno;
		usleep(10000);
	}
	return 0;
}

static inline int t_cgroup_limit(unsigned int nr, uint64_t bytes)
{
	char text[64];

	snprintf(text, sizeof(text), T_REGION " %llu",
		 (unsigned long long)bytes);
	return t_write_file(t_cgroup_path(nr, "dmem.max"), text);
}

/* Bytes that are charged to a group, or -1. */
static inline long t_cgroup_pinned(unsigned int nr)
{
	size_t n = strlen(T_REGION);
	char line[256];
	long bytes = -1;
	FILE *f;

	f = fopen(t_cgroup_path(nr, "dmem.current"), "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, T_REGION, n) && line[n] == ' ')
			bytes = strtol(line + n + 1, NULL, 10);
	fclose(f);
	return bytes;
}

#endif
