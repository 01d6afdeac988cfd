/* SPDX-License-Identifier: Apache-2.0 */

/* The simulated disk: an SQLite VFS whose power can fail.
 *
 *     connections ──► struct handle ──► struct file
 *                                         now      what programs see
 *                                         durable  what survives
 *                                         changed  a bit per sector of 512
 *
 * Syncing copies the changed sectors.  A file that was never synced does not
 * survive at all; that a file was deleted survives at once, as SQLite asks for
 * it in the calls where it matters.
 *
 * After a crash the connections that were open belong to a machine that is no
 * more: each handle remembers in which 'epoch' it was opened, and one of an
 * earlier epoch fails in everything except being closed.
 *
 * WAL mode keeps its index in shared memory, here memory of the file with
 * locks that are just counted, as all connections are in this process.  Only
 * one thread may use the disk.
 *
 * Interfaces: https://sqlite.org/c3ref/vfs.html, io_methods.html. */

#include "sim/sim.h"

#include <sqlite3.h>
#include <stdio.h>

#define SECTOR 512

struct shared_memory {
    void **regions;
    size_t n_regions;
    size_t allocated_regions;
    int n_users;
    int n_shared[SQLITE_SHM_NLOCK];
    bool exclusive[SQLITE_SHM_NLOCK];
};

struct image {
    uint8_t *data;
    size_t size;
    size_t allocated;
};

struct file {
    char *path;
    struct image now;
    struct image durable;
    bool exists;      /* Has not been deleted. */
    bool survives;    /* Was synced since it was created. */
    uint8_t *changed; /* Per sector of 'now' or 'durable'. */
    size_t n_changed; /* Elements of 'changed'. */
    int n_handles;

    int n_shared; /* Locks of handles, SQLITE_LOCK_*. */
    bool reserved;
    bool pending;
    bool exclusive;
    struct shared_memory shm;
};

struct sim_disk {
    struct loop *loop;
    sqlite3_vfs vfs;
    sqlite3_vfs *previous; /* The default VFS before. */
    struct file **files;
    size_t n_files;
    size_t allocated_files;
    uint64_t epoch; /* Counts crashes. */
    uint64_t n_syncs;
    int n_handles;
    bool full;
    bool io_error;
    bool lie;
};

struct handle {
    sqlite3_file base; /* Must be first. */
    struct sim_disk *disk;
    struct file *file; /* Null after a crash. */
    uint64_t epoch;
    bool delete_on_close;
    int lock; /* SQLITE_LOCK_*. */
    bool uses_shm;
    uint8_t shm_shared; /* A bit per lock that this handle has. */
    uint8_t shm_exclusive;
};

static const sqlite3_io_methods io_methods;

/* Images. */

static void
image_resize(struct image *image, size_t size)
{
    if (size > image->allocated) {
        image->allocated =
            size > 2 * image->allocated ? size : 2 * image->allocated;
        image->data = mem_resize(image->data, image->allocated);
    }
    if (size > image->size) {
        memset(image->data + image->size, 0, size - image->size);
    }
    image->size = size;
}

/* Copies sector 'i' of 'src' as far as it is there. */
static void
image_copy_sector(struct image *dst, const struct image *src, size_t i)
{
    size_t start = i * SECTOR;
    size_t end = start + SECTOR < src->size ? start + SECTOR : src->size;

    if (start < end) {
        if (dst->size < end) {
            image_resize(dst, end);
        }
        memcpy(dst->data + start, src->data + start, end - start);
    }
}

static void
image_copy(struct image *dst, const struct image *src)
{
    image_resize(dst, src->size);
    if (src->size) {
        memcpy(dst->data, src->data, src->size);
    }
}

/* Files. */

static struct file *
find_file(const struct sim_disk *disk, const char *path)
{
    for (size_t i = 0; i < disk->n_files; i++) {
        struct file *file = disk->files[i];
        if (file->exists && file->path && !strcmp(file->path, path)) {
            return file;
        }
    }
    return NULL;
}

static struct file *
create_file(struct sim_disk *disk, const char *path_or_null)
{
    struct file *file = NEW(struct file);

    file->path = mem_text(path_or_null);
    file->exists = true;
    ARRAY_GROW(disk->files, disk->n_files, disk->allocated_files);
    disk->files[disk->n_files++] = file;
    return file;
}

static void
shm_clear(struct shared_memory *shm)
{
    for (size_t i = 0; i < shm->n_regions; i++) {
        free(shm->regions[i]);
    }
    free(shm->regions);
    memset(shm, 0, sizeof *shm);
}

