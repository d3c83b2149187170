# shellcheck shell=bash
# Sourced by the scripts beside it: how kernel programs are built that are not the workspace's own.

# Usage: build_kernel_programs EBPF_DIR BUILD_DIR OBJECT PART     where PART is current, up, down, level or before
build_kernel_programs() {
  local sources=$1 build=$2 object=$3 part=$4 features=() rustc=${EVERMESH_BPF_RUSTC:-/usr/bin/rustc} cargo flags
  cargo=$(dirname "$rustc")/cargo
  [[ -x $cargo ]] || cargo=cargo
  [[ $part == current ]] || features=(--features "$part")
  # As bpf-loader/build.rs has them.
  flags=$(printf '%s\x1f' -Clinker=bpf-linker -Cdebuginfo=2 -Clink-arg=--btf)-Ctarget-cpu=v3
  env -u CARGO_TARGET_DIR -u RUSTFLAGS RUSTC="$rustc" RUSTC_BOOTSTRAP=1 CARGO_ENCODED_RUSTFLAGS="$flags" \
    "$cargo" build --quiet --locked --release -Zbuild-std=core --target bpfel-unknown-none \
    --manifest-path "$sources/Cargo.toml" --target-dir "$build" "${features[@]}"
  cp "$build/bpfel-unknown-none/release/evermesh" "$object"
}
