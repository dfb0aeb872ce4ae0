// SPDX-License-Identifier: GPL-2.0-only
/*
 * The benchmark: one interface, all cases. The host runs it in the test VM on
 * the kernels to compare (tools/iommufd/bench/run) and reads its output.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "measure.h"

struct options {
	const char *api;
	const char *device;
	const char *backings;
	const char *groups;
	bool instructions;
};

static const char usage[] =
"usage: bench --api iommufd|type1|bound-pages|bound-folio --device <PCI slot>\n"
"             [--backings <name,...>] [--groups <name,...>] [--insn]\n"
"backings: thp hugetlb memfd-huge 4k memfd\n"
"groups:   sizes files memory second copy access areas million threads\n";

static void parse(struct options *o, int argc, char **argv)
{
	int i;

	memset(o, 0, sizeof(*o));
	o->backings = "thp,hugetlb,memfd-huge,4k,memfd";
	o->groups = "sizes,files,memory,second,copy,access,areas,threads";
	for (i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(argv[i], "--insn")) {
			o->instructions = true;
			continue;
		}
		if (!strcmp(argv[i], "--api"))
			o->api = value;
		else if (!strcmp(argv[i], "--device"))
			o->device = value;
		else if (!strcmp(argv[i], "--backings"))
			o->backings = value;
		else if (!strcmp(argv[i], "--groups"))
			o->groups = value;
		else
			break;
		i++;
	}
	if (i != argc || !o->api || !o->device) {
		fputs(usage, stderr);
		exit(2);
	}
}

static void measure_backing(struct space *s, struct iommufd *io,
			    const struct backing *backing, bool kernel_side,
			    bool instructions)
{
	static const unsigned int counts[] = { 1000, 10000, 100000 };
	struct memory mem;
	const char *why;
	unsigned int i;

	progress("making 1 GiB: %s", backing->text);
	why = memory_get(&mem, backing, GIB);
	if (why) {
		not_available(why, "map/%s/1G", backing->name);
		return;
	}
	if (selected("sizes"))
		case_sizes(s, &mem);
	if (selected("files") && s->ops->map_file && mem.fd >= 0)
		case_files(s, &mem);
	if (selected("memory") && !kernel_side)
		case_kernel_memory(s, &mem);
	if (io && selected("second"))
		case_second_table(io, &mem);
	if (io && selected("copy"))
		case_copy(io, &mem);
	/* Its unit is the time stamp counter. */
	if (io && instructions && selected("access"))
		case_access(io, &mem);
	/* The rest is about areas, not about what is behind them. */
	if (!strcmp(backing->name, "4k") && !kernel_side) {
		for (i = 0; selected("areas") && i < ARRAY_SIZE(counts); i++)
			case_areas(s, &mem, counts[i]);
		if (selected("million"))
			case_areas(s, &mem, 1000000);
		if (selected("threads"))
			case_threads(s, io, &mem);
	}
	memory_put(&mem);
}

static void measure(struct space *s, struct iommufd *io, const char *list,
		    bool kernel_side, bool instructions)
{
	char *names = strdup(list), *name;

	for (name = strtok(names, ","); name; name = strtok(NULL, ","))
		measure_backing(s, io, backing_named(name), kernel_side,
				instructions);
	free(names);
}

int main(int argc, char **argv)
{
	struct options o;

	parse(&o, argc, argv);
	measure_init(o.instructions);
	select_groups(o.groups);
	enter_cgroup();
	drop_ipc_lock();

	if (!strcmp(o.api, "iommufd")) {
		struct iommufd io;

		iommufd_begin(&io, o.device);
		measure(&io.space, &io, o.backings, false,
			o.instructions);
		iommufd_end(&io);
	} else if (!strcmp(o.api, "type1")) {
		struct type1 t1;

		type1_begin(&t1, o.device);
		measure(&t1.space, NULL, o.backings, false,
			o.instructions);
		type1_end(&t1);
	} else if (!strcmp(o.api, "bound-pages") ||
		   !strcmp(o.api, "bound-folio")) {
		struct bound b;

		bound_begin(&b, !strcmp(o.api, "bound-folio"));
		measure(&b.space, NULL, o.backings, true, o.instructions);
		bound_end(&b);
	} else {
		fputs(usage, stderr);
		return 2;
	}
	printf("end\n");
	return 0;
}
