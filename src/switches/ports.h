/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SWITCHES_PORTS_H
#define SWITCHES_PORTS_H 1

/* What a switch says of itself and of the interfaces on its bridge, told to
 * the owner. */

#include "switches/database.h"

/* What was last told. */
struct ports_report;

void ports_report_destroy(struct ports_report *);
size_t ports_report_n_plugs(const struct ports_report *);
/* Facts for views: tunnel names, physical networks, ... as JSON members put
 * into 'status'. */
void ports_report_status(const struct ports_report *, struct json *status);

/* Tells the owner what changed in the database of 'host' since 'report':
 * everything if 'is_whole' or if more than interfaces changed, else only the
 * interfaces.  Replaces the host's report.  False if there is no bridge. */
bool ports_tell(struct host *, bool is_whole);

/* The same, looking only at what the last update touched.  False if that is
 * not enough: then nothing is wrong, but ports_tell() has to be called. */
bool ports_tell_touched(struct host *);

/* Appends what is wrong with interfaces to 'lacks'. */
void ports_lacks(const struct host *, struct json *lacks);

#endif /* switches/ports.h */
