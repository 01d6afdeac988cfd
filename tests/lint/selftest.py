#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The checks of the sources find what they are for, and only that.

Each case is a small file in a tree of its own, with the rule that must (or
must not) be reported.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
HEAD = """/* SPDX-License-Identifier: Apache-2.0 */
/* What this file is: an example for the checks, with the words that the head
 * of a file must at least have to count as one. */

"""
TABLE = """
layers = [
  ['base', [], []],
  ['model', ['base'], []],
  ['store', ['base', 'model'], []],
  ['features', ['base', 'model'], []],
]
"""


class Tree(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp()
        shutil.copytree(os.path.join(TOP, "tools"),
                        os.path.join(self.top, "tools"))
        self.write("src/meson.build", TABLE)
        for layer in ("base", "model", "store", "features"):
            self.write(f"src/{layer}/{layer}.h", HEAD)

    def tearDown(self):
        shutil.rmtree(self.top)

    def write(self, path, text):
        path = os.path.join(self.top, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def run_tool(self, name, *argv):
        done = subprocess.run([os.path.join(self.top, "tools", name), *argv],
                              text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout


class Layers(Tree):
    def includes(self, path, header):
        self.write(path, HEAD + f"#include {header}\n")
        return self.run_tool("check-layers")

    def test_downward_is_right(self):
        status, text = self.includes("src/store/a.c", '"model/model.h"')
        self.assertEqual(status, 0, text)

    def test_upward(self):
        status, text = self.includes("src/model/a.c", '"store/store.h"')
        self.assertEqual(status, 1)
        self.assertIn("model may not include store", text)

    def test_private_header(self):
        self.write("src/model/inner.h", HEAD)
        self.assertEqual(self.includes("src/model/a.c",
                                       '"model/inner.h"')[0], 0)
        status, text = self.includes("src/store/a.c", '"model/inner.h"')
        self.assertEqual(status, 1)
        self.assertIn("private to model", text)

    def test_feature_includes_feature(self):
        status, text = self.includes("src/features/vtn/a.c",
                                     '"features/neutron/neutron.h"')
        self.assertEqual(status, 1)
        self.assertIn("feature vtn includes feature neutron", text)

    def test_foreign_library(self):
        status, text = self.includes("src/model/a.c", "<sqlite3.h>")
        self.assertEqual(status, 1)
        self.assertIn("<sqlite3.h>", text)
        self.assertEqual(self.includes("src/model/a.c", "<stdio.h>")[0], 0)

    def test_excuse(self):
        status, _ = self.includes(
            "src/model/a.c", '"store/store.h" /* layers: for this test */')
        self.assertEqual(status, 0)

    def test_unknown_layer(self):
        self.assertEqual(self.includes("src/extra/a.c", "<stdio.h>")[0], 1)


class House(Tree):
    def check(self, text, name="src/model/a.c", head=HEAD):
        path = self.write(name, head + text)
        return self.run_tool("check-house", path)[1]

    def assert_found(self, rule, text, **where):
        self.assertIn(f": {rule}: ", self.check(text, **where))

    def assert_clean(self, text, **where):
        self.assertIn(" 0 problems", self.check(text, **where))

    def test_calls(self):
        self.assert_found("call", "int x = atoi(y);\n")
        self.assert_clean("int x = my_atoi(y);\n")
        self.assert_clean("/* Like atoi(). */\n")
        self.assert_clean('const char *const x = "atoi(";\n')

    def test_excuse_needs_a_reason(self):
        self.assert_clean("/* house: call a library wants it */\n"
                          "int x = atoi(y);\n")
        self.assert_found("call", "/* house: call */\nint x = atoi(y);\n")

    def test_null_before_free(self):
        self.assert_found("null-free", "    if (p) {\n        free(p);\n"
                          "    }\n")
        self.assert_clean("    if (p) {\n        free(p);\n        n--;\n"
                          "    }\n")

    def test_goto_and_comments(self):
        self.assert_found("goto", "    goto out;\n")
        self.assert_found("line-comment", "int x; // no\n")
        self.assert_clean('static const char *const u = "http://x";\n')
        self.assert_found("if-0", "#if 0\n#endif\n")

    def test_jump_in_rule(self):
        block = ("    RULE (u, s, GUARD, 1) {\n        if (x) {\n"
                 "            %s;\n        }\n    }\n")
        self.assert_found("rule-jump", block % "return")
        self.assert_clean(block % "then_drop(r)")

    def test_statics(self):
        self.assert_found("mutable-static", "static int count;\n")
        self.assert_found("mutable-static", "static const char *name;\n")
        self.assert_clean("static const int limit = 3;\n")
        self.assert_clean("static const char *const names[] = { 0 };\n")
        self.assert_clean("static const struct {\n    int a;\n} t[] = {\n"
                          "    { 1 },\n};\n")

    def test_table_number(self):
        self.assert_found("table-number", "    fm.table_id = 17;\n")

    def test_essay_and_spdx(self):
        self.assert_found("spdx", "int x;\n", head="")
        self.assert_found(
            "essay", "int x;\n",
            head="/* SPDX-License-Identifier: Apache-2.0 */\n")

    def test_long(self):
        self.assert_found("long-line", "/* " + "x" * 80 + " */\n")
        body = "    x();\n" * 61
        self.assert_found("long-function", f"void\nf(void)\n{{\n{body}}}\n")
        body = "    x();\n" * 60
        self.assert_clean(f"void\nf(void)\n{{\n{body}}}\n")

    def test_todo(self):
        self.assert_found("todo", "/* XXX */\n")
        self.assert_clean("/* XXX(#12) */\n")

    def test_feature_name_below(self):
        self.assert_found("feature-name", "int neutron_x;\n")
        self.assert_clean("int neutron_x;\n", name="src/features/n/a.c")

    def test_sleep(self):
        self.assert_found("sleep", "    usleep(5);\n", name="tests/u/a.c")


class Counting(Tree):
    def count(self, *tests):
        import json
        self.write("b/meson-logs/testlog.json",
                   "".join(json.dumps(test) + "\n" for test in tests))
        status, text = self.run_tool("count-tests",
                                     os.path.join(self.top, "b"))
        return status, text.splitlines()[-1]

    def test_own_counts(self):
        self.assertEqual(self.count(
            {"name": "a", "result": "OK",
             "stderr": "[  PASSED  ] 12 test(s).\n"},
            {"name": "b", "result": "OK", "stdout": "5 passed in 2.10s\n"},
            {"name": "c", "result": "OK"}), (0, "18 passed, 0 failed"))

    def test_failures(self):
        self.assertEqual(self.count(
            {"name": "a", "result": "FAIL",
             "stderr": "[  PASSED  ] 2 test(s).\n"
                       "[  FAILED  ] x: 1 test(s), listed below:\n"},
            {"name": "b", "result": "FAIL",
             "stdout": "== 1 failed, 3 passed in 2.10s ==\n"},
            {"name": "c", "result": "TIMEOUT"}),
            (1, "5 passed, 3 failed"))

    def test_nothing_is_not_success(self):
        self.assertEqual(self.count(), (1, "0 passed, 0 failed"))


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()
