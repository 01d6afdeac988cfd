/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: see frame.h.
 *
 * The parser understands what the pipeline matches on: one VLAN tag, ARP for
 * IPv4 over Ethernet, IPv4, IPv6 (extension headers are skipped, fragments
 * not known), TCP, UDP, ICMP, ICMPv6 with neighbour discovery.  It follows
 * miniflow_extract() of Open vSwitch 3.1, against which test_differential.c
 * holds it.
 *
 * frame_compose() patches the original in place instead of writing a new
 * frame, so that what no flow field stands for (payload, unknown options)
 * stays. */

#include "tests/packet/frame.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdio.h>

#define TYPE_IPV4   0x0800
#define TYPE_ARP    0x0806
#define TYPE_VLAN   0x8100
#define TYPE_IPV6   0x86dd
#define TAG_PRESENT 0x1000
#define OPTION_SLL  1
#define OPTION_TLL  2

struct ethernet {
    struct eth_addr dst, src;
    ovs_be16 type;
} __attribute__((packed));

struct tag {
    ovs_be16 tci, type;
} __attribute__((packed));

struct arp {
    ovs_be16 hardware, protocol;
    uint8_t hardware_size, protocol_size;
    ovs_be16 op;
    struct eth_addr sha;
    uint8_t spa[4];
    struct eth_addr tha;
    uint8_t tpa[4];
} __attribute__((packed));

struct option {
    uint8_t type, length; /* In units of 8 bytes. */
    struct eth_addr address;
} __attribute__((packed));

/* Where things are in a frame; null where they are not. */
struct parts {
    struct ethernet *ethernet;
    struct tag *tag;
    ovs_be16 type;
    struct arp *arp;
    struct iphdr *ip;
    struct ip6_hdr *ip6;
    uint8_t proto;
    uint8_t *l4;
    size_t l4_size;
};

static void *
pull(uint8_t **datap, size_t *sizep, size_t n)
{
    void *data = *datap;
    if (*sizep < n) {
        return NULL;
    }
    *datap += n;
    *sizep -= n;
    return data;
}

static void
find_ip(struct parts *p, uint8_t *data, size_t size)
{
    struct iphdr *ip = pull(&data, &size, sizeof *ip);
    if (!ip || ip->version != 4 || ip->ihl < 5
        || ntohs(ip->tot_len) > size + sizeof *ip) {
        return;
    }
    p->ip = ip;
    p->proto = ip->protocol;
    size_t header = ip->ihl * 4;
    bool later = ntohs(ip->frag_off) & IP_OFFMASK;
    if (!later && ntohs(ip->tot_len) >= header) {
        p->l4 = (uint8_t *) ip + header;
        p->l4_size = ntohs(ip->tot_len) - header;
    }
}

static void
find_ip6(struct parts *p, uint8_t *data, size_t size)
{
    struct ip6_hdr *ip6 = pull(&data, &size, sizeof *ip6);
    if (!ip6 || ip6->ip6_vfc >> 4 != 6 || ntohs(ip6->ip6_plen) > size) {
        return;
    }
    p->ip6 = ip6;
    p->proto = ip6->ip6_nxt;
    size = ntohs(ip6->ip6_plen);
    /* RFC 8200, section 4: next header, length without the first 8 bytes. */
    while (p->proto == IPPROTO_HOPOPTS || p->proto == IPPROTO_ROUTING
           || p->proto == IPPROTO_DSTOPTS) {
        const uint8_t *extension = data;
        if (size < 8 || !pull(&data, &size, 8 * (extension[1] + 1))) {
            return;
        }
        p->proto = extension[0];
    }
    p->l4 = data;
    p->l4_size = size;
}

