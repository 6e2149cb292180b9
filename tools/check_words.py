#!/usr/bin/env python3
"""Checks that documents, HELP texts and messages are in plain words and short sentences.

  check_words.py [--files FILE...]    all documents, unless named

A sentence has at most 25 words; code, tables and links' addresses do not count. Words of REPLACED have a better one. A reviewer
overrules one line by an HTML comment with a reason at its end (or on the line above a paragraph): <!-- words: reason -->.
tools/words_to_do.txt counts, for each file, the findings of before this check. A file may have fewer, never more.
"""

import pathlib
import re
import sys

import list_messages

ROOT = pathlib.Path(__file__).resolve().parent.parent
TO_DO = ROOT / "tools" / "words_to_do.txt"
MOST_WORDS = 25
REPLACED = {
    r"goes? astray": "is misrouted, leaves untranslated",
    r"foretold|foretells?": "predicted, predicts",
    r"judg(?:ed|ing|ements?|es)": "evaluated, evaluation, result",
    r"anew": "again",
    r"instal?ments": "amortised",
    r"mishaps?|befalls?": "fault",
    r"autops(?:y|ies)": "post-mortem",
    r"(?:a|one|first|single|newest|this) looks?(?! at)": "a sample, a collection",
    r"blind": "unavailable",
}
OVERRULED = re.compile(r"<!-- words: \S.* -->")


def documents(root):
    found = [root / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    for folder, pattern in (("docs", "*.md"), ("dashboards", "*.md"), ("packaging", "**/*.md"), ("helm", "**/README.md")):
        found += sorted((root / folder).glob(pattern))
    return [path for path in found if path.exists()]


def paragraphs(text):
    """(line number, text) of each paragraph or list item; code, tables, headings and made parts are left out."""
    text = re.sub(r"<!-- messages: .*?<!-- end of messages -->", lambda one: "\n" * one[0].count("\n"), text, flags=re.S)
    made, start, code, overruled, overruled_above = [], 0, False, False, False

    def ended():
        if made and not overruled:
            yield start, " ".join(made)
        made.clear()

    for number, line in enumerate(text.split("\n"), 1):
        fence = line.lstrip().startswith("```")
        if fence or code:
            yield from ended()
            code = code != fence
            continue
        item = re.match(r"\s*(?:[-*]|\d+\.) ", line)
        if not line.strip() or item or re.match(r"[|#]|    |<!--", line) and not (made and line.startswith("    ")):
            yield from ended()
            overruled = bool(OVERRULED.match(line.strip())) or bool(item and overruled_above)
            overruled_above = overruled and not item
            if not item:
                continue
        if not made:
            start = number
        overruled = overruled or bool(OVERRULED.search(line))
        made.append(re.sub(r"^\s*(?:[-*]|\d+\.) ", "", line).strip())
    yield from ended()


def prose(text):
    """Without code and addresses, so that what is left is what a person reads as words."""
    text = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"`+[^`]*`+", "CODE", text)


def sentences(text):
    return re.split(r"(?<=[.!?])[\"*_)]*\s+", prose(text))


def findings(text):
    """(line number, sentence of what is wrong) for each fault of a Markdown text."""
    for number, paragraph in paragraphs(text):
        for sentence in sentences(paragraph):
            words = re.findall(r"[^\s]*\w[^\s]*", sentence)
            if len(words) > MOST_WORDS:
                yield number, f"{len(words)} words in one sentence, at most {MOST_WORDS}: {' '.join(words[:8])} ..."
        for pattern, better in REPLACED.items():
            for match in re.finditer(rf"\b(?:{pattern})\b", prose(paragraph), re.I):
                yield number, f'"{match[0]}" has a better word: {better}'


def help_texts(root):
    """As Markdown: HELP texts stand in docs/metrics.md's table, which a unit test makes of the code."""
    rows = re.findall(r"^\| `\w+` \| \w+ \|[^|]*\| ([^|]+) \|[^|]*\|$", (root / "docs" / "metrics.md").read_text(), re.M)
    return "\n\n".join(text.strip() for text in rows)


def compared(found, allowed):
    """Complaints: a file with more findings than allowed, with them all, or with fewer, so that the list is brought down."""
    complaints = []
    for name in sorted(found.keys() | allowed.keys()):
        faults, most = found.get(name, []), allowed.get(name, 0)
        if len(faults) > most:
            complaints += [f"{name}:{line}: {fault}" for line, fault in faults]
            complaints.append(f"{name}: {len(faults)} findings, at most {most}")
        elif len(faults) < most:
            complaints.append(f"{name}: {len(faults)} findings and no longer {most}: write that into tools/words_to_do.txt")
    return complaints


def main():
    named = sys.argv[2:] if sys.argv[1:2] == ["--files"] else []
    paths = [pathlib.Path(one) for one in named] or documents(ROOT)
    found = {str(path.resolve().relative_to(ROOT)): list(findings(path.read_text())) for path in paths}
    if named:
        complaints = compared(found, {})
    else:
        messages = (one for listed in list_messages.all_messages(ROOT).values() for one in listed)
        found["HELP"] = list(findings(help_texts(ROOT)))
        found["MESSAGES"] = list(findings("\n\n".join(messages)))
        lines = [line.split() for line in TO_DO.read_text().splitlines() if line and not line.startswith("#")]
        complaints = compared(found, {name: int(number) for name, number in lines})
    print("\n".join(complaints), end="\n" if complaints else "")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
