from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("oauth", "0002_request_count")]

    operations = [
        migrations.AddField("link", "public_id", models.UUIDField(null=True, editable=False)),
    ]
