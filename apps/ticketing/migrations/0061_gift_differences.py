import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ticketing", "0059_changes_undone_once")]

    operations = [
        migrations.AddField(
            model_name="choicechange",
            name="gift",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="differences",
                to="ticketing.gift",
            ),
        ),
        migrations.AlterField(
            model_name="givingrule",
            name="when_dearer",
            field=models.CharField(
                choices=[
                    ("flag", "May have it, and the door asks for a proof of membership"),
                    ("pay", "May have it, and pays the difference"),
                    ("refuse", "Cannot have it"),
                ],
                default="flag",
                help_text="Such as somebody who is no member, for a ticket bought at the members' price.",
                max_length=6,
                verbose_name="somebody for whom the ticket would cost more",
            ),
        ),
    ]
