#!/usr/bin/env bash
# Packs the Helm chart as `helm package` does, with the same bytes whenever and wherever.
#
#   make_chart.sh VERSION OUT   OUT gets finwait-exporter-VERSION.tgz. SOURCE_DATE_EPOCH is the time of every file in it
set -euo pipefail
version=$1
out=$(realpath "$2")
: "${SOURCE_DATE_EPOCH:?is the time of the commit, in seconds since 1970}"
cd "$(dirname "$(realpath "$0")")/../../helm"
# Its links lead out of the chart, and so are files in the archive.
tar --create --dereference --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
  --format=gnu --exclude-from=finwait-exporter/.helmignore --exclude=finwait-exporter/ci finwait-exporter | gzip -9n >"$out/finwait-exporter-$version.tgz"
