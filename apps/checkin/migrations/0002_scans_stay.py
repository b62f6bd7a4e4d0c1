"""What the database itself enforces: a scan is never rewritten; only who scanned may be emptied, with that account."""

from django.db import migrations

REFUSE = """
CREATE FUNCTION checkin_scan_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    rest checkin_scan%ROWTYPE := NEW;
BEGIN
    rest.by_id := OLD.by_id;
    IF rest IS DISTINCT FROM OLD OR (NEW.by_id IS NOT NULL AND NEW.by_id IS DISTINCT FROM OLD.by_id) THEN
        RAISE EXCEPTION 'A scan is never rewritten: an undo is a scan of its own.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER scan_stays BEFORE UPDATE ON checkin_scan FOR EACH ROW EXECUTE FUNCTION checkin_scan_stays();
"""
BACK = """
DROP TRIGGER scan_stays ON checkin_scan;
DROP FUNCTION checkin_scan_stays();
"""


class Migration(migrations.Migration):
    dependencies = [("checkin", "0001_initial")]

    operations = [migrations.RunSQL(REFUSE, BACK)]
