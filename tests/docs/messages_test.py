"""tools/list_messages.py finds what the program prints, and docs/troubleshooting.md lists it."""

import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import list_messages  # noqa: E402


class Messages(unittest.TestCase):
    def test_the_page_lists_what_the_sources_print(self):
        result = subprocess.run([ROOT / "tools" / "list_messages.py", "--check"], capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_values_of_run_time_are_dots(self):
        source = 'return Fail(kError, "line " + std::to_string(line) + ": this is not YAML: " + problem);'
        self.assertEqual(list_messages.messages_of(source), ["line ...: this is not YAML: ..."])

    def test_a_sentence_that_a_helper_carries_is_found(self):
        self.assertEqual(list_messages.messages_of('return Missing("there is no such thing");'), ["there is no such thing"])

    def test_includes_comments_and_single_words_are_none(self):
        source = '#include "exporter/serve.h"\n// Fail("a sentence in a comment");\nUse("one");'
        self.assertEqual(list_messages.messages_of(source), [])

    def test_a_log_line_is_its_sentence_without_its_fields(self):
        self.assertEqual(list_messages.messages_of('logger.Warn("stage changed", {{"stage", name}});'), ["stage changed"])

    def test_headers_the_launcher_finwait_plan_and_the_report_are_read(self):
        found = list_messages.all_messages(ROOT)
        self.assertIn("a header cut short", found["collectors/kernel/netlink/messages.h"])
        self.assertIn("collectors/firewall/xt/extension.h", found)
        self.assertTrue(any("cannot start" in one for one in found["packaging/release/launcher.cc"]))
        self.assertTrue(any("does not load" in one for one in found["scripts/plan.sh"]))
        self.assertTrue(any(one.startswith("No connection of this host") for one in found["exporter/report/headline.cc"]))

    def test_a_sentence_of_the_report_is_put_together_and_each_of_a_choice_stands_alone(self):
        source = 'say("fin_timeout", "of " + Number(n) + " sockets"); return late ? "it comes too late" : "it comes in time";'
        self.assertEqual(
            list_messages.sentences_of(source + 'x = "of these " + n + " are stuck";'),
            ["it comes in time", "it comes too late", "of these ... are stuck"],
        )

    def test_a_script_says_what_it_refuses_and_prints_on_standard_error(self):
        source = 'refuse "there is no flag \\"$1\\""\necho "$name: $(head x) fails" >&2\necho "a result here"\n'
        self.assertEqual(list_messages.messages_of_script(source), ["...: ... fails", 'there is no flag "..."'])

    def test_a_file_that_no_row_explains_is_an_error(self):
        with self.assertRaisesRegex(ValueError, "b/c.cc"):
            list_messages.listed({"a/b.cc": ["one"], "b/c.cc": ["two"]}, [("a/", "means", "do")])

    def test_a_row_that_explains_nothing_is_an_error(self):
        with self.assertRaisesRegex(ValueError, "b/"):
            list_messages.listed({"a/b.cc": ["one"]}, [("a/", "means", "do"), ("b/", "means", "do")])

    def test_the_longest_row_takes_the_message(self):
        text = list_messages.listed({"a/b.cc": ["one"], "a/c.cc": ["two"]}, [("a/", "", ""), ("a/b.cc", "", "")])
        self.assertIn("### a/b.cc\n\n- `` one ``", text)


if __name__ == "__main__":
    unittest.main()
