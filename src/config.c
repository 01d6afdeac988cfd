/* SPDX-License-Identifier: Apache-2.0 */
/* Settings.
 *
 *     options.def ──► rows[] ──► offset into struct config
 *                       ▲
 *     file ──libinih──► (section, option, value)
 *
 * A row knows how to check and store a value (config_assign()) and how to
 * print it (config_value()); everything else walks the rows.
 *
 * libinih calls back without a line number (Debian builds it so), so that the
 * text is handed to it line by line by config_next_line(), which counts.
 *
 * A file is configuration of an operator: the first mistake is reported with
 * file, line and what would have been right, and nothing of the file is
 * trusted to be sane (it is fuzzed). */

#include "config.h"

#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/param.h>

#include "openvswitch/vlog.h"

enum config_kind {
    KIND_TEXT,
    KIND_CHOICE,
    KIND_BOOL,
    KIND_INT,
    KIND_SIZE,
    KIND_LIST,
    KIND_PORTS,
};

enum config_when { LIVE, RESTART };

struct config_row {
    const char *section;
    const char *name; /* Null: the section itself. */
    enum config_kind kind;
    size_t offset;
    const char *dflt; /* CHOICE: all values. */
    int64_t min, max;
    enum config_when when;
    const char *help;
};

static const struct config_row rows[] = {
#define SECTION(NAME, HELP) { .section = #NAME, .help = HELP },
#define OPTION(SECTION, NAME, KIND, DFLT, MIN, MAX, WHEN, HELP)               \
    { #SECTION, #NAME, KIND_##KIND, offsetof(struct config, SECTION.NAME),    \
      DFLT,     MIN,   MAX,         WHEN,                                     \
      HELP },
#define SECTION_END(NAME)
#include "options.def"
#undef SECTION
#undef OPTION
#undef SECTION_END
};
#define N_ROWS (sizeof rows / sizeof *rows)
#define FOR_EACH_ROW(ROW)                                                     \
    for (const struct config_row *ROW = rows; ROW < rows + N_ROWS; ROW++)

/* A file being read. */
struct config_source {
    struct config *config;
    const char *name;
    const char *rest; /* What libinih has not been given yet. */
    int line;
    uint8_t given[N_ROWS]; /* Seen in this file. */
    struct err *err;       /* The first. */
};

static char *config_next_line(char *line, int size, void *source_);
static int config_handle(void *source_, const char *section, const char *name,
                         const char *value);
static struct err *config_find(const char *section, const char *name,
                               const struct config_row **);
static struct err *config_assign(struct config *, const struct config_row *,
                                 const char *value, bool more);
static void config_clear(struct config *, const struct config_row *);
static char *config_value(const struct config *, const struct config_row *);
static char *row_default(const struct config_row *);
static char *row_range(const struct config_row *);
static bool size_from_text(const char *, int64_t *);
static void put_wrapped(struct ds *, const char *indent, const char *text);

static void *
row_at(struct config *config, const struct config_row *row)
{
    return (char *) config + row->offset;
}

struct config *
config_create(void)
{
    struct config *config = NEW(struct config);
    FOR_EACH_ROW(row)
    {
        if (row->name) {
            AUTO_TEXT *dflt = row_default(row);
            struct err *err = config_assign(config, row, dflt, false);
            ovs_assert(!err);
        }
    }
    return config;
}

void
config_destroy(struct config *config)
{
    if (!config) {
        return;
    }
    FOR_EACH_ROW(row)
    {
        if (row->name) {
            config_clear(config, row);
        }
    }
    free(config);
}

/* Reading. */

struct err *
config_read(struct config *config, const char *file)
{
    FILE *stream = fopen(file, "re");
    AUTO_DS text = DS_EMPTY_INITIALIZER;
    if (stream) {
        char block[4096];
        size_t n;
        while ((n = fread(block, 1, sizeof block, stream)) > 0
               && text.length < 1 << 20) {
            ds_put_buffer(&text, block, n);
        }
    }
    if (!stream || ferror(stream)) {
        struct err *err = err_new(ERR_INVALID, NULL, "cannot read %s: %s",
                                  file, strerror(errno));
        if (stream) {
            fclose(stream);
        }
        return err;
    }
    fclose(stream);
    if (memchr(ds_cstr(&text), '\0', text.length)) {
        return err_new(ERR_INVALID, NULL, "%s is not a text file", file);
    }
    return config_parse(config, ds_cstr(&text), file);
}

