/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reports are tested on a synthetic campaign whose truth is known: effects are injected, trials are dropped
 * and spoiled, a cell never runs, and labels are hostile. Then every output must say just that.
 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/xalloc.h"
#include "report/model.h"
#include "report/report.h"
#include "report/text.h"
#include "report_compare.h"
#include "report_fixture.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
	*state = make(BLOCKS, 0.01);
	return 0;
}

static int teardown(void **state)
{
	done(*state);
	return 0;
}

static struct report load(struct fixture *f, const struct report_options *o)
{
	struct vt_err err = { 0 };
	struct report r;

	if (report_load(&r, f->s, o, &err) < 0)
		fail_msg("%s", err.msg);
	return r;
}

static const struct report_cell *row_of(const struct report *r, unsigned w, unsigned t, const char *metric)
{
	const struct report_cell *row = report_row(r, &r->cells[w * TECHNIQUES + t], metric);

	assert_non_null(row);
	return row;
}

static const char *line_with(const struct buf *b, const char *what, char *line, size_t size)
{
	const char *p = strstr(buf_str(b), what);

	assert_non_null(p);
	while (p > b->data && p[-1] != '\n')
		p--;
	snprintf(line, size, "%.*s", (int)strcspn(p, "\n"), p);
	return line;
}

static void injected_effects_are_recovered(void **state)
{
	struct report r = load(*state, NULL);
	const struct report_cell *bridge = row_of(&r, 0, BRIDGE, "transactions_per_s");
	const struct report_cell *nat = row_of(&r, 1, NAT, "throughput_bits_per_s");
	const struct report_cell *same = row_of(&r, 0, SAME, "transactions_per_s");
	const struct report_cell *evil = row_of(&r, 0, EVIL, "transactions_per_s");
	const struct report_cell *native = row_of(&r, 0, NATIVE, "transactions_per_s");

	assert_int_equal(bridge->verdict, VERDICT_TAX);
	assert_true(bridge->overhead.lo < 0.10 && bridge->overhead.hi > 0.10);
	assert_true(bridge->overhead.hi - bridge->overhead.lo < 0.04);
	assert_int_equal(bridge->overhead.n, BLOCKS - 1);
	assert_int_equal(bridge->values.n, BLOCKS - 1);
	assert_true(nat->overhead.lo < 0.40 && nat->overhead.hi > 0.40);
	assert_int_equal(nat->overhead.n, BLOCKS - 1);
	assert_int_equal(same->verdict, VERDICT_NONE);
	assert_int_equal(evil->verdict, VERDICT_GAIN);
	assert_int_equal(native->verdict, VERDICT_BASELINE);
	assert_int_equal(native->overhead.n, 0);
	assert_int_equal(native->values.n, BLOCKS);
	assert_true(fabs(native->values.mean / (104000 / 1.022) - 1) < 0.02);
	assert_true(isnan(bridge->per_block[3]) && !isnan(native->per_block[3]));
	report_release(&r);
}

static void cells_without_values_say_why(void **state)
{
	struct report r = load(*state, NULL);
	const struct report_cell *absent = row_of(&r, 2, ABSENT, "latency_p50_ns");
	const struct report_cell *evil = row_of(&r, 1, EVIL, "throughput_bits_per_s");
	const struct report_cell *zero = row_of(&r, 0, NAT, "retransmits");

	assert_int_equal(absent->verdict, VERDICT_NOT_RUN);
	assert_string_equal(absent->reason, techniques[ABSENT].not_run);
	assert_int_equal(evil->verdict, VERDICT_NOT_RUN);
	assert_non_null(strstr(evil->reason, "all 12 trials invalid, the last: client saturated"));
	assert_int_equal(zero->verdict, VERDICT_INCONCLUSIVE);
	assert_non_null(strstr(zero->reason, "zero"));
	/* Defined, never measured, not primary: no row at all. */
	assert_null(report_row(&r, &r.cells[0], "cpu_host_ns_per_byte"));
	assert_int_equal(r.ninvalid, 1 + 1 + 1 + BLOCKS);
	assert_int_equal(r.nblocks, BLOCKS);
	report_release(&r);
}

