/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPILE_PASSES_H
#define COMPILE_PASSES_H 1

/* Private to the compile layer: the passes, by file, and what they share. */

#include "compile/compile.h"

/* locate.c: where endpoints are. */
extern const struct pass pass_locate;

/* l2.c: frames between endpoints. */
extern const struct pass pass_fabric, pass_host, pass_segment, pass_presence,
    pass_unknown, pass_attachment, pass_endpoint;

/* guard.c: what an endpoint may send. */
extern const struct pass pass_guard_fabric, pass_guard;

/* answer.c: ARP and ND answered at the first switch. */
extern const struct pass pass_answer_fabric, pass_answer, pass_answer_self;

/* Does the endpoint receive frames for MAC addresses that are not its own? */
bool endpoint_takes_unknown(const struct endpoint *);

/* Priorities, highest first.  One table's rules only compete with each
 * other. */
enum priority {
    PRIORITY_EXCEPTION = 200, /* This host, or this sender, is different. */
    PRIORITY_EXACT = 100,     /* One address, one endpoint. */
    PRIORITY_CLASS = 60,      /* All of a kind: multicast, a protocol. */
    PRIORITY_SEGMENT = 20,    /* What is left in a segment. */
    PRIORITY_SEGMENT_REMOTE = 10, /* ... and came from outside. */
    PRIORITY_DEFAULT = 1,         /* What is left in a table. */
};

#endif /* compile/passes.h */
