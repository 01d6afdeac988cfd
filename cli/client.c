/* SPDX-License-Identifier: Apache-2.0 */
/* Asking weftd: one HTTP request per call, through libcurl.
 *
 * The local socket needs no password: who may open it is trusted.  Over the
 * network, basic authentication.  What goes wrong is told as what to do about
 * it, because the reader is an operator in front of a terminal. */

#include "cli/weft.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>

#define MAX_ANSWER (256u << 20)
#define MAX_DEPTH  64

struct answer {
    struct ds text;
    /* Set while following. */
    void (*line)(const char *, void *aux);
    void *aux;
    CURL *curl;
};

static size_t
take_text(char *data, size_t size, size_t n, void *answer_)
{
    struct answer *answer = answer_;
    if (answer->text.length + size * n > MAX_ANSWER) {
        return 0;
    }
    ds_put_buffer(&answer->text, data, size * n);
    return size * n;
}

static size_t
take_lines(char *data, size_t size, size_t n, void *answer_)
{
    struct answer *answer = answer_;
    long status = 0;
    curl_easy_getinfo(answer->curl, CURLINFO_RESPONSE_CODE, &status);
    take_text(data, size, n, answer);
    if (status != 200) {
        return size * n; /* An error: kept whole. */
    }
    char *end;
    while (answer->text.length
           && (end = memchr(answer->text.string, '\n', answer->text.length))) {
        size_t length = end - answer->text.string;
        *end = '\0';
        if (length && end[-1] == '\r') {
            end[-1] = '\0';
        }
        answer->line(answer->text.string, answer->aux);
        memmove(answer->text.string, end + 1,
                answer->text.length - length - 1);
        ds_truncate(&answer->text, answer->text.length - length - 1);
    }
    return size * n;
}

/* Where we ask, for messages. */
static const char *
place(const struct weft *weft)
{
    return weft->options.url ? weft->options.url : weft->options.socket;
}

static struct err *
explain_failure(const struct weft *weft, CURLcode code, const char *detail)
{
    if (!weft->options.url) {
        return err_new(ERR_UNAVAILABLE, NULL,
                       "cannot reach weftd at %s: is it running, and may you "
                       "open its socket?  systemctl status weftd",
                       place(weft));
    }
    if (code == CURLE_PEER_FAILED_VERIFICATION
        || code == CURLE_SSL_CACERT_BADFILE) {
        return err_new(ERR_UNAVAILABLE, NULL,
                       "%s: the certificate is not trusted: name its "
                       "authority with --ca FILE (%s)",
                       place(weft), detail);
    }
    return err_new(ERR_UNAVAILABLE, NULL, "cannot reach weftd at %s: %s",
                   place(weft), detail);
}

/* The error that an answer with 'status' holds. */
static struct err *
explain_refusal(const struct weft *weft, long status, const char *text)
{
    if (status == 401) {
        return err_new(ERR_DENIED, NULL,
                       "%s: the user's name or password is wrong: give --user "
                       "and --password-file, or set WEFT_USER and "
                       "WEFT_PASSWORD",
                       place(weft));
    }
    enum err_kind kind = (status == 404   ? ERR_MISSING
                          : status == 409 ? ERR_IN_USE
                          : status == 503 ? ERR_UNAVAILABLE
                                          : ERR_CORRUPT);
    AUTO(json) *json = NULL;
    struct err *bad = json_parse_limited(text, strlen(text), MAX_DEPTH, &json);
    const struct json *error = bad ? NULL : jget(json, "error");
    err_destroy(bad);
    const char *why = error ? jget_text(error, "text") : NULL;
    if (!why) {
        return err_new(kind, NULL, "weftd answered with HTTP status %ld",
                       status);
    }
    struct err *err = err_new(kind, jget_text(error, "field"), "%s", why);
    const char *object = jget_text(error, "object");
    return object ? err_about(err, "%s", object) : err;
}

static void
set_up(CURL *curl, const struct weft *weft, const char *method,
       const char *url, char error[CURL_ERROR_SIZE])
{
    error[0] = '\0';
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 10L);
    /* An operator's proxy is for the outside world. */
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (!weft->options.url) {
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, weft->options.socket);
    } else {
        if (weft->options.user) {
            curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
            curl_easy_setopt(curl, CURLOPT_USERNAME, weft->options.user);
            curl_easy_setopt(curl, CURLOPT_PASSWORD,
                             weft->options.password ? weft->options.password
                                                    : "");
        }
        if (weft->options.ca) {
            curl_easy_setopt(curl, CURLOPT_CAINFO, weft->options.ca);
        }
    }
}

/* Sends the request; the answer's text is in 'answer' if null is returned. */
static struct err *
perform(const struct weft *weft, const char *method, const char *path,
        const char *body, struct answer *answer)
{
    CURL *curl = curl_easy_init();
    if (!curl) {
        return err_new(ERR_UNAVAILABLE, NULL, "libcurl does not start");
    }
    answer->curl = curl;
    AUTO_TEXT *base =
        mem_text(weft->options.url ? weft->options.url : "http://localhost");
    size_t length = strlen(base);
    while (length && base[length - 1] == '/') {
        base[--length] = '\0';
    }
    AUTO_TEXT *url = mem_textf("%s%s", base, path);
    char error[CURL_ERROR_SIZE];
    set_up(curl, weft, method, url, error);
    struct curl_slist *headers = NULL;
    if (body) {
        headers = curl_slist_append(headers, "Content-Type: application/json");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
    if (answer->line) {
        headers = curl_slist_append(headers, "Accept: text/event-stream");
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION,
                     answer->line ? take_lines : take_text);
    CURLcode code = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (code) {
        return explain_failure(weft, code,
                               error[0] ? error : curl_easy_strerror(code));
    }
    if (status < 200 || status >= 300) {
        return explain_refusal(weft, status, ds_cstr(&answer->text));
    }
    return NULL;
}

struct err *
client_call(const struct weft *weft, const char *method, const char *path,
            const struct json *body, struct json **answerp)
{
    struct answer answer = { .line = NULL };
    ds_init(&answer.text);
    AUTO_TEXT *text = body ? json_to_string(body, 0) : NULL;
    struct err *err = perform(weft, method, path,
                              text                      ? text
                              : !strcmp(method, "POST") ? ""
                                                        : NULL,
                              &answer);
    if (!err) {
        struct json *json = NULL;
        if (!answer.text.length) {
            json = json_object_create();
        } else {
            err = json_parse_limited(ds_cstr(&answer.text), answer.text.length,
                                     MAX_DEPTH, &json);
        }
        if (err) {
            err_destroy(err);
            err = err_new(ERR_CORRUPT, NULL,
                          "%s does not answer as weftd "
                          "does: is it another server?",
                          place(weft));
        } else {
            *answerp = json;
        }
    }
    ds_destroy(&answer.text);
    return err;
}

struct err *
client_follow(const struct weft *weft, const char *path,
              void (*line)(const char *, void *aux), void *aux)
{
    struct answer answer = { .line = line, .aux = aux };
    ds_init(&answer.text);
    struct err *err = perform(weft, "GET", path, NULL, &answer);
    ds_destroy(&answer.text);
    return err;
}

void
client_put_escaped(struct ds *ds, const char *text)
{
    for (const unsigned char *p = (const unsigned char *) text; *p; p++) {
        bool plain =
            ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z')
             || (*p >= 'A' && *p <= 'Z') || strchr("-._~", *p) != NULL);
        if (plain) {
            ds_put_char(ds, *p);
        } else {
            ds_put_format(ds, "%%%02X", *p);
        }
    }
}
