/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cache of payloads. CACHE/payload holds
 *	DIGEST/{rootfs,manifest,rootfs.tar}	a finished payload, never changed
 *	keys/KEY				what was asked for → which digest, and the stamp of that time
 *	.build-XXXXXX				being built; without a lock holder: what a killed build left
 *	.lock					held while building and removing
 * KEY is a hash of the agent's bytes and the names of the programs. The stamp is the identity and time of the
 * files in which dpkg and apt keep what versions there are: as long as they are the same, so are the answers,
 * and nothing needs to be run to know it. Looking-up takes no lock: payloads appear by rename, and are
 * believed only when every file has its recorded size and mode.
 */
#include "payload/payload.h"

#include "base/buf.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "payload/build.h"
#include "payload/elf.h"
#include "payload/package.h"
#include "payload/rootfs.h"
#include "payload/inroot.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sha2.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define PROGRAMS_MAX 64
#define LOCK_TIMEOUT_NS (600 * NS_PER_S) /* longer than any build on a slow network */
#define TAR_TIMEOUT_NS (300 * NS_PER_S)

static const char *const stamp_files[] = {
	"/var/lib/dpkg/status", "/var/lib/apt/lists", "/etc/apt/sources.list", "/etc/apt/sources.list.d",
	"/etc/apt/preferences", "/etc/apt/preferences.d",
};

const char *payload_cache_dir(void)
{
	const char *dir = getenv("VTAX_CACHE");

	return dir && *dir ? dir : "/var/cache/vtax";
}

static const struct payload_program *find_program(const char *name)
{
	for (const struct payload_program *p = payload_programs; p->name; p++)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	const struct payload_program *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* The rows of the names, sorted, each once, NULL at the end. */
static int choose(const char *const *names, const struct payload_program *out[PROGRAMS_MAX + 1],
	struct vt_err *err)
{
	size_t n = 0, kept = 0;

	for (; names && *names; names++) {
		const struct payload_program *p = find_program(*names);

		if (!p || n == PROGRAMS_MAX)
			return vt_fail(err, -EINVAL, "the payload has no program '%s'", *names);
		out[n++] = p;
	}
	qsort(out, n, sizeof *out, by_name);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || out[kept - 1] != out[i])
			out[kept++] = out[i];
	out[kept] = NULL;
	return 0;
}

static int hash_agent(const char *path, char sha256[65], struct vt_err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t chunk[65536];
	SHA2_CTX sha;
	ssize_t n;

	if (fd < 0)
		return vt_fail_errno(err, "cannot open the agent '%s'", path);
	SHA256Init(&sha);
	while ((n = read(fd, chunk, sizeof chunk)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vt_fail_errno(err, "cannot read the agent '%s'", path);
		SHA256Update(&sha, chunk, (size_t)n);
	}
	SHA256End(&sha, sha256);
	return 0;
}

static void make_key(char key[65], const char *agent_sha256, const struct payload_program *const *programs)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 20);

	buf_printf(&text, "1 %s %s\n", PACKAGE_ARCH, agent_sha256);
	for (; *programs; programs++)
		buf_printf(&text, "%s\n", (*programs)->name);
	SHA256Data((const uint8_t *)buf_str(&text), text.len, key);
}

static void make_stamp(struct buf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(stamp_files); i++) {
		struct stat st;

		if (stat(stamp_files[i], &st) < 0)
			buf_printf(out, "- %s\n", stamp_files[i]);
		else
			buf_printf(out, "%ju %jd.%09ld %jd %s\n", (uintmax_t)st.st_ino,
				(intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (intmax_t)st.st_size,
				stamp_files[i]);
	}
}

