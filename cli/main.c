/* SPDX-License-Identifier: Apache-2.0 */
/* weft: the command line of Weft.
 *
 * A command is a row of "commands.def"; dispatch, help and shell completion
 * are expanded from there.  A word that is no command is a resource: what
 * resources there are is asked of weftd, so that a new one needs no change
 * here.
 *
 * Options may stand anywhere.  Exit status: 0 all is well; 1 a check found a
 * problem, or weftd refused; 2 the command was not understood, or weftd could
 * not be asked. */

#include "cli/weft.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <unistd.h>

#include "weft-config.h"

struct command {
    const char *name;
    const char *arguments;
    int min_args, max_args;
    const char *words;
    const char *title;
    const char *help;
    struct err *(*run)(struct weft *);
};

static struct err *command_help(struct weft *);
static struct err *command_completion(struct weft *);

static const struct command commands[] = {
#define COMMAND(NAME, ARGUMENTS, MIN, MAX, WORDS, TITLE, HELP)                \
    { #NAME, ARGUMENTS, MIN, MAX, WORDS, TITLE, HELP, command_##NAME },
#include "cli/commands.def"
#undef COMMAND
};

/* Options that take a value, and flags. */
enum option_id {
    OPT_SOCKET,
    OPT_URL,
    OPT_USER,
    OPT_PASSWORD,
    OPT_PASSWORD_FILE,
    OPT_CA,
    OPT_OUTPUT,
    OPT_LIVE,
    OPT_HELP,
    OPT_VERSION,
};

struct option_row {
    const char *name;
    char letter;
    const char *value; /* Null: a flag. */
    const char *help;
    enum option_id id;
};

static const struct option_row option_rows[] = {
    { "socket", 0, "PATH", "weftd's local socket (" WEFT_RUNDIR "/weft.sock)",
      OPT_SOCKET },
    { "url", 0, "URL", "ask over the network: http://host:8080", OPT_URL },
    { "user", 0, "NAME", "with --url", OPT_USER },
    { "password", 0, "TEXT", "with --url; others see it: prefer a file",
      OPT_PASSWORD },
    { "password-file", 0, "FILE", "with --url; its first line",
      OPT_PASSWORD_FILE },
    { "ca", 0, "FILE", "certificate authority of an https --url", OPT_CA },
    { "output", 'o', "FORM", "table, json or ids", OPT_OUTPUT },
    { "live", 0, NULL, "rules: what the switch holds now", OPT_LIVE },
    { "help", 'h', NULL, "what the command does", OPT_HELP },
    { "version", 'V', NULL, "print the version", OPT_VERSION },
};

static const struct command *
command_find(const char *name)
{
    for (size_t i = 0; i < N_OF(commands); i++) {
        if (!strcmp(commands[i].name, name)) {
            return &commands[i];
        }
    }
    return NULL;
}

static void
print_usage(void)
{
    printf("usage: weft [OPTION]... COMMAND [ARGUMENT]...\n"
           "       weft [OPTION]... RESOURCE list [FIELD=VALUE]...\n"
           "       weft [OPTION]... RESOURCE show ID|NAME\n\n"
           "Commands:\n");
    for (size_t i = 0; i < N_OF(commands); i++) {
        printf("  %-12s %s\n", commands[i].name, commands[i].title);
    }
    printf("\nOptions:\n");
    for (size_t i = 0; i < N_OF(option_rows); i++) {
        const struct option_row *row = &option_rows[i];
        AUTO_TEXT *name =
            mem_textf("--%s%s%s", row->name, row->value ? " " : "",
                      row->value ? row->value : "");
        printf("  %c%c %-22s %s\n", row->letter ? '-' : ' ',
               row->letter ? row->letter : ' ', name, row->help);
    }
    printf("\nEnvironment: WEFT_SOCKET, WEFT_URL, WEFT_USER, WEFT_PASSWORD,\n"
           "WEFT_PASSWORD_FILE, WEFT_CA stand for the options.\n"
           "'weft help COMMAND' says more.\n");
}

static void
print_command_help(const struct command *command)
{
    printf(
        "usage: weft %s%s%s\n\n%c%s.\n", command->name,
        command->arguments[0] ? " " : "", command->arguments,
        command->title[0]
            - ('a' <= command->title[0] && command->title[0] <= 'z' ? 32 : 0),
        command->title + 1);
    if (command->help[0]) {
        printf("\n%s", command->help);
    }
}

static struct err *
command_help(struct weft *weft)
{
    if (!weft->n_args) {
        print_usage();
        return NULL;
    }
    const struct command *command = command_find(weft->args[0]);
    if (!command) {
        return err_new(ERR_INVALID, NULL,
                       "there is no command \"%s\": "
                       "'weft help' lists them",
                       weft->args[0]);
    }
    print_command_help(command);
    return NULL;
}

/* Finds out which word is being completed: 'place' words came before it,
 * the first of them 'first'. */
static void
print_completion_head(void)
{
    printf("# bash completion for weft, made by 'weft completion bash'\n"
           "_weft()\n{\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} words= first=\n"
           "    local i place=0 options=()\n"
           "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
           "        case ${COMP_WORDS[i]} in\n"
           "        --socket|--url|--user|--password|--password-file|--ca)\n"
           "            options+=(\"${COMP_WORDS[i]}\""
           " \"${COMP_WORDS[i+1]}\")\n"
           "            ((i++)) ;;\n"
           "        -o|--output) ((i++)) ;;\n"
           "        -*) ;;\n"
           "        *) ((place++)); [ -n \"$first\" ] ||"
           " first=${COMP_WORDS[i]} ;;\n"
           "        esac\n"
           "    done\n"
           "    case ${COMP_WORDS[COMP_CWORD-1]} in\n"
           "    -o|--output) COMPREPLY=($(compgen -W 'table json ids' -- "
           "\"$cur\")); return ;;\n"
           "    --socket|--password-file|--ca)"
           " COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
           "    esac\n"
           "    case $cur in -*) words='");
}

/* The script completes commands and their first words from the table, and
 * asks weftd for resources, objects and hosts. */
static struct err *
command_completion(struct weft *weft)
{
    if (strcmp(weft->args[0], "bash")) {
        return err_new(ERR_INVALID, NULL, "completion is known for bash only");
    }
    print_completion_head();
    for (size_t i = 0; i < N_OF(option_rows); i++) {
        printf("--%s ", option_rows[i].name);
    }
    printf("' ;; *)\n    case $place:$first in\n    0:) words=\"");
    for (size_t i = 0; i < N_OF(commands); i++) {
        printf("%s ", commands[i].name);
    }
    printf("$(weft \"${options[@]}\" resources -o ids 2>/dev/null)\" ;;\n");
    for (size_t i = 0; i < N_OF(commands); i++) {
        if (commands[i].words[0]) {
            printf("    1:%s) words='%s' ;;\n", commands[i].name,
                   commands[i].words);
        }
    }
    printf("    1:help) words='");
    for (size_t i = 0; i < N_OF(commands); i++) {
        printf("%s ", commands[i].name);
    }
    printf("' ;;\n"
           "    1:backup|1:restore) compopt -o default; return ;;\n"
           "    1:log) words=\"all $(weft \"${options[@]}\" log -o ids"
           " 2>/dev/null)\" ;;\n"
           "    2:log) words='off err warn info dbg' ;;\n"
           "    1:rules|2:host|2:check) words=$(weft \"${options[@]}\""
           " hosts -o ids 2>/dev/null) ;;\n"
           "    1:explain) words=$(weft \"${options[@]}\" port list -o ids"
           " 2>/dev/null) ;;\n"
           "    1:status|1:hosts|1:events|1:resources) ;;\n"
           "    1:*) words='list show' ;;\n"
           "    2:*) words=$(weft \"${options[@]}\" \"$first\" list -o ids"
           " 2>/dev/null) ;;\n"
           "    esac ;;\n    esac\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
           "}\ncomplete -F _weft weft\n");
    return NULL;
}

/* The first line of 'path', for a password: never printed. */
static struct err *
read_password(const char *path, char **passwordp)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return err_new(ERR_INVALID, NULL, "cannot read password file %s: %s",
                       path, strerror(errno));
    }
    char line[1024];
    bool ok = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    if (!ok) {
        return err_new(ERR_INVALID, NULL, "password file %s is empty", path);
    }
    line[strcspn(line, "\r\n")] = '\0';
    free(*passwordp);
    *passwordp = mem_text(line);
    return NULL;
}

