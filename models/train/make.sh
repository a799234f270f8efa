#!/bin/sh
# `make model`: renders the training set, trains, evaluates, exports, checks. What was done before
# is not done again; an interrupted training goes on where it was. Everything lies in .cache/train.
# A small one, to see that all steps work: OUT=/tmp/small IMAGES=60 VAL_IMAGES=48 STEPS=12 FINE_STEPS=12
set -eu
cd "$(dirname "$0")/../.."
cache=.cache/train
out=${OUT:-$cache}
images_train=${IMAGES:-24000}
images_val=${VAL_IMAGES:-2000}

# The programs that the requirements pin. The folder is made anew when they change.
venv=$cache/venv
seal=$venv/requirements.txt
if ! cmp -s models/train/requirements.txt "$seal"; then
  echo "model: installing PyTorch and the exporters into $venv (2 to 5 minutes)" >&2
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q --disable-pip-version-check -r models/train/requirements.txt
  cp models/train/requirements.txt "$seal"
fi

cargo build --quiet --release -p vigia-sim --bin vigia-sim
# Held-out places, and seeds that no test uses.
mkdir -p "$out/data"
target/release/vigia-sim scenes dataset --split held-out --first-seed 8000000000 --images "$images_val" --out "$out"/data/val
target/release/vigia-sim scenes dataset --split training --first-seed 1 --images "$images_train" --out "$out"/data/train

# Two courses: the first learns most of it at half size, the second goes over it at full size.
"$venv/bin/python" models/train/run.py --data "$out"/data --out "$out"/first --steps "${STEPS:-10000}"
"$venv/bin/python" models/train/run.py --data "$out"/data --out "$out"/run --steps "${FINE_STEPS:-4800}" --fine --init "$out"/first/last.pt
echo "model: done; the shipped files are replaced by models/train/ship.sh" >&2
