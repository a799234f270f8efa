#!/bin/sh
# Runs each fuzz target for a while: fuzz/run.sh [SECONDS]. Coverage-guided, on the stable
# compiler, without sanitizers (the code under test has no unsafe). `cargo fuzz run` works, too.
set -eu
cd "$(dirname "$0")"
seconds=${1:-30}
target=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
 -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1" \
  cargo build --release --target "$target"
for name in config event head; do
  mkdir -p "corpus/$name" artifacts
  "target/$target/release/$name" -max_total_time="$seconds" -max_len=4096 -artifact_prefix=artifacts/ \
    -print_final_stats=1 "corpus/$name" 2>&1 | grep -E "stat::number_of|ERROR|panicked|Test unit" || true
  if ls artifacts/crash-* > /dev/null 2>&1; then echo "fuzz: $name failed, see fuzz/artifacts" >&2; exit 1; fi
done
