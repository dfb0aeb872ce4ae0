/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that is there or ends the program.
 */
#ifndef IOMMUFDCTL_MEMORY_H
#define IOMMUFDCTL_MEMORY_H

#include <stddef.h>

/* Room for one more in an array of @n items of @size; the new one is zeroed. */
void *grow(void *array, size_t n, size_t size);
char *copy_text(const char *text, size_t length);

#endif