static struct parts
find_parts(struct frame *frame)
{
    struct parts p = { .ethernet = NULL };
    uint8_t *data = frame->bytes;
    size_t size = frame->size;
    p.ethernet = pull(&data, &size, sizeof *p.ethernet);
    ovs_assert(p.ethernet);
    p.type = p.ethernet->type;
    if (p.type == htons(TYPE_VLAN)) {
        p.tag = pull(&data, &size, sizeof *p.tag);
        ovs_assert(p.tag);
        p.type = p.tag->type;
    }
    if (p.type == htons(TYPE_ARP)) {
        struct arp *arp = pull(&data, &size, sizeof *arp);
        if (arp && arp->hardware == htons(1)
            && arp->protocol == htons(TYPE_IPV4) && arp->hardware_size == 6
            && arp->protocol_size == 4) {
            p.arp = arp;
        }
    } else if (p.type == htons(TYPE_IPV4)) {
        find_ip(&p, data, size);
    } else if (p.type == htons(TYPE_IPV6)) {
        find_ip6(&p, data, size);
    }
    return p;
}

static ovs_be32
read_be32(const void *p)
{
    ovs_be32 x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* Link-layer address options of neighbour discovery (RFC 4861, 4.6.1). */

static bool
is_nd(const struct parts *p)
{
    const struct icmp6_hdr *icmp = (const void *) p->l4;
    return p->ip6 && p->proto == IPPROTO_ICMPV6
           && p->l4_size >= sizeof(struct nd_neighbor_solicit)
           && !icmp->icmp6_code
           && (icmp->icmp6_type == ND_NEIGHBOR_SOLICIT
               || icmp->icmp6_type == ND_NEIGHBOR_ADVERT);
}

static struct option *
next_option(const struct parts *p, size_t *cursorp)
{
    while (*cursorp + sizeof(struct option) <= p->l4_size) {
        struct option *option = (void *) (p->l4 + *cursorp);
        size_t size = option->length * 8;
        if (!size || *cursorp + size > p->l4_size) {
            return NULL;
        }
        *cursorp += size;
        if (size == sizeof *option
            && (option->type == OPTION_SLL || option->type == OPTION_TLL)) {
            return option;
        }
    }
    return NULL;
}

static void
parse_nd(const struct parts *p, struct flow *flow)
{
    const struct nd_neighbor_solicit *nd = (const void *) p->l4;
    memcpy(&flow->nd_target, &nd->nd_ns_target, sizeof flow->nd_target);
    flow->igmp_group_ip4 = read_be32(&nd->nd_ns_reserved);
    size_t offset = sizeof *nd;
    const struct option *option;
    while ((option = next_option(p, &offset))) {
        if (option->type == OPTION_SLL) {
            flow->arp_sha = option->address;
        } else {
            flow->arp_tha = option->address;
        }
        if (!flow->tcp_flags) {
            flow->tcp_flags = htons(option->type);
        }
    }
}

static void
parse_l4(const struct parts *p, struct flow *flow)
{
    if (!p->l4) {
        return;
    }
    bool icmp = (p->ip && p->proto == IPPROTO_ICMP)
                || (p->ip6 && p->proto == IPPROTO_ICMPV6);
    if (icmp && p->l4_size >= 8) {
        flow->tp_src = htons(p->l4[0]);
        flow->tp_dst = htons(p->l4[1]);
        if (is_nd(p)) {
            parse_nd(p, flow);
        }
    } else if ((p->proto == IPPROTO_UDP && p->l4_size >= sizeof(struct udphdr))
               || (p->proto == IPPROTO_TCP
                   && p->l4_size >= sizeof(struct tcphdr))) {
        memcpy(&flow->tp_src, p->l4, 2);
        memcpy(&flow->tp_dst, p->l4 + 2, 2);
        if (p->proto == IPPROTO_TCP) {
            memcpy(&flow->tcp_flags, p->l4 + 12, 2);
            flow->tcp_flags &= htons(0x0fff);
        }
    }
}

static void
parse_l3(const struct parts *p, struct flow *flow)
{
    if (p->arp) {
        flow->nw_src = read_be32(p->arp->spa);
        flow->nw_dst = read_be32(p->arp->tpa);
        flow->nw_proto = ntohs(p->arp->op) <= 0xff ? ntohs(p->arp->op) : 0;
        flow->arp_sha = p->arp->sha;
        flow->arp_tha = p->arp->tha;
    } else if (p->ip) {
        flow->nw_src = p->ip->saddr;
        flow->nw_dst = p->ip->daddr;
        flow->nw_proto = p->proto;
        flow->nw_ttl = p->ip->ttl;
        flow->nw_tos = p->ip->tos;
        if (p->ip->frag_off & htons(IP_MF | IP_OFFMASK)) {
            flow->nw_frag = p->l4 ? FLOW_NW_FRAG_ANY : FLOW_NW_FRAG_MASK;
        }
    } else if (p->ip6) {
        memcpy(&flow->ipv6_src, &p->ip6->ip6_src, sizeof flow->ipv6_src);
        memcpy(&flow->ipv6_dst, &p->ip6->ip6_dst, sizeof flow->ipv6_dst);
        flow->nw_proto = p->proto;
        flow->nw_ttl = p->ip6->ip6_hlim;
        flow->nw_tos = ntohl(p->ip6->ip6_flow) >> 20;
        flow->ipv6_label = p->ip6->ip6_flow & htonl(0xfffff);
    }
    parse_l4(p, flow);
}

void
frame_parse(const struct frame *frame, struct flow *flow)
{
    struct frame copy = *frame;
    struct parts p = find_parts(&copy);
    flow->dl_dst = p.ethernet->dst;
    flow->dl_src = p.ethernet->src;
    flow->dl_type = ntohs(p.type) < 0x600 ? htons(FLOW_DL_TYPE_NONE) : p.type;
    if (p.tag) {
        flow->vlans[0].tpid = p.ethernet->type;
        flow->vlans[0].tci = p.tag->tci | htons(TAG_PRESENT);
    }
    parse_l3(&p, flow);
}

/* Checksums (RFC 1071). */

static uint32_t
sum(const void *data_, size_t size, uint32_t so_far)
{
    const uint8_t *data = data_;
    for (size_t i = 0; i < size; i++) {
        so_far += i & 1 ? data[i] : data[i] << 8;
    }
    return so_far;
}

static ovs_be16
finish(uint32_t total)
{
    while (total >> 16) {
        total = (total & 0xffff) + (total >> 16);
    }
    return htons(~total);
}

static void
put_l4_checksum(const struct parts *p, size_t offset)
{
    if (p->l4_size < offset + 2) {
        return;
    }
    memset(p->l4 + offset, 0, 2);
    uint32_t total = sum(p->l4, p->l4_size, 0);
    if (!p->ip || p->proto != IPPROTO_ICMP) {
        total += p->proto + p->l4_size;
        total = (p->ip ? sum(&p->ip->saddr, 8, total)
                       : sum(&p->ip6->ip6_src, 32, total));
    }
    ovs_be16 checksum = finish(total);
    if (p->proto == IPPROTO_UDP && !checksum) {
        checksum = htons(0xffff); /* RFC 768: zero means none. */
    }
    memcpy(p->l4 + offset, &checksum, sizeof checksum);
}

static void
put_checksums(const struct parts *p)
{
    if (p->ip) {
        p->ip->check = 0;
        p->ip->check = finish(sum(p->ip, p->ip->ihl * 4, 0));
    }
    bool whole = !p->ip || !(p->ip->frag_off & htons(IP_MF | IP_OFFMASK));
    if (!p->l4 || !whole) {
        return;
    }
    if (p->proto == IPPROTO_TCP) {
        put_l4_checksum(p, 16);
    } else if (p->proto == IPPROTO_UDP) {
        put_l4_checksum(p, 6);
    } else if ((p->ip && p->proto == IPPROTO_ICMP)
               || (p->ip6 && p->proto == IPPROTO_ICMPV6)) {
        put_l4_checksum(p, 2);
    }
}

/* Composing. */

static void
strip_tag(struct frame *frame)
{
    struct parts p = find_parts(frame);
    size_t header = sizeof *p.ethernet;
    if (p.tag) {
        p.ethernet->type = p.tag->type;
        frame->size -= sizeof *p.tag;
        memmove(frame->bytes + header, frame->bytes + header + sizeof *p.tag,
                frame->size - header);
    }
}

static void
put_tag(struct frame *frame, const union flow_vlan_hdr *vlan)
{
    struct ethernet *ethernet = (void *) frame->bytes;
    struct tag *tag = (void *) (ethernet + 1);
    if (vlan->tci & htons(TAG_PRESENT)) {
        ovs_assert(frame->size + sizeof *tag <= FRAME_MAX);
        memmove(tag + 1, tag, frame->size - sizeof *ethernet);
        frame->size += sizeof *tag;
        tag->type = ethernet->type;
        tag->tci = vlan->tci & ~htons(TAG_PRESENT);
        ethernet->type = vlan->tpid;
    }
}

static void
compose_nd(const struct parts *p, const struct flow *flow)
{
    struct nd_neighbor_solicit *nd = (void *) p->l4;
    memcpy(&nd->nd_ns_target, &flow->nd_target, sizeof flow->nd_target);
    memcpy(&nd->nd_ns_reserved, &flow->igmp_group_ip4, 4);
    size_t offset = sizeof *nd;
    struct option *option = next_option(p, &offset);
    if (option) {
        if (flow->tcp_flags) {
            option->type = ntohs(flow->tcp_flags);
        }
        option->address =
            (option->type == OPTION_SLL ? flow->arp_sha : flow->arp_tha);
    }
}

static void
compose_l4(const struct parts *p, const struct flow *flow)
{
    bool icmp = (p->ip && p->proto == IPPROTO_ICMP)
                || (p->ip6 && p->proto == IPPROTO_ICMPV6);
    if (icmp && p->l4_size >= 8) {
        if (is_nd(p)) {
            compose_nd(p, flow);
        }
        p->l4[0] = ntohs(flow->tp_src);
        p->l4[1] = ntohs(flow->tp_dst);
    } else if ((p->proto == IPPROTO_UDP && p->l4_size >= 8)
               || (p->proto == IPPROTO_TCP && p->l4_size >= 20)) {
        memcpy(p->l4, &flow->tp_src, 2);
        memcpy(p->l4 + 2, &flow->tp_dst, 2);
    }
}

static void
compose_l3(const struct parts *p, const struct flow *flow)
{
    if (p->arp) {
        memcpy(p->arp->spa, &flow->nw_src, 4);
        memcpy(p->arp->tpa, &flow->nw_dst, 4);
        p->arp->op = htons(flow->nw_proto);
        p->arp->sha = flow->arp_sha;
        p->arp->tha = flow->arp_tha;
    } else if (p->ip) {
        p->ip->saddr = flow->nw_src;
        p->ip->daddr = flow->nw_dst;
        p->ip->ttl = flow->nw_ttl;
        p->ip->tos = flow->nw_tos;
    } else if (p->ip6) {
        memcpy(&p->ip6->ip6_src, &flow->ipv6_src, sizeof flow->ipv6_src);
        memcpy(&p->ip6->ip6_dst, &flow->ipv6_dst, sizeof flow->ipv6_dst);
        p->ip6->ip6_hlim = flow->nw_ttl;
        p->ip6->ip6_flow =
            htonl(6u << 28 | (uint32_t) flow->nw_tos << 20) | flow->ipv6_label;
    }
    if (p->l4) {
        compose_l4(p, flow);
    }
}

struct frame
frame_compose(const struct frame *original, const struct flow *flow)
{
    struct frame frame = *original;
    strip_tag(&frame);
    struct parts p = find_parts(&frame);
    p.ethernet->src = flow->dl_src;
    p.ethernet->dst = flow->dl_dst;

    struct frame unchanged = frame;
    compose_l3(&p, flow);
    if (!frame_equals(&frame, &unchanged)) {
        put_checksums(&p);
    }
    put_tag(&frame, &flow->vlans[1]);
    put_tag(&frame, &flow->vlans[0]);
    return frame;
}

bool
frame_equals(const struct frame *a, const struct frame *b)
{
    return a->size == b->size && !memcmp(a->bytes, b->bytes, a->size);
}

char *
frame_to_hex(const struct frame *frame)
{
    struct ds hex = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < frame->size; i++) {
        ds_put_format(&hex, "%02x", frame->bytes[i]);
    }
    return ds_steal_cstr(&hex);
}

