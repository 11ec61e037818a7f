-- Before anything is looked up: one installation at a time, and pgvector in the database.
SELECT pg_catalog.pg_advisory_xact_lock(1885824358, 3);
CREATE EXTENSION IF NOT EXISTS vector;
