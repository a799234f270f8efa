#!/bin/sh
# NVIDIA's real libraries from PyPI, for tests/trt_*.rs of crates/accel: TensorRT-RTX in two releases whose binary
# interfaces differ, with ARCH=aarch64 the newer one for ARM64, and the lean runtimes of TensorRT 10 and 11. Kept in
# .cache/trt, never committed. Silent about what is there already. Where PyPI can't be reached it says so and
# succeeds: the tests skip.
set -eu
cd "$(dirname "$0")/../.."

ARCH=${ARCH:-$(uname -m)}

say() { printf 'trt: %s\n' "$*" >&2; }

# fetch FOLDER WHEEL RELEASE PLATFORM: the libraries of one release that tests load, nothing else of the wheel.
fetch() {
  dir=.cache/trt/$1-$ARCH
  [ -f "$dir/complete" ] && return 0
  say "fetching $2 $3 for $ARCH from PyPI (45 to 90 MB)"
  rm -rf "$dir" && mkdir -p "$dir"
  if ! python3 -m pip download -q --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: \
      --platform "$4" -d "$dir" "$2==$3" 2> "$dir/log"; then
    say "$2 $3 could not be fetched: $(tail -1 "$dir/log")"
    return 0
  fi
  python3 - "$dir" <<'PY'
import glob, os, sys, zipfile
dir = sys.argv[1]
wheel = glob.glob(dir + "/*.whl")[0]
with zipfile.ZipFile(wheel) as z:
    for name in z.namelist():
        base = os.path.basename(name)
        if base.startswith(("libtensorrt_rtx.so", "libtensorrt_onnxparser_rtx.so", "libnvinfer_lean.so")):
            with z.open(name) as source, open(os.path.join(dir, base), "wb") as target:
                while block := source.read(1 << 20):
                    target.write(block)
PY
  rm -f "$dir"/*.whl "$dir/log"
  touch "$dir/complete"
}

case $ARCH in
  x86_64)
    for release in 1.7.1.116 1.4.0.76; do
      fetch $release tensorrt-rtx-cu12-libs $release manylinux_2_28_x86_64
    done
    for release in 10.16.1.11 11.4.0.106; do
      fetch lean-$release tensorrt-lean-cu12-libs $release manylinux_2_28_x86_64
    done
    ;;
  # The wheels for ARM64 are those of CUDA 13.
  aarch64) fetch 1.7.1.116 tensorrt-rtx-cu13-libs 1.7.1.116 manylinux_2_35_aarch64 ;;
  *) say "no TensorRT for $ARCH" ;;
esac
