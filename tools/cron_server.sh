#!/usr/bin/env bash
# A PostgreSQL 17 with pgvector, pg_cron and plpgsql_check, for tests: Debian 13's own packages, laid out
# in a folder.
#
#   tools/cron_server.sh start  [DIR]   build DIR if needed, start, print the URL as the last line
#   tools/cron_server.sh stop   [DIR]   stop the server, unmount what start mounted; DIR stays
#   tools/cron_server.sh url    [DIR]   print the URL
#   tools/cron_server.sh status [DIR]   print running, stopped or absent; exit 0 only when running
#
# DIR is, in this order: the argument, PGVEC_CRON_DIR, .cron-server in the checkout.
# PGVEC_CRON_PORT is the port; without it, 54417 or the next free one. A server that runs already keeps
# the one it has.
# Needs root, and the network the first time. The log of the build is DIR.log.
#
# The server is for tests only: superuser without a password from 127.0.0.1, no fsync.
# Stop it before you remove DIR.
#
# Exit: 0 done, 1 not running (status, url) or a failure, 2 wrong usage,
#       3 the server cannot be had here (no root, no debootstrap, no network, no mounts, port taken).
set -euo pipefail

suite=trixie
packages=postgresql-17,postgresql-17-pgvector,postgresql-17-cron,postgresql-17-plpgsql-check
major=17
cluster=main
database=pgvec_cron

cannot() { echo "cron_server: $*" >&2; exit 3; }
fail() { echo "cron_server: $*" >&2; exit 1; }
usage() { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }

