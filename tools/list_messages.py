#!/usr/bin/env python3
"""Writes the list of messages in docs/troubleshooting.md from the sources.

  list_messages.py            rewrites the part of the page between its markers
  list_messages.py --check    fails where the page is not what the sources say

A message is what the sources pass to one of MAKERS, and any other literal of three words or more: a helper may carry it to one.
Of the report (SENTENCES) it is what one statement of the source puts together: verdicts, causes, advice. Other texts of the
diagnosis (in REPORTED) are messages only where they are passed to a maker. Each source file needs a row in the page's table of groups, which says in
words what its messages mean and what to do; a file without a row is an error. "..." stands for what is known at run time.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
REPORTED = (
    "collectors/firewall/analysis/", "collectors/firewall/classes/", "collectors/firewall/eval/", "collectors/firewall/facts/need.cc", "collectors/firewall/model/",
    "collectors/firewall/packet/",
    "collectors/firewall/print/", "collectors/firewall/xt/", "collectors/sources/registry.cc", "exporter/diagnosis/", "exporter/pairs/report.cc", "exporter/report/",
    "exporter/views/")
# Of those, what people read: verdicts, causes, advice.
SENTENCES = ("exporter/report/", "exporter/views/text.cc", "exporter/views/nagios.cc", "exporter/pairs/report.cc")
# Headers whose literals are HELP texts, SQL, static assertions and examples.
WITHOUT_MESSAGES = ("collectors/sources/", "collectors/codec/fields.h", "exporter/incidents/store_statements.h", "exporter/pairs/halves.h")
# Programs beside the exporter, and scripts that are packaged.
OTHERS = ("packaging/release/launcher.cc", "scripts/plan.sh")
HELP = "exporter/command_line/command_line.cc"
PAGE = "docs/troubleshooting.md"
BEGIN, END = "<!-- messages: made by tools/list_messages.py -->\n", "<!-- end of messages -->\n"
MAKERS = re.compile(
    r"\b(?:Fail|ErrnoError|Annotated|Malformed|Bad|Refuse|Refusal|Wrong|Error|logger_?\.(?:Info|Warn|Error))\s*[({]|std::cerr\b")
LITERAL = re.compile(r'R"\((?P<raw>.*?)\)"|"(?P<plain>(?:\\.|[^"\\])*)"', re.S)
JOINED = re.compile(r'(?:R"\(.*?\)"|"(?:\\.|[^"\\\n])*")(?:\s*(?:R"\(.*?\)"|"(?:\\.|[^"\\\n])*"))*', re.S)
# What begins or ends a sentence that a source puts together; a choice between two is two.
BETWEEN = re.compile(r"[;{}?]|(?<!:):(?!:)|&&|\|\|")
NAME = r"[a-z]+(?:[._][a-z]+)+"  # an id of a piece of advice, a sysctl
WORD = re.compile(r"[A-Za-z]{2,}.*[A-Za-z]{2,}", re.S)


def argument_text(source, start):
    """From `start` to the end of the call or statement that begins there; strings are skipped as a whole."""
    depth, at = 0, start
    while at < len(source):
        literal = LITERAL.match(source, at)
        if literal:
            at = literal.end()
            continue
        if source[at] in "({[":
            depth += 1
        elif source[at] in ")}]":
            depth -= 1
            if depth <= 0:
                return source[start : at + 1]
        elif source[at] == ";" and depth <= 0:
            return source[start:at]
        at += 1
    return source[start:]


def stretch(source, match):
    """The text that holds the message: a call's arguments, or a whole stream statement."""
    if match[0].startswith("std::cerr"):
        at, start = match.end(), match.end()
        while at < len(source) and source[at] != ";":
            literal = LITERAL.match(source, at)
            at = literal.end() if literal else at + 1
        return source[start:at]
    return argument_text(source, match.end() - 1)


def message(text):
    """message_of_literals() of a call; a log line's fields are left out."""
    return message_of_literals(re.sub(r",\s*\{.*", "", text, flags=re.S))


def message_of_literals(text):
    """The literals in their order, with "..." for what stands between and after them."""
    made, end = "", 0
    for literal in LITERAL.finditer(text):
        between = text[end : literal.start()]
        if made and not between.isspace() and between:
            made += "..."
        raw = literal["raw"]
        made += raw if raw is not None else re.sub(r"\\(.)", lambda one: {"n": " "}.get(one[1], one[1]), literal["plain"])
        end = literal.end()
    if re.search(r"\+\s*\w", text[end:]):
        made += "..."
    return re.sub(r"\s+", " ", made).strip()


def least_words(one, has_help):
    """From how many words on a literal is a sentence; a help text, which begins as a sentence does, never is."""
    return 1000 if has_help and one[:1].isupper() else 3