struct err *
config_parse(struct config *config, const char *text, const char *name)
{
    struct config_source source = { .config = config,
                                    .name = name,
                                    .rest = text };
    int line =
        ini_parse_stream(config_next_line, &source, config_handle, &source);
    if (line > 0 && (!source.err || line < source.line)) {
        /* libinih went on behind a line it did not understand. */
        err_destroy(source.err);
        source.line = line;
        source.err = err_new(ERR_INVALID, NULL,
                             "neither \"[section]\" nor \"option = value\"");
    }
    if (!source.err) {
        return NULL;
    }
    AUTO_TEXT *why = err_to_text(source.err);
    err_destroy(source.err);
    return err_new(ERR_INVALID, NULL, "%s:%d: %s", name, source.line, why);
}

/* The next line for libinih, as fgets() would read it. */
static char *
config_next_line(char *line, int size, void *source_)
{
    struct config_source *source = source_;
    if (source->err || !*source->rest) {
        return NULL;
    }
    source->line++;
    size_t length = strcspn(source->rest, "\n");
    length += source->rest[length] == '\n';
    if (length >= size) {
        source->err = err_new(ERR_INVALID, NULL,
                              "a line has at most %d characters; a list may "
                              "go on in the next line if that is indented",
                              size - 2);
        return NULL;
    }
    memcpy(line, source->rest, length);
    line[length] = '\0';
    source->rest += length;
    return line;
}

/* Called by libinih for each option; 0 makes it report an error. */
static int
config_handle(void *source_, const char *section, const char *name,
              const char *value)
{
    struct config_source *source = source_;
    if (source->err) {
        return 0;
    }
    const struct config_row *row;
    source->err = config_find(section, name, &row);
    if (source->err) {
        return 0;
    }
    /* libinih cuts comments, except from lines that go on. */
    AUTO_TEXT *line = mem_text(value);
    char *comment = strstr(line, " ;");
    if (comment) {
        *comment = '\0';
    }
    bool more = source->given[row - rows];
    source->given[row - rows] = true;
    if (more && row->kind != KIND_LIST) {
        source->err = err_new(ERR_INVALID, NULL, "[%s] %s is given twice",
                              section, name);
    } else {
        source->err = config_assign(source->config, row, line, more);
    }
    return !source->err;
}

struct err *
config_set(struct config *config, const char *assignment)
{
    const char *dot = strchr(assignment, '.');
    const char *equals = strchr(assignment, '=');
    if (!dot || !equals || equals < dot) {
        return err_new(ERR_INVALID, NULL, "\"%s\" is not section.option=value",
                       assignment);
    }
    AUTO_TEXT *section =
        mem_textf("%.*s", (int) (dot - assignment), assignment);
    AUTO_TEXT *name = mem_textf("%.*s", (int) (equals - dot - 1), dot + 1);
    const struct config_row *row;
    struct err *err = config_find(section, name, &row);
    return err ? err : config_assign(config, row, equals + 1, false);
}

struct err *
config_check(const struct config *config)
{
    if (!config->daemon.state_dir) {
        return err_new(ERR_INVALID, "daemon.state_dir", "must not be empty");
    }
    if (!config->switches.bridge) {
        return err_new(ERR_INVALID, "switches.bridge", "must not be empty");
    }
    if (!config->northbound.listen || !config->switches.listen) {
        return err_new(ERR_INVALID,
                       config->northbound.listen ? "switches.listen"
                                                 : "northbound.listen",
                       "must not be empty; :: is every address");
    }
    if (config->switches.openflow_ports.n > 2) {
        return err_new(ERR_INVALID, "switches.openflow_ports",
                       "at most two ports");
    }
    if (!config->northbound.tls_key != !config->northbound.tls_certificate) {
        return err_new(ERR_INVALID,
                       config->northbound.tls_key
                           ? "northbound.tls_certificate"
                           : "northbound.tls_key",
                       "is needed too; TLS takes both");
    }
    int n_tls = !!config->switches.tls_key + !!config->switches.tls_ca
                + !!config->switches.tls_certificate;
    if (n_tls != 0 && n_tls != 3) {
        return err_new(ERR_INVALID,
                       !config->switches.tls_key ? "switches.tls_key"
                       : !config->switches.tls_certificate
                           ? "switches.tls_certificate"
                           : "switches.tls_ca",
                       "is needed too; TLS takes tls_key, tls_certificate "
                       "and tls_ca");
    }
    return NULL;
}

