#!/usr/bin/python3
"""Has promtool parse every query of the dashboards, variables substituted, as if each were a recording rule."""

import json
import subprocess
import sys
import tempfile

import dashboards


def main():
    rules = []
    for file_name, dashboard in dashboards.load():
        for where, expr in dashboards.expressions(dashboard):
            labels = {"dashboard": file_name, "panel": where, "number": str(len(rules))}
            rules.append({"record": "query", "expr": dashboards.substitute(expr), "labels": labels})
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump({"groups": [{"name": "dashboards", "rules": rules}]}, file)  # JSON is YAML
        file.flush()
        result = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        print(result.stdout + result.stderr, file=sys.stderr)
    print(f"{len(rules)} queries parsed by promtool")
    return result.returncode


if __name__ == "__main__":
    sys.exit(main())
