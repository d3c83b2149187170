# Evermesh's commands. `make` lists them.
# PROFILE names the nextest profile of `make test`, ARGS what it is given besides, such as ARGS="-E 'test(kill)'".

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help build demo test test-kernels bench verify fix clean bootstrap bootstrap-tests bootstrap-verify \
	bootstrap-kernels root

PROFILE ?= default
ARGS ?=

target := $(or $(CARGO_TARGET_DIR),target)
kernel_rustc := $(or $(EVERMESH_BPF_RUSTC),/usr/bin/rustc)
tools := . scripts/tools.sh;

# The kernel programs are a workspace of their own, with a compiler of their own and its clippy.
kernel := --manifest-path ebpf/Cargo.toml
kernel_clippy := RUSTC=$(kernel_rustc) RUSTC_BOOTSTRAP=1 $(dir $(kernel_rustc))cargo-clippy clippy $(kernel) \
	--target-dir $(target)/kernel --locked --release -Zbuild-std=core --target bpfel-unknown-none

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: bootstrap ## build the programs into target/release
	@$(tools) cargo build --workspace --locked --release --bins

demo: root build ## show pods, traffic and kills on this machine, needs root
	@$(tools) scripts/as-root $(target)/release/evermesh-demo $(ARGS)

# The caller builds and root only runs: no file in the checkout or in Cargo's home comes to belong to root.
test: root bootstrap-tests ## run all tests, needs root
	@$(tools) cargo build --workspace --locked --bins --tests
	@mkdir -p $(target)/nextest
	@$(tools) cargo metadata --locked --format-version 1 >$(target)/nextest/cargo.json
	@$(tools) cargo nextest list --workspace --locked --list-type binaries-only --message-format json \
		>$(target)/nextest/binaries.json
	@$(tools) scripts/as-root cargo-nextest nextest run --profile $(PROFILE) \
		--cargo-metadata $(target)/nextest/cargo.json --binaries-metadata $(target)/nextest/binaries.json $(ARGS)

test-kernels: bootstrap-kernels ## run the tests that face the kernel on emulated Debian kernels, 6.1 and 6.12
	@$(tools) chaos-tests/kernels/run $(ARGS)

bench: root build ## measure the cost of a connect() against a baseline, needs root
	@$(tools) scripts/as-root $(target)/release/evermesh-bench $(ARGS)

verify: bootstrap-verify ## check format, lints, licences and sources; changes nothing
	@$(tools) cargo fmt --all --check
	@$(tools) cargo fmt $(kernel) --check
	@$(tools) cargo clippy --workspace --all-targets --locked -- -D warnings
	@$(tools) $(kernel_clippy) -- -D warnings
	@$(tools) cargo deny --locked check --hide-inclusion-graph bans licenses sources
	@$(tools) cargo deny --locked $(kernel) --config deny.toml check --hide-inclusion-graph bans licenses sources
	@shellcheck --external-sources scripts/* .ci/run chaos-tests/kernels/{run,package,image,init}

fix: bootstrap-verify ## format, and apply what clippy can mend
	@$(tools) cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
	@$(tools) $(kernel_clippy) --fix --allow-dirty --allow-staged
	@$(tools) cargo fmt --all
	@$(tools) cargo fmt $(kernel)

clean: ## remove what was built
	@$(tools) cargo clean
	@$(tools) cargo clean $(kernel)

bootstrap:
	@scripts/bootstrap

bootstrap-tests:
	@scripts/bootstrap tests

bootstrap-verify:
	@scripts/bootstrap verify

bootstrap-kernels:
	@scripts/bootstrap kernels

# Asked before anything is built, so that nobody waits for a build in vain.
root:
	@scripts/as-root true
