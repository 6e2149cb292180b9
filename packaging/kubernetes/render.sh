#!/usr/bin/env bash
# Writes finwait-exporter.yaml, the manifest for those who do without Helm, from the chart.
#
#   render.sh HELM [--check]   HELM is the helm program; with --check nothing is written: exits 1 where the file is not what
#                              the chart gives
set -euo pipefail
helm=$1
here=$(dirname "$(realpath "$0")")
manifest=$here/finwait-exporter.yaml

render() {
  cat <<'END'
# finwait_exporter on every node, with the chart's defaults: made by render.sh, do not edit.
#
# No public registry carries the image: copy it out of a release to one of your own, name it below, and
#   kubectl apply -f finwait-exporter.yaml
---
apiVersion: v1
kind: Namespace
metadata:
  name: finwait-exporter
  labels:
    # The pods use the host's network, which only this level of the Pod Security Standards allows.
    pod-security.kubernetes.io/enforce: privileged
END
  "$helm" template finwait-exporter "$here/../../helm/finwait-exporter" --namespace finwait-exporter 2>"$here/.render.log" |
    sed -e '/^# Source: /d' -e '/^ *helm\.sh\/chart: /d' -e '/^ *app\.kubernetes\.io\/managed-by: /d'
  grep -v 'found symbolic link' "$here/.render.log" >&2 || true
  rm -f "$here/.render.log"
}

case "${2-}" in
  "") render >"$manifest" ;;
  --check)
    render | diff -u "$manifest" - >&2 || {
      echo "packaging/kubernetes/finwait-exporter.yaml is not what the chart gives: run packaging/kubernetes/render.sh HELM" >&2
      exit 1
    }
    ;;
  *)
    echo "usage: $0 HELM [--check]" >&2
    exit 2
    ;;
esac
