#!/bin/sh
# vigia and vigia-pump built for ARM64, as on a Jetson, and tried under qemu: their versions, a configuration, the
# self-test. Programs that ship in an image are built by its own tools; these show that the sources are portable.
set -eu
cd "$(dirname "$0")/../.."

TARGET=aarch64-unknown-linux-gnu
tests/cross/sysroot.sh
root=$PWD/.cache/arm64/root

export PKG_CONFIG_ALLOW_CROSS=1 PKG_CONFIG_SYSROOT_DIR="$root"
export PKG_CONFIG_LIBDIR="$root/usr/lib/aarch64-linux-gnu/pkgconfig:$root/usr/share/pkgconfig"
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C link-arg=--sysroot=$root"
export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc CXX_aarch64_unknown_linux_gnu=aarch64-linux-gnu-g++
export CFLAGS_aarch64_unknown_linux_gnu="--sysroot=$root" CXXFLAGS_aarch64_unknown_linux_gnu="--sysroot=$root"
# For paho's CMake.
export OPENSSL_DIR="$root/usr" OPENSSL_ROOT_DIR="$root/usr"
export OPENSSL_LIB_DIR="$root/usr/lib/aarch64-linux-gnu" OPENSSL_INCLUDE_DIR="$root/usr/include"
profile=${PROFILE:-release}
cargo build --quiet --profile "$profile" --target $TARGET -p vigia --bin vigia
cargo build --quiet --profile "$profile" --target $TARGET -p vigia-pump
built=${CARGO_TARGET_DIR:-target}/$TARGET/$([ "$profile" = dev ] && echo debug || echo "$profile")

# Plugins of the sysroot; their scanner would be a program of ARM64, so they are looked at in this process.
export GST_PLUGIN_SYSTEM_PATH_1_0="$root/usr/lib/aarch64-linux-gnu/gstreamer-1.0" GST_PLUGIN_PATH_1_0=
export GST_REGISTRY="$PWD/.cache/arm64/registry" GST_REGISTRY_FORK=no
# Nor does a child have qemu before it: programs that start themselves are registered, or not tried here.
arm() { qemu-aarch64-static -L "$root" -E "LD_LIBRARY_PATH=/usr/lib/aarch64-linux-gnu:/usr/lib/aarch64-linux-gnu/blas:/usr/lib/aarch64-linux-gnu/lapack:/usr/lib/aarch64-linux-gnu/pulseaudio" "$@"; }

fail() {
  echo "cross: $*" >&2
  exit 1
}
file=$(od -An -tx1 -j18 -N2 "$built/vigia")
[ "$file" = " b7 00" ] || fail "vigia is not for ARM64"
arm "$built/vigia" --version | grep -q '^vigia [0-9]' || fail "vigia has no version"
arm "$built/vigia-pump" --help > /dev/null || fail "vigia-pump does not start"
arm "$built/vigia" check-config configs/site.example.yaml > /dev/null || fail "the example is refused"
if arm "$built/vigia" check-config Cargo.toml > /dev/null 2>&1; then fail "what is no configuration is taken"; fi

# Of the golden frames four: rten on an emulated processor is slow.
models=$(mktemp -d)
trap 'rm -rf "$models"' EXIT
cp models/lookout-n.yaml models/lookout-n.onnx "$models"
mkdir -p "$models/lookout-n/golden"
for n in 000000 000007 000016 000025; do cp models/golden/$n.jpg "$models/lookout-n/golden"; done
arm "$built/vigia" self-test --json --engine rten --model lookout-n --models-dir "$models" > .cache/arm64/report.json ||
  fail "the self-test failed: .cache/arm64/report.json"
python3 - <<'PY'
import json
report = json.load(open(".cache/arm64/report.json"))
outcomes = {c["name"]: c["outcome"] for c in report["checks"]}
assert report["machine"]["architecture"] == "aarch64", report["machine"]
for name in ("decode h264", "decode h265", "decode jpeg", "reference", "stream on rten"):
    assert outcomes[name] == "passed", (name, outcomes)
PY
echo "cross: vigia and vigia-pump run on ARM64 (qemu)" >&2
