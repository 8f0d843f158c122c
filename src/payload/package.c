/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * apt-get checks a download against the signed package lists; what it checked is moved into CACHE/debs in one
 * rename, so that a file there is always whole. An archive's name, NAME_VERSION_ARCH.deb (':' as %3a), is
 * all the bookkeeping there is. Children get LC_ALL=C, since their words are read.
 */
#include "payload/package.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "payload/inroot.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

#define ASK_TIMEOUT_NS (60 * NS_PER_S)
#define FETCH_TIMEOUT_NS (300 * NS_PER_S)

extern char **environ;

static int enter_dir(void *arg, struct vt_err *err)
{
	return chdir(arg) < 0 ? vt_fail_errno(err, "cannot enter '%s'", (const char *)arg) : 0;
}

static int run(const char *const *argv, char *cwd, uint64_t timeout_ns, struct buf *out, struct vt_err *err)
{
	_cleanup_strvec_ struct strvec env = STRVEC_INIT;
	struct child_spec spec = {
		.argv = argv,
		.die_with_parent = true,
		.new_session = true, /* Ctrl-C is for us to handle */
		.prepare = cwd ? enter_dir : NULL,
		.arg = cwd,
	};

	for (char **e = environ; *e; e++)
		if (strncmp(*e, "LC_ALL=", 7) != 0 && strncmp(*e, "LANGUAGE=", 9) != 0)
			strvec_push(&env, *e);
	strvec_push(&env, "LC_ALL=C");
	spec.envp = strvec_argv(&env);
	return child_run(&spec, timeout_ns, out, err);
}

/* Debian policy 5.6.7; also keeps a name from being taken for an option. */
static bool good_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789+-.");

	return n > 1 && n < 100 && name[n] == '\0' && isalnum((unsigned char)name[0]);
}

/* The version apt would install; NULL with a message when there is none. */
static char *candidate(const char *name, struct vt_err *err)
{
	const char *argv[] = { "apt-cache", "policy", name, NULL };
	_cleanup_buf_ struct buf out = BUF_INIT(65536);
	const char *at;

	if (run(argv, NULL, ASK_TIMEOUT_NS, &out, err) < 0)
		return NULL;
	at = strstr(buf_str(&out), "Candidate: ");
	if (at) {
		at += strlen("Candidate: ");
		if (*at != '(' && *at != '\n')
			return strndup(at, strcspn(at, "\n"));
	}
	vt_fail(err, -ENOENT, "apt knows no package '%s'; run 'apt-get update'", name);
	return NULL;
}

/* Version from "NAME_VERSION_ARCH.deb" when it is that package; NULL otherwise. */
static char *version_in(const char *file, const char *name)
{
	size_t n = strlen(name), len = strlen(file);
	const char *from = file + n + 1, *to = strrchr(file, '_');
	char *version, *w;

	if (len < n + 6 || strncmp(file, name, n) != 0 || file[n] != '_' || to <= from)
		return NULL;
	if (strcmp(to, "_" PACKAGE_ARCH ".deb") != 0 && strcmp(to, "_all.deb") != 0)
		return NULL;
	version = w = strndup(from, (size_t)(to - from));
	for (char *r = version; r && (*w = *r); r++, w++) {
		if (strncmp(r, "%3a", 3) == 0) {
			*w = ':';
			r += 2;
		}
	}
	return version;
}

/* The cached archive of this version, or of the newest upload when version is NULL. Fills *p; false: none. */
static bool cached(struct package *p, const char *debs, const char *name, const char *version)
{
	_cleanup_closedir_ DIR *d = opendir(debs);
	struct timespec newest = { 0 };
	struct dirent *de;

	while (d && (de = readdir(d))) {
		_cleanup_free_ char *v = version_in(de->d_name, name);
		struct stat st;

		if (!v || (version && strcmp(v, version) != 0) || fstatat(dirfd(d), de->d_name, &st, 0) < 0)
			continue;
		if (p->deb && st.st_mtim.tv_sec <= newest.tv_sec)
			continue;
		newest = st.st_mtim;
		package_release(p);
		p->name = xstrdup(name);
		p->version = steal_ptr(v);
		p->deb = xasprintf("%s/%s", debs, de->d_name);
	}
	return p->deb != NULL;
}

/* Moves the one archive that is in `from` into `debs`. */
static int keep_download(const char *from, const char *debs, struct vt_err *err)
{
	_cleanup_closedir_ DIR *d = opendir(from);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		size_t n = strlen(de->d_name);

		if (n > 4 && strcmp(de->d_name + n - 4, ".deb") == 0) {
			_cleanup_free_ char *to = xasprintf("%s/%s", debs, de->d_name);

			if (renameat(dirfd(d), de->d_name, -1, to) < 0)
				return vt_fail_errno(err, "cannot make '%s'", to);
			return 0;
		}
	}
	return vt_fail(err, -ENOENT, "'apt-get download' left no package in '%s'", from);
}

static int download(const char *debs, const char *name, const char *version, struct vt_err *err)
{
	_cleanup_free_ char *what = xasprintf("%s=%s", name, version);
	_cleanup_free_ char *dir = xasprintf("%s/.get-XXXXXX", debs);
	/* The sandbox user could not write into a root-owned folder; the signature check is the same. */
	const char *argv[] = { "apt-get", "-qq", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2",
		"download", what, NULL };
	int r;

	if (!mkdtemp(dir))
		return vt_fail_errno(err, "cannot make a directory in '%s'", debs);
	r = run(argv, dir, FETCH_TIMEOUT_NS, NULL, err);
	if (r == 0)
		r = keep_download(dir, debs, err);
	inroot_remove(dir, NULL, NULL);
	return r;
}

