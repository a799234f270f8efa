#!/bin/sh
# Takes what `make model` made into the project: models, manifests, golden frames, curves, report.
set -eu
cd "$(dirname "$0")/../.."
run=${RUN:-.cache/train/run}
shipped=models/lookout-n
notice="trained on rendered scenes: for bring-up, demo and drills; a site must bring a model proven on real fires (models/lookout-n/README.md)"

cargo build --quiet --bin vigia
for kind in lookout-n lookout-n-int8; do
  base=
  [ $kind = lookout-n ] || base="--quantised-from lookout-n"
  rm -f "models/$kind.yaml" "models/$kind.onnx"
  # shellcheck disable=SC2086
  target/debug/vigia model import "$run/$kind.onnx" $base --models-dir models --licence Apache-2.0 \
    --source "models/train, $(date -u +%Y-%m-%d)"
  echo "notice: \"$notice\"" >> "models/$kind.yaml"
done
mkdir -p $shipped
rm -rf $shipped/golden
cp -r $run/golden $shipped/golden
cp $run/curves.png $run/report.json $run/hits.jpg $run/misses.jpg $shipped/
echo "shipped; measure with \`BENCH=model make bench\` and bring the card up to date: $shipped/README.md" >&2
