from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ticketing", "0058_covered_changes")]

    operations = [
        migrations.AddField(
            model_name="choicechange",
            name="undone_at",
            field=models.DateTimeField(null=True),
        ),
    ]
