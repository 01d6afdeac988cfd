/* SPDX-License-Identifier: Apache-2.0 */

/* Fuzzes json_parse_limited().  What it accepts must be what it promises: no
 * deeper than asked for, valid UTF-8, and the same again when it is written
 * and parsed once more. */

#include "fuzz/fuzz.h"

#define MAX_DEPTH 20

static int
depth_of(const struct json *json)
{
    int depth = 0;

    if (json->type == JSON_ARRAY) {
        for (size_t i = 0; i < json_array(json)->n; i++) {
            int d = depth_of(json_array(json)->elems[i]);
            depth = d > depth ? d : depth;
        }
        return depth + 1;
    } else if (json->type == JSON_OBJECT) {
        struct shash_node *node;
        SHASH_FOR_EACH (node, json_object(json)) {
            int d = depth_of(node->data);
            depth = d > depth ? d : depth;
        }
        return depth + 1;
    } else {
        return 0;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json *untouched = NULL;
    AUTO(json) *first = NULL;
    AUTO(err) *err =
        json_parse_limited((const char *) data, size, MAX_DEPTH, &first);
    if (err) {
        ovs_assert(!first);
        ovs_assert(err->kind == ERR_INVALID && err->text[0]);
        return 0;
    }
    ovs_assert(depth_of(first) <= MAX_DEPTH);

    AUTO_TEXT *text = json_to_string(first, 0);
    AUTO(json) *second = NULL;
    AUTO(err) *err2 =
        json_parse_limited(text, strlen(text), MAX_DEPTH, &second);
    ovs_assert(!err2);
    AUTO_TEXT *text2 = json_to_string(second, 0);
    ovs_assert(strlen(text) == strlen(text2));

    int depth = depth_of(first);
    if (depth > 0) {
        AUTO(err) *err3 =
            json_parse_limited(text, strlen(text), depth - 1, &untouched);
        ovs_assert(err3 && !untouched);
    }
    return 0;
}
