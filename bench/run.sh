#!/usr/bin/env bash
# Runs the workloads on the memory log, the embedded log and a Kafka broker of its own, and prints a table.
#   bench/run.sh MILLRACE [--quick] [--json FILE]     --quick: 200,000 events instead of 3,000,000
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
millrace=$1 events=3000000 json=
shift
while [[ $# -gt 0 ]]; do
  case $1 in
    --quick) events=200000 ;;
    --json) json=$2; shift ;;
    *) sed -n '2,3s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
  shift
done
dir=$(mktemp -d)
trap '"$here/../tests/kafka/broker.sh" stop "$dir/broker"; rm -rf "$dir"' EXIT
broker=$("$here/../tests/kafka/broker.sh" start "$dir/broker")
for log in --memory --embedded "--kafka=$broker"; do
  for workload in w1 w2 w3 w4 w5; do
    "$millrace" bench "$workload" "$log" --events "$events" --json "$dir/$workload${log%%=*}.json" >&2
  done
done
python3 - "$json" "$dir"/w?--*.json <<'PY'
import json, sys
target, *paths = sys.argv[1:]
results = sorted((json.load(open(p)) for p in paths), key=lambda r: (r["workload"], r["log"]))
if target:
    json.dump(results, open(target, "w"), indent=1)
print("| workload | log | events/s | CPU s per million | peak RSS MB |\n|---|---|---|---|---|")
for r in results:
    print(f"| {r['workload']} | {r['log']} | {r['events_per_second']:,} | {r['cpu_seconds_per_million']:.2f} | {r['peak_rss_mb']:.0f} |")
PY
