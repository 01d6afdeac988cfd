/* SPDX-License-Identifier: Apache-2.0 */

/* Identifiers: RFC 9562 UUIDs, as 'struct uuid' of libopenvswitch.
 *
 * The type is 4 numbers of 32 bits in host byte order, the first the leftmost
 * in text.  Every object of every vocabulary has one, so conversion from and
 * to text is on the path of every request and goes through tables, without a
 * branch per digit.
 *
 * Derived identifiers let an object that nobody named (the router port that a
 * subnet implies, say) have the same identifier in every process and after
 * every restart.  They are of version 8 (RFC 9562, section 5.8), so they
 * never equal one that a client chose at random (version 4). */

#include "base/base.h"

#include <openssl/sha.h>

/* Value of a hexadecimal digit plus 1, 0 for all other characters. */
static const uint8_t hex_values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
    ['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
    ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
    ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* "000102...feff". */
#define HEX_ROW(H)                                                            \
    H "0" H "1" H "2" H "3" H "4" H "5" H "6" H "7" H "8" H "9" H "a" H "b" H \
      "c" H "d" H "e" H "f"
static const char hex_pairs[] = HEX_ROW("0") HEX_ROW("1") HEX_ROW("2")
    HEX_ROW("3") HEX_ROW("4") HEX_ROW("5") HEX_ROW("6") HEX_ROW("7")
        HEX_ROW("8") HEX_ROW("9") HEX_ROW("a") HEX_ROW("b") HEX_ROW("c")
            HEX_ROW("d") HEX_ROW("e") HEX_ROW("f");

/* Returns the value of the 4 hexadecimal digits at 'text'; '*badp' gets bits
 * above the lowest 4 if there are others among them. */
static inline uint32_t
read_hex4(const char *text, uint32_t *badp)
{
    const uint8_t *p = (const uint8_t *) text;
    uint32_t a = hex_values[p[0]] - 1u;
    uint32_t b = hex_values[p[1]] - 1u;
    uint32_t c = hex_values[p[2]] - 1u;
    uint32_t d = hex_values[p[3]] - 1u;

    *badp |= a | b | c | d;
    return (a << 12 | b << 8 | c << 4 | d) & 0xffff;
}

/* Puts 4 hexadecimal digits for the low 16 bits of 'value'. */
static inline void
put_hex4(char *p, uint32_t value)
{
    memcpy(p, &hex_pairs[2 * (value >> 8 & 0xff)], 2);
    memcpy(p + 2, &hex_pairs[2 * (value & 0xff)], 2);
}

/* Parses all of 'text', 36 characters with dashes in the usual places or 32
 * without.  Leaves '*uid' alone and returns false if it is anything else. */
bool
uid_from_text(const char *text, struct uuid *uid)
{
    size_t length = strnlen(text, UID_LENGTH + 1);
    int dash = length == UID_LENGTH;
    uint32_t bad = 0;
    struct uuid u;

    if (dash) {
        if (text[8] != '-' || text[13] != '-' || text[18] != '-'
            || text[23] != '-') {
            return false;
        }
    } else if (length != 32) {
        return false;
    }

    u.parts[0] = read_hex4(text, &bad) << 16;
    u.parts[0] |= read_hex4(text + 4, &bad);
    u.parts[1] = read_hex4(text + 8 + dash, &bad) << 16;
    u.parts[1] |= read_hex4(text + 12 + 2 * dash, &bad);
    u.parts[2] = read_hex4(text + 16 + 3 * dash, &bad) << 16;
    u.parts[2] |= read_hex4(text + 20 + 4 * dash, &bad);
    u.parts[3] = read_hex4(text + 24 + 4 * dash, &bad) << 16;
    u.parts[3] |= read_hex4(text + 28 + 4 * dash, &bad);
    if (bad > 15) {
        return false;
    }
    *uid = u;
    return true;
}

void
uid_to_text(const struct uuid *uid, char text[UID_LENGTH + 1])
{
    put_hex4(text, uid->parts[0] >> 16);
    put_hex4(text + 4, uid->parts[0]);
    text[8] = '-';
    put_hex4(text + 9, uid->parts[1] >> 16);
    text[13] = '-';
    put_hex4(text + 14, uid->parts[1]);
    text[18] = '-';
    put_hex4(text + 19, uid->parts[2] >> 16);
    text[23] = '-';
    put_hex4(text + 24, uid->parts[2]);
    put_hex4(text + 28, uid->parts[3] >> 16);
    put_hex4(text + 32, uid->parts[3]);
    text[36] = '\0';
}

/* Marks 'uid' as of version 8 and of the variant that RFC 9562 specifies. */
static struct uuid
derived(struct uuid uid)
{
    uid.parts[1] = (uid.parts[1] & 0xffff0fff) | 0x8000;
    uid.parts[2] = (uid.parts[2] & 0x3fffffff) | 0x80000000;
    return uid;
}

/* The hash is a cryptographic one because names come from strangers, who must
 * not be able to make two things have the same identifier. */
struct uuid
uid_from_name(const char *space, const char *name)
{
    /* The null byte keeps ("ab", "c") and ("a", "bc") apart. */
    AUTO_DS input = DS_EMPTY_INITIALIZER;
    ds_put_buffer(&input, space, strlen(space) + 1);
    ds_put_buffer(&input, name, strlen(name));

    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *) input.string, input.length, digest);

    struct uuid uid;
    for (int i = 0; i < 4; i++) {
        const uint8_t *p = &digest[4 * i];
        uid.parts[i] = ((uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
                        | (uint32_t) p[2] << 8 | p[3]);
    }
    return derived(uid);
}

/* Far cheaper than uid_from_name(). */
struct uuid
uid_from_pair(const struct uuid *a, const struct uuid *b)
{
    uint8_t input[2 * UUID_OCTET];
    for (int i = 0; i < 8; i++) {
        ovs_be32 part = htonl(i < 4 ? a->parts[i] : b->parts[i - 4]);
        memcpy(&input[4 * i], &part, sizeof part);
    }

    uint64_t high = hash64(input, sizeof input, 1);
    uint64_t low = hash64(input, sizeof input, 2);
    return derived(
        (struct uuid){ .parts = { high >> 32, high, low >> 32, low } });
}

bool
uid_is_zero(const struct uuid *uid)
{
    return !(uid->parts[0] | uid->parts[1] | uid->parts[2] | uid->parts[3]);
}

bool
uid_equals(const struct uuid *a, const struct uuid *b)
{
    return !memcmp(a, b, sizeof *a);
}

int
uid_compare(const struct uuid *a, const struct uuid *b)
{
    for (int i = 0; i < 4; i++) {
        if (a->parts[i] != b->parts[i]) {
            return a->parts[i] < b->parts[i] ? -1 : 1;
        }
    }
    return 0;
}

/* For tables within this process. */
uint32_t
uid_hash(const struct uuid *uid)
{
    uint64_t high = (uint64_t) uid->parts[0] << 32 | uid->parts[1];
    uint64_t low = (uint64_t) uid->parts[2] << 32 | uid->parts[3];
    return hash64_mix(high, low) >> 32;
}
