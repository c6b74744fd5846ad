#!/bin/sh
# The secrets of the compose file on a development machine, kept in a folder that git ignores. What exists stays.
# The folder is closed to others. The files are not, because a container's user must read its bind mount of them.
set -eu
umask 077
folder=$(dirname "$0")/secrets
mkdir -p "$folder"
chmod 0700 "$folder"

make_secret() { # name, command that prints it
  name=$1
  shift
  [ -s "$folder/$name" ] && return
  "$@" > "$folder/$name.new"
  chmod 0444 "$folder/$name.new"
  mv "$folder/$name.new" "$folder/$name"
  echo "made $folder/$name"
}

random_base64() { head -c 567 /dev/urandom | base64 | tr -d '\n'; } # 756 characters; mongod takes 6 to 1024
random_hex() { head -c 24 /dev/urandom | od -An -vtx1 | tr -d ' \n'; } # hex: it goes into a URI as it is

# every Kafka user of a development system has the password <user>-dev, in code too; PELANGI_ENV=production is refused
make_secret kafka_admin_password printf admin-dev
make_secret mongo_keyfile random_base64
make_secret mongo_root_password random_hex
make_secret grafana_admin_password random_hex
