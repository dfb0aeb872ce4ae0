// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "output.h"

/* What is not ASCII need not be UTF-8: each byte for itself, so it is valid. */
static void put_string(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	putchar('"');
	for (; *at; at++) {
		if (*at == '"' || *at == '\\')
			printf("\\%c", *at);
		else if (*at < 0x20 || *at >= 0x7f)
			printf("\\u%04x", *at);
		else
			putchar(*at);
	}
	putchar('"');
}

static bool is_octal(const char *at)
{
	return at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' &&
	       at[2] <= '7' && at[3] >= '0' && at[3] <= '7';
}

/* The kernel writes a space in a value as \040. */
static void put_value(const char *value)
{
	char plain[256];
	size_t n = 0;

	for (; *value && n < sizeof(plain) - 1; n++) {
		if (is_octal(value)) {
			plain[n] = (value[1] - '0') << 6 |
				   (value[2] - '0') << 3 | (value[3] - '0');
			value += 4;
		} else {
			plain[n] = *value++;
		}
	}
	plain[n] = 0;
	put_string(plain);
}

/* Names are strings, whatever they are made of. */
static bool is_number(const struct pair *pair)
{
	const char *value = pair->value;
	size_t digits = strspn(value, "0123456789");

	return strcmp(pair->key, "name") && strcmp(pair->key, "type") &&
	       strcmp(pair->key, "driver") && digits && !value[digits] &&
	       digits < 20 && (value[0] != '0' || digits == 1);
}

static void put_object(const struct object *object)
{
	size_t i;

	printf("{\"kind\":");
	put_string(object->kind);
	for (i = 0; i < object->npairs; i++) {
		putchar(',');
		put_string(object->pairs[i].key);
		putchar(':');
		if (is_number(&object->pairs[i]))
			printf("%s", object->pairs[i].value);
		else
			put_value(object->pairs[i].value);
	}
	putchar('}');
}

static void put_holder(const struct holder *holder)
{
	size_t i;

	printf("{\"pid\":%d,\"comm\":", holder->pid);
	put_string(holder->comm);
	printf(",\"node\":");
	put_string(holder->node);
	printf(",\"fds\":[");
	for (i = 0; i < holder->nfds; i++)
		printf("%s%d", i ? "," : "", holder->fds[i]);
	printf("],\"memlock_bytes\":");
	if (holder->limit == NO_LIMIT || holder->limit == UNKNOWN_LIMIT)
		printf("null");
	else
		printf("%llu", holder->limit);
	putchar('}');
}

static void put_context(const struct context *context)
{
	size_t i;

	printf("{\"context\":%llu,\"account_mode\":", context->number);
	put_string(context->mode);
	printf(",\"pinned_bytes\":%llu,\"object_count\":%lu,\"holders\":[",
	       context->pinned, context->count);
	for (i = 0; i < context->nholders; i++) {
		if (i)
			putchar(',');
		put_holder(&context->holders[i]);
	}
	printf("],\"objects\":[");
	for (i = 0; i < context->nobjects; i++) {
		if (i)
			putchar(',');
		put_object(&context->objects[i]);
	}
	printf("]}");
}

void json_show(const struct model *model, const bool *wanted)
{
	bool any = false;
	size_t i;

	putchar('[');
	for (i = 0; i < model->ncontexts; i++) {
		if (!wanted[i])
			continue;
		if (any)
			putchar(',');
		put_context(&model->contexts[i]);
		any = true;
	}
	printf("]\n");
}
