/* SPDX-License-Identifier: Apache-2.0 */
/* Items and flows as text, by name.
 *
 *     LOCAL 100 SEGMENT=17,eth_dst=fa:16:3e:00:00:01 -> TARGET=5,goto EGRESS
 *     table priority    match                           actions
 *
 * Golden files hold these lines and people read them, so they are a function
 * of the content only, and numbers that pipeline.def names appear by name.
 * Registers come first, in the order of pipeline.def, then what
 * libopenvswitch prints, with its older field names replaced by those of
 * OpenFlow. */

#include "pipeline/private.h"

#include <endian.h>

#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-group.h"

#define VID_PRESENT 0x1000

/* Values of registers. */

static const char *const origins[] = {
    [ORIGIN_LOCAL] = "local",
    [ORIGIN_TUNNEL] = "tunnel",
    [ORIGIN_PHYSICAL] = "physical",
};

static void
put_register_value(struct ds *s, enum register_id id, uint32_t value)
{
    if (id == R_ORIGIN && value && value <= ORIGIN_PHYSICAL) {
        ds_put_cstr(s, origins[value]);
    } else if (id == R_CARRIER && value && value < N_CARRIERS) {
        ds_put_cstr(s, carrier_name(value));
    } else {
        ds_put_format(s, "%" PRIu32, value);
    }
}

static void
put_comma(struct ds *s, size_t start)
{
    if (s->length > start) {
        ds_put_char(s, ',');
    }
}

/* Appends the parts of OpenFlow register 'reg' that 'mask' selects. */
static void
put_register(struct ds *s, size_t start, unsigned int reg, uint32_t value,
             uint32_t mask)
{
    for (enum register_id id = 0; id < N_REGISTERS; id++) {
        const struct register_info *info = register_get(id);
        uint32_t part = register_mask(id);
        if (info->reg == reg && (mask & part) == part) {
            put_comma(s, start);
            ds_put_format(s, "%s=", info->name);
            put_register_value(s, id, (value & part) >> info->first);
            mask &= ~part;
        }
    }
    if (mask) {
        put_comma(s, start);
        ds_put_format(s, "reg%u=0x%" PRIx32 "/0x%" PRIx32, reg, value & mask,
                      mask);
    }
}

/* Matches. */

/* What libopenvswitch calls a condition, and what we do.  A name that ends in
 * "=" is followed by a value. */
static const char *const synonyms[][2] = {
    { "dl_src=", "eth_src=" },
    { "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00", "eth_dst=multicast" },
    { "dl_dst=", "eth_dst=" },
    { "dl_type=", "eth_type=" },
    { "nw_src=", "ip_src=" },
    { "nw_dst=", "ip_dst=" },
    { "nw_proto=", "ip_proto=" },
    { "vlan_tci=0x0000/0x1fff", "untagged" },
    { "vlan_tci=0x0000", "untagged" },
    { "dl_vlan=", "vlan=" },
};

static void
put_condition(struct ds *s, const char *text)
{
    for (size_t i = 0; i < sizeof synonyms / sizeof synonyms[0]; i++) {
        const char *theirs = synonyms[i][0];
        size_t length = strlen(theirs);
        if (theirs[length - 1] == '=' ? text_starts_with(text, theirs)
                                      : !strcmp(text, theirs)) {
            ds_put_format(s, "%s%s", synonyms[i][1], text + length);
            return;
        }
    }
    if (text_starts_with(text, "tun_id=0x") && !strchr(text, '/')) {
        ds_put_format(s, "tun_id=%llu",
                      strtoull(text + strlen("tun_id="), NULL, 16));
    } else {
        ds_put_cstr(s, text);
    }
}

static void
put_match(struct ds *s, const struct match *match_)
{
    size_t start = s->length;
    struct match match = *match_;
    for (unsigned int reg = 0; reg < FLOW_N_REGS; reg++) {
        put_register(s, start, reg, match.flow.regs[reg],
                     match.wc.masks.regs[reg]);
        match_set_reg_masked(&match, reg, 0, 0);
    }

    AUTO_TEXT *rest = match_to_string(&match, NULL, OFP_DEFAULT_PRIORITY);
    char *cursor = rest;
    const char *condition;
    while ((condition = text_next(&cursor, ","))) {
        if (*condition) {
            put_comma(s, start);
            put_condition(s, condition);
        }
    }
    if (s->length == start) {
        ds_put_cstr(s, "any");
    }
}

/* Actions. */

static void
put_table(struct ds *s, uint8_t number)
{
    enum table_id table;
    if (table_from_number(number, &table)) {
        ds_put_cstr(s, table_name(table));
    } else {
        ds_put_format(s, "table %" PRIu8, number);
    }
}

static void
put_group(struct ds *s, uint32_t group)
{
    if ((group & GROUP_MASK) == GROUP_TAG) {
        ds_put_format(s, "%s(%" PRIu32 ")", group_use_name((group >> 22) & 3),
                      group & GROUP_NUMBER_MAX);
    } else {
        ds_put_format(s, "%" PRIu32, group);
    }
}

