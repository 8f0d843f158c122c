/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any text as "name:options": what is accepted puts together to the same text again, its name has only the
 * bytes that names may have, and what is refused says why and leaves the outputs alone.
 */
#include "base/cleanup.h"
#include "base/spec.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int true_)
{
	if (!true_)
		abort();
}

static void check(const char *text, int glob)
{
	_cleanup_spec_ struct spec s = { 0 };
	struct vt_err err = { 0 };
	size_t name;

	if (spec_parse(&s, text, glob, &err) < 0) {
		require(err.kind == VT_ERR_USAGE && err.msg[0] && !s.name && !s.opts);
		return;
	}
	name = strlen(s.name);
	require(name > 0 && strlen(text) <= SPEC_MAX);
	require(strspn(s.name, "abcdefghijklmnopqrstuvwxyz0123456789_-*?[]") == name);
	require(glob || !strpbrk(s.name, "*?[]"));
	require(strncmp(text, s.name, name) == 0);
	require(text[name] == ':' ? strcmp(text + name + 1, s.opts) == 0 : !text[name] && !*s.opts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	check(text, 0);
	check(text, 1);
	return 0;
}
