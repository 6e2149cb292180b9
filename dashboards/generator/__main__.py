"""Writes the dashboards' JSON next to this folder: `python3 dashboards/generator`. With --check it only compares."""

import json
import pathlib
import sys

import exporter
import fleet
import host

OUTPUT = pathlib.Path(__file__).resolve().parent.parent


def main(arguments):
    drifted = []
    for module in (fleet, host, exporter):
        path = OUTPUT / f"{module.__name__}.json"
        text = json.dumps(module.build(), indent=2, ensure_ascii=False) + "\n"
        if arguments == ["--check"]:
            if not path.exists() or path.read_text() != text:
                drifted.append(path.name)
        else:
            path.write_text(text)
    for name in drifted:
        print(
            f"dashboards/{name} is not what dashboards/generator makes; run python3 dashboards/generator",
            file=sys.stderr,
        )
    return 1 if drifted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
