/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening, the schema and its versions, and what goes wrong with files.
 *
 * Journal mode is DELETE with synchronous=EXTRA (FULL plus a flush of the folder after the journal is
 * unlinked). Not WAL: a WAL database is three files while open, cannot be read in a read-only folder, and
 * buys concurrency that one writer does not need. The flushes cost a few milliseconds per trial, between
 * trials, where nothing is measured. After a kill -9 a hot journal is left; whoever opens next rolls it back,
 * so at most the trial that was being written is lost, and a closed campaign is one file that can be copied
 * with cp.
 *
 * The one-writer lock is an flock on the results folder itself: it needs no file of its own, and the kernel
 * drops it with the process, however that ends.
 */
#include "store/internal.h"

#include "base/cleanup.h"
#include "base/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define APPLICATION_ID 0x76746178 /* "vtax", so that file(1) and we can tell our databases from others */
#define BUSY_MS 5000

/* schema_steps[i] takes version i to i + 1. Never edit a step that was released: add one. */
static const char *const schema_steps[] = {
	"CREATE TABLE campaign ("
	"  one INTEGER PRIMARY KEY CHECK (one = 1),"
	"  id TEXT NOT NULL, suite TEXT NOT NULL, started_at TEXT NOT NULL,"
	"  seed TEXT NOT NULL," /* 64 bits unsigned do not fit SQLite's integer */
	"  plan TEXT, fingerprint TEXT,"
	"  wall_s REAL NOT NULL, measuring_s REAL NOT NULL, complete INTEGER NOT NULL, baseline TEXT NOT NULL"
	") STRICT;"
	"CREATE TABLE cell ("
	"  workload INTEGER NOT NULL, technique INTEGER NOT NULL,"
	"  workload_text TEXT NOT NULL, workload_name TEXT NOT NULL, params TEXT NOT NULL,"
	"  technique_label TEXT NOT NULL, technique_text TEXT NOT NULL, not_run TEXT,"
	"  PRIMARY KEY (workload, technique)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE metric_def ("
	"  workload_name TEXT NOT NULL, name TEXT NOT NULL, unit TEXT NOT NULL, summary TEXT NOT NULL,"
	"  higher_is_better INTEGER NOT NULL, is_primary INTEGER NOT NULL,"
	"  UNIQUE (workload_name, name)"
	") STRICT;"
	"CREATE TABLE trial ("
	"  id INTEGER PRIMARY KEY, block INTEGER NOT NULL, position INTEGER NOT NULL,"
	"  workload INTEGER NOT NULL, technique INTEGER NOT NULL, sequence INTEGER NOT NULL,"
	"  started_at TEXT NOT NULL, duration_s REAL, measured_s REAL,"
	"  valid INTEGER NOT NULL, reason TEXT, applied TEXT"
	") STRICT;"
	"CREATE INDEX trial_order ON trial (sequence, id);"
	"CREATE TABLE metric ("
	"  trial INTEGER NOT NULL REFERENCES trial (id) ON DELETE CASCADE, name TEXT NOT NULL, value REAL,"
	"  PRIMARY KEY (trial, name)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE hist ("
	"  trial INTEGER NOT NULL REFERENCES trial (id) ON DELETE CASCADE,"
	"  name TEXT NOT NULL, data BLOB NOT NULL,"
	"  PRIMARY KEY (trial, name)"
	") STRICT;"
	"CREATE TABLE series ("
	"  trial INTEGER NOT NULL REFERENCES trial (id) ON DELETE CASCADE,"
	"  name TEXT NOT NULL, data BLOB NOT NULL,"
	"  PRIMARY KEY (trial, name)"
	") STRICT;"
	"CREATE TABLE gate ("
	"  trial INTEGER NOT NULL REFERENCES trial (id) ON DELETE CASCADE,"
	"  name TEXT NOT NULL, reason TEXT NOT NULL,"
	"  PRIMARY KEY (trial, name)"
	") STRICT;",
};
#define SCHEMA_VERSION ((int)ARRAY_SIZE(schema_steps))

/* A path the user gave is wrong: exit code 2, but with the errno that says how. */
static int misuse(struct vt_err *err, int code)
{
	if (err)
		err->kind = VT_ERR_USAGE;
	return code;
}

