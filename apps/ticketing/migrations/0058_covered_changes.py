from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ticketing", "0057_parts_of_a_price")]

    operations = [
        migrations.AddField(
            model_name="choicechange",
            name="covered",
            field=models.JSONField(blank=True, db_default={}, default=dict),
        ),
    ]
