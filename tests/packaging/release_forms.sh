#!/usr/bin/env bash
# Every form of a release, used as on its first day: the tarball where there is nothing else, install.sh where there is only
# busybox, the rpm, the image. And a changed byte: who verifies must refuse it.
#
#   release_forms.sh RELEASE EMPTY_FOLDER    RELEASE holds what packaging/release makes for this architecture
#
# In mount and network namespaces of its own, as root. Says "release: all well" at the end.
set -euo pipefail
release=$(realpath "$1")
mount --make-rprivate /
mount -t tmpfs tmpfs "$2"
work=$(realpath "$2")
ip link set lo up
fail() { echo "release: $*"; exit 1; }
expect_refusal() {  # WORDS COMMAND...: the command must fail, and say WORDS
  local words=$1 said
  shift
  if said=$("$@" 2>&1); then
    fail "not refused: $*"
  fi
  grep -q "$words" <<<"$said" || fail "refused without '$words': $said"
}
architecture=$(dpkg --print-architecture)
tarball=$(echo "$release"/finwait_exporter-*.linux-"$architecture".tar.gz)
name=$(basename "$tarball" .tar.gz)

serves() {  # ROOT PROGRAM [HOST]: it serves in that root, and sees what there is to see
  local root=$1 program=$2 host=${3-127.0.0.1} metrics pid state
  mkdir -p "$root/proc"
  mount -t proc proc "$root/proc"
  chroot "$root" "$program" --web.listen-address="$host:10061" --log.level=warn &
  pid=$!
  until curl --silent --fail --max-time 5 --output /dev/null http://127.0.0.1:10061/readyz; do
    [[ -e /proc/$pid/exe && $SECONDS -lt 300 ]] || fail "$program does not serve"
    sleep 0.1
  done
  metrics=$(curl --silent --fail http://127.0.0.1:10061/metrics)
  chroot "$root" "$program" check >"$work/check" || fail "$program check exits with $?: $(cat "$work/check")"
  state=$(cat "/proc/$pid/comm")
  kill "$pid"
  wait "$pid" || fail "$program does not end well"
  # The reader is killed with the server, and is gone a moment later.
  local tries=0
  until umount "$root/proc" 2>/dev/null; do
    ((++tries < 50)) || fail "$root/proc is still in use"
    sleep 0.1
  done
  grep -q '^finwait_risk_score 0$' <<<"$metrics" || fail "$program tells no risk"
  ! grep -q '^finwait_collector_success.* 0$' <<<"$metrics" || fail "a collector fails: $(grep '_success.* 0$' <<<"$metrics")"
  [[ $state == finwait_exporte ]] || fail "the process is called $state"
}

echo "== the tarball, where there is nothing else"
mkdir "$work/nothing"
tar -xzf "$tarball" -C "$work/nothing"
mkdir "$work/nothing/etc"
# A host's name service with modules of its own must not matter.
echo "hosts: mymachines resolve files" >"$work/nothing/etc/nsswitch.conf"
echo "127.0.0.1 localhost" >"$work/nothing/etc/hosts"
serves "$work/nothing" "/$name/finwait_exporter" localhost
ln -s "$name/finwait_exporter" "$work/nothing/link"
serves "$work/nothing" /link
cp "$work/nothing/$name/finwait_exporter" "$work/nothing/alone"
expect_refusal "works only beside the folder lib" chroot "$work/nothing" /alone
chroot "$work/nothing" /alone check 2>/dev/null || code=$?
[[ ${code-} == 3 ]] || fail "a check that cannot start exits with ${code-0}"
[[ $(stat --format=%u:%g "$work/nothing/$name/lib/libc.so.6") == 0:0 ]] || fail "files of another owner than root"
[[ -z $(find "$work/nothing/$name" -perm /022 ! -type l) ]] || fail "files that others may write"

echo "== install.sh, where there is only busybox"
host=$work/busybox
make_host() {  # ROOT: busybox and nothing else
  mkdir -p "$1"/{bin,dev,tmp,usr/local,release,etc/systemd/system}
  cp "$(command -v busybox)" "$1/bin/busybox"
  chroot "$1" /bin/busybox --install -s /bin
  touch "$1/dev/null"
  mount --bind /dev/null "$1/dev/null"
}
make_host "$host"
cp "$tarball" "$release/install.sh" "$host/release/"
(cd "$host/release" && sha256sum -- *.tar.gz >sha256sums.txt)
cat >"$host/verify" <<'END'
exec env PATH=/bin sh /release/install.sh "$@"
END
install_in() { chroot "$host" /bin/sh /verify "$@"; }
install_in --from=/release >"$work/said" 2>&1 || fail "install.sh: $(cat "$work/said")"
serves "$host" /usr/local/bin/finwait_exporter
grep -q '^ExecStart=/usr/local/bin/finwait_exporter ' "$host/etc/systemd/system/finwait-exporter.service" || fail "the unit's path"
for page in finwait_exporter.8 finwait-plan.8; do
  [[ -s $host/usr/local/share/man/man8/$page ]] || fail "no manual page $page"
done
before=$(cd "$host/usr/local" && find . -type f -exec sha256sum {} + | sort)
size=$(stat --format=%s "$host/release/$name.tar.gz")
byte=$(od -An -tu1 -j $((size / 2)) -N 1 "$host/release/$name.tar.gz")
# shellcheck disable=SC2059  # an octal escape
printf "\\$(printf %03o $((byte ^ 1)))" | dd of="$host/release/$name.tar.gz" bs=1 seek=$((size / 2)) conv=notrunc status=none
expect_refusal "damaged or forged" install_in --from=/release
[[ $(cd "$host/usr/local" && find . -type f -exec sha256sum {} + | sort) == "$before" ]] || fail "a refused release changed something"
install_in --uninstall >/dev/null
[[ -z $(find "$host/usr/local" "$host/etc" ! -type d) ]] || fail "left behind: $(find "$host/usr/local" "$host/etc" ! -type d)"

echo "== a signature, its key and a forger's"
mkdir -m 700 "$work/gpg" "$work/forged"
export GNUPGHOME=$work/gpg
for who in author forger; do
  gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-generate-key "$who@example.com" ed25519 sign never 2>/dev/null
  gpg --armor --export "$who@example.com" >"$work/$who.asc"
done
cp "$tarball" "$work/forged/"
(cd "$work/forged" && sha256sum -- *.tar.gz >sha256sums.txt)
sign() { gpg --batch --quiet --yes --local-user "$1@example.com" --armor --detach-sign "$work/forged/sha256sums.txt"; }
try() { "$release/install.sh" --from="$work/forged" --prefix="$work/prefix" --no-service "$@"; }
mkdir "$work/prefix"
sign author
try --key="$work/author.asc" >/dev/null 2>&1 || fail "a good signature is refused"
"$work/prefix/bin/finwait_exporter" --version >/dev/null
try --uninstall >/dev/null
sign forger
expect_refusal "is not signed by" try --key="$work/author.asc"
echo >>"$work/forged/sha256sums.txt"
expect_refusal "is not signed by" try --key="$work/forger.asc"
rm "$work/forged/sha256sums.txt.asc"
expect_refusal "the signature" try --key="$work/author.asc"
[[ ! -e $work/prefix/lib/finwait-exporter ]] || fail "a forged release was installed"
gpgconf --kill all

if command -v rpm >/dev/null; then
  echo "== the rpm, by rpm --root"
  package=$(echo "$release"/finwait-exporter-*."$(uname -m)".rpm)
  root=$work/rpm
  make_host "$root"
  # Nothing but a shell is asked for, which this root has from no package.
  more=$(rpm -qp --requires "$package" | sed -E '/^(\/bin\/sh|rpmlib\(.*)/d')
  [[ -z $more ]] || fail "the rpm asks for more than a shell: $more"
  rpm --root "$root" --nodeps --install "$package" 2>"$work/rpm.log" || fail "rpm: $(cat "$work/rpm.log")"
  serves "$root" /usr/bin/finwait_exporter
  rpm --root "$root" --verify --nodeps finwait-exporter || fail "the installed files are not those of the rpm"
  rpm --root "$root" --erase finwait-exporter
  left=$(cd "$root" && find usr etc -path "*finwait*")
  [[ -z $left ]] || fail "the rpm leaves $left"
else
  echo "no rpm here: the rpm was not tried"
fi

echo "== the image"
python3 - "$release" "$work/image" "$architecture" <<'END'
import hashlib, json, pathlib, sys, tarfile
release, root, architecture = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
with tarfile.open(next(release.glob("*.oci.tar"))) as archive:
    files = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}

def blob(descriptor):
    algorithm, _, digest = descriptor["digest"].partition(":")
    content = files[f"blobs/{algorithm}/{digest}"]
    assert hashlib.sha256(content).hexdigest() == digest and len(content) == descriptor["size"], descriptor
    return content

index = json.loads(blob(json.loads(files["index.json"])["manifests"][0]))
manifest = json.loads(blob(next(each for each in index["manifests"] if each["platform"]["architecture"] == architecture)))
config = json.loads(blob(manifest["config"]))
assert config["config"]["User"] == "65534:65534"
import gzip, io
for layer, identity in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
    content = gzip.decompress(blob(layer))
    assert "sha256:" + hashlib.sha256(content).hexdigest() == identity
    tarfile.open(fileobj=io.BytesIO(content)).extractall(root)
assert not list(root.rglob("*sh")), "there is a shell in the image"
END
serves "$work/image" /usr/bin/finwait_exporter
echo "release: all well"
