#!/bin/sh
# vigia-accel built for ARM64, as on a Jetson, and its TensorRT layer run under qemu: against NVIDIA's own ARM64
# library, and against the double. Installs what that needs on Debian or Ubuntu; arguments go to the tests.
set -eu
cd "$(dirname "$0")/../.."

PACKAGES="gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static"

WHO=cross
mkdir -p .cache
LOG=$PWD/.cache/cross.log
# shellcheck source=tests/vm/lib.sh
. tests/vm/lib.sh
# shellcheck disable=SC2086
install_packages $PACKAGES
tests/cross/sysroot.sh
# shellcheck source=tests/cross/env.sh
. tests/cross/env.sh
if command -v rustup > /dev/null; then rustup -q target add $CROSS_TARGET 2> /dev/null || rustup target add $CROSS_TARGET; fi
ARCH=aarch64 tests/trt/fetch.sh

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64-static -L $CROSS_ROOT"
export VIGIA_TEST_CC=aarch64-linux-gnu-gcc
cargo build --quiet --release --target $CROSS_TARGET -p vigia-accel
cargo test --quiet --no-fail-fast --target $CROSS_TARGET -p vigia-accel --lib --test trt_rtx "$@"