static void
free_file(struct file *file)
{
    shm_clear(&file->shm);
    free(file->path);
    free(file->now.data);
    free(file->durable.data);
    free(file->changed);
    free(file);
}

/* Frees 'file' if nothing can refer to it any more. */
static void
drop_file(struct sim_disk *disk, struct file *file)
{
    if (file->exists || file->n_handles) {
        return;
    }
    for (size_t i = 0; i < disk->n_files; i++) {
        if (disk->files[i] == file) {
            disk->files[i] = disk->files[--disk->n_files];
            break;
        }
    }
    free_file(file);
}

static void
mark_changed(struct file *file, size_t start, size_t end)
{
    size_t n = (end + SECTOR - 1) / SECTOR;

    if (n > file->n_changed) {
        size_t wanted = n > 2 * file->n_changed ? n : 2 * file->n_changed;
        file->changed = mem_resize(file->changed, wanted);
        memset(file->changed + file->n_changed, 0, wanted - file->n_changed);
        file->n_changed = wanted;
    }
    for (size_t i = start / SECTOR; i < n; i++) {
        file->changed[i] = true;
    }
}

static void
clear_changed(struct file *file)
{
    free(file->changed);
    file->changed = NULL;
    file->n_changed = 0;
}

static void
make_durable(struct file *file)
{
    for (size_t i = 0; i < file->n_changed; i++) {
        if (file->changed[i]) {
            image_copy_sector(&file->durable, &file->now, i);
        }
    }
    image_resize(&file->durable, file->now.size);
    clear_changed(file);
    file->survives = true;
}

/* The power fails: 'file' becomes what survives of it. */
static void
crash_file(struct sim_disk *disk, struct file *file, bool torn)
{
    if (torn && file->exists && file->path
        && (file->survives || sim_chance(disk->loop, 50))) {
        for (size_t i = 0; i < file->n_changed; i++) {
            if (file->changed[i] && sim_chance(disk->loop, 50)) {
                image_copy_sector(&file->durable, &file->now, i);
            }
        }
        file->survives = true;
    }
    image_copy(&file->now, &file->durable);
    clear_changed(file);
    shm_clear(&file->shm);
    file->exists = file->exists && file->survives;
    file->n_handles = 0;
    file->n_shared = 0;
    file->reserved = file->pending = file->exclusive = false;
}

/* Handles: reading and writing. */

static struct handle *
handle_cast(sqlite3_file *base)
{
    return (struct handle *) base;
}

static bool
is_dead(const struct handle *handle)
{
    return handle->epoch != handle->disk->epoch;
}

static int
io_close(sqlite3_file *base)
{
    struct handle *handle = handle_cast(base);
    struct sim_disk *disk = handle->disk;

    disk->n_handles--;
    if (!is_dead(handle)) {
        struct file *file = handle->file;

        file->n_handles--;
        if (handle->delete_on_close) {
            file->exists = false;
        }
        drop_file(disk, file);
    }
    return SQLITE_OK;
}

static int
io_read(sqlite3_file *base, void *data, int size, sqlite3_int64 offset)
{
    struct handle *handle = handle_cast(base);
    if (is_dead(handle)) {
        return SQLITE_IOERR_READ;
    }

    const struct image *image = &handle->file->now;
    size_t n = offset < image->size ? image->size - offset : 0;
    if (n >= size) {
        memcpy(data, image->data + offset, size);
        return SQLITE_OK;
    }
    if (n) {
        memcpy(data, image->data + offset, n);
    }
    memset((uint8_t *) data + n, 0, size - n);
    return SQLITE_IOERR_SHORT_READ;
}

static int
io_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 offset)
{
    struct handle *handle = handle_cast(base);
    if (is_dead(handle) || handle->disk->io_error) {
        return SQLITE_IOERR_WRITE;
    } else if (handle->disk->full) {
        return SQLITE_FULL;
    }

    struct file *file = handle->file;
    size_t old_size = file->now.size;
    if (offset + size > old_size) {
        image_resize(&file->now, offset + size);
    }
    memcpy(file->now.data + offset, data, size);
    mark_changed(file, offset < old_size ? offset : old_size, offset + size);
    return SQLITE_OK;
}

