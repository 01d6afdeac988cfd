/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about the daemon and its switches.
 *
 * Each asks one view of weftd (/weft/v1/...) and prints its answer as JSON,
 * as identifiers for scripts, or laid out for people.  Whatever a view says
 * that this program does not know is printed all the same, by its name. */

#include "cli/weft.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "weft-config.h"

#define API "/weft/v1"

/* 'object's array 'member', or null; '*np' is its length. */
static struct json *const *
jget_array(const struct json *object, const char *member, size_t *np)
{
    const struct json *array = jget(object, member);
    bool ok = array && array->type == JSON_ARRAY;
    *np = ok ? array->array.n : 0;
    return ok ? array->array.elems : NULL;
}

static int64_t
get_int(const struct json *object, const char *member)
{
    int64_t value = 0;
    return jget_int(object, member, &value) ? value : 0;
}

static bool
get_bool(const struct json *object, const char *member)
{
    bool value = false;
    return jget_bool(object, member, &value) && value;
}

/* "3 d 4 h", "12 min", "5 s". */
static char *
duration_to_text(int64_t seconds)
{
    if (seconds >= 86400) {
        return mem_textf("%" PRId64 " d %" PRId64 " h", seconds / 86400,
                         seconds % 86400 / 3600);
    } else if (seconds >= 3600) {
        return mem_textf("%" PRId64 " h %" PRId64 " min", seconds / 3600,
                         seconds % 3600 / 60);
    } else if (seconds >= 60) {
        return mem_textf("%" PRId64 " min %" PRId64 " s", seconds / 60,
                         seconds % 60);
    }
    return mem_textf("%" PRId64 " s", seconds);
}

/* Prints 'answer' if JSON was asked for, and returns true then. */
static bool
printed_json(const struct weft *weft, const struct json *answer)
{
    if (weft->options.output == OUTPUT_JSON) {
        print_json(answer);
        return true;
    }
    return false;
}

/* status */

static void
print_objects(const struct json *objects)
{
    if (!objects || objects->type != JSON_OBJECT) {
        return;
    }
    size_t n = shash_count(json_object(objects));
    const struct shash_node **nodes = shash_sort(json_object(objects));
    bool any = false;
    printf("objects  ");
    for (size_t i = 0; i < n; i++) {
        const struct json *count = nodes[i]->data;
        if (count->type == JSON_INTEGER && json_integer(count)) {
            printf("%s%s %" PRId64, any ? ", " : "", nodes[i]->name,
                   json_integer(count));
            any = true;
        }
    }
    printf("%s\n", any ? "" : "none");
    free(nodes);
}

static void
print_problems(const struct weft *weft, const struct json *status)
{
    size_t n;
    struct json *const *problems = jget_array(status, "problems", &n);
    if (!n) {
        printf("problems %snone%s\n", colour(weft, COLOUR_GOOD),
               colour(weft, COLOUR_OFF));
        return;
    }
    printf("problems\n");
    for (size_t i = 0; i < n; i++) {
        AUTO_TEXT *level = value_to_text(jget(problems[i], "level"));
        AUTO_TEXT *about = value_to_text(jget(problems[i], "about"));
        AUTO_TEXT *text = value_to_text(jget(problems[i], "text"));
        printf("  %s%-5s%s %s: %s\n", colour(weft, COLOUR_BAD), level,
               colour(weft, COLOUR_OFF), about, text);
    }
}

struct err *
command_status(struct weft *weft)
{
    AUTO(json) *status = NULL;
    struct err *err = client_call(weft, "GET", API "/status", NULL, &status);
    if (err || printed_json(weft, status)) {
        return err;
    }
    AUTO_TEXT *version = value_to_text(jget(status, "version"));
    AUTO_TEXT *uptime = duration_to_text(get_int(status, "uptime_s"));
    bool ready = get_bool(status, "ready");
    printf("weftd    %s, up %s, %s%s%s\n", version, uptime,
           colour(weft, ready ? COLOUR_GOOD : COLOUR_BAD),
           ready ? "ready" : "not ready", colour(weft, COLOUR_OFF));
    const char *compat = jget_text(status, "compat");
    if (compat && compat[0]) {
        printf("compat   %s\n", compat);
    }
    const struct json *hosts = jget(status, "hosts");
    int64_t known = get_int(hosts, "known");
    int64_t connected = get_int(hosts, "connected");
    printf("hosts    %s%" PRId64 " of %" PRId64 " connected%s\n",
           colour(weft, connected == known ? COLOUR_GOOD : COLOUR_BAD),
           connected, known, colour(weft, COLOUR_OFF));
    printf("rules    %" PRId64 "\n", get_int(status, "rules"));
    print_objects(jget(status, "objects"));
    print_problems(weft, status);
    printf("store\n");
    print_members(weft, jget(status, "store"), 2);
    printf("engine\n");
    print_members(weft, jget(status, "engine"), 2);
    return NULL;
}

