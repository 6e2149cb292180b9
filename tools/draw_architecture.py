#!/usr/bin/python3
"""Draws the libraries into docs/architecture.md, from the finwait_library() calls of CMakeLists.txt.

    tools/draw_architecture.py            writes the picture and the table
    tools/draw_architecture.py --check    fails where the document lags behind the build
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs/architecture.md"
BEGIN, END = "<!-- begin: made by tools/draw_architecture.py -->\n", "<!-- end -->\n"

sys.path.insert(0, str(ROOT / "tests/structure"))
from structure_test import libraries, namespace_of  # noqa: E402


def needed(links):
    """The links that no other link of the same library implies: what a picture has to show."""
    def reach(folder):
        return set(links[folder]).union(*(reach(link) for link in links[folder]))

    return {
        folder: [link for link in direct if not any(link in reach(other) for other in direct if other != link)]
        for folder, direct in links.items()
    }


def sources(folder):
    return sorted(path for path in (ROOT / folder).glob("*") if path.suffix in (".h", ".cc"))


def draw():
    links = libraries(ROOT)
    name = {folder: re.sub("^(collectors|exporter)/", "", folder).replace("/", "_") for folder in links}
    lines = ["```mermaid", "flowchart BT"]
    for top in ("collectors", "exporter"):
        lines.append(f"  subgraph {top}")
        lines += [f"    {name[folder]}[{folder.split('/', 1)[1]}]" for folder in links if folder.startswith(top)]
        lines.append("  end")
    for folder, direct in needed(links).items():
        lines += [f"  {name[folder]} --> {name[link]}" for link in direct]
    lines += ["```", "", "| folder | namespace | links | files | lines |", "|---|---|---|---|---|"]
    for folder, direct in links.items():
        files = sources(folder)
        length = sum(len(path.read_text().splitlines()) for path in files)
        linked = ", ".join(name[link] for link in direct) or "nothing of ours"
        # Counted in hundreds, so that not every change has to draw again.
        lines.append(f"| `{folder}/` | `{namespace_of(folder)}` | {linked} | {len(files)} | {round(length, -2)} |")
    return "\n".join(lines) + "\n"


def main():
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END, 1)[1]
    drawn = before + BEGIN + draw() + END + after
    if "--check" in sys.argv:
        if drawn != text:
            print("docs/architecture.md lags behind CMakeLists.txt: run tools/draw_architecture.py")
            return 1
        return 0
    DOCUMENT.write_text(drawn)
    return 0


if __name__ == "__main__":
    sys.exit(main())
