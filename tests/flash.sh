#!/bin/sh
# What `make flash` refuses and what it runs, against a made-up USB and packages of meta-tegra's form; no module is written to. On hardware: docs/flash.md.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
bad() { echo "flash: $*" >&2; failed=1; }

command -v zstd > /dev/null && [ "$(uname -m)" = x86_64 ] || { echo "SKIPPED (tests/flash.sh): zstd on x86-64 is needed" >&2; exit 0; }
mkdir "$work/bin"
# Only their presence is asked for before NVIDIA's own script takes over.
for tool in dtc cpp sgdisk udisksctl bmaptool; do printf '#!/bin/sh\n' > "$work/bin/$tool"; chmod +x "$work/bin/$tool"; done
PATH=$work/bin:$PATH
export PATH VIGIA_SYS_USB="$work/usb" VIGIA_SYS_POWER="$work/power" VIGIA_FLASH_GIB=0 IMAGE="$work/package.tegraflash-tar.zst"
mkdir "$work/usb" "$work/power"

# plug NAME PRODUCT SPEED [VENDOR]
plug() { mkdir -p "$work/usb/$1"; echo "${4:-0955}" > "$work/usb/$1/idVendor"; echo "$2" > "$work/usb/$1/idProduct"; echo "$3" > "$work/usb/$1/speed"; echo "${1#*-}" > "$work/usb/$1/devpath"; }
unplug() { rm -rf "$work/usb"; mkdir "$work/usb"; }
# package MACHINE PARTITIONS OVERLAYS EXIT
package() {
  rm -rf "$work/tar"; mkdir "$work/tar"
  echo "MACHINE=\"$1\"" > "$work/tar/.env.initrd-flash"
  for p in $2; do echo "<partition name=\"$p\" type=\"data\">"; done > "$work/tar/external-flash.xml.in"
  cp "$work/tar/external-flash.xml.in" "$work/tar/flash.xml.in"
  echo "BOOTCONTROL_OVERLAYS=\"$3\"" > "$work/tar/flashvars"
  printf '#!/bin/sh\necho "== Step 1: Preparing binaries at now =="\necho "$@" > %s\nexit %s\n' "$work/ran" "$4" > "$work/tar/initrd-flash"
  chmod +x "$work/tar/initrd-flash"
  tar -c -C "$work/tar" . | zstd -q -f -o "$IMAGE"
  sha256sum "$IMAGE" > "$IMAGE.sha256"
}
AB="L4TConfiguration.dtbo,L4TConfiguration-RootfsRedundancyLevelABEnable.dtbo"
good() { package vigia-orin-nano "APP APP_b data" "$AB" 0; unplug; plug 1-2 7523 480; rm -rf "$work/power" "$work/ran"; mkdir "$work/power"; }

# refused SENTENCE WORDS...
refused() {
  sentence=$1; shift
  code=0; yocto/flash "$@" > "$work/out" 2>&1 < /dev/null || code=$?
  [ "$code" = 2 ] || bad "$sentence: exit code $code"
  grep -q "$sentence" "$work/out" || bad "«$sentence» was not said, but: $(tail -1 "$work/out")"
  [ ! -e "$work/ran" ] || bad "$sentence: it wrote all the same"
}

good
yocto/flash orin-nano --dry-run > "$work/out" 2>&1 || bad "a good package on the right module: $(tail -1 "$work/out")"
[ ! -e "$work/ran" ] || bad "a dry run wrote"
refused "nothing was written" orin-nano
yocto/flash orin-nano --yes --erase > "$work/out" 2>&1 || bad "writing: $(tail -1 "$work/out")"
[ "$(cat "$work/ran")" = "--erase-nvme" ] || bad "initrd-flash was told: $(cat "$work/ran")"
grep -q 'step 1: Preparing binaries' "$work/out" || bad "no progress is shown"

good; refused "BOARD is missing"
refused "there is no board «raspberry»" raspberry
refused "is no option" orin-nano --force
good; unplug; refused "is in recovery mode on USB. Cable" orin-nano
good; unplug; plug 1-2 7020 480; refused "no Jetson Orin Nano 8 GB or developer kit is in recovery mode" orin-nano
good; unplug; plug 1-2 7323 480; refused "on another module would not start" orin-nano
good; unplug; plug 1-2 7423 480; refused "on another module would not start" orin-nano
good; plug 1-3 7523 480; refused "2 modules of this kind" orin-nano
good; plug 1-3 7023 480; refused "other modules are plugged in" orin-nano
good; unplug; plug 1-2 7523 12; refused "another cable or port" orin-nano
good; plug 3-1 7523 480 1234; yocto/flash orin-nano --dry-run > "$work/out" 2>&1 || bad "another vendor's device disturbs"
good; package vigia-agx-orin "APP APP_b data" "$AB" 0; refused "was made for vigia-agx-orin, not for vigia-orin-nano" orin-nano
good; package vigia-orin-nano "APP data" "$AB" 0; refused "not exactly one partition APP_b" orin-nano
good; package vigia-orin-nano "APP APP_b" "$AB" 0; refused "not exactly one partition data" orin-nano
good; package vigia-orin-nano "APP APP_b data" "L4TConfiguration.dtbo" 0; refused "does not switch slot redundancy on" orin-nano
good; echo torn >> "$IMAGE"; refused "is not what its sha256 says" orin-nano
good; rm "$IMAGE.sha256"; refused "only if it can be checked" orin-nano
good; mkdir "$work/power/BAT0"; echo 12 > "$work/power/BAT0/capacity"; echo Discharging > "$work/power/BAT0/status"; refused "runs on a battery at 12 %" orin-nano
good; package vigia-orin-nano "APP APP_b data" "$AB" 1
code=0; yocto/flash orin-nano --yes > "$work/out" 2>&1 || code=$?
[ "$code" = 2 ] && grep -q "not written whole" "$work/out" || bad "a failure of NVIDIA's script: exit code $code, $(tail -1 "$work/out")"
rm -rf .cache/flash/orin-nano

[ "$failed" = 0 ] && echo "flash: what would make a box that does not start or cannot fall back is refused"
exit "$failed"
