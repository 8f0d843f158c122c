/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Only splits: whether the name exists is for the registries to say, and the options are parsed against their
 * table (option.c). What was typed is quoted in errors up to a length that leaves room for the advice.
 */
#include "base/spec.h"

#include "base/cleanup.h"
#include "base/xalloc.h"

#include <string.h>

static int name_char(char c, int allow_glob)
{
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-')
		return 1;
	return allow_glob && c != '\0' && strchr("*?[]", c) != NULL;
}

int spec_parse(struct spec *s, const char *text, int allow_glob, struct vt_err *err)
{
	size_t len = strnlen(text, SPEC_MAX + 1);
	size_t name = strcspn(text, ":");

	if (len > SPEC_MAX)
		return vt_usage(err, "'%.32s…' is longer than %d bytes; shorten it", text, SPEC_MAX);
	if (len == 0)
		return vt_usage(err, "an empty name; write it as 'name' or 'name:key=value,…'");
	if (name == 0)
		return vt_usage(err, "'%.64s' has no name before ':'; write it as 'name:key=value,…'", text);
	for (size_t i = 0; i < name; i++) {
		if (name_char(text[i], allow_glob))
			continue;
		if (text[i] == '=' || text[i] == ',')
			return vt_usage(err,
				"'%.64s' has '%c' in its name; options follow a colon, as in 'oci:net=nat'",
				text, text[i]);
		return vt_usage(err, "'%.*s' is not a name; names are made of a-z, 0-9, '_' and '-'%s",
			(int)(name < 64 ? name : 64), text, allow_glob ? " (or a glob of them)" : "");
	}
	s->name = xmalloc(name + 1);
	memcpy(s->name, text, name);
	s->name[name] = '\0';
	s->opts = xstrdup(text[name] == ':' ? text + name + 1 : "");
	return 0;
}

void spec_release(struct spec *s)
{
	free(s->name);
	free(s->opts);
	s->name = s->opts = NULL;
}
