/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LAB_H
#define TESTS_LAB_H 1

/* A laboratory: model, engine and scopes without store, switches or HTTP, for
 * golden, packet and oracle tests.  Anything wrong in a test's own input ends
 * the process with a message. */

#include "features/features.h"

struct lab {
    struct model *model;
    struct scopes *scopes;
    struct engine *engine;
};

struct lab *lab_create(void);
void lab_destroy(struct lab *);
AUTO_DEFINE(lab)

/* Creates or replaces an object, as an accepted POST would: 'body' is what is
 * inside the wrapper. */
void lab_put(struct lab *, const char *resource, const char *body);
void lab_put_json(struct lab *, const char *resource, const struct json *);
void lab_delete(struct lab *, const char *resource, const char *id);

/* A host named 'name' with a tunnel address (or null), a port for each kind of
 * tunnel (ofports 1, 2, 3 for vxlan, gre, geneve), and a mapping of 'physnet'
 * (or null) on ofport 4. */
void lab_host(struct lab *, const char *name, const char *tunnel_address,
              const char *physnet);
void lab_plug(struct lab *, const char *host, const char *endpoint,
              uint32_t ofport);
void lab_unplug(struct lab *, const char *host, const char *endpoint);

/* Reads {"steps": [{"put": "network", "body": {...}},
 *                  {"delete": "port", "id": "..."},
 *                  {"host": "h1", "tunnel_address": "...", "physnet": "..."},
 *                  {"plug": "port id", "host": "h1", "ofport": 10},
 *                  {"unplug": "port id", "host": "h1"}, ...]}. */
void lab_steps(struct lab *, const struct json *);

/* Compiles what changed and checks incremental = from scratch. */
void lab_run(struct lab *);
/* Everything that is wanted, by scope, names only, sorted. */
void lab_dump(const struct lab *, struct ds *);
struct uuid lab_host_id(const char *name);

#endif /* tests/lab/lab.h */