static int
io_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct handle *handle = handle_cast(base);
    if (is_dead(handle) || handle->disk->io_error) {
        return SQLITE_IOERR_TRUNCATE;
    }
    if (size < handle->file->now.size) {
        mark_changed(handle->file, size, handle->file->now.size);
        image_resize(&handle->file->now, size);
    }
    return SQLITE_OK;
}

static int
io_sync(sqlite3_file *base, int flags OVS_UNUSED)
{
    struct handle *handle = handle_cast(base);
    if (is_dead(handle) || handle->disk->io_error) {
        return SQLITE_IOERR_FSYNC;
    }
    handle->disk->n_syncs++;
    if (!handle->disk->lie) {
        make_durable(handle->file);
    }
    return SQLITE_OK;
}

static int
io_file_size(sqlite3_file *base, sqlite3_int64 *sizep)
{
    struct handle *handle = handle_cast(base);
    if (is_dead(handle)) {
        return SQLITE_IOERR_FSTAT;
    }
    *sizep = handle->file->now.size;
    return SQLITE_OK;
}

/* Handles: locks, https://sqlite.org/lockingv3.html. */

static int
io_lock(sqlite3_file *base, int wanted)
{
    struct handle *handle = handle_cast(base);
    if (is_dead(handle)) {
        return SQLITE_IOERR_LOCK;
    }

    struct file *file = handle->file;
    if (handle->lock >= wanted) {
        return SQLITE_OK;
    }
    if (wanted == SQLITE_LOCK_SHARED) {
        if (file->pending || file->exclusive) {
            return SQLITE_BUSY;
        }
        file->n_shared++;
    } else if (wanted == SQLITE_LOCK_RESERVED) {
        if (file->reserved) {
            return SQLITE_BUSY;
        }
        file->reserved = true;
    } else {
        if (handle->lock < SQLITE_LOCK_RESERVED && file->reserved) {
            return SQLITE_BUSY;
        }
        file->reserved = file->pending = true;
        if (file->n_shared > 1) {
            handle->lock = SQLITE_LOCK_PENDING;
            return SQLITE_BUSY;
        }
        file->exclusive = true;
    }
    handle->lock = wanted;
    return SQLITE_OK;
}

static int
io_unlock(sqlite3_file *base, int wanted)
{
    struct handle *handle = handle_cast(base);
    if (is_dead(handle)) {
        return SQLITE_OK;
    }

    struct file *file = handle->file;
    if (handle->lock > SQLITE_LOCK_SHARED) {
        file->reserved = file->pending = file->exclusive = false;
    }
    if (handle->lock >= SQLITE_LOCK_SHARED && wanted < SQLITE_LOCK_SHARED) {
        file->n_shared--;
    }
    if (handle->lock > wanted) {
        handle->lock = wanted;
    }
    return SQLITE_OK;
}

static int
io_check_reserved_lock(sqlite3_file *base, int *resultp)
{
    struct handle *handle = handle_cast(base);
    if (is_dead(handle)) {
        return SQLITE_IOERR_CHECKRESERVEDLOCK;
    }
    *resultp = handle->file->reserved;
    return SQLITE_OK;
}

static int
io_file_control(sqlite3_file *base OVS_UNUSED, int op OVS_UNUSED,
                void *arg OVS_UNUSED)
{
    return SQLITE_NOTFOUND;
}

static int
io_sector_size(sqlite3_file *base OVS_UNUSED)
{
    return SECTOR;
}

