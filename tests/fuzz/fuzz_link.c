/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The controller's end of a link. The input is all that an agent ever says, after which it is gone: the link
 * must come to an end, with an error that is one harmless line, and hand over nothing but well-formed bodies.
 * The first byte chooses whether noise is skipped and whether a real HELLO comes first, which lets the fuzzer
 * get past it.
 */
#include "base/clock.h"
#include "base/log.h"
#include "link/link.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX 32768 /* fits into a pipe, so that no second thread is needed */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int true_)
{
	if (!true_)
		abort();
}

static void check_error(int code, const struct vt_err *err)
{
	require(code < 0 && err->msg[0]);
	for (const char *p = err->msg; *p; p++)
		require(*p >= 0x20 && *p <= 0x7e);
}

static void converse(struct link *l, struct vt_err *err)
{
	struct wire_reader r;
	struct wire_field f;
	int type, n, errors = 0;

	/* An ERROR message leaves the link usable; everything else that fails here is the end. */
	while (errors < 3) {
		if (link_send(l, ABI_LOAD, NULL, 0, clock_deadline_ns(NS_PER_S), err) < 0)
			return;
		while ((type = link_receive(l, clock_deadline_ns(NS_PER_S), NULL, err)) > 0) {
			wire_reader_init(&r, l->body, l->body_len);
			while ((n = wire_next(&r, &f)) > 0)
				;
			require(n == 0);
		}
		check_error(type, err);
		errors++;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct link l = LINK_INIT;
	struct vt_err err = { 0 };
	struct abi_head h;
	int in[2], out[2], r;

	if (size == 0 || size > INPUT_MAX)
		return 0;
	log_set_level(LOG_QUIET);
	require(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	wire_head(&h, ABI_HELLO, 0, 0);
	if (data[0] & 2)
		require(write(out[1], &h, sizeof h) == sizeof h);
	require(write(out[1], data + 1, size - 1) == (ssize_t)size - 1);
	close(out[1]);
	r = link_open(&l, in[1], out[0], "agent", data[0] & 1, clock_deadline_ns(NS_PER_S), &err);
	if (r == 0)
		converse(&l, &err);
	else
		check_error(r, &err);
	link_close(&l);
	close(in[0]);
	return 0;
}