/* Finding a row. */

/* Edits that lead from 'a' to 'b' (insert, remove, replace), at most 'max'. */
static size_t
text_distance(const char *a, const char *b)
{
    size_t previous[64], n = MIN(strlen(b), 63);
    for (size_t j = 0; j <= n; j++) {
        previous[j] = j;
    }
    for (size_t i = 1; a[i - 1]; i++) {
        size_t corner = previous[0];
        previous[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t above = previous[j];
            size_t replaced = corner + (a[i - 1] != b[j - 1]);
            previous[j] = MIN(MIN(above, previous[j - 1]) + 1, replaced);
            corner = above;
        }
    }
    return previous[n];
}

/* ", did you mean ...?" or ": it is one of ...".  Caller frees. */
static char *
config_hint(const char *section, const char *name)
{
    const char *word = name ? name : section;
    const struct config_row *best = NULL;
    size_t least = MAX(strlen(word) / 3, 2) + 1;
    AUTO_DS all = DS_EMPTY_INITIALIZER;
    FOR_EACH_ROW(row)
    {
        if (!name != !row->name || (name && strcmp(row->section, section))) {
            continue;
        }
        const char *candidate = name ? row->name : row->section;
        size_t distance = text_distance(word, candidate);
        if (distance < least) {
            least = distance;
            best = row;
        }
        ds_put_format(&all, "%s%s", all.length ? ", " : "", candidate);
    }
    if (best) {
        return mem_textf("; did you mean \"%s\"?",
                         name ? best->name : best->section);
    }
    FOR_EACH_ROW(row)
    {
        if (name && row->name && !strcmp(row->name, name)) {
            return mem_textf("; there is one in [%s]", row->section);
        }
    }
    return mem_textf("; there are %s", ds_cstr(&all));
}

static struct err *
config_find(const char *section, const char *name,
            const struct config_row **rowp)
{
    bool section_exists = false;
    FOR_EACH_ROW(row)
    {
        if (!strcmp(row->section, section)) {
            section_exists = true;
            if (row->name && !strcmp(row->name, name)) {
                *rowp = row;
                return NULL;
            }
        }
    }
    if (!*section) {
        return err_new(ERR_INVALID, NULL,
                       "\"%s\" stands before the first [section]", name);
    }
    AUTO_TEXT *hint = config_hint(section, section_exists ? name : NULL);
    return section_exists
               ? err_new(ERR_INVALID, NULL,
                         "there is no option \"%s\" in [%s]%s", name, section,
                         hint)
               : err_new(ERR_INVALID, NULL, "there is no section [%s]%s",
                         section, hint);
}

/* Values. */

static struct err *
row_refuse(const struct config_row *row, const char *value)
{
    AUTO_TEXT *range = row_range(row);
    return err_new(ERR_INVALID, NULL, "[%s] %s = %s: must be %s", row->section,
                   row->name, value, range);
}

static bool
choice_has(const char *choices, const char *value)
{
    AUTO_TEXT *copy = mem_text(choices);
    char *cursor = copy;
    const char *choice;
    while ((choice = text_next(&cursor, "|")) != NULL) {
        if (!strcmp(choice, value)) {
            return true;
        }
    }
    return false;
}

static bool
bool_from_text(const char *text, bool *valuep)
{
    static const char *const words[2][4] = { { "false", "no", "off", "0" },
                                             { "true", "yes", "on", "1" } };
    for (size_t i = 0; i < 8; i++) {
        if (text_equals_nocase(text, words[i / 4][i % 4])) {
            *valuep = i / 4;
            return true;
        }
    }
    return false;
}

