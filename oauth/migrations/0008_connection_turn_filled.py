from collections import Counter

from django.db import migrations


def fill(apps, schema_editor):
    Connection = apps.get_model("oauth", "Connection")
    turns = Counter()
    for pk, tenant in Connection.objects.order_by("connected_at", "pk").values_list("pk", "tenant").iterator():
        Connection.objects.filter(pk=pk).update(turn=turns[tenant])
        turns[tenant] += 1


class Migration(migrations.Migration):
    dependencies = [("oauth", "0007_connection_turn_and_answers")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
