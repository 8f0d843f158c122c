/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ELF reader on real and hostile files, paths inside a root, and the closure over a made-up root. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/xalloc.h"
#include "payload/closure.h"
#include "payload/elf.h"
#include "payload/inroot.h"

#include "elf_image.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>

static void reads_what_was_written(void **state)
{
	_cleanup_elf_ struct elf e = ELF_INIT;
	struct vt_err err = { 0 };
	struct image im;

	image_init(&im, "/lib64/ld.so");
	image_text(&im, DT_NEEDED, "libb.so.2");
	image_text(&im, DT_NEEDED, "liba.so.1");
	image_text(&im, DT_SONAME, "libself.so.3");
	image_text(&im, DT_RUNPATH, "$ORIGIN/../lib:/opt/x");
	assert_int_equal(elf_parse(&e, im.bytes, sizeof im.bytes, &err), 0);
	assert_true(e.dynamic);
	assert_int_equal(e.machine, IMAGE_MACHINE);
	assert_string_equal(e.interp, "/lib64/ld.so");
	assert_int_equal(e.needed.n, 2);
	assert_string_equal(e.needed.v[0], "libb.so.2"); /* order is kept: it decides who is found first */
	assert_string_equal(e.needed.v[1], "liba.so.1");
	assert_string_equal(e.soname, "libself.so.3");
	assert_string_equal(e.runpath, "$ORIGIN/../lib:/opt/x");
	assert_null(e.rpath);
}

static void static_program_needs_nothing(void **state)
{
	_cleanup_elf_ struct elf e = ELF_INIT;
	struct image im;

	image_init(&im, NULL);
	image_eh(&im)->e_phnum = 1;
	assert_int_equal(elf_parse(&e, im.bytes, sizeof im.bytes, NULL), 0);
	assert_false(e.dynamic);
	assert_null(e.interp);
	assert_int_equal(e.needed.n, 0);
}

static void real_program(void **state)
{
	_cleanup_elf_ struct elf e = ELF_INIT;
	_cleanup_close_ int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);
	struct vt_err err = { 0 };

	assert_true(fd >= 0);
	assert_int_equal(elf_read(&e, fd, "/bin/sh", &err), 0);
	assert_true(elf_machine_native(e.machine));
	assert_non_null(e.interp);
	assert_int_equal(access(e.interp, X_OK), 0);
	assert_true(strvec_contains(&e.needed, "libc.so.6"));
}

static int parse(struct image *im, size_t size)
{
	_cleanup_elf_ struct elf e = ELF_INIT;

	return elf_parse(&e, im->bytes, size, NULL);
}

static void refuses_what_is_no_elf64(void **state)
{
	_cleanup_elf_ struct elf e = ELF_INIT;
	struct image im;

	assert_int_equal(elf_parse(&e, "", 0, NULL), -ENOEXEC);
	assert_int_equal(elf_parse(&e, "#!/bin/sh\n", 10, NULL), -ENOEXEC);
	assert_int_equal(elf_parse(&e, ELFMAG, 4, NULL), -EBADMSG);
	image_init(&im, NULL);
	image_eh(&im)->e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(parse(&im, IMAGE_SIZE), -ENOTSUP);
	image_init(&im, NULL);
	image_eh(&im)->e_ident[EI_DATA] = ELFDATA2MSB;
	assert_int_equal(parse(&im, IMAGE_SIZE), -ENOTSUP);
}

static void refuses_offsets_outside(void **state)
{
	struct image im;

	image_init(&im, "/ld");
	image_eh(&im)->e_phoff = IMAGE_SIZE - 8;
	assert_int_equal(parse(&im, IMAGE_SIZE), -EBADMSG);
	image_init(&im, "/ld");
	image_eh(&im)->e_phoff = UINT64_MAX - 20; /* wraps with the second header */
	assert_int_equal(parse(&im, IMAGE_SIZE), -EBADMSG);
	image_init(&im, "/ld");
	image_eh(&im)->e_phentsize = 8;
	assert_int_equal(parse(&im, IMAGE_SIZE), -EBADMSG);
	image_init(&im, "/ld");
	image_eh(&im)->e_phnum = 0xffff;
	assert_int_equal(parse(&im, IMAGE_SIZE), -EBADMSG);
	image_init(&im, "/ld");
	image_ph(&im, 1)->p_offset = UINT64_MAX - 8;
	assert_int_equal(parse(&im, IMAGE_SIZE), -EBADMSG);
	image_init(&im, "/ld");
	image_ph(&im, 1)->p_filesz = UINT64_MAX;
	assert_int_equal(parse(&im, IMAGE_SIZE), -EBADMSG);
	image_init(&im, "/ld");
	image_ph(&im, 2)->p_offset = IMAGE_SIZE;
	assert_int_equal(parse(&im, IMAGE_SIZE), -EBADMSG);
}

