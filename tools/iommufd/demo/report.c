// SPDX-License-Identifier: GPL-2.0-only
/*
 * Output, time and instruction counts of the demo.
 *
 * The scenario runs in one thread, the only one that counts. A second one looks
 * at the clock and prints a line when the current step has been silent for two
 * seconds; @lock guards what the two share, and stdout.
 *
 * Instructions come from the CPU's own counter through perf_event_open(). A CPU
 * emulated by QEMU has none. But QEMU can run a machine whose clocks advance by
 * one nanosecond with each instruction (-icount shift=0): there, the CPU time of
 * a thread is the number of instructions that were executed in it, in user and
 * kernel mode. Its times say nothing then. So the machine is run twice: once
 * with -icount and the word "demo.icount" on the kernel command line, where the
 * last line printed is the list of counts; and once as it is, with this list in
 * the environment variable DEMO_INSTRUCTIONS. Without any of these the column
 * reads n/a: nothing is guessed.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "report.h"

#define MAX_STEPS	20
#define SILENCE_NS	2000000000ull

enum insn_source {
	INSN_NONE,
	INSN_PMU,	/* user and kernel mode */
	INSN_PMU_USER,	/* the kernel forbids counting itself */
	INSN_ICOUNT,	/* CPU time of this thread, under QEMU -icount shift=0 */
	INSN_GIVEN,	/* from an earlier run */
};

struct counters {
	unsigned long long ns;
	unsigned long long ticks;
	unsigned long long insns;
};

struct step {
	const char *title;
	bool held;
	bool done;
	struct counters work;
	unsigned long long wait_ns;
};

static struct step steps[MAX_STEPS];
static unsigned int steps_planned;
static unsigned int steps_begun;
static unsigned int things_proved;

static enum insn_source insn_source;
static unsigned long long insns_given[MAX_STEPS];
static int perf_fd = -1;
static struct counters mark;
static unsigned int stopped = 1;
static unsigned long long wait_began_ns;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *waiting_for;
static unsigned long long last_line_ns;
static unsigned long long step_began_ns;
static bool running;

static unsigned long long clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

unsigned long long now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static unsigned long long ticks_now(void)
{
#if defined(__x86_64__)
	unsigned int low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (unsigned long long)high << 32 | low;
#else
	return 0;
#endif
}

/* Where instructions can't be counted, ticks are better than nothing. */
static bool tells_ticks(void)
{
	return insn_source == INSN_NONE && ticks_now();
}

static unsigned long long insns_now(void)
{
	unsigned long long value;

	switch (insn_source) {
	case INSN_PMU:
	case INSN_PMU_USER:
		if (read(perf_fd, &value, sizeof(value)) != sizeof(value))
			return 0;
		return value;
	case INSN_ICOUNT:
		return clock_ns(CLOCK_THREAD_CPUTIME_ID);
	case INSN_GIVEN:
	case INSN_NONE:
		break;
	}
	return 0;
}

static struct counters counters_now(void)
{
	struct counters c;

	c.ns = now_ns();
	c.ticks = ticks_now();
	c.insns = insns_now();
	return c;
}

/* Stop counting: add what happened since the mark to the current step. */
static void meter_stop(void)
{
	struct counters now = counters_now();
	struct step *step = &steps[steps_begun - 1];

	if (stopped++)
		return;
	step->work.ns += now.ns - mark.ns;
	step->work.ticks += now.ticks - mark.ticks;
	step->work.insns += now.insns - mark.insns;
}

static void meter_go(void)
{
	if (!--stopped)
		mark = counters_now();
}

static int open_perf(bool with_kernel)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.type = PERF_TYPE_HARDWARE;
	attr.size = sizeof(attr);
	attr.config = PERF_COUNT_HW_INSTRUCTIONS;
	attr.exclude_kernel = !with_kernel;
	attr.exclude_hv = 1;
	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static bool cmdline_has(const char *word)
{
	char line[4096];
	size_t len;
	FILE *f;

	f = fopen("/proc/cmdline", "re");
	if (!f)
		return false;
	len = fread(line, 1, sizeof(line) - 1, f);
	fclose(f);
	line[len] = 0;
	return strstr(line, word);
}

/* "12:345:6", one number for each step. */
static bool take_given(const char *list)
{
	unsigned int i;
	char *end;

	if (!list)
		return false;
	for (i = 0; i < steps_planned; i++) {
		insns_given[i] = strtoull(list, &end, 10);
		if (end == list || *end != (i + 1 < steps_planned ? ':' : 0))
			return false;
		list = end + 1;
	}
	return true;
}

static void choose_insn_source(void)
{
	if (cmdline_has("demo.icount")) {
		insn_source = INSN_ICOUNT;
		return;
	}
	perf_fd = open_perf(true);
	if (perf_fd >= 0) {
		insn_source = INSN_PMU;
		return;
	}
	perf_fd = open_perf(false);
	if (perf_fd >= 0)
		insn_source = INSN_PMU_USER;
	else if (take_given(getenv("DEMO_INSTRUCTIONS")))
		insn_source = INSN_GIVEN;
}

