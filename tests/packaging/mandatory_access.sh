#!/bin/bash
# Compiles the AppArmor profile and the SELinux module with their own tools; 77 where those are not installed.
set -euo pipefail
source_folder=$(cd "$(dirname "$0")/../.." && pwd)
for tool in apparmor_parser checkmodule semodule_package; do
  if ! command -v "$tool" >/dev/null; then
    echo "needs apparmor_parser (apparmor), checkmodule (checkpolicy) and semodule_package (semodule-utils)"
    exit 77
  fi
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
apparmor_parser --skip-kernel-load --skip-cache "$source_folder/packaging/apparmor/finwait_exporter"
cd "$folder"
checkmodule -M -m -o finwait_exporter.mod "$source_folder/packaging/selinux/finwait_exporter.te"
semodule_package -o finwait_exporter.pp -m finwait_exporter.mod -f "$source_folder/packaging/selinux/finwait_exporter.fc"
test -s finwait_exporter.pp

# Every file that the program is started from, or maps, in the package of this system and in a release.
for path in /usr/bin/finwait_exporter /usr/{,local/}lib/finwait-exporter/{finwait_exporter,lib/{finwait_exporter,finwait_exporter.bin,libc.so.6}}; do
  labelled=no
  while read -r pattern _ context; do
    [[ ! $path =~ ^$pattern$ || $context != *:finwait_exporter_exec_t:* ]] || labelled=yes
  done <"$source_folder/packaging/selinux/finwait_exporter.fc"
  [[ $labelled == yes ]] || { echo "SELinux: nothing labels $path"; exit 1; }
done
