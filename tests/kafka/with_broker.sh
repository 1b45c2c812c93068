#!/usr/bin/env bash
# Runs a command with a Kafka broker of its own: with_broker.sh [-n NODES] COMMAND...
# MILLRACE_TEST_BROKER names it (HOST:PORT), MILLRACE_TEST_BROKER_DIR its directory (broker.sh kill, restart). A broker that
# MILLRACE_TEST_BROKER names already is used as it is.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
nodes=1
if [[ ${1:-} == -n ]]; then
  nodes=$2
  shift 2
fi
[[ -n ${MILLRACE_TEST_BROKER:-} ]] && exec "$@"
dir=$(mktemp -d)
trap '"$here/broker.sh" stop "$dir"; rm -rf "$dir"' EXIT
MILLRACE_TEST_BROKER=$("$here/broker.sh" start "$dir" "$nodes")
export MILLRACE_TEST_BROKER MILLRACE_TEST_BROKER_DIR=$dir
"$@"
