#!/usr/bin/env bash
# A real schema registry (Apicurio, in memory, with Confluent's API) on loopback, for tests and by hand.
#   registry.sh start DIR   fetches it if need be, starts it, waits until it answers, prints its URL
#   registry.sh stop DIR    ends it (by pid)
# DIR holds log and pid; the caller removes it. The program lies in $MILLRACE_CACHE (~/.cache/millrace).
set -euo pipefail
version=2.6.13.Final
home=${MILLRACE_CACHE:-$HOME/.cache/millrace}/apicurio/$version

fetch() {
  [[ -e $home/.complete ]] && return
  mkdir -p "$home"
  exec 9>"$home/.lock"
  flock 9
  [[ -e $home/.complete ]] && return
  echo "fetching Apicurio Registry $version" >&2
  mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
    -Dartifact=io.apicurio:apicurio-registry-app:$version:tar.gz:all -DoutputDirectory="$home" >&2
  tar -xzf "$home/apicurio-registry-app-$version-all.tar.gz" -C "$home"
  rm "$home/apicurio-registry-app-$version-all.tar.gz"
  touch "$home/.complete"
  exec 9>&-
}

start() {
  local dir port url end
  mkdir -p "$1"
  dir=$(cd "$1" && pwd)
  fetch
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  url=http://127.0.0.1:$port/apis/ccompat/v7
  # Descriptors of the caller (a test's pipe, a lock) must not live as long as the registry.
  setsid java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dquarkus.http.host=127.0.0.1 -Dquarkus.http.port="$port" \
    -jar "$home/apicurio-registry-app-$version-runner.jar" </dev/null >"$dir/log" 2>&1 3>&- 9>&- &
  echo $! >"$dir/pid"
  end=$((SECONDS + 120))
  until curl -sf -m 5 -o /dev/null "$url/subjects"; do
    if ((SECONDS > end)); then
      echo "the registry did not start:" >&2
      tail -n 20 "$dir/log" >&2
      stop "$dir"
      return 1
    fi
    sleep 0.2
  done
  echo "$url"
}

stop() {
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) || return 0
  kill -9 "$pid" 2>/dev/null || true
  rm -f "$1/pid"
}

case ${1:-} in
  start) start "$2" ;;
  stop) stop "$2" ;;
  *) sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
