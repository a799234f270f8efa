#!/bin/sh
# The system files of a box (appliance/), as far as a machine that builds can judge them: put into an empty root, verified by systemd, scripts
# run against doubles of what they drive. Needs systemd, openssl, mosquitto; what is missing is skipped aloud. In a machine that starts:
# make test-appliance.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
pids=""
# shellcheck disable=SC2086
trap '[ -z "$pids" ] || kill $pids 2> /dev/null || true; rm -rf "$work"' EXIT
failed=0
EXPOSURE_MAX=30

bad() { echo "system: $*" >&2; failed=1; }
skip() { echo "SKIPPED (tests/system.sh): $*" >&2; }
# expect WHAT COMMAND...
expect() { what=$1; shift; "$@" > "$work/out" 2>&1 || { bad "$what"; tail -3 "$work/out" >&2; }; }
refuse() { what=$1; shift; if "$@" > "$work/out" 2>&1; then bad "$what"; fi; }
said() { grep -q "$1" "$work/out" || { bad "«$1» was not said, but: $(tail -2 "$work/out")"; }; }

install_root() {
  root=$work/root-$1
  mkdir -p "$root/etc" "$root/usr/sbin"
  printf 'root:x:0:0:99999:7:::\nvigia:!:1::::::\n' > "$root/etc/shadow"
  shift
  appliance/install.sh files "$root" --compatible vigia-test --version 1.2.0 --floor 1.0.0 "$@" && appliance/install.sh image "$root"
}

# --- installing
for platform in tegra efi; do expect "$platform installs" install_root "$platform" --platform "$platform" --chrony-user _chrony; done
expect "grub installs" install_root grub --platform grub --grubenv /boot/grubenv --slots "rootfs-a rootfs-b" --slot-type raw
refuse "grub without its environment is refused" install_root none --platform grub
refuse "a version with letters is refused" appliance/install.sh files "$work/root-efi" --compatible x --version 1.0-rc1
for platform in tegra efi grub; do
  if grep -rn '@[A-Z_]*@' "$work/root-$platform" --include=*.conf --include=*.service --include=release; then bad "$platform: a placeholder is left"; fi
done
printf 'root::0:0:99999:7:::\nadmin:$6$x:1::::::\n' > "$work/root-grub/etc/shadow"
refuse "an account with a password is refused" appliance/install.sh image "$work/root-grub"
said "admin"
root=$work/root-efi
expect "root has no password" grep -q '^root:\*:' "$root/etc/shadow"
expect "no console asks for a login" test "$(readlink "$root/etc/systemd/system/getty@.service")" = /dev/null
expect "the broker's own lines of vigia are those of configs/mosquitto.acl" sh -c '
  lines() { sed -n "/^user vigia$/,/^$/p" "$1" | sed "/^$/d"; }; [ "$(lines configs/mosquitto.acl)" = "$(lines '"$root"'/usr/share/vigia/broker/local.acl)" ]'
for role in viewer technician camera; do
  refuse "$role writes what only a box says" grep -E '^topic (write|readwrite) (nvr/(detections|status)|system/(alarm|trigger)|gpio)' "$root/usr/share/vigia/broker/roles/$role.acl"
done

# What a box starts with is a good site file for the program that reads it.
if [ -x target/debug/vigia ]; then
  (umask 077; echo secret > "$work/password")
  sed -e "s|@NAME@|vigia-1a2b3c|; s|/etc/vigia/mqtt-password|$work/password|" "$root/usr/share/vigia/site.default.yaml" > "$work/site.yaml"
  expect "the default site is good" target/debug/vigia check-config --board "$root/usr/share/vigia/board.default.yaml" "$work/site.yaml"
else
  skip "target/debug/vigia is not built: the default site was not read by it"
fi

