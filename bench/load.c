/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The load engine alone, from the command line, to be held against other clients.
 * Prints one line of JSON: what was done and what it cost. Not installed.
 *
 *	bench-load [options] PROTOCOL ADDRESS PORT
 */
#include "base/clock.h"
#include "load/engine/engine.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define LIST_MAX 64

struct options {
	struct engine_config k;
	struct proto_options p;
	struct sock_addr local[LIST_MAX];
	const char *list[LIST_MAX + 1]; /* paths or names */
	unsigned nlist;
	int cpus[LIST_MAX];
};

enum opt { CONNECTIONS = 256, DEPTH, THREADS, RATE, ARRIVALS, OWN, DURATION, WARMUP, TIMEOUT, SPIN, LOCAL,
	CPU, PER_REQUEST, ABORT, POPULATE, RESP3, UPDATE, RECORDS, KEY_BYTES, VALUE_BYTES, ETC, ZIPF, PATH,
	CLOSE, BODY, REQUESTS, SEED };

static const struct option known[] = {
	{ "connections", 1, NULL, CONNECTIONS },
	{ "depth", 1, NULL, DEPTH },
	{ "threads", 1, NULL, THREADS },
	{ "rate", 1, NULL, RATE },
	{ "arrivals", 1, NULL, ARRIVALS },
	{ "own-schedules", 0, NULL, OWN },
	{ "duration", 1, NULL, DURATION },
	{ "warmup", 1, NULL, WARMUP },
	{ "timeout", 1, NULL, TIMEOUT },
	{ "spin", 1, NULL, SPIN },
	{ "local", 1, NULL, LOCAL },
	{ "cpu", 1, NULL, CPU },
	{ "per-request", 0, NULL, PER_REQUEST },
	{ "abort-close", 0, NULL, ABORT },
	{ "populate", 0, NULL, POPULATE },
	{ "resp3", 0, NULL, RESP3 },
	{ "update", 1, NULL, UPDATE },
	{ "records", 1, NULL, RECORDS },
	{ "key-bytes", 1, NULL, KEY_BYTES },
	{ "value-bytes", 1, NULL, VALUE_BYTES },
	{ "etc", 0, NULL, ETC },
	{ "zipf", 1, NULL, ZIPF },
	{ "path", 1, NULL, PATH },
	{ "name", 1, NULL, PATH },
	{ "close", 0, NULL, CLOSE },
	{ "body-bytes", 1, NULL, BODY },
	{ "requests", 1, NULL, REQUESTS },
	{ "seed", 1, NULL, SEED },
	{ NULL, 0, NULL, 0 },
};

static uint64_t number(const char *s)
{
	return strtoull(s, NULL, 10);
}

static uint64_t seconds(const char *s)
{
	return (uint64_t)(strtod(s, NULL) * 1e9);
}

static enum gen_arrivals arrivals(const char *s)
{
	if (strcmp(s, "constant") == 0)
		return GEN_CONSTANT;
	return strcmp(s, "gpareto") == 0 ? GEN_GPARETO : GEN_EXPONENTIAL;
}

static int set_engine(struct options *o, int opt, const char *v, struct vt_err *err)
{
	struct engine_config *k = &o->k;

	switch (opt) {
	case CONNECTIONS:
		k->connections = (uint32_t)number(v);
		return 0;
	case DEPTH:
		k->depth = (uint32_t)number(v);
		return 0;
	case THREADS:
		k->threads = (uint32_t)number(v);
		return 0;
	case RATE:
		k->rate_per_s = strtod(v, NULL);
		k->arrivals = k->arrivals == GEN_CLOSED ? GEN_EXPONENTIAL : k->arrivals;
		return 0;
	case ARRIVALS:
		k->arrivals = arrivals(v);
		return 0;
	case DURATION:
		k->duration_ns = seconds(v);
		return 0;
	case WARMUP:
		k->warmup_ns = seconds(v);
		return 0;
	case TIMEOUT:
		k->timeout_ns = seconds(v);
		return 0;
	case SPIN:
		k->spin_max_ns = seconds(v);
		return 0;
	case LOCAL:
		if (k->nlocal == LIST_MAX)
			return vt_usage(err, "too many source addresses");
		return sock_addr_parse(&o->local[k->nlocal++], v, 0, err);
	case CPU:
		if (k->ncpus < LIST_MAX)
			o->cpus[k->ncpus++] = (int)number(v);
		return 0;
	default:
		k->per_connection_arrivals |= opt == OWN;
		k->per_request |= opt == PER_REQUEST;
		k->abort_close |= opt == ABORT;
		return 0;
	}
}

