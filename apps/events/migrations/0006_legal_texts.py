"""Terms, privacy notice and accessibility statement: what editors write, and the versions that nobody can change."""

import apps.accounts.ids
import django.db.models.deletion
import django.db.models.functions.datetime
import wagtail.fields
from django.db import migrations, models


KINDS = ("terms", "privacy", "accessibility")
UNCHANGING = """
CREATE FUNCTION events_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'A version that buyers were shown stays as it was.' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER legal_version_unchanging BEFORE UPDATE OR DELETE ON events_legalversion
    FOR EACH ROW EXECUTE FUNCTION events_refuse_change();
"""
UNCHANGING_BACK = """
DROP TRIGGER legal_version_unchanging ON events_legalversion;
DROP FUNCTION events_refuse_change();
"""


def make_rows(apps, schema_editor):
    """A row for each text of those who are there already, and of the house."""
    Organisation = apps.get_model("events", "Organisation")
    LegalText = apps.get_model("events", "LegalText")
    owners = list(Organisation.objects.all())
    for owner in [*owners, None] if owners else []:
        LegalText.objects.bulk_create(LegalText(organisation=owner, kind=kind) for kind in KINDS)


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0005_words_of_pages'),
    ]

    operations = [
        migrations.CreateModel(
            name='LegalText',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=apps.accounts.ids.new_public_id, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('terms', 'Terms of purchase'), ('privacy', 'Privacy'), ('accessibility', 'Accessibility')], editable=False, max_length=13, verbose_name='text')),
                ('text_sv', wagtail.fields.RichTextField(blank=True, verbose_name='text in Swedish')),
                ('text_en', wagtail.fields.RichTextField(blank=True, verbose_name='text in English')),
                ('organisation', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='legal_texts', to='events.organisation', verbose_name='organisation')),
            ],
            options={
                'verbose_name': 'legal text',
                'verbose_name_plural': 'terms and notices',
                'ordering': ['organisation__name', '-kind'],
                'constraints': [models.UniqueConstraint(fields=('organisation', 'kind'), name='legal_text_once'), models.UniqueConstraint(condition=models.Q(('organisation', None)), fields=('kind',), name='legal_text_once_in_the_house')],
            },
        ),
        migrations.CreateModel(
            name='LegalVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('terms', 'Terms of purchase'), ('privacy', 'Privacy'), ('accessibility', 'Accessibility')], max_length=13)),
                ('number', models.PositiveIntegerField()),
                ('text_sv', models.TextField(blank=True)),
                ('text_en', models.TextField(blank=True)),
                ('shown_from', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('organisation', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='legal_versions', to='events.organisation')),
            ],
            options={
                'verbose_name': 'version of a legal text',
                'verbose_name_plural': 'versions of legal texts',
                'ordering': ['-number'],
                'constraints': [models.UniqueConstraint(fields=('organisation', 'kind', 'number'), name='legal_version_once'), models.UniqueConstraint(condition=models.Q(('organisation', None)), fields=('kind', 'number'), name='legal_version_once_in_the_house')],
            },
        ),
        migrations.RunPython(make_rows, migrations.RunPython.noop),
        migrations.RunSQL(UNCHANGING, UNCHANGING_BACK),
    ]
