#!/bin/sh
# NVIDIA's real TensorRT-RTX libraries from PyPI, for tests/trt_rtx.rs of crates/accel: two releases, whose
# binary interfaces differ, and with ARCH=aarch64 the newer one for ARM64. Kept in .cache/trt, never committed.
# Silent about what is there already. Where PyPI can't be reached it says so and succeeds: the tests skip.
set -eu
cd "$(dirname "$0")/../.."

ARCH=${ARCH:-$(uname -m)}
NEW=1.7.1.116
OLD=1.4.0.76

say() { printf 'trt: %s\n' "$*" >&2; }

# Library and parser of one release; nothing else of the wheel. The wheels for ARM64 are those of CUDA 13.
fetch() {
  release=$1
  dir=.cache/trt/$release-$ARCH
  [ -f "$dir/complete" ] && return 0
  say "fetching TensorRT-RTX $release for $ARCH from PyPI (about 90 MB)"
  rm -rf "$dir" && mkdir -p "$dir"
  case $ARCH in
    x86_64) wheel=tensorrt-rtx-cu12-libs platform=manylinux_2_28_x86_64 ;;
    *) wheel=tensorrt-rtx-cu13-libs platform=manylinux_2_35_$ARCH ;;
  esac
  if ! python3 -m pip download -q --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: \
      --platform "$platform" -d "$dir" "$wheel==$release" 2> "$dir/log"; then
    say "TensorRT-RTX $release could not be fetched: $(tail -1 "$dir/log")"
    return 0
  fi
  python3 - "$dir" <<'PY'
import glob, os, sys, zipfile
dir = sys.argv[1]
wheel = glob.glob(dir + "/*.whl")[0]
with zipfile.ZipFile(wheel) as z:
    for name in z.namelist():
        base = os.path.basename(name)
        if base.startswith(("libtensorrt_rtx.so", "libtensorrt_onnxparser_rtx.so")):
            with z.open(name) as source, open(os.path.join(dir, base), "wb") as target:
                while block := source.read(1 << 20):
                    target.write(block)
PY
  rm -f "$dir"/*.whl "$dir/log"
  touch "$dir/complete"
}

case $ARCH in
  x86_64) fetch $NEW; fetch $OLD ;;
  aarch64) fetch $NEW ;;
  *) say "no TensorRT-RTX for $ARCH" ;;
esac
