/* SPDX-License-Identifier: Apache-2.0 */

/* Fuzzes the configuration: a file is refused with words or accepted, and
 * what is accepted, printed, is accepted again and means the same. */

#include "fuzz/fuzz.h"

#include "config.h"

static struct config *
parse(const char *text)
{
    AUTO(config) *config = config_create();
    AUTO(err) *err = config_parse(config, text, "fuzz");
    ovs_assert(!err || *err->text);
    return err ? NULL : STEAL(config);
}

static void
fuzz_assignment(const char *text)
{
    AUTO(config) *config = config_create();
    AUTO(err) *err = config_set(config, text);
    ovs_assert(!err || *err->text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_TEXT *text = mem_alloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';

    fuzz_assignment(text);
    AUTO(config) *config = parse(text);
    if (config) {
        AUTO_TEXT *printed = config_to_text(config);
        AUTO(config) *again = parse(printed);
        /* Lines that are too long for a file can come together from a list
         * that went on over several lines. */
        if (again) {
            AUTO_TEXT *same = config_to_text(again);
            ovs_assert(!strcmp(printed, same));
        }
        AUTO(err) *err = config_check(config);
        ovs_assert(!err || *err->text);
    }
    return 0;
}
