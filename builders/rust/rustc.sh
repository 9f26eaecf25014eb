#!/bin/sh
# Called by cargo as: rustc.sh rustc arguments… Takes the build's folder out of panic messages.
exec "$@" --remap-path-prefix="$PLUGINYARD_WORK/src=." --remap-path-prefix="$CARGO_HOME=/cargo" \
  --remap-path-prefix="$PLUGINYARD_WORK=/work"
