/* SPDX-License-Identifier: Apache-2.0 */
/* The model layer, over a schema that has everything (model.def). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model_fixture.h"

#define SCHEMA_DEF "model.def"
#include "model/expand-structs.h"
#define SCHEMA_DEF "model.def"
#include "model/expand-tables.h"

#define ID1 "11111111-1111-4111-8111-111111111111"
#define ID2 "22222222-2222-4222-8222-222222222222"
#define ID3 "33333333-3333-4333-8333-333333333333"

static struct uuid
uid(const char *text)
{
    struct uuid u;

    assert_true(uid_from_text(text, &u));
    return u;
}

static struct model *
make_model(void)
{
    struct model *model = model_create();

    model_register(model, &tree_resource);
    model_register(model, &forest_resource);
    model_register(model, &wild_beast_resource);
    model_register(model, &fact_resource);
    return model;
}

/* Checks what an object looks like when it is written. */
static void
assert_written(const struct entity *entity, enum entity_flags flags,
               const char *expected)
{
    AUTO_TEXT *text = text_of(entity, flags);
    AUTO_TEXT *plain = quoted(expected);

    assert_string_equal(text, plain);
}

static void
assert_refused(const char *text, const char *expected)
{
    AUTO_TEXT *error = error_of(&tree_resource, text);

    assert_non_null(error);
    assert_string_equal(error, expected);
}

/* JSON. */

static void
test_decode_all_kinds(void **state)
{
    AUTO(entity) *e = entity_of(
        &tree_resource,
        "{'id':'" ID1 "','name':'n','kind':'elm','old':true,'height':7,"
        "'ring:count':12,'serial':'" ID2 "','forest_id':'" ID3 "',"
        "'at':'10.0.0.1','area':'10.1.2.3/16','spot':'10.0.0.9',"
        "'mac':'FA:16:3E:00:00:01','notes':{'b':[1,null],'a':'x'},"
        "'labels':['p','q'],'years':[1,2],'addresses':['::1','1.2.3.4'],"
        "'friends':['" ID1 "'],'owners':['" ID2 "'],"
        "'twigs':[{'at':'::2','leaves':[{'word':'w'}],'best':{'weight':2}}],"
        "'crown':{'word':'c','extra':5}}");
    const struct tree *tree = tree_cast(e);

    assert_string_equal(tree->name, "n");
    assert_string_equal(tree->kind, "elm");
    assert_true(tree->old);
    assert_int_equal(tree->height, 7);
    assert_int_equal(tree->ring_count, 12);
    assert_int_equal(tree->area.plen, 16);
    assert_int_equal(tree->mac.ea[5], 1);
    assert_string_equal(tree->notes, "{\"a\":\"x\",\"b\":[1,null]}");
    assert_int_equal(tree->labels.n, 2);
    assert_int_equal(tree->years.items[1], 2);
    assert_int_equal(tree->addresses.n, 2);
    assert_int_equal(tree->friends.n, 1);
    assert_int_equal(tree->twigs.n, 1);
    assert_string_equal(tree->twigs.items[0].leaves.items[0].word, "w");
    assert_int_equal(tree->twigs.items[0].best->weight, 2);
    assert_string_equal(tree->crown->word, "c");
    assert_true(HAS(tree, tree, height));
    assert_false(HAS(tree, tree, owner));

    assert_written(
        e, ENTITY_ANSWER,
        "{'id':'" ID1 "','name':'n','kind':'elm','old':true,'height':7,"
        "'ring:count':'12','serial':'" ID2 "','forest_id':'" ID3 "',"
        "'at':'10.0.0.1','area':'10.1.2.3/16','spot':'10.0.0.9',"
        "'mac':'fa:16:3e:00:00:01','notes':{'a':'x','b':[1,null]},"
        "'labels':['p','q'],'years':[1,2],'addresses':['::1','1.2.3.4'],"
        "'friends':['" ID1 "'],'owners':[{'id':'" ID2 "'}],"
        "'twigs':[{'at':'::2','leaves':[{'word':'w'}],'best':{'weight':2}}],"
        "'crown':{'word':'c','extra':5}}");
}

