#!/usr/bin/env bash
# Puts the schemas that bills of materials are checked with under .cache/packaging-tests, once for each package-lock.json,
# and prints their folder. Needs npm; the network only the first time.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=$here/../../../.cache/packaging-tests
mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9  # two tests may come at once
if ! cmp -s "$here/package-lock.json" "$cache/.installed"; then
  cp "$here/package.json" "$here/package-lock.json" "$cache"
  npm ci --prefix "$cache" --ignore-scripts --legacy-peer-deps --omit=peer --no-audit --no-fund --loglevel=error >&2
  cp "$here/package-lock.json" "$cache/.installed"
fi
cd "$cache/node_modules/@cyclonedx/cyclonedx-library/res/schema" && pwd
