/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libcyaml does the YAML, the option parser the values; this file does the meaning.
 */
#include "campaign/plan.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/option.h"
#include "base/suggest.h"
#include "base/xalloc.h"

#include <cyaml/cyaml.h>
#include <dirent.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#ifndef VTAX_SUITEDIR
#define VTAX_SUITEDIR "/usr/share/vtax/suites"
#endif

/*
 * The plan's scalars, once: YAML, command-line flags and the stored form all go through this table. They are
 * kept as texts in between, so that `duration: 500ms` and `--duration 500ms` are the same language.
 */
enum kind { NS, COUNT, SWITCH, SHARE };

#define DAY_NS (UINT64_C(24) * 3600 * NS_PER_S)

/* key, kind, member, least, most (SHARE: both unused) */
#define SCALARS(X)                                                                                         \
	X(duration, NS, duration_ns, 10 * NS_PER_MS, DAY_NS)                                               \
	X(warmup, NS, warmup_ns, 0, DAY_NS)                                                                \
	X(time_budget, NS, time_budget_ns, 0, 30 * DAY_NS)                                                 \
	X(start_timeout, NS, start_timeout_ns, 100 * NS_PER_MS, 3600 * NS_PER_S)                           \
	X(blocks, COUNT, blocks_min, 1, 100000)                                                            \
	X(max_blocks, COUNT, blocks_max, 1, 100000)                                                        \
	X(mtu, COUNT, mtu, 576, 65535)                                                                     \
	X(pin, SWITCH, pin, 0, 0)                                                                          \
	X(steer, SWITCH, steer, 0, 0)                                                                      \
	X(offload, SWITCH, offload, 0, 0)                                                                  \
	X(target, SHARE, target, 0, 0)                                                                     \
	X(max_steal, SHARE, max_steal, 0, 0)                                                               \
	X(max_other_load, SHARE, max_other_load, 0, 0)

/* What libcyaml fills: every scalar as the text that was written. */
struct raw_plan {
#define MEMBER(key, kind, member, least, most) char *key;
	SCALARS(MEMBER)
	char *suite, *description, *baseline;
	char **techniques, **workloads;
	unsigned ntechniques, nworkloads;
};

static const struct scalar {
	const char *key;
	enum kind kind;
	size_t member, raw; /* offsets in struct plan and struct raw_plan */
	uint64_t least, most;
} scalars[] = {
#define ROW(key, kind, member, least, most)                                                                \
	{ #key, kind, offsetof(struct plan, member), offsetof(struct raw_plan, key), least, most },
	SCALARS(ROW)
};

static const cyaml_schema_value_t item = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, 4096),
};

#define TEXT(name) CYAML_FIELD_STRING_PTR(#name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_plan, name, 0, 4096)

static const cyaml_schema_field_t fields[] = {
#define FIELD(key, kind, member, least, most) TEXT(key),
	SCALARS(FIELD) TEXT(suite),
	TEXT(description),
	TEXT(baseline),
	CYAML_FIELD_SEQUENCE_COUNT("techniques", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_plan, techniques,
		ntechniques, &item, 0, PLAN_MAX_ITEMS),
	CYAML_FIELD_SEQUENCE_COUNT("workloads", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_plan, workloads,
		nworkloads, &item, 0, PLAN_MAX_ITEMS),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_plan, fields),
};

void plan_init(struct plan *p)
{
	*p = (struct plan){
		.suite = "custom",
		.duration_ns = NS_PER_S,
		.warmup_ns = 100 * NS_PER_MS,
		.start_timeout_ns = 30 * NS_PER_S,
		.blocks_min = 5,
		.blocks_max = 30,
		.max_steal = 0.05,
		.max_other_load = 0.10,
		.pin = true,
		.offload = true,
	};
}

void plan_release(struct plan *p)
{
	free(p->description);
	free(p->baseline);
	strvec_release(&p->techniques);
	strvec_release(&p->workloads);
	*p = (struct plan){ 0 };
}