# --- units
if command -v systemd-analyze > /dev/null; then
  for f in usr/bin/vigia usr/bin/vigia-pump usr/bin/grep usr/sbin/mosquitto bin/kill bin/sh bin/mount; do
    mkdir -p "$root/$(dirname $f)"; printf '#!/bin/sh\n' > "$root/$f"; chmod +x "$root/$f"
  done
  for f in /usr/lib/systemd/system/*.target /usr/lib/systemd/system/*.slice /usr/lib/systemd/system/systemd-*.service \
    /usr/lib/systemd/system/*.socket /usr/lib/systemd/system/sys-*.mount /usr/lib/systemd/system/emergency.service /usr/lib/systemd/system/rescue.service; do
    [ ! -e "$f" ] || [ -e "$root/usr/lib/systemd/system/${f##*/}" ] || cp -a "$f" "$root/usr/lib/systemd/system/"
  done
  units=$(cd appliance && find units system/usr/lib/systemd/system -type f \( -name "*.service" -o -name "*.timer" -o -name "*.mount" -o -name "*.target" \) | sed 's/.*\///; s/usb@/usb@sda1/' | sort -u)
  for unit in $units emergency.service rescue.service; do
    expect "$unit is verified" systemd-analyze verify --root="$root" --man=no --recursive-errors=no "/usr/lib/systemd/system/$unit"
    if [ -s "$work/out" ]; then bad "$unit: $(cat "$work/out")"; fi
  done
  # It must be able to fail.
  sed 's/^ProtectSystem=/ProtectSytem=/' "$root/usr/lib/systemd/system/vigia.service" > "$root/usr/lib/systemd/system/misspelt.service"
  systemd-analyze verify --root="$root" --man=no --recursive-errors=no /usr/lib/systemd/system/misspelt.service > "$work/out" 2>&1 || true
  said "ProtectSytem"
  for unit in vigia vigia-pump vigia-broker vigia-pump-test vigia-support; do
    expect "$unit is exposed by $EXPOSURE_MAX tenths at most" systemd-analyze security --root="$root" --offline=true --threshold=$EXPOSURE_MAX "$unit.service"
  done
else
  skip "systemd-analyze is not here: units are not verified"
fi

# --- scripts, with their paths below $work
box=$work/box
mkdir -p "$box/lib" "$box/etc" "$box/run" "$box/data/update" "$box/bin" "$box/efi"
for f in appliance/system/usr/lib/vigia/*; do
  sed -e "s|/etc/vigia|$box/etc|g; s|/usr/lib/vigia|$box/lib|g; s|/usr/share/vigia|$root/usr/share/vigia|g; s|/run/vigia|$box/run/vigia|g; s|/data/|$box/data/|g; s|=/data/|=$box/data/|g; s|/usr/bin/vigia|$box/bin/vigia|g" \
    -e "s|/run/broker|$box/run/broker|g; s|/run/systemd|$box/run/systemd|g; s|/var/lib/vigia|$box/var|g; s|/etc/machine-id|$box/machine-id|g" \
    -e "s|/proc/uptime|$box/uptime|; s|sleep |$box/bin/sleep |" "$f" > "$box/lib/${f##*/}"
  chmod +x "$box/lib/${f##*/}"
done
printf 'VERSION=1.2.0\nFLOOR=1.1.0\nCOMPATIBLE=vigia-test\nPLATFORM=efi\n' > "$box/lib/release"
PATH=$box/bin:$PATH
double() { cat > "$box/bin/$1"; chmod +x "$box/bin/$1"; }

# Time goes on when somebody sleeps.
echo "100.00 0" > "$box/uptime"
double sleep << 'EOF'
#!/bin/sh
up=$(dirname "$0")/../uptime
echo "$(($(cut -d. -f1 "$up") + $1)).00 0" > "$up"
EOF

