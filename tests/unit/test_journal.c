/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The undo journal: its text with hostile bytes, a campaign's own, and those that dead campaigns left. */
#include "journal_fixture.h"

#include "host/journal_format.h"

#include <inttypes.h>
#include <sys/wait.h>

/* ---- text ---- */

static void test_lines_survive_odd_bytes(void **arg)
{
	_cleanup_buf_ struct buf text = BUF_INIT(100000);
	_cleanup_journal_text_ struct journal_text t = JOURNAL_TEXT_INIT;
	static const char *const args[] = { "plain", "a b", "\\", "\\x41", "new\nline", "\x1f\x01\x7f\xff",
		"ü" };
	char all[256];

	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	journal_format_header(&text, "0-1-2", 77, 123456789012345);
	for (size_t i = 0; i < ARRAY_SIZE(args); i++)
		assert_int_equal(journal_format_line(&text, UNDO_FILE, args[i]), 0);
	assert_int_equal(journal_format_line(&text, UNDO_COMMAND, all), 0);
	assert_int_equal(journal_format_line(&text, UNDO_FILE, ""), -EINVAL);

	assert_int_equal(journal_parse(&t, text.data, text.len), 0);
	assert_string_equal(t.boot_id, "0-1-2");
	assert_int_equal(t.owner_pid, 77);
	assert_int_equal(t.owner_start, 123456789012345);
	assert_int_equal(t.n, ARRAY_SIZE(args) + 1);
	for (size_t i = 0; i < ARRAY_SIZE(args); i++)
		assert_string_equal(t.entries[i].arg, args[i]);
	assert_string_equal(t.entries[t.n - 1].arg, all);
	assert_int_equal(t.damaged, 0);
	assert_int_equal(t.end, text.len);
	journal_text_pop(&t);
	assert_int_equal(t.end, t.entries[t.n - 1].end);
}

/* However short the last line was cut, the ones before it count and it does not. */
static void test_half_written_line(void **arg)
{
	static const char text[] = "vtax-journal 1 ab-c 1 2\nfile /a\ntree /b/c\n";

	for (size_t len = 0; len <= strlen(text); len++) {
		_cleanup_journal_text_ struct journal_text t = JOURNAL_TEXT_INIT;
		int r = journal_parse(&t, text, len);

		assert_int_equal(r, len >= 24 ? 0 : -EBADMSG);
		assert_int_equal(t.n, (len >= 32) + (len >= 42));
		assert_int_equal(t.damaged, 0);
		assert_int_equal(t.end, len >= 42 ? 42 : len >= 32 ? 32 : len >= 24 ? 24 : 0);
	}
}

static void test_damaged_lines(void **arg)
{
	static const char *const bad[] = { "", "file", "file ", "files /a", " file /a", "file  /a",
		"file /a b", "file /a\\", "file /a\\x4", "file /a\\xZZ", "file /a\\x00b", "file /a\\x41",
		"file /a\\x0A", "file\t/a", "FILE /a", "file /\xc3\xbc" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_journal_text_ struct journal_text t = JOURNAL_TEXT_INIT;
		_cleanup_free_ char *text =
			xasprintf("vtax-journal 1 ab 1 2\nfile /1\n%s\nfile /2\n", bad[i]);

		assert_int_equal(journal_parse(&t, text, strlen(text)), 0);
		assert_int_equal(t.n, 2);
		assert_int_equal(t.damaged, 1);
		assert_int_equal(t.first_damaged_line, 3);
	}
}

static void test_foreign_headers(void **arg)
{
	static const char *const bad[] = { "\n", "hello\n", "vtax-journal 2 ab 1 2\n", "vtax-journal 1 \n",
		"vtax-journal 1 ab 1\n", "vtax-journal 1 ab 1 2 3\n", "vtax-journal 1 AB 1 2\n" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_journal_text_ struct journal_text t = JOURNAL_TEXT_INIT;

		assert_int_equal(journal_parse(&t, bad[i], strlen(bad[i])), -EBADMSG);
	}
}

/* ---- a campaign's own journal ---- */