/* Builders. */

static const struct eth_addr broadcast = ETH_ADDR_C(ff, ff, ff, ff, ff, ff);

static struct in6_addr
address(const char *text)
{
    struct in6_addr a;
    ovs_assert(ipaddr_from_text(text, &a));
    return a;
}

static ovs_be32
address4(const char *text)
{
    struct in6_addr a = address(text);
    ovs_assert(ipaddr_is_v4(&a));
    return ipaddr_v4(&a);
}

struct frame
frame_ethernet(struct eth_addr src, struct eth_addr dst, uint16_t type,
               const void *payload, size_t size)
{
    struct frame frame = { .size = sizeof(struct ethernet) + size };
    struct ethernet *ethernet = (void *) frame.bytes;
    ovs_assert(frame.size <= FRAME_MAX - sizeof(struct tag));
    ethernet->src = src;
    ethernet->dst = dst;
    ethernet->type = htons(type);
    memcpy(ethernet + 1, payload, size);
    return frame;
}

struct frame
frame_arp(uint16_t op, struct eth_addr sha, const char *spa,
          struct eth_addr tha, const char *tpa)
{
    struct arp arp = {
        .hardware = htons(1),
        .protocol = htons(TYPE_IPV4),
        .hardware_size = 6,
        .protocol_size = 4,
        .op = htons(op),
        .sha = sha,
        .tha = tha,
    };
    ovs_be32 source = address4(spa), target = address4(tpa);
    memcpy(arp.spa, &source, 4);
    memcpy(arp.tpa, &target, 4);
    return frame_ethernet(sha, op == 1 ? broadcast : tha, TYPE_ARP, &arp,
                          sizeof arp);
}

