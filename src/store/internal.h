/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What schema.c (opening), write.c and read.c share; nobody else includes it. */
#ifndef VTAX_STORE_INTERNAL_H
#define VTAX_STORE_INTERNAL_H

#include "base/strvec.h"
#include "store/store.h"

#include <sqlite3.h>

enum write_stmt {
	W_CAMPAIGN,
	W_PROGRESS,
	W_CELL,
	W_METRIC_DEF,
	W_TRIAL,
	W_METRIC,
	W_HIST,
	W_SERIES,
	W_GATE,
	W_COUNT,
};

struct store {
	sqlite3 *db;
	char *dir, *path;
	int lock_fd;		      /* the results folder, flock'ed by the one writer; -1 for readers */
	sqlite3_stmt *write[W_COUNT]; /* prepared at first use */
	struct strvec kept;	      /* what store_campaign_get handed out */
};

/* Turns an SQLite result code into the line a person can act on; returns a negative errno. */
int store_sql_fail(struct store *s, int rc, const char *doing, struct vt_err *err);

#endif
