/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The results file: what is put comes back, a killed writer loses only its open trial, and every way in which
 * a folder can be wrong has its own line.
 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/xalloc.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

struct dir {
	char path[64];
};

static int setup(void **state)
{
	struct dir *d = xcalloc(1, sizeof *d);

	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
	strncpy(d->path, "/tmp/vtax-test-store.XXXXXX", sizeof d->path - 1);
	if (!mkdtemp(d->path))
		return -1;
	*state = d;
	return 0;
}

static void remove_tree(const char *path)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		_cleanup_free_ char *sub = NULL;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		sub = xasprintf("%s/%s", path, e->d_name);
		if (unlink(sub) < 0)
			remove_tree(sub);
	}
	rmdir(path);
}

static int teardown(void **state)
{
	struct dir *d = *state;

	remove_tree(d->path);
	free(d);
	return 0;
}

static struct store *make(const char *dir)
{
	struct store_campaign c = {.id = "c1",
		.suite = "quick",
		.started_at = "2026-11-20T05:00:00Z",
		.seed = UINT64_MAX,
		.plan = xstrdup("{\"a\":1}"),
		.fingerprint = NULL,
		.baseline = "native"};
	struct vt_err err = {0};
	struct store *s = NULL;

	if (store_open(&s, dir, true, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(store_campaign_put(s, &c, &err), 0);
	free(c.plan);
	return s;
}

static int add_trial(struct store *s, unsigned sequence, double value, struct vt_err *err)
{
	struct store_trial t = {.sequence = sequence,
		.block = sequence,
		.started_at = "2026-11-20T05:00:01Z",
		.duration_s = 1.5,
		.measured_s = 1.0,
		.valid = true};
	int r = store_trial_begin(s, &t, err);

	if (r == 0)
		r = store_trial_metric(s, t.id, "rate_per_s", value, err);
	if (r == 0)
		r = store_trial_commit(s, err);
	else
		store_trial_rollback(s);
	return r;
}

static int count_trial(void *arg, const struct store_trial *t)
{
	++*(unsigned *)arg;
	return 0;
}

static unsigned trials(struct store *s)
{
	unsigned n = 0;

	assert_int_equal(store_each_trial(s, count_trial, &n, NULL), 0);
	return n;
}

static int see_metric(void *arg, const char *name, double value)
{
	buf_printf(arg, "%s=%g;", name, value);
	return 0;
}

static int see_gate(void *arg, const char *name, const char *reason)
{
	buf_printf(arg, "%s=%s;", name, reason);
	return 0;
}

static int see_hist(void *arg, const char *name, const void *data, size_t len)
{
	buf_printf(arg, "%s=", name);
	buf_add(arg, data, len);
	buf_puts(arg, ";");
	return 0;
}

static int see_series(void *arg, const char *name, const double *v, size_t n)
{
	buf_printf(arg, "%s=", name);
	for (size_t i = 0; i < n; i++)
		buf_printf(arg, "%a,", v[i]);
	buf_puts(arg, ";");
	return 0;
}

static int see_def(void *arg, const struct store_metric_def *m)
{
	buf_printf(
		arg, "%s/%s/%s/%d%d;", m->workload_name, m->name, m->unit, m->higher_is_better, m->primary);
	return 0;
}

static int see_cell(void *arg, const struct store_cell *c)
{
	buf_printf(arg, "%u,%u:%s|%s|%s;", c->workload, c->technique, c->workload_text, c->technique_label,
		c->not_run ? c->not_run : "-");
	return 0;
}

static int see_trial(void *arg, const struct store_trial *t)
{
	buf_printf(arg, "%u/%u/%u/%u %d %s %s;", t->sequence, t->block, t->position, t->technique, t->valid,
		t->reason ? t->reason : "-", t->applied ? t->applied : "-");
	return 0;
}

static void round_trip_of_a_trial(void **state)
{
	struct dir *d = *state;
	_cleanup_store_ struct store *s = make(d->path);
	_cleanup_buf_ struct buf b = BUF_INIT(4096);
	struct store_trial t = {.sequence = 7,
		.block = 2,
		.position = 3,
		.technique = 4,
		.started_at = "x",
		.reason = (char[]){"lost 'it'"},
		.applied = (char[]){"{}"}};
	const double series[] = {0.1, -0.0, INFINITY};

	assert_int_equal(store_trial_begin(s, &t, NULL), 0);
	assert_true(t.id > 0);
	assert_int_equal(store_trial_metric(s, t.id, "b", NAN, NULL), 0);
	assert_int_equal(store_trial_metric(s, t.id, "a", 1, NULL), 0);
	assert_int_equal(store_trial_metric(s, t.id, "a", 2.5, NULL), 0);
	assert_int_equal(store_trial_metric(s, t.id, "c", INFINITY, NULL), 0);
	assert_int_equal(store_trial_hist(s, t.id, "empty", NULL, 0, NULL), 0);
	assert_int_equal(store_trial_hist(s, t.id, "h", "a\0b", 3, NULL), 0);
	assert_int_equal(store_trial_series(s, t.id, "s", series, 3, NULL), 0);
	assert_int_equal(store_trial_gate(s, t.id, "steal", "12 % > 5 %", NULL), 0);
	assert_int_equal(store_trial_commit(s, NULL), 0);

	assert_int_equal(store_each_metric(s, t.id, see_metric, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "a=2.5;b=nan;c=inf;");
	buf_clear(&b);
	assert_int_equal(store_each_hist(s, t.id, see_hist, &b, NULL), 0);
	assert_int_equal(b.len, strlen("empty=;h=a.b;"));
	assert_memory_equal(b.data, "empty=;h=a\0b;", b.len);
	buf_clear(&b);
	assert_int_equal(store_each_series(s, t.id, see_series, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "s=0x1.999999999999ap-4,-0x0p+0,inf,;");
	buf_clear(&b);
	assert_int_equal(store_each_gate(s, t.id, see_gate, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "steal=12 % > 5 %;");
	buf_clear(&b);
	assert_int_equal(store_each_trial(s, see_trial, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "7/2/3/4 0 lost 'it' {};");
}

static void campaign_cells_and_definitions(void **state)
{
	struct dir *d = *state;
	_cleanup_store_ struct store *s = make(d->path);
	_cleanup_buf_ struct buf b = BUF_INIT(4096);
	struct store_campaign c;
	char *rr = (char[]){"tcp_rr"}, *rate = (char[]){"rate"}, *lat = (char[]){"lat"},
	     *unit = (char[]){"1/s"}, *ns = (char[]){"ns"}, *no = (char[]){"no \"docker\""};
	struct store_cell cells[] = {
		{.workload = 1, .technique = 0, .workload_name = rr, .technique_label = rate, .not_run = no},
		{.workload = 0, .technique = 1, .workload_name = rr, .technique_label = rate},
		{.workload = 0, .technique = 0, .workload_name = rr, .technique_text = lat},
	};
	struct store_metric_def defs[] = {
		{.workload_name = rr, .name = rate, .unit = unit, .higher_is_better = true, .primary = true},
		{.workload_name = rr, .name = lat, .unit = unit},
		{.workload_name = rr, .name = lat, .unit = ns},
		{.workload_name = rr, .name = rate, .unit = unit, .higher_is_better = true},
	};

	assert_int_equal(store_begin(s, NULL), 0);
	assert_int_equal(store_begin(s, NULL), -EALREADY);
	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		assert_int_equal(store_cell_put(s, &cells[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(defs); i++)
		assert_int_equal(store_metric_def_put(s, &defs[i], NULL), 0);
	assert_int_equal(store_commit(s, NULL), 0);

	assert_int_equal(store_each_cell(s, see_cell, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "0,0:tcp_rr|lat|-;0,1:tcp_rr|rate|-;1,0:tcp_rr|rate|no \"docker\";");
	buf_clear(&b);
	/* A definition put again changes, and keeps its place. */
	assert_int_equal(store_each_metric_def(s, see_def, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "tcp_rr/rate/1/s/10;tcp_rr/lat/ns/00;");

	assert_int_equal(store_campaign_progress(s, 61.5, 50.25, true, NULL), 0);
	assert_int_equal(store_campaign_get(s, &c, NULL), 0);
	assert_string_equal(c.id, "c1");
	assert_true(c.seed == UINT64_MAX);
	assert_true(c.complete && c.wall_s == 61.5 && c.measuring_s == 50.25);
	assert_string_equal(c.plan, "{\"a\":1}");
	assert_null(c.fingerprint);
	assert_string_equal(c.baseline, "native");
}

/* A callback's non-zero return ends the walk and comes back, and nested walks do not disturb each other. */
struct nested {
	struct store *s;
	struct buf b;
};

static int nest(void *arg, const struct store_trial *t)
{
	struct nested *n = arg;

	assert_int_equal(store_each_metric(n->s, t->id, see_metric, &n->b, NULL), 0);
	return t->sequence == 1 ? 42 : 0;
}

static void walks_nest_and_stop(void **state)
{
	struct dir *d = *state;
	_cleanup_store_ struct store *s = make(d->path);
	struct nested n = {.s = s, .b = BUF_INIT(4096)};

	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(add_trial(s, 3 - i, 3 - i, NULL), 0);
	assert_int_equal(store_each_trial(s, nest, &n, NULL), 42);
	assert_string_equal(buf_str(&n.b), "rate_per_s=0;rate_per_s=1;");
	buf_release(&n.b);
}

static void rolled_back_trial_is_gone(void **state)
{
	struct dir *d = *state;
	_cleanup_store_ struct store *s = make(d->path);
	struct store_trial t = {.started_at = "x"};

	store_trial_rollback(s); /* nothing open: harmless */
	assert_int_equal(store_trial_begin(s, &t, NULL), 0);
	assert_int_equal(store_trial_metric(s, t.id, "a", 1, NULL), 0);
	store_trial_rollback(s);
	assert_int_equal(trials(s), 0);
	assert_int_equal(add_trial(s, 0, 1, NULL), 0);
	assert_int_equal(trials(s), 1);
}

static void closed_store_is_one_file(void **state)
{
	struct dir *d = *state;
	struct store *s = make(d->path);
	_cleanup_closedir_ DIR *dir = NULL;
	unsigned files = 0;
	struct dirent *e;

	assert_int_equal(add_trial(s, 0, 1, NULL), 0);
	store_close(s);
	dir = opendir(d->path);
	while ((e = readdir(dir)))
		files += e->d_name[0] != '.';
	assert_int_equal(files, 1);
}

/* The child writes two trials, spills half of a third to the disk, and is killed: a hot journal stays. */
static void killed_writer(const char *dir)
{
	struct store_trial t = {.started_at = "x", .sequence = 2};
	_cleanup_free_ char *big = xcalloc(1, 1 << 20);
	struct store *s = make(dir);
	char name[16];

	if (add_trial(s, 0, 1, NULL) < 0 || add_trial(s, 1, 1, NULL) < 0 ||
		store_trial_begin(s, &t, NULL) < 0)
		_exit(1);
	for (int i = 0; i < 16; i++) { /* more than the page cache, so that pages reach the file */
		snprintf(name, sizeof name, "h%d", i);
		if (store_trial_hist(s, t.id, name, big, 1 << 20, NULL) < 0)
			_exit(1);
	}
	raise(SIGKILL);
}

static void kill_and_check_journal(const char *dir)
{
	_cleanup_free_ char *journal = xasprintf("%s/results.db-journal", dir);
	int status;
	pid_t pid = fork();

	if (pid == 0)
		killed_writer(dir);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(access(journal, F_OK), 0); /* otherwise this test tests nothing */
}

static void killed_writer_loses_only_its_open_trial(void **state)
{
	struct dir *d = *state;
	struct store *s = NULL;

	kill_and_check_journal(d->path);
	assert_int_equal(store_open(&s, d->path, false, NULL), 0);
	assert_int_equal(trials(s), 2);
	assert_int_equal(add_trial(s, 2, 1, NULL), 0);
	store_close(s);
}

static void reader_recovers_after_a_kill(void **state)
{
	struct dir *d = *state;
	struct store *s = NULL;

	kill_and_check_journal(d->path);
	assert_int_equal(store_open_readonly(&s, d->path, NULL), 0);
	assert_int_equal(trials(s), 2);
	assert_true(add_trial(s, 2, 1, NULL) < 0);
	store_close(s);
}

static void one_writer_many_readers(void **state)
{
	struct dir *d = *state;
	_cleanup_store_ struct store *writer = make(d->path), *reader = NULL;
	struct store *second = NULL;
	struct vt_err err = {0};

	assert_int_equal(store_open(&second, d->path, false, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "another vtax"));
	assert_null(second);
	assert_int_equal(store_open_readonly(&reader, d->path, &err), 0);
	assert_int_equal(trials(reader), 0);
	assert_int_equal(add_trial(writer, 0, 1, NULL), 0);
	assert_int_equal(trials(reader), 1);
}

static void refuses_what_is_no_campaign(void **state)
{
	struct dir *d = *state;
	_cleanup_free_ char *none = xasprintf("%s/none", d->path),
			    *file = xasprintf("%s/results.db", d->path);
	_cleanup_buf_ struct buf junk = BUF_INIT(4096);
	struct vt_err err = {0};
	struct store *s = NULL;

	assert_int_equal(store_open(&s, none, false, &err), -ENOENT);
	assert_int_equal(err.kind, VT_ERR_USAGE);
	assert_int_equal(store_open_readonly(&s, none, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "there is no results folder"));
	assert_int_equal(store_open_readonly(&s, d->path, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "has no results.db"));

	for (int i = 0; i < 40; i++)
		buf_puts(&junk, "this is not a database, whatever it is\n");
	assert_int_equal(buf_write_file(&junk, file, 0644, NULL), 0);
	assert_int_equal(store_open(&s, d->path, false, &err), -EBADMSG);
	assert_int_equal(store_open(&s, d->path, true, &err), -EBADMSG);
	assert_int_equal(store_open_readonly(&s, d->path, &err), -EBADMSG);
	assert_non_null(strstr(err.msg, "not a vtax database"));

	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkdir(file, 0755), 0);
	assert_true(store_open_readonly(&s, d->path, &err) < 0);
	assert_int_equal(rmdir(file), 0);
	assert_int_equal(symlink("results.db", file), 0);
	assert_true(store_open_readonly(&s, d->path, &err) < 0);
	assert_null(s);
}

static void sql(const char *dir, const char *text)
{
	_cleanup_free_ char *file = xasprintf("%s/results.db", dir);
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void refuses_other_versions_and_programs(void **state)
{
	struct dir *d = *state;
	struct vt_err err = {0};
	struct store *s = NULL;

	sql(d->path, "CREATE TABLE bookmarks (a)");
	assert_int_equal(store_open(&s, d->path, true, &err), -EBADMSG);
	assert_int_equal(store_open_readonly(&s, d->path, &err), -EBADMSG);
	assert_non_null(strstr(err.msg, "another program"));
	sql(d->path, "DROP TABLE bookmarks");
	store_close(make(d->path));
	sql(d->path, "PRAGMA user_version = 99");
	assert_int_equal(store_open(&s, d->path, false, &err), -EPROTONOSUPPORT);
	assert_int_equal(store_open_readonly(&s, d->path, &err), -EPROTONOSUPPORT);
	assert_non_null(strstr(err.msg, "newer vtax"));
	assert_null(s);
}

static void creating_twice(void **state)
{
	struct dir *d = *state;
	struct store_campaign c;
	struct vt_err err = {0};
	struct store *s = NULL;

	/* Made, but killed before the campaign was put: not a campaign yet, and free to be taken. */
	assert_int_equal(store_open(&s, d->path, true, &err), 0);
	assert_int_equal(store_campaign_get(s, &c, &err), -ENOENT);
	store_close(s);
	s = make(d->path);
	store_close(s);
	s = NULL;
	assert_int_equal(store_open(&s, d->path, true, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "vtax resume"));
	assert_null(s);
}

static void damaged_series_is_an_error(void **state)
{
	struct dir *d = *state;
	struct store *s = make(d->path);
	_cleanup_buf_ struct buf b = BUF_INIT(4096);
	struct vt_err err = {0};

	assert_int_equal(add_trial(s, 0, 1, NULL), 0);
	store_close(s);
	sql(d->path, "INSERT INTO series VALUES (1, 's', x'0102030405')");
	assert_int_equal(store_open_readonly(&s, d->path, NULL), 0);
	assert_int_equal(store_each_series(s, 1, see_series, &b, &err), -EBADMSG);
	store_close(s);
}

static void makes_parents_and_says_what_is_in_the_way(void **state)
{
	struct dir *d = *state;
	_cleanup_free_ char *deep = xasprintf("%s/a//b/c/", d->path), *file = xasprintf("%s/file", d->path),
			    *below = xasprintf("%s/file/x", d->path);
	_cleanup_buf_ struct buf b = BUF_INIT(16);
	struct vt_err err = {0};
	struct stat st;

	assert_int_equal(store_make_dir(deep, &err), 0);
	assert_int_equal(stat(deep, &st), 0);
	assert_int_equal(store_make_dir(deep, &err), 0);
	assert_int_equal(buf_write_file(&b, file, 0644, NULL), 0);
	assert_int_equal(store_make_dir(file, &err), -ENOTDIR);
	assert_int_equal(store_make_dir(below, &err), -ENOTDIR);
	assert_int_equal(err.kind, VT_ERR_USAGE);
	assert_true(store_make_dir("", &err) < 0);
}

static void gives_what_it_makes_to_the_invoking_user(void **state)
{
	struct dir *d = *state;
	_cleanup_free_ char *deep = xasprintf("%s/a/b", d->path), *parent = xasprintf("%s/a", d->path),
			    *file = xasprintf("%s/a/b/results.db", d->path);
	struct stat st;

	if (geteuid() != 0)
		skip();
	setenv("SUDO_UID", "1234", 1);
	setenv("SUDO_GID", "2345", 1);
	store_close(make(deep));
	assert_int_equal(stat(file, &st), 0);
	assert_true(st.st_uid == 1234 && st.st_gid == 2345);
	assert_int_equal(stat(parent, &st), 0);
	assert_true(st.st_uid == 1234 && st.st_gid == 2345);
	assert_int_equal(stat(d->path, &st), 0);
	assert_int_equal(st.st_uid, 0); /* it was there before */
	setenv("SUDO_UID", "12x", 1);
	store_give(parent);
	assert_int_equal(stat(parent, &st), 0);
	assert_int_equal(st.st_uid, 1234);
}

/* In a mount namespace of its own: a 256 KiB file system, filled by trials until it is full. */
static int fill_small_disk(const char *dir)
{
	_cleanup_free_ char *big = xcalloc(1, 65536);
	struct store_trial t = {.started_at = "x", .sequence = 1};
	struct vt_err err = {0};
	struct store *s = NULL;
	int r = 0;

	if (mount("vtax-test", dir, "tmpfs", 0, "size=256k") < 0 || store_open(&s, dir, true, &err) < 0 ||
		add_trial(s, 0, 1, &err) < 0)
		return 1;
	r = store_trial_begin(s, &t, &err);
	for (int i = 0; i < 64 && r == 0; i++) {
		char name[16];

		snprintf(name, sizeof name, "h%d", i);
		r = store_trial_hist(s, t.id, name, big, 65536, &err);
	}
	if (r == 0)
		r = store_trial_commit(s, &err);
	store_trial_rollback(s);
	if (r != -ENOSPC || !strstr(err.msg, "no space left on the device holding") ||
		!strstr(err.msg, "vtax resume"))
		return 2;
	if (trials(s) != 1)
		return 3;
	store_close(s);
	if (mount(NULL, dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0 || store_open(&s, dir, false, &err) == 0)
		return 4;
	if (err.code != -EROFS || !strstr(err.msg, "read-only"))
		return 5;
	if (store_open_readonly(&s, dir, &err) < 0 || trials(s) != 1)
		return 6;
	store_close(s);
	return 0;
}

static void full_and_read_only_folders(void **state)
{
	struct dir *d = *state;
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			_exit(77);
		_exit(fill_small_disk(d->path));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(round_trip_of_a_trial),
		T(campaign_cells_and_definitions),
		T(walks_nest_and_stop),
		T(rolled_back_trial_is_gone),
		T(closed_store_is_one_file),
		T(killed_writer_loses_only_its_open_trial),
		T(reader_recovers_after_a_kill),
		T(one_writer_many_readers),
		T(refuses_what_is_no_campaign),
		T(refuses_other_versions_and_programs),
		T(creating_twice),
		T(damaged_series_is_an_error),
		T(makes_parents_and_says_what_is_in_the_way),
		T(gives_what_it_makes_to_the_invoking_user),
		T(full_and_read_only_folders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