static void another_baseline(void **state)
{
	struct report_options o = { .baseline = "oci:runtime=crun,net=bridge" };
	struct report r = load(*state, &o);
	struct vt_err err = { 0 };
	const struct report_cell *nat = row_of(&r, 0, NAT, "transactions_per_s");

	assert_true(nat->overhead.lo < 1.25 / 1.10 - 1 && nat->overhead.hi > 1.25 / 1.10 - 1);
	assert_int_equal(nat->overhead.n, BLOCKS - 2); /* one lost on each side */
	assert_int_equal(row_of(&r, 0, NATIVE, "transactions_per_s")->verdict, VERDICT_GAIN);
	assert_int_equal(row_of(&r, 0, BRIDGE, "transactions_per_s")->verdict, VERDICT_BASELINE);
	report_release(&r);

	o.baseline = "nativ";
	assert_int_equal(report_load(&r, ((struct fixture *)*state)->s, &o, &err), -EINVAL);
	assert_int_equal(err.kind, VT_ERR_USAGE);
	assert_non_null(strstr(err.msg, "did you mean 'native'?"));
}

static void margin_decides_between_none_and_inconclusive(void **state)
{
	struct report_options o = { .margin = 0.0001 };
	struct report r = load(*state, &o);

	assert_int_equal(row_of(&r, 0, SAME, "transactions_per_s")->verdict, VERDICT_INCONCLUSIVE);
	report_release(&r);
}

static void one_block_has_values_but_no_interval(void **state)
{
	struct fixture *f = make(1, 0.01);
	struct report r = load(f, NULL);
	_cleanup_buf_ struct buf out = BUF_INIT(1 << 20);
	const struct report_cell *bridge = row_of(&r, 0, BRIDGE, "transactions_per_s");
	char line[1024];

	assert_int_equal(bridge->verdict, VERDICT_INCONCLUSIVE);
	assert_true(fabs(bridge->overhead.ratio - 0.10) < 0.06 && isnan(bridge->overhead.lo));
	assert_int_equal(report_table(&r, REPORT_PLAIN, false, &out, NULL), 0);
	assert_non_null(strstr(buf_str(&out), "it takes two blocks at least"));
	line_with(&out, "  oci:runtime=crun,net=bridge ", line, sizeof line);
	assert_non_null(strstr(line, " 1  1 block"));
	assert_non_null(strstr(buf_str(&out), "  invalid: client saturated: its CPU")); /* a single trial */
	report_release(&r);
	done(f);
}

static void no_trial_at_all(void **state)
{
	struct fixture *f = make(0, 0.01);
	struct report r = load(f, NULL);
	_cleanup_buf_ struct buf out = BUF_INIT(1 << 20);

	assert_int_equal(r.nblocks, 0);
	assert_int_equal(row_of(&r, 0, BRIDGE, "transactions_per_s")->verdict, VERDICT_NOT_RUN);
	assert_int_equal(report_table(&r, REPORT_PLAIN, false, &out, NULL), 0);
	assert_non_null(strstr(buf_str(&out), "not run: no trial was run yet"));
	buf_clear(&out);
	assert_int_equal(report_json(&r, &out, NULL), 0);
	buf_clear(&out);
	assert_int_equal(report_csv(&r, &out, NULL), 0);
	assert_int_equal(report_html(&r, f->dir, NULL), 0);
	report_release(&r);
	done(f);
}

static void trial_outside_the_plan_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store_trial t = { .workload = 77, .started_at = "x" };
	struct vt_err err = { 0 };
	struct report r;

	assert_int_equal(store_trial_begin(f->s, &t, NULL), 0);
	assert_int_equal(store_trial_commit(f->s, NULL), 0);
	assert_int_equal(report_load(&r, f->s, NULL, &err), -EBADMSG);
}

