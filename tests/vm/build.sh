#!/bin/sh
# Builds the floor of `make test-gpio` from packages of this machine's own Debian, into .cache/vm: a kernel,
# gpio-sim for it, an initramfs and a root file system for qemu. Silent about what is there already; safe
# to run again and to interrupt. As root, or with sudo.
#
# gpio-sim is the kernel's, under its licence: it is built from Debian's sources here and goes nowhere else.
set -eu
cd "$(dirname "$0")/../.."

CACHE=.cache/vm
HOST_PACKAGES="
  qemu-system-x86 mmdebstrap squashfs-tools busybox-static e2fsprogs kmod cpio xz-utils binutils gcc make
"
GUEST_PACKAGES="
  systemd-sysv udev dbus kmod mosquitto mosquitto-clients gpiod stress-ng libssl3
  libgstreamer1.0-0 libgstreamer-plugins-base1.0-0 gstreamer1.0-plugins-base
"
LEFT_OUT="doc man locale info lintian"
# In the order in which the guest loads them.
MODULES="virtio_pci virtio_blk virtio_console i6300esb squashfs overlay crc32c_generic ext4 configfs gpio-sim"
DATA_MIB=64
say() { printf 'vm: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
# The name of what follows from these texts.
hash_of() { cat "$@" | sha256sum | cut -c1-16; }
# Runs a loud program; its words are shown if it fails.
quietly() { "$@" > "$LOG" 2>&1 || { tail -20 "$LOG" >&2; die "failed: $*"; }; }

# install PACKAGE...: those that are missing
install_packages() {
  have=$(dpkg-query -W -f '${Package}=${Status}\n' "$@" 2> /dev/null || true)
  missing=""
  for p in "$@"; do
    case "$have" in *"$p=install ok installed"*) ;; *) missing="$missing $p" ;; esac
  done
  [ -n "$missing" ] || return 0
  say "installing$missing"
  quietly root apt-get update -qq
  # shellcheck disable=SC2086
  quietly root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
}

# The version of Debian's kernel for this release, e.g. 6.1.0-56-amd64.
kernel_version() {
  [ -n "$(apt-cache search --names-only '^linux-image-amd64$')" ] || quietly root apt-get update -qq
  version=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: linux-image-\([0-9].*\)/\1/p' | head -1)
  [ -n "$version" ] || die "apt knows no linux-image-amd64: its lists lack Debian's main"
  echo "$version"
}

# $1: tar. The root file system without our own files.
base() {
  say "root file system of $CODENAME from packages (a minute or two)"
  tar=$1
  # What loses power here is built again.
  set -- --dpkgopt=force-unsafe-io --include="$(echo "$GUEST_PACKAGES" | xargs | tr ' ' ',')"
  for folder in $LEFT_OUT; do set -- "$@" --dpkgopt="path-exclude=/usr/share/$folder/*"; done
  set -- "$@" --dpkgopt='path-exclude=/usr/lib/*/gconv/*'
  quietly root mmdebstrap --quiet --mode=root --variant=minbase "$@" "$CODENAME" "$tar"
}

