#!/usr/bin/env bash
# Runs a command with a Kafka broker of its own: with_broker.sh [-n NODES] [--other] COMMAND...
# MILLRACE_TEST_BROKER names it (HOST:PORT), MILLRACE_TEST_BROKER_DIR its directory (broker.sh kill, restart). A broker that
# MILLRACE_TEST_BROKER names already is used as it is. With --other there is a second cluster of one broker, which
# MILLRACE_TEST_OTHER_BROKER and MILLRACE_TEST_OTHER_BROKER_DIR name.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
nodes=1 other=
if [[ ${1:-} == -n ]]; then
  nodes=$2
  shift 2
fi
if [[ ${1:-} == --other ]]; then
  other=1
  shift
fi
[[ -n ${MILLRACE_TEST_BROKER:-} && (-z $other || -n ${MILLRACE_TEST_OTHER_BROKER:-}) ]] && exec "$@"
dir=$(mktemp -d)
trap '"$here/broker.sh" stop "$dir/home"; "$here/broker.sh" stop "$dir/other"; rm -rf "$dir"' EXIT
if [[ -z ${MILLRACE_TEST_BROKER:-} ]]; then
  MILLRACE_TEST_BROKER=$("$here/broker.sh" start "$dir/home" "$nodes")
  export MILLRACE_TEST_BROKER MILLRACE_TEST_BROKER_DIR=$dir/home
fi
if [[ -n $other ]]; then
  MILLRACE_TEST_OTHER_BROKER=$("$here/broker.sh" start "$dir/other")
  export MILLRACE_TEST_OTHER_BROKER MILLRACE_TEST_OTHER_BROKER_DIR=$dir/other
fi
"$@"
