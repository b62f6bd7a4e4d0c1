from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ticketing", "0063_room_to_change_in_place")]

    operations = [
        migrations.AddField(
            model_name="payment",
            name="paid_with",
            field=models.CharField(blank=True, db_default="", default="", max_length=60, verbose_name="paid with"),
        ),
    ]
