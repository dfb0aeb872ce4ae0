// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "output.h"

/* As few digits as tell what matters */
static const char *size(unsigned long long bytes, char *buf, size_t room)
{
	static const char units[] = "BKMGTPE";
	double value = bytes;
	int unit = 0;

	if (bytes == NO_LIMIT)
		return "unlimited";
	if (bytes == UNKNOWN_LIMIT)
		return "?";
	while (value >= 1024) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, room, "%.*f%c", unit && value < 10 ? 1 : 0, value,
		 units[unit]);
	return buf;
}

/* A process chooses its own name: none of it may move the cursor. */
static void put_plain(const char *text, int width)
{
	int n = 0;

	for (; *text; text++, n++)
		putchar(isprint((unsigned char)*text) ? *text : '?');
	for (; n < width; n++)
		putchar(' ');
}

static void put_fds(const struct holder *holder)
{
	size_t i;

	for (i = 0; i < holder->nfds; i++)
		printf("%s%d", i ? "," : "", holder->fds[i]);
}

void text_list(const struct model *model, const bool *wanted)
{
	char pinned[32], limit[32];
	size_t i, j;

	printf("%-8s %-8s %-15s %-8s %9s %9s %5s %8s %5s %7s %8s  %s\n",
	       "CONTEXT", "PID", "COMMAND", "MODE", "PINNED", "LIMIT", "IOAS",
	       "AREAS", "HWPTS", "DEVICES", "ACCESSES", "FDS");
	for (i = 0; i < model->ncontexts; i++) {
		const struct context *context = &model->contexts[i];

		if (!wanted[i])
			continue;
		for (j = 0; j < context->nholders; j++) {
			const struct holder *holder = &context->holders[j];

			printf("%-8llu %-8d ", context->number,
			       holder->pid);
			put_plain(holder->comm, 15);
			printf(" %-8s %9s %9s %5lu %8llu %5lu %7lu %8lu  ",
			       context->mode,
			       size(context->pinned, pinned, sizeof(pinned)),
			       size(holder->limit, limit, sizeof(limit)),
			       count_kind(context, "ioas"),
			       sum_of(context, "ioas", "areas"),
			       count_kind(context, "hwpt"),
			       count_kind(context, "device"),
			       count_kind(context, "access"));
			put_fds(holder);
			putchar('\n');
		}
	}
}

static void show_holder(const struct holder *holder)
{
	char limit[32];

	printf("  held by %d ", holder->pid);
	put_plain(holder->comm, 0);
	printf(", fd ");
	put_fds(holder);
	printf(" of ");
	put_plain(holder->node, 0);
	printf(", RLIMIT_MEMLOCK %s\n",
	       size(holder->limit, limit, sizeof(limit)));
}

static void show_object(const struct object *object)
{
	size_t i;

	printf("  %-8s", object->kind);
	for (i = 0; i < object->npairs; i++) {
		printf(" %s=", object->pairs[i].key);
		put_plain(object->pairs[i].value, 0);
	}
	putchar('\n');
}

void text_show(const struct model *model, const bool *wanted)
{
	char pinned[32];
	size_t i, j;

	for (i = 0; i < model->ncontexts; i++) {
		const struct context *context = &model->contexts[i];

		if (!wanted[i])
			continue;
		printf("context %llu: mode %s, %s pinned, %lu objects\n",
		       context->number, context->mode,
		       size(context->pinned, pinned, sizeof(pinned)),
		       context->count);
		for (j = 0; j < context->nholders; j++)
			show_holder(&context->holders[j]);
		for (j = 0; j < context->nobjects; j++)
			show_object(&context->objects[j]);
		if (context->nobjects < context->count)
			printf("  and %lu more\n",
			       context->count - context->nobjects);
	}
}
