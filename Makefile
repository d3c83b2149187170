# Evermesh's commands. `make` lists them.
# PROFILE names the nextest profile of `make test`, ARGS what it is given besides, such as ARGS="-E 'test(kill)'".
# NAME and NODES are those of a test cluster.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help build demo test crash-points chaos test-kernels e2e cluster-up cluster-down cluster-load cluster-cycles bench verify fix clean \
	bootstrap bootstrap-tests bootstrap-verify bootstrap-kernels bootstrap-cluster variants earlier-release test-binaries cluster-program \
	kubernetes image-programs root

PROFILE ?= default
ARGS ?=
NAME ?= main
NODES ?= 3

target := $(or $(CARGO_TARGET_DIR),target)
kernel_rustc := $(or $(EVERMESH_BPF_RUSTC),/usr/bin/rustc)
tools := . scripts/tools.sh;
cluster := scripts/as-root $(target)/debug/evermesh-cluster

# Programs for images are linked statically, with a target directory of their own: their flags are others.
static := $(abspath $(target))/static
static_dir = $(static)/$$(rustc -vV | sed -n 's/^host: //p')/image

# The kernel programs are a workspace of their own, with a compiler of their own and its clippy.
kernel := --manifest-path ebpf/Cargo.toml
kernel_clippy := RUSTC=$(kernel_rustc) RUSTC_BOOTSTRAP=1 $(dir $(kernel_rustc))cargo-clippy clippy $(kernel) \
	--target-dir $(target)/kernel --locked --release -Zbuild-std=core --target bpfel-unknown-none

# The caller builds and root only runs: no file in the checkout or in Cargo's home comes to belong to root.
nextest := scripts/as-root cargo-nextest nextest run --cargo-metadata $(target)/nextest/cargo.json \
	--binaries-metadata $(target)/nextest/binaries.json

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: bootstrap ## build the programs into target/release
	@$(tools) cargo build --workspace --locked --release --bins

demo: root build variants ## show pods, traffic, kills and upgrades on this machine, needs root
	@$(tools) scripts/as-root $(target)/release/evermesh-demo $(ARGS)

test: root bootstrap-tests test-binaries ## run all tests but those of `make e2e`, needs root
	@$(tools) $(nextest) --profile $(PROFILE) $(ARGS)

crash-points: root bootstrap-tests test-binaries ## cut off changes of what runs at every moment and every call, needs root; hours, and goes on where it was stopped
	@$(tools) NEXTEST="$(nextest)" chaos-tests/crash-points $(target)/debug $(target)/crash-points

chaos: root bootstrap-tests test-binaries ## five rounds of changes and kills, a million entries and 1,000 cycles, needs root; goes on where it was stopped
	@$(tools) NEXTEST="$(nextest)" chaos-tests/chaos $(target)/debug $(target)/chaos

test-kernels: bootstrap-kernels ## run the tests that face the kernel on emulated Debian kernels, 6.1 and 6.12
	@$(tools) chaos-tests/kernels/run $(ARGS)

e2e: root bootstrap-cluster test-binaries image-programs kubernetes ## run the tests on Kubernetes clusters, needs root
	@$(tools) EVERMESH_STATIC_DIR=$(static_dir) $(nextest) --profile e2e $(ARGS)

cluster-up: root bootstrap-cluster cluster-program kubernetes ## bring up a Kubernetes cluster, of NODES=3 as NAME=main, needs root
	@$(tools) $(cluster) up --name $(NAME) --nodes $(NODES)

cluster-down: root cluster-program ## take the cluster NAME=main down, without a trace
	@$(tools) $(cluster) down --name $(NAME)

cluster-load: root image-programs cluster-program ## bring Evermesh's image to the nodes of the cluster NAME=main
	@$(tools) $(cluster) load --name $(NAME) ghcr.io/evermesh/evermesh:dev --containerfile deploy/daemonset/Containerfile \
		--from $(static_dir)

cluster-cycles: ## take clusters up and down 20 times and kill `up` 10 times; ten minutes
	@EVERMESH_CLUSTER_CYCLES=20 EVERMESH_CLUSTER_KILLS=10 $(MAKE) --no-print-directory e2e \
		ARGS="-E 'binary(e2e) & test(/^(cleanup|interruption)::/)'"

bench: root build ## measure the cost of a connect() against a baseline, needs root
	@$(tools) chaos-tests/variants/build-release $(target)/variants $(target) release
	@$(tools) scripts/as-root $(target)/release/evermesh-bench $(ARGS)

verify: bootstrap-verify ## check format, lints, licences and sources; changes nothing
	@$(tools) cargo fmt --all --check
	@$(tools) cargo fmt $(kernel) --check
	@$(tools) cargo clippy --workspace --all-targets --locked -- -D warnings
	@$(tools) $(kernel_clippy) -- -D warnings
	@$(tools) cargo deny --locked check --hide-inclusion-graph bans licenses sources
	@$(tools) cargo deny --locked $(kernel) --config deny.toml check --hide-inclusion-graph bans licenses sources
	@shellcheck --external-sources scripts/* .ci/run chaos-tests/kernels/{run,package,image,init} \
		chaos-tests/variants/{build,build-release} chaos-tests/releases/build chaos-tests/{chaos,crash-points}

fix: bootstrap-verify ## format, and apply what clippy can mend
	@$(tools) cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
	@$(tools) $(kernel_clippy) --fix --allow-dirty --allow-staged
	@$(tools) cargo fmt --all
	@$(tools) cargo fmt $(kernel)

clean: ## remove what was built
	@$(tools) cargo clean
	@$(tools) cargo clean $(kernel)

# Kernel programs of other releases, for the tests of upgrades and for the demo. Data planes whose maps have other layouts are
# built where the tests are.
variants:
	@$(tools) chaos-tests/variants/build $(target)/variants

# A release of the past, for the same tests.
earlier-release:
	@$(tools) chaos-tests/releases/build $(target)

test-binaries: variants earlier-release
	@$(tools) cargo build --workspace --locked --bins --tests
	@$(tools) chaos-tests/variants/build-release $(target)/variants $(target)
	@mkdir -p $(target)/nextest
	@$(tools) cargo metadata --locked --format-version 1 >$(target)/nextest/cargo.json
	@$(tools) cargo nextest list --workspace --locked --list-type binaries-only --message-format json \
		>$(target)/nextest/binaries.json

cluster-program:
	@$(tools) cargo build --locked --package evermesh-cluster --bins

# Built here, it is not the first test that waits for it.
kubernetes:
	@$(tools) $(cluster) build

image-programs:
	@$(tools) RUSTFLAGS=-Ctarget-feature=+crt-static cargo build --locked --target-dir $(static) \
		--target "$$(rustc -vV | sed -n 's/^host: //p')" --profile image \
		--package evermesh-cli --package evermesh-upgrader --package evermesh-agent --package evermesh-chaos-tests \
		--bin evermesh --bin evermesh-supervisor --bin evermesh-agent --bin evermesh-rig
	@$(tools) echo "programs for images are in $(static_dir)"

bootstrap:
	@scripts/bootstrap

bootstrap-tests:
	@scripts/bootstrap tests

bootstrap-verify:
	@scripts/bootstrap verify

bootstrap-kernels:
	@scripts/bootstrap kernels

bootstrap-cluster:
	@scripts/bootstrap cluster

# Asked before anything is built, so that nobody waits for a build in vain.
root:
	@scripts/as-root true
