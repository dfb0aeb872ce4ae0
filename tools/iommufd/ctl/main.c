// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommufdctl: who uses /dev/iommu, and for what. Reads fdinfo and sysfs only.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "scan.h"

enum { FOUND = 0, NOT_FOUND = 1, WRONG_USE = 2 };

/* What is wanted: all if none of it is set */
struct choice {
	pid_t pid;
	int fd;			/* -1: any */
	unsigned long long context;
};

struct request {
	bool json;
	bool details;
	bool watch;
	double seconds;
	unsigned long rounds;	/* 0: for ever */
	struct choice choice;
};

static void print_usage(FILE *to)
{
	fprintf(to,
		"usage: iommufdctl [--json] [list]\n"
		"       iommufdctl [--json] show [PID | PID:FD | @CONTEXT]\n"
		"       iommufdctl [--json] [-n SECONDS] [-c ROUNDS] watch [list | show ...]\n"
		"\n"
		"Who holds /dev/iommu or /dev/vfio/vfio, and what is in it.\n"
		"  -j, --json             one line of JSON\n"
		"  -n, --interval=SECONDS watch: look again after so long (2)\n"
		"  -c, --count=ROUNDS     watch: stop after so many looks\n");
}

static bool holds(const struct context *context, const struct choice *choice)
{
	size_t i, j;

	for (i = 0; i < context->nholders; i++) {
		const struct holder *holder = &context->holders[i];

		if (holder->pid != choice->pid)
			continue;
		if (choice->fd < 0)
			return true;
		for (j = 0; j < holder->nfds; j++)
			if (holder->fds[j] == choice->fd)
				return true;
	}
	return false;
}

static bool is_wanted(const struct context *context,
		      const struct choice *choice)
{
	if (choice->context)
		return context->number == choice->context;
	return !choice->pid || holds(context, choice);
}

static int look(const struct request *request)
{
	const struct choice *choice = &request->choice;
	struct model model;
	size_t i, found = 0;
	bool *wanted;

	if (!scan(&model))
		return NOT_FOUND;
	wanted = calloc(model.ncontexts + 1, sizeof(*wanted));
	if (!wanted)
		return NOT_FOUND;
	for (i = 0; i < model.ncontexts; i++) {
		wanted[i] = is_wanted(&model.contexts[i], choice);
		found += wanted[i];
	}
	if (request->json)
		json_show(&model, wanted);
	else if (request->details)
		text_show(&model, wanted);
	else
		text_list(&model, wanted);
	fflush(stdout);
	if (model.hidden && !request->watch)
		fprintf(stderr,
			"iommufdctl: %u processes could not be looked at; root sees all\n",
			model.hidden);
	free(wanted);
	model_free(&model);
	return found || !(choice->pid || choice->context) ? FOUND : NOT_FOUND;
}

static int watch(const struct request *request)
{
	bool clear = !request->json && isatty(STDOUT_FILENO);
	unsigned long round;
	int status = FOUND;

	for (round = 0; !request->rounds || round < request->rounds; round++) {
		if (round)
			usleep(request->seconds * 1e6);
		if (clear)
			printf("\033[H\033[2J");
		else if (round && !request->json)
			putchar('\n');
		status = look(request);
		if (ferror(stdout))
			return NOT_FOUND;
	}
	return status;
}

static bool parse_number(const char *text, char end, unsigned long long *number,
			 const char **rest)
{
	char *after;

	if (*text < '0' || *text > '9')
		return false;
	*number = strtoull(text, &after, 10);
	*rest = after;
	return !*after || *after == end;
}

/* PID, PID:FD or @CONTEXT */
static bool parse_choice(const char *text, struct choice *choice)
{
	unsigned long long number;
	const char *rest;

	if (*text == '@')
		return parse_number(text + 1, 0, &choice->context, &rest) &&
		       choice->context;
	if (!parse_number(text, ':', &number, &rest) || !number)
		return false;
	choice->pid = number;
	if (!*rest)
		return true;
	if (!parse_number(rest + 1, 0, &number, &rest))
		return false;
	choice->fd = number;
	return true;
}

static bool parse_command(char **words, struct request *request)
{
	if (*words && !strcmp(*words, "watch")) {
		request->watch = true;
		words++;
	}
	if (!*words)
		return true;
	if (!strcmp(*words, "list"))
		return !words[1];
	if (strcmp(*words, "show"))
		return false;
	request->details = true;
	if (!words[1])
		return true;
	return parse_choice(words[1], &request->choice) && !words[2];
}

static bool parse_options(int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "interval", required_argument, NULL, 'n' },
		{ "count", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	int option;
	char *end;

	while ((option = getopt_long(argc, argv, "jn:c:h", options, NULL)) !=
	       -1) {
		switch (option) {
		case 'j':
			request->json = true;
			break;
		case 'n':
			request->seconds = strtod(optarg, &end);
			if (*end || !(request->seconds >= 0.1 &&
				      request->seconds <= 3600))
				return false;
			break;
		case 'c':
			request->rounds = strtoul(optarg, &end, 10);
			if (*end || !request->rounds)
				return false;
			break;
		case 'h':
			print_usage(stdout);
			exit(0);
		default:
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	struct request request = { .seconds = 2, .choice.fd = -1 };

	if (!parse_options(argc, argv, &request) ||
	    !parse_command(argv + optind, &request)) {
		print_usage(stderr);
		return WRONG_USE;
	}
	return request.watch ? watch(&request) : look(&request);
}
