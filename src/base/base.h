/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BASE_H
#define BASE_BASE_H 1

/* What every layer uses: memory, owned locals, errors, identifiers, addresses,
 * hashing, text and the one generic diff.
 *
 * Everything here is a value or a function of its arguments: no state, no
 * clock, no socket.  What touches the outside world is in "base/loop.h".
 *
 * Thread-safety: all functions may be called from any thread. */

#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/compiler.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/hmap.h"
#include "openvswitch/json.h"
#include "openvswitch/list.h"
#include "openvswitch/shash.h"
#include "openvswitch/types.h"
#include "openvswitch/util.h"
#include "openvswitch/uuid.h"

/* Memory.
 *
 * Out of memory ends the process: none of these returns null. */

void *mem_alloc(size_t size);
void *mem_zalloc(size_t size);
void *mem_resize(void *, size_t size);
void *mem_clone(const void *, size_t size);
char *mem_text(const char *); /* Null stays null. */
char *mem_textf(const char *format, ...) OVS_PRINTF_FORMAT(1, 2);

#define NEW(TYPE) ((TYPE *) mem_zalloc(sizeof(TYPE)))

/* Grows 'ARRAY' so that one more element fits behind the first 'N';
 * 'ALLOCATED' counts elements. */
#define ARRAY_GROW(ARRAY, N, ALLOCATED)                                       \
    ((N) < (ALLOCATED)                                                        \
         ? (void) 0                                                           \
         : (void) ((ALLOCATED) = (ALLOCATED) ? 2 * (ALLOCATED) : 4,           \
                   (ARRAY) =                                                  \
                       mem_resize((ARRAY), (ALLOCATED) * sizeof *(ARRAY))))

/* Owned locals. */

/* Declares a local that is destroyed when it goes out of scope. */
#define AUTO(TYPE) __attribute__((cleanup(TYPE##_auto))) struct TYPE

/* Defines what AUTO(TYPE) needs, from 'TYPE_destroy'. */
#define AUTO_DEFINE(TYPE)                                                     \
    static inline void TYPE##_auto(struct TYPE **p)                           \
    {                                                                         \
        TYPE##_destroy(*p);                                                   \
    }

/* A 'char *' that is freed when it goes out of scope. */
#define AUTO_TEXT __attribute__((cleanup(mem_text_auto))) char

static inline void
mem_text_auto(char **p)
{
    free(*p);
}

/* Takes the value out of an owned local and leaves null behind. */
#define STEAL(P)                                                              \
    ({                                                                        \
        __typeof__(P) stolen__ = (P);                                         \
        (P) = NULL;                                                           \
        stolen__;                                                             \
    })

AUTO_DEFINE(json)

static inline void
ds_auto(struct ds *ds)
{
    ds_destroy(ds);
}

/* A 'struct ds' (by value) that is destroyed when it goes out of scope. */
#define AUTO_DS __attribute__((cleanup(ds_auto))) struct ds

/* Errors that a user or a peer caused. */

/* What can go wrong, as the outside world sees it: kind, HTTP status, name. */
#define ERR_KINDS                                                             \
    ERR_KIND(INVALID, 400, "BadRequest")      /* The request is malformed. */ \
    ERR_KIND(DENIED, 401, "Unauthorized")     /* Who are you? */              \
    ERR_KIND(FORBIDDEN, 403, "Forbidden")     /* You may not. */              \
    ERR_KIND(MISSING, 404, "NotFound")        /* No such object. */           \
    ERR_KIND(METHOD, 405, "MethodNotAllowed") /* Not on this resource. */     \
    ERR_KIND(IN_USE, 409, "Conflict")         /* Exists, or is referred to */ \
    ERR_KIND(STALE, 412, "RevisionMismatch")  /* It changed meanwhile. */     \
    ERR_KIND(TOO_LARGE, 413, "TooLarge")      /* Over a configured limit. */  \
    ERR_KIND(DEPENDENCY, 442, "MissingDependency") /* A parent is unknown. */ \
    ERR_KIND(CORRUPT, 500, "ServerFault")  /* Stored data is damaged. */      \
    ERR_KIND(UNAVAILABLE, 503, "TryAgain") /* Disk full, or starting. */

enum err_kind {
#define ERR_KIND(KIND, STATUS, NAME) ERR_##KIND,
    ERR_KINDS
#undef ERR_KIND
};

/* Null means success.  Owned by whoever receives it. */
struct err {
    enum err_kind kind;
    char *object; /* For example "port 6f0c...", or null. */
    char *field;  /* Field at fault, for example "mac_address",
                                 * "fixed_ips[1].ip_address", or null. */
    char *text;   /* One sentence, no final full stop. */
};

struct err *err_new(enum err_kind, const char *field, const char *format, ...)
    OVS_PRINTF_FORMAT(3, 4) OVS_WARN_UNUSED_RESULT;

/* Names the object 'err' is about, unless it is named already, and returns
 * 'err'.  Passes null through. */
struct err *err_about(struct err *, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);

/* Puts 'prefix' in front of the field, as in "fixed_ips[1]." and returns
 * 'err'. */
struct err *err_within(struct err *, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);