static void
test_decode_sloppy(void **state)
{
    AUTO(entity) *e = entity_of(
        &tree_resource,
        "{'id':'11111111111141118111111111111111','name':17,'old':'False',"
        "'height':'8','rings':'4','labels':'one','kind':'','serial':'',"
        "'at':'','mac':'','height':'9','owners':[{'id':'" ID2 "','x':1},null],"
        "'friends':'" ID3 "','crown':{},'twigs':'','addresses':['','::1'],"
        "'years':['1',2]}");
    const struct tree *tree = tree_cast(e);

    assert_string_equal(tree->name, "17");
    assert_true(HAS(tree, tree, old) && !tree->old);
    assert_int_equal(tree->height, 9);
    assert_int_equal(tree->ring_count, 4);
    assert_int_equal(tree->labels.n, 1);
    assert_int_equal(tree->owners.n, 1);
    assert_int_equal(tree->friends.n, 1);
    assert_int_equal(tree->addresses.n, 1);
    assert_int_equal(tree->years.items[0], 1);
    assert_false(HAS(tree, tree, kind) || HAS(tree, tree, serial)
                 || HAS(tree, tree, at) || HAS(tree, tree, mac)
                 || HAS(tree, tree, crown) || HAS(tree, tree, twigs));

    /* The name proper goes before the alias, in whatever order. */
    AUTO(entity) *both =
        entity_of(&tree_resource, "{'id':'" ID1 "','rings':1,'ring:count':2}");
    assert_int_equal(tree_cast(both)->ring_count, 2);
}

static void
test_decode_refused(void **state)
{
    assert_refused("{}", "id: is required");
    assert_refused("{'id':null}", "id: is required");
    assert_refused("{'id':'x'}", "id: not a UUID");
    assert_refused("[]", "-: not an object");
    assert_refused("{'id':'" ID1 "','name':{}}", "name: not a string");
    assert_refused("{'id':'" ID1 "','kind':'ash'}",
                   "kind: not one of oak|elm|fir: \"ash\"");
    assert_refused("{'id':'" ID1 "','old':1}", "old: not true or false: 1");
    assert_refused("{'id':'" ID1 "','height':101}",
                   "height: not within 0 to 100: 101");
    assert_refused("{'id':'" ID1 "','rings':'4x'}",
                   "rings: not a whole number: \"4x\"");
    assert_refused("{'id':'" ID1 "','area':'10.0.0.0/33'}",
                   "area: not an IP prefix: \"10.0.0.0/33\"");
    assert_refused("{'id':'" ID1 "','labels':[1,'a',[]]}",
                   "labels[2]: not a string");
    assert_refused("{'id':'" ID1 "','twigs':[{},{'leaves':[{'weight':6}]}]}",
                   "twigs[1].leaves[0].weight: not within -5 to 5: 6");
    assert_refused("{'id':'" ID1 "','crown':{'word':[]}}",
                   "crown.word: not a string");
    assert_refused("{'id':'" ID1 "','twigs':{}}", "twigs: not a list");
    assert_refused("{'id':'" ID1 "','forest_id':'" ID2 "','twigs':[{}]}",
                   "twigs[0].at: is required");
    assert_refused("{'id':'" ID1 "'}", "forest_id: is required");
}

static void
test_decode_huge_list(void **state)
{
    AUTO(json) *object = json_object_create();
    struct json *list = json_array_create_empty();
    for (int i = 0; i < 100001; i++) {
        json_array_add(list, json_null_create());
    }
    json_object_put(object, "friends", list);

    struct uuid id = uid(ID1);
    struct entity *e = NULL;
    AUTO(err) *err = entity_from_json(&tree_resource, object, &id, 0, &e);
    assert_non_null(err);
    assert_null(e);
    assert_string_equal(err->field, "friends");
}

static void
test_absent_null_value(void **state)
{
    AUTO(entity) *e = entity_of(
        &tree_resource,
        "{'id':'" ID1 "','name':null,'shown':null,'at':'::1','labels':null,"
        "'zz':null,'aa':{'y':1,'x':[]}}");

    assert_written(e, ENTITY_ANSWER,
                   "{'id':'" ID1 "','at':'::1','shown':null,"
                   "'aa':{'x':[],'y':1},'zz':null}");
    assert_written(e, ENTITY_STORED,
                   "{'id':'" ID1 "','name':null,'at':'::1','labels':null,"
                   "'shown':null,'aa':{'x':[],'y':1},'zz':null}");
}

