CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$body$;

-- ENABLE ALWAYS: also when session_replication_role would switch triggers off. TRUNCATE needs a trigger of its own on
-- every partition; row triggers of a partitioned table are cloned to its partitions by PostgreSQL.
CREATE FUNCTION guard_append_only(name text) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
    is_partition boolean := (SELECT relispartition FROM pg_class WHERE oid = name::regclass);
BEGIN
    IF NOT is_partition THEN
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
            name || '_append_only', name);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', name, name || '_append_only');
    END IF;
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
        name || '_no_truncate', name);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', name, name || '_no_truncate');
END
$body$;

-- The partitions of one month (yyyymm); does nothing for those that are there.
CREATE FUNCTION ensure_month(wanted integer) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
    parent text;
    child text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['transitions', 'decisions', 'webhook_events', 'receipts'] LOOP
        child := parent || '_' || wanted;
        IF to_regclass(child) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES IN (%s)', child, parent, wanted);
            PERFORM guard_append_only(child);
        END IF;
    END LOOP;
END
$body$;