static void refuses_bad_strings(void **state)
{
	struct image im;

	image_init(&im, "/ld");
	image_ph(&im, 2)->p_filesz = 3; /* the NUL is cut off */
	assert_int_equal(parse(&im, IMAGE_SIZE), -EBADMSG);
	image_init(&im, NULL);
	image_tag(&im, DT_NEEDED, IMAGE_DYN - IMAGE_STRTAB); /* one past the table */
	assert_int_equal(parse(&im, IMAGE_SIZE), -EBADMSG);
	image_init(&im, NULL);
	image_tag(&im, DT_NEEDED, UINT64_MAX);
	assert_int_equal(parse(&im, IMAGE_SIZE), -EBADMSG);
	image_init(&im, NULL);
	image_tag(&im, DT_NEEDED, 0); /* the empty name */
	assert_int_equal(parse(&im, IMAGE_SIZE), -EBADMSG);
	image_init(&im, NULL);
	image_text(&im, DT_NEEDED, "liba.so");
	image_dyn(&im, 1)->d_un.d_val = 4; /* a table that ends within the name */
	assert_int_equal(parse(&im, IMAGE_SIZE), -EBADMSG);
	image_init(&im, NULL);
	image_dyn(&im, 0)->d_un.d_ptr = IMAGE_VADDR + IMAGE_SIZE; /* in no segment */
	assert_int_equal(parse(&im, IMAGE_SIZE), -EBADMSG);
	image_init(&im, NULL);
	image_ph(&im, 0)->p_filesz = UINT64_MAX; /* a segment larger than the file */
	assert_int_equal(parse(&im, IMAGE_SIZE), -EBADMSG);
}

static void refuses_repeated_headers(void **state)
{
	struct image im;

	image_init(&im, "/ld");
	*image_ph(&im, 0) = *image_ph(&im, 2);
	assert_int_equal(parse(&im, IMAGE_SIZE), -EBADMSG);
	image_init(&im, "/ld");
	*image_ph(&im, 2) = *image_ph(&im, 1);
	assert_int_equal(parse(&im, IMAGE_SIZE), -EBADMSG);
}

/* Every truncation is an error or a file with fewer needs; under ASan, also no read past the end. */
static void survives_truncation(void **state)
{
	struct image im;

	image_init(&im, "/lib64/ld.so");
	image_text(&im, DT_NEEDED, "liba.so.1");
	for (size_t size = 0; size < IMAGE_SIZE; size++) {
		_cleanup_free_ uint8_t *exact = xmalloc(size + 1);
		_cleanup_elf_ struct elf e = ELF_INIT;

		memcpy(exact, im.bytes, size);
		exact = xrealloc(exact, size ? size : 1);
		assert_true(elf_parse(&e, exact, size, NULL) < 0);
	}
}

static void leaves_output_alone_on_failure(void **state)
{
	_cleanup_elf_ struct elf e = ELF_INIT;
	struct image im;

	e.interp = xstrdup("mine");
	image_init(&im, "/ld");
	image_tag(&im, DT_NEEDED, UINT64_MAX);
	assert_int_equal(elf_parse(&e, im.bytes, IMAGE_SIZE, NULL), -EBADMSG);
	assert_string_equal(e.interp, "mine");
}

