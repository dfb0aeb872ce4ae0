/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How contexts are shown. @wanted says for each context of the model whether it
 * is to be shown.
 */
#ifndef IOMMUFDCTL_OUTPUT_H
#define IOMMUFDCTL_OUTPUT_H

#include "model.h"

/* A line for each process that holds a context */
void text_list(const struct model *model, const bool *wanted);
/* And all that is in them */
void text_show(const struct model *model, const bool *wanted);
/* One array, on one line */
void json_show(const struct model *model, const bool *wanted);

#endif
