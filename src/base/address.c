/* SPDX-License-Identifier: Apache-2.0 */

/* IP addresses, prefixes and MAC addresses, from and to text.
 *
 * One type serves both IP families: an IPv4 address is held in its mapped
 * form (RFC 4291, section 2.5.5.2).  So "::ffff:10.0.0.1" and "10.0.0.1" are
 * the same address here, and are printed as the latter.  A prefix length
 * counts in the address's own family, so "::ffff:10.0.0.0/104" is
 * "10.0.0.0/8".
 *
 * Text is accepted strictly: no leading zeros in IPv4 (they would mean octal
 * to some), no zone names, nothing before or after.  IPv6 is printed as
 * RFC 5952 asks. */

#include "base/base.h"

#include <arpa/inet.h>
#include <stdio.h>

#define V4_OFFSET 12 /* Of the IPv4 address in the mapped form. */

bool
ipaddr_from_text(const char *text, struct in6_addr *addr)
{
    ovs_be32 v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, text, &v4) == 1) {
        *addr = ipaddr_from_v4(v4);
        return true;
    } else if (inet_pton(AF_INET6, text, &v6) == 1) {
        *addr = v6;
        return true;
    } else {
        return false;
    }
}

/* Appends 'value' in decimal. */
static char *
put_octet(char *p, unsigned int value)
{
    if (value >= 100) {
        *p++ = '0' + value / 100;
    }
    if (value >= 10) {
        *p++ = '0' + value / 10 % 10;
    }
    *p++ = '0' + value % 10;
    return p;
}

void
ipaddr_to_text(const struct in6_addr *addr, char text[INET6_ADDRSTRLEN])
{
    if (!ipaddr_is_v4(addr)) {
        (void) inet_ntop(AF_INET6, addr, text, INET6_ADDRSTRLEN);
        return;
    }

    char *p = text;
    for (int i = 0; i < 4; i++) {
        p = put_octet(p, addr->s6_addr[V4_OFFSET + i]);
        *p++ = '.';
    }
    p[-1] = '\0';
}

bool
ipaddr_is_v4(const struct in6_addr *addr)
{
    return IN6_IS_ADDR_V4MAPPED(addr);
}

/* Returns the IPv4 address that 'addr' holds, or 0 if it holds none. */
ovs_be32
ipaddr_v4(const struct in6_addr *addr)
{
    ovs_be32 v4 = 0;

    if (ipaddr_is_v4(addr)) {
        memcpy(&v4, &addr->s6_addr[V4_OFFSET], sizeof v4);
    }
    return v4;
}

struct in6_addr
ipaddr_from_v4(ovs_be32 v4)
{
    struct in6_addr addr = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

    memcpy(&addr.s6_addr[V4_OFFSET], &v4, sizeof v4);
    return addr;
}

bool
prefix_from_text(const char *text, struct prefix *prefix)
{
    const char *slash = strchr(text, '/');
    char address[INET6_ADDRSTRLEN];
    size_t length = slash ? slash - text : strlen(text);
    struct prefix p;

    if (length >= sizeof address) {
        return false;
    }
    memcpy(address, text, length);
    address[length] = '\0';
    if (!ipaddr_from_text(address, &p.address)) {
        return false;
    }

    bool v4 = ipaddr_is_v4(&p.address);
    bool written_as_v6 = strchr(address, ':') != NULL;
    int min = v4 && written_as_v6 ? 96 : 0;
    int max = v4 && !written_as_v6 ? 32 : 128;
    int64_t plen = max;
    if (slash
        && (slash[1] == '-' || !text_to_int(slash + 1, min, max, &plen))) {
        return false;
    }
    p.plen = plen - min;
    *prefix = p;
    return true;
}

char *
prefix_to_text(const struct prefix *prefix)
{
    char address[INET6_ADDRSTRLEN];

    ipaddr_to_text(&prefix->address, address);
    return mem_textf("%s/%d", address, prefix->plen);
}

/* Is 'addr' of the same family as 'prefix' and within it? */
bool
prefix_contains(const struct prefix *prefix, const struct in6_addr *addr)
{
    bool v4 = prefix_is_v4(prefix);

    if (v4 != ipaddr_is_v4(addr)) {
        return false;
    }

    int n_bits = prefix->plen + (v4 ? 8 * V4_OFFSET : 0);
    int n_bytes = n_bits / 8;
    if (memcmp(&prefix->address, addr, n_bytes)) {
        return false;
    }

    uint8_t mask = 0xff00 >> n_bits % 8;
    return !mask
           || !((prefix->address.s6_addr[n_bytes] ^ addr->s6_addr[n_bytes])
                & mask);
}

bool
prefix_is_v4(const struct prefix *prefix)
{
    return ipaddr_is_v4(&prefix->address);
}

static int
hex_value(char c)
{
    return (c >= '0' && c <= '9'   ? c - '0'
            : c >= 'a' && c <= 'f' ? c - 'a' + 10
            : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                   : -1);
}

/* Accepts "fa:16:3e:00:00:01" and nothing else. */
bool
mac_from_text(const char *text, struct eth_addr *mac)
{
    struct eth_addr m;

    if (strnlen(text, MAC_LENGTH + 1) != MAC_LENGTH) {
        return false;
    }
    for (int i = 0; i < 6; i++) {
        int high = hex_value(text[3 * i]);
        int low = hex_value(text[3 * i + 1]);
        if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':')) {
            return false;
        }
        m.ea[i] = high << 4 | low;
    }
    *mac = m;
    return true;
}

void
mac_to_text(struct eth_addr mac, char text[MAC_LENGTH + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < 6; i++) {
        text[3 * i] = digits[mac.ea[i] >> 4];
        text[3 * i + 1] = digits[mac.ea[i] & 15];
        text[3 * i + 2] = i < 5 ? ':' : '\0';
    }
}