int plan_share(const char *text, const char *key, const char *owner, double *out, struct vt_err *err)
{
	char *end;
	double v = strtod(text, &end);

	if (end != text && *end == '%') {
		v /= 100;
		end++;
	}
	if (end == text || *end || !isfinite(v) || v < 0 || v > 1)
		return vt_usage(err, "option '%s'%s%s%s must be a share like 2%% or 0.02, not '%.64s'", key,
			owner ? " of '" : "", owner ? owner : "", owner ? "'" : "", text);
	*out = v;
	return 0;
}

static const struct scalar *find_scalar(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(scalars); i++) {
		const char *a = scalars[i].key, *b = key;

		while (*a && (*a == *b || (*a == '_' && *b == '-')))
			a++, b++;
		if (!*a && !*b)
			return &scalars[i];
	}
	return NULL;
}

static void put_number(struct plan *p, const struct scalar *s, uint64_t v)
{
	char *at = (char *)p + s->member;

	if (s->kind == NS)
		*(uint64_t *)at = v;
	else if (s->kind == COUNT)
		*(unsigned *)at = (unsigned)v;
	else
		*(bool *)at = v != 0;
}

int plan_set(struct plan *p, const char *key, const char *text, const char *owner, struct vt_err *err)
{
	static const enum opt_type types[] = { [NS] = OPT_DURATION, [COUNT] = OPT_UINT, [SWITCH] = OPT_BOOL };
	const struct scalar *s = find_scalar(key);
	uint64_t v = 0;
	int r;

	if (!s)
		return -ENOENT;
	if (s->kind == SHARE)
		return plan_share(text, key, owner, (double *)((char *)p + s->member), err);
	const struct opt_def def = { .name = key, .type = types[s->kind], .min = s->least, .max = s->most };

	r = opt_parse_value(&def, text, owner, &v, err);
	if (r == 0)
		put_number(p, s, v);
	return r;
}

static int fill(struct plan *p, const struct raw_plan *raw, const char *file, struct vt_err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(scalars); i++) {
		const char *text = *(char *const *)((const char *)raw + scalars[i].raw);
		int r = text ? plan_set(p, scalars[i].key, text, file, err) : 0;

		if (r < 0)
			return r;
	}
	if (raw->blocks && !raw->max_blocks && p->blocks_max < p->blocks_min)
		p->blocks_max = p->blocks_min;
	if (raw->suite)
		snprintf(p->suite, sizeof p->suite, "%s", raw->suite);
	if (raw->description)
		p->description = xstrdup(raw->description);
	if (raw->baseline)
		p->baseline = xstrdup(raw->baseline);
	for (unsigned i = 0; i < raw->ntechniques; i++)
		strvec_push(&p->techniques, raw->techniques[i]);
	for (unsigned i = 0; i < raw->nworkloads; i++)
		strvec_push(&p->workloads, raw->workloads[i]);
	return 0;
}

/* libcyaml explains itself through a log callback: the first line is the cause. */
static void keep_first_line(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	struct buf *b = ctx;

	if (level >= CYAML_LOG_ERROR && b->len == 0)
		buf_vprintf(b, fmt, args);
}

static int yaml_error(const char *name, cyaml_err_t e, struct buf *said, struct vt_err *err)
{
	const char *text = buf_str(said);
	char *nl = said->data ? strchr(said->data, '\n') : NULL;

	if (nl)
		*nl = '\0';
	if (strncmp(text, "Load: ", 6) == 0)
		text += 6;
	return vt_usage(err, "'%s' is no plan: %s%s%s ('vtax help plan' shows the format)", name, cyaml_strerror(e),
		*text ? ": " : "", text);
}

