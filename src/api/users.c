/* SPDX-License-Identifier: Apache-2.0 */
/* Users: who may ask.
 *
 *     users file   name:hash per line, crypt(3) with yescrypt
 *     logins       sha256(salt, Authorization header) -> user, or refused
 *     sessions     cookie token -> user
 *     guesses      passwords being checked by a helper thread
 *
 * yescrypt is slow on purpose, and drivers send the password with every
 * request.  So a header that was checked once is remembered: under a salted
 * digest, never as text, for a bounded time, and not beyond a reload of the
 * users file.  Wrong headers are remembered shortly, so that a client which
 * repeats itself costs one check.  Different wrong headers draw from a bucket;
 * while it is empty no new header is checked (503), and headers known to be
 * good go on working.
 *
 * A login by password is given a session: the cookies JSESSIONID and
 * JSESSIONIDSSO (spec of the northbound, section 1), accepted until idle for
 * an hour.  One login has one session, however many requests it makes.
 *
 * Costs: a request with a known header is O(1) and one SHA-256 of it. */

#include "api/api-private.h"

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <sys/param.h>

#include "openvswitch/vlog.h"

VLOG_DEFINE_THIS_MODULE(users);
static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

#define SECOND            UINT64_C(1000000)
#define MAX_LOGINS        1024
#define GOOD_LOGIN_LIFE   (3600 * SECOND)
#define BAD_LOGIN_LIFE    (10 * SECOND)
#define SESSION_IDLE_LIFE (3600 * SECOND)
#define MAX_GUESSES       16           /* Waiting for the helper thread. */
#define BUCKET_SIZE       20           /* Wrong guesses at once ... */
#define BUCKET_REFILL     (SECOND / 5) /* ... and one more each 0.2 s. */
#define TOKEN_LENGTH      32           /* Hex digits: 128 bits. */
#define MAX_HEADER        1024

/* Accepted by nobody's password: keeps the time of a check the same for names
 * that do not exist. */
#define NOBODY                                                                \
    "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$"                                          \
    "X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"

struct account {
    char *name;
    char *hash;
};

struct login {
    struct hmap_node by_digest; /* In users->logins. */
    struct hmap_node by_token;  /* In users->sessions, if 'user'. */
    struct ovs_list node;       /* In users->recent, oldest first. */
    uint8_t digest[DIGEST_SIZE];
    char token[TOKEN_LENGTH + 1];
    char *user;          /* Null: refused. */
    uint64_t expires;    /* As a password. */
    uint64_t idle_since; /* As a session. */
};

struct guess {
    struct ovs_list node; /* In users->guesses. */
    struct users *users;
    struct ovs_list waiters;
    uint8_t digest[DIGEST_SIZE];
    char *name, *password, *hash;
    bool right;
    unsigned int generation;
};

struct waiter {
    struct ovs_list node;
    void (*done)(void *aux);
    void *aux;
};

struct users {
    struct loop *loop;
    struct account *accounts;
    size_t n_accounts;
    bool accepts_default; /* admin/admin. */
    uint8_t salt[32];
    struct hmap logins, sessions;
    struct ovs_list recent;
    struct ovs_list guesses;
    size_t n_guesses;
    double bucket;
    uint64_t bucket_filled;
    unsigned int generation; /* Counts reloads. */
    bool dying;              /* Freed when the last guess is done. */
};

/* The file. */

static void
accounts_clear(struct users *users)
{
    for (size_t i = 0; i < users->n_accounts; i++) {
        free(users->accounts[i].name);
        free(users->accounts[i].hash);
    }
    free(users->accounts);
    users->accounts = NULL;
    users->n_accounts = 0;
}

static void
accounts_load(struct users *users, const char *path)
{
    FILE *file = path ? fopen(path, "re") : NULL;
    if (!file) {
        if (path) {
            VLOG_WARN("%s: cannot read users: %s", path, strerror(errno));
        }
        return;
    }

    char line[512];
    size_t allocated = 0;
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\r\n")] = '\0';
        char *hash = strchr(line, ':');
        if (!hash || line[0] == '#' || hash == line || !hash[1]) {
            continue;
        }
        *hash++ = '\0';
        ARRAY_GROW(users->accounts, users->n_accounts, allocated);
        users->accounts[users->n_accounts].name = mem_text(line);
        users->accounts[users->n_accounts].hash = mem_text(hash);
        users->n_accounts++;
    }
    explicit_bzero(line, sizeof line);
    fclose(file);
}