/* hosts */

static void
print_host_notes(const struct weft *weft, struct json *const *hosts,
                 size_t n_hosts)
{
    for (size_t i = 0; i < n_hosts; i++) {
        AUTO_TEXT *name = value_to_text(jget(hosts[i], "name"));
        size_t n;
        struct json *const *lacks = jget_array(hosts[i], "lacks", &n);
        for (size_t j = 0; j < n; j++) {
            AUTO_TEXT *text = value_to_text(lacks[j]);
            printf("%s%s lacks:%s %s\n", colour(weft, COLOUR_BAD), name,
                   colour(weft, COLOUR_OFF), text);
        }
        const char *error = jget_text(hosts[i], "last_error");
        if (error && error[0]) {
            AUTO_TEXT *text = value_to_text(jget(hosts[i], "last_error"));
            printf("%s%s last error:%s %s\n", colour(weft, COLOUR_BAD), name,
                   colour(weft, COLOUR_OFF), text);
        }
    }
}

/* How long ago 'since', in seconds since 1970, was.  Caller frees. */
static char *
age_to_text(const struct json *since)
{
    if (!since || (since->type != JSON_REAL && since->type != JSON_INTEGER)) {
        return mem_text("-");
    }
    double then = (since->type == JSON_REAL ? json_real(since)
                                            : (double) json_integer(since));
    double age = difftime(time(NULL), (time_t) then);
    return duration_to_text(age > 0 ? (int64_t) age : 0);
}

static void
put_host(struct grid *grid, const struct json *host)
{
    static const char *const members[] = {
        "name",     "address",        "connected",
        "since",    "tunnel_address", "tunnels",
        "physnets", "ovs_version",    "openflow_version",
        "ports",    "pending"
    };
    for (size_t i = 0; i < N_OF(members); i++) {
        const struct json *value = jget(host, members[i]);
        if (!strcmp(members[i], "since")) {
            AUTO_TEXT *age = age_to_text(value);
            grid_put(grid, age);
        } else {
            grid_put_json(grid, value);
        }
    }
}

struct err *
command_hosts(struct weft *weft)
{
    static const char *const titles[] = {
        "NAME",           "ADDRESS", "CONNECTED", "FOR",
        "TUNNEL ADDRESS", "TUNNELS", "PHYSNETS",  "OVS",
        "OPENFLOW",       "PORTS",   "PENDING"
    };
    AUTO(json) *answer = NULL;
    struct err *err = client_call(weft, "GET", API "/hosts", NULL, &answer);
    if (err || printed_json(weft, answer)) {
        return err;
    }
    size_t n;
    sort_by_name(jget(answer, "hosts"));
    struct json *const *hosts = jget_array(answer, "hosts", &n);
    if (weft->options.output == OUTPUT_IDS) {
        for (size_t i = 0; i < n; i++) {
            AUTO_TEXT *name = value_to_text(jget(hosts[i], "name"));
            printf("%s\n", name);
        }
        return NULL;
    }
    if (!n) {
        printf("no host has connected yet.  On a host:\n"
               "    ovs-vsctl set Open_vSwitch . "
               "other_config:local_ip=TUNNEL_ADDRESS\n"
               "    ovs-vsctl set-manager tcp:ADDRESS_OF_WEFTD:6640\n");
        return NULL;
    }
    struct grid grid;
    grid_init(&grid, titles, N_OF(titles));
    for (size_t i = 0; i < n; i++) {
        put_host(&grid, hosts[i]);
    }
    grid_print(weft, &grid);
    grid_uninit(&grid);
    print_host_notes(weft, hosts, n);
    return NULL;
}

struct err *
command_host(struct weft *weft)
{
    if (strcmp(weft->args[0], "forget")) {
        return err_new(ERR_INVALID, NULL, "usage: weft host forget NAME");
    }
    AUTO_DS path = DS_EMPTY_INITIALIZER;
    ds_put_cstr(&path, API "/hosts/");
    client_put_escaped(&path, weft->args[1]);
    AUTO(json) *answer = NULL;
    struct err *err =
        client_call(weft, "DELETE", ds_cstr(&path), NULL, &answer);
    if (err || printed_json(weft, answer)) {
        return err;
    }
    printf("host %s is forgotten\n", weft->args[1]);
    return NULL;
}

