#!/bin/sh
# Puts the system files of a box into a root file system: the same ones in the Yocto images and in the virtual appliance.
#   install.sh files ROOT [OPTIONS]   what a package holds: units, scripts, configuration, models, boards
#   install.sh image ROOT [OPTIONS]   what goes over other packages' files: init, masks, locked accounts
# A read-only ROOT needs both, packages and users (vigia.sysusers.conf) between them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
project=${here%/*}

platform=tegra compatible="" version="" floor=0 board="" keyring="" chrony_user="" grubenv="" slots="APP APP_b" slot_type=ext4 shell=no
die() { echo "install.sh: $*" >&2; exit 2; }
usage() {
  sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
  cat >&2 <<'EOF'
  --platform tegra|efi|grub   who chooses the slot: nvbootctrl (tegra), what speaks like it on UEFI variables (efi), GRUB
  --compatible NAME           what an update must be for, e.g. vigia-jetson-orin-nano
  --version V --floor V       of this image; the oldest that it still lets in (0)
  --keyring FILE              certificates that updates must be signed by, PEM
  --board FILE                board of a box that nobody has set up; none: hardware/generic.yaml
  --slots "A B"               partition labels (APP APP_b)   --slot-type ext4|raw
  --grubenv PATH              with --platform grub
  --chrony-user NAME          who chronyd becomes (_chrony on Debian, root where it stays root)
  --shell                     image: logins stay as the packages made them (development images)
EOF
  exit 2
}

[ $# -ge 2 ] || usage
stage=$1 root=${2%/}
shift 2
[ -d "$root" ] || die "there is no folder $root"
while [ $# -gt 0 ]; do
  case "$1" in
    --platform) platform=$2 ;; --compatible) compatible=$2 ;; --version) version=$2 ;; --floor) floor=$2 ;;
    --board) board=$2 ;; --keyring) keyring=$2 ;; --chrony-user) chrony_user=$2 ;; --grubenv) grubenv=$2 ;;
    --slots) slots=$2 ;; --slot-type) slot_type=$2 ;; --shell) shell=yes; shift; continue ;;
    *) usage ;;
  esac
  shift 2 2> /dev/null || usage
done

units=$root/usr/lib/systemd/system
# file FROM TO [MODE]
file() { mkdir -p "${2%/*}" && cp "$1" "$2" && chmod "${3:-0644}" "$2"; }
# wants UNIT TARGET [wants|requires]
wants() { mkdir -p "$units/$2.${3:-wants}" && ln -sf "../$1" "$units/$2.${3:-wants}/$1"; }

rauc() {
  backend="bootloader-custom-backend=/usr/lib/vigia/slots" env=""
  case "$platform" in
    tegra | efi) loader=custom ;;
    grub) loader=grub backend="" env="grubenv=${grubenv:?--grubenv is needed with grub}" ;;
    *) die "there is no platform «$platform»: tegra, efi, grub" ;;
  esac
  # shellcheck disable=SC2086
  set -- $slots
  [ $# -eq 2 ] || die "--slots names two partition labels"
  file "$here/system/etc/rauc/system.conf.in" "$root/etc/rauc/system.conf"
  sed -i -e "s|@COMPATIBLE@|$compatible|; s|@BOOTLOADER@|$loader|; s|@SLOT_A@|$1|; s|@SLOT_B@|$2|; s|@SLOT_TYPE@|$slot_type|" \
    -e "s|@BACKEND@|$backend|; /^@GRUBENV@/{s|@GRUBENV@|$env|;/^\$/d}" "$root/etc/rauc/system.conf"
  [ -z "$keyring" ] || file "$keyring" "$root/etc/rauc/keyring.pem"
}

files() {
  [ -n "$compatible" ] || die "--compatible is needed"
  case "$version" in "" | *[!0-9.]*) die "--version is numbers with dots, not «$version»" ;; esac
  case "$floor" in *[!0-9.]*) die "--floor is numbers with dots, not «$floor»" ;; esac

  (cd "$here/system" && find . -type f ! -name '*.in') | while read -r f; do
    case "$f" in ./usr/lib/vigia/*) mode=0755 ;; *) mode=0644 ;; esac
    file "$here/system/$f" "$root/$f" "$mode"
  done
  u=$here/units
  for f in vigia-pump.service vigia.service vigia-pump-test.service vigia-pump-test.timer; do file "$u/$f" "$units/$f"; done
  [ "$platform" != tegra ] || file "$u/vigia-pump.service.d/jetson.conf" "$units/vigia-pump.service.d/jetson.conf"
  file "$u/watchdog.conf" "$root/usr/lib/systemd/system.conf.d/60-watchdog.conf"
  file "$u/vigia.sysusers.conf" "$root/usr/lib/sysusers.d/vigia.conf"
  file "$u/vigia.tmpfiles.conf" "$root/usr/lib/tmpfiles.d/vigia.conf"
  file "$u/99-vigia-gpio.rules" "$root/usr/lib/udev/rules.d/99-vigia-gpio.rules"
  t=$root/usr/lib/tmpfiles.d/vigia-image.conf
  if [ -n "$chrony_user" ]; then sed -i "s/@CHRONY_USER@/$chrony_user/g" "$t"; else sed -i '/@CHRONY_USER@/d' "$t"; fi
  rauc

  # The weekly test is a site's decision (appliance/units/README.md), and so not among these.
  for f in vigia-broker.service vigia-pump.service vigia.service vigia-verdict.service vigia-kept.service vigia-update.path vigia-support.path; do wants "$f" vigia.target; done
  wants vigia.target multi-user.target
  wants vigia-setup.service sysinit.target
  for f in vigia-data.service var.mount etc-vigia.mount; do wants "$f" local-fs.target requires; done

  share=$root/usr/share/vigia
  for f in "$project"/hardware/*.yaml; do file "$f" "$share/hardware/${f##*/}"; done
  for f in "$project"/engines/*.yaml; do file "$f" "$share/engines/${f##*/}"; done
  for f in "$project"/models/*.onnx "$project"/models/*.yaml; do file "$f" "$share/models/${f##*/}"; done
  file "$project/configs/go2rtc.yaml" "$share/go2rtc.example.yaml"
  file "$project/configs/site.example.yaml" "$share/site.example.yaml"
  file "${board:-$project/hardware/generic.yaml}" "$share/board.default.yaml"
  printf 'VERSION=%s\nFLOOR=%s\nCOMPATIBLE=%s\nPLATFORM=%s\n' "$version" "$floor" "$compatible" "$platform" > "$root/usr/lib/vigia/release"
  mkdir -p "$root/data" "$root/etc/vigia" "$root/var"
}

