#!/bin/sh
# Called by cargo as: rustc.sh rustc arguments… Takes the build's folder out of panic messages.
# Where several fit, rustc takes the last.
exec "$@" --remap-path-prefix="$PLUGINYARD_WORK=/build" --remap-path-prefix="$CARGO_HOME=/cargo" \
  --remap-path-prefix="$PLUGINYARD_WORK/src=."