/* rules */

static struct err *
print_live(struct weft *weft)
{
    AUTO_DS path = DS_EMPTY_INITIALIZER;
    ds_put_cstr(&path, API "/live?host=");
    client_put_escaped(&path, weft->args[0]);
    AUTO(json) *answer = NULL;
    struct err *err = client_call(weft, "GET", ds_cstr(&path), NULL, &answer);
    if (!err && !printed_json(weft, answer)) {
        print_lines(jget(answer, "flows"), 0);
    }
    return err;
}

struct err *
command_rules(struct weft *weft)
{
    if (weft->options.live) {
        return print_live(weft);
    }
    const char *what = weft->args[0];
    bool scope = !strcmp(what, "all") || strchr(what, ':') != NULL;
    AUTO_DS path = DS_EMPTY_INITIALIZER;
    ds_put_format(&path, API "/rules?%s=", scope ? "scope" : "host");
    client_put_escaped(&path, what);
    AUTO(json) *answer = NULL;
    struct err *err = client_call(weft, "GET", ds_cstr(&path), NULL, &answer);
    if (err || printed_json(weft, answer)) {
        return err;
    }
    size_t n;
    struct json *const *scopes = jget_array(answer, "scopes", &n);
    for (size_t i = 0; i < n; i++) {
        AUTO_TEXT *id = value_to_text(jget(scopes[i], "scope"));
        const char *name = jget_text(scopes[i], "name");
        size_t n_items;
        jget_array(scopes[i], "items", &n_items);
        printf("%s%s%s%s%s%s: %zu rules, %" PRId64 " subscribers\n",
               colour(weft, COLOUR_TITLE), id, name && name[0] ? " (" : "",
               name ? name : "", name && name[0] ? ")" : "",
               colour(weft, COLOUR_OFF), n_items,
               get_int(scopes[i], "subscribers"));
        print_lines(jget(scopes[i], "items"), 2);
    }
    return NULL;
}

/* explain */

static bool
is_among(const struct json *texts, const char *text)
{
    bool found = false;
    for (size_t i = 0;
         texts && texts->type == JSON_ARRAY && i < texts->array.n; i++) {
        const struct json *one = texts->array.elems[i];
        found =
            found
            || (one->type == JSON_STRING && !strcmp(json_string(one), text));
    }
    return found;
}

/* What the port should have: what is missing stands out. */
static void
print_should(const struct weft *weft, const struct json *answer)
{
    size_t n;
    struct json *const *should = jget_array(answer, "should", &n);
    const struct json *missing = jget(answer, "missing");
    const struct json *has = jget(answer, "has");
    if (has && has->type == JSON_INTEGER) {
        printf("its host has %" PRId64 " of %zu\n", json_integer(has), n);
    }
    for (size_t i = 0; i < n; i++) {
        AUTO_TEXT *item = value_to_text(jget(should[i], "item"));
        AUTO_TEXT *pass = value_to_text(jget(should[i], "pass"));
        bool absent = is_among(missing, item);
        printf("  %s%s%s%s  (%s)\n",
               colour(weft, absent ? COLOUR_BAD : COLOUR_OFF),
               absent ? "missing  " : "", colour(weft, COLOUR_OFF), item,
               pass);
    }
}

static void
explain_port(struct weft *weft, const struct json *answer)
{
    AUTO_TEXT *id = value_to_text(jget(answer, "port"));
    AUTO_TEXT *host = value_to_text(jget(answer, "host"));
    AUTO_TEXT *status = value_to_text(jget(answer, "status"));
    bool good = !strcmp(status, "ACTIVE");
    printf("port %s on host %s: %s%s%s\n", id, host,
           colour(weft, good ? COLOUR_GOOD : COLOUR_BAD), status,
           colour(weft, COLOUR_OFF));
    const struct json *why = jget(answer, "why");
    if (why && why->type == JSON_ARRAY && why->array.n) {
        printf("%s\n", good ? "notes:" : "why not ACTIVE:");
        print_lines(why, 2);
    }
    print_should(weft, answer);
}

