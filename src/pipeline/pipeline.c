/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, registers, carriers and numbers: pipeline.def as data and as text.
 *
 *     pipeline.def ──► enum table_id, enum register_id     (pipeline.h)
 *                 ├──► tables[], registers[]               (here)
 *                 └──► docs/generated/pipeline.md          (here)
 *
 * Everything here is a constant or a function of its arguments.  A packet
 * only ever moves to a table with a higher number, so no rule of ours can
 * make a loop; a unit test holds pipeline.def to that. */

#include "pipeline/private.h"

#include "openvswitch/dynamic-string.h"

struct table_info {
    const char *name;
    const char *question;
    uint8_t number;
    uint32_t next; /* Bit 1u << T_X: may send to X. */
};

static const struct table_info tables[N_TABLES] = {
#define TO(ID) | (1u << T_##ID)
#define TABLE(ID, NUMBER, QUESTION, NEXT)                                     \
    [T_##ID] = { #ID, QUESTION, NUMBER, 0 NEXT },
#define REGISTER(ID, FIELD, FIRST, BITS, MEANING)
#include "pipeline/pipeline.def"
#undef TO
#undef TABLE
#undef REGISTER
};
BUILD_ASSERT_DECL(N_TABLES <= 32);

static const struct register_info registers[N_REGISTERS] = {
#define TABLE(ID, NUMBER, QUESTION, NEXT)
#define REGISTER(ID, FIELD, FIRST, BITS, MEANING)                             \
    [R_##ID] = { #ID, MEANING, MFF_##FIELD - MFF_REG0, FIRST, BITS },
#include "pipeline/pipeline.def"
#undef TABLE
#undef REGISTER
};

struct carrier_info {
    const char *name;
    const char *type;
    int overhead;
};

static const struct carrier_info carriers[N_CARRIERS] = {
    [CARRIER_UNKNOWN] = { "unknown", NULL, 0 },
#define CARRIER(ID, NAME, TYPE, OVERHEAD)                                     \
    [CARRIER_##ID] = { NAME, TYPE, OVERHEAD },
    CARRIERS
#undef CARRIER
};

bool
carrier_from_text(const char *text, enum carrier *carrierp)
{
    for (enum carrier c = CARRIER_UNKNOWN + 1; c < N_CARRIERS; c++) {
        if (!strcmp(carriers[c].name, text)) {
            *carrierp = c;
            return true;
        }
    }
    return false;
}

const char *
carrier_name(enum carrier carrier)
{
    return carrier < N_CARRIERS ? carriers[carrier].name : "unknown";
}

const char *
carrier_interface_type(enum carrier carrier)
{
    return carrier < N_CARRIERS ? carriers[carrier].type : NULL;
}

int
carrier_overhead(enum carrier carrier)
{
    return carrier < N_CARRIERS ? carriers[carrier].overhead : 0;
}

bool
carrier_is_tunnel(enum carrier carrier)
{
    return carrier_interface_type(carrier) != NULL;
}

const char *
table_name(enum table_id table)
{
    ovs_assert(table < N_TABLES);
    return tables[table].name;
}

uint8_t
table_number(enum table_id table)
{
    ovs_assert(table < N_TABLES);
    return tables[table].number;
}

bool
table_from_number(uint8_t number, enum table_id *tablep)
{
    for (enum table_id t = 0; t < N_TABLES; t++) {
        if (tables[t].number == number) {
            *tablep = t;
            return true;
        }
    }
    return false;
}

bool
table_from_name(const char *name, enum table_id *tablep)
{
    for (enum table_id t = 0; t < N_TABLES; t++) {
        if (text_equals_nocase(tables[t].name, name)) {
            *tablep = t;
            return true;
        }
    }
    return false;
}

const char *
table_question(enum table_id table)
{
    ovs_assert(table < N_TABLES);
    return tables[table].question;
}

uint32_t
table_next(enum table_id table)
{
    ovs_assert(table < N_TABLES);
    return tables[table].next;
}

const struct register_info *
register_get(enum register_id id)
{
    ovs_assert(id < N_REGISTERS);
    return &registers[id];
}

enum mf_field_id
register_field(enum register_id id)
{
    return MFF_REG0 + register_get(id)->reg;
}

uint32_t
register_max(enum register_id id)
{
    return UINT32_MAX >> (32 - register_get(id)->n_bits);
}

uint32_t
register_mask(enum register_id id)
{
    return register_max(id) << register_get(id)->first;
}

static const char *const group_uses[] = {
#define GROUP_USE(ID, MEANING) [GROUP_##ID] = #ID,
    GROUP_USES
#undef GROUP_USE
};

uint32_t
group_number(enum group_use use, uint32_t number)
{
    ovs_assert(use < N_GROUP_USES && number <= GROUP_NUMBER_MAX);
    return GROUP_TAG | (uint32_t) use << 22 | number;
}

const char *
group_use_name(enum group_use use)
{
    ovs_assert(use < N_GROUP_USES);
    return group_uses[use];
}

static const char *const scope_kind_names[N_SCOPE_KINDS] = {
#define SCOPE_KIND(ID, NAME) [SCOPE_##ID] = NAME,
    SCOPE_KINDS
#undef SCOPE_KIND
};

const char *
scope_kind_name(enum scope_kind kind)
{
    return kind < N_SCOPE_KINDS ? scope_kind_names[kind] : "unknown";
}

char *
scope_id_to_text(const struct scope_id *id)
{
    return (id->kind == SCOPE_ALL
                ? mem_text(scope_kind_name(id->kind))
                : mem_textf("%s " UID_FMT, scope_kind_name(id->kind),
                            UID_ARGS(&id->id)));
}

/* docs/generated/pipeline.md. */

static void
put_tables(struct ds *md)
{
    ds_put_cstr(md,
                "## Tables\n\n"
                "A packet enters at the first and only ever moves down.\n\n"
                "| number | name | question | may send to |\n"
                "|--:|---|---|---|\n");
    for (enum table_id t = 0; t < N_TABLES; t++) {
        ds_put_format(md, "| %" PRIu8 " | %s | %s | ", tables[t].number,
                      tables[t].name, tables[t].question);
        const char *separator = "";
        for (enum table_id next = 0; next < N_TABLES; next++) {
            if (tables[t].next & (1u << next)) {
                ds_put_format(md, "%s%s", separator, tables[next].name);
                separator = ", ";
            }
        }
        ds_put_cstr(md, *separator ? " |\n" : "- |\n");
    }
}

static void
put_registers(struct ds *md)
{
    ds_put_cstr(md, "\n## Registers\n\n"
                    "| name | field | bits | meaning |\n|---|---|---|---|\n");
    for (enum register_id id = 0; id < N_REGISTERS; id++) {
        const struct register_info *info = &registers[id];
        ds_put_format(md, "| %s | reg%u | %u", info->name, info->reg,
                      info->first);
        if (info->n_bits > 1) {
            ds_put_format(md, "..%u", info->first + info->n_bits - 1u);
        }
        ds_put_format(md, " | %s |\n", info->meaning);
    }
}

static void
put_carriers(struct ds *md)
{
    ds_put_cstr(md,
                "\n## Carriers\n\n"
                "How frames of a segment travel between hosts: values of the "
                "register CARRIER.\nOverhead is in bytes over IPv4; IPv6 adds "
                "20.\n\n"
                "| value | name | OVSDB interface type | overhead |\n"
                "|--:|---|---|--:|\n");
    for (enum carrier c = CARRIER_UNKNOWN + 1; c < N_CARRIERS; c++) {
        ds_put_format(md, "| %d | %s | %s | %d |\n", (int) c, carriers[c].name,
                      carriers[c].type ? carriers[c].type : "-",
                      carriers[c].overhead);
    }
}

static void
put_numbers(struct ds *md)
{
    ds_put_format(md,
                  "\n## Cookies\n\n"
                  "A cookie is `0x%04x` followed by 48 bits: a hash of the "
                  "whole content of the rule.\nTwo rules have the same cookie "
                  "exactly if they are the same rule. A flow without\nthis "
                  "tag is somebody else's and is never touched.\n",
                  (unsigned int) (COOKIE_TAG >> 48));
    ds_put_format(md,
                  "\n## Groups\n\n"
                  "A group id is `0x%02x`, then two bits of use, then 22 bits "
                  "of number. All are of\ntype ALL.\n\n"
                  "| use | name | ids | meaning |\n|--:|---|---|---|\n",
                  GROUP_TAG >> 24);
#define GROUP_USE(ID, MEANING)                                                \
    ds_put_format(md, "| %d | %s | 0x%08x.. | %s |\n", GROUP_##ID, #ID,       \
                  group_number(GROUP_##ID, 0), MEANING);
    GROUP_USES
#undef GROUP_USE
}

char *
pipeline_to_markdown(void)
{
    struct ds md = DS_EMPTY_INITIALIZER;
    ds_put_cstr(&md, "# The OpenFlow pipeline\n\n"
                     "Generated from `src/pipeline/pipeline.def`; "
                     "do not edit.\n\n");
    put_tables(&md);
    put_registers(&md);
    put_carriers(&md);
    put_numbers(&md);
    return ds_steal_cstr(&md);
}