# $1: folder, $2: version. vmlinux, and all of the modules that the guest needs, with gpio-sim.
kernel() {
  series=$(echo "$2" | cut -d. -f1,2)
  install_packages "linux-headers-$2" "linux-source-$series"
  say "kernel $2: taking it out of its package"
  mkdir -p "$1/deb" "$1/gpio-sim" "$1/root/lib/modules/$2/extra"
  (cd "$1/deb" && quietly root apt-get download -qq -o APT::Sandbox::User=root "linux-image-$2" && dpkg -x ./*.deb .)
  unpack_kernel "$1/deb/boot/vmlinuz-$2" "$1/vmlinux"
  gpio_sim "$1/gpio-sim" "$2" "$series"
  depmod -b "$1/deb" "$2"
  for m in $(echo "$MODULES" | sed 's/gpio-sim//'); do modprobe -S "$2" -d "$1/deb" --show-depends "$m"; done |
    sed -n 's/^insmod .*\/lib\/modules\/\([^ ]*\).*/\1/p' | sort -u | (cd "$1/deb/lib/modules" && cpio -pdm --quiet "$1/root/lib/modules")
  cp "$1/deb/lib/modules/$2"/modules.builtin* "$1/deb/lib/modules/$2/modules.order" "$1/root/lib/modules/$2/"
  strip --strip-debug -o "$1/root/lib/modules/$2/extra/gpio-sim.ko" "$1/gpio-sim/gpio-sim.ko"
  depmod -b "$1/root" "$2"
  for m in $MODULES; do modprobe -S "$2" -d "$1/root" --show-depends "$m" > /dev/null; done
  rm -rf "$1/deb" "$1/gpio-sim"
}

# $1: vmlinuz, $2: vmlinux. What is unpacked here is not unpacked under emulation at each boot: 3 s.
unpack_kernel() {
  number() { od -An "-tu$2" "-j$1" "-N$2" "$vmlinuz" | tr -d ' '; }
  vmlinuz=$1
  # Linux' boot protocol: setup sectors, then payload_offset and payload_length.
  from=$((($(number 497 1) + 1) * 512 + $(number 584 4)))
  tail -c +$((from + 1)) "$vmlinuz" | head -c "$(number 588 4)" > "$2.packed"
  # Four bytes with the length stand behind what is packed; they are no error.
  for unpack in 'xz -dc --single-stream' 'zstd -dcq' 'gzip -dc' 'lz4 -dc'; do
    $unpack < "$2.packed" > "$2" 2> /dev/null || true
    [ "$(head -c 4 "$2" | od -An -tx1 | tr -d ' ')" != 7f454c46 ] || { rm "$2.packed"; return 0; }
  done
  die "$vmlinuz is packed in a way this script does not know"
}

# $1: folder, $2: version, $3: series. No kernel of Debian's has this module.
gpio_sim() {
  say "gpio-sim from linux-source-$3"
  from=linux-source-$3
  tar xJf "/usr/src/$from.tar.xz" -C "$1" --occurrence=1 \
    "$from/drivers/gpio/gpio-sim.c" "$from/drivers/gpio/gpiolib.h" "$from/kernel/irq/irq_sim.c"
  mv "$1/$from/drivers/gpio/gpio-sim.c" "$1/chip.c"
  mv "$1/$from/drivers/gpio/gpiolib.h" "$1/$from/kernel/irq/irq_sim.c" "$1"
  # The one function that the kernel keeps from modules, and the one it offers for the same.
  sed -i 's/handle_simple_irq(irq_to_desc(irqnum))/generic_handle_irq(irqnum)/' "$1/irq_sim.c"
  printf 'obj-m := gpio-sim.o\ngpio-sim-y := chip.o irq_sim.o\n' > "$1/Kbuild"
  quietly make -s -C "/usr/src/linux-headers-$2" M="$1" modules
}

# $1: folder, $2: base tar, $3: kernel folder
assemble() {
  say "root file system and initramfs"
  mkdir -p "$1/root" "$1/init/bin" "$1/init/dev" "$1/init/proc" "$1/init/sys"
  cp /bin/busybox "$1/init/bin/" && chmod 755 "$1/init/bin/busybox"
  for name in sh mount mkdir modprobe cp chroot switch_root; do ln -s busybox "$1/init/bin/$name"; done
  cp tests/vm/init.sh "$1/init/init" && chmod 755 "$1/init/init"
  cp -a "$3/root/lib" "$1/init/"
  echo "$MODULES" | tr ' ' '\n' > "$1/init/modules"
  (cd "$1/init" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) > "$1/initrd"
  root tar xf "$2" -C "$1/root"
  root tests/vm/guest.sh "$1/root" "$3/root/lib/modules"
  quietly root mksquashfs "$1/root" "$1/root.squashfs" -noappend -comp lz4 -no-xattrs -all-time 0
  quietly mke2fs -q -F -t ext4 -L data -E lazy_itable_init=0,lazy_journal_init=0 "$1/data.ext4" "${DATA_MIB}M"
  root rm -rf "$1/root" "$1/init"
}

# shellcheck disable=SC1091
. /etc/os-release
CODENAME=${VERSION_CODENAME:-}
case "$ID $(uname -m)" in
  "debian x86_64") ;;
  *) die "the machine is built from Debian's packages, on x86_64; this is $ID, $(uname -m)" ;;
esac
mkdir -p "$CACHE"
LOG=$PWD/$CACHE/build.log
# Two at once would build everything twice.
exec 9> "$CACHE/lock"
flock 9
# shellcheck disable=SC2086
install_packages $HOST_PACKAGES
# A newer kernel of Debian's is taken when something else is built anew.
key=$(echo "$CODENAME" | hash_of - tests/vm/build.sh tests/vm/guest.sh tests/vm/init.sh tests/vm/vigia-lines.service)
[ "$(cat "$CACHE/key" 2> /dev/null)" != "$key" ] || exit 0
version=$(kernel_version)
base=$CACHE/base-$(echo "$CODENAME $GUEST_PACKAGES $LEFT_OUT" | hash_of -).tar
kernel=$CACHE/kernel-$(echo "$version $MODULES" | hash_of -)

tmp=$PWD/$CACHE/tmp
root rm -rf "$tmp" && mkdir -p "$tmp"
trap 'root rm -rf "$tmp"' EXIT
if [ ! -f "$base" ]; then
  base "$tmp/base.tar"
  mv "$tmp/base.tar" "$base"
fi
if [ ! -d "$kernel" ]; then
  kernel "$tmp/kernel" "$version"
  mv "$tmp/kernel" "$kernel"
fi
assemble "$tmp" "$base" "$PWD/$kernel"
rm -f "$CACHE/key"
mv "$tmp/initrd" "$tmp/root.squashfs" "$tmp/data.ext4" "$CACHE/"
ln -f "$kernel/vmlinux" "$CACHE/vmlinux"
echo "$key" > "$CACHE/key"
for old in "$CACHE"/base-*.tar "$CACHE"/kernel-*; do
  [ "$old" = "$base" ] || [ "$old" = "$kernel" ] || root rm -rf "$old"
done
say "ready: $CACHE"
