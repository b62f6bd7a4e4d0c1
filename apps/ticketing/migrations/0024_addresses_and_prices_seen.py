"""Whether somebody has confirmed an order's address, and what the form showed of each line's price."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ticketing", "0023_disputes_and_vat_parts")]

    operations = [
        migrations.AddField(
            model_name="order",
            name="email_confirmed_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="orderline",
            name="seen_minor",
            field=models.PositiveIntegerField(editable=False, null=True),
        ),
    ]