static void test_undo_in_reverse(void **arg)
{
	_cleanup_buf_ struct buf said = BUF_INIT(1000);
	struct journal *j = begin("order");
	struct vt_err err = { 0 };
	size_t mark;

	assert_string_equal(journal_dir(j), in(state, "campaigns/order"));
	for (int i = 1; i <= 4; i++) {
		ok(journal_addf(j, UNDO_COMMAND, &err, "sh\x1f-c\037echo %d >>%s/said; exit 3", i, base),
			&err);
		if (i == 2)
			mark = journal_mark(j);
	}
	ok(journal_undo_to(j, mark, &err), &err);
	assert_int_equal(journal_mark(j), mark);
	ok(buf_read_file(&said, in(base, "said"), &err), &err);
	assert_string_equal(buf_str(&said), "4\n3\n");
	ok(journal_add(j, UNDO_COMMAND, "no-such-program", &err), &err);
	ok(journal_finish(j, &err), &err);
	buf_clear(&said);
	ok(buf_read_file(&said, in(base, "said"), &err), &err);
	assert_string_equal(buf_str(&said), "4\n3\n2\n1\n");
	assert_false(there(in(state, "campaigns/order")));
}

static void test_files_and_refusals(void **arg)
{
	struct journal *j = begin("files");
	struct vt_err err = { 0 };
	const char *file = in(journal_dir(j), "odd \n name");

	ok(journal_add(j, UNDO_FILE, file, &err), &err);
	put_file(file, "x");
	assert_int_equal(journal_add(j, UNDO_FILE, "/etc/passwd", &err), -EPERM);
	assert_int_equal(journal_mark(j), 1);
	ok(journal_add(j, UNDO_FILE, in(journal_dir(j), "never/made"), &err), &err);
	ok(journal_undo_to(j, 0, &err), &err);
	assert_false(there(file));
	ok(journal_finish(j, &err), &err);
}

static void test_failed_undo_is_tried_again(void **arg)
{
	_cleanup_free_ char *blocked = NULL, *other = NULL, *late = NULL;
	struct journal *j = begin("again");
	struct vt_err err = { 0 };

	other = xstrdup(in(journal_dir(j), "other"));
	blocked = xstrdup(in(journal_dir(j), "blocked"));
	late = xstrdup(in(journal_dir(j), "late"));
	ok(journal_add(j, UNDO_FILE, other, &err), &err);
	ok(journal_add(j, UNDO_FILE, blocked, &err), &err);
	ok(journal_add(j, UNDO_FILE, late, &err), &err);
	put_file(other, "x");
	put_file(late, "x");
	assert_int_equal(mkdir(blocked, 0700), 0); /* a folder is not unlinked as a file */
	assert_true(journal_undo_to(j, 0, &err) < 0);
	assert_non_null(strstr(err.msg, "blocked"));
	assert_false(there(other)); /* all is tried */
	assert_false(there(late));
	assert_int_equal(journal_mark(j), 2);
	ok(journal_add(j, UNDO_FILE, late, &err), &err);
	put_file(late, "x");
	rmdir(blocked);
	put_file(blocked, "x");
	ok(journal_finish(j, &err), &err);
	assert_false(there(blocked));
	assert_false(there(late));
}

static void test_one_campaign_at_a_time(void **arg)
{
	struct journal *j = begin("first"), *k = NULL;
	char pid[32];
	struct vt_err err = { 0 };

	snprintf(pid, sizeof pid, "(process %d)", (int)getpid());
	assert_int_equal(journal_create(&k, "second", &err), -EBUSY);
	assert_null(k);
	assert_non_null(strstr(err.msg, "'first'"));
	assert_non_null(strstr(err.msg, pid));
	assert_false(there(in(state, "campaigns/second")));
	ok(journal_finish(j, &err), &err);
	ok(journal_finish(begin("second"), &err), &err);
}