static void
test_only(void **state)
{
    AUTO(entity) *e = entity_of(
        &tree_resource,
        "{'id':'" ID1 "','name':'n','at':'::1','rings':3,'zz':[1],'key':'s'}");
    const char *only[] = {
        "name", "zz", "ring:count", "nothing", "key", NULL
    };
    AUTO_DS ds = DS_EMPTY_INITIALIZER;

    entity_put_json(e, ENTITY_ANSWER, only, &ds);
    assert_string_equal(ds_cstr(&ds),
                        "{\"name\":\"n\",\"ring:count\":\"3\",\"zz\":[1]}");
    ds_clear(&ds);
    only[0] = "id";
    only[1] = NULL;
    entity_put_json(e, ENTITY_ANSWER, only, &ds);
    assert_string_equal(ds_cstr(&ds), "{\"id\":\"" ID1 "\"}");

    /* A secret stays in the store. */
    AUTO_TEXT *stored = text_of(e, ENTITY_STORED);
    assert_non_null(strstr(stored, "\"key\":\"s\""));
}

static void
test_escapes(void **state)
{
    AUTO(json) *object = json_object_create();
    json_object_put_string(object, "id", ID1);
    json_object_put_string(object, "name", "a\"b\\c\n\x01\x7f\xc3\xa9/");
    json_object_put_string(object, "odd \"name\"", "v");
    struct entity *made = NULL;
    AUTO(err) *err = entity_from_json(&tree_resource, object, NULL, 0, &made);
    assert_null(err);
    AUTO(entity) *e = made;

    AUTO(json) *back = entity_to_json(e, ENTITY_ANSWER);
    assert_true(json_equal(object, back));
}

/* Completion and change. */

static void
test_complete(void **state)
{
    AUTO(entity) *e = entity_of(
        &tree_resource,
        "{'id':'" ID1 "','forest_id':'" ID2 "','payer':'me',"
        "'twigs':[{'at':'::1','leaves':[{},{'weight':3}],'best':{'word':''}}]"
        ",'old':null}");
    AUTO(err) *err = entity_complete(e);

    assert_null(err);
    assert_written(
        e, ENTITY_STORED,
        "{'id':'" ID1 "','kind':'oak','old':null,'forest_id':'" ID2 "',"
        "'labels':[],'twigs':[{'at':'::1','leaves':[{'weight':1},"
        "{'weight':3}],'best':{'word':'','weight':1}}],'owner':'me',"
        "'payer':'me'}");
}

static void
test_inherit(void **state)
{
    AUTO(entity) *old =
        entity_of(&tree_resource, "{'id':'" ID1 "','forest_id':'" ID2
                                  "','mac':'fa:16:3e:00:00:01',"
                                  "'name':'old','x':1}");
    old->number = 7;
    AUTO(entity) *e =
        entity_of(&tree_resource,
                  "{'id':'" ID1 "','forest_id':'" ID3 "','height':1,'y':2}");

    entity_inherit(e, old);
    assert_int_equal(e->number, 7);
    assert_written(e, ENTITY_STORED,
                   "{'id':'" ID1 "','height':1,'forest_id':'" ID2 "',"
                   "'mac':'fa:16:3e:00:00:01','y':2}");

    /* Identity that is given wins, null too. */
    AUTO(entity) *cleared =
        entity_of(&tree_resource, "{'id':'" ID1 "','mac':null}");
    entity_inherit(cleared, old);
    assert_false(HAS(tree, tree_cast(cleared), mac));
}

static void
test_merge(void **state)
{
    AUTO(entity) *old = entity_of(
        &tree_resource,
        "{'id':'" ID1 "','name':'old','height':3,'labels':['a'],'group':'g',"
        "'at':'::1','twigs':[{'at':'::1'}],'x':1,'z':{'a':1}}");
    AUTO(entity) *e = entity_of(
        &tree_resource, "{'id':'" ID1 "','name':'new','at':null,'x':2,'y':3}");

    entity_merge(e, old);
    assert_written(e, ENTITY_STORED,
                   "{'id':'" ID1
                   "','name':'new','height':3,'at':null,'labels':['a'],"
                   "'twigs':[{'at':'::1'}],'x':2,'y':3,'z':{'a':1}}");
}

