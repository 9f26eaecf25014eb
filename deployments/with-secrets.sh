#!/bin/sh
# Run a command with each secret file named like a variable (/run/secrets/REGISTRY_PASSWORD) as that variable:
# neither Prefect nor pluginyard read files, and what stands in `environment:` is shown by `docker inspect`.
set -eu
folder=/run/secrets
if [ -d "$folder" ] && ! ls "$folder" >/dev/null; then
  echo "error: $folder cannot be listed by user $(id -u): a server would start without its password" >&2
  exit 3
fi
for file in "$folder"/[A-Z]*; do
  [ -e "$file" ] || continue # no file at all
  if [ ! -r "$file" ]; then
    echo "error: $file cannot be read by user $(id -u): chown it, or give it another mode" >&2
    exit 3
  fi
  value=$(cat "$file")
  export "${file##*/}=$value"
done
# The lock of the server's leases names a process id. After a kill the next server has the same one here, and would
# wait for itself.
if [ "${1:-} ${2:-}" = "prefect server" ] && [ -n "${PREFECT_HOME:-}" ]; then
  rm -f "$PREFECT_HOME/concurrency_leases/expirations.lock"
fi
exec "$@"
