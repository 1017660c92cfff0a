-- The planner takes the directory for a small one for a minute after a large import. Only who owns a table may
-- have it looked at, and the service owns none here.

CREATE FUNCTION refresh_directory_statistics() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    ANALYZE public.recipients, public.subscriptions;
END $$;

REVOKE EXECUTE ON FUNCTION refresh_directory_statistics() FROM PUBLIC;
