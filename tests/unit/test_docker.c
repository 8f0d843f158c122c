/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Docker's command lines: each switch adds what it should, and nothing else. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "technique/program.h"
#include "technique/docker/docker_argv.h"
#include "technique/docker/user.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const uint16_t ports[] = { 12865, 12866 };

static struct docker_run plain(void)
{
	return (struct docker_run){
		.docker = "/x/docker",
		.socket = "/x/sock",
		.name = "vtax-1-e1",
		.image = "vtax-payload:1",
		.agent = "/vtax/agent",
		.pidns = true,
		.utsns = true,
		.ipcns = true,
		.cgroupns = true,
		.seccomp = true,
		.cpu = -1,
		.nofile = 4096,
	};
}

static int index_of(const struct strvec *v, const char *word)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i], word))
			return (int)i;
	return -1;
}

/* A changed configuration has `added`, lacks `gone`, and is otherwise as long as it should be. */
static void assert_change(const struct docker_run *d, const char *added, const char *gone)
{
	_cleanup_strvec_ struct strvec before = STRVEC_INIT, after = STRVEC_INIT;
	struct docker_run was = plain();

	docker_run_argv(&was, &before);
	docker_run_argv(d, &after);
	assert_int_equal(index_of(&before, added), -1);
	if (index_of(&after, added) < 0)
		fail_msg("'%s' is missing", added);
	assert_true(index_of(&after, added) < index_of(&after, "vtax-payload:1"));
	if (gone) {
		assert_true(index_of(&before, gone) >= 0);
		assert_int_equal(index_of(&after, gone), -1);
	}
	assert_int_equal(after.n, before.n + !gone);
}

#define ASSERT_SWITCH(field, value, added, gone)                                                             \
	do {                                                                                                 \
		struct docker_run d = plain();                                                               \
		d.field = value;                                                                             \
		assert_change(&d, added, gone);                                                              \
	} while (0)

static void test_switches(void **state)
{
	ASSERT_SWITCH(pidns, false, "--pid=host", NULL);
	ASSERT_SWITCH(utsns, false, "--uts=host", NULL);
	ASSERT_SWITCH(ipcns, false, "--ipc=host", "--ipc=private");
	ASSERT_SWITCH(cgroupns, false, "--cgroupns=host", "--cgroupns=private");
	ASSERT_SWITCH(seccomp, false, "--security-opt=seccomp=unconfined", NULL);
	ASSERT_SWITCH(caps, CAPABILITY_NONE, "--cap-drop=ALL", NULL);
	ASSERT_SWITCH(volume, true, "--volume=/data", NULL);
	ASSERT_SWITCH(cpu, 1, "--cpuset-cpus=1", NULL);
	ASSERT_SWITCH(cpu_quota, 2, "--cpus=2", NULL);
	ASSERT_SWITCH(mem_bytes, 64 << 20, "--memory=67108864", NULL);
	ASSERT_SWITCH(nofile, 99, "--ulimit=nofile=99:99", "--ulimit=nofile=4096:4096");
	ASSERT_SWITCH(network, "host", "--network=host", NULL);
	ASSERT_SWITCH(ip, "198.18.0.3", "--ip=198.18.0.3", NULL);
	ASSERT_SWITCH(cgroup_parent, "/vtax-1/e1", "--cgroup-parent=/vtax-1/e1", NULL);
	ASSERT_SWITCH(runtime, "runsc", "--runtime=runsc", NULL);
}

static void test_shape(void **state)
{
	_cleanup_strvec_ struct strvec v = STRVEC_INIT;
	struct docker_run d = plain();

	docker_run_argv(&d, &v);
	assert_string_equal(v.v[0], "/x/docker");
	assert_string_equal(v.v[1], "--host=unix:///x/sock");
	assert_string_equal(v.v[2], "run");
	assert_string_equal(v.v[v.n - 2], "vtax-payload:1");
	assert_string_equal(v.v[v.n - 1], "/vtax/agent");
	assert_true(index_of(&v, "--rm") > 0);
	assert_true(index_of(&v, "--interactive") > 0);
	assert_true(index_of(&v, "--tty") < 0);
	strvec_release(&v);

	d.socket = NULL;
	docker_run_argv(&d, &v);
	assert_string_equal(v.v[1], "run");
}

static void test_ports(void **state)
{
	_cleanup_strvec_ struct strvec v = STRVEC_INIT;
	struct docker_run d = plain();

	d.ports = ports;
	d.nports = 2;
	docker_run_argv(&d, &v); /* no address: not published */
	assert_true(index_of(&v, "--publish=198.18.0.2:12865:12865/tcp") < 0);
	strvec_release(&v);

	d.publish = "198.18.0.2";
	docker_run_argv(&d, &v);
	assert_true(index_of(&v, "--publish=198.18.0.2:12865:12865/tcp") > 0);
	assert_true(index_of(&v, "--publish=198.18.0.2:12865:12865/udp") > 0);
	assert_true(index_of(&v, "--publish=198.18.0.2:12866:12866/udp") > 0);
}