static void table_says_it_all(void **state)
{
	struct report r = load(*state, NULL);
	_cleanup_buf_ struct buf out = BUF_INIT(1 << 20);
	char line[1024];

	assert_int_equal(report_table(&r, REPORT_PLAIN, false, &out, NULL), 0);
	line_with(&out, "  oci:runtime=crun,net=bridge ", line, sizeof line);
	assert_non_null(strstr(line, "k/s ± "));
	assert_non_null(strstr(line, " 11  tax"));
	line_with(&out, "  oci:runtime=runsc,net=bridge ", line, sizeof line);
	assert_non_null(strstr(line, "not run: 'runsc' is not installed"));
	assert_non_null(strstr(buf_str(&out), "  invalid: all 12 trials, the last: client saturated"));
	assert_null(strstr(buf_str(&out), "not run: all"));
	line_with(&out, "  native:label=again ", line, sizeof line);
	assert_non_null(strstr(line, "no tax > 3 %"));
	assert_null(strchr(buf_str(&out), '\033')); /* no colour, and no escape from a label */
	assert_non_null(strstr(buf_str(&out), "invalid and left out: client-saturated (15)"));
	assert_non_null(strstr(buf_str(&out), "seed 42"));
	for (const char *p = buf_str(&out); *p; p += strcspn(p, "\n") + (p[strcspn(p, "\n")] == '\n'))
		assert_true(text_width(p, strcspn(p, "\n")) <= 125);

	buf_clear(&out);
	assert_int_equal(report_table(&r, REPORT_COLOUR, false, &out, NULL), 0);
	assert_non_null(strstr(buf_str(&out), "\033[31m"));
	buf_clear(&out);
	assert_int_equal(report_table(&r, REPORT_PLAIN, true, &out, NULL), 0);
	assert_non_null(strstr(buf_str(&out), "latency_p99_ns"));
	buf_clear(&out);
	assert_int_equal(report_table(&r, REPORT_MARKDOWN, false, &out, NULL), 0);
	assert_non_null(strstr(buf_str(&out), "| technique | value"));
	assert_null(strstr(buf_str(&out), "<script>"));
	assert_non_null(strstr(buf_str(&out), "\\|x\\|"));
	report_release(&r);
}

static void too_small_a_buffer_is_an_error(void **state)
{
	struct report r = load(*state, NULL);
	struct buf small = BUF_INIT(100);

	assert_int_equal(report_table(&r, REPORT_PLAIN, false, &small, NULL), -ENOBUFS);
	buf_clear(&small);
	assert_int_equal(report_json(&r, &small, NULL), -ENOBUFS);
	buf_clear(&small);
	assert_int_equal(report_csv(&r, &small, NULL), -ENOBUFS);
	buf_release(&small);
	report_release(&r);
}

static const json_t *find_result(
	const json_t *root, const char *workload, const char *technique, const char *metric)
{
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(root, "results"), i, o)
	{
		if (!strcmp(json_string_value(json_object_get(o, "workload")), workload) &&
			!strcmp(json_string_value(json_object_get(o, "technique")), technique) &&
			!strcmp(json_string_value(json_object_get(o, "metric")), metric))
			return o;
	}
	fail_msg("no result %s %s %s", workload, technique, metric);
	return NULL;
}

static void has_exactly(const json_t *o, const char *const *keys)
{
	size_t n = 0;

	for (; keys[n]; n++) {
		if (!json_object_get(o, keys[n]))
			fail_msg("no key '%s'", keys[n]);
	}
	assert_int_equal(json_object_size(o), n);
}

static void json_keeps_the_contract(void **state)
{
	static const char *const root_keys[] = { "schema", "campaign", "results", "comparisons", "trials",
		"fingerprint", NULL };
	static const char *const campaign_keys[] = { "id", "suite", "seed", "started_at", "wall_s",
		"measuring_s", "complete", NULL };
	static const char *const result_keys[] = { "workload", "params", "technique", "metric", "unit",
		"better", "n", "mean", "sd", "median", "min", "max", "baseline", "overhead", "overhead_ci95",
		"verdict", "reason", NULL };
	static const char *const trial_keys[] = { "block", "position", "workload", "params", "technique",
		"started_at", "duration_s", "valid", "reason", "gates", "metrics", NULL };
	struct report r = load(*state, NULL);
	_cleanup_buf_ struct buf out = BUF_INIT(4 << 20);
	const json_t *o, *ci;
	json_t *root;

	assert_int_equal(report_json(&r, &out, NULL), 0);
	root = json_loads(buf_str(&out), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	has_exactly(root, root_keys);
	has_exactly(json_object_get(root, "campaign"), campaign_keys);
	assert_string_equal(json_string_value(json_object_get(root, "schema")), "vtax.report/1");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(root, "campaign"), "seed")), 42);

	o = find_result(root, "tcp_rr", "oci:runtime=crun,net=bridge", "transactions_per_s");
	has_exactly(o, result_keys);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "params"), "request")), 1);
	ci = json_object_get(o, "overhead_ci95");
	assert_int_equal(json_array_size(ci), 2);
	assert_true(json_real_value(json_array_get(ci, 0)) < 0.10 &&
		    json_real_value(json_array_get(ci, 1)) > 0.10);
	assert_string_equal(json_string_value(json_object_get(o, "better")), "higher");
	assert_string_equal(json_string_value(json_object_get(o, "verdict")), "tax");
	o = find_result(root, "ping", "oci:runtime=runsc,net=bridge", "latency_p50_ns");
	assert_true(json_is_null(json_object_get(o, "mean")) && json_is_null(json_object_get(o, "overhead")));
	assert_true(json_is_null(json_object_get(o, "overhead_ci95")));
	assert_string_equal(json_string_value(json_object_get(o, "verdict")), "not-run");
	assert_int_equal(json_object_size(json_object_get(o, "params")), 0); /* "not json" */
	assert_int_equal(json_array_size(json_object_get(root, "trials")), r.ntrials);
	o = json_array_get(json_object_get(root, "trials"), 0);
	has_exactly(o, trial_keys);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(root, "fingerprint"), "kernel")), "6.18");
	json_decref(root);
	report_release(&r);
}

