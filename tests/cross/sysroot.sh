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
dir=$PWD/.cache/arm64
[ -f "$dir/complete" ] && exit 0

echo "cross: fetching ARM64 libraries from Debian (200 MB)" >&2
rm -rf "$dir" && mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial" "$dir/root/usr/lib" "$dir/root/usr/bin" \
  "$dir/root/usr/sbin"
: > "$dir/status"
cat > "$dir/apt.conf" <<CONF
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "";
Dir::State "$dir/state";
Dir::State::status "$dir/status";
Dir::Cache "$dir/cache";
CONF
export APT_CONFIG="$dir/apt.conf"
# Sources of other vendors may have nothing for ARM64: what is missing then shows at the download.
apt-get update -qq > "$dir/log" 2>&1 || true
# shellcheck disable=SC2086
apt-get install -y --download-only --no-install-recommends $PACKAGES >> "$dir/log" 2>&1 || {
  tail -5 "$dir/log" >&2
  exit 1
}
# As Debian has them: packages bring files for both places.
for d in lib bin sbin; do ln -s usr/$d "$dir/root/$d"; done
for deb in "$dir"/cache/archives/*.deb; do dpkg -x "$deb" "$dir/root"; done
rm -rf "$dir/cache" "$dir/state" "$dir/status"
touch "$dir/complete"
