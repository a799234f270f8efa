# Verbs over cargo. `make run` and `make test` do all their own set-up.
.PHONY: run drill sim test test-gpio cross gpu-check check bench fuzz mutants model setup clean image flash yocto-parse yocto-check \
  appliance appliance-run appliance-program test-appliance

export VIGIA_OPENVINO_DIR ?= $(CURDIR)/.cache/openvino/openvino/libs

# The demo: broker, cameras, vigia, the pump program with a simulated plant, and a live view. Ctrl-C ends it. SECONDS=60 ends by itself.
run: setup
	@cargo build --quiet --workspace
	@target/debug/vigia-demo $(if $(SECONDS),--seconds $(SECONDS))

# From the light of a rendered fire to water in a simulated plant, live and measured: ROUNDS=5 fires (default 1),
# drawn in SVG=docs/drill.svg.
drill: setup
	@cargo build --quiet --workspace
	@target/debug/vigia-drill $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SVG),--svg $(SVG))

# Simulated boxes under virtual time: RUNS=1000 trials from SEED=1 on, up to the first broken invariant.
sim: setup
	@cargo build --quiet
	@target/debug/vigia sim --seed $(or $(SEED),1) --runs $(or $(RUNS),1000)

# Everything that can be tested on this machine. Its virtual machine is built while the compiler works; where
# it can't be, tests/lines.rs says so.
test: setup
	@tests/trt/fetch.sh
	@tests/vm/build.sh & cargo test --workspace --no-run; built=$$?; wait; exit $$built
	@tests/system.sh
	@tests/flash.sh
	@yocto/venv python3 yocto/check || { [ $$? = 3 ] && echo "SKIPPED: the checks of the Yocto layer need PyPI once" >&2; }
	cargo test --workspace --no-fail-fast

# Lines of a real kernel, in a virtual machine built from Debian's packages (tests/vm), and both programs on them: the
# checks of the specification that need lines, KILLS=200 deaths of each program, CUTS=100 of the power, FIRES=20 from the
# decision to the line. Hours; KILLS=5 CUTS=2 FIRES=2 takes half of one. ROWS=p32 runs those whose names hold this.
test-gpio: setup
	@tests/vm/build.sh
	@cargo build --quiet
	@cargo build --quiet -p vigia-pump
	@cargo build --quiet -p vigia-sim --bin vigia-lines --bin vigia-vm
	@target/debug/vigia-vm smoke
	@target/debug/vigia-vm trials --kills $(or $(KILLS),200) --vigia-kills $(or $(KILLS),200) --cuts $(or $(CUTS),100) \
	  --fires $(or $(FIRES),20) $(if $(ROWS),--only "$(ROWS)")

# For ARM64, as on a Jetson, under qemu: the unsafe crate with its TensorRT layer, then vigia and vigia-pump whole, against
# Debian's ARM64 libraries (tests/cross).
cross: setup
	@tests/trt/cross.sh
	@tests/cross/product.sh

# What a reviewer runs before reading: format, lints, tests, licences.
check: setup yocto-check
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo test --workspace

# The system files of a box and the Yocto layer, as far as that goes without bitbake (docs/yocto.md).
yocto-check:
	tests/system.sh
	tests/flash.sh
	yocto/venv python3 yocto/check

# The image of a Jetson, from the last commit, with bitbake: BOARD=orin-nano. Half a day the first time, not as root
# (docs/yocto.md). TARGET=vigia-image-dev builds that instead.
image:
	@yocto/image "$(BOARD)" $(TARGET)

# Puts it on a Jetson over USB: BOARD=orin-nano, FLAGS="--dry-run --erase" (docs/flash.md).
flash:
	@yocto/flash "$(BOARD)" $(FLAGS)

# bitbake's parse and task graph of all boards, with the layers in the folder LAYERS; BOARD="orin-nano thor" takes those.
yocto-parse:
	@yocto/venv python3 yocto/parse $(LAYERS) $(BOARD)

# The virtual appliance (docs/firmware.md): a bootable disk with the same system, in .cache/appliance. ARCH=arm64 for that.
appliance: setup
	@appliance/build $(ARCH)

# A box to play with, in qemu: broker and cameras on this machine's loopback; STICK=folder plugs in a site. Ctrl-C ends it.
appliance-run: appliance appliance-program
	@target/debug/vigia-appliance run $(if $(ARCH),--arch $(ARCH)) $(if $(STICK),--stick $(STICK)) $(if $(AGAIN),--again)

# Every scenario of it, under emulation: two hours with CUTS=3 PUMP_CUTS=2, seven with CUTS=200 PUMP_CUTS=100. ONLY="good panics" runs
# those whose names hold one of these words.
test-appliance: appliance appliance-program
	@appliance/virtual/bundles $(ARCH)
	@target/debug/vigia-appliance test $(if $(ARCH),--arch $(ARCH)) --cuts $(or $(CUTS),3) --pump-cuts $(or $(PUMP_CUTS),2) \
	  $(if $(ONLY),--only $(ONLY))

appliance-program:
	@cargo build --quiet -p vigia-sim --bin vigia-appliance

# Figures, as JSON at the end. Ratios within one run: the machine may be noisy. BENCH, STEPS and SHARE choose,
# as benches/world.rs says: BENCH=fire SHARE=0.1.
bench: setup
	cargo build --quiet --release -p vigia-sim
	@# By itself, so that it is built without the world of the line above.
	cargo build --quiet --release -p vigia-pump
	cargo bench --bench world

# The CUDA kernels on this machine's GPU: each against the CPU, then figures and a search for leaks, as a table and as JSON
# (JSON=file). Says that it is skipped where there is no GPU; INSIST=1 makes that a failure.
gpu-check:
	@cargo run --quiet --release -p vigia-accel --example gpu_check -- $(if $(INSIST),--insist) $(if $(JSON),--json $(JSON))

# Each fuzz target for SECONDS (default 30).
fuzz: setup
	fuzz/run.sh $(or $(SECONDS),30)

# What decides about water and fire, each line of it wrong once: a test must notice. Five hours on two cores; goes on
# where it was interrupted; PART=pump/sensors does a part. What may stay unnoticed, and why: .cargo/mutants.toml.
mutants: setup
	@cargo install --quiet --locked --root .cache/mutants cargo-mutants@27.1.0
	@PATH="$(CURDIR)/.cache/mutants/bin:$$PATH" cargo mutants -p vigia-core --iterate -o .cache/mutants \
	  $(if $(PART),-f 'crates/core/src/$(PART)*' -f 'crates/core/src/$(PART)/**')

# The detector of the project, from rendering its training set to the checked ONNX files, in .cache/train.
# Two to three hours on two cores, minutes on a GPU; goes on where it was interrupted.
model: setup
	@models/train/make.sh

setup:
	@tests/setup.sh

clean:
	cargo clean
