#!/usr/bin/python3
"""Whether a namespace that comes and goes costs nothing that lasts: tools/churn_namespaces.py [NUMBER] [DEPTH] (default: 10000
enter).

Makes and removes so many network namespaces, 50 at a time, each with a process and a connection, while the exporter watches at
--namespaces=DEPTH. Prints descriptors, series and memory before (200 have gone by then) and after, and fails where they, or the collector's
interval, have not returned, memory within 8 MB. Needs root. The short form is tests/e2e/containers/churn_test.py."""

import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/e2e/containers"))
import churn  # noqa: E402
from machine import FLAGS, enter_a_machine_of_its_own, sandbox  # noqa: E402

AT_ONCE = 50
WARMING = 200
MOST_GROWTH = 8e6


def main(number, depth):
    coverage = {"enter": "entered", "observe": "observed", "none": "unseen"}[depth]
    enter_a_machine_of_its_own()
    with sandbox.exporter(f"--namespaces={depth}", *FLAGS[1:]):
        time.sleep(5)
        at_rest = churn.others(sandbox.metrics())
        churn.make_and_remove(WARMING, AT_ONCE, coverage)  # memory that is held from then on
        before = churn.settle(at_rest)
        print(churn.HEADING)
        print(before.row(f"{depth}: before"), flush=True)
        most = churn.make_and_remove(number, AT_ONCE, coverage)
        after = churn.settle(at_rest)
        print(after.row(f"after {number} (at most {most:.0f} {coverage} at a time)"), flush=True)
    grown = after.what_grew(before, MOST_GROWTH)
    if grown or most < AT_ONCE / 2:
        sys.exit("; ".join(grown) or f"no more than {most:.0f} were {coverage} at a time")


if __name__ == "__main__":
    sandbox.enter()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10000, sys.argv[2] if len(sys.argv) > 2 else "enter")
