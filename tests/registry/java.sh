#!/usr/bin/env bash
# A second opinion: Avro for Java on what Millrace writes and reads, and on which schemas may follow which. Its jars lie in
# $MILLRACE_CACHE (~/.cache/millrace). Skipped where there is no Java, or Maven cannot get them.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(grep -A1 '<artifactId>avro</artifactId>' "$here/pom.xml" | sed -n 's/.*<version>\(.*\)<.*/\1/p')
libs=${MILLRACE_CACHE:-$HOME/.cache/millrace}/avro/$version
command -v java >/dev/null && command -v mvn >/dev/null || { echo "no Java or no Maven"; exit 77; }
if [[ ! -e $libs/.complete ]]; then
  mkdir -p "$libs"
  mvn -q -B -f "$here/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory="$libs" >&2 ||
    { echo "Maven cannot get Avro"; exit 77; }
  touch "$libs/.complete"
fi
AVRO_JARS="$libs/*" exec python3 -B "$here/java_test.py"
