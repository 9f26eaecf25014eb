# Fills GOCACHE with the packages named as arguments and what they import, as builder.yaml compiles them.
set -eu
folder=$(mktemp -d)
cd "$folder"
printf 'module warm\n\ngo %s\n' "$(go env GOVERSION | sed 's/^go\([0-9]*\.[0-9]*\).*/\1/')" > go.mod
{
  echo 'package main'
  for package in "$@"; do echo "import _ \"$package\""; done
  echo 'func main() {}'
} > main.go
GOOS=wasip1 GOARCH=wasm CGO_ENABLED=0 GOTOOLCHAIN=local GOENV=off GOFLAGS= GOWORK=off GOTELEMETRY=off \
  go build -trimpath -buildvcs=false -buildmode=c-shared -tags= -o /dev/null .
rm -rf "$folder"
