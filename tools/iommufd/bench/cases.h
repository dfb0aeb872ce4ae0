/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include "memory.h"
#include "space.h"

/* Each prints its results; 'io' is NULL where the interface is not iommufd. */
void case_sizes(struct space *s, struct memory *mem);
void case_files(struct space *s, struct memory *mem);
void case_kernel_memory(struct space *s, struct memory *mem);
void case_second_table(struct iommufd *io, struct memory *mem);
void case_copy(struct iommufd *io, struct memory *mem);
void case_access(struct iommufd *io, struct memory *mem);
void case_areas(struct space *s, struct memory *mem, unsigned int n);
void case_threads(struct space *s, struct iommufd *io, struct memory *mem);

#endif
