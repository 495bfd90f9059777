import uuid

from django.db import migrations


def fill(apps, schema_editor):
    links = apps.get_model("oauth", "Link").objects
    for key in links.filter(public_id=None).values_list("pk", flat=True).iterator():
        links.filter(pk=key).update(public_id=uuid.uuid4())


class Migration(migrations.Migration):
    dependencies = [("oauth", "0003_link_public_id")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
