#!/bin/sh
# mongod refuses a key file that others may read, and a file secret keeps the mode it has on the host: so a copy on tmpfs.
set -eu
install -m 0400 /run/secrets/mongo_keyfile /tmp/keyfile
exec docker-entrypoint.sh mongod --replSet rs0 --keyFile /tmp/keyfile --bind_ip_all
