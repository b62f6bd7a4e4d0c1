"""A scan stays as it is; only what tells about a volunteer may be emptied: who scanned, and their own words."""

from django.db import migrations

REFUSE = """
CREATE OR REPLACE FUNCTION checkin_scan_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    rest checkin_scan%ROWTYPE := NEW;
BEGIN
    IF NEW.by_id IS NULL THEN
        rest.by_id := OLD.by_id;
    END IF;
    IF NEW.note = '' THEN
        rest.note := OLD.note;
    END IF;
    IF rest IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'A scan is never rewritten: an undo is a scan of its own.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""
BACK = """
CREATE OR REPLACE FUNCTION checkin_scan_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    rest checkin_scan%ROWTYPE := NEW;
BEGIN
    rest.by_id := OLD.by_id;
    IF rest IS DISTINCT FROM OLD OR (NEW.by_id IS NOT NULL AND NEW.by_id IS DISTINCT FROM OLD.by_id) THEN
        RAISE EXCEPTION 'A scan is never rewritten: an undo is a scan of its own.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("checkin", "0003_gate_passes")]

    operations = [migrations.RunSQL(REFUSE, BACK)]
