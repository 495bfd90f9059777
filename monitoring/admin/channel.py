from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from monitoring import channels
from monitoring.audience import targets_of
from monitoring.models import Channel, Delivery, Finding
from monitoring.transports.webhook import new_secret
from tenants.admin import history
from tenants.admin.base import TenantScopedAdmin
from tenants.admin.display import BAD, GOOD, QUIET, WARNING, ago, badge, link_to, moment_of, page_of, stacked
from tenants.admin.outgoing import state_of, tries_of
from tenants.admin.pages import Page, Panel
from tenants.admin.panels import findings_panel

from .bell import ring
from .channel_form import ChannelForm

BOTH_SIGN_FOR = timedelta(hours=24)
REFRESH_SECONDS = 2
SHOWN = 10


@admin.register(Channel)
class ChannelAdmin(TenantScopedAdmin):
    form = ChannelForm
    when_empty = "No channel yet. Alerts go to the registrations' own addresses and to ALERT_EMAILS."
    list_display = ["name_and_place", "for_whom", "state", "last_sent", "severities"]
    list_filter = ["kind", "tenant", "least_severity"]
    list_select_related = ["tenant"]
    search_fields = ["name", "tenant__name"]
    actions = ["send_test", "make_secret", "switch_off", "switch_on"]
    page_actions = ("send_test", "make_secret", "switch_off", "switch_on")
    autocomplete_fields = ["tenant"]

    @admin.display(description="channel", ordering="name")
    def name_and_place(self, channel: Channel) -> Any:
        return stacked(channel.name, self.goes_to(channel))

    @admin.display(description="goes to")
    def goes_to(self, channel: Channel) -> str:
        where = ", ".join(channel.addresses) if channel.kind == Channel.Kind.EMAIL else channel.place
        return f"{channel.get_kind_display()}: {where}"

    @admin.display(description="for", ordering="tenant__name")
    def for_whom(self, channel: Channel) -> str:
        return str(channel.tenant or "all tenants")

    @admin.display(description="state")
    def state(self, channel: Channel) -> Any:
        if channel.switched_off_at:
            return stacked(badge(QUIET, "switched off"), channel.switched_off_why)
        if channel.failing_since:
            kind = BAD if channel.failed_tries >= channels.FAILS_AFTER_TRIES else WARNING
            return stacked(badge(kind, "failing"), f"since {ago(channel.failing_since)}: {channel.last_problem}")
        return badge(GOOD, "works") if channel.last_sent_at else badge(QUIET, "nothing sent yet")

    @admin.display(description="last sent", ordering="last_sent_at")
    def last_sent(self, channel: Channel) -> str:
        return ago(channel.last_sent_at)

    @admin.display(description="takes", ordering="least_severity")
    def severities(self, channel: Channel) -> str:
        words = "critical only" if channel.least_severity == Finding.Severity.CRITICAL else "warnings and critical"
        return f"{words}, {len(channel.kinds)} kinds" if channel.kinds else words

    # Buttons

    @admin.action(description="Send test", permissions=["operate"])
    def send_test(self, request: HttpRequest, queryset: Any) -> Any:
        tested = list(queryset.live())
        for channel in tested:
            for target in targets_of(channel):
                Delivery.objects.create(
                    target=target.name, address=target.address, channel=channel, tenant=channel.tenant, is_test=True
                )
            history.record(request, channel, "tested")
        if tested:
            ring()
            self.message_user(request, f"A test is on its way: {_names(tested)}. How it ended stands below.")
        else:
            self.message_user(request, "Nothing to do: switch it on first.", messages.WARNING)

    @admin.action(description="Make a new signing secret", permissions=["operate"])
    @sensitive_variables()
    def make_secret(self, request: HttpRequest, queryset: Any) -> Any:
        found = list(queryset.select_for_update(of=("self",)).filter(kind=Channel.Kind.WEBHOOK)[:2])
        if len(found) != 1:
            self.message_user(request, "Choose one webhook: other channels sign nothing.", messages.WARNING)
            return None
        channel, secret = found[0], new_secret()
        if channel.signing_secret:
            channel.previous_signing_secret = channel.signing_secret.reveal("to let it sign for another day")
            channel.previous_signs_until = timezone.now() + BOTH_SIGN_FOR
        channel.signing_secret = secret
        channel.save(update_fields=["signing_secret", "previous_signing_secret", "previous_signs_until"])
        history.record(request, channel, "given a new signing secret", changes={"signing secret": history.CHANGED})
        return self._shown_once(request, channel, secret)

    @admin.action(description="Switch off", permissions=["operate"])
    def switch_off(self, request: HttpRequest, queryset: Any) -> Any:
        found = queryset.live()
        asked = self.confirm(
            request,
            found,
            title="Switch off",
            consequences=[
                "No alert goes there any more, also none that waits to be sent.",
                "What is wrong with the channel itself is closed.",
                "Switch it on again at any time: it gets what happens from then on.",
            ],
        )
        if asked:
            return asked
        done = list(found)
        for channel in done:
            channels.switch_off(channel, f"By {request.user}.")
            history.record(request, channel, "switched off")
        self._tell(request, done, "switched off")
        return None

    @admin.action(description="Switch on", permissions=["operate"])
    def switch_on(self, request: HttpRequest, queryset: Any) -> None:
        done = list(queryset.exclude(switched_off_at=None))
        for channel in done:
            channels.switch_on(channel)
            history.record(request, channel, "switched on")
        self._tell(request, done, "switched on")

    def _tell(self, request: HttpRequest, done: list[Channel], verb: str) -> None:
        if done:
            self.message_user(request, f"{_names(done)}: {verb}.", messages.SUCCESS)
        else:
            self.message_user(request, f"Nothing to do: none of these can be {verb} now.", messages.WARNING)

    def offers(self, action: str, obj: Channel) -> bool:
        is_off = obj.switched_off_at is not None
        if action == "make_secret":
            return obj.kind == Channel.Kind.WEBHOOK
        return is_off == (action == "switch_on")

    # The form

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type("ChannelForm", (form,), {"user": request.user})

    def get_fieldsets(self, request: HttpRequest, obj: Channel | None = None) -> Any:
        where = ["addresses", "url"]
        if obj is not None:
            where = ["addresses"] if obj.kind == Channel.Kind.EMAIL else ["place_shown", "url"]
        about = ["name", "kind", "tenant"] if obj is None else ["name", "goes_to", "for_whom", "state", "last_sent"]
        return [
            (None, {"fields": about}),
            ("Where alerts go", {"fields": where}),
            ("Which alerts", {"fields": ["least_severity"]}),
            ("Only some kinds", {"fields": ["kinds"], "classes": ["collapse"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Channel | None = None) -> Any:
        return ["goes_to", "for_whom", "state", "last_sent", "place_shown"] if obj else []

    @admin.display(description="address that is stored")
    def place_shown(self, channel: Channel) -> str:
        return f"{channel.place} (the rest is secret)"

    @sensitive_variables()
    def save_model(self, request: Any, obj: Channel, form: Any, change: bool) -> None:
        obj.place = form.place
        if not change and obj.kind == Channel.Kind.WEBHOOK:
            obj.signing_secret = new_secret()
        super().save_model(request, obj, form, change)

    @sensitive_variables()
    def response_add(self, request: HttpRequest, obj: Channel, post_url_continue: str | None = None) -> Any:
        if obj.signing_secret is not None:
            return self._shown_once(request, obj, obj.signing_secret.reveal("to show it to who made the channel"))
        self.message_user(request, "Next: send a test.", messages.INFO)
        return HttpResponseRedirect(page_of(obj))

    @sensitive_variables()
    def _shown_once(self, request: HttpRequest, channel: Channel, secret: str) -> HttpResponse:
        """The page with the signing secret, kept by no browser."""
        context = {
            **self.admin_site.each_context(request),
            "title": f"Signing secret of {channel}",
            "channel": channel,
            "secret": secret,
            "back": page_of(channel),
            "opts": self.opts,
            "media": self.media,
        }
        response = TemplateResponse(request, "admin/monitoring/channel/secret.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response

    # The page

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().change_view(request, object_id, *args, **kwargs)
        shown = getattr(response, "context_data", {}).get("original")
        if request.method == "GET" and shown is not None:
            waiting = Delivery.objects.filter(channel=shown, is_test=True, state=Delivery.State.WAITING, tries=[])
            if waiting.exists():
                response.headers["Refresh"] = str(REFRESH_SECONDS)
        return response

    def page(self, request: HttpRequest, obj: Channel) -> Page:
        page = super().page(request, obj)
        findings = Finding.objects.open().filter(channel=obj)
        page.put_wrong_first(findings_panel(request, findings, title="Open findings", empty="Nothing is wrong."))
        deliveries = Delivery.objects.visible_to(request.user).filter(channel=obj)
        page.panels.append(
            Panel(
                title="Last messages",
                columns=["Message", "State", "Tries", "Written"],
                rows=[
                    [link_to(row, _kind_of(row)), state_of(row), tries_of(row), moment_of(row.created_at)]
                    for row in deliveries[:SHOWN]
                ],
                empty="Nothing has been sent there. Press Send test.",
            )
        )
        return page


def _kind_of(delivery: Delivery) -> str:
    if delivery.is_test:
        return "test"
    if delivery.digest_at:
        return "daily digest"
    return "several alerts together" if delivery.is_group else "alert"


def _names(found: list[Channel]) -> str:
    return ", ".join(map(str, found))
