#!/usr/bin/env bash
# Draws the three dashboards with Grafana's own components in Chromium, on data of a real Prometheus, and checks what is
# seen. Takes about twenty minutes, needs root, Chromium, Prometheus, node and npm, and 650 MB for the npm packages.
#
#   tools/see_dashboards/see_dashboards.sh [--minutes N] [--keep-story] [--pictures]
#
# --keep-story draws the story of the last run again, --pictures renews the pictures of README.md and dashboards/README.md.
# Everything else is left under .cache/see_dashboards.
set -euo pipefail
cd "$(dirname "$0")"

minutes=14 keep_story='' pictures=''
while (($#)); do
  case $1 in
    --minutes) minutes=$2 && shift ;;
    --keep-story) keep_story=1 ;;
    --pictures) pictures=1 ;;
    *) echo "see_dashboards.sh: unknown argument $1; it takes --minutes N, --keep-story and --pictures" >&2 && exit 2 ;;
  esac
  shift
done

for program in npm chromium prometheus; do
  command -v "$program" >/dev/null || { echo "see_dashboards.sh needs $program: apt-get install $program" >&2 && exit 2; }
done
cache=$(realpath -m ../../.cache/see_dashboards)
mkdir -p "$cache"
if ! cmp -s package-lock.json "$cache/.installed"; then
  cp package.json package-lock.json "$cache"
  npm ci --prefix "$cache" --ignore-scripts --silent --no-audit --no-fund
  cp package-lock.json "$cache/.installed"
fi
cp -r build.mjs src "$cache" # beside the packages, where node and esbuild look for them
(cd "$cache" && node build.mjs page)
if [[ -z $keep_story || ! -e $cache/story/story.json ]]; then
  echo "the story takes $minutes minutes"
  ./story.py "$cache/story" --minutes "$minutes"
fi
./render.py "$cache/story" "$cache/page" "$cache/out" ${pictures:+--pictures}