# Nobody logs in: no account with a password, nobody who asks for one.
no_logins() {
  for f in getty@.service serial-getty@.service autovt@.service console-getty.service container-getty@.service getty.target \
    debug-shell.service ssh.service ssh.socket sshd.service sshd.socket sshd@.service; do ln -sf /dev/null "$root/etc/systemd/system/$f"; done
  sed -i 's/^root:[^:]*:/root:*:/' "$root/etc/shadow"
  open=$(awk -F: '$2 !~ /^[!*]/ { print $1 }' "$root/etc/shadow" | xargs)
  [ -z "$open" ] || die "these accounts have a password, or an empty one: $open"
}

image() {
  etc=$root/etc/systemd/system
  mkdir -p "$etc/multi-user.target.wants"
  [ -s "$root/usr/lib/vigia/release" ] || die "«install.sh files» comes first"
  : > "$root/etc/machine-id"
  chmod 0444 "$root/etc/machine-id"
  ln -sfn ../lib/vigia/preinit "$root/usr/sbin/init"
  echo vigia > "$root/etc/hostname"
  ln -sfn ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
  [ ! -e "$root/etc/chrony.conf" ] || ln -sfn chrony/chrony.conf "$root/etc/chrony.conf"
  ln -sfn /usr/lib/systemd/system/multi-user.target "$etc/default.target"
  # Ours in their place; and nothing waits for a network, since cameras and pump may have none.
  for f in mosquitto.service systemd-timesyncd.service systemd-networkd-wait-online.service nv_update_verifier.service \
    ctrl-alt-del.target systemd-firstboot.service rauc-mark-good.service; do ln -sf /dev/null "$etc/$f"; done
  for f in systemd-networkd systemd-resolved chrony chronyd; do
    [ ! -e "$units/$f.service" ] || [ -L "$units/$f.service" ] ||
      ln -sf "/usr/lib/systemd/system/$f.service" "$etc/multi-user.target.wants/$f.service"
  done
  # Debian leaves it to the administrator; without it nobody has a /tmp on a read-only root.
  [ -e "$units/tmp.mount" ] || [ ! -e "$root/usr/share/systemd/tmp.mount" ] || cp "$root/usr/share/systemd/tmp.mount" "$units/tmp.mount"
  if [ -e "$units/tmp.mount" ]; then
    mkdir -p "$etc/local-fs.target.wants"
    ln -sf /usr/lib/systemd/system/tmp.mount "$etc/local-fs.target.wants/tmp.mount"
  fi
  [ "$shell" = yes ] || no_logins
}

case "$stage" in files) files ;; image) image ;; *) usage ;; esac
