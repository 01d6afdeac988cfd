/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEATURES_FEATURES_H
#define FEATURES_FEATURES_H 1

/* Vocabularies.
 *
 * A feature brings resources (a .def), lowering passes into net, and maybe
 * state that follows the switches.  A feature never reads another feature. */

#include "base/loop.h"
#include "compile/compile.h"
#include "switches/switches.h"

/* Neutron: features/neutron/neutron.def and its passes. */
void neutron_register(struct model *);
extern const struct pass *const neutron_passes[];
extern const struct index_def *const neutron_indexes[];

/* The fabric: turns what switches report into facts of the model, and what
 * they acknowledge into the operational status of endpoints. */
struct fabric;
struct fabric *fabric_create(struct loop *, struct model *, struct engine *);
void fabric_destroy(struct fabric *);
/* Give to switches_create(); 'aux' is the fabric. */
extern const struct switches_events fabric_events;
void fabric_attach(struct fabric *, struct switches *);
/* After each engine run and publish: looks for endpoints whose wiring is
 * complete, or no longer is. */
void fabric_run(struct fabric *);

/* Operational status of an endpoint: true when it is plugged and its host's
 * switch has acknowledged its rules. */
bool fabric_is_wired(const struct fabric *, const struct uuid *endpoint);
/* 'changed' is called for each transition. */
void fabric_observe(struct fabric *,
                    void (*changed)(const struct uuid *endpoint, bool wired,
                                    void *aux),
                    void (*host_changed)(const struct uuid *host, void *aux),
                    void *aux);
/* Forgets a host that is gone for good, with its plugs.  ERR_IN_USE if it is
 * connected, ERR_MISSING if unknown (reported through 'done'). */
void fabric_forget_host(struct fabric *, const char *name, model_done,
                        void *aux);

/* Why a port works or does not: {"port", "host", "bound_to", "status",
 * "network", "carrier", "key", "mtu", "mtu_max", "why": [sentences],
 * "should": [{"scope", "pass", "item"}], "has": number of those its host
 * really holds or null if the host cannot be asked, "missing": [items]}.
 * Asks the port's host for a fresh dump, so 'done' (which takes the JSON) is
 * called later.  An unknown port is explained too, and a network: {"network",
 * "carrier", "key", "mtu", "mtu_max", "hosts": [names], "why"}. */
void fabric_explain(const struct fabric *, const struct uuid *,
                    void (*done)(struct json *, void *aux), void *aux);
/* Hosts with their facts, connection and notes. */
struct json *fabric_hosts(const struct fabric *);

#endif /* features/features.h */
