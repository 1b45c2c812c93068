#!/usr/bin/env bash
# Confluent's clients against the registry that a server keeps in its own log. Needs the Python environment that
# ./mill test makes; skipped without.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=$here/../../build/confluent_venv/bin/python
[[ -x $python ]] || { echo "no build/confluent_venv: ./mill test makes it"; exit 77; }
exec "$python" -B "$here/embedded_test.py"