static void test_readonly_and_volume(void **state)
{
	_cleanup_strvec_ struct strvec v = STRVEC_INIT;
	struct docker_run d = plain();
	int volumes = 0;

	d.readonly = d.volume = true;
	docker_run_argv(&d, &v);
	assert_true(index_of(&v, "--read-only") > 0);
	assert_true(index_of(&v, "--tmpfs=/tmp:mode=1777") > 0);
	for (size_t i = 0; i < v.n; i++)
		volumes += !strcmp(v.v[i], "--volume=/data");
	assert_int_equal(volumes, 1);
}

static void test_caps_all(void **state)
{
	_cleanup_strvec_ struct strvec v = STRVEC_INIT;
	struct docker_run d = plain();
	size_t dropped = 0, missing = 0;

	d.caps = CAPABILITY_ALL;
	docker_run_argv(&d, &v);
	assert_true(index_of(&v, "--cap-add=ALL") > 0);
	for (size_t i = 0; i < v.n; i++)
		dropped += !strncmp(v.v[i], "--cap-drop=CAP_", 15);
	while (capability_missing()[missing])
		missing++;
	assert_int_equal(dropped, missing); /* what we do not hold cannot be given */
}

static void test_daemon(void **state)
{
	_cleanup_strvec_ struct strvec v = STRVEC_INIT;
	struct dockerd d = {
		.program = "/x/dockerd", .dir = "/s/docker1", .socket = "/s/docker1/sock", .mtu = 1400
	};

	docker_daemon_argv(&d, &v);
	assert_string_equal(v.v[0], "/x/dockerd");
	/* Everything that has a place of the host as its default. */
	for (const char *const *w = (const char *const[]){ "--config-file=/s/docker1/daemon.json",
		     "--data-root=/s/docker1/data", "--exec-root=/s/docker1/exec", "--pidfile=/s/docker1/pid",
		     "--host=unix:///s/docker1/sock", "--userland-proxy=false", "--mtu=1400", NULL };
		*w; w++)
		if (index_of(&v, *w) < 0)
			fail_msg("'%s' is missing", *w);
}

static void test_daemon_json(void **state)
{
	_cleanup_strvec_ struct strvec names = STRVEC_INIT, paths = STRVEC_INIT;
	_cleanup_buf_ struct buf out = BUF_INIT(4096);
	json_t *o;
	const char *path = NULL;

	strvec_push(&names, "vtax0");
	strvec_push(&paths, "/opt/a \"b\"/runsc");
	assert_int_equal(docker_daemon_json(&names, &paths, &out), 0);
	o = json_loads(buf_str(&out), 0, NULL);
	assert_non_null(o);
	assert_int_equal(json_unpack(o, "{s:{s:{s:s}}}", "runtimes", "vtax0", "path", &path), 0);
	assert_string_equal(path, "/opt/a \"b\"/runsc");
	json_decref(o);
}

static void test_user_daemon_elsewhere(void **state)
{
	struct docker_user u;
	struct vt_err err = { 0 };

	setenv("DOCKER_HOST", "tcp://192.0.2.1:2375", 1);
	if (docker_user_find(&u, &err) == 0)
		fail();
	assert_int_equal(err.kind, VT_ERR_HOST);
	setenv("DOCKER_HOST", "unix:///no/such/socket", 1);
	assert_true(docker_user_find(&u, &err) < 0);
	unsetenv("DOCKER_HOST");
}

/* A private Docker may bring libraries that are not installed: asked for its version it must find them, too. */
static void test_version_with_private_libraries(void **state)
{
	char path[] = "/tmp/vtax-test-version-XXXXXX", said[64] = "";
	static const char script[] = "#!/bin/sh\necho \"libraries: $LD_LIBRARY_PATH\"\n";
	struct vt_err err = { 0 };
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, script, sizeof script - 1), sizeof script - 1);
	assert_int_equal(fchmod(fd, 0755), 0);
	close(fd);
	assert_int_equal(program_version(path, "--version", "/private/lib", said, sizeof said, &err), 0);
	assert_string_equal(said, "libraries: /private/lib");
	assert_int_equal(program_version(path, "--version", "", said, sizeof said, &err), 0);
	assert_string_equal(said, "libraries: ");
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_with_private_libraries),
		cmocka_unit_test(test_switches),
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_readonly_and_volume),
		cmocka_unit_test(test_caps_all),
		cmocka_unit_test(test_daemon),
		cmocka_unit_test(test_daemon_json),
		cmocka_unit_test(test_user_daemon_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
