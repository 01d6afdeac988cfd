/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_FIXTURE_H
#define API_FIXTURE_H 1

/* The api layer without a transport: requests through api_handle(), a model
 * without a store, and a fabric that says what the test wants. */

#include "api/api-private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BASE    "/controller/nb/v2/neutron/"
#define NEUTRON "/restconf/operational/neutron:neutron/"
#define ID(N)   "00000000-0000-4000-8000-00000000000" #N
#define NET1    "{\"id\":\"" ID(1) "\",\"name\":\"one\",\"tenant_id\":\"t\"}"

/* The fabric, doubled. */
struct fabric {
    bool wired;
    bool connected;
};

struct fixture {
    struct loop *loop;
    struct model *model;
    struct fabric fabric;
    struct api_settings settings;
    struct api *api;
    char *users_path;
    /* The last answer. */
    int n_answers;
    int status;
    char *body, *type, *location, *cookies;
    struct feed *feed;
};

/* Fills in what 'f' lacks and makes its api. */
void fixture_open(struct fixture *f, bool strict);
int setup_default(void **state);
int setup_strict(void **state);
int teardown(void **state);

/* Takes the request; returns when it is answered. */
void send_request(struct fixture *, struct request *);
/* Sends a request of the local user's, and fails unless it gets 'status'. */
void expect(struct fixture *, int status, const char *method,
            const char *target, const char *body);
/* Is this in the answer's body, or not? */
void expect_text(const struct fixture *, const char *part);
void expect_no_text(const struct fixture *, const char *part);
/* The body, parsed. */
struct json *body_json(const struct fixture *);
/* How many objects are in the list that was answered? */
size_t body_count(const struct fixture *, const char *plural);

/* A feed's sink that keeps what it is sent. */
extern const struct feed_sink recorder;
extern struct ds fed;
extern int n_finished;

/* An edit of facts: the host "sys-1", known as "compute-1". */
void put_host(struct txn *, void *aux);

#define TEST(NAME, SETUP)                                                     \
    cmocka_unit_test_setup_teardown(test_##NAME, setup_##SETUP, teardown)

/* A setup whose API knows the user bob with the password "secret". */
int setup_users(void **state);
/* Status of a GET with these headers; null: none. */
int ask_as(struct fixture *, const char *authorization, const char *cookie);
#define BOB   "Basic Ym9iOnNlY3JldA==" /* bob:secret */
#define WRONG "Basic Ym9iOndyb25n"     /* bob:wrong */

#endif /* api_fixture.h */
