#!/usr/bin/python3
"""Writes the lists that the program knows best into the documents that show them, between marks.

  tools/generate.py [--check] [BUILD]   BUILD is the folder of a build with tests; "build" where it is not given

Collectors come from their own descriptions (collectors/sources/*.h, by describe_collectors), flags from --help. The
catalogue of metrics, docs/metrics.md, is made by a unit test of the same build; it follows here, too. --check writes
nothing, says what lags behind, and then exits 1.
"""
import difflib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What the manual page tells of a flag beside its text in --help.
MORE = {
    "--web.config.file": "The certificates and keys that it names are read again with it.",
    "--web.allowed-hosts": "Others get 421, so that no web page can read the report by a name of its own (DNS rebinding).",
    "--sandbox.seccomp": "Turn it off where a library that was loaded into the program needs more, and report it.",
}


class Program:
    """A build, asked of itself."""

    def __init__(self, build):
        self.collectors = json.loads(run(build / "describe_collectors"))
        self.flags = flags_of(run(build / "finwait_exporter", "--help"))


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def flags_of(help_text):
    """(flag as --help shows it, its text) of the section Flags, unwrapped."""
    section = re.search(r"^Flags:\n(.*?)\n\n", help_text, re.M | re.S)[1]
    flags = []
    for line in section.splitlines():
        found = re.match(r"  (-\S+)(?: +(.*))?$", line)
        if found:
            flags.append([found[1], found[2] or ""])
        else:
            flags[-1][1] = f"{flags[-1][1]} {line.strip()}".strip()
    return [tuple(flag) for flag in flags]


def sentence(text):
    """With a capital letter and a full stop, but not for a name such as nftables."""
    names = ("nftables", "iptables")
    return (text if text.startswith(names) else text[0].upper() + text[1:]) + "."


def needs(collector):
    text = collector["capability"]
    if text and collector["part"]:
        text += f" for {collector['part']}"
    return text


def table(*columns, rows):
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(row) + (" |" if row[-1] else "|") for row in rows]
    return "\n".join(lines)


def readme(program):
    return table(
        "collector", "reads", "needs", rows=[(f"`{c['name']}`", c["summary"], needs(c)) for c in program.collectors]
    )


def security(program):
    return table("collector", "reads from", rows=[(f"`{c['name']}`", c["reads"]) for c in program.collectors])


def roff(text):
    return text.replace("\\", "\\e").replace("-", "\\-")


def manual_item(flag, text):
    """One flag with what --help says of it; the flags that the text names in bold."""
    name, _, value = flag.partition("=")
    name = name.replace("-h,--help", "-h, --help")
    if value:
        head = f".BI {roff(name)}= {value}"
    elif name.startswith("--[no-]"):
        bare = name.removeprefix("--[no-]")
        head = f'.BR {roff("--" + bare)} ", " {roff("--no-" + bare)}'
    elif "," in name:
        head = f'.BR {roff("-h")} ", " {roff("--help")}'
    else:
        head = f".B {roff(name)}"
    more = MORE.get(name.replace("[no-]", ""), "")
    body = re.sub(r"(?<![\w\\-])\\-\\-\w[\w.\\-]*\w", lambda m: rf"\fB{m[0]}\fR", roff(f"{text} {more}".strip()))
    return f".TP\n{head}\n{body}"


def manual_flags(program):
    return "\n".join(manual_item(flag, text) for flag, text in program.flags)


def manual_collectors(program):
    items = []
    for collector in program.collectors:
        default = "on" if collector["enabled_by_default"] else "off"
        capability = f" Needs {needs(collector).replace('`', '')}." if collector["capability"] else ""
        text = f"{sentence(collector['summary'])}{capability} Default {default}."
        items.append(manual_item(f"--[no-]collector.{collector['name']}", text))
    return "\n".join(items)


def completion(program):
    words = []
    for flag, _ in program.flags:
        name = flag.split(",")[-1]
        value = "=" if "=" in name else ""
        name = name.split("=")[0]
        both = [name.replace("[no-]", ""), name.replace("[no-]", "no-")] if "[no-]" in name else [name + value]
        words += both
    lines, width = [[]], 0
    for word in words:
        if width + len(word) > 100:
            lines.append([])
            width = 0
        lines[-1].append(word)
        width += len(word) + 1
    flags = "\n        ".join(" ".join(line) for line in lines)
    names = " ".join(collector["name"] for collector in program.collectors)
    return f'    local flags="{flags}"\n    local collectors="{names}"'


def schema(program):
    names = ",\n".join(f'          "{collector["name"]}"' for collector in program.collectors)
    return f'"disabledCollectors": {{\n      "type": "array",\n      "uniqueItems": true,\n      "items": {{\n        "enum": [\n{names}\n        ]'


def marked(comment):
    """Between a line with `collectors generated` as comment(...) makes it, and a line with `end`."""

    def replace(text, name, made):
        begin, end = comment(f"{name}: made by tools/generate.py"), comment(f"{name}: end")
        pattern = re.compile(re.escape(begin) + r"\n.*?\n" + re.escape(end), re.S)
        if len(pattern.findall(text)) != 1:
            raise SystemExit(f"there are not one line {begin!r} and one line {end!r} behind it")
        return pattern.sub(lambda _: f"{begin}\n{made}\n{end}", text)

    return replace


def in_schema(text, _, made):
    """JSON has no comments: the list stands in one place that is found by its name."""
    pattern = re.compile(r'"disabledCollectors": \{.*?\]', re.S)
    return pattern.sub(lambda _: made, text, count=1)


MARKDOWN = marked(lambda text: f"<!-- {text} -->")
ROFF = marked(lambda text: f'.\\" {text}')
SHELL = marked(lambda text: f"    # {text}")
LISTS = [
    ("README.md", "collectors", readme, MARKDOWN),
    ("SECURITY.md", "what collectors read", security, MARKDOWN),
    ("packaging/finwait_exporter.8", "flags", manual_flags, ROFF),
    ("packaging/finwait_exporter.8", "collectors", manual_collectors, ROFF),
    ("packaging/completion/finwait_exporter", "flags and collectors", completion, SHELL),
    ("helm/finwait-exporter/values.schema.json", "collectors", schema, in_schema),
]


def documents(program):
    """Each document's text as it is and as it should be."""
    texts = {}
    for path, name, make, replace in LISTS:
        was, text = texts.get(path) or ((ROOT / path).read_text(),) * 2
        texts[path] = (was, replace(text, name, make(program)))
    return texts


def metrics(build, check):
    """docs/metrics.md, by the unit test that makes it."""
    environment = os.environ | ({} if check else {"FINWAIT_UPDATE_GOLDEN": "1"})
    command = [build / "unit_tests", "--gtest_brief=1", "--gtest_filter=MetricsDocumentTest.IsWhatTheProgramServes"]
    made = subprocess.run(command, capture_output=True, text=True, env=environment)
    return [] if made.returncode == 0 else ["docs/metrics.md"]


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--check"]
    check = "--check" in sys.argv[1:]
    build = pathlib.Path(arguments[0] if arguments else ROOT / "build").resolve()
    behind = metrics(build, check)
    for path, (was, text) in documents(Program(build)).items():
        if was == text:
            continue
        behind.append(path)
        if check:
            sys.stdout.writelines(difflib.unified_diff(was.splitlines(True), text.splitlines(True), path, "generated", n=1))
        else:
            (ROOT / path).write_text(text)
    for path in behind:
        print(f"{path} lags behind the program: run tools/generate.py" if check else f"{path}: written anew")
    return 1 if behind and check else 0


if __name__ == "__main__":
    sys.exit(main())