static void canonical_paths(void **state)
{
	static const char *const cases[][2] = {
		{ "/lib/x", "/usr/lib/x" }, { "/lib64/ld.so", "/usr/lib64/ld.so" }, { "/bin/sh", "/usr/bin/sh" },
		{ "/sbin", "/usr/sbin" }, { "/libexec/x", "/libexec/x" }, { "/usr//lib/./x", "/usr/lib/x" },
		{ "/", "/" }, { "//lib//x/", "/usr/lib/x" }, { "/a/../b", NULL }, { "a", NULL }, { "", NULL },
		{ "/..", NULL }, { "/...", "/..." },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *got = inroot_canonical(cases[i][0]);

		if (cases[i][1])
			assert_string_equal(got, cases[i][1]);
		else
			assert_null(got);
	}
}

/* A scratch root that is removed at the end of each test. */
static int setup(void **state)
{
	char *dir = xstrdup("/tmp/vtax-test-elf-XXXXXX");

	*state = mkdtemp(dir);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	int r = inroot_remove(*state, NULL, NULL);

	free(*state);
	return r;
}

static void put(const char *root, const char *path, const struct image *im)
{
	_cleanup_close_ int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *dir = xasprintf("%.*s", (int)(strrchr(path, '/') - path), path);
	_cleanup_close_ int file = -1;

	assert_int_equal(inroot_mkdirs(fd, dir, NULL), 0);
	file = inroot_open(fd, path, O_WRONLY | O_CREAT | O_EXCL, 0755);
	assert_true(file >= 0);
	assert_int_equal(write(file, im->bytes, IMAGE_SIZE), IMAGE_SIZE);
}

static void put_lib(const char *root, const char *path, const char *needs)
{
	struct image im;

	image_init(&im, NULL);
	if (needs)
		image_text(&im, DT_NEEDED, needs);
	put(root, path, &im);
}

static bool has(const struct closure *c, const char *path)
{
	for (size_t i = 0; i < c->nfiles; i++)
		if (strcmp(c->files[i].path, path) == 0)
			return true;
	return false;
}

static void closure_follows_needs(void **state)
{
	_cleanup_closure_ struct closure c = CLOSURE_INIT;
	struct vt_err err = { 0 };
	struct image im;

	image_init(&im, "/lib64/ld-test.so");
	image_text(&im, DT_NEEDED, "liba.so.1");
	image_text(&im, DT_NEEDED, "libgone.so.9");
	image_text(&im, DT_RUNPATH, "$ORIGIN/../lib/own");
	put(*state, "/usr/bin/prog", &im);
	put_lib(*state, "/lib64/ld-test.so", NULL);
	put_lib(*state, "/usr/lib/own/liba.so.1", "libb.so.1");
	put_lib(*state, "/lib/libb.so.1", "liba.so.1"); /* a circle, and liba is not where libb may look */
	assert_int_equal(closure_add_root(&c, *state, &err), 0);
	assert_int_equal(closure_add(&c, 0, "/usr/bin/prog", &err), 0);
	assert_int_equal(c.nfiles, 4);
	assert_string_equal(c.files[0].path, "/usr/bin/prog");
	assert_false(c.files[0].library);
	assert_true(has(&c, "/usr/lib64/ld-test.so"));
	assert_true(has(&c, "/usr/lib/own/liba.so.1"));
	assert_true(has(&c, "/usr/lib/libb.so.1"));
	assert_true(strvec_contains(&c.missing, "libgone.so.9 (needed by /usr/bin/prog)"));
}

static void closure_prefers_earlier_roots(void **state)
{
	_cleanup_free_ char *first = xasprintf("%s/first", (char *)*state);
	_cleanup_free_ char *second = xasprintf("%s/second", (char *)*state);
	_cleanup_closure_ struct closure c = CLOSURE_INIT;
	struct vt_err err = { 0 };

	mkdir(first, 0755);
	mkdir(second, 0755);
	put_lib(second, "/usr/bin/prog", "liba.so.1");
	put_lib(second, "/lib/liba.so.1", NULL);
	put_lib(first, "/usr/lib/liba.so.1", NULL);
	assert_int_equal(closure_add_root(&c, first, &err), 0);
	assert_int_equal(closure_add_root(&c, second, &err), 0);
	assert_int_equal(closure_add(&c, 1, "/usr/bin/prog", &err), 0);
	assert_int_equal(c.nfiles, 2);
	assert_int_equal(c.files[1].root, 0);
	assert_int_equal(c.missing.n, 0);
}

