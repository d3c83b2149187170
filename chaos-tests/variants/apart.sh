# shellcheck shell=bash
# Sourced by the scripts that build another release beside this workspace, with its third-party crates.

# Gives a copy of the workspace another version: Cargo would else take its crates for those of this workspace, and mix them.
# Usage: set_apart TREE NAME
set_apart() {
  local tree=$1 name=$2
  find "$tree" -name Cargo.toml -exec sed -i "s/^version = \"0.1.0\"/version = \"0.1.0-$name\"/" {} +
  find "$tree" -name Cargo.lock -exec sed -i "/^name = \"evermesh-/{n;s/\"$/-$name\"/}" {} +
}

# Usage: build_apart TREE CARGO_ARGUMENT...
build_apart() {
  local tree=$1
  shift
  cargo build --quiet --locked --workspace --manifest-path "$tree/Cargo.toml" "$@"
}
