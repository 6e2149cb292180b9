"""tools/check_words.py sees long sentences and words to avoid, and lets a reviewer overrule it."""

import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import check_words  # noqa: E402

LONG = " ".join(["word"] * 26) + "."
FITTING = " ".join(["word"] * 25) + "."


def lines_of(text):
    return [line for line, _ in check_words.findings(text)]


class Words(unittest.TestCase):
    def test_documents_and_help_texts_pass(self):
        result = subprocess.run([ROOT / "tools" / "check_words.py"], capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def test_it_reads_the_documents_and_every_help_text(self):
        names = {str(path.relative_to(ROOT)) for path in check_words.documents(ROOT)}
        self.assertLessEqual({"README.md", "docs/faq.md", "dashboards/runbook.md", "helm/finwait-exporter/README.md"}, names)
        self.assertGreaterEqual(len(check_words.help_texts(ROOT).split("\n\n")), 60)

    def test_a_sentence_of_26_words_is_found_at_its_paragraph(self):
        self.assertEqual(lines_of(f"# Title\n\n{LONG}\n"), [3])
        self.assertEqual(lines_of(f"# Title\n\n{FITTING} {FITTING}\n"), [])

    def test_a_sentence_over_two_lines_counts_whole(self):
        self.assertEqual(lines_of(LONG.replace(" ", "\n", 1)), [1])

    def test_each_list_item_is_read_for_itself(self):
        self.assertEqual(lines_of(f"- {FITTING[:-1]}\n- {LONG}\n"), [2])

    def test_code_tables_and_addresses_do_not_count(self):
        words = LONG.rstrip(".")
        self.assertEqual(lines_of(f"```\n{LONG}\n```\n\n| {words} |\n\n`{words}` and [that](a%20b).\n"), [])

    def test_words_are_read_in_titles_and_cells_of_tables(self):
        self.assertEqual(lines_of("# What it hangs on\n\n| a | blind |\n"), [1, 3])
        self.assertEqual(lines_of("```\n# what it hangs on\n| blind |\n```\n"), [])

    def test_words_are_read_in_manual_pages_without_their_markup(self):
        text = check_words.manual_text(".SH NAME\nIt \\fIhangs on\\fR \\-\\-flag\n")
        self.assertEqual(text.strip(), "It hangs on --flag")
        self.assertEqual(len(check_words.only_words(text.split("\n"))), 1)

    def test_words_are_read_on_dashboards_and_in_alerts(self):
        panel = {"panels": [{"title": "not judged", "targets": [{"expr": "judged"}], "description": "blind {{ blind }}"}]}
        self.assertEqual(len(check_words.only_words(list(check_words.texts_of(panel)))), 2)

    def test_words_of_the_report_are_read(self):
        sentences = check_words.list_messages.sentences_of_the_report(ROOT)
        self.assertTrue(any("Conntrack forgets a connection" in one for one in sentences))

    def test_a_word_to_avoid_is_found_and_in_code_it_is_not(self):
        self.assertEqual(lines_of("A host is blind.\n"), [1])
        self.assertEqual(lines_of("A host is `blind`.\n"), [])

    def test_a_comment_with_a_reason_overrules_its_paragraph_only(self):
        self.assertEqual(lines_of(f"{LONG} <!-- words: a quotation -->\n\n{LONG}\n"), [3])
        self.assertEqual(lines_of(f"<!-- words: a quotation -->\n{LONG}\n\n{LONG}\n"), [4])
        self.assertEqual(lines_of(f"<!-- words: a quotation -->\n- {LONG}\n- {LONG}\n"), [3])

    def test_a_comment_without_a_reason_overrules_nothing(self):
        self.assertEqual(lines_of(f"{LONG} <!-- words: -->\n"), [1])

    def test_a_file_may_have_as_many_findings_as_are_written_down_and_no_other_number(self):
        found = {"a.md": [(1, "long"), (2, "long")]}
        self.assertEqual(check_words.compared(found, {"a.md": 2}), [])
        self.assertTrue(check_words.compared(found, {"a.md": 1}))
        self.assertTrue(check_words.compared(found, {"a.md": 3}))
        self.assertTrue(check_words.compared(found, {}))


if __name__ == "__main__":
    unittest.main()