/* Fills *p from a digest. -ESTALE (no message) when that payload is absent or damaged. */
static int open_payload(struct payload *p, const char *cache, const char *digest, struct vt_err *err)
{
	_cleanup_buf_ struct buf manifest = BUF_INIT(BUILD_MANIFEST_MAX);
	_cleanup_free_ char *path = xasprintf("%s/payload/%s/manifest", cache, digest);
	struct payload got = { 0 };
	char sha256[65];
	int n;

	n = snprintf(got.dir, sizeof got.dir, "%s/payload/%s", cache, digest);
	if (n < 0 || (size_t)n >= sizeof got.dir)
		return vt_fail(err, -ENAMETOOLONG, "the path of the cache, '%s', is too long", cache);
	snprintf(got.digest, sizeof got.digest, "%s", digest);
	snprintf(got.rootfs, sizeof got.rootfs, "%.*s/rootfs", (int)sizeof got.dir, got.dir);
	snprintf(got.agent, sizeof got.agent, "%.*s/rootfs" PAYLOAD_AGENT, (int)sizeof got.dir, got.dir);
	if (buf_read_file(&manifest, path, NULL) < 0)
		return -ESTALE;
	SHA256Data((const uint8_t *)buf_str(&manifest), manifest.len, sha256);
	if (strcmp(sha256, digest) != 0 || !rootfs_intact(got.rootfs, buf_str(&manifest), &got.size_bytes))
		return -ESTALE;
	*p = got;
	return 0;
}

/* Whether what was built for this key may be used as it is: 1 yes and *p is filled, 0 no, negative errno. */
static int look_up(struct payload *p, const char *cache, const char *key, bool offline, struct vt_err *err)
{
	_cleanup_free_ char *path = xasprintf("%s/payload/keys/%s", cache, key);
	_cleanup_buf_ struct buf was = BUF_INIT(65536), now = BUF_INIT(65536);
	char digest[65];
	int r;

	if (buf_read_file(&was, path, NULL) < 0 || was.len < 65 ||
		strspn(was.data, "0123456789abcdef") != 64 || was.data[64] != '\n')
		return 0;
	make_stamp(&now);
	if (!offline && strcmp(was.data + 65, buf_str(&now)) != 0)
		return 0;
	snprintf(digest, sizeof digest, "%s", was.data);
	r = open_payload(p, cache, digest, err);
	return r == -ESTALE ? 0 : r < 0 ? r : 1;
}

static int make_dirs(const char *cache, struct vt_err *err)
{
	static const char *const below[] = { "", "/payload", "/payload/keys", "/debs" };

	for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
		_cleanup_free_ char *dir = xasprintf("%s%s", cache, below[i]);

		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			return vt_fail_errno(err, "cannot make the directory '%s'", dir);
	}
	return 0;
}

/* The lock's descriptor. flock(2) knows no deadline, so it is asked again until ours. */
static int lock_cache(const char *cache, struct vt_err *err)
{
	_cleanup_free_ char *path = xasprintf("%s/payload/.lock", cache);
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	uint64_t deadline = clock_deadline_ns(LOCK_TIMEOUT_NS);

	if (fd < 0)
		return vt_fail_errno(err, "cannot open '%s'", path);
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return vt_fail_errno(err, "cannot lock '%s'", path);
		if (clock_now_ns() >= deadline)
			return vt_fail(err, -ETIMEDOUT, "another vtax has been building in '%s' for too long; "
				"end it or set VTAX_CACHE to another folder", cache);
		if (clock_sleep_until(clock_deadline_ns(50 * NS_PER_MS)) < 0)
			return vt_fail(err, -EINTR, "interrupted while another vtax builds in '%s'", cache);
	}
	return steal_fd(&fd);
}

/* Removes left builds and, unless `builds_only`, the payloads that are not `keep` (NULL: all). */
static int remove_where(const char *cache, bool builds_only, const char *keep, uint64_t *freed,
	struct vt_err *err)
{
	_cleanup_free_ char *dir = xasprintf("%s/payload", cache);
	_cleanup_closedir_ DIR *d = opendir(dir);
	struct dirent *de;
	int r = 0;

	while (d && r == 0 && (de = readdir(d))) {
		bool build = strncmp(de->d_name, ".build-", 7) == 0;
		bool digest = strspn(de->d_name, "0123456789abcdef") == 64 && !de->d_name[64];

		if (build || (digest && !builds_only && (!keep || strcmp(de->d_name, keep) != 0))) {
			_cleanup_free_ char *path = xasprintf("%s/%s", dir, de->d_name);

			r = inroot_remove(path, freed, err);
		}
	}
	return r;
}

