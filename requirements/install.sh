#!/bin/sh
# install.sh PYTHON LOCK: install what LOCK, a file beside this one, names into the environment of PYTHON; hashes are checked, nothing is resolved.
# uv needs a third of pip's time. pip does it where uv cannot be had or cannot do it: it alone reads pip.conf.
set -eu
python=$1 lock=$2
case $python in */*) python=$(cd "$(dirname "$python")" && pwd)/${python##*/} ;; esac
cd "$(dirname "$0")" # no configuration of the folder that this is called from is read
options="--quiet --only-binary :all: --no-deps --require-hashes"
by_pip() { "$python" -I -m pip install $options --disable-pip-version-check --no-input "$@"; }
by_uv() {
  [ -z "${PIP_INDEX_URL:-}" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$PIP_INDEX_URL}"
  [ -z "${PIP_EXTRA_INDEX_URL:-}" ] || export UV_INDEX="${UV_INDEX:-$PIP_EXTRA_INDEX_URL}"
  [ -z "${PIP_CERT:-}" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$PIP_CERT}"
  by_pip --no-compile --target "$tool" -r installer.lock &&
    "$tool/bin/uv" pip install $options --compile-bytecode --python "$python" -r "$lock"
}
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
if [ -n "${PIP_NO_INDEX:-}" ] || ! by_uv; then
  by_pip -r "$lock"
fi
