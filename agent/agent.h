/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vtax-agent: what the parts of it share. See session.c for how they work together.
 */
#ifndef VTAX_AGENT_AGENT_H
#define VTAX_AGENT_AGENT_H

#include "abi/wire.h"
#include "base/err.h"
#include "load/kernel.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_MAX 65536 /* a request is a handful of parameters; only replies are long */

/* out.c: the way to the controller. Messages come from two threads: a lock keeps each in one piece. */
struct out {
	int fd;
	pthread_mutex_t lock;
};

void out_init(struct out *o, int fd);
int out_send(struct out *o, uint16_t type, uint32_t serial, const void *body, size_t len); /* 0 or -errno */
int out_error(struct out *o, uint32_t serial, const struct vt_err *err);
int out_hello(struct out *o);

/* facts.c: what this process is told about itself. */
#define FACTS_CPUS_MAX 1024
int facts_raise_nofile(uint64_t *limit);
void facts_cpus_allowed(char out[FACTS_CPUS_MAX]); /* "0,2-3" */
void facts_uname(char *out, size_t size);
void facts_clocksource(char *out, size_t size); /* "" when the system does not say */

/* params.c: a SERVE's or LOAD's body, every bound checked. */
int params_decode(struct kernel_params *p, const void *body, size_t len, struct vt_err *err);

/* result.c: what a kernel measured, as the body of a RESULT. Memory is taken before anything is measured. */
struct result {
	struct wire_writer w;
	uint8_t *body;	  /* ABI_BODY_MAX */
	uint8_t *scratch; /* HIST_ENCODED_MAX */
	struct out *out;
	uint32_t serial; /* of the marks */
	bool failed;	 /* something could not be encoded */
};

int result_init(struct result *r, struct out *out, struct vt_err *err);
void result_release(struct result *r);
/* Empties it for a request and makes a sink of it, whose calls all come from the kernel's calling thread. */
void result_begin(struct result *r, uint32_t serial, struct kernel_sink *sink, const volatile int *cancel);
int result_finish(struct result *r, struct vt_err *err); /* adds what every RESULT has */

/* job.c: one call into a kernel at a time, on a thread of its own. */
enum job_kind { JOB_SERVE, JOB_LOAD, JOB_STOP };

struct job {
	/* the session thread's */
	bool running;
	int done_fd; /* readable when the thread has done its work */
	pthread_t thread;
	enum job_kind kind;
	uint32_t serial;
	/* written before the thread starts, read after it was joined; the thread's in between */
	const struct kernel *kernel;
	struct kernel_params params;
	struct kernel_server *server; /* what runs here; NULL none */
	const struct kernel *served;  /* whose server it is */
	struct result result;
	uint16_t port;
	int code;
	struct vt_err err;
	/* shared */
	volatile int cancel;
};

int job_init(struct job *j, struct out *out, struct vt_err *err);
/* -EBUSY while another runs. JOB_STOP uses neither kernel nor params. */
int job_start(struct job *j, enum job_kind kind, uint32_t serial, const struct kernel *k,
	const struct kernel_params *p, struct vt_err *err);
void job_cancel(struct job *j); /* asks a running LOAD to end soon */
void job_join(struct job *j);	/* after done_fd became readable; then code, err, result, port are ours */

/* session.c: speaks the protocol until the controller leaves. Returns the exit status. */
int session_run(int in_fd, int out_fd);

#endif
