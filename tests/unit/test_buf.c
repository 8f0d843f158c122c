/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The buffer keeps its ceiling, stays a string, and writes files all or nothing. */
#include "base/buf.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/xalloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char *dir; /* a fresh folder for the whole run */

static int make_dir(void **state)
{
	char path[] = "/tmp/vtax-test-buf.XXXXXX";

	if (!mkdtemp(path))
		return -1;
	dir = xstrdup(path);
	return 0;
}

static int remove_dir(void **state)
{
	int r = rmdir(dir); /* fails, as it should, when a test leaves a file behind */

	free(dir);
	return r;
}

static void grows_and_stays_a_string(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(100000);
	size_t expected = 0;

	assert_string_equal(buf_str(&b), "");
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(buf_printf(&b, "%d,", i), 0);
		expected += (size_t)snprintf(NULL, 0, "%d,", i);
		assert_int_equal(b.len, expected);
		assert_int_equal(b.data[b.len], '\0');
	}
	assert_int_equal(strncmp(buf_str(&b), "0,1,2,", 6), 0);
	assert_int_equal(buf_add(&b, "a\0b", 3), 0); /* bytes, not only text */
	assert_int_equal(b.len, expected + 3);
	assert_memory_equal(b.data + expected, "a\0b", 4);
	assert_int_equal(buf_add(&b, NULL, 0), 0);
}

static void ceiling_is_kept_and_remembered(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(10);

	assert_int_equal(buf_puts(&b, "12345"), 0);
	assert_int_equal(buf_puts(&b, "67890"), 0); /* exactly full */
	assert_false(b.failed);
	assert_int_equal(buf_puts(&b, "x"), -ENOBUFS);
	assert_true(b.failed);
	assert_string_equal(buf_str(&b), "1234567890");
	assert_int_equal(buf_add(&b, "", 0), -ENOBUFS); /* failed once, failed until cleared */
	buf_clear(&b);
	assert_false(b.failed);
	assert_int_equal(b.len, 0);
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_printf(&b, "%s", "12345678901"), -ENOBUFS);
	assert_int_equal(b.len, 0);
	buf_clear(&b);
	assert_int_equal(buf_add(&b, "x", SIZE_MAX), -ENOBUFS); /* no overflow in the sum */
}

static void no_room_at_all(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(0);

	assert_int_equal(buf_puts(&b, ""), 0);
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_puts(&b, "x"), -ENOBUFS);
}

static void detach_gives_the_text_away(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(100);
	_cleanup_free_ char *text = NULL, *empty = NULL;

	buf_puts(&b, "mine");
	text = buf_detach(&b);
	assert_string_equal(text, "mine");
	assert_int_equal(b.len, 0);
	assert_int_equal(b.max, 100);
	assert_int_equal(buf_puts(&b, "again"), 0);
	assert_string_equal(text, "mine");
	buf_release(&b);
	empty = buf_detach(&b);
	assert_string_equal(empty, "");
	buf_release(&b);
	buf_release(&b); /* twice is fine */
}

static void file_round_trip(void **state)
{
	_cleanup_buf_ struct buf out = BUF_INIT(100000), in = BUF_INIT(100000);
	_cleanup_free_ char *path = xasprintf("%s/file", dir);
	struct stat st;

	for (int i = 0; i < 5000; i++)
		buf_add(&out, "x\0y\n", 4);
	assert_int_equal(buf_write_file(&out, path, 0640, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777 & ~0640, 0);
	assert_int_equal(buf_read_file(&in, path, NULL), 0);
	assert_int_equal(in.len, out.len);
	assert_memory_equal(in.data, out.data, in.len);
	/* Writing again replaces. */
	buf_clear(&out);
	assert_int_equal(buf_write_file(&out, path, 0640, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(unlink(path), 0);
}

static void reading_keeps_the_ceiling(void **state)
{
	_cleanup_buf_ struct buf out = BUF_INIT(100), small = BUF_INIT(9), fits = BUF_INIT(10);
	_cleanup_free_ char *path = xasprintf("%s/file", dir);
	struct vt_err err = { 0 };

	buf_puts(&out, "0123456789");
	assert_int_equal(buf_write_file(&out, path, 0600, NULL), 0);
	assert_int_equal(buf_read_file(&small, path, &err), -EFBIG);
	assert_non_null(strstr(err.msg, path));
	assert_int_equal(buf_read_file(&fits, path, &err), 0);
	assert_string_equal(buf_str(&fits), "0123456789");
	assert_int_equal(unlink(path), 0);
}

static void file_errors_name_the_file(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(100);
	_cleanup_free_ char *path = xasprintf("%s/none/file", dir);
	struct vt_err err = { 0 };

	assert_int_equal(buf_read_file(&b, path, &err), -ENOENT);
	assert_non_null(strstr(err.msg, path));
	assert_int_equal(buf_read_file(&b, dir, &err), -EISDIR);
	buf_puts(&b, "x");
	assert_int_equal(buf_write_file(&b, path, 0600, &err), -ENOENT);
	assert_non_null(strstr(err.msg, path));
}

/* Text that outgrew its ceiling must not reach the disk as if it were whole. */
static void failed_buffer_is_not_written(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(5);
	_cleanup_free_ char *path = xasprintf("%s/file", dir);

	buf_puts(&b, "12345");
	buf_puts(&b, "6");
	assert_true(buf_write_file(&b, path, 0600, NULL) < 0);
	assert_int_equal(access(path, F_OK), -1);
}

/* When the rename fails, the old content stays and the temporary file goes. */
static void failed_rename_leaves_nothing(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(100);
	_cleanup_free_ char *path = xasprintf("%s/sub", dir);
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;
	int entries = 0;

	assert_int_equal(mkdir(path, 0700), 0);
	buf_puts(&b, "x");
	assert_int_equal(buf_write_file(&b, path, 0600, NULL), -EISDIR);
	d = opendir(dir);
	assert_non_null(d);
	while ((e = readdir(d)))
		entries += e->d_name[0] != '.';
	assert_int_equal(entries, 1);
	assert_int_equal(rmdir(path), 0);
}

/* What is no file must not become one: root could replace a device node. */
static void devices_and_pipes_stay(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(100);
	_cleanup_free_ char *path = xasprintf("%s/pipe", dir);
	struct stat st;

	assert_int_equal(mkfifo(path, 0600), 0);
	buf_puts(&b, "x");
	assert_int_equal(buf_write_file(&b, path, 0600, NULL), -EEXIST);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_stays_a_string),
		cmocka_unit_test(ceiling_is_kept_and_remembered),
		cmocka_unit_test(no_room_at_all),
		cmocka_unit_test(detach_gives_the_text_away),
		cmocka_unit_test(file_round_trip),
		cmocka_unit_test(reading_keeps_the_ceiling),
		cmocka_unit_test(file_errors_name_the_file),
		cmocka_unit_test(failed_buffer_is_not_written),
		cmocka_unit_test(failed_rename_leaves_nothing),
		cmocka_unit_test(devices_and_pipes_stay),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
