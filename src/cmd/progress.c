/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/progress.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/units.h"

#include <math.h>
#include <string.h>
#include <sys/ioctl.h>

#define INVALID_TOLD 10

static struct {
	bool terminal, quiet, shown;
	unsigned round, invalid;
	bool started;
} progress;

static unsigned columns(void)
{
	struct winsize w;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 20)
		return w.ws_col;
	return 80;
}

static void wipe(void)
{
	if (!progress.shown)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	progress.shown = false;
}

static void stage(void *arg, const char *what)
{
	if (progress.quiet)
		return;
	if (progress.terminal) {
		wipe();
		fprintf(stderr, "%s …", what);
		fflush(stderr);
		progress.shown = true;
	} else {
		fprintf(stderr, "%s\n", what);
	}
}

static void bar(char *out, size_t width, double share)
{
	size_t full = (size_t)(share * (double)width + 0.5);

	for (size_t i = 0; i < width; i++)
		out[i] = i < full ? '=' : i == full ? '>' : ' ';
	out[width] = '\0';
}

/* Cut to the terminal's width: a wrapped line cannot be rewritten in place. */
static void show(const char *text)
{
	wipe();
	fprintf(stderr, "%.*s", (int)columns() - 1, text);
	fflush(stderr);
	progress.shown = true;
}

static void on_terminal(const struct campaign_status *s)
{
	char left[32], line[512], gauge[17];
	double total = (double)(s->elapsed_ns + s->left_ns);

	bar(gauge, sizeof gauge - 1, total > 0 ? (double)s->elapsed_ns / total : 0);
	units_duration(left, sizeof left, s->left_ns);
	snprintf(line, sizeof line, "[%s] %s left | round %u/%u | trial %u | %s in %s", gauge, left, s->round + 1,
		s->rounds_max > s->round ? s->rounds_max : s->round + 1, s->trials_done + 1, s->workload, s->technique);
	show(line);
}

static void in_a_log(const struct campaign_status *s)
{
	char left[32];

	if (progress.started && s->round == progress.round)
		return;
	progress.started = true;
	progress.round = s->round;
	units_duration(left, sizeof left, s->left_ns);
	fprintf(stderr, "round %u of about %u: %u trials done, %s left\n", s->round + 1, s->rounds_max, s->trials_done, left);
}

static void trial_begin(void *arg, const struct campaign_status *s)
{
	if (progress.quiet)
		return;
	if (progress.terminal)
		on_terminal(s);
	else
		in_a_log(s);
}

/* The first few, and with --verbose all: a technique that never works must not fill the screen. */
static void tell_invalid(const struct campaign_status *s)
{
	bool all = log_get_level() >= LOG_DEBUG;

	progress.invalid++;
	if (all || progress.invalid <= INVALID_TOLD)
		log_warn("trial %u is invalid (%s in %s): %s%s", s->trials_done, s->workload, s->technique,
			s->reason ? s->reason : "no reason given",
			!all && progress.invalid == INVALID_TOLD ? " — further ones are only counted" : "");
}

static void trial_end(void *arg, const struct campaign_status *s)
{
	char value[48];

	if (!s->valid) {
		tell_invalid(s);
		return;
	}
	units_format(value, sizeof value, s->value, s->primary->unit);
	log_debug("trial %u: %s in %s: %s %s", s->trials_done, s->workload, s->technique, s->primary->name, value);
}

static void warn(void *arg, const char *text)
{
	log_warn("%s", text);
}

void progress_start(struct campaign_events *events, bool quiet)
{
	memset(&progress, 0, sizeof progress);
	progress.quiet = quiet;
	progress.terminal = log_is_terminal(STDERR_FILENO);
	log_set_hook(wipe);
	*events = (struct campaign_events){
		.stage = stage,
		.trial_begin = trial_begin,
		.trial_end = trial_end,
		.warn = warn,
	};
}

void progress_stop(void)
{
	wipe();
	log_set_hook(NULL);
}
