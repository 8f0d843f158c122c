/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A link reads one frame at a time into `head` and `body` and keeps how far it got, because a wait may end
 * (deadline, Ctrl-C) in the middle of a frame and go on later. It asks read(2) for exactly the bytes of the
 * frame: no read-ahead, no second buffer, and what follows a frame stays in the pipe for the next receive.
 *
 * There are three ways to be wrong. Silence leaves the link usable. The end of the stream is final by itself.
 * A breach of the protocol marks the link `broken`: there is no way to find the start of a frame again in
 * bytes that somebody made up, so every later call fails too. All three end in an error made here, in words
 * about the agent; text that came from it is shown only after clean().
 *
 * The bodies are checked field by field before a caller sees them, so that callers cannot forget to.
 */
#include "link/link.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD sizeof(struct abi_head)

enum {
	NOISE_MAX = 1 << 20, /* a guest's boot chatter is tens of kB */
	LOGS_MAX = 100,	     /* then it is flooding the terminal */
	CANCEL_MS = 100,     /* how late a cancel may be noticed */
	BABBLE_MAX = 256,    /* bytes counted to describe babble */
	EXCERPT_MAX = 64,
};

/* Agents speak ASCII; anything else could be an escape sequence for the user's terminal. */
static void clean(char *s)
{
	for (; *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			*s = '?';
}

/* The beginning of some bytes, harmless and quoted by the caller. */
static void excerpt(char out[EXCERPT_MAX + 4], const void *data, size_t len)
{
	const unsigned char *p = data;
	size_t n = len < EXCERPT_MAX ? len : EXCERPT_MAX;

	for (size_t i = 0; i < n; i++)
		out[i] = p[i] >= 0x20 && p[i] <= 0x7e ? (char)p[i] : '.';
	memcpy(out + n, len > n ? "..." : "", len > n ? 4 : 1);
}

static const char *type_name(unsigned type)
{
	static const char *const names[] = {
		[ABI_HELLO] = "HELLO",
		[ABI_SERVE] = "SERVE",
		[ABI_READY] = "READY",
		[ABI_LOAD] = "LOAD",
		[ABI_MARK] = "MARK",
		[ABI_TICK] = "TICK",
		[ABI_RESULT] = "RESULT",
		[ABI_STOP] = "STOP",
		[ABI_BYE] = "BYE",
		[ABI_ERROR] = "ERROR",
		[ABI_LOG] = "LOG",
	};

	return type < ARRAY_SIZE(names) && names[type] ? names[type] : "unknown";
}

static double seconds_since(uint64_t then_ns)
{
	return (double)(clock_now_ns() - then_ns) / (double)NS_PER_S;
}

/* 0 ready, -ETIMEDOUT, -EINTR when cancelled, or what poll(2) said. */
static int wait_for(int fd, short events, uint64_t deadline_ns, const volatile int *cancel)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int n, ms = clock_poll_ms(deadline_ns);

		if (cancel && *cancel)
			return -EINTR;
		if (cancel && ms > CANCEL_MS)
			ms = CANCEL_MS;
		n = poll(&p, 1, ms);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (clock_now_ns() >= deadline_ns)
			return -ETIMEDOUT;
	}
}

/*
 * write(2) that never raises SIGPIPE, whatever the program did about it: blocked for this thread, and taken
 * back if our own write made it pending. (MSG_NOSIGNAL would do for sockets, but most links are pipes.)
 */