static bool
ports_from_text(const char *text, const struct config_row *row,
                struct config_ports *portsp)
{
    struct config_ports ports = { .n = 0 };
    AUTO_TEXT *copy = mem_text(text);
    char *cursor = copy;
    const char *word;
    while ((word = text_next(&cursor, ", ")) != NULL) {
        int64_t port;
        if (!*word) {
            continue;
        }
        if (ports.n >= 4 || !text_to_int(word, row->min, row->max, &port)) {
            return false;
        }
        ports.items[ports.n++] = port;
    }
    *portsp = ports;
    return true;
}

/* A word of log_level: "info" or "store:dbg". */
static bool
log_level_is_valid(const char *word)
{
    const char *colon = strchr(word, ':');
    const char *level = colon ? colon + 1 : word;
    return vlog_get_level_val(level) < VLL_N_LEVELS && colon != word;
}

static bool
words_from_text(const char *text, const struct config_row *row,
                struct config_words *words)
{
    AUTO_TEXT *copy = mem_text(text);
    char *cursor = copy;
    const char *word;
    while ((word = text_next(&cursor, ", ")) != NULL) {
        if (!*word) {
            continue;
        }
        if (!strcmp(row->name, "log_level") && !log_level_is_valid(word)) {
            return false;
        }
        words->items =
            mem_resize(words->items, (words->n + 1) * sizeof *words->items);
        words->items[words->n++] = mem_text(word);
    }
    return true;
}

/* In a file a semicolon behind a space begins a comment. */
static bool
has_comment(const char *value)
{
    for (const char *p = value; (p = strchr(p, ';')) != NULL; p++) {
        if (p == value || strchr(" \t\r\n\v\f,", p[-1])) {
            return true;
        }
    }
    return false;
}

/* Checks and stores 'value'; 'more' of a list adds to it.  A list that is
 * refused is left half-way: its config is of no use then. */
static struct err *
config_assign(struct config *config, const struct config_row *row,
              const char *value, bool more)
{
    if (has_comment(value)) {
        return err_new(ERR_INVALID, NULL,
                       "[%s] %s: a value has no semicolon at its beginning "
                       "or behind a space or comma",
                       row->section, row->name);
    }
    void *at = row_at(config, row);
    int64_t number;
    bool ok = true;
    switch (row->kind) {
    case KIND_TEXT:
        free(*(char **) at);
        *(char **) at = *value ? mem_text(value) : NULL;
        break;
    case KIND_CHOICE:
        ok = choice_has(row->dflt, value);
        if (ok) {
            free(*(char **) at);
            *(char **) at = mem_text(value);
        }
        break;
    case KIND_BOOL:
        ok = bool_from_text(value, at);
        break;
    case KIND_INT:
        ok = text_to_int(value, row->min, row->max, at);
        break;
    case KIND_SIZE:
        ok = size_from_text(value, &number) && number >= row->min
             && number <= row->max;
        if (ok) {
            *(int64_t *) at = number;
        }
        break;
    case KIND_LIST:
        if (!more) {
            config_clear(config, row);
        }
        ok = words_from_text(value, row, at);
        break;
    case KIND_PORTS:
        ok = ports_from_text(value, row, at);
        break;
    }
    return ok ? NULL : row_refuse(row, value);
}

static void
config_clear(struct config *config, const struct config_row *row)
{
    void *at = row_at(config, row);
    if (row->kind == KIND_TEXT || row->kind == KIND_CHOICE) {
        free(*(char **) at);
        *(char **) at = NULL;
    } else if (row->kind == KIND_LIST) {
        struct config_words *words = at;
        for (size_t i = 0; i < words->n; i++) {
            free(words->items[i]);
        }
        free(words->items);
        *words = (struct config_words){ .n = 0 };
    }
}

