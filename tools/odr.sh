#!/usr/bin/env bash
# Links the program as a whole (LTO) to find two types of one name that differ: the one definition rule, which neither
# compiler nor linker need report otherwise. Shows first that it would find such a pair.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install_packages.sh build

planted=$(mktemp -d)
trap 'rm -rf "$planted"' EXIT
echo 'struct Planted { int i; int Get() { return i; } }; int f(Planted* p) { return p->Get(); }' >"$planted/a.cc"
echo 'struct Planted { long i[2]; long Get() { return i[1]; } }; int main() { return Planted().Get(); }' >"$planted/b.cc"
if g++ -O0 -flto=2 -Werror=odr "$planted/a.cc" "$planted/b.cc" -o "$planted/program" 2>"$planted/messages"; then
  echo "odr: this compiler does not find a planted violation" >&2
  exit 1
fi
grep -q 'Planted.*One Definition Rule' "$planted/messages" || {
  cat "$planted/messages" >&2
  exit 1
}

cmake --preset odr
cmake --build --preset odr
echo "odr: no type is defined in two ways"
