# Fetches the crates that Cargo.lock names. Started in the plugin's folder.
set -eu
# Vendored crates: the plugin's own .cargo/config.toml names another source, and compile.sh will honour it.
if grep -qs '^\[source\.' .cargo/config.toml; then exit 0; fi
manifest=$PWD/Cargo.toml
# A mirror of the public crate registry (a sparse index, as `sparse+https://…/`): cargo reads it from no variable.
if [ -n "${CARGO_SOURCE_MIRROR:-}" ]; then
  printf '[source.crates-io]\nreplace-with = "mirror"\n[source.mirror]\nregistry = "%s"\n' \
    "$CARGO_SOURCE_MIRROR" > "$CARGO_HOME/config.toml"
fi
# cargo reads .cargo/config.toml of the folder it is started in, which may name programs to run.
cd "$PLUGINYARD_WORK/home"
exec cargo fetch --locked --target wasm32-wasip1 --manifest-path "$manifest"