static void *watch(void *unused)
{
	(void)unused;
	for (;;) {
		unsigned long long now;

		usleep(250000);
		pthread_mutex_lock(&lock);
		now = now_ns();
		if (running && now - last_line_ns >= SILENCE_NS) {
			printf("      ... %s, %.0f s\n",
			       waiting_for ? waiting_for : "still at it",
			       (now - (waiting_for ? wait_began_ns :
						     step_began_ns)) / 1e9);
			fflush(stdout);
			last_line_ns = now;
		}
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

void report_init(unsigned int planned)
{
	pthread_t thread;

	steps_planned = planned;
	choose_insn_source();
	/* Without the thread only the signs of life are missing. */
	if (!pthread_create(&thread, NULL, watch, NULL))
		pthread_detach(thread);
}

static void say(const char *mark_text, const char *fmt, va_list ap, int err)
{
	pthread_mutex_lock(&lock);
	meter_stop();
	printf("  %s", mark_text);
	vprintf(fmt, ap);
	if (err)
		printf(": %s", strerror(err));
	printf("\n");
	fflush(stdout);
	last_line_ns = now_ns();
	meter_go();
	pthread_mutex_unlock(&lock);
}

void step_begin(const char *title)
{
	pthread_mutex_lock(&lock);
	steps[steps_begun].title = title;
	steps_begun++;
	printf("\n[%u/%u] %s\n", steps_begun, steps_planned, title);
	fflush(stdout);
	running = true;
	step_began_ns = now_ns();
	last_line_ns = step_began_ns;
	meter_go();
	pthread_mutex_unlock(&lock);
}

void step_end(bool held)
{
	pthread_mutex_lock(&lock);
	meter_stop();
	running = false;
	if (insn_source == INSN_GIVEN)
		steps[steps_begun - 1].work.insns = insns_given[steps_begun - 1];
	steps[steps_begun - 1].done = true;
	steps[steps_begun - 1].held = held;
	pthread_mutex_unlock(&lock);
}

void aside_begin(void)
{
	meter_stop();
}

void aside_end(void)
{
	meter_go();
}

void wait_begin(const char *what)
{
	pthread_mutex_lock(&lock);
	meter_stop();
	waiting_for = what;
	wait_began_ns = now_ns();
	pthread_mutex_unlock(&lock);
}

void wait_end(void)
{
	pthread_mutex_lock(&lock);
	steps[steps_begun - 1].wait_ns += now_ns() - wait_began_ns;
	waiting_for = NULL;
	meter_go();
	pthread_mutex_unlock(&lock);
}

void proved(const char *fmt, ...)
{
	va_list ap;

	things_proved++;
	va_start(ap, fmt);
	say("ok: ", fmt, ap, 0);
	va_end(ap);
}

void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("    ", fmt, ap, 0);
	va_end(ap);
}

int failed(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("FAILED: ", fmt, ap, 0);
	va_end(ap);
	return -1;
}

int failed_errno(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	say("FAILED: ", fmt, ap, err);
	va_end(ap);
	return -1;
}

static const char *insn_words(void)
{
	switch (insn_source) {
	case INSN_PMU:
		return "of the work, by the CPU's counter";
	case INSN_PMU_USER:
		return "of the work without the kernel's, by the CPU's counter";
	case INSN_ICOUNT:
		return "of the work, counted by QEMU";
	case INSN_GIVEN:
		return "of the same work, counted by QEMU in a run before";
	case INSN_NONE:
		break;
	}
	return "n/a, this (emulated) CPU has no counter for them";
}

static void print_row(const struct step *step, unsigned int nr)
{
	char number[12] = "", insns[24] = "n/a";

	if (nr)
		snprintf(number, sizeof(number), "%u", nr);
	if (insn_source != INSN_NONE)
		snprintf(insns, sizeof(insns), "%llu", step->work.insns);
	printf("  %2s %-42s %-6s %9.2f %9.2f %13s", number, step->title,
	       !step->done ? "-" : step->held ? "held" : "FAILED",
	       step->work.ns / 1e6, step->wait_ns / 1e6, insns);
	if (tells_ticks())
		printf(" %13llu", step->work.ticks);
	printf("\n");
}

static void print_counts(void)
{
	unsigned int i;

	printf("DEMO_INSTRUCTIONS=");
	for (i = 0; i < steps_begun; i++)
		printf("%s%llu", i ? ":" : "", steps[i].work.insns);
	printf("\n");
}

bool report_table(void)
{
	struct step total = { .title = "all steps", .held = true, .done = true };
	unsigned int i;

	pthread_mutex_lock(&lock);
	printf("\n  %2s %-42s %-6s %9s %9s %13s%s\n", "", "step", "result",
	       "work ms", "device ms", "instructions",
	       tells_ticks() ? "     TSC ticks" : "");
	for (i = 0; i < steps_begun; i++) {
		print_row(&steps[i], i + 1);
		total.held = total.held && steps[i].held;
		total.work.ns += steps[i].work.ns;
		total.work.ticks += steps[i].work.ticks;
		total.work.insns += steps[i].work.insns;
		total.wait_ns += steps[i].wait_ns;
	}
	if (steps_begun < steps_planned) {
		printf("     %u of the steps were not tried.\n",
		       steps_planned - steps_begun);
		total.held = false;
	}
	print_row(&total, 0);
	printf("\n  work: this program and the kernel, without output and checks of contents.\n");
	printf("  device: waiting for a device, or for the report of its fault.\n");
	printf("  instructions: %s.\n", insn_words());
	if (tells_ticks())
		printf("  TSC ticks: of the time stamp counter during work.\n");
	printf("\n%s: %u things proven in %u steps.\n",
	       total.held ? "Every step held" : "NOT every step held",
	       things_proved, steps_begun);
	if (insn_source == INSN_ICOUNT)
		print_counts();
	fflush(stdout);
	pthread_mutex_unlock(&lock);
	return total.held;
}
