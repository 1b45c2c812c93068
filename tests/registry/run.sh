#!/usr/bin/env bash
# The tests with a real registry, a real broker and Confluent's clients: run.sh TESTS. Needs the Python environment that
# ./mill test makes; skipped without.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=$here/../../build/confluent_venv/bin/python
[[ -x $python ]] || { echo "no build/confluent_venv: ./mill test makes it"; exit 77; }
exec "$here/../kafka/with_broker.sh" "$here/with_registry.sh" "$python" -B "$here/$1"
