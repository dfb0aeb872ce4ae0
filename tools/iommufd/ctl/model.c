// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "model.h"

#define PREFIX "iommufd-"

static void add_pair(struct object *object, char *key, char *value)
{
	object->pairs = grow(object->pairs, object->npairs,
			     sizeof(*object->pairs));
	object->pairs[object->npairs++] = (struct pair){ key, value };
}

void object_add(struct object *object, const char *key, const char *value)
{
	add_pair(object, copy_text(key, strlen(key)),
		 copy_text(value, strlen(value)));
}

const char *object_get(const struct object *object, const char *key)
{
	size_t i;

	for (i = 0; i < object->npairs; i++)
		if (!strcmp(object->pairs[i].key, key))
			return object->pairs[i].value;
	return NULL;
}

/* "id=1 type=paging"; a word without = is a key without value. */
static void parse_object(struct context *context, const char *kind,
			 size_t kind_len, const char *text, size_t length)
{
	const char *end = text + length;
	struct object *object;
	const char *word, *equals;
	size_t n;

	context->objects = grow(context->objects, context->nobjects,
				sizeof(*context->objects));
	object = &context->objects[context->nobjects++];
	object->kind = copy_text(kind, kind_len);
	for (word = text; word < end; word += n + 1) {
		const char *space = memchr(word, ' ', end - word);

		n = (space ? space : end) - word;
		equals = memchr(word, '=', n);
		if (equals)
			add_pair(object, copy_text(word, equals - word),
				 copy_text(equals + 1, word + n - equals - 1));
		else if (n)
			add_pair(object, copy_text(word, n), copy_text("", 0));
	}
}

static bool is(const char *key, size_t length, const char *name)
{
	return length == strlen(name) && !memcmp(key, name, length);
}

static void parse_line(struct context *context, const char *key, size_t key_len,
		       const char *value, size_t value_len)
{
	if (is(key, key_len, "context")) {
		context->number = strtoull(value, NULL, 10);
	} else if (is(key, key_len, "account-mode")) {
		free(context->mode);
		context->mode = copy_text(value, value_len);
	} else if (is(key, key_len, "pinned-bytes")) {
		context->pinned = strtoull(value, NULL, 10);
	} else if (is(key, key_len, "objects")) {
		context->count = strtoul(value, NULL, 10);
	} else {
		parse_object(context, key, key_len, value, value_len);
	}
}

bool model_parse(const char *fdinfo, struct context *parsed)
{
	const char *line, *end, *tab;

	*parsed = (struct context){};
	for (line = fdinfo; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		tab = memchr(line, '\t', end - line);
		if (strncmp(line, PREFIX, strlen(PREFIX)) || !tab ||
		    tab[-1] != ':')
			continue;
		line += strlen(PREFIX);
		parse_line(parsed, line, tab - 1 - line, tab + 1,
			   end - tab - 1);
	}
	if (parsed->number && parsed->mode)
		return true;
	model_forget(parsed);
	return false;
}

void model_forget(struct context *context)
{
	size_t i, j;

	for (i = 0; i < context->nobjects; i++) {
		struct object *object = &context->objects[i];

		for (j = 0; j < object->npairs; j++) {
			free(object->pairs[j].key);
			free(object->pairs[j].value);
		}
		free(object->pairs);
		free(object->kind);
	}
	for (i = 0; i < context->nholders; i++) {
		free(context->holders[i].comm);
		free(context->holders[i].node);
		free(context->holders[i].fds);
	}
	free(context->objects);
	free(context->holders);
	free(context->mode);
	*context = (struct context){};
}

void model_free(struct model *model)
{
	size_t i;

	for (i = 0; i < model->ncontexts; i++)
		model_forget(&model->contexts[i]);
	free(model->contexts);
	*model = (struct model){};
}

struct context *model_enter(struct model *model, struct context *parsed)
{
	size_t i;

	for (i = 0; i < model->ncontexts; i++) {
		if (model->contexts[i].number == parsed->number) {
			model_forget(parsed);
			return &model->contexts[i];
		}
	}
	model->contexts = grow(model->contexts, model->ncontexts,
			       sizeof(*model->contexts));
	model->contexts[model->ncontexts] = *parsed;
	return &model->contexts[model->ncontexts++];
}

struct holder *model_holder(struct context *context, pid_t pid)
{
	size_t i;

	for (i = 0; i < context->nholders; i++)
		if (context->holders[i].pid == pid)
			return &context->holders[i];
	context->holders = grow(context->holders, context->nholders,
				sizeof(*context->holders));
	context->holders[context->nholders].pid = pid;
	return &context->holders[context->nholders++];
}

unsigned long count_kind(const struct context *context, const char *kind)
{
	unsigned long n = 0;
	size_t i;

	for (i = 0; i < context->nobjects; i++)
		n += !strcmp(context->objects[i].kind, kind);
	return n;
}

unsigned long long sum_of(const struct context *context, const char *kind,
			  const char *key)
{
	const char *value;
	unsigned long long sum = 0;
	size_t i;

	for (i = 0; i < context->nobjects; i++) {
		if (strcmp(context->objects[i].kind, kind))
			continue;
		value = object_get(&context->objects[i], key);
		sum += value ? strtoull(value, NULL, 10) : 0;
	}
	return sum;
}
