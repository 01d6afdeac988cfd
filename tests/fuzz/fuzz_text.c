/* SPDX-License-Identifier: Apache-2.0 */

/* Fuzzes the parsers of identifiers, addresses and numbers: what one accepts,
 * printed, must parse to the same value. */

#include "fuzz/fuzz.h"

static void
fuzz_uid(const char *text)
{
    struct uuid a, b;
    char printed[UID_LENGTH + 1];

    if (uid_from_text(text, &a)) {
        uid_to_text(&a, printed);
        ovs_assert(uid_from_text(printed, &b) && uid_equals(&a, &b));
        ovs_assert(!uid_compare(&a, &b) && uid_hash(&a) == uid_hash(&b));
    }
}

static void
fuzz_addresses(const char *text)
{
    struct in6_addr a, b;
    struct prefix p, q;
    char printed[INET6_ADDRSTRLEN];

    if (ipaddr_from_text(text, &a)) {
        ipaddr_to_text(&a, printed);
        ovs_assert(ipaddr_from_text(printed, &b) && !memcmp(&a, &b, sizeof a));
        ovs_assert(!ipaddr_is_v4(&a) == !!strchr(printed, ':'));
    }
    if (prefix_from_text(text, &p)) {
        AUTO_TEXT *again = prefix_to_text(&p);
        ovs_assert(prefix_from_text(again, &q) && p.plen == q.plen
                   && !memcmp(&p.address, &q.address, sizeof p.address));
        ovs_assert(p.plen <= (prefix_is_v4(&p) ? 32 : 128));
        ovs_assert(prefix_contains(&p, &p.address));
    }
}

static void
fuzz_mac(const char *text)
{
    struct eth_addr a, b;
    char printed[MAC_LENGTH + 1];

    if (mac_from_text(text, &a)) {
        mac_to_text(a, printed);
        ovs_assert(mac_from_text(printed, &b) && !memcmp(&a, &b, sizeof a));
        ovs_assert(text_equals_nocase(text, printed));
    }
}

static void
fuzz_words(const char *text)
{
    AUTO_TEXT *copy = mem_text(text);
    char *cursor = copy;
    int64_t value;

    if (text_to_int(text, -1000, 1000, &value)) {
        ovs_assert(value >= -1000 && value <= 1000);
    }
    for (const char *item; (item = text_next(&cursor, ",;")) != NULL;) {
        ovs_assert(item[0] && item[0] != ' ');
        ovs_assert(!strpbrk(item, ",;"));
    }
    ovs_assert(text_equals_secret(text, text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_TEXT *text = mem_alloc(size + 1);

    if (size) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    fuzz_uid(text);
    fuzz_addresses(text);
    fuzz_mac(text);
    fuzz_words(text);

    AUTO_DS printable = DS_EMPTY_INITIALIZER;
    text_put_printable(&printable, text, size);
    return 0;
}
