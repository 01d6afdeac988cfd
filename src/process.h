/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROCESS_H
#define PROCESS_H 1

/* What makes a process a daemon: directories, the lock, the user it runs as,
 * its limits, its log, and what it tells systemd. */

#include "config.h"

/* Makes 'path' and what is missing above it. */
struct err *process_make_directory(const char *path) OVS_WARN_UNUSED_RESULT;
/* Makes sure that nobody else uses 'directory', as long as this process
 * lives. */
struct err *process_lock(const char *directory) OVS_WARN_UNUSED_RESULT;
/* Gives a file that root just made to the owner of its directory, as whom the
 * daemon may run. */
struct err *process_give(const char *path) OVS_WARN_UNUSED_RESULT;
/* Becomes 'user' for good and gives it the files in the directories named
 * (null-terminated). */
struct err *process_become(const char *user, const char *const *directories)
    OVS_WARN_UNUSED_RESULT;
/* As many file descriptors as are allowed: one for each session. */
void process_raise_limits(void);
/* Log levels, patterns and file.  May be called again. */
struct err *process_log(const struct config *) OVS_WARN_UNUSED_RESULT;
/* Tells the service manager, if there is one (sd_notify(3)): "READY=1". */
void process_notify(const char *state);

#endif /* process.h */
