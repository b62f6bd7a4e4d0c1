"""Whether an event's catalogue is still the one that was read: one question instead of a dozen queries.

The database function `ticketing_catalogue_edition(event)` names the present version of every row that makes up the
catalogue, and of the event's rules for refunds, which its pages show (kept_rows), as PostgreSQL itself numbers them
(who wrote the row, and where it lies). Any change that commits, whoever makes it, gives another edition; the same
edition means the same rows. A function and not a query, because a session then plans it once.
"""

from __future__ import annotations

from apps.accounts.prepared import Statement

SQL = """
CREATE OR REPLACE FUNCTION ticketing_catalogue_edition(wanted bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    type_ids bigint[] := ARRAY(SELECT id FROM ticketing_tickettype WHERE event_id = wanted ORDER BY id);
    choice_ids bigint[] := ARRAY(
        SELECT c.id FROM ticketing_choice c JOIN ticketing_variation v ON v.id = c.variation_id
        WHERE v.ticket_type_id = ANY(type_ids) ORDER BY c.id);
BEGIN
    RETURN (SELECT coalesce(md5(string_agg(part, ' ' ORDER BY part)), '') FROM (
        SELECT 'event' || xmin || ctid FROM events_event WHERE id = wanted
        UNION ALL SELECT 'organisation' || o.xmin || o.ctid FROM events_organisation o
            JOIN events_event e ON e.organisation_id = o.id WHERE e.id = wanted
        UNION ALL SELECT 'draw' || xmin || ctid FROM ticketing_draw WHERE event_id = wanted
        UNION ALL SELECT 'sale' || xmin || ctid FROM ticketing_salechange WHERE event_id = wanted AND until IS NULL
        UNION ALL SELECT 'type' || xmin || ctid FROM ticketing_tickettype WHERE id = ANY(type_ids)
        UNION ALL SELECT 'variation' || xmin || ctid FROM ticketing_variation WHERE ticket_type_id = ANY(type_ids)
        UNION ALL SELECT 'choice' || xmin || ctid FROM ticketing_choice WHERE id = ANY(choice_ids)
        UNION ALL SELECT 'conflict' || xmin || ctid FROM ticketing_tickettype_conflicts_with
            WHERE from_tickettype_id = ANY(type_ids)
        UNION ALL SELECT 'refund rule' || xmin || ctid FROM ticketing_refundrule WHERE event_id = wanted
        UNION ALL SELECT 'quota' || xmin || ctid FROM ticketing_tickettype_quotas WHERE tickettype_id = ANY(type_ids)
        UNION ALL SELECT 'choice quota' || xmin || ctid FROM ticketing_choice_quotas WHERE choice_id = ANY(choice_ids)
    ) AS parts(part));
END $$
"""
DROP_SQL = "DROP FUNCTION IF EXISTS ticketing_catalogue_edition(bigint)"
_NOW = Statement("catalogue_edition", ("bigint",), "SELECT ticketing_catalogue_edition($1)")


def now(event_id: int) -> str:
    """The present edition of one event's catalogue. One query; locks nothing."""
    ((edition,),) = _NOW.run(event_id)
    return edition
