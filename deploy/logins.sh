#!/bin/sh
# Makes the group roles, a login for each part and the database of the keys, at the first start of the container of PostgreSQL.
# The password of a login is `p<ASTRO_PASSWORD>_<part>`: for trying the parts apart. In production each gets its own.
set -eu
run() { psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" "$@"; }

for group in customer supplier employee core scheduler sequencer projector vault; do
  run -c "CREATE ROLE astro_$group NOLOGIN" -c "GRANT CONNECT ON DATABASE astro TO astro_$group"
done
login() {
  part=$1; shift
  run -c "CREATE ROLE astro_login_$part LOGIN PASSWORD 'p${ASTRO_PASSWORD}_$part'" -c "ALTER ROLE astro_login_$part SET statement_timeout = '15s'"
  for group in "$@"; do run -c "GRANT astro_$group TO astro_login_$part"; done
}
login customer customer vault
login supplier supplier vault
login employee employee vault
login core core vault
login scheduler scheduler vault
login sequencer sequencer
login project_customer projector
login project_operations projector
login project_finance projector
run -c "GRANT pg_read_all_stats TO astro_sequencer, astro_core" -c "CREATE DATABASE astro_vault" \
  -c "REVOKE CONNECT ON DATABASE astro, astro_vault FROM PUBLIC" -c "GRANT CONNECT ON DATABASE astro_vault TO astro_vault"
