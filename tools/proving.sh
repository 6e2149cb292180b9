# shellcheck shell=bash  # sourced
# What the proofs (prove_*.sh) share.

require_root() {
  if [ "$(id -u)" -ne 0 ]; then
    echo "$0: only root can make a Debian system in a directory" >&2
    exit 1
  fi
}

require_new() {  # DIRECTORY: which the proof makes, and removes at its end
  if [ -e "$1" ]; then
    echo "$0: $1 exists; name a directory that does not" >&2
    exit 1
  fi
}

step() { printf '\n=== %s\n' "$*"; }

expect() {  # WHAT COMMAND...: the command must succeed
  local what=$1
  shift
  if "$@"; then
    echo "ok: $what"
  else
    echo "FAILED: $what" >&2
    exit 1
  fi
}
