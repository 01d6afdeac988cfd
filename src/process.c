/* SPDX-License-Identifier: Apache-2.0 */
/* The process: everything about being a daemon that has nothing to do with
 * networks.
 *
 * Called by main.c while it starts, reloads and stops, never by a layer.
 * System calls that fail become errors that name the file and the option. */

#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "openvswitch/vlog.h"

#include "admin.h"

static struct err *
err_from_errno(const char *verb, const char *path)
{
    return err_new(ERR_UNAVAILABLE, NULL, "cannot %s %s: %s", verb, path,
                   strerror(errno));
}

struct err *
process_make_directory(const char *path)
{
    AUTO_TEXT *part = mem_text(path);
    for (char *p = part + 1;; p++) {
        if (*p == '/' || !*p) {
            char c = *p;
            *p = '\0';
            if (mkdir(part, 0750) && errno != EEXIST) {
                return err_from_errno("make directory", part);
            }
            *p = c;
            if (!c) {
                break;
            }
        }
    }
    return access(path, R_OK | W_OK | X_OK) ? err_from_errno("write to", path)
                                            : NULL;
}

struct err *
process_lock(const char *directory)
{
    AUTO_TEXT *path = mem_textf("%s/lock", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        return err_from_errno("open", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        bool taken = errno == EWOULDBLOCK;
        struct err *err = taken
                              ? err_new(ERR_IN_USE, "daemon.state_dir",
                                        "another weftd is using %s", directory)
                              : err_from_errno("lock", path);
        close(fd);
        return err;
    }
    /* 'fd' stays open: the lock ends with the process. */
    return process_give(path);
}

struct err *
process_give(const char *path)
{
    AUTO_TEXT *copy = mem_text(path);
    struct stat st;
    return !geteuid()
                   && (stat(dirname(copy), &st)
                       || lchown(path, st.st_uid, st.st_gid))
               ? err_from_errno("set the owner of", path)
               : NULL;
}

static struct err *
give_directory(const char *path, uid_t uid, gid_t gid)
{
    DIR *directory = opendir(path);
    if (!directory) {
        return err_from_errno("read", path);
    }
    int error = fchown(dirfd(directory), uid, gid) ? errno : 0;
    const struct dirent *entry;
    while (!error && (entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")
            && fchownat(dirfd(directory), entry->d_name, uid, gid,
                        AT_SYMLINK_NOFOLLOW)) {
            error = errno;
        }
    }
    closedir(directory);
    errno = error;
    return error ? err_from_errno("give away the files of", path) : NULL;
}

struct err *
process_become(const char *user, const char *const *directories)
{
    if (geteuid()) {
        return NULL;
    }
    errno = 0;
    const struct passwd *pw = getpwnam(user);
    if (!pw) {
        return err_new(ERR_INVALID, "daemon.user", "there is no user \"%s\"",
                       user);
    }
    for (; *directories; directories++) {
        struct err *err = give_directory(*directories, pw->pw_uid, pw->pw_gid);
        if (err) {
            return err;
        }
    }
    vlog_change_owner_unix(pw->pw_uid, pw->pw_gid);
    if (initgroups(user, pw->pw_gid)
        || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid)
        || setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid)
        || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
        return err_from_errno("become user", user);
    }
    ovs_assert(geteuid() || !pw->pw_uid);
    return NULL;
}

void
process_raise_limits(void)
{
    struct rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        /* Without it there are fewer sessions; nothing else changes. */
        (void) setrlimit(RLIMIT_NOFILE, &limit);
    }
}

struct err *
process_log(const struct config *config)
{
    vlog_set_levels(NULL, VLF_SYSLOG, VLL_OFF);
    for (int i = 0; i < VLF_N_DESTINATIONS; i++) {
        vlog_set_pattern(i, "%D{%Y-%m-%dT%H:%M:%S.###Z} %-4p %c: %m");
    }
    struct err *err = admin_set_log_level("all", "info");
    for (size_t i = 0; i < config->daemon.log_level.n && !err; i++) {
        const char *word = config->daemon.log_level.items[i];
        const char *colon = strchr(word, ':');
        AUTO_TEXT *module = colon
                                ? mem_textf("%.*s", (int) (colon - word), word)
                                : mem_text("all");
        err = admin_set_log_level(module, colon ? colon + 1 : word);
    }
    if (err) {
        free(err->field);
        err->field = mem_text("daemon.log_level");
        return err;
    }

    /* Also opens it anew, for whoever rotates it. */
    const char *file = config->daemon.log_file;
    if (!file) {
        vlog_close_log_file();
        return NULL;
    }
    int error = vlog_set_log_file(file);
    return error ? err_new(ERR_INVALID, "daemon.log_file",
                           "cannot write %s: %s", file, strerror(error))
                 : NULL;
}

void
process_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (!path || (*path != '/' && *path != '@')
        || strlen(path) >= sizeof address.sun_path) {
        return;
    }
    memcpy(address.sun_path, path, strlen(path));
    if (*path == '@') {
        address.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        /* A service manager that does not listen is its own problem. */
        (void) !sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                       (const struct sockaddr *) &address,
                       offsetof(struct sockaddr_un, sun_path) + strlen(path));
        close(fd);
    }
}
