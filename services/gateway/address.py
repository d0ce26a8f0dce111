"""Where the gateway is reached, as people are told."""

from chandler.streams.settings import LOOPBACK, PORT_GATEWAY, Installation
from services.profile import Profile


def url(installation: Installation, profile: Profile) -> str:
    """Without a slash at its end: a proxy's, as gateway.hosts or CHANDLER_GATEWAY_ADDRESS say."""
    tls = bool(profile.gateway.tls_cert)
    for host in profile.gateway.hosts:
        return f"https://{host}"
    if installation.gateway_address:
        return installation.gateway_address
    host = installation.http_host
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - everywhere: from here it is loopback
        host = LOOPBACK
    return f"{'https' if tls else 'http'}://{host}:{installation.port(PORT_GATEWAY)}"


def setup_url(installation: Installation, profile: Profile, token: str) -> str:
    """The page on which a password is set. Behind the # nothing is sent, or logged by anybody."""
    return f"{url(installation, profile)}/#/setup/{token}"


def hook_url(installation: Installation, profile: Profile, token: str) -> str:
    """What alerts are sent to."""
    return f"{url(installation, profile)}/v1/hooks/{token}"
