/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From text to a technique, and the thin wrappers through which the core calls a provider.
 *
 * The wrappers own what must be the same for every provider: the initial state of an environment, the check
 * that a hook kept its promises, and cleaning up. Undoing has one path only: whatever a provider made is in
 * the journal, so both a failed start and a normal stop end in journal_undo_to(). A provider's own stop is
 * left with the things a journal cannot know (a proxy to end politely, a firewall to switch off).
 */
#include "technique/technique.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/spec.h"
#include "base/suggest.h"
#include "base/xalloc.h"

#include <assert.h>
#include <fnmatch.h>
#include <string.h>

#define TECHNIQUES_MAX 32 /* providers in the registry; asserted at the first look-up */

/* Options that every technique takes. */
static const struct opt_def common_options[] = {
	{ "label", OPT_STRING, NULL, NULL, 0, 0,
		"its name in tables and figures; lets the same technique appear twice" },
	OPT_END,
};

static void check_ops(const struct technique_ops *ops)
{
	assert(ops->name && ops->summary && ops->options);
	assert(ops->caps && ops->probe && ops->start && ops->stop);
}

const struct technique_ops *technique_find(const char *name)
{
	for (size_t i = 0; technique_registry[i]; i++) {
		assert(i < TECHNIQUES_MAX);
		check_ops(technique_registry[i]);
		if (!strcmp(technique_registry[i]->name, name))
			return technique_registry[i];
	}
	return NULL;
}

const struct opt_def *const *technique_tables(const struct technique_ops *ops)
{
	/* One row for each provider seen; option sets keep pointers to it, so it lives as long as we do. */
	static const struct opt_def *rows[TECHNIQUES_MAX][3];
	size_t i = 0;

	while (i < TECHNIQUES_MAX && rows[i][0] && rows[i][0] != ops->options)
		i++;
	assert(i < TECHNIQUES_MAX);
	rows[i][0] = ops->options;
	rows[i][1] = common_options;
	return rows[i];
}

static int unknown_technique(const char *name, struct vt_err *err)
{
	const char *names[TECHNIQUES_MAX];
	size_t n = 0;
	const char *near;

	for (; technique_registry[n]; n++)
		names[n] = technique_registry[n]->name;
	near = suggest_nearest(name, names, n);
	if (near)
		return vt_usage(err, "unknown technique '%s'; did you mean '%s'?", name, near);
	return vt_usage(err, "unknown technique '%s'; `vtax list` shows all", name);
}

int technique_parse(struct technique *t, const char *text, struct vt_err *err)
{
	_cleanup_spec_ struct spec spec = { 0 };
	struct technique fresh = { 0 };
	const char *label;
	int r = spec_parse(&spec, text, 0, err);

	if (r < 0)
		return r;
	fresh.ops = technique_find(spec.name);
	if (!fresh.ops)
		return unknown_technique(spec.name, err);
	r = opt_parse(&fresh.opts, technique_tables(fresh.ops), spec.opts, spec.name, err);
	if (r < 0)
		return r;
	label = opt_str(&fresh.opts, "label");
	fresh.text = xstrdup(text);
	fresh.label = xstrdup(label && *label ? label : text);
	if (fresh.ops->check) {
		r = fresh.ops->check(&fresh, err);
		if (r < 0) {
			technique_release(&fresh);
			return r;
		}
	}
	*t = fresh;
	return 0;
}

void technique_release(struct technique *t)
{
	opt_release(&t->opts);
	free(t->text);
	free(t->label);
	*t = (struct technique){ 0 };
}

/*
 * Adds every text of one provider that makes sense. A glob over options also meets combinations that
 * contradict themselves (rootfs=bind,readonly=off): those are left out, unless nothing else is left.
 */
static int expand_one(const struct technique_ops *ops, const char *opts, bool globbed, struct strvec *out,
	struct vt_err *err)
{
	_cleanup_strvec_ struct strvec texts = STRVEC_INIT;
	size_t before = out->n;
	int r = opt_expand(technique_tables(ops), opts, ops->name, &texts, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < texts.n; i++) {
		_cleanup_free_ char *full =
			*texts.v[i] ? xasprintf("%s:%s", ops->name, texts.v[i]) : xstrdup(ops->name);
		struct technique t;

		r = technique_parse(&t, full, err);
		if (r < 0) {
			if (globbed || texts.n > 1)
				continue;
			return r;
		}
		if (!globbed || !(technique_caps(&t) & TECH_TEST))
			strvec_push(out, full);
		technique_release(&t);
	}
	return out->n > before ? 0 : r;
}

