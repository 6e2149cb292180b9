#!/usr/bin/env bash
# Checks the Grafana dashboards. Needs python3-yaml, promtool, prometheus, node and npm.
set -euo pipefail
cd "$(dirname "$0")"

/usr/bin/python3 ../../dashboards/generator --check
./lint_dashboards.py
./check_promql.py
./check_contract_use.py
./schema/check.sh
./run_against_prometheus.py