static void
test_equals_compare(void **state)
{
    AUTO(entity) *a =
        entity_of(&tree_resource, "{'id':'" ID1 "','labels':['a','b']}");
    AUTO(entity) *b = entity_clone(a);

    assert_true(entity_equals(a, b));
    b->number = 1;
    assert_true(entity_compare(a, b) < 0 && entity_compare(b, a) > 0);
    b->number = 0;
    b->extra = mem_text("{\"x\":1}");
    assert_true(entity_compare(a, b) < 0 && entity_compare(b, a) > 0);

    AUTO(entity) *c =
        entity_of(&tree_resource, "{'id':'" ID1 "','labels':['a']}");
    AUTO(entity) *d =
        entity_of(&tree_resource, "{'id':'" ID1 "','labels':null}");
    AUTO(entity) *e = entity_of(&tree_resource, "{'id':'" ID1 "'}");
    assert_true(entity_compare(c, a) < 0);
    assert_false(entity_equals(c, d) || entity_equals(d, e));
    AUTO(entity) *f = entity_of(&forest_resource, "{'id':'" ID1 "'}");
    assert_true(entity_compare(f, e) < 0 && entity_compare(e, f) > 0);
}

static void
test_matches(void **state)
{
    AUTO(entity) *e = entity_of(
        &tree_resource,
        "{'id':'" ID1 "','name':'n','old':true,'height':7,'rings':3,"
        "'serial':'" ID2 "','at':'2001:db8::1','area':'10.0.0.1/8',"
        "'mac':'fa:16:3e:00:00:0a','labels':['p','q'],'friends':['" ID3 "'],"
        "'owner':'aaaa-BBBB','notes':'plain','kind':null}");
    static const struct {
        const char *name, *text;
        bool matches;
    } cases[] = {
        { "name", "n", true },
        { "name", "N", false },
        { "old", "TRUE", true },
        { "old", "false", false },
        { "height", "07", true },
        { "height", "8", false },
        { "ring_count", "3", true },
        { "ring:count", "3", true },
        { "rings", "4", false },
        { "serial", "22222222222242228222222222222222", true },
        { "at", "2001:DB8:0::1", true },
        { "at", "::1", false },
        { "area", "10.0.0.1/8", true },
        { "area", "10.0.0.0/8", false },
        { "mac", "FA:16:3E:00:00:0A", true },
        { "labels", "q", true },
        { "labels", "r", false },
        { "friends", ID3, true },
        { "friends", ID1, false },
        { "owner", "aaaabbbb", true },
        { "owner", "aaaabbb", false },
        { "notes", "plain", true },
        { "notes", "\"plain\"", false },
        { "kind", "oak", false },
        { "kind", "", true },
        { "payer", "x", false },
        { "payer", "", true },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct field *field =
            shape_find(&tree_resource.shape, cases[i].name);
        assert_non_null(field);
        if (entity_matches(e, field, cases[i].text) != cases[i].matches) {
            fail_msg("%s=%s", cases[i].name, cases[i].text);
        }
    }
    assert_null(shape_find(&tree_resource.shape, "id"));
    assert_null(shape_find(&leaf_shape, "rest"));
}

static void
test_to_text(void **state)
{
    AUTO(entity) *e =
        entity_of(&tree_resource,
                  "{'id':'" ID1 "','name':'a \\'b','height':7,'at':'::1',"
                  "'labels':['p','q'],'twigs':[{'at':'::1'}],'old':null}");
    static const char *const cases[][2] = {
        { "name", "a \"b" },
        { "height", "7" },
        { "at", "::1" },
        { "labels", "p,q" },
        { "twigs", "[{\"at\":\"::1\"}]" },
        { "old", NULL },
        { "mac", NULL },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct field *field =
            shape_find(&tree_resource.shape, cases[i][0]);
        AUTO_TEXT *text = field_to_text(field, e);
        assert_true(!text == !cases[i][1]);
        if (text) {
            assert_string_equal(text, cases[i][1]);
        }
    }
}

static void
test_random_entities(void **state)
{
    struct random random = random_from_environment();

    check_random_entities(&random, &tree_resource, 3000);
    check_random_entities(&random, &forest_resource, 100);
}

/* Model and transactions. */

static struct entity *
forest(const char *id, const char *name)
{
    AUTO_TEXT *text = mem_textf("{'id':'%s','name':'%s'}", id, name);

    return entity_of(&forest_resource, text);
}