def messages_of(source, loose=True, has_help=False):
    """What is passed to a maker, and each other sentence: a helper or a variable may carry it to one."""
    source = re.sub(r"^#include.*$|^\s*//.*$|\s//[^\n\"]*$", "", source, flags=re.M)
    stretches = [stretch(source, match) for match in MAKERS.finditer(source)]
    found = {one for one in map(message, stretches) if WORD.search(one)}
    made = "\0".join(stretches)
    for literals in re.finditer(JOINED, source) if loose else ():
        one = message(literals[0])
        if literals[0].strip() not in made and len(re.findall(r"(?<![^\s`(])[A-Za-z]{2,}", one)) >= least_words(one, has_help):
            found.add(one)
    return sorted(found)


def sentences_of(source):
    """What single statements put together of three words or more, with "..." for what is known at run time."""
    source = re.sub(r"^#include.*$|^\s*//.*$|\s//[^\n\"]*$", "", source, flags=re.M)
    found, at, start = set(), 0, 0
    stretches = []
    while at < len(source):
        literal = LITERAL.match(source, at)
        if literal:
            at = literal.end()
        elif between := BETWEEN.match(source, at):
            stretches.append(source[start:at])
            at = start = between.end()
        else:
            at += 1
    stretches.append(source[start:])
    for one in map(message_of_literals, stretches):
        one = re.sub(r"\.{4,}", "...", re.sub(rf"^(?:{NAME}\.\.\.)+|(?:\.\.\.{NAME})+$", "...", one)).removeprefix("...").strip()
        if len(re.findall(r"(?<![^\s`(])[A-Za-z]{2,}", one)) >= 3:
            found.add(one)
    return sorted(found)


def messages_of_script(source):
    """What a shell script passes to its function `refuse`, or prints on standard error."""
    found = set()
    source = re.sub(r"\\\n\s*", " ", source)
    for line in re.findall(r"^.*(?:\brefuse \"|>&2).*$", source, re.M):
        line = re.sub(r"\$\((?:[^()]|\([^()]*\))*\)", "...", line)
        for text in re.findall(r'\brefuse ("(?:\\.|[^"\\])*")|echo ((?:"(?:\\.|[^"\\])*"\s*)+)', line):
            one = " ".join(re.findall(r'"((?:\\.|[^"\\])*)"', text[0] or text[1])).replace('\\"', '"')
            one = re.sub(r"\$\{[^}]*\}|\$\w+|\$\*", "...", one)
            one = re.sub(r"\s+", " ", one).strip()
            if WORD.search(one) and " " in one:
                found.add(one)
    return sorted(found)


def all_messages(root):
    """Messages by source file, of the files that have some."""
    sources = [path for top in ("collectors", "exporter") for path in sorted((root / top).rglob("*.[ch]*"))]
    found = {}
    for path in [*sources, *(root / name for name in OTHERS)]:
        name = str(path.relative_to(root))
        if name.endswith(".sh"):
            messages = messages_of_script(path.read_text())
        elif name.startswith(SENTENCES):
            messages = sentences_of(path.read_text())
        elif name.endswith(".h"):
            messages = messages_of(path.read_text(), loose=not name.startswith(WITHOUT_MESSAGES))
        else:
            messages = messages_of(path.read_text(), loose=not name.startswith(REPORTED), has_help=name == HELP)
        if messages:
            found[name] = messages
    return found


def sentences_of_the_report(root):
    """Verdicts, causes and advice, and what people read on the page."""
    found = all_messages(root)
    page = {str(path): sentences_of(path.read_text()) for path in sorted((root / "exporter" / "views" / "page").glob("*.cc")) if path.name not in ("style.cc", "script.cc")}
    return [one for name, messages in found.items() if name.startswith(SENTENCES) for one in messages] + [
        one for messages in page.values() for one in messages]


def groups_of(page):
    """(prefix, title) in the page's order: a heading, then the folders or files whose messages stand there."""
    return re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$", page.split(BEGIN)[0], re.M)


def listed(found, groups):
    """The Markdown list; raises ValueError where a file belongs to no group."""
    rows = {}
    for name, messages in found.items():
        fitting = [prefix for prefix, _, _ in groups if name.startswith(prefix)]
        if not fitting:
            raise ValueError(f"{name}: no row of the table in {PAGE} says what its messages mean")
        rows.setdefault(max(fitting, key=len), []).extend(messages)
    unused = [prefix for prefix, _, _ in groups if prefix not in rows]
    if unused:
        raise ValueError(f"{unused[0]}: a row of the table in {PAGE} that no message belongs to")
    text = ""
    for prefix, _, _ in groups:
        text += f"\n### {prefix}\n\n" + "".join(f"- `` {one} ``\n" for one in sorted(set(rows[prefix])))
    return text + "\n"


def rewritten(root):
    page = (root / PAGE).read_text()
    before, rest = page.split(BEGIN)
    return before + BEGIN + listed(all_messages(root), groups_of(page)) + END + rest.split(END)[1]


def main():
    try:
        wanted = rewritten(ROOT)
    except ValueError as problem:
        sys.exit(str(problem))
    if "--check" not in sys.argv[1:]:
        (ROOT / PAGE).write_text(wanted)
    elif (ROOT / PAGE).read_text() != wanted:
        sys.exit(f"{PAGE} does not list what the sources print: run tools/list_messages.py")


if __name__ == "__main__":
    main()
