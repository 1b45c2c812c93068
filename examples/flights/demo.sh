#!/usr/bin/env bash
# Runs demo.sql over New York's flights of 2013: demo.sh MILLRACE [--kafka HOST:PORT]
# Leaves the server running when a person watches; stops it when the output goes elsewhere.
# DEMO_TABLES=DIR also writes the tables there, a JSON array a row, for tests.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
millrace=$(realpath "$1"); shift
server_options=("$@")

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
# Waits until every query has consumed and committed what lies in its inputs, at most 2 minutes.
settle() {
  local quiet=0 lag
  for _ in $(seq 1200); do
    lag=$(curl -s "$url/metrics" | awk '/^millrace_query_lag_records[{]/ { lag += $2 } END { print lag + 0 }')
    [[ $lag == 0 ]] && quiet=$((quiet + 1)) || quiet=0
    [[ $quiet -ge 20 ]] && return
    sleep 0.1
  done
  echo "demo: the queries do not come to rest (lag $lag)" >&2
  return 1
}

data=$(mktemp -d "${TMPDIR:-/tmp}/millrace-demo-XXXXXX")
step "Starting a server (data in $data)"
"$millrace" server --data "$data/server" --listen 127.0.0.1:0 --log-level warn "${server_options[@]}" >"$data/ready" 2>"$data/server.log" &
server=$!
stop_server() { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; rm -rf "$data"; }
trap stop_server EXIT
for _ in $(seq 300); do
  [[ -s $data/ready ]] && break
  kill -0 "$server" 2>/dev/null || { cat "$data/server.log" >&2; exit 1; }
  sleep 0.1
done
cat "$data/ready"
url=$(grep -o 'http://[0-9.:]*' "$data/ready")
sql() { "$millrace" shell "$url" -e "$1"; }

step "Statements: examples/flights/demo.sql"
"$millrace" shell "$url" -f "$here/demo.sql"

step "Loading 16 carriers, then 336,776 flights"
"$millrace" load carriers "$here/airlines.csv" "$url"
settle
xz -dc "$here/flights.csv.xz" | "$millrace" load flights - "$url" &
loader=$!

step "Results changing while the flights arrive (a push query, for 3 seconds)"
"$millrace" shell "$url" --query-timeout 3000 --query-row-limit 12 -e \
  "SELECT name, late, minutes, best_recovery FROM carrier_delays EMIT CHANGES;"
wait "$loader"

settle

step "Which airline is late most often? (a pull query on a table)"
sql "SELECT name, late, minutes, best_recovery FROM carrier_delays WHERE late > 2000;"
step "The same table's topic is Avro: its schema in the server's registry, and a record of it"
curl -sf "$url/subjects/CARRIER_DELAYS-value/versions/latest"; echo
sql "PRINT CARRIER_DELAYS FROM BEGINNING LIMIT 1;"
step "JFK on the day of the February blizzard (a pull query on a key and a window)"
sql "SELECT origin, windowstart, flights, departed, worst, average FROM daily WHERE origin = 'JFK' AND windowstart >= '2013-02-08' AND windowstart < '2013-02-10';"
step "The fleet: how many aircraft made how many hundreds of trips"
sql "SELECT hundreds, planes, miles FROM fleet;"

if [[ -n ${DEMO_TABLES:-} ]]; then
  dump() { curl -sf "$url/query-stream" -d "{\"sql\":\"SELECT $2 FROM $1;\"}" | tail -n +2 >"$DEMO_TABLES/$1"; }
  dump daily "origin, windowstart, flights, departed, worst, average"
  dump carrier_delays "name, late, minutes, best_recovery"
  dump plane_trips "tailnum, trips, miles"
  dump fleet "hundreds, planes, miles"
fi

if [[ -t 1 ]]; then
  trap - EXIT
  step "The server is still running"
  echo "open the shell:  $millrace shell $url"
  echo "stop the server: kill $server; rm -rf $data"
fi
