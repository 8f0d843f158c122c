/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a plan: an error or a plan that survives storage, never a crash. */
#include "campaign/plan.h"

#include <stddef.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vt_err err = { 0 };
	struct plan p, again;
	json_t *o;
	char *text;

	if (plan_parse(&p, (const char *)data, size, "fuzz", &err) < 0)
		return 0;
	plan_check(&p, &err);
	o = plan_to_json(&p);
	text = o ? json_dumps(o, 0) : NULL;
	if (text && plan_from_json(&again, text, &err) == 0)
		plan_release(&again);
	free(text);
	json_decref(o);
	plan_release(&p);
	return 0;
}