static uint32_t
number_of(const struct model *model, const struct resource *resource,
          const char *id)
{
    struct uuid u = uid(id);
    const struct entity *e = model_find(model, resource, &u);

    return e ? e->number : 0;
}

static void
put_now(struct model *model, struct entity *entity)
{
    struct txn *txn = txn_create(model);

    txn_put(txn, entity);
    txn_apply(txn);
}

static void
delete_now(struct model *model, const struct resource *resource,
           const char *id)
{
    struct txn *txn = txn_create(model);
    struct uuid u = uid(id);

    txn_delete(txn, resource, &u);
    txn_apply(txn);
}

static void
test_numbers(void **state)
{
    AUTO(model) *model = make_model();

    put_now(model, forest(ID1, "a"));
    put_now(model, forest(ID2, "b"));
    put_now(model, entity_of(&tree_resource, "{'id':'" ID1 "'}"));
    put_now(model, entity_of(&wild_beast_resource, "{'id':'" ID1 "'}"));
    assert_int_equal(number_of(model, &forest_resource, ID1), 1);
    assert_int_equal(number_of(model, &forest_resource, ID2), 2);
    assert_int_equal(number_of(model, &tree_resource, ID1), 3);
    assert_int_equal(number_of(model, &wild_beast_resource, ID1), 1);

    /* A change keeps the number; a deletion frees it. */
    put_now(model, forest(ID1, "c"));
    assert_int_equal(number_of(model, &forest_resource, ID1), 1);
    delete_now(model, &forest_resource, ID1);
    put_now(model, entity_of(&tree_resource, "{'id':'" ID2 "'}"));
    assert_int_equal(number_of(model, &tree_resource, ID2), 1);

    /* Rolled back and abandoned reservations are free again. */
    struct txn *txn = txn_create(model);
    size_t mark = txn_mark(txn);
    txn_put(txn, forest(ID3, "d"));
    txn_rollback(txn, mark);
    txn_put(txn, forest(ID3, "e"));
    txn_destroy(txn);
    put_now(model, entity_of(&tree_resource, "{'id':'" ID3 "'}"));
    assert_int_equal(number_of(model, &tree_resource, ID3), 4);
}

static void
test_numbers_of_many(void **state)
{
    AUTO(model) *model = make_model();
    struct txn *txn = txn_create(model);

    for (int i = 0; i < 1000; i++) {
        AUTO_TEXT *name = mem_textf("%d", i);
        struct uuid id = uid_from_name("many", name);
        txn_put(txn, entity_create(&forest_resource, &id));
        assert_int_equal(txn_find(txn, &forest_resource, &id)->number, i + 1);
    }
    txn_apply(txn);
    assert_int_equal(model_count(model, &forest_resource), 1000);

    size_t n;
    const struct entity **list = model_list(model, &forest_resource, &n);
    assert_int_equal(n, 1000);
    for (size_t i = 1; i < n; i++) {
        assert_true(uid_compare(&list[i - 1]->id, &list[i]->id) < 0);
    }
    free(list);
}

static void
test_load(void **state)
{
    AUTO(model) *model = make_model();

    model_load(model, forest(ID1, "a"), 500);
    model_load(model, forest(ID2, "b"), 2);
    /* A damaged store: the same number twice. */
    model_load(model, forest(ID3, "c"), 2);
    assert_int_equal(number_of(model, &forest_resource, ID1), 500);
    assert_int_equal(number_of(model, &forest_resource, ID2), 2);
    assert_int_equal(number_of(model, &forest_resource, ID3), 1);
    put_now(model, entity_of(&tree_resource, "{'id':'" ID1 "'}"));
    assert_int_equal(number_of(model, &tree_resource, ID1), 3);

    struct uuid id = uid(ID1);
    model_load_deleted(model, "tree", &id);
    model_load_deleted(model, "a resource of the past", &id);
    assert_true(model_was_deleted(model, &tree_resource, &id));
    assert_false(model_was_deleted(model, &forest_resource, &id));
}

