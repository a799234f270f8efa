#!/bin/sh
# The first program of the guest: finds the disks, lays memory over the root, brings in the product, and
# hands over to systemd. Disks in the machine's order: root, data, product.
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys

# The watchdog before systemd looks for it, the lines before their agent does.
while read -r module; do modprobe "$module"; done < /modules

mkdir -p /ro /rw /new
mount -t squashfs -o ro /dev/vda /ro
mount -t tmpfs -o mode=755 tmpfs /rw
mkdir -p /rw/upper /rw/work
mount -t overlay -o lowerdir=/ro,upperdir=/rw/upper,workdir=/rw/work overlay /new
mount -t ext4 -o noatime,errors=remount-ro /dev/vdb /new/data
mount -t squashfs -o ro /dev/vdc /new/opt/vigia

mount --move /dev /new/dev
mount --move /proc /new/proc
mount --move /sys /new/sys
mount -t configfs config /new/sys/kernel/config
mount -t debugfs debug /new/sys/kernel/debug
mount -t tracefs trace /new/sys/kernel/tracing

# What the product keeps outlives the power.
mkdir -p /new/data/vigia /new/var/lib/vigia
mount --bind /new/data/vigia /new/var/lib/vigia

# Units, users and whatever else the product has outside of its folder.
if [ -d /new/opt/vigia/root ]; then
  cp -a /new/opt/vigia/root/. /new/
  for conf in /new/opt/vigia/root/usr/lib/sysusers.d/*.conf; do
    [ ! -f "$conf" ] || chroot /new /bin/systemd-sysusers "${conf#/new}"
  done
  for conf in /new/opt/vigia/root/usr/lib/tmpfiles.d/*.conf; do
    [ ! -f "$conf" ] || chroot /new /bin/systemd-tmpfiles --create "${conf#/new}"
  done
fi
exec switch_root /new /sbin/init
