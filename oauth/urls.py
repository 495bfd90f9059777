from django.urls import path

from . import views

app_name = "oauth"

urlpatterns = [
    path("c/<str:token>", views.open_link),  # some mail programs leave the last slash out of the address
    path("c/<str:token>/", views.open_link, name="open"),
    path("connect/<int:link_id>/", views.landing, name="landing"),
    path("connect/<int:link_id>/start/", views.start, name="start"),
    path("connect/attempt/<uuid:attempt_id>/", views.outcome, name="attempt"),
    path("oauth/callback/<slug:cloud_key>/", views.callback, name="callback"),
]