int store_sql_fail(struct store *s, int rc, const char *doing, struct vt_err *err)
{
	int sys = s->db ? sqlite3_system_errno(s->db) : 0;

	switch (rc & 0xff) {
	case SQLITE_FULL:
		return vt_fail(err, -ENOSPC,
			"no space left on the device holding '%s': free some and run 'vtax resume %s'",
			s->dir, s->dir);
	case SQLITE_READONLY:
		return vt_fail(
			err, -EROFS, "results folder '%s' is read-only: choose another with --out", s->dir);
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return misuse(err, vt_fail(err, -EBADMSG, "'%s' is damaged or not a vtax database (%s)",
					   s->path, sqlite3_errmsg(s->db)));
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return vt_fail(err, -EBUSY, "'%s' is in use by another program: try again when it has ended",
			s->path);
	case SQLITE_NOMEM:
		return vt_fail(err, -ENOMEM, "cannot %s '%s': out of memory", doing, s->path);
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
	case SQLITE_PERM:
		if (sys == ENOSPC || sys == EDQUOT)
			return vt_fail(err, -sys, "%s for '%s': free some and run 'vtax resume %s'",
				sys == EDQUOT ? "disk quota used up" : "no space left on the device", s->dir,
				s->dir);
		if (sys == EROFS || sys == EACCES || sys == EPERM)
			return vt_fail(err, -sys,
				"cannot %s '%s': %s: choose a folder that you may write with --out", doing,
				s->path, strerror(sys));
		return vt_fail(err, sys ? -sys : -EIO, "cannot %s '%s': %s", doing, s->path,
			sys ? strerror(sys) : sqlite3_errmsg(s->db));
	default:
		return vt_fail(err, -EIO, "cannot %s '%s': %s", doing, s->path,
			s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
	}
}

static int exec(struct store *s, const char *sql, const char *doing, struct vt_err *err)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : store_sql_fail(s, rc, doing, err);
}

/* The one integer of a query; a query without a row gives 0. */
static int query_int(struct store *s, const char *sql, int *value, struct vt_err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

	*value = 0;
	if (rc == SQLITE_OK) {
		rc = sqlite3_step(st);
		if (rc == SQLITE_ROW)
			*value = sqlite3_column_int(st, 0);
	}
	sqlite3_finalize(st);
	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		return 0;
	return store_sql_fail(s, rc, "read", err);
}

/* Ours, and of which version? 0: an empty file, which a creator may fill. */
static int check_identity(struct store *s, int *version, struct vt_err *err)
{
	int app, tables, r;

	if ((r = query_int(s, "PRAGMA application_id", &app, err)) < 0 ||
		(r = query_int(s, "PRAGMA user_version", version, err)) < 0 ||
		(r = query_int(s, "SELECT count(*) FROM sqlite_schema", &tables, err)) < 0)
		return r;
	if (app == 0 && *version == 0 && tables == 0)
		return 0;
	if (app != APPLICATION_ID || *version < 1)
		return misuse(err, vt_fail(err, -EBADMSG, "'%s' is a database of another program", s->path));
	if (*version > SCHEMA_VERSION)
		return vt_fail(err, -EPROTONOSUPPORT,
			"'%s' was written by a newer vtax (its schema is %d, this one knows %d): use that "
			"one",
			s->path, *version, SCHEMA_VERSION);
	return 0;
}

static int upgrade(struct store *s, bool create, struct vt_err *err)
{
	char pragma[96];
	int version, filled, r;

	/* The lock is taken before looking, so that two creators cannot both find an empty file. */
	r = exec(s, "BEGIN IMMEDIATE", "write", err);
	if (r < 0)
		return r;
	r = check_identity(s, &version, err);
	if (r == 0 && version == 0 && !create)
		r = misuse(err,
			vt_fail(err, -ENOENT, "'%s' holds no campaign: start one with 'vtax run --out %s'",
				s->path, s->dir));
	for (int v = version; r == 0 && v < SCHEMA_VERSION; v++)
		r = exec(s, schema_steps[v], "write", err);
	if (r == 0 && version < SCHEMA_VERSION) {
		snprintf(pragma, sizeof pragma, "PRAGMA application_id = %d; PRAGMA user_version = %d",
			APPLICATION_ID, SCHEMA_VERSION);
		r = exec(s, pragma, "write", err);
	}
	if (r == 0 && create) {
		r = query_int(s, "SELECT count(*) FROM campaign", &filled, err);
		if (r == 0 && filled)
			r = misuse(err, vt_fail(err, -EEXIST,
						"'%s' already holds a campaign: go on with 'vtax resume %s', "
						"or choose "
						"another folder with --out",
						s->dir, s->dir));
	}
	if (r == 0)
		r = exec(s, "COMMIT", "write", err);
	if (r < 0)
		store_rollback(s);
	return r;
}

static int missing(struct store *s, struct vt_err *err)
{
	if (access(s->dir, F_OK) < 0)
		return misuse(err, vt_fail(err, -ENOENT, "there is no results folder '%s'", s->dir));
	return misuse(
		err, vt_fail(err, -ENOENT, "'%s' is not a results folder: it has no results.db", s->dir));
}

