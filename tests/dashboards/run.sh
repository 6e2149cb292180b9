#!/usr/bin/env bash
# Checks the Grafana dashboards: made anew they are the same, the linter's rules, PromQL, what it answers, every metric used,
# what a central server federates, Grafana's own types. Needs python3-yaml, promtool, node and npm. Where npm or its registry
# cannot be had this exits 77 (ctest's skip), and in continuous integration (CI is set) it fails. That every query has data,
# tests/e2e/alerts shows.
set -euo pipefail
cd "$(dirname "$0")"

/usr/bin/python3 ../../dashboards/generator --check
./lint_dashboards.py
./check_promql.py
./check_answers.py
./check_contract_use.py
./check_federation.py
./schema/check.sh