/* A value as it would be written in the file.  Caller frees. */
static char *
config_value(const struct config *config, const struct config_row *row)
{
    const void *at = (const char *) config + row->offset;
    struct ds text = DS_EMPTY_INITIALIZER;
    switch (row->kind) {
    case KIND_TEXT:
    case KIND_CHOICE: {
        const char *value = *(char *const *) at;
        ds_put_cstr(&text, value ? value : "");
        break;
    }
    case KIND_BOOL:
        ds_put_cstr(&text, *(const bool *) at ? "true" : "false");
        break;
    case KIND_INT:
        ds_put_format(&text, "%" PRId64, *(const int64_t *) at);
        break;
    case KIND_SIZE: {
        static const char *const units[] = { "", " KiB", " MiB", " GiB" };
        int64_t size = *(const int64_t *) at;
        int unit = 0;
        while (size && size % 1024 == 0 && unit < 3) {
            size /= 1024;
            unit++;
        }
        ds_put_format(&text, "%" PRId64 "%s", size, units[unit]);
        break;
    }
    case KIND_LIST: {
        const struct config_words *words = at;
        for (size_t i = 0; i < words->n; i++) {
            ds_put_format(&text, "%s%s", i ? ", " : "", words->items[i]);
        }
        break;
    }
    case KIND_PORTS: {
        const struct config_ports *ports = at;
        for (size_t i = 0; i < ports->n; i++) {
            ds_put_format(&text, "%s%d", i ? ", " : "", ports->items[i]);
        }
        break;
    }
    }
    return ds_steal_cstr(&text);
}

static bool
size_from_text(const char *text, int64_t *sizep)
{
    static const struct {
        const char *suffix;
        int shift;
    } units[] = { { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 }, { "K", 10 },
                  { "M", 20 },   { "G", 30 },   { "", 0 } };
    size_t n_digits = strspn(text, "0123456789");
    const char *suffix = text + n_digits + strspn(text + n_digits, " ");
    AUTO_TEXT *digits = mem_textf("%.*s", (int) n_digits, text);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        int64_t number;
        if (text_equals_nocase(suffix, units[i].suffix)
            && text_to_int(digits, 0, INT64_C(1) << 32, &number)) {
            *sizep = number << units[i].shift;
            return true;
        }
    }
    return false;
}

/* Texts. */

static char *
row_default(const struct config_row *row)
{
    return row->kind == KIND_CHOICE
               ? mem_textf("%.*s", (int) strcspn(row->dflt, "|"), row->dflt)
               : mem_text(row->dflt);
}

/* What is allowed, for people.  Caller frees. */
static char *
row_range(const struct config_row *row)
{
    switch (row->kind) {
    case KIND_TEXT:
        return mem_text("text");
    case KIND_CHOICE: {
        struct ds text = DS_EMPTY_INITIALIZER;
        for (const char *p = row->dflt; *p; p++) {
            if (*p == '|') {
                ds_put_cstr(&text, " or ");
            } else {
                ds_put_char(&text, *p);
            }
        }
        return ds_steal_cstr(&text);
    }
    case KIND_BOOL:
        return mem_text("true or false");
    case KIND_INT:
        return mem_textf("a number from %" PRId64 " to %" PRId64, row->min,
                         row->max);
    case KIND_SIZE:
        return mem_textf("a size from %" PRId64 " to %" PRId64 " bytes, as in "
                         "4096, 64 KiB or 16 MiB",
                         row->min, row->max);
    case KIND_LIST:
        return mem_text(strcmp(row->name, "log_level")
                            ? "words with commas between them"
                            : "off, err, warn, info or dbg, or module:level, "
                              "with commas between them");
    case KIND_PORTS:
        return mem_textf("up to four ports from %" PRId64 " to %" PRId64
                         ", with "
                         "commas between them",
                         row->min, row->max);
    }
    abort();
}

