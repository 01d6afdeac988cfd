/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PACKET_FRAME_H
#define PACKET_FRAME_H 1

/* Ethernet frames for packet tests: builders, and the two ways between bytes
 * and libopenvswitch's 'struct flow'.
 *
 * All builders give complete frames with right lengths and checksums. */

#include "base/base.h"
#include "openvswitch/flow.h"

#define FRAME_MAX 1600

struct frame {
    size_t size;
    uint8_t bytes[FRAME_MAX] __attribute__((aligned(8)));
};

/* Builders. */

/* Any Ethernet type with 'payload'. */
struct frame frame_ethernet(struct eth_addr src, struct eth_addr dst,
                            uint16_t type, const void *payload, size_t);
/* RFC 826; 'op' 1 asks (to broadcast), 2 answers (to 'tha'). */
struct frame frame_arp(uint16_t op, struct eth_addr sha, const char *spa,
                       struct eth_addr tha, const char *tpa);
struct frame frame_arp_request(struct eth_addr sha, const char *spa,
                               const char *tpa);
/* 'src' and 'dst' of one family, IPv4 or IPv6. */
struct frame frame_udp(struct eth_addr eth_src, struct eth_addr eth_dst,
                       const char *src, const char *dst, uint16_t tp_src,
                       uint16_t tp_dst);
struct frame frame_tcp(struct eth_addr eth_src, struct eth_addr eth_dst,
                       const char *src, const char *dst, uint16_t tp_src,
                       uint16_t tp_dst);
struct frame frame_echo(struct eth_addr eth_src, struct eth_addr eth_dst,
                        const char *src, const char *dst);
/* RFC 4861, section 4.3: to the solicited-node address of 'target'.  Without
 * the source link-layer option if 'src' is "::". */
struct frame frame_solicitation(struct eth_addr, const char *src,
                                const char *target);
/* Section 4.4: unsolicited, to all nodes, with the target option. */
struct frame frame_advertisement(struct eth_addr eth_src, const char *src,
                                 const char *target, struct eth_addr tll);
/* RFC 3810, section 5.2, with the hop-by-hop option that it must have. */
struct frame frame_mld_report(struct eth_addr eth_src, const char *src);
/* The same frame with an IEEE 802.1Q tag in front. */
struct frame frame_tagged(const struct frame *, uint16_t vid);

/* Bytes and flows. */

/* Fills in the fields of 'flow' that come from the packet and leaves its
 * metadata alone. */
void frame_parse(const struct frame *, struct flow *);
/* 'original' changed so that it parses as 'flow': tags, addresses, ports,
 * types, options, checksums. */
struct frame frame_compose(const struct frame *original,
                           const struct flow *flow);
bool frame_equals(const struct frame *, const struct frame *);
/* Two hexadecimal digits per byte; caller frees. */
char *frame_to_hex(const struct frame *);

#endif /* tests/packet/frame.h */
