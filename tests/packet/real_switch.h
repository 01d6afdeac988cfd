/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PACKET_REAL_SWITCH_H
#define PACKET_REAL_SWITCH_H 1

/* A real ovsdb-server and ovs-vswitchd with the dummy datapath, in a
 * directory of their own, for tests: needs neither root nor a kernel module.
 * One bridge, br-int, that speaks OpenFlow 1.3 to 1.5. */

#include "openvswitch/ofp-protocol.h"
#include "pipeline/pipeline.h"

struct vconn;
struct real_switch;

/* Null if Open vSwitch is not installed. */
struct real_switch *real_switch_create(void);
void real_switch_destroy(struct real_switch *);
AUTO_DEFINE(real_switch)

/* Runs a shell command with $D (directory), $VSCTL, $APPCTL set; returns its
 * output, which the caller frees.  The command must succeed. */
char *real_switch_shell(const struct real_switch *, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);
const char *real_switch_directory(const struct real_switch *);
/* An OpenFlow connection of that version; the caller closes it. */
struct vconn *real_switch_connect(const struct real_switch *,
                                  enum ofp_version);
/* Adds every rule and group that 'host' wants. */
void real_switch_program(struct vconn *, const struct scopes *,
                         const struct uuid *host);
/* The same for items in an array. */
void real_switch_add_items(struct vconn *, const struct item *const *,
                           size_t n);

#endif /* tests/packet/real_switch.h */
