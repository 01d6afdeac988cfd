/* SPDX-License-Identifier: Apache-2.0 */
/* weftd.
 *
 *     arguments ──► config ──► daemon ──► loop until SIGTERM
 *                      ▲                    │
 *                      └──── SIGHUP ────────┘
 *
 * Everything is decided elsewhere; this file parses arguments, starts what
 * there is in order, and turns signals into calls.  It stays in the
 * foreground: a service manager, or a shell, does the rest.
 *
 * Stopping: no new requests, the ones under way are answered, at most for
 * DRAIN_US; then the store is closed.  A second signal does not wait. */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "openvswitch/vlog.h"

#include "daemon.h"
#include "process.h"
#include "weft-config.h"

VLOG_DEFINE_THIS_MODULE(main);

#define CONFIG_FILE    "/etc/weft/weft.conf"
#define DRAIN_US       600000
#define DRAIN_CHECK_US 2000

/* What a command line can ask for instead of running.  Name, argument (or
 * null), help. */
#define ACTIONS                                                               \
    ACTION(check_config, NULL, "check the configuration and exit")            \
    ACTION(print_config, NULL, "print the configuration with every option")   \
    ACTION(print_options, NULL, "print all options as Markdown")              \
    ACTION(restore, "FILE", "put a backup in the place of the store")         \
    ACTION(set_password, "USER",                                              \
           "set a user's password, read from standard input")                 \
    ACTION(help, NULL, "print this text")                                     \
    ACTION(version, NULL, "print the version")

enum action {
    ACTION_run,
#define ACTION(NAME, ARGUMENT, HELP) ACTION_##NAME,
    ACTIONS
#undef ACTION
};

struct arguments {
    enum action action;
    const char *operand; /* Of the action. */
    const char *file;    /* --config, or null. */
    const char **sets;   /* --set. */
    size_t n_sets, allocated_sets;
};

/* The running program. */
struct program {
    const struct arguments *arguments;
    struct loop *loop;
    struct daemon *daemon;
    struct timer *drain;
    uint64_t drain_deadline; /* 0: not stopping. */
};

static int arguments_parse(struct arguments *, int argc, char *argv[]);
static struct err *load_config(const struct arguments *, struct config **);
static struct err *act(const struct arguments *);
static struct err *restore(const struct config *, const char *backup);
static struct err *set_password(const struct config *, const char *user);
static struct err *run(const struct arguments *, struct config *);
static struct err *start(struct program *, struct config *);
static struct err *prepare(struct loop *, const struct config *);
static struct err *listen_all(struct program *);
static void on_stop(int signo, void *program_);
static void on_reload(int signo, void *program_);
static void on_drain(void *program_);
static struct err *reload(struct program *);
static void print_help(void);

int
main(int argc, char *argv[])
{
    ovs_set_program_name("weftd", WEFT_VERSION);
    vlog_set_syslog_method("null");
    umask(027);
    signal(SIGPIPE, SIG_IGN);

    struct arguments arguments = { .action = ACTION_run };
    int status = arguments_parse(&arguments, argc, argv);
    if (!status) {
        AUTO(err) *err = act(&arguments);
        if (err) {
            AUTO_TEXT *text = err_to_text(err);
            fprintf(stderr, "weftd: %s\n", text);
            status = 1;
        }
    }
    free(arguments.sets);
    return status;
}

/* Arguments. */

static int
arguments_parse(struct arguments *arguments, int argc, char *argv[])
{
    enum { OPT_SET = 1000, OPT_FOREGROUND };
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },
        { "set", required_argument, NULL, OPT_SET },
        { "foreground", no_argument, NULL, OPT_FOREGROUND },
        { "check-config", no_argument, NULL, ACTION_check_config },
        { "print-config", no_argument, NULL, ACTION_print_config },
        { "print-options", no_argument, NULL, ACTION_print_options },
        { "restore", required_argument, NULL, ACTION_restore },
        { "set-password", required_argument, NULL, ACTION_set_password },
        { "help", no_argument, NULL, ACTION_help },
        { "version", no_argument, NULL, ACTION_version },
        { NULL, 0, NULL, 0 },
    };
    int c;
    while ((c = getopt_long(argc, argv, "c:hV", options, NULL)) >= 0) {
        switch (c) {
        case 'c':
            arguments->file = optarg;
            break;
        case OPT_SET:
            ARRAY_GROW(arguments->sets, arguments->n_sets,
                       arguments->allocated_sets);
            arguments->sets[arguments->n_sets++] = optarg;
            break;
        case OPT_FOREGROUND:
            break;
        case '?':
            fprintf(stderr, "weftd: see weftd --help\n");
            return 2;
        default:
            arguments->action = c == 'h'   ? ACTION_help
                                : c == 'V' ? ACTION_version
                                           : (enum action) c;
            arguments->operand = optarg;
        }
    }
    if (optind < argc) {
        fprintf(stderr,
                "weftd: \"%s\": no arguments are expected; see weftd "
                "--help\n",
                argv[optind]);
        return 2;
    }
    return 0;
}

