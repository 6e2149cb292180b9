#!/usr/bin/env bash
# Type-checks the dashboards against Grafana's published schema. Needs node and npm; puts the pinned packages under
# .cache/dashboards-tests, once for each package-lock.json.
#
# It proves that every field exists in Grafana's own types with a value they allow: dashboard, variables, panels, the
# options of each panel type, queries, units; a field that is misspelt or out of place is an error. It cannot check
# transformations and the values of field overrides, which the schema leaves open.
set -euo pipefail
cd "$(dirname "$0")"

cannot() {
  echo "the check against Grafana's schema needs $*" >&2
  exit "$([[ -n ${CI-} ]] && echo 1 || echo 77)"
}
command -v npm >/dev/null || cannot "npm (apt-get install npm)"
cache=../../../.cache/dashboards-tests
mkdir -p "$cache"
if ! cmp -s package-lock.json "$cache/.installed"; then
  cp package.json package-lock.json "$cache"
  npm ci --prefix "$cache" --ignore-scripts --silent --no-audit --no-fund || cannot "the npm registry, once"
  cp package-lock.json "$cache/.installed"
fi
generated=$(mktemp -d "$cache/generated.XXXXXX")
trap 'rm -rf "$generated"' EXIT
cp types.ts "$generated"
for json in ../../../dashboards/*.json; do
  {
    echo 'import type { Dashboard } from "./types";'
    printf 'export const dashboard: Dashboard = '
    cat "$json"
  } >"$generated/$(basename "$json" .json).ts"
done
"$cache/node_modules/.bin/tsc" --noEmit --strict --skipLibCheck --module esnext --moduleResolution bundler \
  "$generated"/*.ts
echo "all dashboards match the types of @grafana/schema"
