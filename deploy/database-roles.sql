-- Two users of the database: `longshore_owner`, who runs this file and later `longshore admin migrate`, owns the
-- tables; nodes are `longshore`, who may read and write rows. Who owns tables can take triggers away, and with
-- them what makes the audit trail append-only. PostgreSQL remembers the grants for tables of later versions.
--
--   NODES_PASSWORD_FILE=secrets/database-password psql "$OWNER" -v ON_ERROR_STOP=1 -f deploy/database-roles.sql
\set password `cat "$NODES_PASSWORD_FILE"`

CREATE ROLE longshore LOGIN PASSWORD :'password';
GRANT USAGE ON SCHEMA public TO longshore;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO longshore;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO longshore;
