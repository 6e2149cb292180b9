"""The man page and the bash completion name the program's flags, all of them and no others."""

import subprocess
import unittest

import program

PACKAGING = program.ROOT / "packaging"
COMPLETION = PACKAGING / "completion" / "finwait_exporter"


def completions(*words):
    """What bash offers for the last of `words`, split as readline splits (at "=" too)."""
    script = f"""
        source {COMPLETION}
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _finwait_exporter
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    result = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True)
    return set(result.stdout.split())


class Flags(unittest.TestCase):
    def test_the_man_page_has_every_flag_and_no_other(self):
        page = (PACKAGING / "finwait_exporter.8").read_text().replace("\\-", "-")
        self.assertEqual(program.flags_in(page) - {"--no"}, program.flags())

    def test_the_man_page_formats_without_a_warning(self):
        result = subprocess.run(
            ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", PACKAGING / "finwait_exporter.8"],
            capture_output=True,
            text=True,
        )
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_completion_offers_every_flag_and_no_other(self):
        offered = set().union(*(completions("finwait_exporter", command, "--") for command in program.COMMANDS))
        self.assertEqual({flag.removesuffix("=") for flag in offered}, program.flags())

    def test_completion_knows_commands_and_values(self):
        self.assertEqual(completions("finwait_exporter", ""), {"check", "explain", "plan", "pairs"})
        self.assertEqual(completions("finwait_exporter", "ch"), {"check"})
        self.assertEqual(completions("finwait_exporter", "--log.level", "=", ""), {"debug", "info", "warn", "error"})
        self.assertEqual(completions("finwait_exporter", "--log.format", "="), {"logfmt", "json"})
        self.assertEqual(completions("finwait_exporter", "check", "--format", "=", "j"), {"json"})
        self.assertEqual(completions("finwait_exporter", "check", "--format", "=", "n"), {"nagios"})
        self.assertEqual(completions("finwait_exporter", "explain", "--format", "="), {"text", "json"})
        self.assertEqual(completions("finwait_exporter", "pairs", "--format", "="), {"text", "json", "prometheus"})
        self.assertNotIn("--key-file=", completions("finwait_exporter", "check", "--"))
        self.assertNotIn("--format=", completions("finwait_exporter", "--"))
        self.assertNotIn("--since=", completions("finwait_exporter", "explain", "--"))
        self.assertNotIn("--all", completions("finwait_exporter", "check", "--"))
        self.assertNotIn("--against=", completions("finwait_exporter", "check", "--"))
        self.assertEqual(completions("finwait_exporter", "plan", "--against", "=", "li"), {"live"})
        self.assertEqual(completions("finwait_exporter", "explain", "--family", "=", ""), {"ipv4", "ipv6"})


if __name__ == "__main__":
    unittest.main()
