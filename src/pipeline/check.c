/* SPDX-License-Identifier: Apache-2.0 */
/* Legality of drafts: does a rule keep to pipeline.def, and would a switch
 * take it?
 *
 * A draft that fails is a bug in a pass, so it aborts, after a message that
 * names the rule; nothing a user says may decide which tables or registers a
 * rule uses.  What is checked:
 *
 *   - every jump (goto, resubmit, recirculation) of a rule leads to a table
 *     that TO(...) of its table lists; a bucket may jump to any table;
 *   - registers are matched and set only in bits that REGISTER rows declare;
 *   - nothing follows a goto;
 *   - a bucket has one output, group or resubmit: it is an action set, in
 *     which Open vSwitch executes only one of them;
 *   - what Open vSwitch itself checks when it takes a flow: actions agree
 *     with the match (OpenFlow 1.5, section 7.2.3.6).
 *
 * Cost: a few hundred nanoseconds per rule. */

#include "pipeline/private.h"

#include "openvswitch/ofp-errors.h"
#include "openvswitch/vlog.h"

VLOG_DEFINE_THIS_MODULE(pipeline_check);

static void OVS_NO_RETURN
refuse(const struct draft *draft, const char *reason, const char *name)
{
    AUTO_DS match = DS_EMPTY_INITIALIZER;
    AUTO_DS actions = DS_EMPTY_INITIALIZER;
    match_format(&draft->match, NULL, &match, OFP_DEFAULT_PRIORITY);
    struct ofpact_format_params params = { .s = &actions };
    ofpacts_format(draft->ofpacts.data, draft->ofpacts.size, &params);
    if (draft->kind == ITEM_RULE) {
        VLOG_ERR("table %s: rule \"%" PRIu16 " %s -> %s\" %s %s",
                 table_name(draft->table), draft->priority, ds_cstr(&match),
                 ds_cstr(&actions), reason, name);
    } else {
        VLOG_ERR("group 0x%08" PRIx32 ": bucket %" PRIu32 " \"%s\" %s %s",
                 draft->group, draft->bucket, ds_cstr(&actions), reason, name);
    }
    ovs_assert_failure(OVS_SOURCE_LOCATOR, __func__, reason);
}

static void
check_jump(const struct draft *draft, uint8_t number)
{
    enum table_id to;
    if (!table_from_number(number, &to)) {
        refuse(draft, "jumps to a table that is not declared", "");
    }
    if (draft->kind == ITEM_RULE && !(table_next(draft->table) & (1u << to))) {
        refuse(draft, "jumps where its table may not send:", table_name(to));
    }
}

/* The bits of register 'reg' that pipeline.def gives a meaning. */
static uint32_t
declared_bits(unsigned int reg)
{
    uint32_t bits = 0;
    for (enum register_id id = 0; id < N_REGISTERS; id++) {
        if (register_get(id)->reg == reg) {
            bits |= register_mask(id);
        }
    }
    return bits;
}

static void
check_registers_matched(const struct draft *draft)
{
    for (unsigned int reg = 0; reg < FLOW_N_REGS; reg++) {
        uint32_t mask = draft->match.wc.masks.regs[reg];
        if (mask && (mask & ~declared_bits(reg))) {
            refuse(draft, "matches bits of a register that is not declared:",
                   mf_from_id(MFF_REG0 + reg)->name);
        }
    }
}

static void
check_register_set(const struct draft *draft, struct ofpact_set_field *set)
{
    unsigned int reg = set->field->id - MFF_REG0;
    if (reg < FLOW_N_REGS) {
        uint32_t mask = ntohl(ofpact_set_field_mask(set)->be32);
        if (mask & ~declared_bits(reg)) {
            refuse(draft, "sets bits of a register that is not declared:",
                   set->field->name);
        }
    }
}

static void
check_action(const struct draft *draft, const struct ofpact *a)
{
    if (a->type == OFPACT_GOTO_TABLE) {
        check_jump(draft, ofpact_get_GOTO_TABLE(a)->table_id);
        if (ofpact_next(a)
            != ofpact_end(draft->ofpacts.data, draft->ofpacts.size)) {
            refuse(draft, "has actions after", "goto");
        }
    } else if (a->type == OFPACT_RESUBMIT) {
        check_jump(draft, ofpact_get_RESUBMIT(a)->table_id);
    } else if (a->type == OFPACT_CT) {
        uint8_t number = ofpact_get_CT(a)->recirc_table;
        if (number != NX_CT_RECIRC_NONE) {
            check_jump(draft, number);
        }
    } else if (a->type == OFPACT_SET_FIELD) {
        check_register_set(draft, ofpact_get_SET_FIELD(a));
    }
}

static void
check_consistency(const struct draft *draft)
{
    struct match match = draft->match;
    struct ofpbuf ofpacts;
    ofpbuf_init(&ofpacts, draft->ofpacts.size);
    if (draft->ofpacts.size) {
        ofpbuf_put(&ofpacts, draft->ofpacts.data, draft->ofpacts.size);
    }
    struct ofpact_check_params params = {
        .match = &match,
        .max_ports = OFPP_MAX,
        .table_id = table_number(draft->table),
        .n_tables = 254,
    };
    enum ofperr error = ofpacts_check_consistency(ofpacts.data, ofpacts.size,
                                                  OFPUTIL_P_OF13_UP, &params);
    ofpbuf_uninit(&ofpacts);
    if (error) {
        refuse(draft, "would be refused by a switch:", ofperr_get_name(error));
    }
}

static void
check_one_end(const struct draft *draft)
{
    int n = 0;
    const struct ofpact *a;
    OFPACT_FOR_EACH (a, draft->ofpacts.data, draft->ofpacts.size) {
        n += a->type == OFPACT_OUTPUT || a->type == OFPACT_GROUP
             || a->type == OFPACT_RESUBMIT;
    }
    if (n != 1) {
        refuse(draft, "has not exactly one", "output, group or resubmit");
    }
}

void
draft_check(const struct draft *draft)
{
    const struct ofpact *a;
    OFPACT_FOR_EACH_FLATTENED(a, draft->ofpacts.data, draft->ofpacts.size)
    {
        check_action(draft, a);
    }
    check_registers_matched(draft);
    if (draft->kind == ITEM_RULE) {
        check_consistency(draft);
    } else {
        check_one_end(draft);
    }
}