int plan_parse(struct plan *p, const char *yaml, size_t len, const char *name, struct vt_err *err)
{
	_cleanup_buf_ struct buf said = BUF_INIT(4096);
	cyaml_config_t config = {
		.log_fn = keep_first_line,
		.log_ctx = &said,
		.log_level = CYAML_LOG_ERROR,
		.mem_fn = cyaml_mem,
		.flags = CYAML_CFG_NO_ALIAS,
	};
	struct raw_plan *raw = NULL;
	struct plan out;
	cyaml_err_t e;
	int r;

	if (len > PLAN_MAX_BYTES)
		return vt_usage(err, "'%s' is no plan: %zu bytes, more than %u", name, len, PLAN_MAX_BYTES);
	if (memchr(yaml, '\0', len))
		return vt_usage(err, "'%s' is no plan: it holds a NUL byte", name);
	e = cyaml_load_data((const uint8_t *)yaml, len, &config, &schema, (cyaml_data_t **)&raw, NULL);
	if (e != CYAML_OK)
		return yaml_error(name, e, &said, err);
	if (!raw)
		return vt_usage(err, "'%s' is no plan: it is empty", name);
	plan_init(&out);
	r = fill(&out, raw, name, err);
	cyaml_free(&config, &schema, raw, 0);
	if (r < 0) {
		plan_release(&out);
		return r;
	}
	*p = out;
	return 0;
}

const char *plan_suite_dir(void)
{
	static char dir[512];
	const char *env = getenv("VTAX_SUITES");
	char exe[400];
	ssize_t n;
	char *slash;

	if (env && *env)
		return env;
	if (*dir)
		return dir;
	n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	if (n > 0) {
		exe[n] = '\0';
		slash = strrchr(exe, '/');
		if (slash)
			*slash = '\0';
		snprintf(dir, sizeof dir, "%s/../suites", exe);
		if (access(dir, R_OK) == 0)
			return dir;
	}
	snprintf(dir, sizeof dir, "%s", VTAX_SUITEDIR);
	return dir;
}

static int yaml_only(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 5 && strcmp(d->d_name + n - 5, ".yaml") == 0;
}