static int set_requests(struct options *o, int opt, const char *v, struct vt_err *err)
{
	struct proto_options *p = &o->p;

	switch (opt) {
	case UPDATE:
		p->update = strtod(v, NULL);
		break;
	case RECORDS:
		p->records.n = number(v);
		break;
	case KEY_BYTES:
		p->records.key_bytes = (uint32_t)number(v);
		break;
	case VALUE_BYTES:
		p->records.value_bytes = (uint32_t)number(v);
		break;
	case ZIPF:
		p->zipf = strtod(v, NULL);
		break;
	case PATH:
		if (o->nlist == LIST_MAX)
			return vt_usage(err, "too many paths or names");
		o->list[o->nlist++] = v;
		break;
	case BODY:
		p->body_bytes = (uint32_t)number(v);
		break;
	case REQUESTS:
		p->requests = (uint32_t)number(v);
		break;
	case SEED:
		p->seed = o->k.seed = number(v);
		break;
	default:
		p->resp3 |= opt == RESP3;
		p->close |= opt == CLOSE;
		if (opt == ETC)
			p->records.sizes = GEN_SIZES_ETC;
		if (opt == POPULATE) {
			p->mix = PROTO_POPULATE;
			o->k.once = true;
		}
	}
	return 0;
}

static int parse(struct options *o, int argc, char **argv, struct vt_err *err)
{
	int opt, rc = 0;

	while (rc == 0 && (opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (opt == '?')
			return vt_usage(err, "see the head of bench/load.c");
		rc = opt < POPULATE ? set_engine(o, opt, optarg, err) : set_requests(o, opt, optarg, err);
	}
	if (rc < 0)
		return rc;
	if (argc - optind < 1)
		return vt_usage(err, "no protocol");
	o->k.proto = proto_find(argv[optind]);
	if (!o->k.proto)
		return vt_usage(err, "no protocol '%s'", argv[optind]);
	o->k.local = o->local;
	o->k.cpus = o->cpus;
	o->p.paths = o->p.names = o->nlist ? o->list : NULL;
	if (o->k.proto->caps & PROTO_IN_PROCESS)
		return 0;
	if (argc - optind < 3)
		return vt_usage(err, "no address and port");
	return sock_addr_parse(&o->k.to, argv[optind + 1], (uint16_t)number(argv[optind + 2]), err);
}

static double cpu_ns(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return 1e9 * (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       1e3 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void number_of(const char *prefix, const char *name, double v)
{
	printf(",\"%s%s\":%.0f", prefix, name, v);
}

static void print_hist(const char *name, const struct hist *h)
{
	if (h->n == 0)
		return;
	number_of(name, "_p50_ns", hist_quantile(h, .5));
	number_of(name, "_p99_ns", hist_quantile(h, .99));
	number_of(name, "_p99_9_ns", hist_quantile(h, .999));
	number_of(name, "_max_ns", hist_quantile(h, 1));
	number_of(name, "_mean_ns", hist_mean(h));
}

static void print_counts(const struct engine_counts *n)
{
	const struct {
		const char *name;
		uint64_t v;
	} row[] = {
		{ "ok", n->ok },	   { "miss", n->miss },	      { "errors", engine_errors(n) },
		{ "wrong", n->wrong },	   { "short", n->short_ },    { "late", n->late },
		{ "lost", n->lost },	   { "extra", n->extra },     { "garbage", n->garbage },
		{ "refused", n->refused }, { "reset", n->reset },     { "closed", n->closed },
		{ "no_port", n->no_port }, { "opened", n->opened },   { "resent", n->resent },
		{ "bytes_in", n->bytes_in }, { "bytes_out", n->bytes_out },
	};

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
		number_of("", row[i].name, (double)row[i].v);
}

/* cpu_client: of the engine's threads in the measured time; cpu_process: of all there was, per answer. */
static void print(const struct engine_config *k, const struct engine_result *r, double process_cpu_ns)
{
	double ok = (double)r->counts.ok;

	printf("{\"protocol\":\"%s\"", k->proto->name);
	print_counts(&r->counts);
	number_of("", "requests_per_s", r->achieved_per_s);
	number_of("", "offered_per_s", r->offered_per_s);
	number_of("", "backlog", (double)r->backlog);
	number_of("", "cpu_client_ns_per_op", ok > 0 ? (double)r->cpu_ns / ok : 0);
	number_of("", "cpu_process_ns_per_op", ok > 0 ? process_cpu_ns / ok : 0);
	print_hist("service", r->service);
	if (k->arrivals != GEN_CLOSED) {
		print_hist("response", r->response);
		print_hist("lag", r->lag);
	}
	printf("}\n");
}

int main(int argc, char **argv)
{
	struct options o = {
		.k = { .connections = 50, .duration_ns = 3 * NS_PER_S },
		.p = { .requests = 4096, .body_bytes = PROTO_ANY, .seed = 1,
			.records = { .n = 1000, .key_bytes = 16, .value_bytes = 3 } },
	};
	struct proto_pool pool = { .n = 0 };
	struct engine_result r = { .nthreads = 0 };
	struct vt_err err = { .code = 0 };
	double cpu;
	int rc = parse(&o, argc, argv, &err);

	if (rc == 0)
		rc = proto_render(o.k.proto, &pool, &o.p, &err);
	o.k.pool = &pool;
	cpu = cpu_ns();
	if (rc == 0)
		rc = engine_run(&o.k, &r, &err);
	if (rc < 0)
		fprintf(stderr, "bench-load: %s\n", err.msg);
	else
		print(&o.k, &r, cpu_ns() - cpu);
	engine_result_release(&r);
	proto_pool_release(&pool);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