static int
io_device_characteristics(sqlite3_file *base OVS_UNUSED)
{
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* Handles: shared memory. */

static int
io_shm_map(sqlite3_file *base, int index, int size, int extend,
           void volatile **regionp)
{
    struct handle *handle = handle_cast(base);
    if (is_dead(handle)) {
        return SQLITE_IOERR_SHMMAP;
    }

    struct shared_memory *shm = &handle->file->shm;
    if (!handle->uses_shm) {
        handle->uses_shm = true;
        shm->n_users++;
    }
    *regionp = NULL;
    if (index >= shm->n_regions && !extend) {
        return SQLITE_OK;
    }
    while (index >= shm->n_regions) {
        ARRAY_GROW(shm->regions, shm->n_regions, shm->allocated_regions);
        shm->regions[shm->n_regions++] = mem_zalloc(size);
    }
    *regionp = shm->regions[index];
    return SQLITE_OK;
}

static void
shm_unlock(struct handle *handle, int i)
{
    struct shared_memory *shm = &handle->file->shm;

    if (handle->shm_exclusive & 1 << i) {
        shm->exclusive[i] = false;
    }
    if (handle->shm_shared & 1 << i) {
        shm->n_shared[i]--;
    }
    handle->shm_exclusive &= ~(1 << i);
    handle->shm_shared &= ~(1 << i);
}

static bool
shm_can_lock(const struct handle *handle, int i, bool exclusive)
{
    const struct shared_memory *shm = &handle->file->shm;
    int n_others = shm->n_shared[i] - !!(handle->shm_shared & 1 << i);

    return (handle->shm_exclusive & 1 << i
            || (!shm->exclusive[i] && (!exclusive || !n_others)));
}

static int
io_shm_lock(sqlite3_file *base, int first, int n, int flags)
{
    struct handle *handle = handle_cast(base);
    if (is_dead(handle)) {
        return SQLITE_IOERR_SHMLOCK;
    }

    struct shared_memory *shm = &handle->file->shm;
    bool exclusive = flags & SQLITE_SHM_EXCLUSIVE;
    for (int i = first; i < first + n; i++) {
        if (flags & SQLITE_SHM_LOCK && !shm_can_lock(handle, i, exclusive)) {
            return SQLITE_BUSY;
        }
    }
    for (int i = first; i < first + n; i++) {
        if (flags & SQLITE_SHM_UNLOCK) {
            shm_unlock(handle, i);
        } else if (exclusive) {
            shm->exclusive[i] = true;
            handle->shm_exclusive |= 1 << i;
        } else if (!(handle->shm_shared & 1 << i)) {
            shm->n_shared[i]++;
            handle->shm_shared |= 1 << i;
        }
    }
    return SQLITE_OK;
}

static void
io_shm_barrier(sqlite3_file *base OVS_UNUSED)
{
    __sync_synchronize();
}

static int
io_shm_unmap(sqlite3_file *base, int delete OVS_UNUSED)
{
    struct handle *handle = handle_cast(base);

    if (!is_dead(handle) && handle->uses_shm) {
        for (int i = 0; i < SQLITE_SHM_NLOCK; i++) {
            shm_unlock(handle, i);
        }
        if (!--handle->file->shm.n_users) {
            shm_clear(&handle->file->shm);
        }
    }
    handle->uses_shm = false;
    return SQLITE_OK;
}

static const sqlite3_io_methods io_methods = {
    .iVersion = 2,
    .xClose = io_close,
    .xRead = io_read,
    .xWrite = io_write,
    .xTruncate = io_truncate,
    .xSync = io_sync,
    .xFileSize = io_file_size,
    .xLock = io_lock,
    .xUnlock = io_unlock,
    .xCheckReservedLock = io_check_reserved_lock,
    .xFileControl = io_file_control,
    .xSectorSize = io_sector_size,
    .xDeviceCharacteristics = io_device_characteristics,
    .xShmMap = io_shm_map,
    .xShmLock = io_shm_lock,
    .xShmBarrier = io_shm_barrier,
    .xShmUnmap = io_shm_unmap,
};

/* The VFS. */

static int
vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags,
         int *out_flags)
{
    struct sim_disk *disk = vfs->pAppData;
    struct handle *handle = handle_cast(base);
    struct file *file = path ? find_file(disk, path) : NULL;

    memset(handle, 0, sizeof *handle);
    if (!file) {
        if (!(flags & SQLITE_OPEN_CREATE)) {
            return SQLITE_CANTOPEN;
        } else if (disk->io_error) {
            return SQLITE_IOERR;
        } else if (disk->full) {
            return SQLITE_FULL;
        }
        file = create_file(disk, path);
    } else if (flags & SQLITE_OPEN_EXCLUSIVE) {
        return SQLITE_CANTOPEN;
    }

    handle->base.pMethods = &io_methods;
    handle->disk = disk;
    handle->file = file;
    handle->epoch = disk->epoch;
    handle->delete_on_close = !path || flags & SQLITE_OPEN_DELETEONCLOSE;
    file->n_handles++;
    disk->n_handles++;
    if (out_flags) {
        *out_flags = flags;
    }
    return SQLITE_OK;
}

static int
vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_dir OVS_UNUSED)
{
    struct sim_disk *disk = vfs->pAppData;
    struct file *file = find_file(disk, path);

    if (!file) {
        return SQLITE_IOERR_DELETE_NOENT;
    } else if (disk->io_error) {
        return SQLITE_IOERR_DELETE;
    }
    file->exists = false;
    drop_file(disk, file);
    return SQLITE_OK;
}

