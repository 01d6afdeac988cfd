/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_H
#define ADMIN_H 1

/* The views for operators below /weft/v1: status, hosts, rules, checks, log,
 * backup.  What the command 'weft' asks for. */

#include "base/base.h"

struct daemon;

/* Adds the views to the daemon's api. */
void admin_register(struct daemon *);

/* Sets what 'module' (or "all") logs; 'level' is off, err, warn, info or
 * dbg. */
struct err *admin_set_log_level(const char *module,
                                const char *level) OVS_WARN_UNUSED_RESULT;

#endif /* admin.h */