static void
test_txn_overlay(void **state)
{
    AUTO(model) *model = make_model();
    struct uuid id1 = uid(ID1), id2 = uid(ID2), id3 = uid(ID3);
    put_now(model, forest(ID1, "a"));
    put_now(model, forest(ID2, "b"));

    struct txn *txn = txn_create(model);
    assert_ptr_equal(txn_model(txn), model);
    txn_put(txn, forest(ID1, "a2"));
    txn_delete(txn, &forest_resource, &id2);
    txn_put(txn, forest(ID3, "c"));
    assert_string_equal(
        forest_cast(txn_find(txn, &forest_resource, &id1))->name, "a2");
    assert_null(txn_find(txn, &forest_resource, &id2));
    assert_true(txn_was_deleted(txn, &forest_resource, &id2));
    assert_false(model_was_deleted(model, &forest_resource, &id2));
    assert_non_null(txn_find(txn, &forest_resource, &id3));

    /* Nothing of it is true yet. */
    assert_string_equal(
        forest_cast(model_find(model, &forest_resource, &id1))->name, "a");
    assert_non_null(model_find(model, &forest_resource, &id2));
    assert_null(model_find(model, &forest_resource, &id3));

    struct change change;
    assert_int_equal(txn_n_changes(txn), 3);
    txn_get(txn, 0, &change);
    assert_string_equal(forest_cast(change.old)->name, "a");
    assert_string_equal(forest_cast(change.new_)->name, "a2");
    assert_int_equal(change.new_->number, 1);
    txn_get(txn, 1, &change);
    assert_null(change.new_);
    txn_get(txn, 2, &change);
    assert_null(change.old);
    assert_int_equal(change.new_->number, 3);

    txn_apply(txn);
    assert_null(model_find(model, &forest_resource, &id2));
    assert_true(model_was_deleted(model, &forest_resource, &id2));
    assert_int_equal(number_of(model, &forest_resource, ID3), 3);
}

static void
test_txn_nothing_new(void **state)
{
    AUTO(model) *model = make_model();
    put_now(model, forest(ID1, "a"));

    struct txn *txn = txn_create(model);
    struct uuid id2 = uid(ID2);
    txn_put(txn, forest(ID1, "a"));
    txn_delete(txn, &forest_resource, &id2);
    assert_int_equal(txn_n_changes(txn), 0);
    txn_destroy(txn);
}

static void
test_txn_marks(void **state)
{
    AUTO(model) *model = make_model();
    struct uuid id1 = uid(ID1);
    put_now(model, forest(ID1, "a"));

    struct txn *txn = txn_create(model);
    txn_put(txn, forest(ID1, "b"));
    size_t mark = txn_mark(txn);
    txn_delete(txn, &forest_resource, &id1);
    txn_put(txn, forest(ID1, "c"));
    txn_put(txn, forest(ID2, "d"));
    size_t inner = txn_mark(txn);
    txn_put(txn, forest(ID3, "e"));
    txn_put(txn, forest(ID1, "f"));
    txn_rollback(txn, inner);
    assert_int_equal(txn_n_changes(txn), 2);
    assert_string_equal(
        forest_cast(txn_find(txn, &forest_resource, &id1))->name, "c");
    txn_rollback(txn, mark);
    assert_int_equal(txn_n_changes(txn), 1);
    txn_apply(txn);
    assert_string_equal(
        forest_cast(model_find(model, &forest_resource, &id1))->name, "b");
    assert_int_equal(model_count(model, &forest_resource), 1);
}

/* Observers. */

struct seen {
    int n_calls;
    struct ds text;
};

static void
see(const struct change *changes, size_t n, void *seen_)
{
    struct seen *seen = seen_;

    seen->n_calls++;
    for (size_t i = 0; i < n; i++) {
        const struct change *c = &changes[i];
        assert_ptr_equal(c->resource, &forest_resource);
        ds_put_format(&seen->text, "%s>%s ",
                      c->old ? forest_cast(c->old)->name : "",
                      c->new_ ? forest_cast(c->new_)->name : "");
    }
}

