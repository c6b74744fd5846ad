#!/bin/sh
# The first SCRAM user. A SCRAM user can only be made by somebody who is let in already, so this runs in the broker's own
# network namespace and comes by the ADMIN listener, which is bound to the loopback there. Everything else is made by
# `pelangi topics apply` as this user. Running it again sets the same password again.
set -eu

bin=${KAFKA_BIN:-/opt/kafka/bin}
admin_listener=${ADMIN_LISTENER:-localhost:9094}
: "${ADMIN_USER:?}" "${ADMIN_PASSWORD_FILE:?}"

# in a file and not in an argument, where `ps` would show it
umask 077
settings=$(mktemp)
trap 'rm -f "$settings"' EXIT
printf 'SCRAM-SHA-512=iterations=4096,password=%s\n' "$(cat "$ADMIN_PASSWORD_FILE")" > "$settings"

"$bin/kafka-configs.sh" --bootstrap-server "$admin_listener" --alter \
  --entity-type users --entity-name "$ADMIN_USER" --add-config-file "$settings"
