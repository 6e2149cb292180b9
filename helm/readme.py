#!/usr/bin/env python3
"""Writes the table of values in the chart's README from the comments in values.yaml; with --check it only compares.

A comment that begins with "# -- " describes the key below it. Every value has one: a key without fails here, unless it
is a block whose own keys have theirs. Needs no library, and reads the subset of YAML that values.yaml is written in.
"""

import pathlib
import re
import sys

CHART = pathlib.Path(__file__).resolve().parent / "finwait-exporter"
BEGIN = "<!-- values: made by helm/readme.py from values.yaml -->"
END = "<!-- end of values -->"
KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z]+):(?: (?P<value>.+))?$")


def described_values(text):
    """Yields (path, default, description); a described block's default is its YAML on one line."""
    lines = text.splitlines()
    parents = []  # (indentation, key) of the blocks around this line
    comment = None
    skip_deeper_than = None
    for number, line in enumerate(lines):
        stripped = line.strip()
        indent = len(line) - len(line.lstrip())
        if skip_deeper_than is not None and stripped and indent <= skip_deeper_than and not stripped.startswith("- "):
            skip_deeper_than = None
        if skip_deeper_than is not None:
            continue
        if stripped.startswith("# -- "):
            comment = stripped[5:]
            continue
        if stripped.startswith("#"):
            comment = f"{comment} {stripped[1:].strip()}" if comment else None
            continue
        match = KEY.match(line)
        if not match:
            if stripped:
                raise SystemExit(f"values.yaml:{number + 1}: cannot read this line")
            comment = None
            continue
        parents = [parent for parent in parents if parent[0] < indent]
        path = ".".join([key for _, key in parents] + [match["key"]])
        if comment:
            default = match["value"] if match["value"] else block_below(lines, number, indent)
            yield path, default, comment
            skip_deeper_than = indent
        elif match["value"]:
            raise SystemExit(f"values.yaml:{number + 1}: {path} has no description")
        else:
            parents.append((indent, match["key"]))
        comment = None


def block_below(lines, number, indent):
    block = []
    for line in lines[number + 1 :]:
        if not line.strip() or len(line) - len(line.lstrip()) <= indent and not line.strip().startswith("- "):
            break
        if line.strip().startswith("#"):
            break
        block.append(line.strip())
    text = " ".join(block)
    return text if len(text) <= 60 else "see values.yaml"


def table(text):
    rows = ["| value | default | what it is |", "|---|---|---|"]
    for path, default, description in described_values(text):
        rows.append("| `{}` | `{}` | {} |".format(path, default, description.replace("|", "\\|")))
    return "\n".join(rows)


def main(arguments):
    readme = CHART / "README.md"
    old = readme.read_text()
    before, rest = old.split(BEGIN)
    after = rest.split(END)[1]
    new = f"{before}{BEGIN}\n{table((CHART / 'values.yaml').read_text())}\n{END}{after}"
    if arguments == ["--check"]:
        if old != new:
            print("helm/finwait-exporter/README.md is not what values.yaml says; run python3 helm/readme.py", file=sys.stderr)
            return 1
        return 0
    readme.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