static const char *
accounts_find(const struct users *users, const char *name)
{
    for (size_t i = 0; i < users->n_accounts; i++) {
        if (!strcmp(users->accounts[i].name, name)) {
            return users->accounts[i].hash;
        }
    }
    return NULL;
}

/* Logins. */

static void
login_destroy(struct users *users, struct login *login)
{
    hmap_remove(&users->logins, &login->by_digest);
    if (login->user) {
        hmap_remove(&users->sessions, &login->by_token);
    }
    ovs_list_remove(&login->node);
    explicit_bzero(login->token, sizeof login->token);
    free(login->user);
    free(login);
}

static void
logins_clear(struct users *users)
{
    struct login *login;
    LIST_FOR_EACH_SAFE (login, node, &users->recent) {
        login_destroy(users, login);
    }
}

static size_t
digest_hash(const uint8_t digest[DIGEST_SIZE])
{
    uint32_t hash;
    memcpy(&hash, digest, sizeof hash);
    return hash;
}

static void
users_digest(const struct users *users, const char *header,
             uint8_t digest[DIGEST_SIZE])
{
    digest_salted(users->salt, sizeof users->salt, header, digest);
}

static struct login *
users_find_login(struct users *users, const uint8_t digest[DIGEST_SIZE])
{
    struct login *login;
    HMAP_FOR_EACH_WITH_HASH (login, by_digest, digest_hash(digest),
                             &users->logins) {
        if (!memcmp(login->digest, digest, sizeof login->digest)) {
            return login;
        }
    }
    return NULL;
}

/* Remembers what became of a header; 'user' null means refused. */
static void
users_remember(struct users *users, const uint8_t digest[DIGEST_SIZE],
               const char *user)
{
    struct login *login = users_find_login(users, digest);
    if (login) {
        login_destroy(users, login);
    }
    if (hmap_count(&users->logins) >= MAX_LOGINS) {
        login_destroy(users, CONTAINER_OF(ovs_list_front(&users->recent),
                                          struct login, node));
    }

    uint8_t random[TOKEN_LENGTH / 2];
    uint64_t now = loop_now(users->loop);
    loop_random(users->loop, random, sizeof random);
    login = NEW(struct login);
    for (size_t i = 0; i < sizeof random; i++) {
        snprintf(login->token + 2 * i, 3, "%02x", random[i]);
    }
    memcpy(login->digest, digest, sizeof login->digest);
    login->user = mem_text(user);
    login->expires = now + (user ? GOOD_LOGIN_LIFE : BAD_LOGIN_LIFE);
    login->idle_since = now;
    hmap_insert(&users->logins, &login->by_digest, digest_hash(digest));
    if (user) {
        hmap_insert(&users->sessions, &login->by_token,
                    (size_t) hash64_text(login->token, 0));
    }
    ovs_list_push_back(&users->recent, &login->node);
}

/* Sessions. */

/* Looks for "NAME=token" in a Cookie header (RFC 6265 section 4.2). */
static bool
cookie_get(const char *cookie, const char *name, char token[TOKEN_LENGTH + 1])
{
    size_t length = strlen(name);
    while (cookie) {
        cookie += strspn(cookie, "; ");
        if (!strncmp(cookie, name, length) && cookie[length] == '=') {
            const char *value = cookie + length + 1;
            value += *value == '"';
            if (strspn(value, "0123456789abcdef") == TOKEN_LENGTH) {
                memcpy(token, value, TOKEN_LENGTH);
                token[TOKEN_LENGTH] = '\0';
                return true;
            }
        }
        cookie = strchr(cookie, ';');
    }
    return false;
}

static struct login *
users_find_session(struct users *users, const char *cookie)
{
    char token[TOKEN_LENGTH + 1];
    if (!cookie
        || (!cookie_get(cookie, "JSESSIONID", token)
            && !cookie_get(cookie, "JSESSIONIDSSO", token))) {
        return NULL;
    }

    struct login *login;
    uint64_t now = loop_now(users->loop);
    HMAP_FOR_EACH_WITH_HASH (login, by_token, (size_t) hash64_text(token, 0),
                             &users->sessions) {
        if (text_equals_secret(login->token, token)) {
            if (now - login->idle_since > SESSION_IDLE_LIFE) {
                return NULL;
            }
            login->idle_since = now;
            return login;
        }
    }
    return NULL;
}

