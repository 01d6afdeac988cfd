/* SPDX-License-Identifier: Apache-2.0 */

/* JSON conveniences on libopenvswitch's parser.
 *
 * The parser of <openvswitch/json.h> is good at grammar, but it is made for
 * peers that are trusted: it lets any bytes pass for UTF-8 and unpaired
 * surrogates for characters, takes a null byte for a digit, and nests up to
 * 1000 levels.  It also wants an object or array at the top.  So a scan goes
 * first: it finds where the first value ends, in one pass that knows about
 * strings and brackets and nothing else, and refuses what the parser would
 * wrongly accept.  The value then is parsed as the only element of an array,
 * which makes numbers, strings and words acceptable too:
 *
 *     text:          {"a": [1]} trailing bytes
 *     scan:          ^         ^
 *     parser sees:  [{"a": [1]}]
 *
 * Strings that come out are therefore valid UTF-8 without null bytes
 * (RFC 8259, section 8.1; RFC 3629, section 4).  Names that occur twice in an
 * object: the last one wins.
 *
 * The cost is linear in the size of the value, whatever it is. */

#include "base/base.h"

#include <stdio.h>

struct scan {
    const char *text;
    size_t size;
    size_t pos;
};

/* Returns an error whose text says where byte 'pos' of 'text' is. */
static struct err *OVS_WARN_UNUSED_RESULT
err_at(const char *text, size_t pos, const char *problem)
{
    size_t line = 1;
    size_t column = 1;

    for (size_t i = 0; i < pos; i++) {
        if (text[i] == '\n') {
            line++;
            column = 1;
        } else {
            column++;
        }
    }
    return err_new(ERR_INVALID, NULL,
                   "not valid JSON: line %zu, column %zu: %s", line, column,
                   problem);
}

/* Returns the length of the character that starts at 'p', of which 'size'
 * bytes are there, or 0 if it is malformed: Unicode Standard, table 3-7. */
static size_t
utf8_length(const uint8_t *p, size_t size)
{
    uint8_t min = 0x80;
    uint8_t max = 0xbf;
    size_t n;

    if (p[0] < 0x80) {
        return 1;
    } else if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;
    } else if ((p[0] & 0xf0) == 0xe0) {
        n = 3;
        min = p[0] == 0xe0 ? 0xa0 : 0x80;
        max = p[0] == 0xed ? 0x9f : 0xbf;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        min = p[0] == 0xf0 ? 0x90 : 0x80;
        max = p[0] == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }

    if (size < n || p[1] < min || p[1] > max) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

/* Returns the UTF-16 code unit of the "\uXXXX" at the scan's position, or -1
 * if there is none. */
static int
peek_unicode_escape(const struct scan *s, size_t pos)
{
    char digits[5];
    char *end;

    if (s->size - pos < 6 || s->text[pos] != '\\' || s->text[pos + 1] != 'u') {
        return -1;
    }
    memcpy(digits, &s->text[pos + 2], 4);
    digits[4] = '\0';
    if (strspn(digits, "0123456789abcdefABCDEF") != 4) {
        return -1;
    }
    return strtol(digits, &end, 16);
}

/* Passes the escape at the scan's position.  Whether it is one of those that
 * exist is left to the parser. */
static struct err *OVS_WARN_UNUSED_RESULT
scan_escape(struct scan *s)
{
    int unit = peek_unicode_escape(s, s->pos);

    if (unit >= 0xdc00 && unit <= 0xdfff) {
        return err_at(s->text, s->pos,
                      "trailing surrogate without a leading one");
    } else if (unit >= 0xd800 && unit <= 0xdbff
               && peek_unicode_escape(s, s->pos + 6) >= 0) {
        s->pos += 12;
    } else if (s->size - s->pos >= 2) {
        if ((uint8_t) s->text[s->pos + 1] < 0x20
            || (uint8_t) s->text[s->pos + 1] >= 0x80) {
            return err_at(s->text, s->pos, "bad escape");
        }
        s->pos += 2;
    } else {
        s->pos = s->size;
    }
    return NULL;
}

/* Passes the string whose opening quote the scan stands on, up to the end of
 * the input if its closing quote is missing, and sets '*completep'. */
static struct err *OVS_WARN_UNUSED_RESULT
scan_string(struct scan *s, bool *completep)
{
    const uint8_t *text = (const uint8_t *) s->text;

    *completep = false;
    s->pos++;
    while (s->pos < s->size) {
        uint8_t c = text[s->pos];
        if (c == '"') {
            s->pos++;
            *completep = true;
            return NULL;
        } else if (c == '\\') {
            struct err *err = scan_escape(s);
            if (err) {
                return err;
            }
        } else {
            size_t n = utf8_length(&text[s->pos], s->size - s->pos);
            if (c < 0x20 || !n) {
                return err_at(s->text, s->pos,
                              n ? "control character in string"
                                : "string is not UTF-8");
            }
            s->pos += n;
        }
    }
    return NULL;
}

