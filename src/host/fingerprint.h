/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the machine is: CPU, kernel, mitigations, governor/turbo/SMT, clocksource, memory, virtualization
 * underneath, sysctls that matter to the network, cgroup layout, versions and SHA-256 of the binaries used.
 */
#ifndef VTAX_HOST_FINGERPRINT_H
#define VTAX_HOST_FINGERPRINT_H

#include "base/err.h"
#include "base/strvec.h"

#include <jansson.h>

/* A new JSON object (caller owns it). `binaries` are paths to hash; what cannot be read is null, with no
 * error. */
int fingerprint_read(json_t **out, const struct strvec *binaries, struct vt_err *err);

/*
 * The parsers behind it, from text. Flags are only those that change what a benchmark does; of the kernel's
 * parameters (/proc/cmdline) likewise, since the rest may name things that are nobody's business.
 */
json_t *fingerprint_parse_os_release(const char *os_release);
json_t *fingerprint_parse_cpuinfo(const char *cpuinfo);
json_t *fingerprint_parse_parameters(const char *cmdline);

/* SHA-256 of a file as 64 hex digits (AF_ALG is not relied upon). */
int fingerprint_sha256_file(const char *path, char out[65], struct vt_err *err);

#endif
