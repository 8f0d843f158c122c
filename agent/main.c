/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vtax-agent: the program inside every environment. One static binary, so that it runs wherever Linux system
 * calls are served, with no file beside it. Without arguments it speaks the protocol on stdin and stdout;
 * as `relay` it stands in the path of somebody else's traffic and adds a known delay.
 */
#include "agent.h"

#include "load/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define RELAY_PORTS_MAX 64
#define RELAY_DELAY_MAX_NS UINT64_C(10000000000)

static const char usage[] =
	"usage: vtax-agent                 speak the vtax protocol on stdin and stdout (vtax starts it so)\n"
	"       vtax-agent relay --listen ADDRESS --target ADDRESS --delay-ns N PORT...\n"
	"                                  pass TCP and UDP on until stdin ends, N nanoseconds late\n"
	"                                  towards the target\n"
	"       vtax-agent --version | --help\n";

static int refuse(const char *what, const char *given)
{
	fprintf(stderr, "vtax-agent: %s \"%s\"; see vtax-agent --help\n", what, given);
	return EXIT_USAGE;
}

static bool number(const char *text, uint64_t max, uint64_t *v)
{
	char *end;

	errno = 0;
	*v = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *v <= max;
}

static bool numeric_address(const char *text)
{
	struct in6_addr a;

	return inet_pton(AF_INET, text, &a) == 1 || inet_pton(AF_INET6, text, &a) == 1;
}

/* 0, or an exit status after a complaint. */
static int relay_options(struct relay_config *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "target", required_argument, NULL, 't' },
		{ "delay-ns", required_argument, NULL, 'd' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == '?')
			return EXIT_USAGE;
		if (o == 'd' && !number(optarg, RELAY_DELAY_MAX_NS, &c->delay_ns))
			return refuse("no delay of 0 to 10000000000 ns:", optarg);
		if (o != 'd' && !numeric_address(optarg))
			return refuse("no numeric address:", optarg);
		if (o == 'l')
			c->listen = optarg;
		if (o == 't')
			c->target = optarg;
	}
	if (!c->listen || !c->target)
		return refuse("relay needs", c->listen ? "--target" : "--listen");
	return 0;
}

static int relay(int argc, char **argv)
{
	static uint16_t ports[RELAY_PORTS_MAX];
	struct relay_config c = { .ports = ports, .ready_fd = STDOUT_FILENO, .stop_fd = STDIN_FILENO };
	struct vt_err err = { 0 };
	uint64_t v;
	int r = relay_options(&c, argc, argv);

	if (r != 0)
		return r;
	for (; optind < argc; optind++) {
		if (!number(argv[optind], UINT16_MAX, &v) || v == 0 || c.nports == RELAY_PORTS_MAX)
			return refuse(c.nports == RELAY_PORTS_MAX ? "one port too many:" : "no port:",
				argv[optind]);
		ports[c.nports++] = (uint16_t)v;
	}
	if (c.nports == 0)
		return refuse("relay needs", "PORT");
	signal(SIGPIPE, SIG_IGN);
	if (relay_run(&c, &err) == 0)
		return EXIT_SUCCESS;
	fprintf(stderr, "vtax-agent: %s\n", err.msg);
	return EXIT_FAILURE;
}

/*
 * The protocol gets stdout to itself: descriptor 1 becomes another name of stderr, so that no stray print, of
 * ours or of a library, can end up in the middle of a message.
 */
static int protocol(void)
{
	int out;

	if (isatty(STDIN_FILENO)) {
		fputs("vtax-agent: this program speaks a binary protocol and is started by vtax\n", stderr);
		return EXIT_USAGE;
	}
	out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (out < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
		fprintf(stderr, "vtax-agent: cannot take stdout: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	return session_run(STDIN_FILENO, out);
}

int main(int argc, char **argv)
{
	int status;

	if (argc == 1) {
		status = protocol();
	} else if (strcmp(argv[1], "relay") == 0) {
		status = relay(argc - 1, argv + 1);
	} else if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		status = puts("vtax-agent " VTAX_VERSION) < 0 || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
	} else if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		status = fputs(usage, stdout) < 0 || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
	} else {
		status = refuse("no such argument:", argv[1]);
	}
	/* Not exit(): a kernel's threads may be running, and need not be waited for. */
	_exit(status);
}