static void test_bad_ids_and_places(void **arg)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "A", "a b",
		"0123456789012345678901234567890123456789" };
	struct journal *j = NULL;
	struct vt_err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_true(journal_create(&j, bad[i], &err) < 0);
		assert_int_equal(err.kind, VT_ERR_USAGE);
	}
	assert_int_equal(chmod(journal_state_dir(), 0777), 0);
	assert_int_equal(journal_create(&j, "a", &err), -EPERM);
	assert_int_equal(chmod(state, 0700), 0);
	put_file(in(base, "file"), "x");
	setenv("VTAX_STATE", in(base, "file"), 1);
	assert_true(journal_create(&j, "a", &err) < 0);
	setenv("VTAX_STATE", in(base, "file/below"), 1);
	assert_true(journal_create(&j, "a", &err) < 0);
	setenv("VTAX_STATE", "/", 1);
	assert_true(journal_create(&j, "a", &err) < 0);
}

/* ---- cleaning up after others ---- */

/* A campaign whose process ended without a word. `text` are journal lines; $ stands for its folder. */
static void leave(const char *id, const char *boot_id, const char *text)
{
	_cleanup_buf_ struct buf b = BUF_INIT(100000);
	const char *dir = in(state, "campaigns");
	struct vt_err err = { 0 };

	ok(tree_make(dir, 0700, &err), &err);
	dir = in(dir, id);
	ok(tree_make(dir, 0700, &err), &err);
	journal_format_header(&b, boot_id, 999999999, 1);
	for (; *text; text++)
		*text == '$' ? buf_puts(&b, dir) : buf_add(&b, text, 1);
	ok(buf_write_file(&b, in(dir, "journal"), 0600, &err), &err);
}

static const char *boot_id(void)
{
	static char id[64];
	struct buf b = BUF_INIT(sizeof id - 1);

	assert_int_equal(buf_read_file(&b, "/proc/sys/kernel/random/boot_id", NULL), 0);
	snprintf(id, sizeof id, "%.*s", (int)strcspn(b.data, "\n"), b.data);
	buf_release(&b);
	return id;
}

static void test_clean_the_dead_only(void **arg)
{
	struct journal_clean c = clean(0);
	struct vt_err err = { 0 };
	struct journal *j;

	assert_int_equal(c.undone + c.alive + c.failed, 0);
	j = begin("alive");
	leave("dead", boot_id(), "file $/a\ntree $/t\nfile $/half-writ");
	put_file(in(state, "campaigns/dead/a"), "x");
	put_file(in(state, "campaigns/dead/scratch"), "x");
	leave("unborn", boot_id(), "");
	unlink(in(state, "campaigns/unborn/journal"));
	put_file(in(state, "campaigns/stray"), "x");

	c = clean(1);
	assert_int_equal(c.undone, 1);
	assert_int_equal(c.entries, 2);
	assert_true(there(in(state, "campaigns/dead/a")));
	c = clean(0);
	assert_int_equal(c.undone, 1);
	assert_int_equal(c.alive, 2); /* what has no journal may be about to get one */
	assert_int_equal(c.failed, 0);
	assert_int_equal(c.entries, 2);
	assert_false(there(in(state, "campaigns/dead")));
	ok(journal_finish(j, &err), &err);
	c = clean(0);
	assert_int_equal(c.undone, 1);
	assert_false(there(in(state, "campaigns/unborn")));
	assert_true(there(in(state, "campaigns/stray")));
}

static void test_another_boot(void **arg)
{
	_cleanup_child_ struct child c = CHILD_INIT;
	static const char *const argv[] = { "sleep", "60", NULL };
	_cleanup_free_ char *text = NULL;
	struct vt_err err = { 0 };
	uint64_t start;

	ok(child_start(&c,
		   &(struct child_spec){ .argv = argv,
			   .in = CHILD_NULL,
			   .out = CHILD_NULL,
			   .errout = CHILD_NULL,
			   .die_with_parent = true },
		   &err),
		&err);
	ok(undo_start_time(c.pid, &start, &err), &err);
	text = xasprintf("file $/a\npid %d\\x20%" PRIu64 "\n", (int)c.pid, start);
	leave("old", "00000000-1111", text);
	put_file(in(state, "campaigns/old/a"), "x");
	assert_int_equal(clean(0).failed, 0);
	assert_false(there(in(state, "campaigns/old")));
	assert_int_equal(child_wait(&c, clock_now_ns(), NULL, &err),
		-ETIMEDOUT); /* a pid of that boot was another's */

	cleanup_freep(&text);
	text = xasprintf("pid %d\\x20%" PRIu64 "\n", (int)c.pid, start + 1);
	leave("recycled", boot_id(), text);
	assert_int_equal(clean(0).failed, 0);
	assert_int_equal(child_wait(&c, clock_now_ns(), NULL, &err), -ETIMEDOUT);

	cleanup_freep(&text);
	text = xasprintf("pid %d\\x20%" PRIu64 "\n", (int)c.pid, start);
	leave("same", boot_id(), text);
	assert_int_equal(clean(0).failed, 0);
	ok(child_wait(&c, clock_deadline_ns(5 * NS_PER_S), NULL, &err), &err);
}