/* A strict RFC 4180 reader: the fields of one record; returns the rest of the text. */
static const char *csv_record(const char *p, struct strvec *fields)
{
	for (;;) {
		_cleanup_buf_ struct buf f = BUF_INIT(1 << 16);

		if (*p == '"') {
			for (p++; *p != '"' || p[1] == '"'; p++) {
				assert_true(*p);
				p += *p == '"';
				buf_add(&f, p, 1);
			}
			p++;
		} else {
			size_t n = strcspn(p, ",\n\"");

			buf_add(&f, p, n);
			p += n;
		}
		strvec_push(fields, buf_str(&f));
		assert_true(*p == ',' || *p == '\n');
		if (*p++ == '\n')
			return p;
	}
}

static void csv_has_every_trial_and_metric(void **state)
{
	struct fixture *f = *state;
	struct store_trial t = { .block = 99,
		.workload = 2,
		.technique = EVIL,
		.sequence = 999,
		.started_at = "x",
		.reason = (char[]){ "never started,\n\"dead\"" } };
	_cleanup_buf_ struct buf out = BUF_INIT(4 << 20);
	size_t records = 0, evil = 0, expected = 0;
	struct report r;

	assert_int_equal(store_trial_begin(f->s, &t, NULL), 0);
	assert_int_equal(store_trial_commit(f->s, NULL), 0);
	r = load(f, NULL);
	for (size_t i = 0; i < r.ntrials; i++)
		expected += r.trials[i].nmetrics ? r.trials[i].nmetrics : 1;
	assert_int_equal(report_csv(&r, &out, NULL), 0);
	for (const char *p = buf_str(&out); *p;) {
		_cleanup_strvec_ struct strvec fields = STRVEC_INIT;

		p = csv_record(p, &fields);
		assert_int_equal(fields.n, 12);
		records++;
		evil += strcmp(fields.v[6], HOSTILE) == 0;
		if (!*p) { /* the trial that never started */
			assert_string_equal(fields.v[7], "");
			assert_string_equal(fields.v[9], "");
			assert_string_equal(fields.v[10], "false");
			assert_string_equal(fields.v[11], "never started,\n\"dead\"");
		}
	}
	assert_int_equal(records, expected + 1);
	assert_int_equal(evil, BLOCKS * (9 + 2 + 1) + 1);
	report_release(&r);
}

static bool exists(const char *dir, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);

	return access(path, F_OK) == 0;
}

static void read_page(const char *dir, struct buf *page)
{
	_cleanup_free_ char *path = xasprintf("%s/report.html", dir);

	assert_int_equal(buf_read_file(page, path, NULL), 0);
}

static size_t count(const char *in, const char *what)
{
	size_t n = 0;

	for (; (in = strstr(in, what)); in += strlen(what))
		n++;
	return n;
}

/* Every address in the page is a fragment of it or a file beside it. */
static void loads_nothing(const char *page)
{
	static const char *const marks[] = { " src=\"", " href=\"", " href='", ":href='", "@import \"" };

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		for (const char *p = page; (p = strstr(p, marks[i])); p++) {
			const char *target = p + strlen(marks[i]);

			if (*target != '#' && strncmp(target, "figures/", 8) != 0)
				fail_msg("loads '%.60s'", p);
		}
	}
	assert_null(strstr(page, "url(h"));
}

