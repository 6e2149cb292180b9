#!/usr/bin/env bash
# Makes trees that apt and dnf install from, out of the packages of a release: any web server can serve them.
#
#   make_repositories.sh RELEASE OUT   RELEASE is the folder with debs and rpms; OUT/apt and OUT/yum are made
#
# Needs apt-ftparchive and createrepo_c. scripts/release.sh signs what has to be signed.
set -euo pipefail
release=$(realpath "$1")
out=$2
: "${SOURCE_DATE_EPOCH:?is the time of the commit, in seconds since 1970}"

mkdir -p "$out/apt/pool" "$out/yum"
out=$(realpath "$out")
cp "$release"/*.deb "$out/apt/pool/"
cd "$out/apt"
architectures=()
for package in pool/*.deb; do
  architecture=$(dpkg-deb --field "$package" Architecture)
  architectures+=("$architecture")
  folder=dists/stable/main/binary-$architecture
  mkdir -p "$folder"
  apt-ftparchive --arch "$architecture" packages pool >"$folder/Packages"
  gzip -9nk "$folder/Packages"
done
apt-ftparchive -o APT::FTPArchive::Release::Origin=finwait_exporter -o APT::FTPArchive::Release::Suite=stable \
  -o APT::FTPArchive::Release::Codename=stable -o APT::FTPArchive::Release::Components=main \
  -o APT::FTPArchive::Release::Architectures="${architectures[*]}" release dists/stable >"$out/Release"
# apt-ftparchive knows the time of now only.
sed -i "s/^Date: .*/Date: $(LC_ALL=C date --utc --date="@$SOURCE_DATE_EPOCH" '+%a, %d %b %Y %H:%M:%S %z')/" "$out/Release"
mv "$out/Release" dists/stable/Release

for package in "$release"/*.rpm; do
  folder=$out/yum/$(rpm -qp --queryformat '%{ARCH}' "$package")
  mkdir -p "$folder"
  cp "$package" "$folder/"
  touch --date="@$SOURCE_DATE_EPOCH" "$folder"/*.rpm
  createrepo_c --quiet --simple-md-filenames --revision="$SOURCE_DATE_EPOCH" --set-timestamp-to-revision "$folder"
done
