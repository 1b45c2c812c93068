#!/usr/bin/env bash
# Runs the demo and compares its tables with what sqlite3 makes of the same files: demo_test.sh MILLRACE [--kafka HOST:PORT]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
flights=$here/../../examples/flights
tables=$(mktemp -d); trap 'rm -rf "$tables"' EXIT
options=("${@:2}")
if [[ -n ${MILLRACE_TEST_BROKER:-} ]]; then options+=(--kafka "$MILLRACE_TEST_BROKER"); fi
DEMO_TABLES=$tables "$flights/demo.sh" "$1" ${options[@]+"${options[@]}"} | cat
for table in daily carrier_delays plane_trips fleet; do
  "$flights/expected.sh" "$table" >"$tables/expected"
  python3 "$here/compare_tables.py" "$table" "$tables/$table" "$tables/expected"
done
