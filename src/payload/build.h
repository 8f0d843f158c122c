/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside src/payload: how one payload is put together. */
#ifndef VTAX_PAYLOAD_BUILD_H
#define VTAX_PAYLOAD_BUILD_H

#include "base/err.h"
#include "payload/payload.h"

#define BUILD_MANIFEST_MAX ((size_t)16 << 20) /* bytes */

/*
 * Builds CACHE/payload/DIGEST and tells its digest. `programs` is sorted by name and ends with NULL;
 * `agent_sha256` is what the agent must be when it is copied. The caller holds the cache's lock.
 */
int payload_build(const char *cache, const char *agent_path, const char agent_sha256[65],
	const struct payload_program *const *programs, bool offline, char digest[65], struct vt_err *err);

#endif