void
users_put_cookies(struct users *users, const struct request *request,
                  struct response *response)
{
    static const char *const names[] = { "JSESSIONID", "JSESSIONIDSSO" };
    uint8_t digest[DIGEST_SIZE];

    if (!request->authorization
        || users_find_session(users, request->cookie)) {
        return;
    }
    users_digest(users, request->authorization, digest);
    struct login *login = users_find_login(users, digest);
    if (!login || !login->user) {
        return;
    }
    login->idle_since = loop_now(users->loop);
    for (size_t i = 0; i < N_ITEMS(names); i++) {
        shash_add(&response->headers, "Set-Cookie",
                  mem_textf("%s=%s; Path=/; HttpOnly; SameSite=Strict%s",
                            names[i], login->token,
                            request->secure ? "; Secure" : ""));
    }
}

/* Checking. */

static void
users_refill_bucket(struct users *users)
{
    uint64_t now = loop_now(users->loop);
    users->bucket += (double) (now - users->bucket_filled) / BUCKET_REFILL;
    users->bucket = MIN(users->bucket, BUCKET_SIZE);
    users->bucket_filled = now;
}

/* Takes "Basic <base64 of name:password>" apart (RFC 7617).  The caller frees
 * '*namep'; '*passwordp' points into it. */
static bool
header_decode(const char *header, char **namep, char **passwordp)
{
    if (strncasecmp(header, "Basic ", 6)) {
        return false;
    }
    header += 6 + strspn(header + 6, " ");
    size_t length = strcspn(header, " ");
    size_t size = 0;
    char *text =
        (length <= MAX_HEADER ? base64_decode(header, length, &size) : NULL);
    char *colon = text ? memchr(text, ':', size) : NULL;
    if (!colon || strlen(text) != size) {
        free(text);
        return false;
    }
    *colon = '\0';
    *namep = text;
    *passwordp = colon + 1;
    return true;
}

/* Decides without a slow hash where that is possible. */
static enum users_verdict
users_check_default(struct users *users, const char *header,
                    const uint8_t digest[DIGEST_SIZE])
{
    char *name, *password;
    if (strlen(header) > MAX_HEADER
        || !header_decode(header, &name, &password)) {
        return USERS_REFUSED;
    }

    bool is_default = (users->accepts_default && !strcmp(name, "admin")
                       && !strcmp(password, "admin"));
    bool hopeless =
        (!is_default && users->accepts_default && !users->n_accounts);
    explicit_bzero(password, strlen(password));
    free(name);
    if (is_default) {
        users_remember(users, digest, "admin");
        return USERS_ALLOWED;
    }
    if (hopeless) {
        return USERS_REFUSED;
    }
    users_refill_bucket(users);
    return users->bucket < 1 ? USERS_BUSY : USERS_UNKNOWN;
}

enum users_verdict
users_check(struct users *users, struct request *request)
{
    struct login *login;

    if (!request->authorization) {
        login = users_find_session(users, request->cookie);
        if (!login) {
            return USERS_REFUSED;
        }
        request->user = mem_text(login->user);
        return USERS_ALLOWED;
    }

    uint8_t digest[DIGEST_SIZE];
    users_digest(users, request->authorization, digest);
    login = users_find_login(users, digest);
    if (!login || loop_now(users->loop) >= login->expires) {
        enum users_verdict verdict =
            users_check_default(users, request->authorization, digest);
        if (verdict != USERS_ALLOWED) {
            return verdict;
        }
        login = users_find_login(users, digest);
    }
    if (!login->user) {
        return USERS_REFUSED;
    }
    request->user = mem_text(login->user);
    return USERS_ALLOWED;
}

/* Guesses. */

static void
guess_work(void *guess_)
{
    struct guess *guess = guess_;
    struct crypt_data *data = NEW(struct crypt_data);
    const char *hash =
        crypt_rn(guess->password, guess->hash, data, sizeof *data);
    guess->right = hash && text_equals_secret(hash, guess->hash);
    explicit_bzero(data, sizeof *data);
    free(data);
}

