/* SPDX-License-Identifier: Apache-2.0 */

/* A queue of bytes whose content is always contiguous.
 *
 *     memory ─► ....consumed....|......content......|....room....
 *               0             start            start+size     allocated
 *
 * When the room does not suffice, the content moves to the front if at least
 * half of what is in use was consumed, otherwise the memory doubles.  Either
 * way a byte is moved only after as many were put or consumed, so a byte costs
 * amortised O(1) however large the content is and in whatever pieces it comes
 * and goes.  An empty queue holds at most KEEP bytes of memory. */

#include "base/bytes.h"

#define KEEP     4096
#define SMALLEST 512

static size_t
larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

void
bytes_uninit(struct bytes *b)
{
    free(b->memory);
    memset(b, 0, sizeof *b);
}

uint8_t *
bytes_room(struct bytes *b, size_t n)
{
    if (b->allocated - b->start - b->size < n) {
        if (b->start < b->size || b->allocated - b->size < n) {
            size_t allocated =
                larger(SMALLEST, larger(2 * b->size, b->size + n));
            uint8_t *memory = mem_alloc(allocated);
            if (b->size) {
                memcpy(memory, bytes_data(b), b->size);
            }
            free(b->memory);
            b->memory = memory;
            b->allocated = allocated;
        } else {
            memcpy(b->memory, bytes_data(b), b->size);
        }
        b->start = 0;
    }
    return b->memory + b->start + b->size;
}

void
bytes_added(struct bytes *b, size_t n)
{
    ovs_assert(n <= b->allocated - b->start - b->size);
    b->size += n;
}

void
bytes_put(struct bytes *b, const void *data, size_t n)
{
    if (n) {
        memcpy(bytes_room(b, n), data, n);
        b->size += n;
    }
}

/* 'n' must not be more than is there. */
void
bytes_consume(struct bytes *b, size_t n)
{
    ovs_assert(n <= b->size);
    b->start += n;
    b->size -= n;
    if (!b->size) {
        b->start = 0;
        if (b->allocated > KEEP) {
            bytes_uninit(b);
        }
    }
}
