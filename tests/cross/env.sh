# For scripts to source at the project's root: what cargo needs to build for ARM64 against .cache/arm64/root, which
# tests/cross/sysroot.sh fills.
# shellcheck shell=sh
CROSS_TARGET=aarch64-unknown-linux-gnu
CROSS_ROOT=$PWD/.cache/arm64/root
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C link-arg=--sysroot=$CROSS_ROOT"
export CFLAGS_aarch64_unknown_linux_gnu="--sysroot=$CROSS_ROOT" CXXFLAGS_aarch64_unknown_linux_gnu="--sysroot=$CROSS_ROOT"
# Named with the target, so that what build scripts compile for themselves is this machine's.
export PKG_CONFIG_ALLOW_CROSS=1 PKG_CONFIG_SYSROOT_DIR_aarch64_unknown_linux_gnu="$CROSS_ROOT"
export PKG_CONFIG_LIBDIR_aarch64_unknown_linux_gnu="$CROSS_ROOT/usr/lib/aarch64-linux-gnu/pkgconfig:$CROSS_ROOT/usr/share/pkgconfig"
# For paho's CMake.
export OPENSSL_ROOT_DIR="$CROSS_ROOT/usr"
