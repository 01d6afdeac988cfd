/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PACKET_PACKET_H
#define PACKET_PACKET_H 1

/* A small interpreter of our tables, for packet tests: which frames leave
 * which ports of a host when this one arrives?
 *
 *     struct packet_result r;
 *     packet_run(scopes, &host, 10, NULL, &frame, &r);
 *     assert_int_equal(r.n_outputs, 1);
 *     assert_int_equal(r.outputs[0].ofport, 11);
 *     packet_result_uninit(&r);
 *
 * It executes what the host wants (scopes_wanted()), decoded from the bytes
 * that a switch would get.  It knows the actions that rules of ours use; any
 * other aborts with its name. */

#include "pipeline/pipeline.h"
#include "tests/packet/frame.h"

#define PACKET_CONTROLLER 0xfffffffdu /* 'ofport' of a punted frame. */

/* Metadata of a tunnel port: where a frame came from, or goes to. */
struct packet_tunnel {
    uint64_t key;
    struct in6_addr remote;
};

struct packet_output {
    uint32_t ofport;
    uint32_t reason; /* If to PACKET_CONTROLLER. */
    bool has_tunnel; /* Actions have set 'tunnel'. */
    struct packet_tunnel tunnel;
    struct frame frame;
};

struct packet_result {
    struct packet_output *outputs; /* In the order of execution. */
    size_t n_outputs, allocated_outputs;
    struct ds trace; /* Items passed, by name, one a line. */
};

/* 'tunnel' is null unless 'in_port' is a tunnel port. */
void packet_run(const struct scopes *, const struct uuid *host,
                uint32_t in_port, const struct packet_tunnel *tunnel,
                const struct frame *, struct packet_result *);
void packet_result_uninit(struct packet_result *);
/* "100(tunnel 5001 to 172.16.0.2) 11", sorted as text, "drop" if nothing:
 * for comparing.  Caller frees. */
char *packet_result_to_text(const struct packet_result *);
/* The only output, which must be on 'ofport'; anything else prints the trace
 * and aborts. */
const struct packet_output *packet_only_output(const struct packet_result *,
                                               uint32_t ofport);

#endif /* tests/packet/packet.h */
