#!/usr/bin/env bash
# Divides the connections of rulesets that nobody here has written into classes, and says how it went:
#
#   tools/foreign_rulesets.sh [--program=PROGRAM] FILE...
#
# FILE is what nft (a name with "nft" in it), iptables-save or ip6tables-save (a name with "ip6" or ending in "v6") wrote.
# Each is loaded by its own tool in a network namespace of its own, where the devices that it names are, and the ipsets,
# which are empty. docs/verification.md names the public collections that were tried, and what came out. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."

program=$PWD/build/finwait_exporter
files=()
for argument; do
  case $argument in
    --program=*) program=${argument#*=} ;;
    *) files+=("$(realpath "$argument")") ;;
  esac
done
[ ${#files[@]} -gt 0 ] || { sed -n '2,10p' "$0" >&2; exit 2; }

# In the namespace: loads $1 and prints one row. Standard error: what went wrong.
try() {
  local file=$1 device set family=ipv4 load
  ip link set lo up
  ip link add eth0 type veth peer name far0 && ip link set far0 up
  for device in eth0 $(grep -oE '(-i|-o|(i|o)if(name)?|device)( !=)? +"?[A-Za-z][A-Za-z0-9_.-]*' "$file" | grep -oE '[A-Za-z0-9_.-]+$' | sort -u | head -100); do
    ip link add "${device:0:15}" type bridge 2>/dev/null; ip link set "${device:0:15}" up || true
  done
  ip address add 192.0.2.1/24 dev eth0
  ip address add 2001:db8::1/64 dev eth0 nodad
  ip route add default via 192.0.2.2
  ip -6 route add default via 2001:db8::2
  grep -oE -- '--(match|add)-set +[^ ]+' "$file" | awk '{print $2}' | sort -u | while read -r set; do
    ipset create "$set" hash:net || true
  done
  sed -E 's/XX(:XX){5}/02:00:00:00:00:01/g; s/[[:space:]]+$//' "$file" >"$work/rules"
  case ${file##*/} in
    *nft* | *Nft* | *Ntf*) load=(nft -f "$file") ;;
    *ip6* | *v6) load=(ip6tables-nft-restore "$work/rules") family=ipv6 ;;
    *) load=(iptables-nft-restore "$work/rules") ;;
  esac
  if ! (cd "$(dirname "$file")" && timeout 60 "${load[@]}" >"$work/refused" 2>&1); then
    echo "refused $(grep -m1 -iE 'error|fail|couldn|unknown|bad' "$work/refused" | tr -s ' ' | cut -c1-90)"
    return
  fi
  local code=0
  { TIMEFORMAT='%R'; time timeout 100 "$program" explain --all "--family=$family" --format=json >"$work/all" 2>"$work/error" || code=$?; } 2>"$work/time"
  python3 - "$work/all" "$(tail -1 "$work/time")" "$code" "$file" <<'END'
import json, sys
try:
    told = json.load(open(sys.argv[1]))
except ValueError:
    print("failed exit", sys.argv[3]); sys.exit()
classes = told["classes"]
unknown = [c for c in classes if c["fate"] == "unknown"]
reasons = sorted({c.get("reason") or "" for c in unknown})
print("divided", "seconds", sys.argv[2], "rules", sum(l.startswith("-A") or "\t" in l or "  " in l for l in open(sys.argv[4], errors="replace")),
      "classes", len(classes), "unknown", len(unknown), "incomplete", "yes" if told["incomplete"] else "no", "|", "; ".join(reasons)[:160],
      "|", (told["incomplete"] or "")[:120])
END
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export program work
export -f try
for file in "${files[@]}"; do
  # shellcheck disable=SC2016  # expanded inside
  printf '%s\t%s\n' "${file##*/}" "$(unshare -n bash -c 'try "$1"' - "$file" 2>"$work/noise")" | tee -a "$work/rows"
done
awk -F'\t' '{ split($2, w, " "); count[w[1]]++; if (w[1] == "divided") { slow += w[3] >= 1; inc += w[11] == "yes"; unk += w[9] > 0 } }
  END { printf "%d rulesets: %d divided (%d in 1 s and more, %d incomplete, %d with an unknown class), %d refused by their own tool, %d failed\n",
        NR, count["divided"], slow, inc, unk, count["refused"], count["failed"] }' "$work/rows"
