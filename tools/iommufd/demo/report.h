/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the person in front of the screen gets to see: numbered steps, what each
 * of them proved, a sign of life when one takes long, and a table at the end.
 */
#ifndef DEMO_REPORT_H
#define DEMO_REPORT_H

#include <stdbool.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define PRINTF_ARGS(fmt, args) __format__(__printf__, fmt, args)
#define __printf(fmt, args) __attribute__((PRINTF_ARGS(fmt, args)))

/* Start counting, and the thread that shows progress. @steps is their number. */
void report_init(unsigned int steps);

/* A step runs from begin to end; @held says whether all of it came true. */
void step_begin(const char *title);
void step_end(bool held);

/* Something that was proven, something worth knowing, something that is wrong. */
void proved(const char *fmt, ...) __printf(1, 2);
void note(const char *fmt, ...) __printf(1, 2);
/* Always returns -1, so that a function can end with `return failed(...)`. */
int failed(const char *fmt, ...) __printf(1, 2);
/* The same, with the meaning of errno behind it. */
int failed_errno(const char *fmt, ...) __printf(1, 2);

/*
 * Bracket what is not the subject: making up and comparing contents. It appears
 * in no figure. Brackets may nest. What is printed is left out by itself.
 */
void aside_begin(void);
void aside_end(void);

/*
 * Bracket the time a device takes for its own work. It is shown in a column of
 * its own, and what the CPU executes meanwhile (polling) is not counted. Not
 * inside of an aside.
 */
void wait_begin(const char *what);
void wait_end(void);

/* Monotonic time in nanoseconds. */
unsigned long long now_ns(void);

/* Print the table. True if every step was run and held. */
bool report_table(void);

#endif
