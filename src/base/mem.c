/* SPDX-License-Identifier: Apache-2.0 */

/* Memory that is always there.
 *
 * A daemon that cannot allocate a few bytes cannot do anything sensible about
 * it either: every error path would have to allocate.  So these functions
 * end the process instead of returning null, and no caller ever checks.  The
 * message is written with write(2), which needs no memory.
 *
 * These are the only direct uses of malloc() and friends in Weft.  Everything
 * allocated here is released with free(), which also is what libopenvswitch
 * expects of memory it takes over. */

#include "base/base.h"

#include <stdio.h>
#include <unistd.h>

static void OVS_NO_RETURN
out_of_memory(void)
{
    static const char message[] = "weft: out of memory\n";
    ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);

    (void) written; /* Nowhere left to complain to. */
    abort();
}

/* Returns 'size' uninitialized bytes.  A size of zero gives a pointer that is
 * not null all the same. */
void *
mem_alloc(size_t size)
{
    void *p = malloc(size ? size : 1);
    if (!p) {
        out_of_memory();
    }
    return p;
}

/* Like mem_alloc(), but all bytes are zero. */
void *
mem_zalloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p) {
        out_of_memory();
    }
    return p;
}

/* Returns the memory of 'old', which may be null, as 'size' bytes, possibly
 * elsewhere. */
void *
mem_resize(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);
    if (!p) {
        out_of_memory();
    }
    return p;
}

/* Returns a copy of the 'size' bytes at 'data', which may be null if 'size'
 * is zero. */
void *
mem_clone(const void *data, size_t size)
{
    void *p = mem_alloc(size);
    if (size) {
        memcpy(p, data, size);
    }
    return p;
}

char *
mem_text(const char *text)
{
    return text ? mem_clone(text, strlen(text) + 1) : NULL;
}

char *
mem_textf(const char *format, ...)
{
    char *text;
    va_list args;

    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);

    if (length < 0) {
        out_of_memory();
    }
    return text;
}
