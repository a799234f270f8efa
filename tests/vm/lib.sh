# shellcheck shell=sh
# For the scripts below tests/ and appliance/, which set WHO, LOG and, for what is Debian's whole, CODENAME: packages of this
# machine's own Debian, its kernel, and gpio-sim for that. Sourced by sh.
#
# gpio-sim is the kernel's, under its licence: it is built from Debian's sources here and goes nowhere else.

say() { printf '%s: %s\n' "$WHO" "$*" >&2; }
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

# $1: folder, $2: architecture. Lists of Debian's packages for it, apart from this machine's own: `foreign FOLDER` uses them.
package_lists() {
  mkdir -p "$1/state/lists/partial" "$1/cache/archives/partial"
  : > "$1/state/status"
  cat > "$1/apt.conf" <<END
APT::Architecture "$2";
APT::Architectures { "$2"; };
APT::Sandbox::User "root";
Dir::State "$1/state";
Dir::State::status "$1/state/status";
Dir::Cache "$1/cache";
END
  # Sources of other vendors may have nothing for it: what is missing then shows at the download.
  foreign "$1" apt-get update -qq > "$LOG" 2>&1 || true
}
foreign() { APT_CONFIG="$1/apt.conf" && export APT_CONFIG && shift && "$@"; unset APT_CONFIG; }

# The version of Debian's kernel for this release, e.g. 6.1.0-56-amd64. $1: amd64, arm64
kernel_version() {
  version=$(apt-cache depends "linux-image-$1" 2> /dev/null | sed -n 's/.*Depends: linux-image-\([0-9].*\)/\1/p' | head -1)
  [ -n "$version" ] || die "apt knows no linux-image-$1: its lists lack Debian's main"
  echo "$version"
}

# $1: tar, then options of mmdebstrap. A root file system without our own files.
base() {
  tar=$1
  shift
  # What loses power here is built again.
  set -- --dpkgopt=force-unsafe-io "$@"
  for folder in doc man locale info lintian; do set -- "$@" --dpkgopt="path-exclude=/usr/share/$folder/*"; done
  set -- "$@" --dpkgopt='path-exclude=/usr/lib/*/gconv/*'
  quietly root mmdebstrap --quiet --mode=root "$@" "$CODENAME" "$tar"
}

# $1: folder with the kernel's package in deb/, $2: version, $3: modules, $4: CROSS_COMPILE. Into root/: all of the
# modules that the guest needs, with gpio-sim.
kernel_modules() {
  series=$(echo "$2" | cut -d. -f1,2)
  mkdir -p "$1/gpio-sim" "$1/root/lib/modules/$2/extra"
  gpio_sim "$1/gpio-sim" "$2" "$series" "$4"
  depmod -b "$1/deb" "$2"
  # shellcheck disable=SC2001
  for m in $(echo "$3" | sed 's/gpio-sim//'); do modprobe -S "$2" -d "$1/deb" --show-depends "$m"; done |
    sed -n 's/^insmod .*\/lib\/modules\/\([^ ]*\).*/\1/p' | sort -u | (cd "$1/deb/lib/modules" && cpio -pdm --quiet "$1/root/lib/modules")
  cp "$1/deb/lib/modules/$2"/modules.builtin* "$1/deb/lib/modules/$2/modules.order" "$1/root/lib/modules/$2/"
  "$4strip" --strip-debug -o "$1/root/lib/modules/$2/extra/gpio-sim.ko" "$1/gpio-sim/gpio-sim.ko"
  depmod -b "$1/root" "$2"
  for m in $3; do modprobe -S "$2" -d "$1/root" --show-depends "$m" > /dev/null; done
}

# $1: folder, $2: version, $3: series, $4: CROSS_COMPILE. No kernel of Debian's has this module.
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
  case "$2" in *-arm64) arch=arm64 ;; *) arch=x86_64 ;; esac
  quietly make -s -C "${HEADERS:-/usr/src}/linux-headers-$2" M="$1" ARCH="$arch" CROSS_COMPILE="$4" modules
}
