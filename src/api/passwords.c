/* SPDX-License-Identifier: Apache-2.0 */
/* The users file, written.
 *
 * One line per user, "name:hash", the hash as crypt(3) makes it with yescrypt
 * ("$y$...").  The file is replaced as a whole (written beside it, synced,
 * renamed), readable by its owner only, so that a reader sees the old or the
 * new one.  users.c reads it.
 *
 * Run by the command line and at first start: may block. */

#include "api/api-private.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Crockford's base 32: no letter that is taken for a digit. */
#define ALPHABET        "0123456789abcdefghjkmnpqrstvwxyz"
#define PASSWORD_LENGTH 26 /* 130 bits. */
#define GROUP_LENGTH    5  /* Letters between dashes. */

/* Stores the hash of 'password', which the caller frees. */
static struct err *OVS_WARN_UNUSED_RESULT
password_hash(const char *password, char **hashp)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    if (!crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof setting)) {
        return err_new(ERR_UNAVAILABLE, NULL,
                       "crypt(3) does not offer yescrypt: %s",
                       strerror(errno));
    }

    struct crypt_data *data = NEW(struct crypt_data);
    const char *hash = crypt_rn(password, setting, data, sizeof *data);
    char *copy = mem_text(hash);
    explicit_bzero(data, sizeof *data);
    free(data);
    if (!copy) {
        return err_new(ERR_INVALID, "password", "cannot be hashed");
    }
    *hashp = copy;
    return NULL;
}

/* Appends the lines of the file at 'path' except those of 'name'. */
static int
users_read_others(const char *path, const char *name, struct ds *text)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return errno == ENOENT ? 0 : errno;
    }

    char *line = NULL;
    size_t allocated = 0;
    size_t length = strlen(name);
    while (getline(&line, &allocated, file) >= 0) {
        line[strcspn(line, "\r\n")] = '\0';
        if (strncmp(line, name, length) || line[length] != ':') {
            ds_put_format(text, "%s\n", line);
        }
    }
    free(line);
    int error = ferror(file) ? EIO : 0;
    fclose(file);
    return error;
}

static int
fd_write_all(int fd, const char *text, size_t size)
{
    while (size) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno != EINTR) {
            return errno;
        }
        if (n > 0) {
            text += n;
            size -= (size_t) n;
        }
    }
    return fsync(fd) ? errno : 0;
}

/* Replaces the file at 'path' by 'text'; keeps its owner. */
static int
users_write(const char *path, const struct ds *text)
{
    AUTO_TEXT *temporary = mem_textf("%s.new", path);
    (void) unlink(temporary); /* Left by a crash. */
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno;
    }

    struct stat old;
    int error = 0;
    if (!stat(path, &old) && fchown(fd, old.st_uid, old.st_gid)
        && errno != EPERM) {
        error = errno;
    }
    if (!error) {
        error = fd_write_all(fd, text->string, text->length);
    }
    if (close(fd) && !error) {
        error = errno;
    }
    if (!error && rename(temporary, path)) {
        error = errno;
    }
    if (error) {
        (void) unlink(temporary); /* The first error counts. */
    }
    return error;
}

struct err *
users_set_password(const char *path, const char *name, const char *password)
{
    if (!*name || strpbrk(name, ":\r\n") || *name == '#') {
        return err_new(ERR_INVALID, "name",
                       "a user name is not empty and holds no colon");
    }
    if (!*password || strpbrk(password, "\r\n")) {
        return err_new(ERR_INVALID, "password", "must be one line of text");
    }

    char *hash = NULL;
    struct err *err = password_hash(password, &hash);
    if (err) {
        return err;
    }
    AUTO_DS text;
    ds_init(&text);
    int error = users_read_others(path, name, &text);
    ds_put_format(&text, "%s:%s\n", name, hash);
    free(hash);
    if (!error) {
        error = users_write(path, &text);
    }
    if (error) {
        return err_new(ERR_UNAVAILABLE, NULL, "%s: cannot write users: %s",
                       path, strerror(error));
    }
    return NULL;
}

/* Caller frees. */
static char *
password_generate(struct loop *loop)
{
    uint8_t random[PASSWORD_LENGTH];
    loop_random(loop, random, sizeof random);

    struct ds text = DS_EMPTY_INITIALIZER;
    for (size_t i = 0; i < PASSWORD_LENGTH; i++) {
        if (i && i % GROUP_LENGTH == 0) {
            ds_put_char(&text, '-');
        }
        ds_put_char(&text, ALPHABET[random[i] % 32]);
    }
    explicit_bzero(random, sizeof random);
    return ds_steal_cstr(&text);
}

struct err *
users_bootstrap(struct loop *loop, const char *path, char **passwordp)
{
    if (!access(path, F_OK)) {
        *passwordp = NULL;
        return NULL;
    }
    if (errno != ENOENT) {
        return err_new(ERR_UNAVAILABLE, NULL, "%s: cannot look for users: %s",
                       path, strerror(errno));
    }

    char *password = password_generate(loop);
    struct err *err = users_set_password(path, "admin", password);
    if (err) {
        explicit_bzero(password, strlen(password));
        free(password);
        return err;
    }
    *passwordp = password;
    return NULL;
}