static int open_db(struct store *s, int flags, struct vt_err *err)
{
	struct stat st;
	int rc;

	if (!(flags & SQLITE_OPEN_CREATE)) {
		if (stat(s->path, &st) < 0) {
			if (errno == ENOENT || errno == ENOTDIR)
				return missing(s, err);
			return vt_fail_errno(err, "cannot open '%s'", s->path);
		}
		if (!S_ISREG(st.st_mode))
			return misuse(err, vt_fail(err, -EBADMSG, "'%s' is not a file", s->path));
	}
	rc = sqlite3_open_v2(s->path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return store_sql_fail(s, rc, "open", err);
	/* SQLite quietly opens read-only what it may not write. */
	if ((flags & SQLITE_OPEN_READWRITE) && sqlite3_db_readonly(s->db, "main") == 1)
		return store_sql_fail(s, SQLITE_READONLY, "open", err);
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, BUSY_MS);
	/* A results file from elsewhere is data: it may not bring code (triggers, views) that runs as us. */
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	return 0;
}

static struct store *store_new(const char *dir)
{
	struct store *s = xcalloc(1, sizeof *s);
	size_t len = strlen(dir);

	while (len > 1 && dir[len - 1] == '/')
		len--;
	s->dir = xasprintf("%.*s", (int)len, dir);
	s->path = xasprintf("%s/results.db", s->dir);
	s->lock_fd = -1;
	return s;
}

static int lock_dir(struct store *s, struct vt_err *err)
{
	s->lock_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->lock_fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return missing(s, err);
		return vt_fail_errno(err, "cannot open results folder '%s'", s->dir);
	}
	/* Some network file systems have no flock: SQLite's own locks still keep the file whole there. */
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return vt_fail(err, -EBUSY,
			"the campaign in '%s' is being run by another vtax: wait for it, or choose "
			"another folder with --out",
			s->dir);
	return 0;
}

/* SQLite, trying to make its files in such a folder, would say that they do not exist. */
static int writable(const struct store *s, struct vt_err *err)
{
	if (faccessat(AT_FDCWD, s->dir, W_OK | X_OK, AT_EACCESS) == 0)
		return 0;
	if (errno == EROFS)
		return vt_fail(err, -EROFS, "results folder '%s' is read-only: choose another with --out", s->dir);
	return vt_fail_errno(err, "cannot write into results folder '%s' (choose another with --out)", s->dir);
}

int store_open(struct store **out, const char *dir, bool create, struct vt_err *err)
{
	struct store *s = store_new(dir);
	int r = create ? store_make_dir(s->dir, err) : 0;

	if (r == 0)
		r = lock_dir(s, err);
	if (r == 0)
		r = writable(s, err);
	if (r == 0)
		r = open_db(s, SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0), err);
	/* The journal takes its owner from the database, so the database changes hands before the first
	 * write. */
	if (r == 0 && create)
		store_give(s->path);
	if (r == 0)
		r = exec(s,
			"PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA; PRAGMA foreign_keys = ON",
			"open", err);
	if (r == 0)
		r = upgrade(s, create, err);
	if (r < 0) {
		store_close(s);
		return r;
	}
	*out = s;
	return 0;
}

/*
 * A killed writer leaves a hot journal, which a read-only connection may not roll back
 * (SQLITE_READONLY_ROLLBACK): look once as a writer, which does, then go on as a reader.
 */
static int recover(struct store *s, struct vt_err *err)
{
	int n, r;

	sqlite3_close(s->db);
	s->db = NULL;
	r = open_db(s, SQLITE_OPEN_READWRITE, err);
	if (r == 0)
		r = query_int(s, "SELECT count(*) FROM sqlite_schema", &n, err);
	sqlite3_close(s->db);
	s->db = NULL;
	return r < 0 ? r : open_db(s, SQLITE_OPEN_READONLY, err);
}

int store_open_readonly(struct store **out, const char *dir, struct vt_err *err)
{
	struct store *s = store_new(dir);
	int version = 0, n, r;

	r = open_db(s, SQLITE_OPEN_READONLY, err);
	if (r == 0 && query_int(s, "SELECT count(*) FROM sqlite_schema", &n, NULL) < 0 &&
		sqlite3_extended_errcode(s->db) == SQLITE_READONLY_ROLLBACK)
		r = recover(s, err);
	if (r == 0)
		r = check_identity(s, &version, err);
	if (r == 0 && version == 0)
		r = misuse(err, vt_fail(err, -ENOENT, "'%s' holds no campaign yet", s->path));
	if (r == 0 && version < SCHEMA_VERSION)
		r = vt_fail(err, -EPROTONOSUPPORT,
			"'%s' was written by an older vtax: 'vtax resume %s' converts it", s->path, s->dir);
	if (r < 0) {
		store_close(s);
		return r;
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	for (int i = 0; i < W_COUNT; i++)
		sqlite3_finalize(s->write[i]);
	sqlite3_close(s->db);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	strvec_release(&s->kept);
	free(s->dir);
	free(s->path);
	free(s);
}

const char *store_dir(const struct store *s)
{
	return s->dir;
}
