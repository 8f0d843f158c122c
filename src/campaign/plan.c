/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libcyaml does the YAML; this file does the meaning. Numbers with units are read as text and parsed by the
 * option parser, so that `duration: 500ms` and `--duration 500ms` are the same language.
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
#include <string.h>

#ifndef VTAX_SUITEDIR
#define VTAX_SUITEDIR "/usr/share/vtax/suites"
#endif

struct raw_plan {
	char *suite, *description, *duration, *warmup, *blocks, *max_blocks, *time_budget, *target, *pin, *offload,
		*mtu, *start_timeout, *baseline;
	char **techniques, **workloads;
	unsigned ntechniques, nworkloads;
};

static const cyaml_schema_value_t item = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, 4096),
};

#define TEXT(name) CYAML_FIELD_STRING_PTR(#name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_plan, name, 0, 4096)

static const cyaml_schema_field_t fields[] = {
	TEXT(suite),
	TEXT(description),
	TEXT(duration),
	TEXT(warmup),
	TEXT(blocks),
	TEXT(max_blocks),
	TEXT(time_budget),
	TEXT(target),
	TEXT(pin),
	TEXT(offload),
	TEXT(mtu),
	TEXT(start_timeout),
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

/* The plan's scalars in the option language, with their bounds; flags of the same name share them. */
static const struct opt_def scalars[] = {
	{ "duration", OPT_DURATION, NULL, NULL, 10 * NS_PER_MS, UINT64_C(24) * 3600 * NS_PER_S, "" },
	{ "warmup", OPT_DURATION, NULL, NULL, 0, UINT64_C(3600) * NS_PER_S, "" },
	{ "time_budget", OPT_DURATION, NULL, NULL, 0, UINT64_C(30) * 24 * 3600 * NS_PER_S, "" },
	{ "blocks", OPT_UINT, NULL, NULL, 1, 100000, "" },
	{ "max_blocks", OPT_UINT, NULL, NULL, 1, 100000, "" },
	{ "pin", OPT_BOOL, NULL, NULL, 0, 0, "" },
	{ "offload", OPT_BOOL, NULL, NULL, 0, 0, "" },
	{ "mtu", OPT_UINT, NULL, NULL, 576, 65535, "" },
	{ "start_timeout", OPT_DURATION, NULL, NULL, 100 * NS_PER_MS, UINT64_C(3600) * NS_PER_S, "" },
	OPT_END,
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
		.target = 0,
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

static const struct opt_def *scalar(const char *name)
{
	const struct opt_def *d = scalars;

	while (d->name && strcmp(d->name, name) != 0)
		d++;
	return d;
}

/* Sets *out when the plan has a text for it. */
static int number(const char *name, const char *text, const char *file, uint64_t *out, struct vt_err *err)
{
	if (!text)
		return 0;
	return opt_parse_value(scalar(name), text, file, out, err);
}

/* "2%" or "0.02" */
static int ratio(const char *text, const char *file, double *out, struct vt_err *err)
{
	char *end;
	double v;

	if (!text)
		return 0;
	v = strtod(text, &end);
	if (end != text && *end == '%') {
		v /= 100;
		end++;
	}
	if (end == text || *end || !isfinite(v) || v < 0 || v > 1)
		return vt_usage(err, "%s: target '%s' is no share: write it like 2%% or 0.02", file, text);
	*out = v;
	return 0;
}

static int fill(struct plan *p, const struct raw_plan *raw, const char *file, struct vt_err *err)
{
	uint64_t blocks = p->blocks_min, max = p->blocks_max, pin = p->pin, offload = p->offload, mtu = p->mtu;
	int r;

	if ((r = number("duration", raw->duration, file, &p->duration_ns, err)) < 0 ||
		(r = number("warmup", raw->warmup, file, &p->warmup_ns, err)) < 0 ||
		(r = number("time_budget", raw->time_budget, file, &p->time_budget_ns, err)) < 0 ||
		(r = number("start_timeout", raw->start_timeout, file, &p->start_timeout_ns, err)) < 0 ||
		(r = number("blocks", raw->blocks, file, &blocks, err)) < 0 ||
		(r = number("max_blocks", raw->max_blocks, file, &max, err)) < 0 ||
		(r = number("pin", raw->pin, file, &pin, err)) < 0 ||
		(r = number("offload", raw->offload, file, &offload, err)) < 0 ||
		(r = number("mtu", raw->mtu, file, &mtu, err)) < 0 || (r = ratio(raw->target, file, &p->target, err)) < 0)
		return r;
	if (raw->blocks && !raw->max_blocks && max < blocks)
		max = blocks;
	p->blocks_min = (unsigned)blocks;
	p->blocks_max = (unsigned)max;
	p->pin = pin != 0;
	p->offload = offload != 0;
	p->mtu = (unsigned)mtu;
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
		return vt_usage(err, "no such suite '%s'", suite);
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
	return json_pack("{s:s, s:s*, s:I, s:I, s:I, s:I, s:i, s:i, s:f, s:b, s:b, s:i, s:s*, s:o, s:o}", "suite",
		p->suite, "description", p->description, "duration_ns", (json_int_t)p->duration_ns, "warmup_ns",
		(json_int_t)p->warmup_ns, "time_budget_ns", (json_int_t)p->time_budget_ns, "start_timeout_ns",
		(json_int_t)p->start_timeout_ns, "blocks",
		(int)p->blocks_min, "max_blocks", (int)p->blocks_max, "target", p->target, "pin", p->pin, "offload",
		p->offload, "mtu", (int)p->mtu, "baseline", p->baseline, "techniques", list_to_json(&p->techniques),
		"workloads", list_to_json(&p->workloads));
}

static int list_from_json(struct strvec *s, const json_t *a)
{
	size_t i;
	json_t *v;

	json_array_foreach (a, i, v) {
		if (!json_is_string(v))
			return -EBADMSG;
		strvec_push(s, json_string_value(v));
	}
	return 0;
}

int plan_from_json(struct plan *p, const char *text, struct vt_err *err)
{
	json_int_t duration, warmup, budget, start = 30 * (json_int_t)NS_PER_S; /* older plans lack it */
	const char *suite, *description = NULL, *baseline = NULL;
	json_t *techniques, *workloads;
	int blocks, max, pin, offload, mtu;
	struct plan out;
	double target;
	json_t *o = json_loads(text, 0, NULL);

	if (!o || json_unpack(o, "{s:s, s?:s, s:I, s:I, s:I, s?:I, s:i, s:i, s:F, s:b, s:b, s:i, s?:s, s:o, s:o}", "suite",
			  &suite, "description", &description, "duration_ns", &duration, "warmup_ns", &warmup,
			  "time_budget_ns", &budget, "start_timeout_ns", &start, "blocks", &blocks, "max_blocks",
			  &max, "target", &target, "pin", &pin, "offload", &offload, "mtu", &mtu, "baseline", &baseline, "techniques", &techniques,
			  "workloads", &workloads) < 0) {
		json_decref(o);
		return vt_fail(err, -EBADMSG, "the stored plan cannot be read");
	}
	plan_init(&out);
	snprintf(out.suite, sizeof out.suite, "%s", suite);
	out.description = description ? xstrdup(description) : NULL;
	out.baseline = baseline ? xstrdup(baseline) : NULL;
	out.duration_ns = (uint64_t)duration;
	out.warmup_ns = (uint64_t)warmup;
	out.time_budget_ns = (uint64_t)budget;
	out.start_timeout_ns = (uint64_t)start;
	out.blocks_min = (unsigned)blocks;
	out.blocks_max = (unsigned)max;
	out.target = target;
	out.pin = pin;
	out.offload = offload;
	out.mtu = (unsigned)mtu;
	if (list_from_json(&out.techniques, techniques) < 0 || list_from_json(&out.workloads, workloads) < 0) {
		json_decref(o);
		plan_release(&out);
		return vt_fail(err, -EBADMSG, "the stored plan cannot be read");
	}
	json_decref(o);
	*p = out;
	return 0;
}
