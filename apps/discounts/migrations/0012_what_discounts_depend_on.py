"""The tables stay as they are: what a discount is about is now protected from being deleted."""

import django.db.models.deletion
from django.db import migrations, models


def _link(name: str, field: str, to: str, table: str) -> migrations.CreateModel:
    return migrations.CreateModel(
        name=name,
        fields=[
            ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
            (
                "discount",
                models.ForeignKey(
                    on_delete=django.db.models.deletion.CASCADE, related_name="+", to="discounts.discount"
                ),
            ),
            (field, models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=to)),
        ],
        options={"db_table": table, "ordering": ["id"], "unique_together": {("discount", field)}},
    )


class Migration(migrations.Migration):
    dependencies = [("discounts", "0011_links_that_admit"), ("ticketing", "0024_addresses_and_prices_seen")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                _link("DiscountTicketType", "tickettype", "ticketing.tickettype", "discounts_discount_ticket_types"),
                _link("DiscountBody", "memberbody", "discounts.memberbody", "discounts_discount_bodies"),
                migrations.AlterField(
                    model_name="discount",
                    name="ticket_types",
                    field=models.ManyToManyField(
                        blank=True,
                        help_text="None ticked: all tickets of the event.",
                        related_name="discounts",
                        through="discounts.DiscountTicketType",
                        to="ticketing.tickettype",
                        verbose_name="tickets",
                    ),
                ),
                migrations.AlterField(
                    model_name="discount",
                    name="bodies",
                    field=models.ManyToManyField(
                        blank=True,
                        help_text="Whoever is a member of one of these. None ticked: no membership is asked for.",
                        related_name="discounts",
                        through="discounts.DiscountBody",
                        to="discounts.memberbody",
                        verbose_name="members of",
                    ),
                ),
            ]
        )
    ]
