from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ticketing", "0061_gift_differences")]

    operations = [
        migrations.AddField(
            model_name="orderline",
            name="not_given",
            field=models.JSONField(editable=False, null=True),
        ),
    ]
