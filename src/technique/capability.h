/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The capabilities that root keeps in a container. */
#ifndef VTAX_TECHNIQUE_CAPABILITY_H
#define VTAX_TECHNIQUE_CAPABILITY_H

enum capability_choice { CAPABILITY_DEFAULT, CAPABILITY_ALL, CAPABILITY_NONE };
#define CAPABILITY_CHOICES "default|all|none" /* in the order of the enum */

/* "CAP_CHOWN", …, NULL-terminated, static storage. "all" means all that we hold ourselves. */
const char *const *capability_list(enum capability_choice choice);

/* Those that the kernel knows and that we do not hold (vtax itself may run in a container). */
const char *const *capability_missing(void);

#endif
