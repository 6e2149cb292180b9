#!/usr/bin/env bash
# Checks that what the documents say of flags, metrics, paths, collectors and versions is what the program has, and that
# their links lead somewhere, that every message is explained, and that words are plain. docs/metrics.md itself is held against the code by a unit test.
#
#   run.sh [BUILD_FOLDER]     default: build
set -euo pipefail
FINWAIT_PROGRAM=$(realpath "${1:-build}")/finwait_exporter
export FINWAIT_PROGRAM
cd "$(dirname "$0")"
/usr/bin/python3 -m unittest documents_test flags_test messages_test words_test
