#!/usr/bin/env python3
"""Counts the sources of a commit: files, lines, libraries, includes between folders, and how many of these go in a ring.

  tools/count_house.py [COMMIT]

Prints the column of docs/architecture.md, "The house in numbers", for that commit.
"""

import collections
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

TYPE = re.compile(r"^ *(?:struct|class|enum class|enum) [A-Z]\w*(?: final)?(?: :.*)? *\{", re.MULTILINE)
INCLUDE = re.compile(r'^#include "((?:collectors|exporter)/[^"]*)"', re.MULTILINE)


def reachable(edges, start):
    """Every folder that `start` includes, also through others."""
    found, todo = set(), [start]
    while todo:
        for folder in edges[todo.pop()]:
            if folder not in found:
                found.add(folder)
                todo.append(folder)
    return found


def count(root):
    texts = {path.relative_to(root): path.read_text() for path in root.rglob("*") if path.suffix in (".cc", ".h")}
    lengths = [text.count("\n") for text in texts.values()]
    includes = collections.Counter()
    for path, text in texts.items():
        for included in INCLUDE.findall(text):
            if (folder := pathlib.PurePath(included).parent) != path.parent:
                includes[path.parent, folder] += 1
    edges = collections.defaultdict(set)
    for source, target in includes:
        edges[source].add(target)
    in_rings = sum(number for (source, target), number in includes.items() if source in reachable(edges, target))
    print(f"files, lines: {len(texts)}, {sum(lengths):,}")
    print(f"lines of a file: median, most: {statistics.median_high(lengths)}, {max(lengths)}")
    print(f"folders with sources: {len({path.parent for path in texts})}")
    print(f"includes from folder to folder: {sum(includes.values())}")
    print(f"of these within a ring of folders: {in_rings}")
    print(f"named types: {sum(len(TYPE.findall(text)) for text in texts.values())}")


def main():
    commit = sys.argv[1] if len(sys.argv) > 1 else "HEAD"
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", commit, "collectors", "exporter"], check=True, stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        count(pathlib.Path(folder))


if __name__ == "__main__":
    main()