static void closure_passes_over_foreign_libraries(void **state)
{
	_cleanup_closure_ struct closure c = CLOSURE_INIT;
	struct vt_err err = { 0 };
	struct image im;

	put_lib(*state, "/usr/bin/prog", "liba.so.1");
	image_init(&im, NULL);
	image_eh(&im)->e_machine = EM_386;
	put(*state, "/lib64/liba.so.1", &im);
	put_lib(*state, "/usr/lib/liba.so.1", NULL);
	assert_int_equal(closure_add_root(&c, *state, &err), 0);
	assert_int_equal(closure_add(&c, 0, "/usr/bin/prog", &err), 0);
	assert_true(has(&c, "/usr/lib/liba.so.1"));
	assert_false(has(&c, "/usr/lib64/liba.so.1"));
}

static void closure_refuses_paths_as_names(void **state)
{
	_cleanup_closure_ struct closure c = CLOSURE_INIT;
	struct vt_err err = { 0 };

	put_lib(*state, "/usr/bin/prog", "../../../etc/passwd");
	assert_int_equal(closure_add_root(&c, *state, &err), 0);
	assert_int_equal(closure_add(&c, 0, "/usr/bin/prog", &err), -EBADMSG);
	assert_non_null(strstr(err.msg, "needs a library by path"));
	assert_int_equal(closure_add(&c, 0, "/usr/bin/none", &err), -ENOENT);
}

/* An absolute link in a package means a path of the package's tree, and none leads out of it. */
static void links_stay_inside(void **state)
{
	_cleanup_free_ char *out = xasprintf("%s/root/out", (char *)*state);
	_cleanup_free_ char *up = xasprintf("%s/root/up", (char *)*state);
	_cleanup_free_ char *root = xasprintf("%s/root", (char *)*state);
	_cleanup_free_ char *secret = xasprintf("%s/secret", (char *)*state);
	_cleanup_close_ int fd = -1, made = -1;

	assert_int_equal(mkdir(root, 0755), 0);
	made = open(secret, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(made >= 0);
	assert_int_equal(symlink(secret, out), 0);
	assert_int_equal(symlink("../secret", up), 0);
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(inroot_open(fd, "/out", O_RDONLY, 0), -ENOENT);
	assert_int_equal(inroot_open(fd, "/up", O_RDONLY, 0), -ENOENT);
	assert_int_equal(inroot_open(fd, "/../secret", O_RDONLY, 0), -ENOENT);
}

static void removal_does_not_follow_links(void **state)
{
	_cleanup_free_ char *dir = xasprintf("%s/dir", (char *)*state);
	_cleanup_free_ char *kept = xasprintf("%s/kept", (char *)*state);
	_cleanup_free_ char *link = xasprintf("%s/link", dir);
	_cleanup_free_ char *file = xasprintf("%s/file", kept);
	_cleanup_close_ int fd = -1;
	uint64_t freed = 0;

	mkdir(dir, 0755);
	mkdir(kept, 0755);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(symlink(kept, link), 0);
	assert_true(inroot_remove(link, &freed, NULL) < 0); /* a link is not the directory it names */
	assert_int_equal(inroot_remove(dir, &freed, NULL), 0);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(access(dir, F_OK), -1);
	assert_int_equal(inroot_remove(dir, NULL, NULL), 0); /* gone already is fine */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_was_written),
		cmocka_unit_test(static_program_needs_nothing),
		cmocka_unit_test(real_program),
		cmocka_unit_test(refuses_what_is_no_elf64),
		cmocka_unit_test(refuses_offsets_outside),
		cmocka_unit_test(refuses_bad_strings),
		cmocka_unit_test(refuses_repeated_headers),
		cmocka_unit_test(survives_truncation),
		cmocka_unit_test(leaves_output_alone_on_failure),
		cmocka_unit_test(canonical_paths),
		cmocka_unit_test_setup_teardown(closure_follows_needs, setup, teardown),
		cmocka_unit_test_setup_teardown(closure_prefers_earlier_roots, setup, teardown),
		cmocka_unit_test_setup_teardown(closure_passes_over_foreign_libraries, setup, teardown),
		cmocka_unit_test_setup_teardown(closure_refuses_paths_as_names, setup, teardown),
		cmocka_unit_test_setup_teardown(links_stay_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(removal_does_not_follow_links, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
