# shellcheck shell=bash  # sourced
# What an emulated machine starts with: an archive of files in memory, enough to reach a root that has the rest.

# add_modules START MODULES NAME...: puts kernel modules and what they need into START, from the folder MODULES that depmod
# has seen (lib/modules/RELEASE), below the same name.
add_modules() {
  local start=$1 modules=$2 release name
  shift 2
  release=$(basename "$modules")
  mkdir -p "$start/lib/modules/$release"
  cp "$modules/modules.dep" "$start/lib/modules/$release/"
  for name in "$@"; do
    # "kernel/fs/9p/9p.ko: kernel/net/9p/9pnet.ko ...": a module and what it needs
    grep "/$name\.ko:" "$modules/modules.dep" | tr -d : | tr ' ' '\n' | while read -r path; do
      install -D -m 644 "$modules/$path" "$start/lib/modules/$release/$path"
    done
  done
}

# pack_start START ARCHIVE
pack_start() { (cd "$1" && find . | cpio --quiet --create --format=newc | gzip -1) >"$2"; }