static void
put_set_field(struct ds *s, size_t start, struct ofpact_set_field *set)
{
    const struct mf_field *field = set->field;
    const union mf_value *mask = ofpact_set_field_mask(set);
    unsigned int reg = field->id - MFF_REG0;
    if (reg < FLOW_N_REGS) {
        put_register(s, start, reg, ntohl(set->value->be32),
                     ntohl(mask->be32));
        return;
    }

    put_comma(s, start);
    ds_put_format(s, "%s=", field->name);
    if (field->id == MFF_TUN_ID) {
        ds_put_format(s, "%" PRIu64,
                      be64toh((OVS_FORCE uint64_t) set->value->be64));
    } else if (field->id == MFF_ND_RESERVED) {
        ds_put_format(s, "0x%" PRIx32, ntohl(set->value->be32));
    } else if (field->id == MFF_VLAN_VID) {
        ds_put_format(s, "%d", ntohs(set->value->be16) & ~VID_PRESENT);
    } else {
        union mf_value copy_mask;
        memset(&copy_mask, 0, sizeof copy_mask);
        memcpy(&copy_mask, mask, field->n_bytes);
        union mf_value copy_value;
        memset(&copy_value, 0, sizeof copy_value);
        memcpy(&copy_value, set->value, field->n_bytes);
        mf_format(field, &copy_value, &copy_mask, NULL, s);
    }
}

static bool
is_whole(const struct mf_subfield *sf)
{
    return !sf->ofs && sf->n_bits == sf->field->n_bits;
}

static void
put_controller(struct ds *s, const struct ofpact_controller *controller)
{
    ds_put_cstr(s, "controller(");
    if (controller->userdata_len == sizeof(ovs_be32)) {
        ovs_be32 reason;
        memcpy(&reason, controller->userdata, sizeof reason);
        ds_put_format(s, "reason=%" PRIu32 " ", ntohl(reason));
    }
    ds_put_format(s, "max_length=%" PRIu16 ")", controller->max_len);
}

static void
put_action(struct ds *s, size_t start, const struct ofpact *a)
{
    if (a->type == OFPACT_SET_FIELD) {
        put_set_field(s, start, ofpact_get_SET_FIELD(a));
        return;
    }

    put_comma(s, start);
    if (a->type == OFPACT_GOTO_TABLE) {
        ds_put_cstr(s, "goto ");
        put_table(s, ofpact_get_GOTO_TABLE(a)->table_id);
    } else if (a->type == OFPACT_RESUBMIT
               && ofpact_get_RESUBMIT(a)->in_port == OFPP_IN_PORT
               && !ofpact_get_RESUBMIT(a)->with_ct_orig) {
        ds_put_cstr(s, "resubmit ");
        put_table(s, ofpact_get_RESUBMIT(a)->table_id);
    } else if (a->type == OFPACT_GROUP) {
        ds_put_cstr(s, "group:");
        put_group(s, ofpact_get_GROUP(a)->group_id);
    } else if (a->type == OFPACT_REG_MOVE
               && is_whole(&ofpact_get_REG_MOVE(a)->src)
               && is_whole(&ofpact_get_REG_MOVE(a)->dst)) {
        const struct ofpact_reg_move *move = ofpact_get_REG_MOVE(a);
        ds_put_format(s, "move %s->%s", move->src.field->name,
                      move->dst.field->name);
    } else if (a->type == OFPACT_CONTROLLER) {
        put_controller(s, ofpact_get_CONTROLLER(a));
    } else {
        struct ofpact_format_params params = { .s = s };
        ofpacts_format(a, OFPACT_ALIGN(a->len), &params);
    }
}

static void
put_actions(struct ds *s, const struct ofpact *ofpacts, size_t ofpacts_len)
{
    size_t start = s->length;
    const struct ofpact *a;
    OFPACT_FOR_EACH (a, ofpacts, ofpacts_len) {
        put_action(s, start, a);
    }
    if (s->length == start) {
        ds_put_cstr(s, "drop");
    }
}

/* Whole items. */

static void
put_rule(struct ds *s, uint8_t number, uint16_t priority,
         const struct match *match, const struct ofpact *ofpacts,
         size_t ofpacts_len)
{
    put_table(s, number);
    ds_put_format(s, " %" PRIu16 " ", priority);
    put_match(s, match);
    ds_put_cstr(s, " -> ");
    put_actions(s, ofpacts, ofpacts_len);
}

static void
put_item_rule(struct ds *s, const struct item *item)
{
    struct match match;
    struct ofpbuf ofpacts;
    ofpbuf_init(&ofpacts, 256);
    item_rule_decode(item, &match, &ofpacts);
    put_rule(s, table_number(item->table), item->priority, &match,
             ofpacts.data, ofpacts.size);
    ofpbuf_uninit(&ofpacts);
}

static void
put_item_bucket(struct ds *s, const struct item *item)
{
    struct ofpbuf ofpacts;
    ofpbuf_init(&ofpacts, 256);
    item_bucket_actions(item, &ofpacts);
    ds_put_cstr(s, "group ");
    put_group(s, item->group);
    ds_put_format(s, " bucket %" PRIu32 " -> ", item->bucket);
    put_actions(s, ofpacts.data, ofpacts.size);
    ofpbuf_uninit(&ofpacts);
}

char *
item_to_text(const struct item *item)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    switch ((enum item_kind) item->kind) {
    case ITEM_RULE:
        put_item_rule(&s, item);
        break;
    case ITEM_GROUP:
        ds_put_cstr(&s, "group ");
        put_group(&s, item->group);
        break;
    case ITEM_BUCKET:
        put_item_bucket(&s, item);
        break;
    case ITEM_TUNNEL:
        ds_put_format(&s, "tunnel %s", carrier_name(item->group));
        break;
    }
    return ds_steal_cstr(&s);
}

char *
pipeline_flow_to_text(const struct ofputil_flow_stats *fs)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    put_rule(&s, fs->table_id, fs->priority, &fs->match, fs->ofpacts,
             fs->ofpacts_len);
    if (fs->packet_count != UINT64_MAX) {
        ds_put_format(&s, " [%" PRIu64 " packets", fs->packet_count);
        if (fs->byte_count != UINT64_MAX) {
            ds_put_format(&s, ", %" PRIu64 " bytes", fs->byte_count);
        }
        ds_put_char(&s, ']');
    }
    return ds_steal_cstr(&s);
}