static void
explain_network(const struct json *answer)
{
    AUTO_TEXT *id = value_to_text(jget(answer, "network"));
    AUTO_TEXT *carrier = value_to_text(jget(answer, "carrier"));
    printf("network %s: %s %" PRId64 "\n", id, carrier,
           get_int(answer, "key"));
    int64_t mtu = get_int(answer, "mtu");
    int64_t mtu_max = get_int(answer, "mtu_max");
    if (mtu) {
        printf("mtu %" PRId64 ", ", mtu);
    }
    if (mtu_max) {
        printf("largest mtu that fits %" PRId64 "\n", mtu_max);
    } else {
        printf("no limit on the mtu is known\n");
    }
    printf("hosts with ports of it:\n");
    print_lines(jget(answer, "hosts"), 2);
    const struct json *why = jget(answer, "why");
    if (why && why->type == JSON_ARRAY && why->array.n) {
        printf("notes:\n");
        print_lines(why, 2);
    }
}

/* The id of the port or network that the user means.  An id that is neither
 * is explained too: perhaps a switch knows it. */
static struct err *
find_explained(struct weft *weft, const char *text, char **idp)
{
    struct uuid id;
    struct err *err = resource_find(weft, "port", text, idp);
    if (!err) {
        return NULL;
    }
    AUTO(err) *other = resource_find(weft, "network", text, idp);
    if (!other) {
        err_destroy(err);
        return NULL;
    }
    if (uid_from_text(text, &id)) {
        err_destroy(err);
        *idp = mem_text(text);
        return NULL;
    }
    return err;
}

struct err *
command_explain(struct weft *weft)
{
    AUTO_TEXT *id = NULL;
    struct err *err = find_explained(weft, weft->args[0], &id);
    if (err) {
        return err;
    }
    AUTO_TEXT *path = mem_textf(API "/explain/%s", id);
    AUTO(json) *answer = NULL;
    err = client_call(weft, "GET", path, NULL, &answer);
    if (err || printed_json(weft, answer)) {
        return err;
    }
    if (jget(answer, "port")) {
        explain_port(weft, answer);
    } else {
        explain_network(answer);
    }
    return NULL;
}

/* check */

static struct err *
check_engine(struct weft *weft)
{
    AUTO(json) *answer = NULL;
    struct err *err =
        client_call(weft, "POST", API "/check/engine", NULL, &answer);
    if (err) {
        return err;
    }
    int64_t differences = get_int(answer, "differences");
    weft->problem = differences != 0;
    if (!printed_json(weft, answer)) {
        printf(
            "%s%s%s\n", colour(weft, differences ? COLOUR_BAD : COLOUR_GOOD),
            differences ? "the rules differ from those compiled from scratch:"
                        : "the rules equal those compiled from scratch",
            colour(weft, COLOUR_OFF));
        print_lines(jget(answer, "report"), 2);
    }
    return NULL;
}

static void
print_host_check(struct weft *weft, const struct json *host)
{
    AUTO_TEXT *name = value_to_text(jget(host, "host"));
    bool good = get_bool(host, "ok");
    size_t n_missing, n_stale;
    struct json *const *missing = jget_array(host, "missing", &n_missing);
    struct json *const *stale = jget_array(host, "stale", &n_stale);
    printf("%s%s%s: %" PRId64 " rules, %zu missing, %zu"
           " stale\n",
           colour(weft, good ? COLOUR_GOOD : COLOUR_BAD), name,
           colour(weft, COLOUR_OFF), get_int(host, "rules"), n_missing,
           n_stale);
    for (size_t i = 0; i < n_missing; i++) {
        AUTO_TEXT *text = value_to_text(missing[i]);
        printf("  missing  %s\n", text);
    }
    for (size_t i = 0; i < n_stale; i++) {
        AUTO_TEXT *text = value_to_text(stale[i]);
        printf("  stale    %s\n", text);
    }
}

static struct err *
check_switches(struct weft *weft)
{
    AUTO_DS path = DS_EMPTY_INITIALIZER;
    ds_put_cstr(&path, API "/check/switches");
    if (weft->n_args > 1) {
        ds_put_cstr(&path, "?host=");
        client_put_escaped(&path, weft->args[1]);
    }
    AUTO(json) *answer = NULL;
    struct err *err = client_call(weft, "POST", ds_cstr(&path), NULL, &answer);
    if (err) {
        return err;
    }
    size_t n;
    struct json *const *hosts = jget_array(answer, "hosts", &n);
    for (size_t i = 0; i < n; i++) {
        weft->problem = weft->problem || !get_bool(hosts[i], "ok");
    }
    if (!printed_json(weft, answer)) {
        for (size_t i = 0; i < n; i++) {
            print_host_check(weft, hosts[i]);
        }
        if (!n) {
            printf("no host is connected\n");
        }
    }
    return NULL;
}