struct frame
frame_arp_request(struct eth_addr sha, const char *spa, const char *tpa)
{
    static const struct eth_addr nobody;
    return frame_arp(1, sha, spa, nobody, tpa);
}

static struct frame
frame_ip(struct eth_addr eth_src, struct eth_addr eth_dst,
         const struct in6_addr *src, const struct in6_addr *dst, uint8_t proto,
         const void *l4, size_t size)
{
    uint8_t packet[FRAME_MAX] = { 0 };
    bool v4 = ipaddr_is_v4(src);
    ovs_assert(v4 == ipaddr_is_v4(dst));
    size_t header = v4 ? sizeof(struct iphdr) : sizeof(struct ip6_hdr);
    if (v4) {
        struct iphdr ip = {
            .version = 4,
            .ihl = 5,
            .tot_len = htons(header + size),
            .ttl = 64,
            .protocol = proto,
            .saddr = ipaddr_v4(src),
            .daddr = ipaddr_v4(dst),
        };
        memcpy(packet, &ip, sizeof ip);
    } else {
        struct ip6_hdr ip6 = { .ip6_src = *src, .ip6_dst = *dst };
        ip6.ip6_flow = htonl(6u << 28);
        ip6.ip6_plen = htons(size);
        ip6.ip6_nxt = proto;
        ip6.ip6_hlim = proto == IPPROTO_ICMPV6 ? 255 : 64;
        memcpy(packet, &ip6, sizeof ip6);
    }
    memcpy(packet + header, l4, size);
    struct frame frame = frame_ethernet(
        eth_src, eth_dst, v4 ? TYPE_IPV4 : TYPE_IPV6, packet, header + size);
    struct parts p = find_parts(&frame);
    put_checksums(&p);
    return frame;
}