static struct err *
set_output(struct options *options, const char *value)
{
    static const char *const names[] = { "table", "json", "ids" };
    ovs_assert(value);
    for (size_t i = 0; i < N_OF(names); i++) {
        if (!strcmp(value, names[i])) {
            options->output = i;
            return NULL;
        }
    }
    return err_new(ERR_INVALID, NULL,
                   "--output is table, json or ids, "
                   "not \"%s\"",
                   value);
}

/* Applies one option.  '*earlyp' receives OPT_HELP or OPT_VERSION. */
static struct err *
apply_option(struct options *options, const struct option_row *row,
             const char *value, int *earlyp)
{
    switch (row->id) {
    case OPT_SOCKET:
        options->socket = value;
        options->url = NULL;
        return NULL;
    case OPT_URL:
        options->url = value;
        return NULL;
    case OPT_USER:
        options->user = value;
        return NULL;
    case OPT_PASSWORD:
        free(options->password);
        options->password = mem_text(value);
        return NULL;
    case OPT_PASSWORD_FILE:
        return read_password(value, &options->password);
    case OPT_CA:
        options->ca = value;
        return NULL;
    case OPT_OUTPUT:
        return set_output(options, value);
    case OPT_LIVE:
        options->live = true;
        return NULL;
    case OPT_HELP:
    case OPT_VERSION:
    default:
        *earlyp = row->id;
        return NULL;
    }
}

