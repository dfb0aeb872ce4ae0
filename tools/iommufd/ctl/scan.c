// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every descriptor of every process whose link has the name of our nodes, and
 * whose fdinfo has our keys. Processes and descriptors come and go meanwhile:
 * what is not there any more is passed over.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "scan.h"

/* All of a file, to be freed; NULL if it cannot be read */
static char *read_file(const char *path)
{
	char *text = NULL;
	FILE *f = fopen(path, "re");
	size_t size = 0;

	if (!f)
		return NULL;
	/* No file here has a zero byte. */
	if (getdelim(&text, &size, 0, f) < 0) {
		free(text);
		text = NULL;
	}
	fclose(f);
	return text;
}

static char *read_comm(pid_t pid)
{
	char path[64], *comm;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	comm = read_file(path);
	if (!comm)
		return copy_text("", 0);
	/* There may be others in the name. */
	n = strlen(comm);
	if (n && comm[n - 1] == '\n')
		comm[n - 1] = 0;
	return comm;
}

static unsigned long long read_limit(pid_t pid)
{
	static const char name[] = "Max locked memory";
	unsigned long long limit = UNKNOWN_LIMIT;
	char path[64], *text, *line;

	snprintf(path, sizeof(path), "/proc/%d/limits", pid);
	text = read_file(path);
	line = text ? strstr(text, name) : NULL;
	if (line) {
		line += strlen(name);
		line += strspn(line, " ");
		limit = isdigit((unsigned char)*line) ?
				strtoull(line, NULL, 10) : NO_LIMIT;
	}
	free(text);
	return limit;
}

/* Which driver has a device; NULL if sysfs does not tell */
static const char *driver_of(const struct object *device, char *buf)
{
	const char *name = object_get(device, "name");
	const char *group = object_get(device, "group");
	char path[PATH_MAX];
	ssize_t n;

	if (!name || !group || strchr(name, '/') || strchr(group, '/'))
		return NULL;
	snprintf(path, sizeof(path),
		 "/sys/kernel/iommu_groups/%s/devices/%s/driver", group, name);
	n = readlink(path, buf, PATH_MAX - 1);
	if (n <= 0)
		return NULL;
	buf[n] = 0;
	return strrchr(buf, '/') ? strrchr(buf, '/') + 1 : buf;
}

static void add_drivers(struct context *context)
{
	char buf[PATH_MAX];
	const char *driver;
	size_t i;

	for (i = 0; i < context->nobjects; i++) {
		if (strcmp(context->objects[i].kind, "device"))
			continue;
		driver = driver_of(&context->objects[i], buf);
		if (driver)
			object_add(&context->objects[i], "driver", driver);
	}
}

/* The nodes are called so wherever they are seen from. */
static bool is_node(const char *link)
{
	const char *name = strrchr(link, '/');

	return name && (!strcmp(name, "/iommu") || !strcmp(name, "/vfio"));
}

static void look_at_fd(struct model *model, pid_t pid, int fd, const char *node)
{
	struct context parsed, *context;
	struct holder *holder;
	char path[64], *info;
	bool ours;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	info = read_file(path);
	ours = info && model_parse(info, &parsed);
	free(info);
	if (!ours)
		return;
	context = model_enter(model, &parsed);
	if (!context->nholders)
		add_drivers(context);
	holder = model_holder(context, pid);
	if (!holder->comm) {
		holder->comm = read_comm(pid);
		holder->node = copy_text(node, strlen(node));
		holder->limit = read_limit(pid);
	}
	holder->fds = grow(holder->fds, holder->nfds, sizeof(*holder->fds));
	holder->fds[holder->nfds++] = fd;
}

/* The name of a folder or link in /proc as a number; -1 if it is none */
static int number(const char *name)
{
	char *end;
	long n = strtol(name, &end, 10);

	return *end || end == name || n < 0 || n > INT_MAX ? -1 : n;
}

static void look_at_process(struct model *model, pid_t pid)
{
	char path[64], link[PATH_MAX];
	struct dirent *entry;
	ssize_t n;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir) {
		model->hidden += errno == EACCES || errno == EPERM;
		return;
	}
	while ((entry = readdir(dir))) {
		if (number(entry->d_name) < 0)
			continue;
		n = readlinkat(dirfd(dir), entry->d_name, link,
			       sizeof(link) - 1);
		if (n <= 0)
			continue;
		link[n] = 0;
		if (is_node(link))
			look_at_fd(model, pid, number(entry->d_name), link);
	}
	closedir(dir);
}

static int by_number(const void *a, const void *b)
{
	const struct context *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

bool scan(struct model *model)
{
	struct dirent *entry;
	DIR *dir;

	*model = (struct model){};
	dir = opendir("/proc");
	if (!dir) {
		fprintf(stderr, "iommufdctl: /proc: %s\n", strerror(errno));
		return false;
	}
	while ((entry = readdir(dir)))
		if (number(entry->d_name) > 0)
			look_at_process(model, number(entry->d_name));
	closedir(dir);
	if (model->ncontexts)
		qsort(model->contexts, model->ncontexts,
		      sizeof(*model->contexts), by_number);
	return true;
}
