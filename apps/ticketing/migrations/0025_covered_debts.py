"""What a payer's bank has sent of a refund that did not arrive, and a dispute told of in another currency."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ticketing", "0024_addresses_and_prices_seen")]

    operations = [
        migrations.AddField(
            model_name="refund",
            name="covered_minor",
            field=models.PositiveIntegerField(db_default=0, default=0, verbose_name="covered by a dispute"),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(("covered_minor", 0))
                | models.Q(("covered_minor__lte", models.F("amount_minor")), ("state", "failed")),
                name="refund_covered_is_a_failed_one",
            ),
        ),
        migrations.AddField(
            model_name="dispute",
            name="told_minor",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="dispute",
            name="told_currency",
            field=models.CharField(blank=True, db_default="", default="", max_length=3),
        ),
    ]
