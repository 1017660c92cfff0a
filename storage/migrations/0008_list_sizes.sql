-- How many people are on a list in which way, kept so that nobody has to count a million. What a list has is
-- the sum of its rows: a statement adds a row of its own, together with those rows that no other transaction
-- holds. So nobody waits for anybody, not even for an import that takes minutes, and rows stay few.

LOCK TABLE subscriptions IN SHARE ROW EXCLUSIVE MODE;

CREATE TABLE list_sizes (
    list   integer NOT NULL,
    status text    NOT NULL,
    people bigint  NOT NULL
);

CREATE INDEX list_sizes_list ON list_sizes (list);

INSERT INTO list_sizes SELECT list, status, count(*) FROM subscriptions GROUP BY list, status;

CREATE FUNCTION add_to_list_sizes(lists integer[], statuses text[], changes bigint[]) RETURNS void
LANGUAGE sql AS $$
    WITH gathered AS (
        DELETE FROM public.list_sizes WHERE ctid = ANY (ARRAY(
            SELECT s.ctid FROM public.list_sizes s WHERE s.list = ANY (lists) FOR UPDATE SKIP LOCKED))
        RETURNING list, status, people
    )
    INSERT INTO public.list_sizes
    SELECT list, status, sum(people) FROM (
        SELECT list, status, people FROM gathered
        UNION ALL
        SELECT list, status, people FROM unnest(lists, statuses, changes) AS change (list, status, people)
    ) AS parts
    GROUP BY list, status HAVING sum(people) <> 0
$$;

CREATE FUNCTION count_subscriptions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM public.add_to_list_sizes(array_agg(list), array_agg(status), array_agg(people))
        FROM (SELECT list, status, count(*) AS people FROM added GROUP BY list, status) AS change
        HAVING count(*) > 0;
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM public.add_to_list_sizes(array_agg(list), array_agg(status), array_agg(people))
        FROM (SELECT list, status, -count(*) AS people FROM removed GROUP BY list, status) AS change
        HAVING count(*) > 0;
    ELSE
        PERFORM public.add_to_list_sizes(array_agg(list), array_agg(status), array_agg(people))
        FROM (
            SELECT list, status, sum(people)::bigint AS people FROM (
                SELECT list, status, 1 AS people FROM added
                UNION ALL
                SELECT list, status, -1 FROM removed
            ) AS parts
            GROUP BY list, status HAVING sum(people) <> 0
        ) AS change
        HAVING count(*) > 0;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER count_added AFTER INSERT ON subscriptions
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_subscriptions();
CREATE TRIGGER count_removed AFTER DELETE ON subscriptions
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION count_subscriptions();
CREATE TRIGGER count_changed AFTER UPDATE ON subscriptions
    REFERENCING OLD TABLE AS removed NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION count_subscriptions();
