# Compiles the plugin's library and leaves it as out/plugin.wasm. Started in the plugin's folder.
set -eu
host=$(rustc -vV | sed -n 's/^host: //p')
# Debian's rustc brings no linker of its own for wasm; the vendor's does.
if [ ! -e "$(rustc --print sysroot)/lib/rustlib/$host/bin/rust-lld" ]; then
  export CARGO_TARGET_WASM32_WASIP1_LINKER=wasm-ld
fi
# A wrapper, for RUSTFLAGS would replace the flags of the plugin's own .cargo/config.toml.
export RUSTC_WRAPPER="$PLUGINYARD_WORK/builder/rustc.sh"
# What was fetched from the site's mirror is found under its name only, also where the plugin names another one.
set --
[ ! -e "$CARGO_HOME/config.toml" ] || set -- --config "$CARGO_HOME/config.toml"
cargo build --lib --locked --offline --release --target wasm32-wasip1 "$@"

cd "$CARGO_TARGET_DIR/wasm32-wasip1/release"
name=$(sed -n '/^\[package\]/,/^\[[^p]/s/^name *= *"\(.*\)".*/\1/p' "$OLDPWD/Cargo.toml" | head -n 1 | tr - _)
set -- *.wasm
if [ ! -e "$1" ]; then
  echo "pluginyard: the build left no wasm file: the library is no cdylib" >&2
  exit 1
elif [ -e "$name.wasm" ]; then
  cp "$name.wasm" "$PLUGINYARD_WORK/out/plugin.wasm"
elif [ $# -eq 1 ]; then
  cp "$1" "$PLUGINYARD_WORK/out/plugin.wasm"
else
  echo "pluginyard: the build left $# wasm files ($*) and none is named as the crate" >&2
  exit 1
fi
