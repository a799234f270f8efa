#!/bin/sh
# vigia and vigia-pump built for ARM64, as on a Jetson, and tried under qemu: their versions, a configuration, the
# self-test. Programs that ship in an image are built by its own tools; these show that the sources are portable.
set -eu
cd "$(dirname "$0")/../.."

tests/cross/sysroot.sh
# shellcheck source=tests/cross/env.sh
. tests/cross/env.sh
cargo build --quiet --target $CROSS_TARGET -p vigia --bin vigia
cargo build --quiet --target $CROSS_TARGET -p vigia-pump
built=${CARGO_TARGET_DIR:-target}/$CROSS_TARGET/debug
root=$CROSS_ROOT

# Plugins of the sysroot; their scanner would be a program of ARM64, so they are looked at in this process.
export GST_PLUGIN_SYSTEM_PATH_1_0="$root/usr/lib/aarch64-linux-gnu/gstreamer-1.0" GST_PLUGIN_PATH_1_0=
export GST_REGISTRY="$PWD/.cache/arm64/registry" GST_REGISTRY_FORK=no
# Children of these programs would be ARM64 programs without qemu before them: builds of engines are not tried here.
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

# The model on all golden frames: what ARM64 finds is compared with what is written down. Minutes.
echo "cross: the self-test under qemu takes some minutes" >&2
arm "$built/vigia" self-test --json --engine rten --model lookout-n --models-dir models > .cache/arm64/report.json ||
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