void err_destroy(struct err *);
AUTO_DEFINE(err)
struct err *err_clone(const struct err *);

/* "port 6f0c...: mac_address: not a MAC address: \"zz\"".  Caller frees. */
char *err_to_text(const struct err *);
int err_http_status(enum err_kind);
const char *err_kind_name(enum err_kind); /* "BadRequest" */

/* Identifiers (RFC 9562 UUIDs). */

#define UID_LENGTH 36
#define UID_FMT    "%08x-%04x-%04x-%04x-%04x%08x"
#define UID_ARGS(UID)                                                         \
    (UID)->parts[0], (UID)->parts[1] >> 16, (UID)->parts[1] & 0xffff,         \
        (UID)->parts[2] >> 16, (UID)->parts[2] & 0xffff, (UID)->parts[3]

/* Accepts any letter case, with or without dashes. */
bool uid_from_text(const char *, struct uuid *);
void uid_to_text(const struct uuid *, char text[UID_LENGTH + 1]);
/* A name-based identifier: the same 'space' and 'name' always give the same
 * (RFC 9562 section 5.8, version 8). */
struct uuid uid_from_name(const char *space, const char *name);
/* An identifier derived from a pair, order matters. */
struct uuid uid_from_pair(const struct uuid *, const struct uuid *);
bool uid_is_zero(const struct uuid *);
bool uid_equals(const struct uuid *, const struct uuid *);
int uid_compare(const struct uuid *, const struct uuid *); /* Text order. */
uint32_t uid_hash(const struct uuid *);

/* Addresses.
 *
 * One type for both families: an IPv4 address is held in its mapped form
 * (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2). */

struct prefix {
    struct in6_addr address; /* As given: host bits are kept. */
    uint8_t plen;            /* In the address's own family: 0..32/128. */
};

bool ipaddr_from_text(const char *, struct in6_addr *);
void ipaddr_to_text(const struct in6_addr *, char text[INET6_ADDRSTRLEN]);
bool ipaddr_is_v4(const struct in6_addr *);
ovs_be32 ipaddr_v4(const struct in6_addr *);
struct in6_addr ipaddr_from_v4(ovs_be32);
/* "10.0.0.0/8"; a bare address is a host prefix. */
bool prefix_from_text(const char *, struct prefix *);
char *prefix_to_text(const struct prefix *); /* Caller frees. */
bool prefix_contains(const struct prefix *, const struct in6_addr *);
bool prefix_is_v4(const struct prefix *);

#define MAC_LENGTH 17
bool mac_from_text(const char *, struct eth_addr *); /* Any letter case. */
void mac_to_text(struct eth_addr, char text[MAC_LENGTH + 1]);
static inline bool
mac_is_multicast(struct eth_addr mac)
{
    return mac.ea[0] & 1;
}

/* Hashing.  Not for strangers' keys in hmaps without 'seed'. */

uint64_t hash64(const void *, size_t, uint64_t seed);
static inline uint64_t
hash64_text(const char *text, uint64_t seed)
{
    return hash64(text, strlen(text), seed);
}
/* Mixes 'b' into 'a'; a bijection of 'a' for fixed 'b'. */
uint64_t hash64_mix(uint64_t a, uint64_t b);

/* Text. */

/* Parses all of 'text' as a decimal number in 'min'...'max'. */
bool text_to_int(const char *, int64_t min, int64_t max, int64_t *);
bool text_equals_nocase(const char *, const char *);
bool text_starts_with(const char *text, const char *prefix);
/* Next item of a list separated by any of 'separators', trimmed; null at the
 * end.  Writes into '*cursorp's text. */
char *text_next(char **cursorp, const char *separators);
/* Appends printable ASCII, other bytes as \xNN: for logging a peer's text. */
void text_put_printable(struct ds *, const char *, size_t);
/* Constant-time comparison, for secrets. */
bool text_equals_secret(const char *, const char *);

/* JSON conveniences on libopenvswitch's <openvswitch/json.h>.  All borrow. */

const struct json *jget(const struct json *object, const char *member);
const char *jget_text(const struct json *, const char *member); /* or null */
bool jget_int(const struct json *, const char *member, int64_t *);
bool jget_bool(const struct json *, const char *member, bool *);
/* Parses the first complete value of 'text', at most 'size' bytes and
 * 'max_depth' levels deep, and ignores what follows it. */
struct err *json_parse_limited(const char *text, size_t size, int max_depth,
                               struct json **) OVS_WARN_UNUSED_RESULT;

/* The one generic difference. */

enum diff_side {
    DIFF_ONLY_OLD,
    DIFF_ONLY_NEW,
    DIFF_BOTH,
};

/* Merges two arrays of pointers, each sorted by 'compare' and without
 * duplicates, and calls 'visit' once per key in order; 'old' or 'new' is null
 * where that side lacks it.  O(n_old + n_new). */
void diff_sorted(const void *const *olds, size_t n_olds,
                 const void *const *news, size_t n_news,
                 int (*compare)(const void *a, const void *b),
                 void (*visit)(enum diff_side, const void *old,
                               const void *new_, void *aux),
                 void *aux);

#endif /* base/base.h */