int technique_expand(const char *text, struct strvec *out, struct vt_err *err)
{
	_cleanup_spec_ struct spec spec = { 0 };
	const struct technique_ops *ops;
	struct vt_err first = { 0 };
	size_t before = out->n;
	bool named = false;
	int r = spec_parse(&spec, text, 1, err);

	if (r < 0)
		return r;
	if (!strpbrk(spec.name, "*?[")) {
		ops = technique_find(spec.name);
		return ops ? expand_one(ops, spec.opts, false, out, err) : unknown_technique(spec.name, err);
	}
	for (size_t i = 0; technique_registry[i]; i++) {
		struct vt_err e = { 0 };

		ops = technique_registry[i];
		if (fnmatch(spec.name, ops->name, 0))
			continue;
		named = true;
		/* "*:net=nat" means those that have the option. */
		if (expand_one(ops, spec.opts, true, out, &e) < 0 && !first.code)
			first = e;
	}
	if (out->n > before)
		return 0;
	if (named && first.code) {
		if (err)
			*err = first;
		return first.code;
	}
	return vt_usage(err, "no technique matches '%s'; `vtax list` shows all", text);
}

unsigned technique_caps(const struct technique *t)
{
	return t->ops->caps(t);
}

int technique_probe(const struct technique *t, struct buf *detail, struct vt_err *err)
{
	return t->ops->probe(t, detail, err);
}

int technique_prepare(struct technique *t, struct testbed *tb, const struct payload *p, struct vt_err *err)
{
	size_t mark = journal_mark(tb->journal);
	int r;

	if (!t->ops->prepare)
		return 0;
	r = t->ops->prepare(t, tb, p, err);
	if (r < 0) {
		journal_undo_to(tb->journal, mark, NULL);
		assert(!t->state); /* nothing half-made is left to finish() */
		return vt_wrap(err, "%s", t->label);
	}
	return 0;
}

static void env_init(struct env *env, struct testbed *tb)
{
	*env = (struct env){ .agent_in = -1, .agent_out = -1, .launcher = CHILD_INIT };
	snprintf(env->bind_address, sizeof(env->bind_address), "0.0.0.0");
	env->journal_mark = journal_mark(tb->journal);
	env->started_ns = clock_now_ns();
}

/* Everything that is the same for every way an environment ends. */
static int env_clear(struct env *env, struct testbed *tb, struct vt_err *err)
{
	int r;

	cleanup_closep(&env->agent_in);
	cleanup_closep(&env->agent_out);
	child_kill(&env->launcher);
	r = journal_undo_to(tb->journal, env->journal_mark, err);
	env->cgroup.path[0] = env->monitor.path[0] = env->stderr_path[0] = env->address[0] = '\0';
	env->priv = NULL;
	return r;
}

int technique_start(struct technique *t, struct testbed *tb, const struct payload *p,
	const struct env_request *req, struct env *env, struct vt_err *err)
{
	int r;

	env_init(env, tb);
	r = t->ops->start(t, tb, p, req, env, err);
	if (r < 0) {
		env_clear(env, tb, NULL);
		return vt_wrap(err, "%s", t->label);
	}
	assert(env->agent_in >= 0 && env->agent_out >= 0);
	assert(env->address[0] && env->bind_address[0]);
	assert(!(technique_caps(t) & TECH_CGROUP) || env->cgroup.path[0]);
	return 0;
}

int technique_stop(struct technique *t, struct testbed *tb, struct env *env, struct vt_err *err)
{
	struct vt_err later = { 0 };
	int r = t->ops->stop(t, tb, env, err);
	int c = env_clear(env, tb, &later);

	if (r >= 0 && c < 0) {
		if (err)
			*err = later;
		r = c;
	}
	return r < 0 ? vt_wrap(err, "%s", t->label) : 0;
}

void technique_finish(struct technique *t, struct testbed *tb)
{
	if (t->ops->finish)
		t->ops->finish(t, tb);
	t->state = NULL;
}

static json_t *options_as_parsed(const struct technique *t)
{
	json_t *o = json_object();
	const struct opt_def *def;
	const struct opt_val *val;

	for (size_t i = 0; opt_at(&t->opts, i, &def, &val); i++)
		json_object_set_new(o, def->name, json_string(val->text));
	return o;
}

int technique_describe(
	struct technique *t, struct testbed *tb, struct env *env, json_t **out, struct vt_err *err)
{
	json_t *o = NULL;
	int r = 0;

	if (t->ops->describe)
		r = t->ops->describe(t, tb, env, &o, err);
	else
		o = json_object();
	if (r < 0)
		return vt_wrap(err, "%s", t->label);
	json_object_set_new(o, "options", options_as_parsed(t));
	*out = o;
	return 0;
}