static void
guess_destroy(struct guess *guess)
{
    struct waiter *waiter;
    LIST_FOR_EACH_SAFE (waiter, node, &guess->waiters) {
        free(waiter);
    }
    ovs_list_remove(&guess->node);
    guess->users->n_guesses--;
    explicit_bzero(guess->password, strlen(guess->password));
    free(guess->name);
    free(guess->hash);
    free(guess);
}

static void
users_free(struct users *users)
{
    logins_clear(users);
    hmap_destroy(&users->logins);
    hmap_destroy(&users->sessions);
    accounts_clear(users);
    explicit_bzero(users->salt, sizeof users->salt);
    free(users);
}

static void
guess_done(void *guess_)
{
    struct guess *guess = guess_;
    struct users *users = guess->users;

    if (!users->dying) {
        /* A reload meanwhile may have changed the password. */
        if (guess->generation == users->generation) {
            users_remember(users, guess->digest,
                           guess->right ? guess->name : NULL);
        }
        if (!guess->right) {
            users_refill_bucket(users);
            users->bucket = MAX(users->bucket - 1, 0);
            VLOG_WARN_RL(&rl, "a login failed: wrong name or password");
        }
    }

    struct ovs_list waiters;
    ovs_list_init(&waiters);
    ovs_list_push_back_all(&waiters, &guess->waiters);
    guess_destroy(guess);
    if (users->dying && !users->n_guesses) {
        users_free(users);
    }

    struct waiter *waiter;
    LIST_FOR_EACH_SAFE (waiter, node, &waiters) {
        ovs_list_remove(&waiter->node);
        waiter->done(waiter->aux);
        free(waiter);
    }
}

static struct guess *
guess_create(struct users *users, const char *authorization,
             const uint8_t digest[DIGEST_SIZE])
{
    struct guess *guess = NEW(struct guess);
    guess->users = users;
    guess->generation = users->generation;
    ovs_list_init(&guess->waiters);
    memcpy(guess->digest, digest, sizeof guess->digest);
    if (!header_decode(authorization, &guess->name, &guess->password)) {
        guess->name = mem_text("");
        guess->password = guess->name;
    }
    const char *hash = accounts_find(users, guess->name);
    guess->hash = mem_text(hash ? hash : NOBODY);
    ovs_list_push_back(&users->guesses, &guess->node);
    users->n_guesses++;
    return guess;
}

void
users_verify(struct users *users, const char *authorization,
             void (*done)(void *aux), void *aux)
{
    struct waiter *waiter = NEW(struct waiter);
    waiter->done = done;
    waiter->aux = aux;

    uint8_t digest[DIGEST_SIZE];
    users_digest(users, authorization, digest);
    struct guess *guess;
    LIST_FOR_EACH (guess, node, &users->guesses) {
        if (!memcmp(guess->digest, digest, sizeof digest)) {
            ovs_list_push_back(&guess->waiters, &waiter->node);
            return;
        }
    }
    if (users->n_guesses >= MAX_GUESSES) {
        users->bucket = 0; /* Makes users_check() say "busy". */
        loop_defer(users->loop, done, aux);
        free(waiter);
        return;
    }
    guess = guess_create(users, authorization, digest);
    ovs_list_push_back(&guess->waiters, &waiter->node);
    loop_work(users->loop, LANE_OTHER, guess_work, guess_done, guess);
}

/* Life. */

static bool
is_loopback(const char *address)
{
    return address
           && (!strcmp(address, "127.0.0.1") || !strcmp(address, "::1"));
}

struct users *
users_create(struct loop *loop, const struct api_settings *settings)
{
    struct users *users = NEW(struct users);
    users->loop = loop;
    hmap_init(&users->logins);
    hmap_init(&users->sessions);
    ovs_list_init(&users->recent);
    ovs_list_init(&users->guesses);
    users->bucket = BUCKET_SIZE;
    users->bucket_filled = loop_now(loop);
    loop_random(loop, users->salt, sizeof users->salt);
    users_reload(users, settings);
    return users;
}

void
users_reload(struct users *users, const struct api_settings *settings)
{
    users->generation++;
    logins_clear(users);
    accounts_clear(users);
    accounts_load(users, settings->users_path);
    users->accepts_default =
        (settings->development || is_loopback(settings->listen_address));
}

void
users_destroy(struct users *users)
{
    if (users) {
        users->dying = true;
        if (!users->n_guesses) {
            users_free(users);
        }
    }
}
