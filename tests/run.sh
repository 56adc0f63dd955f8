#!/usr/bin/env bash
# Set up and run the tests.
#   bash tests/run.sh            all tests but those of minutes each
#   bash tests/run.sh --long     these too: all notebooks, more kills, more malformed requests
#   bash tests/run.sh --fast     without those marked slow, and laws at fewer points
#   bash tests/run.sh ARGS...    handed to pytest
set -euo pipefail
cd "$(dirname "$0")/.."
bash .ci/setup.sh all,test
# read once, when OpenMP is loaded: idle threads that spin starve the others on shared cores
export OMP_WAIT_POLICY=PASSIVE
export HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1
# a core each; those of one file share what they load, and long files are not kept for the end
if [ "${1:-}" = "--fast" ]; then
  shift
  export HYPOTHESIS_PROFILE="${HYPOTHESIS_PROFILE:-fast}"
  set -- -m "not slow" -n logical --dist loadfile --no-loadscope-reorder "$@"
elif [ "${1:-}" = "--long" ]; then
  shift
  set -- -m "" -n logical --dist loadfile --no-loadscope-reorder "$@"
elif [ $# -eq 0 ]; then
  set -- -n logical --dist loadfile --no-loadscope-reorder
fi
exec .venv/bin/python -m pytest "$@"