/* The row that 'word' ("--url", "--url=x", "-o", "-ojson") names, and the
 * value that is part of the word, if any. */
static const struct option_row *
option_find(const char *word, const char **valuep)
{
    *valuep = NULL;
    for (size_t i = 0; i < N_OF(option_rows); i++) {
        const struct option_row *row = &option_rows[i];
        size_t length = strlen(row->name);
        if (word[1] == '-' && !strncmp(word + 2, row->name, length)
            && (word[2 + length] == '\0' || word[2 + length] == '=')) {
            *valuep = word[2 + length] ? word + 3 + length : NULL;
            return row;
        }
        if (row->letter && word[1] == row->letter) {
            *valuep = word[2] ? word + 2 : NULL;
            return row;
        }
    }
    return NULL;
}

/* Splits the command line: options go to 'weft->options', the rest, in order,
 * to '*wordsp' ('*n_wordsp' of them). */
static struct err *
parse_words(struct weft *weft, int argc, char **argv, char **words,
            int *n_wordsp, int *earlyp)
{
    bool only_words = false;
    for (int i = 1; i < argc; i++) {
        if (only_words || argv[i][0] != '-' || !argv[i][1]) {
            words[(*n_wordsp)++] = argv[i];
            continue;
        }
        if (!strcmp(argv[i], "--")) {
            only_words = true;
            continue;
        }
        const char *value;
        const char *word = argv[i];
        const struct option_row *row = option_find(word, &value);
        if (!row) {
            return err_new(ERR_INVALID, NULL,
                           "there is no option \"%s\": "
                           "'weft help' lists them",
                           word);
        }
        if (row->value && !value) {
            value = ++i < argc ? argv[i] : NULL;
        }
        if (!row->value != !value) {
            return err_new(ERR_INVALID, NULL, "option --%s %s", row->name,
                           row->value ? "needs a value" : "takes no value");
        }
        struct err *err = apply_option(&weft->options, row, value, earlyp);
        if (err) {
            return err;
        }
    }
    return NULL;
}

static struct err *
options_from_environment(struct options *options)
{
    const char *socket = getenv("WEFT_SOCKET");
    const char *password_file = getenv("WEFT_PASSWORD_FILE");

    *options = (struct options){
        .socket = socket ? socket : WEFT_RUNDIR "/weft.sock",
        .url = getenv("WEFT_URL"),
        .user = getenv("WEFT_USER"),
        .password = mem_text(getenv("WEFT_PASSWORD")),
        .ca = getenv("WEFT_CA"),
        .colours = isatty(STDOUT_FILENO) && !getenv("NO_COLOR"),
        .unicode = !strcmp(nl_langinfo(CODESET), "UTF-8"),
    };
    if (password_file && !options->password) {
        return read_password(password_file, &options->password);
    }
    return NULL;
}

/* Runs the command that 'words' say. */
static struct err *
dispatch(struct weft *weft, char **words, int n_words)
{
    const struct command *command = command_find(words[0]);
    weft->args = words + 1;
    weft->n_args = n_words - 1;
    if (!command) {
        return command_resource(weft, words[0]);
    }
    if (weft->n_args < command->min_args || weft->n_args > command->max_args) {
        return err_new(ERR_INVALID, NULL, "usage: weft %s%s%s", command->name,
                       command->arguments[0] ? " " : "", command->arguments);
    }
    return command->run(weft);
}

/* Help and version, which need no daemon. */
static void
answer_early(int early, char **words, int n_words)
{
    const struct command *command = n_words ? command_find(words[0]) : NULL;
    if (early == OPT_VERSION) {
        printf("weft %s\n", WEFT_VERSION);
    } else if (command) {
        print_command_help(command);
    } else {
        print_usage();
    }
}

static struct err *
run(struct weft *weft, int argc, char **argv, char **words)
{
    int n_words = 0;
    int early = -1;
    struct err *err = options_from_environment(&weft->options);
    if (!err) {
        err = parse_words(weft, argc, argv, words, &n_words, &early);
    }
    if (err) {
        return err;
    }
    if (early >= 0) {
        answer_early(early, words, n_words);
        return NULL;
    }
    if (!n_words) {
        print_usage();
        return err_new(ERR_INVALID, NULL, "a command is missing");
    }
    return dispatch(weft, words, n_words);
}

int
main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    struct weft weft = { .problem = false };
    char **words = mem_zalloc((argc + 1) * sizeof *words);
    struct err *err = run(&weft, argc, argv, words);
    int status = weft.problem;
    if (err) {
        AUTO_TEXT *text = err_to_text(err);
        fflush(stdout);
        fprintf(stderr, "weft: %s\n", text);
        status = (err->kind == ERR_INVALID || err->kind == ERR_UNAVAILABLE
                  || err->kind == ERR_DENIED)
                     ? 2
                     : 1;
    }
    err_destroy(err);
    free(words);
    free(weft.options.password);
    return status;
}
