#!/bin/sh
# The libraries of an ARM64 Debian that vigia links with and runs on, unpacked into .cache/arm64/root: what `make cross`
# builds against. Downloaded with a state of apt of its own, so that nothing is installed and this machine's packages
# don't change. Silent if it is there.
set -eu
cd "$(dirname "$0")/../.."

PACKAGES="
  libc6-dev libssl-dev libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev
  gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav
"
WHO=cross
dir=$PWD/.cache/arm64
LOG=$dir/log
# shellcheck source=tests/vm/lib.sh
. tests/vm/lib.sh
[ -f "$dir/complete" ] && exit 0

say "fetching ARM64 libraries from Debian (200 MB)"
rm -rf "$dir" && mkdir -p "$dir/root/usr/lib" "$dir/root/usr/bin" "$dir/root/usr/sbin"
package_lists "$dir/apt" arm64
# shellcheck disable=SC2086
quietly foreign "$dir/apt" apt-get install -y --download-only --no-install-recommends $PACKAGES
# As Debian has them: packages bring files for both places.
for d in lib bin sbin; do ln -s usr/$d "$dir/root/$d"; done
for deb in "$dir"/apt/cache/archives/*.deb; do dpkg -x "$deb" "$dir/root"; done
rm -rf "$dir/apt"
touch "$dir/complete"
