// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

static void *need(void *memory)
{
	if (!memory) {
		fprintf(stderr, "iommufdctl: out of memory\n");
		exit(1);
	}
	return memory;
}

void *grow(void *array, size_t n, size_t size)
{
	/* Twice as large at each power of two: other times there is room. */
	if (!(n & (n - 1)))
		array = need(reallocarray(array, n ? 2 * n : 1, size));
	memset((char *)array + n * size, 0, size);
	return array;
}

char *copy_text(const char *text, size_t length)
{
	return need(strndup(text, length));
}
