#!/usr/bin/env bash
# The demo's tables computed from the same files by sqlite3: expected.sh daily|carrier_delays|plane_trips|fleet, one row a line, fields by tabs, sorted.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
xz -dc "$here/flights.csv.xz" >"$work/flights.csv"
case $1 in
  daily) query="SELECT ORIGIN, (SCHEDULED / 86400000) * 86400000, COUNT(*), COUNT(DEP_DELAY), MAX(DEP_DELAY), AVG(DEP_DELAY) FROM f GROUP BY 1, 2" ;;
  carrier_delays) query="SELECT c.name, COUNT(*), SUM(DEP_DELAY), MAX(DEP_DELAY - ARR_DELAY) FROM f LEFT JOIN c ON f.CARRIER = c.carrier WHERE DEP_DELAY > 60 GROUP BY 1" ;;
  plane_trips) query="SELECT TAILNUM, COUNT(*), SUM(DISTANCE) FROM f WHERE TAILNUM IS NOT NULL GROUP BY 1" ;;
  fleet) query="SELECT trips / 100, COUNT(*), SUM(miles) FROM (SELECT COUNT(*) AS trips, SUM(DISTANCE) AS miles FROM f WHERE TAILNUM IS NOT NULL GROUP BY TAILNUM) GROUP BY 1" ;;
  *) echo "expected.sh: unknown table $1" >&2; exit 2 ;;
esac
{
  echo ".mode csv"
  echo "CREATE TABLE f (ID INT, SCHEDULED INT, CARRIER TEXT, FLIGHT INT, TAILNUM TEXT, ORIGIN TEXT, DEST TEXT, DEP_DELAY INT, ARR_DELAY INT, DISTANCE INT);"
  echo ".import --skip 1 $work/flights.csv f"
  echo ".import $here/airlines.csv c"
  for column in TAILNUM DEP_DELAY ARR_DELAY DISTANCE; do echo "UPDATE f SET $column = NULL WHERE $column = '';"; done
  echo ".mode tabs"
  echo "$query ORDER BY 1, 2;"
} | sqlite3 "$work/db"
