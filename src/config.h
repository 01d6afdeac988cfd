/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_H
#define CONFIG_H 1

/* Settings: "options.def" as a struct, and the INI file that fills it.
 *
 * Later wins: defaults, file, `--set section.option=value`.  The same rows
 * make the struct, the parser, --help, --print-config and
 * docs/generated/options.md. */

#include "base/base.h"

struct config_words {
    char **items;
    size_t n;
};
struct config_ports {
    uint16_t items[4];
    size_t n;
};

/* Types by pasting; used only here. */
typedef char *CONFIG_TYPE_TEXT; /* Null: not set. */
typedef char *CONFIG_TYPE_CHOICE;
typedef bool CONFIG_TYPE_BOOL;
typedef int64_t CONFIG_TYPE_INT;
typedef int64_t CONFIG_TYPE_SIZE;
typedef struct config_words CONFIG_TYPE_LIST;
typedef struct config_ports CONFIG_TYPE_PORTS;

struct config {
#define SECTION(NAME, HELP) struct {
#define OPTION(SECTION, NAME, KIND, DFLT, MIN, MAX, WHEN, HELP)               \
    CONFIG_TYPE_##KIND NAME;
#define SECTION_END(NAME)                                                     \
    }                                                                         \
    NAME;
#include "options.def"
#undef SECTION
#undef OPTION
#undef SECTION_END
};

/* All defaults. */
struct config *config_create(void);
void config_destroy(struct config *); /* Accepts null. */
AUTO_DEFINE(config)

/* Reads an INI file into 'config', or 'text' as if it were the file 'name'.
 * The error says file, line, option and what is allowed. */
struct err *config_read(struct config *,
                        const char *file) OVS_WARN_UNUSED_RESULT;
struct err *config_parse(struct config *, const char *text,
                         const char *name) OVS_WARN_UNUSED_RESULT;
/* "section.option=value". */
struct err *config_set(struct config *,
                       const char *assignment) OVS_WARN_UNUSED_RESULT;
/* What no single row can say: options that need each other. */
struct err *config_check(const struct config *) OVS_WARN_UNUSED_RESULT;

/* Texts; the caller frees them. */
char *config_to_text(const struct config *); /* --print-config. */
char *config_to_help(void);                  /* For --help. */
char *config_to_markdown(void);              /* docs/generated/options.md. */
/* Options that differ and take effect at the next start only, as
 * "daemon.user, switches.bridge", or null. */
char *config_restart_options(const struct config *old,
                             const struct config *new_);

/* Names made of settings.  The caller frees them. */
char *config_store_path(const struct config *);
char *config_users_path(const struct config *);
char *config_run_dir(const struct config *);

#endif /* config.h */
