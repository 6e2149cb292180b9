#!/usr/bin/env bash
# The Ansible role: ansible-lint's strictest profile, an installation of a release, a second run that changes nothing, and a
# tarball with one other byte, which it must refuse. Without the service, which service.sh has.
#
#   ansible.sh RELEASE VERSION     RELEASE holds the tarball of this architecture
set -euo pipefail
release=$(realpath "$1")
version=$2
cd "$(dirname "$0")/../../packaging/ansible"
for tool in ansible-lint ansible-playbook; do
  command -v $tool >/dev/null || { echo "no $tool here: the role was not tried"; exit 0; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export ANSIBLE_LOCALHOST_WARNING=False ANSIBLE_ROLES_PATH=$PWD ANSIBLE_HOME=$work/ansible ANSIBLE_LOCAL_TEMP=$work/ansible \
  ANSIBLE_NOCOLOR=1 NO_COLOR=1

echo "== ansible-lint"
ansible-lint --offline -q --profile production finwait_exporter

mkdir "$work/release"
cp "$release"/finwait_exporter-*.linux-*.tar.gz "$work/release/"
(cd "$work/release" && sha256sum -- * >sha256sums.txt)
cat >"$work/play.yml" <<END
- hosts: localhost
  connection: local
  roles:
    - role: finwait_exporter
      vars:
        finwait_exporter_version: $version
        finwait_exporter_release_url: file://$work/release
        finwait_exporter_home: $work/home
        finwait_exporter_bin: $work/bin
        finwait_exporter_service: false
END
play() { ansible-playbook --inventory localhost, "$work/play.yml" >"$work/said" 2>&1; }
echo "== the role installs"
play || { cat "$work/said"; exit 1; }
"$work/bin/finwait_exporter" --version
echo "== a second run changes nothing"
play || { cat "$work/said"; exit 1; }
grep -q 'changed=0 .*failed=0' "$work/said" || { cat "$work/said"; exit 1; }
echo "== a changed byte"
rm -r "${work:?}/home"
printf x >>"$(echo "$work"/release/*.linux-"$(dpkg --print-architecture)".tar.gz)"
! play || { echo "not refused"; exit 1; }
grep -q 'checksum' "$work/said" || { cat "$work/said"; exit 1; }
[ ! -e "$(echo "$work"/home/*/lib)" ] || { echo "a changed tarball was unpacked"; exit 1; }
