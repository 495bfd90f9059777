from django.db import migrations, models
from django.db.models import F


def by_ten(apps, schema_editor):
    apps.get_model("oauth", "Connection").objects.update(turn=F("turn") / 10)


def one_by_one(apps, schema_editor):
    apps.get_model("oauth", "Connection").objects.update(turn=F("turn") * 10)


class Migration(migrations.Migration):
    dependencies = [("oauth", "0008_connection_turn_filled")]

    operations = [
        migrations.RemoveIndex(model_name="connection", name="connection_sweep_in_turn"),
        migrations.AlterField(
            model_name="connection",
            name="turn",
            field=models.PositiveIntegerField(
                default=0,
                editable=False,
                help_text="A sweep takes the first ten of every tenant, then its next ten.",
            ),
        ),
        migrations.AddIndex(
            model_name="connection",
            index=models.Index(fields=["last_sweep", "turn", "registration", "id"], name="connection_sweep_by_turn"),
        ),
        migrations.RunPython(by_ten, one_by_one),
    ]
