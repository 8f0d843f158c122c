/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live progress on stderr: one line rewritten in place on a terminal, a line per round elsewhere. Fills a
 * struct campaign_events.
 */
#ifndef VTAX_CMD_PROGRESS_H
#define VTAX_CMD_PROGRESS_H

#include "campaign/campaign.h"

void progress_start(struct campaign_events *events, bool quiet);
void progress_stop(void); /* wipes the line */

#endif