static void
print_help(void)
{
    AUTO_TEXT *options = config_to_help();
    printf("weftd, the daemon of Weft: virtual networks for a cloud\n\n"
           "usage: weftd [OPTION]...\n\n"
           "  -c, --config FILE             read FILE instead of %s\n"
           "      --set SECTION.NAME=VALUE  change one setting\n"
           "      --foreground              stay in the foreground (always)\n",
           CONFIG_FILE);
#define ACTION(NAME, ARGUMENT, HELP)                                          \
    {                                                                         \
        AUTO_TEXT *name = mem_textf("--" #NAME "%s%s", ARGUMENT ? " " : "",   \
                                    ARGUMENT ? ARGUMENT : "");                \
        for (char *p = name; *p; p++) {                                       \
            *p = *p == '_' ? '-' : *p;                                        \
        }                                                                     \
        printf("      %-24s  %s\n", name, HELP);                              \
    }
    ACTIONS
#undef ACTION
    printf("\nSIGTERM stops, SIGHUP reads the configuration again.  "
           "Settings:\n%s",
           options);
}

static struct err *
load_config(const struct arguments *arguments, struct config **configp)
{
    AUTO(config) *config = config_create();
    struct err *err = NULL;
    if (arguments->file || !access(CONFIG_FILE, F_OK)) {
        err = config_read(config,
                          arguments->file ? arguments->file : CONFIG_FILE);
    }
    for (size_t i = 0; i < arguments->n_sets && !err; i++) {
        err = err_about(config_set(config, arguments->sets[i]), "--set");
    }
    err = err ? err : config_check(config);
    if (!err) {
        *configp = STEAL(config);
    }
    return err;
}

/* Does what the command line asks for. */
static struct err *
act(const struct arguments *arguments)
{
    if (arguments->action == ACTION_help) {
        print_help();
        return NULL;
    } else if (arguments->action == ACTION_version) {
        printf("weftd %s\n", WEFT_VERSION);
        return NULL;
    } else if (arguments->action == ACTION_print_options) {
        AUTO_TEXT *text = config_to_markdown();
        fputs(text, stdout);
        return NULL;
    }

    AUTO(config) *config = NULL;
    struct err *err = load_config(arguments, &config);
    if (err) {
        return err;
    }
    AUTO_TEXT *text = NULL;
    switch (arguments->action) {
    case ACTION_check_config:
        puts("the configuration is good");
        return NULL;
    case ACTION_print_config:
        text = config_to_text(config);
        fputs(text, stdout);
        return NULL;
    case ACTION_restore:
        return restore(config, arguments->operand);
    case ACTION_set_password:
        return set_password(config, arguments->operand);
    default:
        return run(arguments, STEAL(config));
    }
}

static struct err *
restore(const struct config *config, const char *backup)
{
    AUTO_TEXT *path = config_store_path(config);
    struct err *err = process_make_directory(config->daemon.state_dir);
    err = err ? err : process_lock(config->daemon.state_dir);
    err = err ? err : store_restore(backup, path);
    if (!err) {
        printf("%s is now what %s says; what it was before is kept as "
               "%s.before-restore\n",
               path, backup, path);
    }
    return err;
}

static struct err *
set_password(const struct config *config, const char *user)
{
    AUTO_TEXT *users = config_users_path(config);
    char line[1024];
    if (isatty(STDIN_FILENO)) {
        fprintf(stderr, "password for %s (it is shown): ", user);
    }
    if (!fgets(line, sizeof line, stdin)) {
        return err_new(ERR_INVALID, NULL, "no password on standard input");
    }
    line[strcspn(line, "\n")] = '\0';
    struct err *err = process_make_directory(config->daemon.state_dir);
    err = err ? err : users_set_password(users, user, line);
    return err ? err : process_give(users);
}

