"""What the database itself enforces: its clock, the order of the queue, and books that balance and never change."""

from django.db import migrations

from apps.ticketing.clock import CREATE_SQL, DROP_SQL

RANK = "CREATE SEQUENCE ticketing_rank"
RANK_BACK = "DROP SEQUENCE ticketing_rank"

APPEND_ONLY = """
CREATE FUNCTION ticketing_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The ledger is append-only: correct a posting with a new one.' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER posting_append_only BEFORE UPDATE OR DELETE ON ticketing_posting
    FOR EACH ROW EXECUTE FUNCTION ticketing_refuse_change();
CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE ON ticketing_entry
    FOR EACH ROW EXECUTE FUNCTION ticketing_refuse_change();
CREATE FUNCTION ticketing_posting_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM ticketing_entry WHERE posting_id = NEW.posting_id
               GROUP BY currency HAVING sum(amount_minor) <> 0) THEN
        RAISE EXCEPTION 'Posting % does not sum to zero.', NEW.posting_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER entry_sums_to_zero AFTER INSERT ON ticketing_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ticketing_posting_balances();
"""
APPEND_ONLY_BACK = """
DROP TRIGGER entry_sums_to_zero ON ticketing_entry;
DROP TRIGGER entry_append_only ON ticketing_entry;
DROP TRIGGER posting_append_only ON ticketing_posting;
DROP FUNCTION ticketing_posting_balances();
DROP FUNCTION ticketing_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("ticketing", "0001_initial")]

    operations = [
        migrations.RunSQL(CREATE_SQL, DROP_SQL),
        migrations.RunSQL(RANK, RANK_BACK),
        migrations.RunSQL(APPEND_ONLY, APPEND_ONLY_BACK),
    ]
