/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A technique is a way to isolate a workload; a provider (one file or folder here) is the code that starts
 * one kind of environment. An environment is anything that can run our agent with its stdin and stdout
 * piped to us, and that the client can reach at an address.
 *
 * Life: technique_parse → ops->prepare once per campaign → (ops->start → ops->stop) per trial →
 * ops->finish.
 * Everything a provider makes on the host goes into the testbed's journal before it is made, so that a
 * killed campaign is undone without the provider's help. Providers never print, and never see a workload:
 * they meet in src/campaign through capabilities.
 *
 * How to add one (docs/adding-a-technique.md): a `const struct technique_ops technique_NAME` in its own file,
 * one line in registry.c, an option table, a probe that says why not and how to get it, a page in
 * docs/techniques/, and a row in tests/system/test_techniques.py.
 */
#ifndef VTAX_TECHNIQUE_TECHNIQUE_H
#define VTAX_TECHNIQUE_TECHNIQUE_H

#include "base/child.h"
#include "base/option.h"
#include "host/testbed.h"
#include "payload/payload.h"

#include <jansson.h>

enum technique_cap {
	TECH_AGENT = 1 << 0,  /* runs our agent */
	TECH_TCP = 1 << 1,    /* the client can reach TCP ports of it */
	TECH_UDP = 1 << 2,
	TECH_ICMP = 1 << 3,   /* an ICMP echo to its address is answered by the environment itself */
	TECH_CGROUP = 1 << 4, /* its processes are in a cgroup of ours, so its CPU can be told apart */
	TECH_EMULATED = 1 << 5, /* guest code is emulated: say so in every table */
	TECH_TEST = 1 << 6,	/* made for tests and calibration: only matched by its own name, not by "*" */
};

struct technique {
	const struct technique_ops *ops;
	struct opt_set opts;
	char *text;  /* as the user gave it */
	char *label; /* label=TEXT, or a copy of text: the name in every table */
	void *state; /* the provider's, from prepare to finish */
};

/* What a trial asks of an environment. */
struct env_request {
	const uint16_t *ports; /* to be reachable, tcp and udp */
	unsigned nports;
	uint64_t deadline_ns; /* for the whole start, agent included */
};

/* One running environment. Filled by start, emptied by stop. */
struct env {
	int agent_in, agent_out; /* the agent's stdin and stdout; taken over by the caller (set to -1) */
	bool skip_noise;	 /* agent_out is a console: boot chatter precedes the first message */
	char address[64];	 /* where the client reaches it */
	char bind_address[64];	 /* what its server binds; "0.0.0.0" unless there is a reason */
	struct cgroup cgroup;	 /* of the environment alone (path "" when there is none) */
	struct cgroup monitor;	 /* of what serves it on the host: daemon, proxy, monitor (path "" when none) */
	struct child launcher;	 /* the process started to run it */
	uint64_t started_ns;	 /* when the start command was issued */
	char stderr_path[320];	 /* what the launcher said; shown when a start fails; "" none; valid until stop */
	size_t journal_mark;	 /* everything after it is this environment's */
	void *priv;		 /* the provider's */
};

struct technique_ops {
	const char *name, *summary;
	const struct opt_def *options; /* OPT_END-terminated; "label" is added to every technique */
	/* Contradictory options: usage error. NULL: none can be. */
	int (*check)(const struct technique *t, struct vt_err *err);
	/* Capabilities, given the options. */
	unsigned (*caps)(const struct technique *t);
	/*
	 * Can it run on this machine? 0, or cannot-run error whose message says why and how to get it.
	 * Must not change the host. `detail` gets one line for doctor (version, path). Needs no prepare.
	 */
	int (*probe)(const struct technique *t, struct buf *detail, struct vt_err *err);
	/* Once per campaign and technique: daemons, images. NULL: nothing to do. */
	int (*prepare)(struct technique *t, struct testbed *tb, const struct payload *p, struct vt_err *err);
	/* A fresh environment with the agent running. On failure everything it made is undone. */
	int (*start)(struct technique *t, struct testbed *tb, const struct payload *p, const struct env_request *req,
		struct env *env, struct vt_err *err);
	/* Ends it and undoes what start did; must cope with an environment that already died. */
	int (*stop)(struct technique *t, struct testbed *tb, struct env *env, struct vt_err *err);
	/* Undoes prepare. NULL: nothing to do. */
	void (*finish)(struct technique *t, struct testbed *tb);
	/*
	 * Options as applied, read back from the running environment; a new object, to which the wrapper adds
	 * the options as parsed ("options"). NULL: those alone.
	 */
	int (*describe)(struct technique *t, struct testbed *tb, struct env *env, json_t **out, struct vt_err *err);
};

extern const struct technique_ops *const technique_registry[]; /* NULL-terminated */
const struct technique_ops *technique_find(const char *name);

/* "oci:runtime=crun,net=nat" → a technique. Unknown names suggest the nearest. Usage errors. */
int technique_parse(struct technique *t, const char *text, struct vt_err *err);
/* Expands globs in the name and in option values: "oci:net=*", "*". Adds full texts to *out. */
int technique_expand(const char *text, struct strvec *out, struct vt_err *err);
void technique_release(struct technique *t);
/* The option tables of a provider (own + common), NULL-terminated, for help and expansion. */
const struct opt_def *const *technique_tables(const struct technique_ops *ops);

/* Thin wrappers: defaults for optional hooks, asserts, cleaning after failure. The core calls only these. */
unsigned technique_caps(const struct technique *t);
int technique_probe(const struct technique *t, struct buf *detail, struct vt_err *err);
int technique_prepare(struct technique *t, struct testbed *tb, const struct payload *p, struct vt_err *err);
int technique_start(struct technique *t, struct testbed *tb, const struct payload *p,
	const struct env_request *req, struct env *env, struct vt_err *err);
int technique_stop(struct technique *t, struct testbed *tb, struct env *env, struct vt_err *err);
void technique_finish(struct technique *t, struct testbed *tb);
int technique_describe(struct technique *t, struct testbed *tb, struct env *env, json_t **out,
	struct vt_err *err);

#endif