static void
test_observers(void **state)
{
    AUTO(model) *model = make_model();
    struct seen seen = { .text = DS_EMPTY_INITIALIZER };
    struct uuid id1 = uid(ID1), id2 = uid(ID2), id3 = uid(ID3);
    model_observe(model, see, &seen);
    put_now(model, forest(ID1, "a"));
    put_now(model, forest(ID2, "b"));

    struct txn *txn = txn_create(model);
    txn_put(txn, forest(ID1, "c"));
    txn_put(txn, forest(ID3, "x"));
    txn_delete(txn, &forest_resource, &id3); /* Came and went. */
    txn_delete(txn, &forest_resource, &id2);
    txn_put(txn, forest(ID2, "d")); /* Went and came. */
    txn_apply(txn);
    assert_string_equal(ds_cstr(&seen.text), ">a >b a>c b>d ");
    assert_int_equal(seen.n_calls, 3);
    assert_true(model_was_deleted(model, &forest_resource, &id3));
    assert_false(model_was_deleted(model, &forest_resource, &id1));
    ds_destroy(&seen.text);
}

static void
test_deleted_is_bounded(void **state)
{
    AUTO(model) *model = make_model();

    for (uint32_t i = 0; i < 100001; i++) {
        struct uuid id = { .parts = { i, 1, 2, 3 } };
        model_load_deleted(model, "tree", &id);
    }
    struct uuid first = { .parts = { 0, 1, 2, 3 } };
    struct uuid second = { .parts = { 1, 1, 2, 3 } };
    assert_false(model_was_deleted(model, &tree_resource, &first));
    assert_true(model_was_deleted(model, &tree_resource, &second));

    /* Facts are not remembered. */
    put_now(model, entity_of(&fact_resource, "{'id':'" ID1 "'}"));
    delete_now(model, &fact_resource, ID1);
    struct uuid id1 = uid(ID1);
    assert_false(model_was_deleted(model, &fact_resource, &id1));
}

static void
test_overtaken(void **state)
{
    AUTO(model) *model = make_model();
    struct uuid id1 = uid(ID1);
    put_now(model, entity_of(&fact_resource, "{'id':'" ID1 "'}"));

    /* While a commit is under way, facts change what it was built on. */
    struct txn *slow = txn_create(model);
    txn_put(slow, entity_of(&fact_resource, "{'id':'" ID1 "','text':'s'}"));
    txn_put(slow, entity_of(&fact_resource, "{'id':'" ID2 "','text':'s'}"));
    struct txn *quick = txn_create(model);
    txn_delete(quick, &fact_resource, &id1);
    txn_put(quick, entity_of(&fact_resource, "{'id':'" ID2 "','text':'q'}"));
    txn_apply(quick);
    txn_apply(slow);
    assert_int_equal(number_of(model, &fact_resource, ID1), 1);
    assert_int_equal(number_of(model, &fact_resource, ID2), 2);

    /* No number leaked. */
    put_now(model, entity_of(&fact_resource, "{'id':'" ID3 "'}"));
    assert_int_equal(number_of(model, &fact_resource, ID3), 3);
}

/* Writing without a store. */

static struct err *
edit_two(struct txn *txn, void *fails)
{
    txn_put(txn, forest(ID1, "a"));
    txn_put(txn, forest(ID2, "b"));
    return *(bool *) fails ? err_new(ERR_IN_USE, NULL, "no") : NULL;
}

static void
done_two(struct err *err_, void *fails)
{
    AUTO(err) *err = err_;

    assert_int_equal(err != NULL, *(bool *) fails);
}

static void
edit_fact(struct txn *txn, void *aux)
{
    txn_put(txn, entity_of(&fact_resource, "{'id':'" ID1 "'}"));
}

static void
test_write(void **state)
{
    AUTO(model) *model = make_model();
    bool fails = true;

    model_write(model, edit_two, done_two, &fails);
    assert_int_equal(model_count(model, &forest_resource), 0);
    fails = false;
    model_write(model, edit_two, done_two, &fails);
    assert_int_equal(model_count(model, &forest_resource), 2);
    model_write_facts(model, edit_fact, NULL);
    assert_int_equal(model_count(model, &fact_resource), 1);
}

/* A random history of transactions agrees with a plain array, and numbers
 * stay unique and dense. */
#define N_IDS 12
static void
check_model(const struct model *model, char names[N_IDS])
{
    uint64_t numbers = 0;
    size_t n = 0;

    for (uint32_t i = 0; i < N_IDS; i++) {
        struct uuid id = { .parts = { i, 0, 0, 9 } };
        const struct forest *f =
            forest_cast(model_find(model, &forest_resource, &id));
        assert_int_equal(f ? f->name[0] : 0, names[i]);
        if (f) {
            assert_true(f->entity.number >= 1 && f->entity.number <= N_IDS);
            assert_false(numbers >> f->entity.number & 1);
            numbers |= UINT64_C(1) << f->entity.number;
            n++;
        }
    }
    assert_int_equal(model_count(model, &forest_resource), n);
}

