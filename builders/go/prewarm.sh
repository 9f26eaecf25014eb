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
# list -export: compiled as by build, and not linked.
GOOS=wasip1 GOARCH=wasm CGO_ENABLED=0 GOTOOLCHAIN=local GOENV=off GOFLAGS= GOWORK=off GOTELEMETRY=off \
  go list -export -f '' -trimpath -buildvcs=false -buildmode=c-shared -tags= .
# The time keeps Go from renewing or trimming the entries. What has it is left alone: in a layer of an image it
# would be written anew.
touch -d 2099-01-01 then
find "$GOCACHE" ! -newer then -exec touch -d 2100-01-01 {} + -exec chmod u=rwX,go=rX {} +
cd /
rm -rf "$folder"