[[ $# -ge 1 && $# -le 2 ]] || usage
verb=$1
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dir=$(realpath -m "${2:-${PGVEC_CRON_DIR:-$checkout/.cron-server}}")
[[ $dir != / ]] || fail "DIR cannot be /"
log=$dir.log
wanted=${PGVEC_CRON_PORT:-}
etc=$dir/etc/postgresql/$major/$cluster
conf=$etc/conf.d/pgvec.conf

# --- looking ---------------------------------------------------------------------------------

complete() { # every package is there, and debootstrap finished (it removes its folder at the end)
  [[ -x $dir/usr/lib/postgresql/$major/bin/postgres &&
    -e $dir/usr/share/postgresql/$major/extension/vector.control &&
    -e $dir/usr/share/postgresql/$major/extension/pg_cron.control &&
    ! -d $dir/debootstrap ]]
}

mounts_below() { # the mount points in DIR, deepest first
  awk -v top="$dir/" 'index($5, top) == 1 { print $5 }' /proc/self/mountinfo | sort -r
}

port() { sed -n 's/^port = \([0-9]*\)$/\1/p' "$conf" 2>/dev/null; }
url() { echo "postgresql://postgres@127.0.0.1:$(port)/$database"; }

# Its own clean environment: the caller's locale does not exist in there. Lock descriptor 9 stays out,
# or the server would hold it for as long as it runs.
inside() {
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 chroot "$dir" "$@" 9>&-
}
sql() { # DATABASE STATEMENT
  inside psql -X -At -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$(port)" -U postgres -d "$1" -c "$2"
}
running() {
  complete && [[ -e $conf ]] && inside pg_ctlcluster "$major" "$cluster" status >/dev/null 2>&1
}

# --- building --------------------------------------------------------------------------------

get_debootstrap() {
  command -v debootstrap >/dev/null && return
  command -v apt-get >/dev/null || cannot "debootstrap is not installed, and there is no apt-get to get it"
  {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update && apt-get install -y --no-install-recommends debootstrap debian-archive-keyring
  } >>"$log" 2>&1 </dev/null || cannot "apt-get cannot install debootstrap; see $log"
}

unmount_all() {
  local point
  while read -r point; do
    umount "$point" 2>/dev/null || umount --lazy "$point"
  done < <(mounts_below)
}

build() {
  if [[ -d $dir/debootstrap ]]; then # an earlier build was cut short
    unmount_all
    [[ -z $(mounts_below) ]] || fail "$dir has mounts inside that do not go away; not removing it"
    rm -rf --one-file-system "$dir"
  elif [[ -e $dir && -n $(ls -A "$dir") ]]; then
    cannot "$dir exists and is not a server of this script; name another DIR"
  fi
  get_debootstrap
  mkdir -p "$dir"
  echo "cron_server: building $dir (about a minute; log: $log)" >&2
  LC_ALL=C debootstrap --variant=minbase --include="$packages" "$suite" "$dir" >>"$log" 2>&1 </dev/null ||
    cannot "debootstrap failed ($(tail -n 1 "$log")); see $log"
  complete || cannot "debootstrap left $dir incomplete; see $log"
  # The package may have made the cluster with the encoding of a bare environment, or not at all.
  mount_all
  if [[ -d $etc ]]; then inside pg_dropcluster "$major" "$cluster" >>"$log" 2>&1; fi
}

bind_mount() { # SOURCE TARGET; private: what happens to the copy never reaches the host's own tree
  mount --bind "$1" "$2" 2>>"$log" && mount --make-private "$2" 2>>"$log" ||
    cannot "cannot mount $1 in $dir: $(tail -n 1 "$log")"
}

# /proc, and of /dev nothing where debootstrap's own device nodes work. Never the folder /dev: somebody
# will remove a checkout with a running server in it, and that would take the host's devices along.
mount_all() {
  local device
  mountpoint -q "$dir/proc" || bind_mount /proc "$dir/proc"
  for device in null zero random urandom; do
    if [[ ! -c $dir/dev/$device ]] || ! head -c 1 "$dir/dev/$device" >/dev/null 2>&1; then
      [[ -e $dir/dev/$device ]] || : >"$dir/dev/$device"
      bind_mount "/dev/$device" "$dir/dev/$device"
    fi
  done
}

taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

choose_port() {
  if [[ -n $wanted ]]; then
    [[ $wanted =~ ^[0-9]+$ ]] || fail "PGVEC_CRON_PORT is not a number: $wanted"
    ! taken "$wanted" || cannot "port $wanted is taken; set PGVEC_CRON_PORT"
  else
    for ((wanted = 54417; wanted < 54517; wanted++)); do taken "$wanted" || return 0; done
    cannot "ports 54417 to 54516 are taken; set PGVEC_CRON_PORT"
  fi
}

configure() {
  if [[ ! -d $etc ]]; then
    inside pg_createcluster --locale=C.UTF-8 --encoding=UTF8 "$major" "$cluster" >>"$log" 2>&1 </dev/null ||
      fail "pg_createcluster failed; see $log"
  fi
  mkdir -p "$(dirname "$conf")"
  cat >"$conf" <<END
# Written by tools/cron_server.sh at every start.
listen_addresses = '127.0.0.1'
port = $wanted
ssl = off
shared_preload_libraries = 'pg_cron'
cron.database_name = '$database'
cron.use_background_workers = on
max_worker_processes = 32
max_connections = 200
# mmap needs no /dev/shm
dynamic_shared_memory_type = mmap
# speed, not safety: the data is a test's
fsync = off
synchronous_commit = off
full_page_writes = off
END
  # cat keeps the file's owner
  cat >"$etc/pg_hba.conf" <<END
# Written by tools/cron_server.sh at every start.
local all all              trust
host  all all 127.0.0.1/32 trust
END
}

lock() { # two starts at once build and start once
  mkdir -p "$(dirname "$dir")" && exec 9>"$dir.lock" || cannot "cannot write beside $dir"
  flock 9
}

# --- the verbs -------------------------------------------------------------------------------

create_database() {
  local there
  there=$(sql postgres "SELECT 1 FROM pg_database WHERE datname = '$database'") || return
  if [[ -z $there ]]; then
    sql postgres "CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'" ||
      return
  fi
  sql "$database" "SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS vector;
                   CREATE EXTENSION IF NOT EXISTS pg_cron"
}

start() {
  [[ $EUID -eq 0 ]] || cannot "needs root (chroot and mount)"
  lock
  if running; then
    url
    return
  fi
  choose_port
  complete || build
  mount_all
  configure
  inside pg_ctlcluster --skip-systemctl-redirect "$major" "$cluster" start >>"$log" 2>&1 </dev/null ||
    fail "the server does not start; see $log and $dir/var/log/postgresql"
  create_database || fail "the server runs, but $database cannot be set up in it"
  url
}

stop() {
  [[ -d $dir ]] || return 0
  [[ $EUID -eq 0 ]] || cannot "needs root (chroot and mount)"
  lock
  if running; then
    mount_all # pg_ctlcluster looks into /proc
    inside pg_ctlcluster --skip-systemctl-redirect "$major" "$cluster" stop -m fast >>"$log" 2>&1 </dev/null ||
      fail "the server does not stop; see $log"
  fi
  unmount_all
}

status() {
  if running; then
    echo running
  elif complete; then
    echo stopped
    return 1
  else
    echo absent
    return 1
  fi
}

case $verb in
  start | stop | status) "$verb" ;;
  url) [[ -n $(port) ]] || fail "no server in $dir yet; start it first"; url ;;
  *) usage ;;
esac
