# shellcheck shell=bash  # sourced, from the top of the tree
# The systems that a release is built in, one for each architecture. They are kept: FINWAIT_ROOTS names where.
# shellcheck source=packaging/debian-packages.sh
. packaging/debian-packages.sh
# shellcheck source=packaging/debian-root.sh
. packaging/debian-root.sh

# release_root ARCHITECTURE: where that system is.
release_root() { echo "${FINWAIT_ROOTS:-/var/cache/finwait-release}/$release_suite-$1"; }

# prepare_release_root ARCHITECTURE [PACKAGE...]: a Debian of this machine's architecture that builds for ARCHITECTURE, with
# more to build by.
prepare_release_root() {
  local architecture=$1 root
  shift
  root=$(release_root "$architecture")
  make_debian "$release_suite" "$root"
  local packages=("${RELEASE_TOOLS[@]}") package
  if [ "$architecture" = "$(dpkg --print-architecture)" ]; then
    packages+=("${BUILD_PACKAGES[@]}" "$@")
  else
    inside "$root" dpkg --add-architecture "$architecture"
    inside "$root" apt-get -qq -o Acquire::Retries=3 update
    packages+=("crossbuild-essential-$architecture" qemu-user-static)
    for package in "${BUILD_PACKAGES[@]}" "$@"; do
      # Headers alone are of no architecture, and apt knows no package "NAME:ARCHITECTURE" of theirs.
      if [[ $package == *-dev ]] && inside "$root" apt-cache show "$package:$architecture" >/dev/null 2>&1; then
        package+=:$architecture
      fi
      packages+=("$package")
    done
  fi
  install_in "$root" "${packages[@]}"
}