static void test_clean_a_hostile_journal(void **arg)
{
	struct vt_err err = { 0 };
	struct journal_clean c;

	put_file(in(base, "precious"), "x");
	ok(tree_make(in(base, "outside"), 0700, &err), &err);
	put_file(in(base, "outside/precious"), "x");
	leave("evil", boot_id(),
		"tree $/link\nfile $/mine\ntree $/../../../outside\nfile $/link/precious\nwhat ever\n");
	put_file(in(state, "campaigns/evil/mine"), "x");
	assert_int_equal(symlink(in(base, "outside"), in(state, "campaigns/evil/link")), 0);
	leave("damaged", boot_id(), "file $/mine\n\\x00\n");
	put_file(in(state, "campaigns/damaged/mine"), "x");
	leave("foreign", boot_id(), "");
	put_file(in(state, "campaigns/foreign/journal2"), "nonsense\n");
	rename(in(state, "campaigns/foreign/journal2"), in(state, "campaigns/foreign/journal"));
	leave("writable", boot_id(), "");
	chmod(in(state, "campaigns/writable/journal"), 0622);

	assert_int_equal(journal_clean(&c, 0, NULL, &err), 0);
	assert_int_equal(c.failed, 4);
	assert_int_equal(c.undone, 0);
	assert_true(err.code < 0 && err.msg[0]);
	assert_true(there(in(base, "outside/precious")));
	assert_true(there(in(base, "precious")));
	assert_false(there(in(state, "campaigns/evil/mine"))); /* what is allowed is done all the same */
	assert_false(there(in(state, "campaigns/damaged/mine")));
	assert_true(there(in(state, "campaigns/damaged/journal")));
	assert_false(there(in(state, "campaigns/evil/link"))); /* the link itself goes */
}

static void test_cleaners_side_by_side(void **arg)
{
	enum { CLEANERS = 4, DEAD = 12 };
	int p[2], failures = 0, undone = 0;
	struct journal_clean c;

	for (int i = 0; i < DEAD; i++) {
		char id[16];

		snprintf(id, sizeof id, "dead-%d", i);
		leave(id, boot_id(), "tree $/t\nfile $/f\ncommand true\n");
		put_file(in(in(state, "campaigns"), in(id, "f")), "x");
	}
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	for (int i = 0; i < CLEANERS; i++)
		if (fork() == 0) {
			journal_clean(&c, 0, NULL, NULL);
			_exit(write(p[1], &c, sizeof c) == sizeof c ? 0 : 1);
		}
	close(p[1]);
	while (read(p[0], &c, sizeof c) == sizeof c) {
		failures += (int)c.failed;
		undone += (int)c.undone;
	}
	close(p[0]);
	while (wait(NULL) > 0)
		;
	assert_int_equal(failures, 0);
	assert_int_equal(undone, DEAD);
	assert_int_equal(clean(0).undone, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_survive_odd_bytes),
		cmocka_unit_test(test_half_written_line),
		cmocka_unit_test(test_damaged_lines),
		cmocka_unit_test(test_foreign_headers),
		cmocka_unit_test_setup_teardown(test_undo_in_reverse, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files_and_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed_undo_is_tried_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_campaign_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_ids_and_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clean_the_dead_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_another_boot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clean_a_hostile_journal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cleaners_side_by_side, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