/* Running.  Takes ownership of 'config'. */

static struct err *
run(const struct arguments *arguments, struct config *config)
{
    struct program program = { .arguments = arguments };
    program.loop = loop_create();
    program.drain = loop_timer_create(program.loop, on_drain, &program);
    loop_on_signal(program.loop, SIGTERM, on_stop, &program);
    loop_on_signal(program.loop, SIGINT, on_stop, &program);
    loop_on_signal(program.loop, SIGHUP, on_reload, &program);

    struct err *err = start(&program, config);
    if (!err) {
        process_notify("READY=1");
        VLOG_INFO("weftd %s is ready", WEFT_VERSION);
        loop_run(program.loop);
        process_notify("STOPPING=1");
        daemon_close(program.daemon);
        VLOG_INFO("stopped");
        /* Freeing a large model one object at a time takes longer than all
         * the rest of stopping; the kernel does it at once. */
        exit(0);
    }
    daemon_destroy(program.daemon);
    loop_timer_destroy(program.drain);
    loop_destroy(program.loop);
    return err;
}

static struct err *
start(struct program *program, struct config *config)
{
    struct err *err = prepare(program->loop, config);
    err = err ? err
              : daemon_create(program->loop, config, NULL, &program->daemon);
    if (err) {
        config_destroy(config);
        return err;
    }
    err = listen_all(program);
    if (!err && config->daemon.user) {
        AUTO_TEXT *run_dir = config_run_dir(config);
        const char *const directories[] = { config->daemon.state_dir, run_dir,
                                            NULL };
        err = process_become(config->daemon.user, directories);
    }
    return err;
}

/* All that must be there before the daemon. */
static struct err *
prepare(struct loop *loop, const struct config *config)
{
    AUTO_TEXT *run_dir = config_run_dir(config);
    AUTO_TEXT *users = config_users_path(config);
    AUTO_TEXT *password = NULL;
    process_raise_limits();
    struct err *err = process_log(config);
    err = err ? err : process_make_directory(config->daemon.state_dir);
    err = err ? err : process_make_directory(run_dir);
    err = err ? err : process_lock(config->daemon.state_dir);
    err = err ? err : users_bootstrap(loop, users, &password);
    if (!err && password) {
        /* Not through the log: it may be kept, or sent elsewhere. */
        fprintf(stderr,
                "weftd: this is the first start: user admin, password "
                "%s\nweftd: only a hash is kept, in %s; to change "
                "it: weftd --set-password admin\n",
                password, users);
    }
    return err;
}

static struct err *
listen_all(struct program *program)
{
    struct err *err = daemon_listen_switches(program->daemon);
    return err ? err : daemon_listen_northbound(program->daemon);
}

/* Signals. */

static void
on_stop(int signo, void *program_)
{
    struct program *program = program_;
    if (program->drain_deadline || !program->daemon) {
        loop_stop(program->loop);
        return;
    }
    VLOG_INFO("stopping (%s)", strsignal(signo));
    program->drain_deadline = loop_now(program->loop) + DRAIN_US;
    daemon_drain(program->daemon);
    on_drain(program);
}

static void
on_drain(void *program_)
{
    struct program *program = program_;
    if (daemon_is_idle(program->daemon)
        || loop_now(program->loop) >= program->drain_deadline) {
        loop_stop(program->loop);
    } else {
        loop_timer_set(program->drain, DRAIN_CHECK_US);
    }
}

static void
on_reload(int signo, void *program_)
{
    struct program *program = program_;
    process_notify("RELOADING=1");
    AUTO(err) *err = reload(program);
    if (err) {
        AUTO_TEXT *text = err_to_text(err);
        VLOG_WARN("the configuration stays as it was: %s", text);
    } else {
        VLOG_INFO("the configuration was read again");
    }
    process_notify("READY=1");
}

static struct err *
reload(struct program *program)
{
    AUTO(config) *config = NULL;
    struct err *err = load_config(program->arguments, &config);
    if (err) {
        return err;
    }
    AUTO_TEXT *later = config_restart_options(program->daemon->config, config);
    err = process_log(config);
    err = err ? err : daemon_reload(program->daemon, config);
    if (!err) {
        (void) STEAL(config); /* The daemon's now. */
        if (later) {
            VLOG_WARN("changed, but takes effect at the next start only: %s",
                      later);
        }
    }
    return err;
}
