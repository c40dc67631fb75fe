# Sourced by test.sh and bench.sh: a PostgreSQL and a Redis of their own, on free ports of the loopback interface, in a
# folder that goes away with them.
#   start_services quick     as fast as can be: what is written may be lost in a crash
#   start_services durable   as in production, with room for the contacts of the benches in shared_buffers
# exports TEST_DATABASE_URL (an administrator's, of the database `postgres`) and TEST_REDIS_URL.
# shellcheck shell=bash

services_dir=
redis_pid=

# PostgreSQL refuses to run as root.
as_postgres() {
  if [ "$(id -u)" != 0 ]; then
    (cd "$services_dir" && "$@")
  else
    (cd "$services_dir" && runuser -u "$(id -un postgres 2>/dev/null || echo nobody)" -- "$@")
  fi
}

start_services() {
  local bin port buffers=1GB durability=()
  bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
  [ -n "$bin" ] || bin=$(dirname "$(command -v initdb)")
  if [ "$1" = quick ]; then
    buffers=256MB
    durability=(-c fsync=off -c synchronous_commit=off -c full_page_writes=off)
  fi

  services_dir=$(mktemp -d "${TMPDIR:-/tmp}/ese-services.XXXXXX")
  pg_ctl=$bin/pg_ctl
  [ "$(id -u)" != 0 ] || chown "$(id -un postgres 2>/dev/null || echo nobody)" "$services_dir"

  port=$(free_port)
  as_postgres sh -c 'umask 077 && echo test >password'
  as_postgres "$bin/initdb" --pgdata=data --username=test --auth=password --pwfile=password \
    --encoding=UTF8 --locale=C.UTF-8 >"$services_dir/initdb.log" 2>&1 || {
    cat "$services_dir/initdb.log" >&2
    die "PostgreSQL's initdb failed"
  }
  as_postgres "$pg_ctl" --pgdata=data --log=postgresql.log --wait --silent start \
    --options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$services_dir -c max_connections=400 -c shared_buffers=$buffers ${durability[*]}" || {
    cat "$services_dir/postgresql.log" >&2
    die "PostgreSQL did not start"
  }
  export TEST_DATABASE_URL=postgres://test:test@127.0.0.1:$port/postgres

  port=$(free_port)
  redis-server --bind 127.0.0.1 --port "$port" --save '' --appendonly no --dir "$services_dir" \
    >"$services_dir/redis.log" 2>&1 &
  redis_pid=$!
  export TEST_REDIS_URL=redis://127.0.0.1:$port
}

stop_services() {
  [ -n "$services_dir" ] || return 0
  if [ -n "$redis_pid" ]; then
    kill "$redis_pid" 2>/dev/null || true
    wait "$redis_pid" 2>/dev/null || true
  fi
  [ ! -d "$services_dir/data" ] || as_postgres "$pg_ctl" --pgdata=data --mode=immediate --silent stop || true
  rm -rf "$services_dir"
  services_dir=
}
