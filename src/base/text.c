/* SPDX-License-Identifier: Apache-2.0 */

/* Small operations on text.
 *
 * None depends on the locale: identifiers, numbers and protocol words are
 * ASCII, and what a user's locale calls a letter has no business in them. */

#include "base/base.h"

static bool
is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static char
to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* Accepts a minus sign and digits, no plus sign and no white space.  Leaves
 * '*valuep' alone and returns false if 'text' is not such a number or is
 * outside 'min'...'max'. */
bool
text_to_int(const char *text, int64_t min, int64_t max, int64_t *valuep)
{
    bool negative = *text == '-';
    const char *p = text + negative;
    int64_t value = 0;

    if (!*p) {
        return false;
    }
    for (; *p; p++) {
        if (*p < '0' || *p > '9') {
            return false;
        }
        int digit = *p - '0';
        if (__builtin_mul_overflow(value, 10, &value)
            || __builtin_add_overflow(value, negative ? -digit : digit,
                                      &value)) {
            return false;
        }
    }
    if (value < min || value > max) {
        return false;
    }
    *valuep = value;
    return true;
}

bool
text_equals_nocase(const char *a, const char *b)
{
    for (; to_lower(*a) == to_lower(*b); a++, b++) {
        if (!*a) {
            return true;
        }
    }
    return false;
}

bool
text_starts_with(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

/* Empty items are skipped, so "a,, b," has two.  '*cursorp' may start as
 * null. */
char *
text_next(char **cursorp, const char *separators)
{
    while (*cursorp) {
        char *item = *cursorp;
        char *end = item + strcspn(item, separators);

        *cursorp = *end ? end + 1 : NULL;
        while (end > item && is_space(end[-1])) {
            end--;
        }
        *end = '\0';
        while (is_space(*item)) {
            item++;
        }
        if (*item) {
            return item;
        }
    }
    return NULL;
}

void
text_put_printable(struct ds *ds, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t c = text[i];
        if (c >= 0x20 && c < 0x7f) {
            ds_put_char(ds, c);
        } else {
            ds_put_format(ds, "\\x%02x", c);
        }
    }
}

/* The time taken depends on the length of 'given' only. */
bool
text_equals_secret(const char *given, const char *secret)
{
    size_t n_given = strlen(given) + 1;
    size_t n_secret = strlen(secret) + 1;
    volatile uint8_t difference = n_given != n_secret;

    for (size_t i = 0; i < n_given; i++) {
        difference |= given[i] ^ secret[i % n_secret];
    }
    return !difference;
}
