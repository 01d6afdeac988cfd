/* SPDX-License-Identifier: Apache-2.0 */

/* Hashing.
 *
 * hash64() is XXH64 as its author specifies it
 * (https://github.com/Cyan4973/xxHash, doc/xxhash_spec.md, version 0.2.0).  A
 * published algorithm, because results outlive the process: the cookie of a
 * rule is one, and a switch remembers cookies across our upgrades and may be
 * served by a peer of another byte order.  Bytes are therefore read as little
 * endian everywhere.
 *
 * It is fast (a load and two multiplications per 8 bytes) and mixes well, but
 * is not a cryptographic hash: whoever picks the keys can make them collide.
 * Tables of keys that strangers choose take a random 'seed'. */

#include "base/base.h"

#include <endian.h>

#define P1 UINT64_C(0x9e3779b185ebca87)
#define P2 UINT64_C(0xc2b2ae3d27d4eb4f)
#define P3 UINT64_C(0x165667b19e3779f9)
#define P4 UINT64_C(0x85ebca77c2b2ae63)
#define P5 UINT64_C(0x27d4eb2f165667c5)

static inline uint64_t
rotate_left(uint64_t x, int n)
{
    return (x << n) | (x >> (64 - n));
}

static inline uint64_t
read_u64(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return le64toh(x);
}

static inline uint32_t
read_u32(const uint8_t *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return le32toh(x);
}

static inline uint64_t
lane_round(uint64_t lane, uint64_t input)
{
    return rotate_left(lane + input * P2, 31) * P1;
}

static inline uint64_t
lane_merge(uint64_t hash, uint64_t lane)
{
    return (hash ^ lane_round(0, lane)) * P1 + P4;
}

static inline uint64_t
avalanche(uint64_t hash)
{
    hash ^= hash >> 33;
    hash *= P2;
    hash ^= hash >> 29;
    hash *= P3;
    return hash ^ (hash >> 32);
}

/* Consumes all whole stripes of 32 bytes. */
static inline uint64_t
hash_stripes(const uint8_t **pp, const uint8_t *end, uint64_t seed)
{
    const uint8_t *p = *pp;
    uint64_t a = seed + P1 + P2;
    uint64_t b = seed + P2;
    uint64_t c = seed;
    uint64_t d = seed - P1;

    do {
        a = lane_round(a, read_u64(p));
        b = lane_round(b, read_u64(p + 8));
        c = lane_round(c, read_u64(p + 16));
        d = lane_round(d, read_u64(p + 24));
        p += 32;
    } while (end - p >= 32);
    *pp = p;

    uint64_t hash = (rotate_left(a, 1) + rotate_left(b, 7) + rotate_left(c, 12)
                     + rotate_left(d, 18));
    hash = lane_merge(hash, a);
    hash = lane_merge(hash, b);
    hash = lane_merge(hash, c);
    return lane_merge(hash, d);
}

/* Returns a hash of the 'size' bytes at 'data', which may be null if 'size'
 * is zero.  The same on every machine and in every version. */
uint64_t
hash64(const void *data, size_t size, uint64_t seed)
{
    if (!size) {
        return avalanche(seed + P5);
    }

    const uint8_t *p = data;
    const uint8_t *end = p + size;
    uint64_t hash = (size >= 32 ? hash_stripes(&p, end, seed) : seed + P5);

    hash += size;
    for (; end - p >= 8; p += 8) {
        hash = rotate_left(hash ^ lane_round(0, read_u64(p)), 27) * P1 + P4;
    }
    if (end - p >= 4) {
        hash = rotate_left(hash ^ read_u32(p) * P1, 23) * P2 + P3;
        p += 4;
    }
    for (; p < end; p++) {
        hash = rotate_left(hash ^ *p * P5, 11) * P1;
    }
    return avalanche(hash);
}

uint64_t
hash64_mix(uint64_t a, uint64_t b)
{
    /* Each step is a bijection of 'a': exclusive or with a value that does
     * not depend on it, multiplication by an odd number, xorshift. */
    return avalanche((a ^ rotate_left(b * P1 + P5, 31)) * P4);
}
