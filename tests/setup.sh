#!/bin/sh
# Installs what building, testing and running need on Debian 12 or newer and Ubuntu 22.04 or
# newer. Silent about what is there already; safe to run again. As root, or with sudo.
set -eu
cd "$(dirname "$0")/.."

PACKAGES="
  ca-certificates procps strace openssl gcc g++ make cmake pkg-config libssl-dev python3 python3-pip python3-venv
  libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libgstrtspserver-1.0-dev
  gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
  gstreamer1.0-plugins-ugly gstreamer1.0-libav glib-networking
  mosquitto mosquitto-clients
  rauc squashfs-tools dbus
"
OPENVINO=2026.4.1
RUST_LEAST=1.94

say() { printf 'setup: %s\n' "$*" >&2; }

root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt_packages() {
  missing=""
  for p in $PACKAGES; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
  done
  [ -n "$missing" ] || return 0
  say "installing$missing"
  root apt-get update -qq
  # The distribution's broker is not to be started: vigia brings its own configuration.
  printf '#!/bin/sh\nexit 101\n' > .cache/policy && chmod +x .cache/policy
  had_policy=$(test -e /usr/sbin/policy-rc.d && echo yes || echo no)
  [ "$had_policy" = yes ] || root cp .cache/policy /usr/sbin/policy-rc.d
  DEBIAN_FRONTEND=noninteractive root apt-get install -y -qq --no-install-recommends $missing > .cache/apt.log 2>&1 || {
    tail -5 .cache/apt.log >&2
    say "apt-get failed; the whole log is in .cache/apt.log"
    exit 1
  }
  [ "$had_policy" = yes ] || root rm -f /usr/sbin/policy-rc.d
}

rust() {
  # shellcheck disable=SC1091
  command -v cargo > /dev/null || { [ -f "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"; } || true
  if ! command -v cargo > /dev/null; then
    say "there is no cargo: install Rust $RUST_LEAST or newer with rustup (https://rustup.rs), then run this again"
    exit 1
  fi
  have=$(rustc --version | cut -d' ' -f2)
  lower=$(printf '%s\n%s\n' "$RUST_LEAST" "$have" | sort -V | head -1)
  [ "$lower" = "$RUST_LEAST" ] || { say "Rust $have is too old: $RUST_LEAST or newer is needed (rustup update)"; exit 1; }
}

# OpenVINO's library from PyPI: the faster engine on x86. Without it vigia runs on rten.
openvino() {
  [ "$(uname -m)" = x86_64 ] || return 0
  mark=.cache/openvino/$OPENVINO
  [ -f "$mark" ] && return 0
  say "fetching OpenVINO $OPENVINO from PyPI"
  rm -rf .cache/openvino && mkdir -p .cache/openvino
  if ! python3 -m pip download -q --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: \
      -d .cache/openvino "openvino==$OPENVINO"; then
    say "OpenVINO could not be fetched; the engine rten will be used"
    return 0
  fi
  python3 - <<'PY'
import glob, zipfile
wheel = glob.glob(".cache/openvino/*.whl")[0]
keep = ("openvino_c", "openvino.so", "intel_cpu", "onnx_frontend", "ir_frontend", "tbb", "hwloc", "auto_plugin")
with zipfile.ZipFile(wheel) as z:
    for n in z.namelist():
        if n.startswith("openvino/libs/") and any(k in n for k in keep):
            z.extract(n, ".cache/openvino")
PY
  rm -f .cache/openvino/*.whl
  touch "$mark"
}

mkdir -p .cache
apt_packages
rust
openvino
