#!/bin/sh
# Create Temporal's two databases and bring their schemas up to date. Safe to repeat. Runs in temporalio/admin-tools,
# with PostgreSQL's host in POSTGRES_HOST, its user in POSTGRES_USER and the password in SQL_PASSWORD.
set -eu

for part in temporal visibility; do
  case $part in
    temporal) database=temporal ;;
    visibility) database=temporal_visibility ;;
  esac
  tool() {
    temporal-sql-tool --plugin postgres12 --ep "$POSTGRES_HOST" -p 5432 -u "$POSTGRES_USER" --db "$database" "$@"
  }
  tool create
  tool setup-schema -v 0.0 || true # says that it was done before
  tool update-schema -d "/etc/temporal/schema/postgresql/v12/$part/versioned"
done
