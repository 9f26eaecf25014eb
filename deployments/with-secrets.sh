#!/bin/sh
# Run a command with each secret file named like a variable (/run/secrets/REGISTRY_PASSWORD) as that variable:
# neither Prefect nor pluginyard read files, and what stands in `environment:` is shown by `docker inspect`.
set -eu
for file in /run/secrets/[A-Z]*; do
  [ -r "$file" ] || continue
  name=${file##*/}
  export "$name=$(cat "$file")"
done
exec "$@"