static ssize_t write_quietly(int fd, const void *data, size_t len)
{
	const struct timespec now = { 0 };
	sigset_t pipe_set, old, pending;
	bool was_pending;
	ssize_t n;
	int saved;

	sigemptyset(&pipe_set);
	sigaddset(&pipe_set, SIGPIPE);
	sigemptyset(&pending);
	sigpending(&pending);
	was_pending = sigismember(&pending, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
	n = write(fd, data, len);
	saved = errno;
	if (n < 0 && saved == EPIPE && !was_pending)
		while (sigtimedwait(&pipe_set, NULL, &now) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = saved;
	return n;
}

static int write_all(struct link *l, const void *data, size_t len, uint64_t deadline_ns)
{
	const uint8_t *p = data;

	while (len) {
		ssize_t n = write_quietly(l->in, p, len);

		if (n >= 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			int r = wait_for(l->in, POLLOUT, deadline_ns, NULL);

			if (r < 0)
				return r;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

static int closed(const struct link *l, struct vt_err *err)
{
	return vt_invalid(err, -EPIPE, "%s cannot be spoken to any more: its link is %s",
		l->name[0] ? l->name : "agent", l->broken ? "broken" : "closed");
}

int link_send(
	struct link *l, uint16_t type, const void *body, size_t len, uint64_t deadline_ns, struct vt_err *err)
{
	uint64_t since = clock_now_ns();
	struct abi_head h;
	int r;

	if (l->in < 0 || l->broken)
		return closed(l, err);
	if (len > ABI_BODY_MAX || len % 8)
		return vt_fail(err, -EMSGSIZE, "a %s of %zu bytes is no message for %s", type_name(type), len,
			l->name);
	if (++l->serial == 0)
		l->serial = 1;
	wire_head(&h, type, (uint32_t)len, l->serial);
	r = write_all(l, &h, sizeof h, deadline_ns);
	if (r == 0)
		r = write_all(l, body, len, deadline_ns);
	if (r == 0)
		return 0;
	l->broken = true; /* part of a request may be on its way: the next would be read as its rest */
	if (r == -ETIMEDOUT)
		return vt_invalid(err, r, "%s did not take a %s for %.1f s", l->name, type_name(type),
			seconds_since(since));
	if (r == -EPIPE || r == -ECONNRESET)
		return vt_invalid(
			err, -EPIPE, "%s is gone: it could not be sent a %s", l->name, type_name(type));
	return vt_invalid(err, r, "%s could not be sent a %s: %s", l->name, type_name(type), strerror(-r));
}

/* What a console said before its agent did, as ": it said "…"", or "". */
static void last_words(const struct link *l, char *out, size_t size)
{
	char said[EXCERPT_MAX + 4];
	size_t len = l->noise_len, from = len > EXCERPT_MAX ? len - EXCERPT_MAX : 0;

	out[0] = '\0';
	if (len == 0)
		return;
	excerpt(said, l->noise + from, len - from);
	snprintf(out, size, "; the last it said was \"%s\"", said);
}

static int ended(struct link *l, struct vt_err *err)
{
	char words[128];

	if (!l->greeted) {
		last_words(l, words, sizeof words);
		return vt_invalid(err, -EPIPE, "%s ended before it said hello%s", l->name, words);
	}
	if (l->got >= HEAD)
		return vt_invalid(err, -EPIPE, "%s ended in the middle of a %s (%zu of %zu bytes)", l->name,
			type_name(l->head.type), l->got, HEAD + l->head.length);
	if (l->got)
		return vt_invalid(
			err, -EPIPE, "%s ended in the middle of a message (%zu bytes)", l->name, l->got);
	return vt_invalid(err, -EPIPE, "%s ended unexpectedly", l->name);
}

/* `since_ns` is when it was last heard, or asked. */
static int stalled(struct link *l, int r, uint64_t since_ns, struct vt_err *err)
{
	double s = seconds_since(since_ns);
	char words[128];

	if (r == -EINTR)
		return vt_fail(err, r, "cancelled while waiting for %s", l->name);
	if (r != -ETIMEDOUT)
		return vt_invalid(err, r, "cannot wait for %s: %s", l->name, strerror(-r));
	if (l->got >= HEAD)
		return vt_invalid(err, r,
			"%s fell silent for %.1f s in the middle of a %s (%zu of %zu bytes)", l->name, s,
			type_name(l->head.type), l->got, HEAD + l->head.length);
	if (l->greeted)
		return vt_invalid(err, r, "%s fell silent for %.1f s", l->name, s);
	last_words(l, words, sizeof words);
	return vt_invalid(err, r, "%s did not say hello, and was silent for %.1f s%s", l->name, s, words);
}

/* The bytes at hand start no frame; those that wait behind them help to tell what they are. */
static int babble(struct link *l, struct vt_err *err)
{
	uint8_t bytes[BABBLE_MAX];
	char said[EXCERPT_MAX + 4], words[128];
	size_t n = l->got;

	l->broken = true;
	if (l->noise_len && !l->greeted) {
		last_words(l, words, sizeof words);
		return vt_invalid(err, -EBADMSG, "%s sent more than %d bytes without a hello%s", l->name,
			NOISE_MAX, words);
	}
	memcpy(bytes, &l->head, n);
	while (n < sizeof bytes) {
		ssize_t r = read(l->out, bytes + n, sizeof bytes - n);

		if (r <= 0)
			break;
		n += (size_t)r;
	}
	excerpt(said, bytes, n);
	return vt_invalid(err, -EBADMSG, "%s sent %s%zu bytes that are no message: \"%s\"", l->name,
		n == sizeof bytes ? "at least " : "", n, said);
}

static bool starts_frame(const struct link *l)
{
	const uint32_t magic = ABI_MAGIC;
	size_t n = l->got < sizeof magic ? l->got : sizeof magic;

	if (memcmp(&l->head, &magic, n) != 0)
		return false;
	/* Boot chatter may spell the magic by chance; then the rest of a HELLO's head will not follow. */
	if (l->noise_left == 0 || l->got < HEAD)
		return true;
	return l->head.type == ABI_HELLO && l->head.length <= ABI_BODY_MAX;
}

static void skip_byte(struct link *l)
{
	if (l->noise_len == sizeof l->noise)
		memmove(l->noise, l->noise + 1, --l->noise_len);
	memcpy(l->noise + l->noise_len++, &l->head, 1);
	memmove(&l->head, (char *)&l->head + 1, --l->got);
	l->noise_left--;
}

/* After each read into the head: is this still the beginning of a frame, and one we can take? */
static int check_head(struct link *l, struct vt_err *err)
{
	int r;

	while (l->got && !starts_frame(l)) {
		if (l->noise_left == 0)
			return babble(l, err);
		skip_byte(l);
	}
	if (l->got < HEAD)
		return 0;
	r = wire_check_head(&l->head);
	if (r < 0)
		l->broken = true;
	if (r == -EPROTONOSUPPORT)
		return vt_invalid(err, r,
			"%s speaks version %u of the protocol, not %u: it is of another build", l->name,
			l->head.version, ABI_VERSION);
	if (r < 0)
		return vt_invalid(err, r,
			"%s announced a message of %u bytes; a length is a multiple of 8, up to %u", l->name,
			l->head.length, ABI_BODY_MAX);
	if (l->head.length > l->body_cap) {
		uint8_t *body = realloc(l->body, l->head.length);

		l->broken = !body; /* a frame that has no place can be neither read nor skipped */
		if (!body)
			return vt_fail(err, -ENOMEM, "no memory for a message of %u bytes", l->head.length);
		l->body = body;
		l->body_cap = l->head.length;
	}
	return 0;
}

/* One read. 1 progress, -EAGAIN nothing there, otherwise an error that is set. */
static int read_some(struct link *l, struct vt_err *err)
{
	uint8_t *at = l->got < HEAD ? (uint8_t *)&l->head + l->got : l->body + (l->got - HEAD);
	size_t want = (l->got < HEAD ? HEAD : HEAD + l->head.length) - l->got;
	ssize_t n = read(l->out, at, want);
	bool head = l->got < HEAD;
	int r;

	if (n > 0) {
		l->got += (size_t)n;
		r = head ? check_head(l, err) : 0;
		return r < 0 ? r : 1;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	/* A pty's other end that went away reads as EIO, a socket's as ECONNRESET: both are an end. */
	if (n == 0 || errno == EIO || errno == ECONNRESET)
		return ended(l, err);
	return vt_fail_errno(err, "cannot read from %s", l->name);
}

/* A whole frame, into head and body. */
static int get_frame(struct link *l, uint64_t deadline_ns, const volatile int *cancel, uint64_t *heard_ns,
	struct vt_err *err)
{
	while (l->got < HEAD || l->got < HEAD + l->head.length) {
		int r = read_some(l, err);

		if (r > 0) {
			*heard_ns = clock_now_ns();
		} else if (r == -EAGAIN) {
			r = wait_for(l->out, POLLIN, deadline_ns, cancel);
			if (r < 0)
				return stalled(l, r, *heard_ns, err);
		} else {
			return r;
		}
	}
	l->got = 0;
	l->body_len = l->head.length;
	return 0;
}

static int check_body(struct link *l, struct vt_err *err)
{
	struct wire_reader reader;
	struct wire_field f;
	int n;

	wire_reader_init(&reader, l->body, l->body_len);
	while ((n = wire_next(&reader, &f)) > 0)
		;
	if (n == 0)
		return 0;
	l->broken = true;
	return vt_invalid(err, -EBADMSG, "%s sent a %s whose fields are malformed at byte %zu of %zu",
		l->name, type_name(l->head.type), reader.at, l->body_len);
}

static void get_text(const struct link *l, uint16_t key, char *out, size_t size)
{
	struct wire_field f;

	out[0] = '\0';
	if (wire_find(l->body, l->body_len, key, ABI_TEXT, &f) > 0)
		wire_get_text(&f, out, size);
	clean(out);
}

static uint64_t get_u64(const struct link *l, uint16_t key)
{
	struct wire_field f;

	return wire_find(l->body, l->body_len, key, ABI_U64, &f) > 0 ? f.u64 : 0;
}

static void show_log(struct link *l)
{
	char text[512];

	if (l->logged > LOGS_MAX)
		return;
	get_text(l, ABI_K_TEXT, text, sizeof text);
	if (l->logged++ < LOGS_MAX)
		log_info("%s: %s", l->name, text);
	else
		log_warn("%s said more than %d lines; the rest is not shown", l->name, LOGS_MAX);
}

static int remote_error(const struct link *l, struct vt_err *err)
{
	uint64_t e = get_u64(l, ABI_K_ERRNO);
	char text[512];
	int code;

	get_text(l, ABI_K_TEXT, text, sizeof text);
	code = e > 0 && e < 4096 ? -(int)e : -EREMOTEIO;
	if (code == -ETIMEDOUT || code == -EPIPE || code == -EBADMSG || code == -EINTR ||
		code == -EPROTONOSUPPORT)
		code = -EREMOTEIO;
	return vt_fail(err, code, "%s: %s", l->name, text[0] ? text : "failed without saying why");
}

static int breach(struct link *l, struct vt_err *err, const char *what)
{
	l->broken = true;
	return vt_invalid(err, -EBADMSG, "%s sent a message of type %u (%s), %s", l->name, l->head.type,
		type_name(l->head.type), what);
}

/* What to do with the frame at hand: its type to hand it over, 0 to drop it, or an error. */
static int judge(struct link *l, struct vt_err *err)
{
	int r = check_body(l, err);

	if (r < 0)
		return r;
	switch (l->head.type) {
	case ABI_LOG:
		show_log(l);
		return 0;
	case ABI_HELLO:
		if (l->greeted)
			return breach(l, err, "which comes only once: it has started anew");
		return ABI_HELLO;
	case ABI_READY:
	case ABI_MARK:
	case ABI_TICK:
	case ABI_RESULT:
	case ABI_ERROR:
		break;
	default:
		return breach(l, err, "which is not for an agent to send");
	}
	/* Serials only grow: an older one answers what was given up, a newer one was never given. */
	if ((int32_t)(l->head.serial - l->serial) > 0)
		return breach(l, err, "an answer to what was not asked");
	if (l->head.serial != l->serial)
		return 0;
	if (l->head.type == ABI_ERROR)
		return remote_error(l, err);
	if (!l->greeted)
		return breach(l, err, "before it said hello");
	return l->head.type;
}

int link_receive(struct link *l, uint64_t deadline_ns, const volatile int *cancel, struct vt_err *err)
{
	const uint64_t asked_ns = clock_now_ns();
	uint64_t heard_ns = asked_ns;

	if (l->out < 0 || l->broken)
		return closed(l, err);
	l->body_len = 0;
	for (;;) {
		int r = get_frame(l, deadline_ns, cancel, &heard_ns, err);

		if (r == 0)
			r = judge(l, err);
		if (r != 0)
			return r;
		/* An agent that talks all the time but never answers is not to hold us either. */
		if (cancel && *cancel)
			return stalled(l, -EINTR, asked_ns, err);
		if (clock_now_ns() >= deadline_ns)
			return vt_invalid(err, -ETIMEDOUT, "%s sent other messages but no answer for %.1f s",
				l->name, seconds_since(asked_ns));
	}
}

int link_call(struct link *l, uint16_t type, const void *body, size_t len, uint16_t want,
	uint64_t deadline_ns, struct vt_err *err)
{
	int r = link_send(l, type, body, len, deadline_ns, err);

	if (r < 0)
		return r;
	r = link_receive(l, deadline_ns, NULL, err);
	if (r < 0 || r == want)
		return r < 0 ? r : 0;
	l->broken = true;
	return vt_invalid(err, -EBADMSG, "%s answered %s with %s instead of %s", l->name, type_name(type),
		type_name((unsigned)r), type_name(want));
}

static int set_nonblocking(int fd, const char *name, struct vt_err *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return vt_fail_errno(err, "cannot use the pipe of %s", name);
	return 0;
}

static int greet(struct link *l, uint64_t deadline_ns, struct vt_err *err)
{
	int r = set_nonblocking(l->in, l->name, err);

	if (r == 0)
		r = set_nonblocking(l->out, l->name, err);
	if (r == 0)
		r = link_receive(l, deadline_ns, NULL, err);
	if (r < 0)
		return r;
	get_text(l, ABI_K_BUILD, l->build, sizeof l->build);
	get_text(l, ABI_K_UNAME, l->uname, sizeof l->uname);
	get_text(l, ABI_K_CPUS_ALLOWED, l->cpus, sizeof l->cpus);
	get_text(l, ABI_K_CLOCKSOURCE, l->clocksource, sizeof l->clocksource);
	l->pid = get_u64(l, ABI_K_PID);
	l->nofile = get_u64(l, ABI_K_NOFILE);
	l->greeted = true;
	l->noise_left = 0;
	return 0;
}

static void drop(struct link *l)
{
	if (l->in >= 0)
		close(l->in);
	if (l->out >= 0 && l->out != l->in)
		close(l->out);
	free(l->body);
	*l = LINK_INIT;
}

int link_open(struct link *l, int in, int out, const char *name, bool skip_noise, uint64_t deadline_ns,
	struct vt_err *err)
{
	int r;

	*l = LINK_INIT;
	l->in = in;
	l->out = out;
	l->noise_left = skip_noise ? NOISE_MAX : 0;
	snprintf(l->name, sizeof l->name, "%s", name);
	clean(l->name);
	r = greet(l, deadline_ns, err);
	if (r < 0)
		drop(l);
	return r;
}

void link_close(struct link *l)
{
	struct abi_head bye;

	if (l->in >= 0 && l->greeted && !l->broken) {
		wire_head(&bye, ABI_BYE, 0, l->serial + 1);
		/* One try: an agent that does not read sees the end of its stdin, which means the same. */
		if (write_quietly(l->in, &bye, sizeof bye) < 0)
			l->broken = true;
	}
	drop(l);
}
