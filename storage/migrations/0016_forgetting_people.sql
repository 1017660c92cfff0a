-- What the planner knows of these tables quotes some of their values.

CREATE OR REPLACE FUNCTION refresh_directory_statistics() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    ANALYZE public.recipients, public.subscriptions, public.transactional_messages,
            public.transactional_requests;
END $$;
