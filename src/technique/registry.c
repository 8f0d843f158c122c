/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every technique, in the order in which it is listed and in which "*" expands. One line each. */
#include "technique/technique.h"

extern const struct technique_ops technique_native, technique_oci, technique_docker, technique_delay,
	technique_null;

const struct technique_ops *const technique_registry[] = {
	&technique_native,
	&technique_oci,
	&technique_docker,
	&technique_delay,
	&technique_null,
	NULL,
};