static int build_and_record(struct payload *p, const char *cache, const char *agent, const char *agent_sha256,
	const struct payload_program *const *programs, const char *key, bool offline, struct vt_err *err)
{
	_cleanup_free_ char *path = xasprintf("%s/payload/keys/%s", cache, key);
	_cleanup_buf_ struct buf record = BUF_INIT(65536);
	char digest[65];
	int r;

	package_sweep(cache);
	r = remove_where(cache, true, NULL, NULL, err);
	buf_printf(&record, "%064d\n", 0);
	make_stamp(&record); /* taken first: a change while we build makes the next call look again */
	if (r == 0)
		r = payload_build(cache, agent, agent_sha256, programs, offline, digest, err);
	if (r < 0)
		return r;
	memcpy(record.data, digest, 64);
	r = open_payload(p, cache, digest, err);
	if (r == -ESTALE)
		return vt_fail(err, r, "the payload in '%s' changed while it was made; run again", cache);
	return r < 0 ? r : buf_write_file(&record, path, 0644, err);
}

int payload_get(struct payload *p, const char *agent_path, const char *const *programs, bool offline,
	struct vt_err *err)
{
	const struct payload_program *chosen[PROGRAMS_MAX + 1];
	_cleanup_free_ char *agent = realpath(agent_path, NULL);
	const char *cache = payload_cache_dir();
	char agent_sha256[65], key[65];
	_cleanup_close_ int lock = -1;
	int r;

