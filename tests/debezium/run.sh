#!/usr/bin/env bash
# Tables that follow a real PostgreSQL through Debezium's connector, in Kafka Connect, on a broker of their own. The jars lie in
# $MILLRACE_CACHE (~/.cache/millrace). Skipped where there is no PostgreSQL 13 or newer, no Java, or Maven cannot get them.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
libs=${MILLRACE_CACHE:-$HOME/.cache/millrace}/debezium/3.0.8
postgres=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[[ -x $postgres/initdb ]] || { echo "no PostgreSQL (the package postgresql)"; exit 77; }
command -v java >/dev/null && command -v mvn >/dev/null || { echo "no Java or no Maven"; exit 77; }
if [[ ! -e $libs/.complete ]]; then
  mkdir -p "$libs"
  mvn -q -B -f "$here/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory="$libs" >&2 ||
    { echo "Maven cannot get Debezium"; exit 77; }
  touch "$libs/.complete"
fi
DEBEZIUM_JARS="$libs" POSTGRES=$postgres exec "$here/../kafka/with_broker.sh" python3 -B "$here/live_test.py"
