#!/usr/bin/env python3
"""Checks that documents, HELP texts and messages are in plain words and short sentences.

  check_words.py [--files FILE...]    all documents, unless named

A sentence has at most 25 words; code and links' addresses do not count. Words of REPLACED have a better one. Read are
paragraphs, titles and cells of tables of the documents, the manual pages, messages, the report's sentences, HELP texts and
what stands on the dashboards and in alerts. Cells of tables and the report's sentences may be long, as they are put together.
A reviewer overrules one line by an HTML comment with a reason at its end (or on the line above a paragraph):
<!-- words: reason -->.
tools/words_to_do.txt counts, for each file, the findings of before this check. A file may have fewer, never more.
"""

import json
import pathlib
import re
import sys

import yaml

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
    # What readers stumbled over.
    r"hang(?:s|ing)? on(?!ly)|hung on": "depends on",
    r"dear(?:er|est)?": "expensive",
    r"looked at less": "sampled less",
    r"contests?": "comparison",
    r"for ever": "indefinitely",
    r"to have it sooner": "to shorten the test",
    r"reckon(?:ed|s|ing)?": "calculated",
    r"(?:is|are) not waited for": "say what happens instead",
    r"throws? [^.]{0,30}\bout": "evicts",
    r"mute": "silent",
    r"stops? the bleeding": "say what it stops",
    r"to the letter": "exact match",
    r"(?:a )?value that cannot be": "invalid value",
    r"stuck so": "in this way",
    r"takes? (?:its|their) own [\w ]{1,20} away": "disappears",
    r"forecasts?": "prediction",
    r"travell?ers?|journeys?": "in-flight packet, traversal",
    r"(?<!divided )by (?:all live sockets|120 s)": "/, divided by",
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
    for _ in "picture", "link around it":
        text = re.sub(r"!?\[([^][]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"`+[^`]*`+", "CODE", text)


def sentences(text):
    return re.split(r"(?<=[.!?])[\"*_)]*\s+", prose(text))


def short_texts(text):
    """(line number, text) of titles and of the cells of tables, which have no sentences to count."""
    text = re.sub(r"<!-- messages: .*?<!-- end of messages -->", lambda one: "\n" * one[0].count("\n"), text, flags=re.S)
    code = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("```"):
            code = not code
        elif not code and re.match(r"[|#]", line) and not OVERRULED.search(line):
            yield number, line.strip("|# ")


def words_to_avoid(number, text):
    for pattern, better in REPLACED.items():
        for match in re.finditer(rf"\b(?:{pattern})\b", prose(text), re.I):
            yield number, f'"{match[0]}" has a better word: {better}'


def findings(text):
    """(line number, sentence of what is wrong) for each fault of a Markdown text."""
    for number, paragraph in paragraphs(text):
        for sentence in sentences(paragraph):
            words = re.findall(r"[^\s]*\w[^\s]*", sentence)
            if len(words) > MOST_WORDS:
                yield number, f"{len(words)} words in one sentence, at most {MOST_WORDS}: {' '.join(words[:8])} ..."
        yield from words_to_avoid(number, paragraph)
    for number, short in short_texts(text):
        yield from words_to_avoid(number, short)


def manual_text(source):
    """What a manual page says, without its markup."""
    source = re.sub(r'^\.\\".*$|^\.nf$.*?^\.fi$', "", source, flags=re.M | re.S)
    source = re.sub(r"^\.(?:SH|SS|TP|PP|TH|RS|RE|IP|br)\b.*$", "", source, flags=re.M)
    source = re.sub(r"^\.[BI]R? ?", "", source, flags=re.M)
    return re.sub(r"\\f[A-Z]|\\&", "", source).replace("\\-", "-")


def texts_of(value):
    """Every title, description, text and annotation in a dashboard or a file of alerts."""
    if isinstance(value, dict):
        for key, one in value.items():
            if isinstance(one, str) and key in ("title", "description", "text", "summary", "noValue", "displayName", "name", "label"):
                yield re.sub(r"\{\{.*?\}\}", "N", one, flags=re.S)
            else:
                yield from texts_of(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts_of(one)


def operators_texts(root):
    """Of dashboards and alerts, by file."""
    for path in sorted((root / "dashboards").glob("*.json")):
        yield path, list(texts_of(json.loads(path.read_text())))
    yield root / "dashboards" / "alerts.yaml", list(texts_of(yaml.safe_load((root / "dashboards" / "alerts.yaml").read_text())))


def only_words(texts):
    return [fault for number, text in enumerate(texts, 1) for fault in words_to_avoid(number, text)]


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
        # A table of settings is no sentence.
        messages = (
            one
            for name, listed in list_messages.all_messages(ROOT).items()
            for one in listed
            if name != "exporter/report/keepalive_terms.cc"
        )
        found |= {str(path.relative_to(ROOT)): only_words(texts) for path, texts in operators_texts(ROOT)}
        for path in sorted((ROOT / "packaging").rglob("*.[18]")):
            found[str(path.relative_to(ROOT))] = only_words(manual_text(path.read_text()).split("\n"))
        found["REPORT"] = only_words(list_messages.sentences_of_the_report(ROOT))
        found["HELP"] = list(findings(help_texts(ROOT)))
        found["MESSAGES"] = list(findings("\n\n".join(messages)))
        lines = [line.split() for line in TO_DO.read_text().splitlines() if line and not line.startswith("#")]
        complaints = compared(found, {name: int(number) for name, number in lines})
    print("\n".join(complaints), end="\n" if complaints else "")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
