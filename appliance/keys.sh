#!/bin/sh
# Keys that sign updates, for trying things out: appliance/keys.sh [FOLDER] (.cache/update-keys). A CA, whose certificate is the keyring
# of images, and a certificate for signing. Leaves what is there. A company keeps its own where no builder reads them.
set -eu
cd "$(dirname "$0")/.."
dir=${1:-.cache/update-keys}
[ -s "$dir/signing.crt" ] && exit 0
umask 077
mkdir -p "$dir"
work=$(mktemp -d "$dir/new.XXXXXX")
trap 'rm -rf "$work"' EXIT
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2> /dev/null; }
key "$work/ca.key"
openssl req -x509 -new -key "$work/ca.key" -days 7300 -sha256 -subj "/O=vigia/CN=vigia development updates" \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign -out "$work/keyring.pem"
key "$work/signing.key"
openssl req -new -key "$work/signing.key" -subj "/O=vigia/CN=vigia development signing" -out "$work/signing.csr"
printf '%s\n' "basicConstraints=critical,CA:FALSE" "keyUsage=critical,digitalSignature" "extendedKeyUsage=critical,codeSigning" > "$work/extensions"
openssl x509 -req -in "$work/signing.csr" -CA "$work/keyring.pem" -CAkey "$work/ca.key" -set_serial 1 -days 7300 -sha256 \
  -extfile "$work/extensions" -out "$work/signing.crt" 2> /dev/null
mv "$work/ca.key" "$work/keyring.pem" "$work/signing.key" "$work/signing.crt" "$dir/"
echo "keys: made $dir for development; boxes that are built with it take what it signs" >&2
