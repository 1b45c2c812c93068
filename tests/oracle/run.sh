#!/bin/sh
# run.sh PYTHON ARGS...: skips (77) where DuckDB's module is not installed.
"$1" -c 'import duckdb' 2>/dev/null || { echo "no DuckDB for $1: ./mill test installs it" >&2; exit 77; }
exec "$@"
