/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H 1

/* A queue of bytes whose content is always contiguous.  Private to the two
 * implementations of "base/loop.h". */

#include "base/base.h"

struct bytes {
    uint8_t *memory;
    size_t start; /* Offset of the oldest byte. */
    size_t size;  /* Bytes in the queue. */
    size_t allocated;
};

void bytes_uninit(struct bytes *); /* All zeros is initialized. */
static inline uint8_t *
bytes_data(const struct bytes *b)
{
    return b->memory + b->start;
}
/* Makes room for 'n' bytes behind the last and returns where; bytes_added()
 * says how many were put there. */
uint8_t *bytes_room(struct bytes *, size_t n);
void bytes_added(struct bytes *, size_t n);
void bytes_put(struct bytes *, const void *, size_t n);
void bytes_consume(struct bytes *, size_t n);

#endif /* base/bytes.h */
