/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOOP_PRIVATE_H
#define BASE_LOOP_PRIVATE_H 1

/* What the files of the loop on libevent share.  Nobody else includes this. */

#include "base/loop.h"

struct event_base;
struct event;
struct ssl_st;

struct event_base *loop_event_base(const struct loop *);

/* An event that can be added, with the callback 'cb'. */
struct event *loop_event_create(struct loop *, int fd, short what,
                                void (*cb)(int fd, short what, void *aux),
                                void *aux);

/* A TLS session to be, which the caller frees.  It may outlive the context. */
struct ssl_st *tls_session_create(struct tls_context *);
/* The common name of the peer's certificate, printable, or null.  Caller
 * frees. */
char *tls_session_peer_name(const struct ssl_st *);
/* What went wrong in OpenSSL in this thread, or null.  Caller frees. */
char *tls_session_problem(const struct ssl_st *, unsigned long error);

/* A channel for the connected socket 'fd', which it takes over, and the
 * callback for when its TLS handshake is over: 'reason' is null if it went
 * well; otherwise 'cb' must destroy the channel. */
struct channel *
channel_accept(struct loop *, int fd, struct tls_context *tls_or_null,
               void (*cb)(struct channel *, const char *reason, void *aux),
               void *aux);

#endif /* base/loop-private.h */
