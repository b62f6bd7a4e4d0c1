"""One place in line per person and event. Orders that stand there beside an earlier one of the same person are given
up first, and that is written into the audit; offers stay, because they hold places."""

from django.db import migrations, models

GIVE_UP_SECOND_PLACES = """
WITH standing AS (
    SELECT id, state, row_number() OVER (
        PARTITION BY event_id, buyer_key ORDER BY state <> 'offered', rank NULLS FIRST, id) AS place
    FROM ticketing_order WHERE state IN ('queued', 'waiting', 'offered') AND buyer_key <> ''
), moved AS (
    UPDATE ticketing_order o SET state = 'cancelled', reason = 'in_queue' FROM standing
    WHERE o.id = standing.id AND standing.place > 1 AND standing.state <> 'offered'
    RETURNING o.id, standing.state AS old
)
INSERT INTO ticketing_auditentry (model, row_id, old, new, reason, actor_id, request_id, at)
SELECT 'ticketing.order', id, old, 'cancelled', 'in_queue', NULL, '', foyer_now() FROM moved ORDER BY id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("ticketing", "0009_reminders"),
    ]

    operations = [
        migrations.RunSQL(GIVE_UP_SECOND_PLACES, migrations.RunSQL.noop),
        migrations.RemoveConstraint(
            model_name="order",
            name="order_one_entry_per_person",
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["queued", "waiting", "offered"]), models.Q(("buyer_key", ""), _negated=True)),
                fields=("event", "buyer_key"),
                name="order_one_place_per_person",
            ),
        ),
    ]