struct err *
command_check(struct weft *weft)
{
    if (!strcmp(weft->args[0], "engine") && weft->n_args == 1) {
        return check_engine(weft);
    } else if (!strcmp(weft->args[0], "switches")) {
        return check_switches(weft);
    }
    return err_new(ERR_INVALID, NULL,
                   "usage: weft check engine | switches [HOST]");
}

/* log, backup, restore */

struct err *
command_log(struct weft *weft)
{
    static const char *const titles[] = { "MODULE", "LEVEL" };
    AUTO(json) *answer = NULL;
    struct err *err;
    if (weft->n_args == 1) {
        return err_new(ERR_INVALID, NULL, "usage: weft log [MODULE LEVEL]");
    } else if (weft->n_args == 2) {
        AUTO(json) *body = json_object_create();
        json_object_put_string(body, "module", weft->args[0]);
        json_object_put_string(body, "level", weft->args[1]);
        err = client_call(weft, "PUT", API "/log", body, &answer);
    } else {
        err = client_call(weft, "GET", API "/log", NULL, &answer);
    }
    if (err || printed_json(weft, answer) || weft->n_args) {
        return err;
    }
    size_t n;
    struct json *const *modules = jget_array(answer, "modules", &n);
    struct grid grid;
    grid_init(&grid, titles, N_OF(titles));
    for (size_t i = 0; i < n; i++) {
        AUTO_TEXT *module = value_to_text(jget(modules[i], "module"));
        if (weft->options.output == OUTPUT_IDS) {
            printf("%s\n", module);
            continue;
        }
        grid_put(&grid, module);
        grid_put_json(&grid, jget(modules[i], "level"));
    }
    if (weft->options.output != OUTPUT_IDS) {
        grid_print(weft, &grid);
    }
    grid_uninit(&grid);
    return NULL;
}

/* 'path' as weftd, which runs elsewhere, must see it.  Caller frees. */
static char *
absolute(const char *path)
{
    char here[PATH_MAX];
    if (path[0] == '/' || !getcwd(here, sizeof here)) {
        return mem_text(path);
    }
    return mem_textf("%s/%s", here, path);
}

struct err *
command_backup(struct weft *weft)
{
    AUTO_TEXT *path = absolute(weft->args[0]);
    AUTO(json) *body = json_object_create();
    json_object_put_string(body, "path", path);
    AUTO(json) *answer = NULL;
    struct err *err = client_call(weft, "POST", API "/backup", body, &answer);
    if (err || printed_json(weft, answer)) {
        return err;
    }
    printf("%s: %" PRId64 " bytes\n", path, get_int(answer, "bytes"));
    return NULL;
}

struct err *
command_restore(struct weft *weft)
{
    AUTO_TEXT *path = absolute(weft->args[0]);
    AUTO(json) *answer = NULL;
    struct err *err = client_call(weft, "GET", "/ready", NULL, &answer);
    if (!err || err->kind != ERR_UNAVAILABLE) {
        err_destroy(err);
        return err_new(ERR_IN_USE, NULL,
                       "weftd is running and has its store "
                       "open: stop it first, then restore: systemctl stop "
                       "weftd");
    }
    err_destroy(err);
    fflush(stdout);
    execlp("weftd", "weftd", "--restore", path, (char *) NULL);
    return err_new(ERR_UNAVAILABLE, NULL,
                   "cannot run weftd: %s: run "
                   "'weftd --restore %s' with its full path",
                   strerror(errno), path);
}

/* events */

struct event_reader {
    const struct weft *weft;
    char kind[32];
};

/* Takes a line of the server-sent event stream. */
static void
take_event_line(const char *line, void *reader_)
{
    struct event_reader *reader = reader_;
    if (text_starts_with(line, "event:")) {
        snprintf(reader->kind, sizeof reader->kind, "%s",
                 line + 6 + (line[6] == ' '));
        return;
    } else if (!text_starts_with(line, "data:")) {
        return;
    }
    const char *data = line + 5 + (line[5] == ' ');
    if (reader->weft->options.output == OUTPUT_JSON) {
        printf("{\"event\":\"%s\",\"data\":%s}\n", reader->kind, data);
    } else {
        AUTO(json) *json = json_from_string(data);
        AUTO_TEXT *text = value_to_text(json);
        printf("%s%-8s%s %s\n", colour(reader->weft, COLOUR_TITLE),
               reader->kind, colour(reader->weft, COLOUR_OFF), text);
    }
    fflush(stdout);
}

struct err *
command_events(struct weft *weft)
{
    struct event_reader reader = { .weft = weft, .kind = "message" };
    return client_follow(weft, API "/events", take_event_line, &reader);
}
