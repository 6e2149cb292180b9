#!/usr/bin/env bash
# Runs clang-tidy on one source file: tidy.sh [--quick] FILE. --quick leaves clang's analyzer out. A text that it passed
# before, headers included, is not looked at again: minutes become seconds. What was passed is remembered by its hash, as
# ccache does, for 30 days.
set -euo pipefail
cd "$(dirname "$0")/.."
checks=""
if [ "$1" = --quick ]; then
  checks="-clang-analyzer-*"
  shift
fi
source=$PWD/$1

cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/finwait-tidy
mkdir -p "$cache" 2>/dev/null || cache=$PWD/build/tidy
mkdir -p "$cache"

# The compiler's own command without what only the compiler understands: GCC's precompiled headers and its warnings. Every file
# includes what it uses, so that it reads the same without them. Of a file that several programs are made of: the first one's.
commands=build/lint/compile_commands.json  # build/ itself may compile several files at once
[ -e "$commands" ] || cmake --preset lint >/dev/null
command=$(jq --raw-output --arg file "$source" 'first(.[] | select(.file == $file) | .command)' "$commands" |
  sed -E 's#-include [^ ]*cmake_pch\.hxx##; s#-Winvalid-pch##; s#-Wno-stringop-overread##')
if [ -z "$command" ]; then
  echo "$1 is not in $commands; cmake --preset lint finds new files" >&2
  exit 1
fi
# Made to print what clang-tidy will read: comments and macros included, paths left out.
preprocess="${command% -o *} -E -P -C -dD $(printf '%q' "$source")"
arguments=$(sed -E 's#^.*c\+\+ ##; s#clang\+\+ ##; s# -o .*##' <<< "$command")
passed=$cache/$({ clang-tidy --version && cat .clang-tidy && printf "%s" "$checks" && eval "$preprocess"; } | sha256sum | cut -d ' ' -f 1)

if [ -e "$passed" ]; then
  touch "$passed"
else
  eval "clang-tidy --quiet --checks='$checks' $(printf '%q' "$source") -- $arguments" 2> >(grep -v 'warnings generated\.$' >&2)
  find "$cache" -type f -mtime +30 -delete
  touch "$passed"
fi