static bool
is_white(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* May 'c' be part of a number or of "true", "false" and "null"? */
static bool
is_word(uint8_t c)
{
    return ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
            || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' || c == '.');
}

static void
scan_word(struct scan *s)
{
    while (s->pos < s->size && is_word(s->text[s->pos])) {
        s->pos++;
    }
}

/* Passes one token and keeps count of brackets in '*depthp'.  Sets
 * '*completep' to false if the input ends inside the token. */
static struct err *OVS_WARN_UNUSED_RESULT
scan_token(struct scan *s, int *depthp, bool *completep)
{
    uint8_t c = s->text[s->pos];

    *completep = true;
    if (c == '"') {
        return scan_string(s, completep);
    } else if (is_word(c)) {
        scan_word(s);
        return NULL;
    } else if (c == '[' || c == '{') {
        ++*depthp;
    } else if (c == ']' || c == '}') {
        --*depthp;
    } else if (!is_white(c) && (!*depthp || (c != ',' && c != ':'))) {
        AUTO_DS problem = DS_EMPTY_INITIALIZER;
        ds_put_cstr(&problem, "unexpected '");
        text_put_printable(&problem, &s->text[s->pos], 1);
        ds_put_char(&problem, '\'');
        return err_at(s->text, s->pos, ds_cstr(&problem));
    }
    s->pos++;
    return NULL;
}

static void
scan_white(struct scan *s)
{
    while (s->pos < s->size && is_white(s->text[s->pos])) {
        s->pos++;
    }
}

/* Passes one value.  '*completep' becomes false if the input ends before the
 * value does. */
static struct err *OVS_WARN_UNUSED_RESULT
scan_value(struct scan *s, int max_depth, bool *completep)
{
    int depth = 0;

    do {
        size_t start = s->pos;
        struct err *err = scan_token(s, &depth, completep);
        if (err || !*completep) {
            return err;
        }
        if (depth > max_depth) {
            AUTO_TEXT *problem =
                mem_textf("nested deeper than %d levels", max_depth);
            return err_at(s->text, start, problem);
        }
    } while (depth > 0 && s->pos < s->size);
    *completep = depth <= 0;
    return NULL;
}

/* Turns the parser's complaint, "line 0, column 3, byte 3: problem", into an
 * error.  Byte 1 for the parser is byte 'start' of 'text'. */
static struct err *OVS_WARN_UNUSED_RESULT
parser_err(const char *text, size_t start, size_t end, const char *complaint)
{
    int byte;
    int n = 0;

    if (sscanf(complaint, "line %*d, column %*d, byte %d: %n", &byte, &n) != 1
        || !n || byte < 1) {
        return err_at(text, end, complaint);
    }

    /* The end of a token is noticed at the byte after it. */
    size_t pos = start + byte - 1;
    return err_at(text, pos < end ? pos : end, complaint + n);
}

/* Returns the member of 'object', or null if there is none or 'object' is
 * null or not an object. */
const struct json *
jget(const struct json *object, const char *member)
{
    return (object && object->type == JSON_OBJECT
                ? shash_find_data(json_object(object), member)
                : NULL);
}

const char *
jget_text(const struct json *object, const char *member)
{
    const struct json *value = jget(object, member);
    return value && value->type == JSON_STRING ? json_string(value) : NULL;
}

/* Leaves '*valuep' alone and returns false unless the member is an integer. */
bool
jget_int(const struct json *object, const char *member, int64_t *valuep)
{
    const struct json *value = jget(object, member);
    if (!value || value->type != JSON_INTEGER) {
        return false;
    }
    *valuep = json_integer(value);
    return true;
}

/* Leaves '*valuep' alone and returns false unless the member is a boolean. */
bool
jget_bool(const struct json *object, const char *member, bool *valuep)
{
    const struct json *value = jget(object, member);
    if (!value || (value->type != JSON_TRUE && value->type != JSON_FALSE)) {
        return false;
    }
    *valuep = json_boolean(value);
    return true;
}

/* Stores the value, owned by the caller, in '*jsonp' and returns null, or
 * leaves '*jsonp' alone and returns ERR_INVALID that says what is wrong and
 * where.  A number, string or word counts as no level, "[]" as one. */
struct err *
json_parse_limited(const char *text, size_t size, int max_depth,
                   struct json **jsonp)
{
    struct scan s = { .text = text, .size = size };
    bool complete;

    scan_white(&s);
    if (s.pos >= size) {
        return err_at(text, size, "there is no value");
    }

    size_t start = s.pos;
    struct err *err = scan_value(&s, max_depth, &complete);
    if (err) {
        return err;
    }

    /* What is incomplete is parsed too: there may be an earlier mistake. */
    struct json_parser *parser = json_parser_create(JSPF_TRAILER);
    json_parser_feed(parser, "[", 1);
    json_parser_feed(parser, text + start, s.pos - start);
    if (complete) {
        json_parser_feed(parser, "]", 1);
    }

    AUTO(json) *array = json_parser_finish(parser);
    if (array->type != JSON_ARRAY) {
        return parser_err(text, start, s.pos, json_string(array));
    } else if (json_array(array)->n != 1) {
        return err_at(text, start, "there is not one value");
    }
    *jsonp = json_clone(json_array(array)->elems[0]);
    return NULL;
}
