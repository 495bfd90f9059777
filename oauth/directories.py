"""The second step of a verification: is there such a directory, and is it in this cloud? Its login host is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenants.clouds import Cloud, clouds
from tenants.models.registration import DOMAIN

from .errors import CODES, EntraRefused, EntraUnreachable
from .exchange import Exchange, text_in
from .health import NoAnswer
from .http import GUID, client_for
from .report import DIRECTORY, FAILED, OK, Step, refused

# Microsoft's documents: `tenant_region_sub_scope` of a US government directory. GCC lives in the worldwide cloud.
OF_REGION = {"DODCON": "usgov_l4", "DOD": "usgov_l5"}
GCC = "GCC"


@dataclass(frozen=True)
class Directory:
    """The step, the directory's ID where the document names it, and what was refused instead of a document."""

    step: Step
    tid: str = ""
    refusal: EntraRefused | None = None


def look(cloud: Cloud, directory: str) -> Directory | NoAnswer:
    """Ask the cloud's login host, really: what is known of a built-in cloud by itself says nothing of a directory."""
    if not (GUID.fullmatch(directory) or DOMAIN.fullmatch(directory)):
        return _no_good(EntraRefused(CODES[900023]), directory)  # it would become part of an address
    try:
        document = Exchange(client_for(cloud), cloud).openid_configuration(directory)
    except EntraRefused as refusal:
        return _no_good(refusal, directory)
    except EntraUnreachable as silence:
        return NoAnswer.of(silence)
    found = GUID.search(text_in(document, "issuer"))
    tid = found[0].lower() if found else ""
    elsewhere = cloud_besides(cloud, document)
    if elsewhere is not None:
        seen = f"{_named(directory, tid)} is in the cloud “{elsewhere.name}”, and the registration in “{cloud.name}”."
        todo = f"Choose the cloud “{elsewhere.name}”, and register the application there: none moves between clouds."
        # No refusal of Microsoft's, so the night's check, which meets none, would not know of it.
        return Directory(Step(key=DIRECTORY, state=FAILED, seen=seen, todo=todo, actor="operator"), tid)
    region = text_in(document, "tenant_region_sub_scope")
    of_gcc = " It is a GCC directory, which belongs there." if region == GCC else ""
    return Directory(
        Step(key=DIRECTORY, state=OK, seen=f"{_named(directory, tid)} is in the cloud “{cloud.name}”.{of_gcc}"), tid
    )


def _no_good(refusal: EntraRefused, directory: str) -> Directory:
    seen = f"{refusal.fault.what} Asked for: {directory}."
    return Directory(refused(DIRECTORY, refusal, seen=seen), refusal=refusal)


def _named(directory: str, tid: str) -> str:
    if GUID.fullmatch(directory) or not tid:
        return f"The directory {directory}"
    return f"The directory of {directory}, {tid},"


def cloud_besides(cloud: Cloud, document: Mapping[str, Any]) -> Cloud | None:
    """The other cloud that the directory is in; None if it is in this one, or the document does not say."""
    known, graph_host = clouds(), text_in(document, "msgraph_host").lower()
    region = OF_REGION.get(text_in(document, "tenant_region_sub_scope"))
    # Of a cloud of our own configuration, a proxy say, only a document that speaks of it can be judged.
    if not cloud.built_in and graph_host != cloud.graph_host.lower():
        return None
    if region:
        return known[region] if region != cloud.key else None
    # Both US government clouds have one login host: without a region there, only Graph's host tells.
    theirs = [other for other in known.values() if other.built_in and other.graph_host == graph_host]
    if theirs and graph_host != cloud.graph_host:
        return theirs[0]
    return _by_instance(cloud, known, text_in(document, "cloud_instance_name").lower())


# `cloud_instance_name`, and whose it is.
_INSTANCES = {
    "microsoftonline.com": ("global",),
    "microsoftonline.us": ("usgov_l4", "usgov_l5"),
    "partner.microsoftonline.cn": ("china",),
    "chinacloudapi.cn": ("china",),
}


def _by_instance(cloud: Cloud, known: Mapping[str, Cloud], instance: str) -> Cloud | None:
    keys = _INSTANCES.get(instance, ())
    return known[keys[0]] if cloud.built_in and keys and cloud.key not in keys else None
