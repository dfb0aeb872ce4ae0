/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known of all contexts: one look at the system.
 *
 * A context is one open of /dev/iommu or /dev/vfio/vfio; several processes may
 * hold it. Its objects are kept as the kernel tells them, word by word, so that
 * what a later kernel adds is shown too.
 */
#ifndef IOMMUFDCTL_MODEL_H
#define IOMMUFDCTL_MODEL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* RLIMIT_MEMLOCK of a process that has none, or that could not be read */
#define NO_LIMIT ULLONG_MAX
#define UNKNOWN_LIMIT (ULLONG_MAX - 1)

struct pair {
	char *key;
	char *value;
};

struct object {
	char *kind;		/* ioas, hwpt, device, access, object, ... */
	struct pair *pairs;
	size_t npairs;
};

struct holder {
	pid_t pid;
	char *comm;
	char *node;		/* what it opened, as it is called there */
	unsigned long long limit;		/* bytes */
	int *fds;
	size_t nfds;
};

struct context {
	unsigned long long number;
	char *mode;
	unsigned long long pinned;	/* bytes */
	unsigned long count;	/* of objects, also those without a line */
	struct object *objects;
	size_t nobjects;
	struct holder *holders;
	size_t nholders;
};

struct model {
	struct context *contexts;
	size_t ncontexts;
	unsigned int hidden;	/* processes that could not be looked at */
};

/* Takes the contents of a fdinfo file. False if it is not that of a context. */
bool model_parse(const char *fdinfo, struct context *parsed);
void model_forget(struct context *context);
void model_free(struct model *model);

/* The context of this number; what was parsed becomes it if it is the first. */
struct context *model_enter(struct model *model, struct context *parsed);
struct holder *model_holder(struct context *context, pid_t pid);

const char *object_get(const struct object *object, const char *key);
void object_add(struct object *object, const char *key, const char *value);
unsigned long count_kind(const struct context *context, const char *kind);
unsigned long long sum_of(const struct context *context, const char *kind,
			  const char *key);

#endif
