# shellcheck shell=bash  # sourced
# A Debian in a folder, to build in: it owes nothing to the machine that it lies on. For root only.
#   FINWAIT_MIRROR names another mirror than deb.debian.org; http_proxy is passed on. FINWAIT_CCACHE names a ccache folder that
#   may save compiling what was compiled before; without it nothing is taken from a cache.

# make_debian SUITE FOLDER: leaves alone what is there; says little, and the rest in FOLDER.log.
make_debian() {
  local suite=$1 root=$2 mirror=${FINWAIT_MIRROR:-http://deb.debian.org/debian}
  if [ ! -e "$root/etc/debian_version" ]; then
    command -v debootstrap >/dev/null || apt-get -qq install -y --no-install-recommends debootstrap </dev/null
    rm -rf --one-file-system "$root.new"
    mkdir -p "$(dirname "$root")"
    debootstrap --variant=minbase "$suite" "$root.new" "$mirror" >"$root.log"
    printf '%s\n' "deb $mirror $suite main" "deb $mirror $suite-updates main" \
      "deb ${mirror%/debian}/debian-security $suite-security main" >"$root.new/etc/apt/sources.list"
    mv "$root.new" "$root"
  fi
  cp --dereference /etc/resolv.conf /etc/hosts "$root/etc/"
}

# inside FOLDER COMMAND...: runs there, in mount and process namespaces that end with it, without this shell's environment
# but the names in $inside_keeps.
inside() {
  local root=$1 name environment=(HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TZ=UTC DEBIAN_FRONTEND=noninteractive)
  shift
  for name in http_proxy FINWAIT_JOBS ${inside_keeps-}; do
    [ -z "${!name-}" ] || environment+=("$name=${!name}")
  done
  if [ -n "${FINWAIT_CCACHE-}" ]; then
    environment+=(CCACHE_DIR=/ccache CCACHE_NOHASHDIR=1)
  else
    environment+=(CCACHE_DISABLE=1)
  fi
  # shellcheck disable=SC2016  # expanded inside
  unshare --mount --pid --fork --kill-child bash -euc '
    root=$1
    shift
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    mount --rbind /dev "$root/dev"
    if [ -n "${FINWAIT_CCACHE-}" ]; then
      mkdir -p "$root/ccache"
      mount --bind "$FINWAIT_CCACHE" "$root/ccache"
    fi
    exec chroot "$root" env -i "$@"
  ' inside "$root" "${environment[@]}" "$@" </dev/null
}

# install_in FOLDER PACKAGE...: brings what is there up to date, too, and ends what a killed run has begun.
install_in() {
  local root=$1 apt=(apt-get -qq -o Acquire::Retries=3 -o Dpkg::Use-Pty=0)
  shift
  inside "$root" dpkg --configure -a >>"$root.log"
  inside "$root" "${apt[@]}" update
  inside "$root" "${apt[@]}" dist-upgrade -y >>"$root.log"
  inside "$root" "${apt[@]}" install -y --no-install-recommends "$@" >>"$root.log"
}