struct frame
frame_udp(struct eth_addr eth_src, struct eth_addr eth_dst, const char *src,
          const char *dst, uint16_t tp_src, uint16_t tp_dst)
{
    struct {
        struct udphdr header;
        char payload[4];
    } udp = { .payload = "weft" };
    udp.header.source = htons(tp_src);
    udp.header.dest = htons(tp_dst);
    udp.header.len = htons(sizeof udp);
    struct in6_addr from = address(src), to = address(dst);
    return frame_ip(eth_src, eth_dst, &from, &to, IPPROTO_UDP, &udp,
                    sizeof udp);
}

struct frame
frame_tcp(struct eth_addr eth_src, struct eth_addr eth_dst, const char *src,
          const char *dst, uint16_t tp_src, uint16_t tp_dst)
{
    struct tcphdr tcp = { .doff = 5, .syn = 1 };
    tcp.source = htons(tp_src);
    tcp.dest = htons(tp_dst);
    tcp.window = htons(1000);
    struct in6_addr from = address(src), to = address(dst);
    return frame_ip(eth_src, eth_dst, &from, &to, IPPROTO_TCP, &tcp,
                    sizeof tcp);
}

struct frame
frame_echo(struct eth_addr eth_src, struct eth_addr eth_dst, const char *src,
           const char *dst)
{
    struct in6_addr from = address(src), to = address(dst);
    uint8_t echo[12] = { ipaddr_is_v4(&from) ? ICMP_ECHO : ICMP6_ECHO_REQUEST,
                         0,
                         0,
                         0,
                         0,
                         1,
                         0,
                         2,
                         'w',
                         'e',
                         'f',
                         't' };
    return frame_ip(eth_src, eth_dst, &from, &to,
                    ipaddr_is_v4(&from) ? IPPROTO_ICMP : IPPROTO_ICMPV6, echo,
                    sizeof echo);
}

