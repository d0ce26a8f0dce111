#!/bin/sh
# A role that may only read, for Grafana; run once, when the database is made.
set -eu

password=$(cat "${READER_PASSWORD_FILE:-/run/secrets/ledger_reader_password}")
psql --set ON_ERROR_STOP=1 --set password="$password" --username "$POSTGRES_USER" "$POSTGRES_DB" <<'SQL'
CREATE ROLE reader LOGIN PASSWORD :'password' CONNECTION LIMIT 10;
GRANT pg_read_all_data TO reader;
ALTER ROLE reader SET default_transaction_read_only = on;
SQL
