/* SPDX-License-Identifier: Apache-2.0 */

/* Golden tests: model in, rules by name out.
 *
 * usage: golden CASE.json...
 *
 * Runs the steps of each case in a laboratory and compares everything that is
 * wanted with CASE.txt beside it.  With UPDATE=1 in the environment, writes
 * CASE.txt instead.  Then deletes every object and demands that nothing is
 * left: what disappears, disappears completely. */

#include "lab/lab.h"

#include <stdio.h>

static char *
read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file) {
        return NULL;
    }
    AUTO_DS text = DS_EMPTY_INITIALIZER;
    char buffer[65536];
    size_t n;
    while ((n = fread(buffer, 1, sizeof buffer, file)) > 0) {
        ds_put_buffer(&text, buffer, n);
    }
    fclose(file);
    return ds_steal_cstr(&text);
}

static bool
compare_with_file(const char *path, const char *actual)
{
    if (getenv("UPDATE")) {
        FILE *file = fopen(path, "w");
        if (!file) {
            perror(path);
            return false;
        }
        fputs(actual, file);
        fclose(file);
        return true;
    }
    AUTO_TEXT *expected = read_file(path);
    if (expected && !strcmp(expected, actual)) {
        return true;
    }
    fprintf(stderr, "%s: differs; run with UPDATE=1 to accept:\n%s", path,
            actual);
    return false;
}

static bool
nothing_is_left(struct lab *lab)
{
    for (size_t i = 0; i < model_n_resources(lab->model); i++) {
        const struct resource *resource = model_resource_at(lab->model, i);
        size_t n;
        const struct entity **all = model_list(lab->model, resource, &n);
        for (size_t j = 0; j < n; j++) {
            char id[UID_LENGTH + 1];
            uid_to_text(&all[j]->id, id);
            lab_delete(lab, resource->shape.name, id);
            lab_run(lab);
        }
        free(all);
    }
    AUTO_DS left = DS_EMPTY_INITIALIZER;
    lab_dump(lab, &left);
    if (left.length) {
        fprintf(stderr, "left after deleting everything:\n%s", ds_cstr(&left));
    }
    return !left.length;
}

static bool
run_case(const char *path)
{
    AUTO(json) *json = json_from_file(path);
    if (json->type == JSON_STRING) {
        fprintf(stderr, "%s: %s\n", path, json_string(json));
        return false;
    }
    AUTO(lab) *lab = lab_create();
    lab_steps(lab, json);
    lab_run(lab);
    AUTO_DS dump = DS_EMPTY_INITIALIZER;
    lab_dump(lab, &dump);

    AUTO_DS expected = DS_EMPTY_INITIALIZER;
    ds_put_buffer(&expected, path, strlen(path) - strlen(".json"));
    ds_put_cstr(&expected, ".txt");
    bool same = compare_with_file(ds_cstr(&expected), ds_cstr(&dump));
    return nothing_is_left(lab) && same;
}

int
main(int argc, char *argv[])
{
    int n_failed = 0;
    for (int i = 1; i < argc; i++) {
        bool ok = run_case(argv[i]);
        printf("%s %s\n", ok ? "ok" : "FAILED", argv[i]);
        n_failed += !ok;
    }
    return n_failed ? 1 : 0;
}
