#!/bin/sh
# Makes the guest's root file system out of one of packages: modules, units, settings.
# guest.sh ROOT MODULES
set -eu
root=$1
modules=$2
etc=$root/etc/systemd

# Each of these costs seconds under emulation, and nothing that is tested needs it. Coldplug is among them:
# udev runs and sees what comes, such as the GPIO chips.
MASKED="
  apt-daily-upgrade.timer apt-daily.timer console-getty.service cryptsetup.target dev-hugepages.mount
  dev-mqueue.mount dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer
  getty-static.service getty.target getty@.service integritysetup.target kmod-static-nodes.service
  ldconfig.service modprobe@.service mosquitto.service networking.service proc-sys-fs-binfmt_misc.automount
  proc-sys-fs-binfmt_misc.mount remote-fs.target serial-getty@.service sys-fs-fuse-connections.mount
  systemd-ask-password-console.path systemd-ask-password-wall.path systemd-initctl.socket
  systemd-journald-audit.socket systemd-networkd.socket systemd-tmpfiles-clean.timer timers.target
  veritysetup.target
"
# Of systemd's own: systemd-NAME.service
MASKED_OWN="
  binfmt boot-system-token firstboot hwdb-update journal-catalog-update journal-flush logind
  machine-id-commit modules-load network-generator networkd pstore random-seed remount-fs repart resolved
  sysctl sysusers timesyncd tmpfiles-setup tmpfiles-setup-dev udev-settle udev-trigger update-done
  update-utmp update-utmp-runlevel user-sessions
"

cp -a "$modules" "$root/usr/lib/"
mkdir -p "$root/data" "$root/opt/vigia" "$etc/system.conf.d" "$etc/system-generators" "$etc/system/basic.target.wants"
for unit in $MASKED; do ln -sf /dev/null "$etc/system/$unit"; done
for name in $MASKED_OWN; do ln -sf /dev/null "$etc/system/systemd-$name.service"; done
# A dozen programs at each boot, to find out what is written here.
for g in "$root"/usr/lib/systemd/system-generators/*; do ln -sf /dev/null "$etc/system-generators/${g##*/}"; done

install -m 644 tests/vm/vigia-lines.service "$etc/system/"
ln -sf ../vigia-lines.service "$etc/system/basic.target.wants/"
ln -sf /usr/lib/systemd/system/multi-user.target "$etc/system/default.target"
printf '[Manager]\nDefaultTimeoutStopSec=5s\nRuntimeWatchdogSec=5s\nShowStatus=no\n' > "$etc/system.conf.d/vm.conf"

# The kernel's own words are on the serial port.
mkdir -p "$etc/journald.conf.d"
printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\n' > "$etc/journald.conf.d/vm.conf"
# Its socket starts it for whoever asks.
rm -f "$root/usr/lib/systemd/system/multi-user.target.wants/dbus.service"

echo vm > "$root/etc/hostname"
# The same machine at each boot.
echo 76696769610000000000000000000001 > "$root/etc/machine-id"
rm -rf "$root"/var/cache/apt "$root"/var/lib/apt/lists
