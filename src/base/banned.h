/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Included before everything else (see meson.build): functions that have bitten too many programs are not to
 * be had here. Use snprintf/xasprintf, strtok_r, gmtime_r, child_run().
 */
#ifndef VTAX_BASE_BANNED_H
#define VTAX_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok gmtime localtime ctime asctime
#pragma GCC poison system popen atoi atol atoll

#endif
