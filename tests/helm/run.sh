#!/usr/bin/env bash
# Checks the chart: lint, every scenario of ci/ against the schemas and its golden render, values, links, refusals.
# FINWAIT_UPDATE_GOLDEN=1 writes the golden renders anew. Exits 77 where npm or python3-yaml is missing (ctest's skip).
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v npm >/dev/null || ! python3 -c 'import yaml' 2>/dev/null; then
  echo "skipped: the chart's checks need npm and PyYAML (apt-get install npm python3-yaml)" >&2
  exit 77
fi
tools=$(./tools.sh)
python3 ../../helm/readme.py --check
FINWAIT_HELM=$tools/layer/helm/helm FINWAIT_HELM_TOOLS=$tools python3 -m unittest "$@" chart_test
