import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("oauth", "0004_link_public_id_filled")]

    operations = [
        migrations.AlterField("link", "public_id", models.UUIDField(default=uuid.uuid4, unique=True, editable=False)),
    ]
