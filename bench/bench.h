/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H 1

/* What the measuring programs share: an HTTP client, samples, waiting.
 *
 * Each program prints one JSON object, {"name": value, ...}, times in
 * milliseconds, and exits with status 1 and a message if anything is not as
 * it should be. */

#include "base/loop.h"

void bench_fail(const char *format, ...) OVS_PRINTF_FORMAT(1, 2) OVS_NO_RETURN;

/* Runs until 'predicate' is true; fails with 'what' after 'seconds'. */
void bench_wait(struct loop *, bool (*predicate)(void *aux), void *aux,
                int seconds, const char *what);
void bench_sleep(struct loop *, uint64_t us);

/* Samples. */
struct samples {
    double *items;
    size_t n, allocated;
};
void samples_add(struct samples *, double);
double samples_percentile(struct samples *, double percent);
void samples_uninit(struct samples *);
/* Puts NAME_p50 and NAME_p99. */
void samples_put(struct samples *, struct json *, const char *name);

/* HTTP/1.1 with keep-alive, one request at a time per client. */
struct http_client;
struct http_client *http_client_create(struct loop *, uint16_t port);
void http_client_destroy(struct http_client *);
/* 'answered' gets the status and the body, valid during the call. */
void http_client_send(struct http_client *, const char *method,
                      const char *path, const char *body,
                      void (*answered)(int status, const char *body,
                                       size_t size, void *aux),
                      void *aux);
/* Runs the loop until the answer is there and returns its status; '*bodyp',
 * if not null, is the caller's. */
int http_client_ask(struct http_client *, const char *method, const char *path,
                    const char *body, char **bodyp);
/* A request whose answer does not end: 'line' is called for each line. */
void http_client_stream(struct http_client *, const char *path,
                        void (*line)(const char *, void *aux), void *aux);

#endif /* bench/bench.h */