static void page_is_self_contained_and_escaped(void **state)
{
	struct fixture *f = *state;
	_cleanup_buf_ struct buf page = BUF_INIT(64 << 20);
	struct report r = load(f, NULL);
	struct vt_err err = { 0 };

	if (report_figures(&r, f->dir, &err) == -ENOENT)
		skip();
	assert_string_equal(err.msg, "");
	assert_true(exists(f->dir, "figures/01-tcp_rr-overhead.svg"));
	assert_true(exists(f->dir, "figures/01-tcp_rr-overhead.pdf"));
	assert_true(exists(f->dir, "figures/01-tcp_rr-latency-cdf.svg"));
	assert_true(exists(f->dir, "figures/02-tcp_stream-message-64k-drift.svg"));
	assert_false(exists(f->dir, "figures/02-tcp_stream-message-64k-latency-cdf.gp")); /* no histogram */
	assert_true(exists(f->dir, "figures/order.svg"));
	assert_false(exists(f->dir, "figures/pwned"));
	assert_int_equal(report_html(&r, f->dir, &err), 0);
	read_page(f->dir, &page);
	assert_int_equal(count(buf_str(&page), "<svg "), 8);
	assert_int_equal(count(buf_str(&page), "could not be drawn"), 0);
	assert_int_equal(count(buf_str(&page), "<script"), 0);
	assert_true(count(buf_str(&page), "&lt;script&gt;alert(1)") > 10);
	assert_null(strchr(buf_str(&page), '\033'));
	assert_int_equal(count(buf_str(&page), "Some &lt;CPU&gt;"), 1);
	assert_int_equal(count(buf_str(&page), "--seed 42 --blocks 12 --duration 1000ms"), 1);
	loads_nothing(buf_str(&page));
	report_release(&r);
}

/* ids of the figures must not meet in one page. */
static void figures_share_no_ids(void **state)
{
	struct fixture *f = *state;
	_cleanup_buf_ struct buf page = BUF_INIT(64 << 20);
	_cleanup_strvec_ struct strvec ids = STRVEC_INIT;
	struct report r = load(f, NULL);

	if (report_figures(&r, f->dir, NULL) == -ENOENT)
		skip();
	assert_int_equal(report_html(&r, f->dir, NULL), 0);
	read_page(f->dir, &page);
	for (const char *p = buf_str(&page); (p = strstr(p, " id=")); p++) {
		_cleanup_free_ char *id = xasprintf("%.*s", (int)strcspn(p + 5, "\"'"), p + 5);

		if (strvec_contains(&ids, id))
			fail_msg("id '%s' is there twice", id);
		strvec_push(&ids, id);
	}
	assert_true(ids.n > 20);
	report_release(&r);
}

static void without_gnuplot_the_page_has_all_tables(void **state)
{
	struct fixture *f = *state;
	_cleanup_buf_ struct buf page = BUF_INIT(64 << 20);
	_cleanup_free_ char *path = xstrdup(getenv("PATH"));
	struct report r = load(f, NULL);
	struct vt_err err = { 0 };
	int res;

	setenv("PATH", "/nonexistent", 1);
	res = report_figures(&r, f->dir, &err);
	setenv("PATH", path, 1);
	assert_int_equal(res, -ENOENT);
	assert_non_null(strstr(err.msg, "gnuplot is not installed"));
	assert_true(exists(f->dir, "figures/order.gp") && exists(f->dir, "figures/01-tcp_rr-drift.dat"));
	assert_int_equal(report_html(&r, f->dir, &err), 0);
	read_page(f->dir, &page);
	assert_int_equal(count(buf_str(&page), "could not be drawn"), 8);
	assert_true(count(buf_str(&page), "no tax &gt; 3 %") > 3);
	assert_int_equal(count(buf_str(&page), "Of 10 pairs 9 differ by Tukey&#39;s HSD"), 2);
	assert_true(count(buf_str(&page), "invalid: all 12 trials, the last: client saturated") > 0);
	assert_int_equal(count(buf_str(&page), "<table>"), 1 + 3 + (3 + 3) + 3 + 3);
	report_release(&r);
}