static void
random_step(struct random *random, struct txn *txn, char names[N_IDS])
{
    uint32_t i = random_below(random, N_IDS);
    struct uuid id = { .parts = { i, 0, 0, 9 } };

    if (random_below(random, 3)) {
        struct forest *f =
            (struct forest *) (void *) entity_create(&forest_resource, &id);
        names[i] = 'a' + random_below(random, 26);
        f->name = mem_textf("%c", names[i]);
        SET(forest, f, name);
        txn_put(txn, &f->entity);
    } else {
        names[i] = 0;
        txn_delete(txn, &forest_resource, &id);
    }
}

static void
test_random_history(void **state)
{
    struct random random = random_from_environment();
    AUTO(model) *model = make_model();
    char names[N_IDS] = { 0 };

    for (int i = 0; i < 3000; i++) {
        char before[N_IDS], marked[N_IDS];
        memcpy(before, names, sizeof names);
        struct txn *txn = txn_create(model);
        for (uint32_t n = random_below(&random, 8); n; n--) {
            random_step(&random, txn, names);
        }
        size_t mark = txn_mark(txn);
        memcpy(marked, names, sizeof names);
        for (uint32_t n = random_below(&random, 8); n; n--) {
            random_step(&random, txn, names);
        }
        if (random_below(&random, 2)) {
            txn_rollback(txn, mark);
            memcpy(names, marked, sizeof names);
        }
        check_model(model, before);
        if (random_below(&random, 4)) {
            txn_apply(txn);
        } else {
            txn_destroy(txn);
            memcpy(names, before, sizeof names);
        }
        check_model(model, names);
    }
}

/* OpenAPI. */

static const struct json *
dig(const struct json *json, const char *const *path)
{
    for (; *path; path++) {
        json = jget(json, *path);
        assert_non_null(json);
    }
    return json;
}

static void
test_openapi(void **state)
{
    AUTO(model) *model = make_model();
    AUTO(json) *made = model_openapi(model, "/base");
    AUTO_TEXT *text = json_to_string(made, 0);
    AUTO(json) *doc = json_from_string(text);
    assert_int_equal(doc->type, JSON_OBJECT);

    assert_string_equal(jget_text(doc, "openapi"), "3.0.3");
    const struct json *paths = jget(doc, "paths");
    assert_non_null(jget(paths, "/trees"));
    assert_non_null(jget(paths, "/trees/{id}"));
    assert_non_null(jget(paths, "/forests/{region}/here/{id}"));
    assert_null(jget(jget(paths, "/beasts/{id}"), "put"));
    assert_non_null(jget(jget(paths, "/trees/{id}"), "put"));

    static const char *const oak[] = { "components", "schemas", "tree",
                                       "properties", "kind",    NULL };
    AUTO_TEXT *kind = json_to_string(dig(doc, oak), JSSF_SORT);
    assert_string_equal(kind,
                        "{\"default\":\"oak\",\"enum\":[\"oak\",\"elm\","
                        "\"fir\"],\"nullable\":true,\"type\":\"string\"}");
    static const char *const schemas[] = { "components", "schemas", NULL };
    assert_non_null(jget(dig(doc, schemas), "leaf"));
    assert_null(jget(dig(doc, schemas), "fact"));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode_all_kinds),
        cmocka_unit_test(test_decode_sloppy),
        cmocka_unit_test(test_decode_refused),
        cmocka_unit_test(test_decode_huge_list),
        cmocka_unit_test(test_absent_null_value),
        cmocka_unit_test(test_only),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_inherit),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_equals_compare),
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_to_text),
        cmocka_unit_test(test_random_entities),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_of_many),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_txn_overlay),
        cmocka_unit_test(test_txn_nothing_new),
        cmocka_unit_test(test_txn_marks),
        cmocka_unit_test(test_observers),
        cmocka_unit_test(test_deleted_is_bounded),
        cmocka_unit_test(test_overtaken),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_random_history),
        cmocka_unit_test(test_openapi),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
