#!/bin/sh
# Builds the floor of `make test-gpio` from packages of this machine's own Debian, into .cache/vm: a kernel,
# gpio-sim for it, an initramfs and a root file system for qemu. Silent about what is there already; safe
# to run again and to interrupt. As root, or with sudo.
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
# In the order in which the guest loads them.
MODULES="virtio_pci virtio_blk virtio_console i6300esb squashfs overlay crc32c_generic ext4 configfs gpio-sim"
DATA_MIB=64
LOG=$PWD/$CACHE/build.log
WHO=vm
# shellcheck source=tests/vm/lib.sh
. tests/vm/lib.sh

# $1: folder, $2: version. vmlinux and modules.
kernel() {
  install_packages "linux-headers-$2" "linux-source-$(echo "$2" | cut -d. -f1,2)"
  say "kernel $2: taking it out of its package"
  mkdir -p "$1/deb"
  (cd "$1/deb" && quietly root apt-get download -qq -o APT::Sandbox::User=root "linux-image-$2" && dpkg -x ./*.deb .)
  unpack_kernel "$1/deb/boot/vmlinuz-$2" "$1/vmlinux"
  kernel_modules "$1" "$2" "$MODULES" ""
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
# Two at once would build everything twice.
exec 9> "$CACHE/lock"
flock 9
# shellcheck disable=SC2086
install_packages $HOST_PACKAGES
# A newer kernel of Debian's is taken when something else is built anew.
key=$(echo "$CODENAME" | hash_of - tests/vm/build.sh tests/vm/lib.sh tests/vm/guest.sh tests/vm/init.sh tests/vm/vigia-lines.service)
[ "$(cat "$CACHE/key" 2> /dev/null)" != "$key" ] || exit 0
[ -n "$(apt-cache search --names-only '^linux-image-amd64$')" ] || quietly root apt-get update -qq
version=$(kernel_version amd64)
base=$CACHE/base-$(echo "$CODENAME $GUEST_PACKAGES" | hash_of -).tar
kernel=$CACHE/kernel-$(echo "$version $MODULES" | hash_of -)

tmp=$PWD/$CACHE/tmp
root rm -rf "$tmp" && mkdir -p "$tmp"
trap 'root rm -rf "$tmp"' EXIT
if [ ! -f "$base" ]; then
  say "root file system of $CODENAME from packages (a minute or two)"
  base "$tmp/base.tar" --variant=minbase --include="$(echo "$GUEST_PACKAGES" | xargs | tr ' ' ',')"
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
