/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_DISK_H
#define STORE_DISK_H 1

/* The store's file, private to the store layer (and its tests): what is in
 * it, how it is checked, written, copied and put back.  Knows rows, not
 * entities, and no loop: disk_write(), disk_backup() may block and run in a
 * helper thread. */

#include "base/base.h"

struct disk;

/* "WEFT", what PRAGMA application_id says of our files. */
#define DISK_APPLICATION_ID 0x57454654

enum disk_action {
    DISK_PUT,    /* The object is now this. */
    DISK_DELETE, /* The object is gone. */
    DISK_FORGET, /* ... and its deletion is not remembered. */
};

struct disk_row {
    enum disk_action action;
    const char *resource;
    struct uuid id;
    uint32_t number;  /* DISK_PUT. */
    const char *body; /* DISK_PUT: JSON text, 'size' bytes. */
    size_t size;
};

/* Steps that lead from one format to the next: steps[i] is the SQL that turns
 * format i into i + 1; format 0 is the empty file. */
struct disk_format {
    const char *const *steps;
    size_t n_steps;
};
extern const struct disk_format disk_format;

/* Opens or creates 'path', a file name, ":memory:", or an SQLite URI
 * ("file:...?vfs=..."), checks it, and brings it to 'format'. */
struct err *disk_open(const char *path, const struct disk_format *format,
                      struct disk **) OVS_WARN_UNUSED_RESULT;
void disk_destroy(struct disk *); /* Accepts null. */
AUTO_DEFINE(disk)

/* Calls 'object' for every object, sorted by resource and id, then 'deleted'
 * for every deletion remembered, oldest first.  The first error ends it. */
struct disk_reader {
    struct err *(*object)(const struct disk_row *, void *aux);
    void (*deleted)(const char *resource, const struct uuid *, void *aux);
};
struct err *disk_read(struct disk *, const struct disk_reader *,
                      void *aux) OVS_WARN_UNUSED_RESULT;

/* Writes the rows in order, as one durable transaction, also when there are
 * none: then something is written all the same, so that success says that the
 * disk works.  On an error nothing of it is in the file. */
struct err *disk_write(struct disk *, const struct disk_row *,
                       size_t n) OVS_WARN_UNUSED_RESULT;

/* Copies the file at 'source', which may be in use, to 'target'.  An older
 * 'target' is replaced at the end, or left alone on an error. */
struct err *disk_backup(const char *source,
                        const char *target) OVS_WARN_UNUSED_RESULT;
/* See store_restore(). */
struct err *disk_restore(const char *backup,
                         const char *path) OVS_WARN_UNUSED_RESULT;

/* Bytes of the file at 'path', 0 if there is none. */
uint64_t disk_size(const char *path);

#endif /* store/disk.h */