/* A drawing left by an earlier report must not pass for one of this report. */
static void stale_and_hostile_drawings_are_not_shown(void **state)
{
	static const char evil[] = "<svg viewBox=\"0 0 1 1\"><ScRiPt>alert(1)</ScRiPt></svg>";
	struct fixture *f = *state;
	_cleanup_free_ char *folder = xasprintf("%s/figures", f->dir),
			    *svg = xasprintf("%s/order.svg", folder);
	_cleanup_buf_ struct buf page = BUF_INIT(64 << 20), text = BUF_INIT(4096);
	_cleanup_free_ char *path = xstrdup(getenv("PATH"));
	struct report r = load(f, NULL);

	buf_puts(&text, evil);
	assert_int_equal(store_make_dir(folder, NULL), 0);
	assert_int_equal(buf_write_file(&text, svg, 0644, NULL), 0);
	assert_int_equal(report_html(&r, f->dir, NULL), 0);
	read_page(f->dir, &page);
	assert_int_equal(count(buf_str(&page), "ScRiPt"), 0);
	setenv("PATH", "/nonexistent", 1);
	assert_int_equal(report_figures(&r, f->dir, NULL), -ENOENT);
	setenv("PATH", path, 1);
	assert_false(exists(f->dir, "figures/order.svg"));
	report_release(&r);
}

/* Far ends are capped for people, never the overhead itself. */
static void far_ends_of_intervals_are_capped(void **state)
{
	struct overhead o = { .n = 2, .ratio = 0.209, .lo = -0.994, .hi = 384.16 };
	char text[96];

	report_overhead_text(text, sizeof text, &o);
	assert_string_equal(text, "+20.9 % [<-90, >+1000]");
	o = (struct overhead){ .n = 2, .ratio = 0.1, .lo = -0.89, .hi = 9.99 };
	report_overhead_text(text, sizeof text, &o);
	assert_string_equal(text, "+10.0 % [-89.0, +999.0]");
	o = (struct overhead){ .n = 9, .ratio = 15, .lo = 14.2, .hi = 15.9 };
	report_overhead_text(text, sizeof text, &o);
	assert_string_equal(text, "+1500 % [+1420, +1590]");
	o = (struct overhead){ .n = 9, .ratio = -0.95, .lo = -0.96, .hi = -0.94 };
	report_overhead_text(text, sizeof text, &o);
	assert_string_equal(text, "-95.0 % [-96.0, -94.0]");
	o = (struct overhead){ .n = 1, .ratio = 0.1, .lo = NAN, .hi = NAN };
	report_overhead_text(text, sizeof text, &o);
	assert_string_equal(text, "+10.0 %");
}

static void text_is_cleaned_for_its_target(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4096);
	char slug[64];

	text_plain(&b, "a\tb\x1b[0m\xc3\xa9\xff\xc3\xe2\x80\xae|\xf0\x9f\x90\xa7\xed\xa0\x80");
	assert_string_equal(buf_str(&b), "a b [0m\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd |\xf0\x9f\x90\xa7"
					 "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	buf_clear(&b);
	text_html(&b, "<a b='\"&'>");
	assert_string_equal(buf_str(&b), "&lt;a b=&#39;&quot;&amp;&#39;&gt;");
	buf_clear(&b);
	text_gnuplot(&b, "it's\n`x`");
	assert_string_equal(buf_str(&b), "'it''s `x`'");
	buf_clear(&b);
	text_csv(&b, "plain");
	text_csv(&b, "a,\"b\"\n");
	text_csv(&b, "");
	assert_string_equal(buf_str(&b), "plain\"a,\"\"b\"\"\n\"");
	buf_clear(&b);
	text_shell(&b, "oci:net=nat");
	text_shell(&b, "it's;");
	text_shell(&b, "");
	assert_string_equal(buf_str(&b), "oci:net=nat'it'\\''s;'''");
	text_slug(slug, sizeof slug, "tcp_rr:request=1,../..//");
	assert_string_equal(slug, "tcp_rr-request-1");
	text_slug(slug, sizeof slug, "\xff/..");
	assert_string_equal(slug, "x");
	assert_int_equal(text_width("e\xcc\x81\xe6\xbc\xa2", 6), 3);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(injected_effects_are_recovered),
		T(cells_without_values_say_why),
		T(another_baseline),
		T(margin_decides_between_none_and_inconclusive),
		cmocka_unit_test(one_block_has_values_but_no_interval),
		cmocka_unit_test(no_trial_at_all),
		T(trial_outside_the_plan_is_refused),
		T(table_says_it_all),
		T(too_small_a_buffer_is_an_error),
		T(json_keeps_the_contract),
		T(csv_has_every_trial_and_metric),
		T(page_is_self_contained_and_escaped),
		T(figures_share_no_ids),
		T(without_gnuplot_the_page_has_all_tables),
		T(stale_and_hostile_drawings_are_not_shown),
		cmocka_unit_test(far_ends_of_intervals_are_capped),
		cmocka_unit_test(text_is_cleaned_for_its_target),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL) + run_compare_tests();
}
