# shellcheck shell=bash
# Sourced by the scripts and by every recipe of the Makefile: puts Cargo's tools on PATH where a bare
# environment does not have them. sudo resets PATH and HOME, and images keep Cargo in /usr/local/cargo.

use_cargo_home() {
  local cargo_home=$1 rustup_home=$2
  [[ -d $cargo_home/bin ]] || return 0
  [[ ":$PATH:" == *":$cargo_home/bin:"* ]] || PATH="$cargo_home/bin:$PATH"
  # The proxies in a foreign CARGO_HOME find their toolchains only through RUSTUP_HOME.
  if [[ -x $cargo_home/bin/rustup && -d $rustup_home && ! -d ${RUSTUP_HOME:-$HOME/.rustup} ]]; then
    export RUSTUP_HOME=$rustup_home
  fi
}

home_of() {
  getent passwd "$1" | cut -d: -f6
}

find_tools() {
  export HOME=${HOME:-$(home_of "$(id -u)")}
  use_cargo_home /usr/local/cargo /usr/local/rustup
  if [[ -n ${SUDO_USER:-} ]]; then
    local home
    home=$(home_of "$SUDO_USER")
    use_cargo_home "$home/.cargo" "$home/.rustup"
  fi
  # A directory that is still to be made is named too: the first `cargo install` of a run fills it.
  local cargo_home=${CARGO_HOME:-$HOME/.cargo}
  [[ ":$PATH:" == *":$cargo_home/bin:"* ]] || PATH="$cargo_home/bin:$PATH"
  [[ ":$PATH:" == *":/usr/sbin:"* ]] || PATH="$PATH:/usr/sbin"
  export PATH
}

find_tools