	if (!agent)
		return vt_fail_errno(err, "cannot find the agent '%s'", agent_path);
	if (cache[0] != '/')
		return vt_usage(err, "VTAX_CACHE is '%s', but must be an absolute path", cache);
	r = choose(programs, chosen, err);
	if (r == 0)
		r = hash_agent(agent, agent_sha256, err);
	if (r < 0)
		return r;
	make_key(key, agent_sha256, chosen);
	r = look_up(p, cache, key, offline, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = make_dirs(cache, err);
	if (r < 0)
		return r;
	lock = lock_cache(cache, err);
	if (lock < 0)
		return lock;
	r = look_up(p, cache, key, offline, err); /* somebody else may have built it meanwhile */
	if (r != 0)
		return r < 0 ? r : 0;
	return build_and_record(p, cache, agent, agent_sha256, chosen, key, offline, err);
}

int payload_tar(const struct payload *p, char path[static 320], struct vt_err *err)
{
	_cleanup_free_ char *tmp = xasprintf("%s/.tar-XXXXXX", p->dir);
	/* The same payload gives the same tar, byte for byte, whenever and by whom it is made. */
	const char *argv[] = { "tar", "--format=gnu", "--sort=name", "--mtime=@0", "--owner=0", "--group=0",
		"--numeric-owner", "-C", p->rootfs, "-cf", tmp, ".", NULL };
	struct child_spec spec = { .argv = argv, .die_with_parent = true, .new_session = true };
	_cleanup_close_ int fd = -1;
	char final[320];
	int r;

	snprintf(final, sizeof final, "%s/rootfs.tar", p->dir);
	if (access(final, R_OK) == 0) {
		memcpy(path, final, sizeof final);
		return 0;
	}
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return vt_fail_errno(err, "cannot create '%s'", tmp);
	r = child_run(&spec, TAR_TIMEOUT_NS, NULL, err);
	if (r == 0 && (fchmod(fd, 0644) < 0 || fsync(fd) < 0 || rename(tmp, final) < 0))
		r = vt_fail_errno(err, "cannot write '%s'", final);
	if (r < 0) {
		unlink(tmp);
		return vt_wrap(err, "cannot pack the payload"), r;
	}
	memcpy(path, final, sizeof final);
	return 0;
}

/* "DIR:DIR" of the folders that hold the payload's libraries, as host paths. */
static int library_path(const struct payload *p, struct buf *out, struct vt_err *err)
{
	_cleanup_buf_ struct buf manifest = BUF_INIT(BUILD_MANIFEST_MAX);
	_cleanup_free_ char *path = xasprintf("%s/manifest", p->dir);
	_cleanup_strvec_ struct strvec dirs = STRVEC_INIT;
	struct rootfs_entry e;
	const char *at;
	int r = buf_read_file(&manifest, path, err);

	if (r < 0)
		return r;
	for (at = buf_str(&manifest); (r = rootfs_next_entry(&at, &e)) > 0;) {
		_cleanup_free_ char *dir = xasprintf("%s%.*s", p->rootfs, e.path_len, e.path);

		*strrchr(dir, '/') = '\0';
		if (strcmp(e.kind, "library") != 0 || strvec_contains(&dirs, dir))
			continue;
		buf_printf(out, "%s%s", dirs.n ? ":" : "", dir);
		strvec_push(&dirs, dir);
	}
	return r < 0 ? vt_fail(err, r, "'%s' is damaged; run 'vtax clean --cache'", path) : 0;
}

int payload_native_argv(const struct payload *p, const char *program, struct strvec *argv, struct vt_err *err)
{
	const struct payload_program *row = find_program(program);
	_cleanup_close_ int root = -1, fd = -1;
	_cleanup_buf_ struct buf dirs = BUF_INIT(65536);
	_cleanup_elf_ struct elf e = ELF_INIT;
	int r;

	if (!row)
		return vt_fail(err, -EINVAL, "the payload has no program '%s'", program);
	root = open(p->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return vt_fail_errno(err, "cannot open '%s'", p->rootfs);
	fd = inroot_open(root, row->path, O_RDONLY, 0);
	if (fd < 0)
		return vt_fail(err, fd, "'%s' is not in this payload", program);
	r = elf_read(&e, fd, row->path, err);
	if (r == 0 && e.interp)
		r = library_path(p, &dirs, err);
	if (r < 0)
		return r;
	if (e.interp) {
		_cleanup_free_ char *interp = inroot_canonical(e.interp);

		strvec_pushf(argv, "%s%s", p->rootfs, interp ? interp : e.interp);
		strvec_push(argv, "--inhibit-cache"); /* or the host's libraries could be found */
		strvec_push(argv, "--library-path");
		strvec_push(argv, buf_str(&dirs));
	}
	strvec_pushf(argv, "%s%s", p->rootfs, row->path);
	return 0;
}

/* Forgets every key that does not lead to `keep`. */
static void remove_keys(const char *cache, const char *keep)
{
	_cleanup_free_ char *dir = xasprintf("%s/payload/keys", cache);
	_cleanup_closedir_ DIR *d = opendir(dir);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		_cleanup_free_ char *path = xasprintf("%s/%s", dir, de->d_name);
		_cleanup_buf_ struct buf text = BUF_INIT(65536);

		if (de->d_name[0] == '.')
			continue;
		buf_read_file(&text, path, NULL);
		if (!keep || strncmp(buf_str(&text), keep, 64) != 0)
			unlink(path);
	}
}

int payload_clean(const struct payload *keep, uint64_t *freed_bytes, struct vt_err *err)
{
	const char *cache = payload_cache_dir();
	_cleanup_free_ char *payloads = xasprintf("%s/payload", cache);
	_cleanup_free_ char *debs = xasprintf("%s/debs", cache);
	_cleanup_close_ int lock = -1;
	uint64_t freed = 0;
	int r;

	if (freed_bytes)
		*freed_bytes = 0;
	if (access(payloads, F_OK) < 0 && errno == ENOENT)
		return 0;
	lock = lock_cache(cache, err);
	if (lock < 0)
		return lock;
	remove_keys(cache, keep ? keep->digest : NULL);
	r = remove_where(cache, false, keep ? keep->digest : NULL, &freed, err);
	if (r == 0 && !keep)
		r = inroot_remove(debs, &freed, err);
	if (r == 0 && freed_bytes)
		*freed_bytes = freed;
	return r;
}
