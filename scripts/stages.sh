# Runs the stages of a test run one after the other and says at the end what ran, how long, and what did not and why.
# Sourced by scripts/test and scripts/nightly.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=.venv/bin
summary=()
failed=0

# stage NAME COMMAND...: runs even when an earlier one failed, since each tells something of its own.
stage() {
  local name=$1 started=$SECONDS status=0
  shift
  printf '\n=== %s: %s\n' "$name" "$*"
  "$@" || status=$?
  local took=$((SECONDS - started))
  if [ "$status" -eq 0 ]; then
    summary+=("passed   ${took}s  $name")
  else
    summary+=("FAILED   ${took}s  $name (exit $status)")
    failed=1
  fi
  return "$status"
}

# skip NAME WHY
skip() {
  summary+=("skipped       $1: $2")
}

finish() {
  printf '\n=== what ran\n'
  printf '%s\n' "${summary[@]}"
  exit "$failed"
}
