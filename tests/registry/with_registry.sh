#!/usr/bin/env bash
# Runs a command with a schema registry of its own: with_registry.sh COMMAND...
# MILLRACE_TEST_REGISTRY is its URL. One that is named already is used as it is.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[[ -n ${MILLRACE_TEST_REGISTRY:-} ]] && exec "$@"
dir=$(mktemp -d)
trap '"$here/registry.sh" stop "$dir"; rm -rf "$dir"' EXIT
MILLRACE_TEST_REGISTRY=$("$here/registry.sh" start "$dir")
export MILLRACE_TEST_REGISTRY
"$@"