/* The version installed here; NULL when it is not. */
static char *installed(const char *name)
{
	const char *argv[] = { "dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}\n", name, NULL };
	_cleanup_buf_ struct buf out = BUF_INIT(65536);
	const char *s;

	if (run(argv, NULL, ASK_TIMEOUT_NS, &out, NULL) < 0)
		return NULL;
	s = buf_str(&out);
	if (strncmp(s, "installed ", 10) != 0)
		return NULL;
	return strndup(s + 10, strcspn(s + 10, "\n"));
}

int package_find(struct package *p, const char *cache, const char *name, bool offline, struct vt_err *err)
{
	_cleanup_package_ struct package got = PACKAGE_INIT;
	_cleanup_free_ char *debs = xasprintf("%s/debs", cache);
	_cleanup_free_ char *version = NULL;
	struct vt_err why = { 0 };
	int r = offline ? -ENOENT : 0;

	if (!good_name(name))
		return vt_fail(err, -EINVAL, "'%s' is no name of a package", name);
	if (mkdir(debs, 0755) < 0 && errno != EEXIST)
		return vt_fail_errno(err, "cannot make the directory '%s'", debs);
	if (!offline) {
		version = candidate(name, &why);
		r = version ? 0 : why.code;
	}
	if (r == 0 && !cached(&got, debs, name, version)) {
		r = download(debs, name, version, &why);
		if (r == 0 && !cached(&got, debs, name, version))
			r = vt_fail(&why, -ENOENT, "apt gave another version of '%s' than '%s'", name, version);
	}
	if (r < 0 && !cached(&got, debs, name, NULL)) {
		got.version = installed(name);
		if (!got.version && offline)
			return vt_fail(err, r, "package '%s' is neither cached nor installed; "
				"run once with network access", name);
		if (!got.version)
			return vt_fail(err, r, "cannot get package '%s': %s", name, why.msg);
		got.name = xstrdup(name);
	}
	*p = got;
	got = PACKAGE_INIT;
	return 0;
}

int package_unpack(const struct package *p, const char *into, struct vt_err *err)
{
	const char *argv[] = { "dpkg-deb", "-x", p->deb, into, NULL };
	int r;

	if (!p->deb)
		return 0;
	r = run(argv, NULL, FETCH_TIMEOUT_NS, NULL, err);
	if (r == -ECANCELED)
		unlink(p->deb); /* damaged since apt checked it, perhaps: the next try downloads it anew */
	return r < 0 ? vt_wrap(err, "cannot unpack '%s'", p->deb) : 0;
}

static void copy_word(char *out, size_t size, const char *from, size_t len)
{
	snprintf(out, size, "%.*s", (int)(len < size ? len : size - 1), from);
}

bool package_next_dep(const char **text, struct package_dep *dep)
{
	const char *s = *text, *end;
	size_t n;

	memset(dep, 0, sizeof *dep);
	s += strspn(s, " \t\n,|");
	if (!*s)
		return false;
	end = s + strcspn(s, ",|\n");
	*text = end;
	n = strcspn(s, " \t(:,|\n");
	copy_word(dep->name, sizeof dep->name, s, n);
	s += n;
	s += strcspn(s, "(,|\n");
	if (*s == '(') {
		s += 1 + strspn(s + 1, " ");
		n = strspn(s, "<>=");
		copy_word(dep->op, sizeof dep->op, s, n);
		s += n + strspn(s + n, " ");
		copy_word(dep->version, sizeof dep->version, s, strcspn(s, " )\n"));
	}
	return true;
}

/* Whether the installed version satisfies "op version" (no op: any does). */
static bool satisfies(const char *have, const struct package_dep *dep)
{
	const char *argv[] = { "dpkg", "--compare-versions", have, dep->op, dep->version, NULL };

	return !dep->op[0] || run(argv, NULL, ASK_TIMEOUT_NS, NULL, NULL) == 0;
}

int package_wants(const struct package *p, bool outdated_only, struct strvec *names, struct vt_err *err)
{
	const char *argv[] = { "dpkg-deb", "-W", "--showformat=${Pre-Depends},${Depends}\n", p->deb, NULL };
	_cleanup_buf_ struct buf out = BUF_INIT(1 << 20);
	struct package_dep dep;
	const char *at;
	int r;

	if (!p->deb)
		return 0; /* installed: dpkg has seen to it */
	r = run(argv, NULL, ASK_TIMEOUT_NS, &out, err);
	if (r < 0)
		return vt_wrap(err, "cannot read '%s'", p->deb);
	for (at = buf_str(&out); package_next_dep(&at, &dep);) {
		_cleanup_free_ char *have = NULL;

		if (!good_name(dep.name) || strvec_contains(names, dep.name))
			continue;
		have = installed(dep.name);
		if (have ? !satisfies(have, &dep) : !outdated_only)
			strvec_push(names, dep.name);
	}
	return 0;
}

void package_release(struct package *p)
{
	free(p->name);
	free(p->version);
	free(p->deb);
	*p = PACKAGE_INIT;
}

void package_sweep(const char *cache)
{
	_cleanup_free_ char *debs = xasprintf("%s/debs", cache);
	_cleanup_closedir_ DIR *d = opendir(debs);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		if (strncmp(de->d_name, ".get-", 5) == 0) {
			_cleanup_free_ char *left = xasprintf("%s/%s", debs, de->d_name);

			inroot_remove(left, NULL, NULL);
		}
	}
}
