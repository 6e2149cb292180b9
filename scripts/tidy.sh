#!/usr/bin/env bash
# Runs clang-tidy on one source file: tidy.sh FILE. A text that it passed before, headers included, is not looked at
# again: minutes become seconds. What was passed is remembered by its hash, as ccache does, for 30 days.
set -euo pipefail
cd "$(dirname "$0")/.."
source=$PWD/$1

cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/finwait-tidy
mkdir -p "$cache" 2>/dev/null || cache=$PWD/build/tidy
mkdir -p "$cache"

# The compiler's own command, made to print what clang-tidy will read: comments and macros included, paths left out.
command=$(jq --raw-output --arg file "$source" '.[] | select(.file == $file) | .command' build/compile_commands.json)
if [ -z "$command" ]; then
  echo "$1 is not in build/compile_commands.json; build first" >&2
  exit 1
fi
preprocess="${command% -o *} -E -P -C -dD $(printf '%q' "$source")"
passed=$cache/$({ clang-tidy --version && cat .clang-tidy && eval "$preprocess"; } | sha256sum | cut -d ' ' -f 1)

if [ -e "$passed" ]; then
  touch "$passed"
else
  clang-tidy -p build --quiet "$source" 2> >(grep -v 'warnings generated\.$' >&2)
  find "$cache" -type f -mtime +30 -delete
  touch "$passed"
fi