# setup: everything that is missing, and nothing twice. Owners need root and users, so they are only noted.
double chown << 'EOF'
#!/bin/sh
echo "$@" >> "$(dirname "$0")/../owners"
EOF
double hostname << 'EOF'
#!/bin/sh
echo "$1" > "$(dirname "$0")/../hostname"
EOF
double install << 'EOF'
#!/bin/sh
words=""
while [ $# -gt 0 ]; do case "$1" in -o | -g) shift ;; *) words="$words $1" ;; esac; shift; done
exec /usr/bin/install $words
EOF
echo 1a2b3c4d5e6f708192a3b4c5d6e7f809 > "$box/machine-id"
mkdir -p "$box/var" "$box/etc/network"
if command -v mosquitto_passwd > /dev/null; then
  expect "a first start" "$box/lib/setup"
  [ "$(cat "$box/hostname")" = vigia-1a2b3c ] || bad "the box is called $(cat "$box/hostname")"
  grep -q 'instance_id: vigia-1a2b3c' "$box/etc/site.yaml" || bad "the default site has not the box's name"
  grep -q "vigia:vigia $box/etc/mqtt-password" "$box/owners" || bad "vigia cannot read its password"
  [ "$(stat -c %a "$box/etc/mqtt-password")" = 600 ] || bad "vigia refuses a password of mode $(stat -c %a "$box/etc/mqtt-password")"
  [ ! -e "$box/run/broker.passwd" ] || bad "a password is left behind"
  if grep -q "$(cat "$box/etc/mqtt-password")" "$box/etc/broker.passwd"; then bad "the broker's file holds the password itself"; fi
  [ -e "$box/var/models/lookout-n.onnx" ] || bad "the image's models are not among the box's"
  openssl x509 -in "$box/etc/pki/broker.crt" -noout -checkhost vigia-1a2b3c.local | grep -q 'does match' || bad "the broker's certificate has another name"
  # The site's own stays.
  echo "instance_id: mine" > "$box/etc/site.yaml"; echo tower > "$box/etc/name"; echo "server 10.0.0.1" > "$box/etc/time.sources"
  echo "[Match]" > "$box/etc/network/cable.network"; ln -s /nowhere "$box/var/models/gone.onnx"
  was=$(cat "$box/etc/mqtt-password" "$box/etc/pki/ca.crt")
  expect "a second start" "$box/lib/setup"
  [ "$(cat "$box/etc/site.yaml")" = "instance_id: mine" ] || bad "a second start replaced the site file"
  [ "$was" = "$(cat "$box/etc/mqtt-password" "$box/etc/pki/ca.crt")" ] || bad "a second start made other secrets"
  [ "$(cat "$box/hostname")" = tower ] || bad "the name that the site gave does not hold"
  [ -e "$box/run/vigia-chrony/site.sources" ] && [ -e "$box/run/systemd/network/10-cable.network" ] || bad "the site's time and network are not used"
  [ ! -L "$box/var/models/gone.onnx" ] || bad "a model that the image no longer has is still listed"
  # Cut after each of the files that it makes: the next start completes them.
  for f in mqtt-password broker.passwd pki/ca.crt pki/broker.crt pki/broker.key site.yaml; do
    rm -f "$box/etc/$f"
    expect "a start after $f was lost" "$box/lib/setup"
    [ -s "$box/etc/$f" ] || bad "$f was not made again"
    expect "its broker is the CA's" openssl verify -CAfile "$box/etc/pki/ca.crt" "$box/etc/pki/broker.crt"
  done
  rm -rf "${box:?}/etc"; mkdir "$box/etc"
else
  skip "mosquitto is not here: first starts were not tried"
fi

# pki
pki=$box/lib/pki
expect "a box makes its CA and its broker's certificate" "$pki" box lookout
expect "the broker's certificate is the CA's" openssl verify -CAfile "$box/etc/pki/ca.crt" -purpose sslserver "$box/etc/pki/broker.crt"
before=$(cat "$box/etc/pki/broker.crt")
expect "a second start changes nothing" "$pki" box lookout
[ "$before" = "$(cat "$box/etc/pki/broker.crt")" ] || bad "a second start made another certificate"
expect "another name gives another certificate" "$pki" box tower
expect "with that name" openssl x509 -in "$box/etc/pki/broker.crt" -noout -checkhost tower.local
said "does match"
rm -f "$box/etc/pki/broker.crt"
expect "a cut between key and certificate is mended" "$pki" box tower
mkdir "$box/stick"
expect "a technician gets a certificate" "$pki" issue anna technician "$box/stick"
expect "and a viewer" "$pki" issue wall-2 viewer "$box/stick"
expect "that is the CA's, for a client" openssl verify -CAfile "$box/etc/pki/ca.crt" -purpose sslclient "$box/stick/anna.crt"
refuse "a role that is not" "$pki" issue bert god "$box/stick"
said "technician"
for name in vigia "a b" "" "x
topic"; do refuse "«$name» gets no certificate" "$pki" issue "$name" viewer "$box/stick"; done
refuse "a certificate is not issued into nowhere" "$pki" issue carl viewer "$box/nowhere"
expect "a revoked one" "$pki" revoke wall-2
refuse "is not revoked twice" "$pki" revoke wall-2
"$pki" people > "$box/people.acl"
[ "$(grep '^user' "$box/people.acl")" = "user anna" ] || bad "who may: $(cat "$box/people.acl")"
grep -q 'topic write nvr/control/commands' "$box/people.acl" || bad "a technician may not command"
find "$box/etc/pki" -name '*.key' -perm /077 | grep -q . && bad "a key can be read by others"
mv "$box/etc/pki/ca.key" "$box/ca.key"
refuse "a site's CA issues by itself" "$pki" issue dora viewer "$box/stick"
mv "$box/ca.key" "$box/etc/pki/ca.key"

# the broker, for real
if command -v mosquitto > /dev/null && command -v mosquitto_pub > /dev/null; then
  "$pki" issue wall viewer "$box/stick"
  "$pki" issue zoe technician "$box/stick"
  sed -i '/^zoe /d' "$box/etc/people"
  "$pki" people > "$box/people.acl"
  # Whoever is not root must read what the test made.
  chmod -R a+rX "$work"; chmod a+r "$box"/etc/pki/* "$box"/stick/*
  echo "vigia:secret" > "$box/passwd" && mosquitto_passwd -U "$box/passwd" && chmod a+r "$box/passwd"
  # Ports of this process, so that two runs do not meet.
  inside=$((20000 + $$ % 20000)) outside=$((40000 + $$ % 20000))
  sed -e "s|/run/credentials/vigia-broker.service/ca|$box/etc/pki/ca.crt|; s|/run/credentials/vigia-broker.service/crt|$box/etc/pki/broker.crt|" \
    -e "s|/run/credentials/vigia-broker.service/key|$box/etc/pki/broker.key|; s|/run/credentials/vigia-broker.service/passwd|$box/passwd|" \
    -e "s|/usr/share/vigia|$root/usr/share/vigia|; s|/run/vigia-broker/people.acl|$box/people.acl|; s/listener 1883/listener $inside/; s/listener 8883/listener $outside/" \
    appliance/system/usr/share/vigia/broker/mosquitto.conf > "$box/mosquitto.conf"
  mosquitto -c "$box/mosquitto.conf" > "$box/broker.log" 2>&1 &
  pids=$!
  tries=0
  until mosquitto_pub -p "$inside" -u vigia -P secret -t nvr/probe -m x 2> /dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { bad "the broker does not start: $(tail -3 "$box/broker.log")"; break; }
    /bin/sleep 0.1
  done
  tls() { who=$1; shift; "$@" -h localhost -p "$outside" --cafile "$box/stick/ca.crt" --cert "$box/stick/$who.crt" --key "$box/stick/$who.key" -V 5; }
  refuse "nobody without a name on loopback" mosquitto_pub -p "$inside" -t nvr/probe -m x
  refuse "nobody with a wrong password" mosquitto_pub -p "$inside" -u vigia -P guess -t nvr/probe -m x
  refuse "nobody without a certificate outside" mosquitto_pub -h localhost -p "$outside" --cafile "$box/stick/ca.crt" -t nvr/probe -m x
  refuse "no password opens the outer door" mosquitto_pub -h localhost -p "$outside" --cafile "$box/stick/ca.crt" -u vigia -P secret -t nvr/probe -m x
  # What vigia hears of what they send; the last one ends it.
  mosquitto_sub -p "$inside" -u vigia -P secret -t nvr/control/commands -t system/alarm/x -t fire/trigger -C 2 -W 60 > "$box/heard" 2>&1 &
  listener=$!
  pids="$pids $listener"
  /bin/sleep 1
  tls wall mosquitto_pub -q 1 -t nvr/control/commands -m from-viewer > /dev/null 2>&1 || true
  tls zoe mosquitto_pub -q 1 -t nvr/control/commands -m from-revoked > /dev/null 2>&1 || true
  tls anna mosquitto_pub -q 1 -t system/alarm/x -m forged > /dev/null 2>&1 || true
  tls anna mosquitto_pub -q 1 -t nvr/control/commands -m from-technician > /dev/null 2>&1 || true
  tls anna mosquitto_pub -q 1 -t fire/trigger -m end > /dev/null 2>&1 || true
  # Journals that an admin asked for are not for who only looks.
  tls wall mosquitto_sub -q 1 -t 'nvr/control/status/+/support' -t nvr/probe/end -C 1 -W 60 > "$box/wall" 2>&1 &
  wall=$!
  pids="$pids $wall"
  /bin/sleep 1
  mosquitto_pub -p "$inside" -u vigia -P secret -q 1 -t nvr/control/status/hut/support -m journal
  mosquitto_pub -p "$inside" -u vigia -P secret -q 1 -t nvr/probe/end -m end
  wait "$wall" || true
  [ "$(cat "$box/wall")" = end ] || bad "a viewer reads support bundles: $(cat "$box/wall")"
  wait "$listener" || true
  [ "$(cat "$box/heard")" = "$(printf 'from-technician\nend')" ] || bad "the broker let through: $(cat "$box/heard")"
else
  skip "mosquitto is not here: the broker's doors were not tried"
fi

# slots, against a double of nvbootctrl
echo 0 > "$box/current"; echo 0 > "$box/active"
double nvbootctrl << 'EOF'
#!/bin/sh
d=$(dirname "$0")/..
case "$1" in
  get-current-slot) cat "$d/current" ;;
  set-active-boot-slot) echo "$2" > "$d/active" ;;
  dump-slots-info) printf 'Current version: 39.2.0\nCurrent bootloader slot: A\nActive bootloader slot: %s\nnum_slots: 2\n' "$(tr 01 AB < "$d/active")" ;;
  verify) echo verified >> "$d/verified" ;;
esac
EOF
slots=$box/lib/slots
VIGIA_EFIVARS=$box/efi
export VIGIA_EFIVARS
answers() { [ "$("$slots" "$@")" = "$want" ] || bad "slots $*: $("$slots" "$@" 2>&1), not $want"; }
want=A; answers get-current; answers get-primary
want=good; answers get-state B
expect "slot B is chosen" "$slots" set-primary B
want=B; answers get-primary
expect "and refused" "$slots" set-state B bad
want=bad; answers get-state B
want=good; answers get-state A
[ "$(od -An -tx1 "$box/efi/RootfsStatusSlotB-781e084c-a330-417c-b678-38e696380cb9" | tr -d ' \n')" = 07000000ff000000 ] || bad "UEFI's variable is not as firmware wants it"
expect "choosing it gives it another chance" "$slots" set-primary B
want=good; answers get-state B
[ ! -e "$box/verified" ] || bad "a slot that does not run was verified"
expect "the running one is verified" "$slots" set-state A good
[ "$(cat "$box/verified")" = verified ] || bad "the running slot was not verified"
# kept: starts that are too short for a verdict
double systemctl << 'EOF'
#!/bin/sh
d=$(dirname "$0")/..
case "$1" in
  is-active) [ ! -e "$d/dead" ] || [ "$(cut -d. -f1 "$d/uptime")" -ge "$(cat "$d/dead")" ] ;;
  reboot) echo reboot >> "$d/rauc" ;;
esac
EOF
rm "$box/verified"
for mark in data/update/trial.A run/vigia-data-lost; do
  : > "$box/$mark"
  expect "with $mark" "$box/lib/kept"
  [ ! -e "$box/verified" ] || bad "with $mark a start does not count"
  rm "$box/$mark"
done
echo no > "$box/data/update/kept.A"
expect "after a start without programs" "$box/lib/kept"
[ ! -e "$box/verified" ] || bad "a start after one without programs does not count"
rm "$box/data/update/kept.A"
expect "a box as new" "$box/lib/kept"
[ "$(cat "$box/verified")" = verified ] || bad "short starts use up a good slot"
for n in $(seq 2 20); do "$box/lib/kept" || bad "start $n of a slot that has stayed"; done
[ ! -e "$box/rauc" ] || bad "a slot is left after twenty starts"
expect "start 21" "$box/lib/kept"
[ "$(cat "$box/active" "$box/rauc")" = "$(printf '1\nreboot')" ] || bad "a slot that falls before each verdict is not left"
[ "$(grep -c verified "$box/verified")" = 21 ] || bad "a slot that is left keeps no full count"
"$slots" set-primary A && "$slots" set-state B bad
for n in $(seq 1 25); do "$box/lib/kept" || bad "start $n beside a bad slot"; done
[ "$(cat "$box/active" "$box/rauc")" = "$(printf '0\nreboot')" ] || bad "a slot is left for a bad one"
"$slots" set-primary B
rm "$box/data/update/kept.A"
for words in "get-state C" "set-state A fine" "set-primary" "whatever"; do
  # shellcheck disable=SC2086
  refuse "slots $words" "$slots" $words
done

# update-gate
gate() { mkdir -p "$box/bundle"; printf '[update]\ncompatible=vigia-test\nversion=%s\n' "$1" > "$box/bundle/manifest.raucm"
  RAUC_BUNDLE_MOUNT_POINT=$box/bundle RAUC_TARGET_SLOTS="7" RAUC_SLOT_BOOTNAME_7=B "$box/lib/update-gate"; }
rm -f "$box"/data/update/*
refuse "older than the image's floor" gate 1.0.9
[ ! -e "$box/data/update/trial.B" ] || bad "a refused update is on trial"
[ ! -e "$box/data/update/before.json" ] || bad "a refused update keeps how the box worked"
mkdir -p "$box/run/vigia-box" && echo '{"at":1}' > "$box/run/vigia-box/work.json"
expect "the floor itself" gate 1.1.0
[ "$(cat "$box/data/update/before.json")" = '{"at":1}' ] || bad "how the box worked before is not kept"
rm "$box/run/vigia-box/work.json"
expect "again, with a vigia that never spoke" gate 1.1.0
[ ! -e "$box/data/update/before.json" ] || bad "an earlier update's past is taken for this one's"
[ "$(cat "$box/data/update/trial.B")" = 1.1.0 ] || bad "an update is not on trial"
expect "10 is more than 9" gate 1.10.0
echo 1.3.0 > "$box/data/update/floor"
refuse "older than the floor of what ran here" gate 1.2.9
for v in "" "1.0; rm" "latest"; do refuse "version «$v»" gate "$v"; done

# verdict
double rauc << 'EOF'
#!/bin/sh
d=$(dirname "$0")/..
case "$*" in
  "status --output-format=shell") printf "RAUC_SYSTEM_COMPATIBLE='vigia-test'\nRAUC_SYSTEM_BOOTED_BOOTNAME='B'\nRAUC_BOOT_PRIMARY='rootfs.1'\n" ;;
  *) echo "$*" >> "$d/rauc" ;;
esac
EOF
double setpriv << 'EOF'
#!/bin/sh
while case "$1" in -*) true ;; *) false ;; esac; do shift; done
exec "$@"
EOF
double vigia << 'EOF'
#!/bin/sh
d=$(dirname "$0")/..
now=$(cut -d. -f1 "$d/uptime")
case "$1 $2" in
  "self-test --json")
    case "$*" in *--live*)
      if [ "$now" -lt "$(cat "$d/built" 2> /dev/null || echo 0)" ]; then
        printf '{\n  "building": true\n}\n'
        printf 'FAILED   cameras                  camera 3 has given no picture: 404\nok       broker                   fine\nFAILED   engine                   rten stands in\nvigia: the self-test failed\n' >&2
        exit 1
      fi ;;
    esac
    if [ "$now" -ge "$(cat "$d/well" 2> /dev/null || echo 0)" ]; then echo '{}'; else echo "camera 3: unreachable" >&2; exit 1; fi ;;
  "update idle") [ "$now" -ge "$(cat "$d/busy" 2> /dev/null || echo 0)" ] ;;
esac
EOF
# verdict TRIAL WELL DEAD BUSY [BUILT]: what was told to RAUC and systemd
verdict() {
  rm -rf "$box/rauc" "$box/data/update" "$box/dead" "$box/busy"; mkdir -p "$box/data/update"; : > "$box/rauc"
  [ "$3" = 0 ] || : > "$box/data/update/kept.B"
  echo "100.00 0" > "$box/uptime"; echo "$2" > "$box/well"; echo "$4" > "$box/busy"; echo "${5:-0}" > "$box/built"
  [ "$3" = 0 ] || echo "$3" > "$box/dead"
  [ "$1" = no ] || echo 1.2.0 > "$box/data/update/trial.B"
  "$box/lib/verdict" > "$work/out" 2>&1 || true
  tr '\n' ';' < "$box/rauc"
}
judge() { want=$2; what=$1; shift 2; got=$(verdict "$@"); [ "$got" = "$want" ] || bad "verdict, $what: $got, not $want; $(tail -1 "$work/out")"; }
GOOD="status mark-good;" BACK="status mark-active other;status mark-bad booted;reboot;"
judge "an old version that runs stays" "$GOOD" no 0 0 0
judge "also with a camera off" "$GOOD" no 99999 0 0
judge "also if its programs take a minute" "$GOOD" no 0 160 0
[ "$(cat "$box/data/update/kept.B")" = 0 ] || bad "what stays is not kept over short starts"
judge "one whose programs never run is not marked" "" no 0 99999 0
[ "$(cat "$box/data/update/kept.B")" = no ] || bad "starts without programs do not count"
judge "a trial whose self-test passes stays" "$GOOD" yes 0 0 0
[ ! -e "$box/data/update/trial.B" ] || bad "what has passed is still on trial"
[ "$(cat "$box/data/update/floor")" = 1.1.0 ] || bad "the floor did not rise"
grep -q ' B 1.2.0 passed' "$box/data/update/history" || bad "history does not say that it passed"
judge "also if engines are built for ten minutes" "$GOOD" yes 700 0 0
judge "a trial that fails goes back" "$BACK" yes 99999 0 0
grep -q 'B 1.2.0 failed: the self-test failed: camera 3: unreachable' "$box/data/update/history" || bad "history does not say why: $(cat "$box/data/update/history")"
[ -e "$box/data/update/trial.B" ] || bad "what has failed is no longer on trial"
judge "a trial whose programs do not run goes back" "$BACK" yes 0 99999 0
judge "while water flows it waits" "$BACK" yes 99999 0 3000
[ "$(cut -d. -f1 "$box/uptime")" -ge 3000 ] || bad "the verdict restarted the box while water flowed"
judge "but not for ever" "$BACK" yes 99999 0 99999999
# Fewer looks: each costs a machine that tests a dozen programs.
VERDICT_PAUSE_S=400
export VERDICT_PAUSE_S
judge "plans that are built for an hour are no failure" "$GOOD" yes 0 0 0 4000
[ "$(cut -d. -f1 "$box/uptime")" -ge 4000 ] || bad "the verdict came before the plan"
judge "a plan that is never built is one" "$BACK" yes 0 0 0 99999999
grep -q 'B 1.2.0 failed: the self-test failed: cameras: camera 3 has given no picture: 404; engine: rten stands in$' "$box/data/update/history" \
  || bad "history does not say each reason: $(cat "$box/data/update/history")"
[ "$(sed -n 2p "$box/data/update/missed")" = "engine: rten stands in" ] || bad "what is missed is not told: $(cat "$box/data/update/missed")"
unset VERDICT_PAUSE_S
judge "and a floor is never lowered" "$GOOD" yes 0 0 0
# What A says of an update in it that B came back from: STATUS of RAUC, state of the slot.
fell() {
  rm -rf "$box/data/update" "$box/data/rauc" "$box/dead"; mkdir -p "$box/data/update" "$box/data/rauc"; : > "$box/rauc"
  echo 1.3.0 > "$box/data/update/trial.A"
  printf '[slot.rootfs.1]\nstatus=ok\n\n[slot.rootfs.0]\nbundle.version=1.3.0\nstatus=%s\n' "$1" > "$box/data/rauc/central.raucs"
  "$slots" set-state A "$2"
  for start in 1 2; do "$box/lib/verdict" > "$work/out" 2>&1 || bad "verdict fails at start $start: $(cat "$work/out")"; done
  cut -d' ' -f2- "$box/data/update/history" 2> /dev/null
}
[ "$(fell ok bad)" = "A 1.3.0 failed: it never came to a verdict, and the boot loader went back to slot B" ] || bad "an update that panics: $(fell ok bad)"
[ "$(fell pending bad)" = "A 1.3.0 interrupted: it was not written whole" ] || bad "an update that was cut: $(fell pending bad)"
[ -z "$(fell ok good)" ] || bad "an update that has not started yet is told of: $(fell ok good)"

# --- the virtual appliance's boot loader, whose variables are files, and its nvbootctrl
sed -e '/^# $1: label of a partition/,$d' -e "s|^VARS=.*|VARS=$box/efi|" appliance/virtual/init > "$box/launcher"
cp appliance/virtual/nvbootctrl "$box/bin/nvbootctrl"
double chattr << 'EOF'
#!/bin/sh
EOF
VIGIA_CMDLINE=$box/cmdline
export VIGIA_CMDLINE
# start [WRITES]: the slot that is started; the power goes before the write after so many, and it is started again.
start() {
  ( PATH=$PATH; . "$box/launcher"; PATH=$box/bin:$OLD; say() { :; }; power=${1:-99}
    eval "put_() $(sed -n '/^put() {/,/^}/p' "$box/launcher" | sed 's/^put() //')"
    put() { [ "$power" -gt 0 ] || exit 7; power=$((power - 1)); put_ "$@"; }
    forget() { [ "$power" -gt 0 ] || exit 7; power=$((power - 1)); rm -f "$(var "$1")"; }
    choose; name "$slot" ) > "$box/started" || return $?
  slot=$(cat "$box/started"); echo "quiet rauc.slot=$slot" > "$box/cmdline"; echo "$slot"
}
OLD=$PATH
starts() { want=$1; what=$2; shift 2; got=$(start "$@") || true; [ "$got" = "$want" ] || bad "launcher, $what: slot $got, not $want"; }
rm -f "$box"/efi/*
for n in 1 2 3; do starts A "start $n of a new box"; done
starts B "A had three starts"
want=bad; answers get-state A
expect "B is good" "$slots" set-state B good
for n in 1 2 3; do starts B "start $n of B"; done
starts B "neither is good: both are tried anew"
expect "A is chosen" "$slots" set-primary A
want=A; answers get-primary
want=B; answers get-current
starts A "it was chosen"
# The power goes before each write of the start that changes slots.
for writes in 0 1 2 3 4; do
  rm -f "$box"/efi/*; start > /dev/null
  "$slots" set-state A good; "$slots" set-state B bad; "$slots" set-primary B
  start "$writes" > /dev/null || true
  starts B "chosen, and cut after $writes writes"
  start > /dev/null; start > /dev/null
  starts A "after B had its starts (cut after $writes writes)"
done

[ "$failed" = 0 ] && echo "system: files, units, certificates, broker, slots, floor and verdict are as they should be"
exit "$failed"