int plan_list(struct strvec *names, struct vt_err *err)
{
	struct dirent **list;
	int n = scandir(plan_suite_dir(), &list, yaml_only, alphasort);

	if (n < 0)
		return vt_fail_errno(err, "cannot read the suites in '%s'", plan_suite_dir());
	for (int i = 0; i < n; i++) {
		strvec_pushf(names, "%.*s", (int)strlen(list[i]->d_name) - 5, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return 0;
}

static int no_such_suite(const char *suite, struct vt_err *err)
{
	_cleanup_strvec_ struct strvec names = STRVEC_INIT;
	const char *near;

	if (plan_list(&names, NULL) < 0)
		return vt_usage(err, "no such suite '%s': there are none in '%s' (VTAX_SUITES says where they are)", suite,
			plan_suite_dir());
	near = suggest_nearest(suite, (const char *const *)names.v, names.n);
	if (near)
		return vt_usage(err, "no such suite '%s': did you mean '%s'?", suite, near);
	return vt_usage(err, "no such suite '%s': 'vtax list suites' shows all, or give the path of a YAML file", suite);
}

int plan_load(struct plan *p, const char *suite, struct vt_err *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(PLAN_MAX_BYTES);
	_cleanup_free_ char *path = NULL;
	size_t n = strlen(suite);
	bool named = !strchr(suite, '/') && !(n > 5 && strcmp(suite + n - 5, ".yaml") == 0);
	int r;

	path = named ? xasprintf("%s/%s.yaml", plan_suite_dir(), suite) : xstrdup(suite);
	r = buf_read_file(&text, path, err);
	if (r == -ENOENT && named)
		return no_such_suite(suite, err);
	if (r < 0) {
		if (err)
			err->kind = VT_ERR_USAGE;
		return r;
	}
	return plan_parse(p, buf_str(&text), text.len, path, err);
}

int plan_check(const struct plan *p, struct vt_err *err)
{
	if (p->techniques.n == 0)
		return vt_usage(err, "the plan has no techniques: name some with -t, or choose a suite");
	if (p->workloads.n == 0)
		return vt_usage(err, "the plan has no workloads: name some with -w, or choose a suite");
	if (p->techniques.n > PLAN_MAX_ITEMS || p->workloads.n > PLAN_MAX_ITEMS)
		return vt_usage(err, "the plan has more than %d techniques or workloads", PLAN_MAX_ITEMS);
	if (p->blocks_max < p->blocks_min)
		return vt_usage(err, "contradiction: at least %u blocks, but at most %u", p->blocks_min, p->blocks_max);
	if (p->steer && !p->pin)
		return vt_usage(err, "contradiction: steer=on hands packets to each side's CPU, but pin=off gives them none");
	if (p->duration_ns < 10 * NS_PER_MS)
		return vt_usage(err, "the measured time of a trial must be at least 10 ms");
	return 0;
}

static json_t *list_to_json(const struct strvec *s)
{
	json_t *a = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(a, json_string(s->v[i]));
	return a;
}

json_t *plan_to_json(const struct plan *p)
{
	json_t *o = json_pack("{s:s, s:s*, s:s*, s:o, s:o}", "suite", p->suite, "description", p->description,
		"baseline", p->baseline, "techniques", list_to_json(&p->techniques), "workloads",
		list_to_json(&p->workloads));

	for (size_t i = 0; o && i < ARRAY_SIZE(scalars); i++) {
		const char *at = (const char *)p + scalars[i].member;
		json_t *v = scalars[i].kind == NS	? json_integer((json_int_t) * (const uint64_t *)at)
			    : scalars[i].kind == COUNT	? json_integer(*(const unsigned *)at)
			    : scalars[i].kind == SWITCH ? json_boolean(*(const bool *)at)
							: json_real(*(const double *)at);

		json_object_set_new(o, scalars[i].key, v);
	}
	return o;
}

static int list_from_json(struct strvec *s, const json_t *a)
{
	size_t i;
	json_t *v;

	if (!json_is_array(a))
		return -EBADMSG;
	json_array_foreach (a, i, v) {
		if (!json_is_string(v))
			return -EBADMSG;
		strvec_push(s, json_string_value(v));
	}
	return 0;
}

/* A scalar that is not there keeps its default: a plan stored before the scalar existed meant that. */
static int scalars_from_json(struct plan *p, const json_t *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(scalars); i++) {
		const struct scalar *s = &scalars[i];
		const json_t *v = json_object_get(o, s->key);

		if (!v)
			continue;
		if (s->kind == SHARE && json_is_number(v))
			*(double *)((char *)p + s->member) = json_number_value(v);
		else if (s->kind == SWITCH && json_is_boolean(v))
			put_number(p, s, json_is_true(v));
		else if (s->kind < SWITCH && json_is_integer(v) && json_integer_value(v) >= 0)
			put_number(p, s, (uint64_t)json_integer_value(v));
		else
			return -EBADMSG;
	}
	return 0;
}

static int from_json(struct plan *p, const json_t *o)
{
	const char *suite = json_string_value(json_object_get(o, "suite"));
	const char *description = json_string_value(json_object_get(o, "description"));
	const char *baseline = json_string_value(json_object_get(o, "baseline"));
	int r;

	if (!suite)
		return -EBADMSG;
	snprintf(p->suite, sizeof p->suite, "%s", suite);
	p->description = description ? xstrdup(description) : NULL;
	p->baseline = baseline ? xstrdup(baseline) : NULL;
	r = scalars_from_json(p, o);
	if (r == 0)
		r = list_from_json(&p->techniques, json_object_get(o, "techniques"));
	return r < 0 ? r : list_from_json(&p->workloads, json_object_get(o, "workloads"));
}

int plan_from_json(struct plan *p, const char *text, struct vt_err *err)
{
	json_t *o = json_loads(text, 0, NULL);
	struct plan out;
	int r;

	plan_init(&out);
	r = o ? from_json(&out, o) : -EBADMSG;
	json_decref(o);
	if (r < 0) {
		plan_release(&out);
		return vt_fail(err, r, "the stored plan cannot be read");
	}
	*p = out;
	return 0;
}
