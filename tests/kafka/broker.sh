#!/usr/bin/env bash
# A real Apache Kafka broker (KRaft, one node or several) on loopback, for tests and by hand.
#   broker.sh start DIR [NODES]     fetches the jars if need be, starts the nodes, waits until they answer, prints HOST:PORT[,...]
#   broker.sh stop DIR              ends the nodes (by pid)
#   broker.sh kill DIR NODE         kill -9 one node (1..NODES); end DIR NODE: in good order
#   broker.sh run CLASS ...         one of Kafka's own tools
#   broker.sh restart DIR NODE      starts it again on its port and data
#   broker.sh replace DIR NODE      starts it again on its port and an empty disk
# A second listener of each node, DIR/NODE/behind, names DIR/NODE/proxy as its address: whoever comes to a proxy there
# (tests/faults/proxy.py) stays on it.
# MILLRACE_BROKER_LISTENERS: more listeners (SSL://..., SASL_SSL://...); MILLRACE_BROKER_SETTINGS: a file of settings.
# MILLRACE_BROKER_JVM: options of its virtual machine; by default little memory and the simplest collector, which stops
# the broker for tens of milliseconds now and then.
# DIR holds configuration, data, logs and pids; the caller removes it. The jars lie in $MILLRACE_CACHE (~/.cache/millrace).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
libs=${MILLRACE_CACHE:-$HOME/.cache/millrace}/kafka/3.9.1

fetch() {
  [[ -e $libs/.complete ]] && return
  mkdir -p "$libs"
  exec 9>"$libs/.lock"
  flock 9
  [[ -e $libs/.complete ]] && return
  echo "fetching Apache Kafka 3.9.1" >&2
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$libs" >&2
  touch "$libs/.complete"
  exec 9>&-
}

free_ports() {
  python3 - "$1" <<'PY'
import socket, sys
held = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in held:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])
PY
}

configure() {
  local dir=$1 nodes=$2 ports voters="" i replicas
  read -ra ports <<<"$(free_ports $((nodes * 4)))"
  replicas=$((nodes < 3 ? nodes : 3))
  # Nodes that are killed must be missed soon; one alone on a busy machine must not be fenced.
  for ((i = 1; i <= nodes; i++)); do voters+="${voters:+,}$i@127.0.0.1:${ports[nodes + i - 1]}"; done
  for ((i = 1; i <= nodes; i++)); do
    mkdir -p "$dir/$i"
    cat >"$dir/$i/server.properties" <<CONF
process.roles=broker,controller
node.id=$i
controller.quorum.voters=$voters
listeners=PLAINTEXT://127.0.0.1:${ports[i - 1]},PROXIED://127.0.0.1:${ports[2 * nodes + i - 1]},CONTROLLER://127.0.0.1:${ports[nodes + i - 1]}${MILLRACE_BROKER_LISTENERS:+,$MILLRACE_BROKER_LISTENERS}
advertised.listeners=PLAINTEXT://127.0.0.1:${ports[i - 1]},PROXIED://127.0.0.1:${ports[3 * nodes + i - 1]}${MILLRACE_BROKER_LISTENERS:+,$MILLRACE_BROKER_LISTENERS}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL
log.dirs=$dir/$i/data
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$((replicas > 1 ? 2 : 1))
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=$((nodes > 1 ? 2000 : 18000))
broker.heartbeat.interval.ms=500
group.min.session.timeout.ms=1000
log.retention.ms=-1
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
CONF
    [[ -z ${MILLRACE_BROKER_SETTINGS:-} ]] || cat "$MILLRACE_BROKER_SETTINGS" >>"$dir/$i/server.properties"
    cat >"$dir/log4j.properties" <<CONF
log4j.rootLogger=WARN, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n
CONF
    echo "127.0.0.1:${ports[i - 1]}" >"$dir/$i/address"
    echo "127.0.0.1:${ports[2 * nodes + i - 1]}" >"$dir/$i/behind"
    echo "127.0.0.1:${ports[3 * nodes + i - 1]}" >"$dir/$i/proxy"
  done
  local id
  id=$(run kafka.tools.StorageTool random-uuid)
  for ((i = 1; i <= nodes; i++)); do
    run kafka.tools.StorageTool format -t "$id" -c "$dir/$i/server.properties" >/dev/null
  done
}

# The class path stays quoted: the shell must not expand its star.
run() { java -Xmx256m -XX:TieredStopAtLevel=1 -cp "$libs/*" "$@" 2>/dev/null; }

start_node() {
  local dir=$1 i=$2
  # Descriptors of the caller (a test's pipe, a lock) must not live as long as the broker.
  setsid java ${MILLRACE_BROKER_JVM:--Xmx512m -XX:+UseSerialGC} -Dlog4j.configuration="file:$dir/log4j.properties" \
    -cp "$libs/*" kafka.Kafka "$dir/$i/server.properties" </dev/null >>"$dir/$i/log" 2>&1 3>&- 9>&- &
  echo $! >"$dir/$i/pid"
}

wait_for() {
  local dir=$1 nodes=$2 address=$3 end=$((SECONDS + 120))
  # "broker" lines of the listing count the nodes that are up.
  until [[ $(kcat -b "$address" -L -m 2 2>/dev/null | grep -c '^  broker ') -ge $nodes ]]; do
    if ((SECONDS > end)); then
      echo "the broker did not start:" >&2
      tail -n 20 "$dir"/*/log >&2
      return 1
    fi
    sleep 0.1
  done
}

addresses() { cat "$1"/[0-9]*/address | paste -sd, -; }

start() {
  local dir nodes=${2:-1} i
  mkdir -p "$1"
  dir=$(cd "$1" && pwd)
  fetch
  configure "$dir" "$nodes"
  for ((i = 1; i <= nodes; i++)); do start_node "$dir" "$i"; done
  wait_for "$dir" "$nodes" "$(addresses "$dir")" || { stop "$dir"; return 1; }
  addresses "$dir"
}

end() {
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) || return 0
  kill "-$2" "$pid" 2>/dev/null || return 0
  for ((n = 0; n < 100; n++)); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -9 "$pid" 2>/dev/null || true
  rm -f "$1/pid"
}

stop() {
  local node
  for node in "$1"/[0-9]*; do end "$node" KILL; done
}

restart() {
  local dir
  dir=$(cd "$1" && pwd)
  start_node "$dir" "$2"
  wait_for "$dir" 1 "$(cat "$dir/$2/address")"
}

# As one whose disk was lost: it gets its replicas from the others.
replace() {
  local dir id
  dir=$(cd "$1" && pwd)
  id=$(sed -n 's/^cluster.id=//p' "$dir/$2/data/meta.properties")
  rm -rf "${dir:?}/$2/data"
  run kafka.tools.StorageTool format -t "$id" -c "$dir/$2/server.properties" >/dev/null
  restart "$dir" "$2"
}

case ${1:-} in
  start) start "$2" "${3:-1}" ;;
  stop) stop "$2" ;;
  kill) end "$2/$3" KILL ;;
  end) end "$2/$3" TERM ;;
  run) fetch; run "${@:2}" ;;
  restart) restart "$2" "$3" ;;
  replace) replace "$2" "$3" ;;
  *) sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
