from django.urls import path

from .views import attempt, disconnect, link, setup

app_name = "oauth"

urlpatterns = [
    path("c/<str:token>", link.open_link),  # some mail programs leave the last slash out of the address
    path("c/<str:token>/", link.open_link, name="open"),
    path("connect/<uuid:public_id>/", link.landing, name="landing"),
    path("connect/<uuid:public_id>/start/", attempt.start, name="start"),
    path("connect/<uuid:public_id>/approve/", attempt.approve, name="approve"),
    path("connect/<uuid:public_id>/hand-on/", link.hand_on, name="hand_on"),
    path("connect/<uuid:public_id>/administrator/", link.administrator, name="administrator"),
    path("connect/<uuid:public_id>/told/", link.told, name="told"),
    path("connect/<uuid:public_id>/disconnect/", disconnect.disconnect, name="disconnect"),
    path("connect/<uuid:public_id>/secret/", setup.drop, name="drop"),
    path("connect/<uuid:public_id>/setup/", setup.tool, name="tool"),
    path("connect/attempt/<uuid:attempt_id>/", attempt.outcome, name="attempt"),
    path("connect/attempt/<uuid:attempt_id>/rest/", attempt.grant_the_rest, name="rest"),
    path("oauth/callback/<slug:cloud_key>/", attempt.callback, name="callback"),
]