struct nd_message {
    struct nd_neighbor_solicit nd;
    struct option option;
} __attribute__((packed));

struct frame
frame_solicitation(struct eth_addr mac, const char *src, const char *target)
{
    struct in6_addr from = address(src), what = address(target);
    struct in6_addr to = address("ff02::1:ff00:0");
    memcpy(&to.s6_addr[13], &what.s6_addr[13], 3);
    struct eth_addr eth_dst = { .ea = { 0x33, 0x33, 0xff, to.s6_addr[13],
                                        to.s6_addr[14], to.s6_addr[15] } };
    struct nd_message ns = {
        .option = { OPTION_SLL, 1, mac },
    };
    ns.nd.nd_ns_type = ND_NEIGHBOR_SOLICIT;
    ns.nd.nd_ns_target = what;
    bool with_option = strcmp(src, "::");
    return frame_ip(mac, eth_dst, &from, &to, IPPROTO_ICMPV6, &ns,
                    with_option ? sizeof ns : sizeof ns.nd);
}

struct frame
frame_advertisement(struct eth_addr eth_src, const char *src,
                    const char *target, struct eth_addr tll)
{
    struct in6_addr from = address(src), to = address("ff02::1");
    static const struct eth_addr all = ETH_ADDR_C(33, 33, 00, 00, 00, 01);
    struct nd_message na = { .option = { OPTION_TLL, 1, tll } };
    na.nd.nd_ns_type = ND_NEIGHBOR_ADVERT;
    na.nd.nd_ns_reserved = htonl(0x20000000);
    na.nd.nd_ns_target = address(target);
    return frame_ip(eth_src, all, &from, &to, IPPROTO_ICMPV6, &na, sizeof na);
}

struct frame
frame_mld_report(struct eth_addr eth_src, const char *src)
{
    static const struct eth_addr routers = ETH_ADDR_C(33, 33, 00, 00, 00, 16);
    struct in6_addr from = address(src), to = address("ff02::16");
    uint8_t packet[] = {
        IPPROTO_ICMPV6,
        0,
        5,
        2,
        0,
        0,
        1,
        0, /* Router alert, padding. */
        143,
        0,
        0,
        0,
        0,
        0,
        0,
        0, /* No records. */
    };
    struct frame frame = frame_ip(eth_src, routers, &from, &to,
                                  IPPROTO_HOPOPTS, packet, sizeof packet);
    struct parts p = find_parts(&frame);
    p.ip6->ip6_hlim = 1;
    return frame;
}

struct frame
frame_tagged(const struct frame *frame, uint16_t vid)
{
    struct flow flow;
    memset(&flow, 0, sizeof flow);
    frame_parse(frame, &flow);
    flow.vlans[0].tpid = htons(TYPE_VLAN);
    flow.vlans[0].tci = htons(vid | TAG_PRESENT);
    return frame_compose(frame, &flow);
}
