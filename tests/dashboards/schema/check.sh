#!/usr/bin/env bash
# Type-checks the dashboards against Grafana's published schema. Needs node and npm; installs the pinned packages next
# to this file, once.
#
# It proves that every field exists in Grafana's own types with a value they allow: dashboard, variables, panels, the
# options of each panel type, queries, units; a field that is misspelt or out of place is an error. It cannot check
# transformations and the values of field overrides, which the schema leaves open.
set -euo pipefail
cd "$(dirname "$0")"

[[ node_modules/.package-lock.json -nt package-lock.json ]] || npm ci --silent --no-audit --no-fund
generated=$(mktemp -d ./generated.XXXXXX)
trap 'rm -rf "$generated"' EXIT
for json in ../../../dashboards/*.json; do
  {
    echo 'import type { Dashboard } from "../types";'
    printf 'export const dashboard: Dashboard = '
    cat "$json"
  } > "$generated/$(basename "$json" .json).ts"
done
npx --no-install tsc --noEmit --strict --skipLibCheck --module esnext --moduleResolution bundler "$generated"/*.ts
echo "all dashboards match the types of @grafana/schema"