static int
vfs_access(sqlite3_vfs *vfs, const char *path, int flags OVS_UNUSED,
           int *resultp)
{
    *resultp = find_file(vfs->pAppData, path) != NULL;
    return SQLITE_OK;
}

static int
vfs_full_pathname(sqlite3_vfs *vfs OVS_UNUSED, const char *path, int size,
                  char *full)
{
    return snprintf(full, size, "%s", path) < size ? SQLITE_OK
                                                   : SQLITE_CANTOPEN;
}

static int
vfs_randomness(sqlite3_vfs *vfs, int size, char *data)
{
    struct sim_disk *disk = vfs->pAppData;

    loop_random(disk->loop, data, size);
    return size;
}

static int
vfs_sleep(sqlite3_vfs *vfs OVS_UNUSED, int us)
{
    return us;
}

static int
vfs_current_time_int64(sqlite3_vfs *vfs, sqlite3_int64 *timep)
{
    struct sim_disk *disk = vfs->pAppData;

    /* Milliseconds since noon of November 24, 4714 B.C. */
    *timep = (INT64_C(24405875) * 8640000
              + (sqlite3_int64) (loop_wall(disk->loop) * 1000));
    return SQLITE_OK;
}

static int
vfs_current_time(sqlite3_vfs *vfs, double *timep)
{
    sqlite3_int64 ms;

    vfs_current_time_int64(vfs, &ms);
    *timep = ms / 86400000.0;
    return SQLITE_OK;
}

static int
vfs_get_last_error(sqlite3_vfs *vfs OVS_UNUSED, int size OVS_UNUSED,
                   char *text OVS_UNUSED)
{
    return 0;
}

struct sim_disk *
sim_disk_register(struct loop *loop)
{
    struct sim_disk *disk = NEW(struct sim_disk);

    disk->loop = loop;
    disk->previous = sqlite3_vfs_find(NULL);
    disk->vfs = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = sizeof(struct handle),
        .mxPathname = 512,
        .zName = "sim",
        .pAppData = disk,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_pathname,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_current_time,
        .xCurrentTimeInt64 = vfs_current_time_int64,
        .xGetLastError = vfs_get_last_error,
    };
    /* SQLite draws its own random numbers from a generator that it seeds
     * once; a run must not depend on the one before. */
    sqlite3_randomness(0, NULL);
    int rc = sqlite3_vfs_register(&disk->vfs, true);
    ovs_assert(rc == SQLITE_OK);
    return disk;
}

void
sim_disk_destroy(struct sim_disk *disk)
{
    if (!disk) {
        return;
    }

    ovs_assert(!disk->n_handles);
    sqlite3_vfs_unregister(&disk->vfs);
    sqlite3_vfs_register(disk->previous, true);
    for (size_t i = 0; i < disk->n_files; i++) {
        free_file(disk->files[i]);
    }
    free(disk->files);
    free(disk);
}

void
sim_disk_crash(struct sim_disk *disk, bool torn)
{
    size_t n = 0;

    disk->epoch++;
    for (size_t i = 0; i < disk->n_files; i++) {
        struct file *file = disk->files[i];

        crash_file(disk, file, torn);
        if (file->exists) {
            disk->files[n++] = file;
        } else {
            free_file(file);
        }
    }
    disk->n_files = n;
}

void
sim_disk_full(struct sim_disk *disk, bool on)
{
    disk->full = on;
}

void
sim_disk_io_error(struct sim_disk *disk, bool on)
{
    disk->io_error = on;
}

void
sim_disk_lie(struct sim_disk *disk, bool on)
{
    disk->lie = on;
}

bool
sim_disk_exists(const struct sim_disk *disk, const char *path)
{
    return find_file(disk, path) != NULL;
}

bool
sim_disk_corrupt(struct sim_disk *disk, const char *path, size_t offset,
                 uint8_t mask)
{
    struct file *file = find_file(disk, path);

    if (!file || offset >= file->now.size) {
        return false;
    }
    file->now.data[offset] ^= mask;
    if (offset < file->durable.size) {
        file->durable.data[offset] ^= mask;
    }
    return true;
}

/* 0 if there is no such file. */
size_t
sim_disk_file_size(const struct sim_disk *disk, const char *path)
{
    const struct file *file = find_file(disk, path);
    return file ? file->now.size : 0;
}

uint64_t
sim_disk_n_syncs(const struct sim_disk *disk)
{
    return disk->n_syncs;
}
