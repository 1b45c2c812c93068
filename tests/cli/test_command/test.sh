#!/usr/bin/env bash
# `millrace test` on scripts that pass and fail and on record files: test.sh MILLRACE EXAMPLES
set -euo pipefail
millrace=$(realpath "$1"); examples=$(realpath "$2")
cd "$(dirname "$0")"
fail() { echo "FAILED: $1" >&2; exit 1; }

"$millrace" test -t "$examples" | tail -1 | grep -qx '3 of 3 tests passed' || fail "the examples"
status=0; "$millrace" test --test-directory failing.sql >/tmp/millrace_test.$$ 2>&1 || status=$?
[[ $status == 1 ]] || fail "failing tests exit with $status"
diff failing.expected /tmp/millrace_test.$$ || fail "failing tests say something else"
rm /tmp/millrace_test.$$

[[ $("$millrace" test -s statements.sql -i input.json -o output.json) == $'\t >>> Test passed!' ]] || fail "records that are right"
wrong=$(mktemp); trap 'rm -f "$wrong"' EXIT
sed 's/"N":2/"N":3/' output.json >"$wrong"
status=0; said=$("$millrace" test -s statements.sql -i input.json -o "$wrong" 2>&1) || status=$?
[[ $status == 1 ]] || fail "wrong records exit with $status"
[[ $said == *'>>>>> Test failed: Topic C, record 2: value {"N":2} instead of {"N":3}'* ]] || fail "wrong records say: $said"
status=0; "$millrace" test >/dev/null 2>&1 || status=$?
[[ $status == 255 ]] || fail "a bad command line exits with $status"
