"""The environment variables that a registration comes to where no product has names of its own for them."""

from .values import Values


def variables(values: Values) -> dict[str, str]:
    """Name -> value, in the order to write them; of what there are several, with a space between them."""
    registration, cloud = values.registration, values.cloud
    found = {
        "MICROSOFT_CLIENT_ID": registration.client_id,
        "MICROSOFT_CLIENT_SECRET": values.secret_or_placeholder,
        "MICROSOFT_DIRECTORY": registration.consent_directory,
        "MICROSOFT_AUTHORITY": values.authority,
        "MICROSOFT_AUTHORIZE_URL": values.authorize_endpoint,
        "MICROSOFT_TOKEN_URL": values.token_endpoint,
        "MICROSOFT_GRAPH_URL": f"https://{cloud.graph_host}",
        "MICROSOFT_OUTLOOK_HOST": cloud.outlook_host or "",
        "MICROSOFT_REDIRECT_URIS": " ".join(registration.product_uris),
        "MICROSOFT_SCOPES": " ".join(values.request_scopes),
    }
    return {name: value for name, value in found.items() if value}


def about_variables(values: Values) -> list[str]:
    """What to know of them before using them."""
    missing = []
    if not values.registration.scope_names:
        missing.append("No scopes are ticked, so MICROSOFT_SCOPES is left out.")
    if not values.registration.product_uris:
        missing.append("No redirect URI of a product is entered, so MICROSOFT_REDIRECT_URIS is left out.")
    return [*values.about_secret(), *missing]