char *
config_to_text(const struct config *config)
{
    struct ds text = DS_EMPTY_INITIALIZER;
    ds_put_cstr(&text,
                "# Settings of weftd.  What is commented out is the default.\n"
                "# After a change: systemctl reload weftd; or restart, where "
                "it says so.\n");
    FOR_EACH_ROW(row)
    {
        ds_put_char(&text, '\n');
        put_wrapped(&text, "# ", row->help);
        if (!row->name) {
            ds_put_format(&text, "[%s]\n", row->section);
            continue;
        }
        AUTO_TEXT *range = row_range(row);
        const char *when =
            row->when == LIVE ? "" : "A change takes a restart.";
        AUTO_TEXT *facts = row->kind == KIND_TEXT
                               ? mem_text(when)
                               : mem_textf("Allowed: %s.%s%s", range,
                                           *when ? "  " : "", when);
        put_wrapped(&text, "# ", facts);
        AUTO_TEXT *value = config_value(config, row);
        AUTO_TEXT *dflt = row_default(row);
        ds_put_format(&text, "%s%s =%s%s\n", strcmp(value, dflt) ? "" : "#",
                      row->name, *value ? " " : "", value);
    }
    return ds_steal_cstr(&text);
}

char *
config_to_help(void)
{
    struct ds text = DS_EMPTY_INITIALIZER;
    FOR_EACH_ROW(row)
    {
        if (!row->name) {
            ds_put_format(&text, "\n[%s] %s\n", row->section, row->help);
            continue;
        }
        AUTO_TEXT *dflt = row_default(row);
        ds_put_format(&text, "  %s.%s (%s)\n", row->section, row->name,
                      *dflt ? dflt : "empty");
        put_wrapped(&text, "      ", row->help);
    }
    return ds_steal_cstr(&text);
}

char *
config_to_markdown(void)
{
    struct ds text = DS_EMPTY_INITIALIZER;
    ds_put_cstr(&text,
                "<!-- Printed by `weftd --print-options`; a test compares. "
                "-->\n\n# Settings of weftd\n\n"
                "File: `/etc/weft/weft.conf`.  *Reload* means that `systemctl "
                "reload weftd` (SIGHUP) is enough.\n");
    FOR_EACH_ROW(row)
    {
        if (!row->name) {
            ds_put_format(&text,
                          "\n## [%s]\n\n%s\n\n"
                          "| option | default | allowed | change takes | "
                          "meaning |\n|---|---|---|---|---|\n",
                          row->section, row->help);
            continue;
        }
        AUTO_TEXT *dflt = row_default(row);
        AUTO_TEXT *range = row_range(row);
        ds_put_format(&text, "| `%s` | %s%s%s | %s | %s | %s |\n", row->name,
                      *dflt ? "`" : "", dflt, *dflt ? "`" : "", range,
                      row->when == LIVE ? "reload" : "restart", row->help);
    }
    return ds_steal_cstr(&text);
}

char *
config_restart_options(const struct config *old, const struct config *new_)
{
    struct ds text = DS_EMPTY_INITIALIZER;
    FOR_EACH_ROW(row)
    {
        if (row->name && row->when == RESTART) {
            AUTO_TEXT *a = config_value(old, row);
            AUTO_TEXT *b = config_value(new_, row);
            if (strcmp(a, b)) {
                ds_put_format(&text, "%s%s.%s", text.length ? ", " : "",
                              row->section, row->name);
            }
        }
    }
    return text.length ? ds_steal_cstr(&text) : NULL;
}

/* Appends 'text' in lines of at most 78 columns, each after 'indent'. */
static void
put_wrapped(struct ds *ds, const char *indent, const char *text)
{
    size_t width = 78 - strlen(indent);
    while (*text) {
        size_t length = strlen(text);
        if (length > width) {
            length = width;
            while (length > 0 && text[length] != ' ') {
                length--;
            }
            length = length ? length : width;
        }
        ds_put_format(ds, "%s%.*s\n", indent, (int) length, text);
        text += length;
        text += strspn(text, " ");
    }
}

char *
config_store_path(const struct config *config)
{
    return mem_textf("%s/weft.db", config->daemon.state_dir);
}

char *
config_users_path(const struct config *config)
{
    return mem_textf("%s/users", config->daemon.state_dir);
}

char *
config_run_dir(const struct config *config)
{
    if (config->daemon.run_dir) {
        return mem_text(config->daemon.run_dir);
    }
    AUTO(config) *dflt = config_create();
    return mem_text(strcmp(config->daemon.state_dir, dflt->daemon.state_dir)
                        ? config->daemon.state_dir
                        : "/run/weft");
}
