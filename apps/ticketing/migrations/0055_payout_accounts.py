import apps.accounts.keyring
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ticketing', '0051_waiting_list'),
    ]

    operations = [
        migrations.CreateModel(
            name='PayoutAccount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('holder', apps.accounts.keyring.EncryptedTextField(verbose_name='account holder')),
                ('number', apps.accounts.keyring.EncryptedTextField(verbose_name='account number')),
                ('given_at', models.DateTimeField(verbose_name='given')),
                ('refund', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='payout_account', to='ticketing.refund')),
            ],
            options={
                'verbose_name': 'payout account',
                'verbose_name_plural': 'payout accounts',
            },
        ),
    ]
