# Fetches the crates that Cargo.lock names. Started in the plugin's folder.
set -eu
plugin=$(pwd -P)
top=$(cd "$PLUGINYARD_WORK/src" && pwd -P)
# Where crates come from, in the plugin's words: of its .cargo/config.toml and of those above, only the tables
# [source.*]. The rest may name programs to run, so cargo is started where it finds none of them.
set --
folder=$plugin
while [ "${folder#"$top"}" != "$folder" ]; do
  for config in "$folder/.cargo/config" "$folder/.cargo/config.toml"; do
    [ -f "$config" ] || continue
    sources=$PLUGINYARD_WORK/home/sources-$#.toml
    awk '/^[ \t]*\[/ { table = 1; keep = /^[ \t]*\[[ \t]*source[ \t]*[].]/ }
         keep || (!table && /^[ \t]*source[ \t]*\./)' "$config" > "$sources"
    # Vendored crates are here already, and compile.sh takes them from there.
    if grep -Eq '(^|[[:space:].{,])(directory|local-registry)[[:space:]]*=' "$sources"; then exit 0; fi
    set -- --config "$sources" "$@" # cargo takes the last: the nearest
    break # where there are both, cargo reads this one
  done
  folder=${folder%/*}
done
# The site's mirror of the public crate registry (a sparse index, as `sparse+https://…/`), which cargo reads from no
# variable. It comes before the plugin's, here and in compile.sh; cargo refuses one address under two names.
mkdir -p "$CARGO_HOME"
rm -f "$CARGO_HOME/config.toml"
if [ -n "${CARGO_SOURCE_MIRROR:-}" ] && ! grep -Fqs "$CARGO_SOURCE_MIRROR" "$PLUGINYARD_WORK"/home/sources-*.toml; then
  printf '[source.crates-io]\nreplace-with = "pluginyard-mirror"\n[source.pluginyard-mirror]\nregistry = "%s"\n' \
    "$CARGO_SOURCE_MIRROR" > "$CARGO_HOME/config.toml"
  set -- "$@" --config "$CARGO_HOME/config.toml"
fi
cd "$PLUGINYARD_WORK/home"
cargo fetch --locked --target wasm32-wasip1 --manifest-path "$plugin/Cargo.toml" "$@"
# And what build scripts need on this machine alone, as [target.'cfg(unix)'.build-dependencies]. A plugin may do without
# it: where something of it cannot be fetched, the compiler says whether it is missing.
host=$(rustc -vV | sed -n 's/^host: //p')
cargo fetch --locked --target "$host" --manifest-path "$plugin/Cargo.toml" "$@" || true
