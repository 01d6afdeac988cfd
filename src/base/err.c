/* SPDX-License-Identifier: Apache-2.0 */

/* Errors that a user or a peer caused.
 *
 * An error is made where the fault is found, by code that knows the field and
 * what is wrong with it, and gains its context on the way up:
 *
 *     err_new(ERR_INVALID, "ip_address", "not an IP address: \"%s\"", text)
 *     err_within(err, "fixed_ips[%d].", i)
 *     err_about(err, "port %s", id)
 *
 * becomes "port 6f0c...: fixed_ips[1].ip_address: not an IP address: "x"".
 *
 * Faults of ours are assertions, not errors.  An error has one owner; whoever
 * decides what happens next turns it into an answer or a log line. */

#include "base/base.h"

#include <stdio.h>

static const struct {
    int http_status;
    const char *name;
} err_kinds[] = {
#define ERR_KIND(KIND, STATUS, NAME) [ERR_##KIND] = { STATUS, NAME },
    ERR_KINDS
#undef ERR_KIND
};

static char *OVS_PRINTF_FORMAT(1, 0)
    format_text(const char *format, va_list args)
{
    char *text;

    if (vasprintf(&text, format, args) < 0) {
        text = mem_text(format);
    }
    return text;
}

/* Returns a new error about 'field', which may be null, owned by the caller.
 * The formatted text is one sentence without a final full stop. */
struct err *
err_new(enum err_kind kind, const char *field, const char *format, ...)
{
    struct err *err = NEW(struct err);
    va_list args;

    err->kind = kind;
    err->field = mem_text(field);
    va_start(args, format);
    err->text = format_text(format, args);
    va_end(args);
    return err;
}

struct err *
err_about(struct err *err, const char *format, ...)
{
    if (err && !err->object) {
        va_list args;

        va_start(args, format);
        err->object = format_text(format, args);
        va_end(args);
    }
    return err;
}

/* Without a field the error is about the thing that 'format' names, so a
 * final dot of it goes.  Passes null through. */
struct err *
err_within(struct err *err, const char *format, ...)
{
    if (!err) {
        return NULL;
    }

    va_list args;
    va_start(args, format);
    AUTO_TEXT *prefix = format_text(format, args);
    va_end(args);

    if (err->field) {
        char *field = mem_textf("%s%s", prefix, err->field);
        free(err->field);
        err->field = field;
    } else {
        size_t length = strlen(prefix);
        if (length && prefix[length - 1] == '.') {
            prefix[length - 1] = '\0';
        }
        err->field = STEAL(prefix);
    }
    return err;
}

/* Accepts null. */
void
err_destroy(struct err *err)
{
    if (err) {
        free(err->object);
        free(err->field);
        free(err->text);
        free(err);
    }
}

/* Passes null through. */
struct err *
err_clone(const struct err *err)
{
    if (!err) {
        return NULL;
    }

    struct err *copy = NEW(struct err);
    copy->kind = err->kind;
    copy->object = mem_text(err->object);
    copy->field = mem_text(err->field);
    copy->text = mem_text(err->text);
    return copy;
}

char *
err_to_text(const struct err *err)
{
    return mem_textf("%s%s%s%s%s", err->object ? err->object : "",
                     err->object ? ": " : "", err->field ? err->field : "",
                     err->field ? ": " : "", err->text);
}

int
err_http_status(enum err_kind kind)
{
    return err_kinds[kind].http_status;
}

const char *
err_kind_name(enum err_kind kind)
{
    return err_kinds[kind].name;
}
