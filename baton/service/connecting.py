"""Why Temporal cannot be reached: the SDK's errors in words, without anything of what its configuration holds."""

import asyncio
import ssl
from typing import Final

from temporalio.envconfig import ClientConfig

from baton.domain.errors import Unavailable

#: How a client says that it cannot connect: a plain RuntimeError.
_NOT_CONNECTED: Final = "Failed client connect"
_TLS_SECONDS: Final = 2.0
#: What its words have in them, the fault that this is, and ours for it.
_TOLD: Final = (
    ("InvalidMessage(", "temporal_without_tls", "TLS is on, and what listens at TEMPORAL_ADDRESS has none"),
    ("InvalidCertificate(", "temporal_certificate", "Temporal's certificate is not trusted"),
    ("dns error", "temporal_away", "Temporal cannot be reached: the host in TEMPORAL_ADDRESS is not known"),
    ("Unauthenticated", "temporal_denied", "Temporal does not know our credentials"),
    ("PermissionDenied", "temporal_denied", "Temporal does not let us in"),
)


def not_configured(error: Exception) -> Unavailable:
    """What an error in reading `TEMPORAL_*`, or the file that they name, means."""
    if isinstance(error, OSError):
        return Unavailable(f"a file of Temporal's TLS cannot be read: {error.filename}", "certificate_missing")
    if str(error).startswith("Profile "):
        return Unavailable("Temporal's configuration has no such profile as TEMPORAL_PROFILE", "temporal_profile")
    if names_no_server(error):
        return Unavailable("TEMPORAL_ADDRESS cannot be read", "temporal_address")
    return Unavailable("Temporal's configuration cannot be read", "temporal_configuration")


def names_no_server(error: Exception) -> bool:
    """Whether an error is that `TEMPORAL_ADDRESS` is no address. A lazy client finds out at its first call."""
    return str(error).startswith("invalid target URL")


def not_connected(error: RuntimeError) -> Unavailable | None:
    """What a client says that cannot connect; None for any other error."""
    said = str(error)
    if not said.startswith(_NOT_CONNECTED):
        return None
    fault, reason = next(
        ((fault, reason) for words, fault, reason in _TOLD if words in said),
        ("temporal_away", "Temporal cannot be reached"),
    )
    return Unavailable(reason, fault)


async def looked_into(error: Unavailable) -> Unavailable:
    """``error``, or what is behind it, if that is a server with TLS which we speak to without."""
    if error.fault == "temporal_away" and await _speaks_tls_only():
        return Unavailable("Temporal's server speaks TLS, and TEMPORAL_TLS is off", "temporal_with_tls")
    return error


async def _speaks_tls_only() -> bool:
    try:
        config = ClientConfig.load_client_connect_config()
    except (OSError, ValueError, RuntimeError):  # a certificate is just being replaced, say: what is known is told
        return False
    if config.get("tls") or config.get("api_key"):
        return False
    host, _, port = config.get("target_host", "localhost:7233").rpartition(":")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent: it is to be known only whether there is any TLS
    context.set_alpn_protocols(["h2"])
    try:
        async with asyncio.timeout(_TLS_SECONDS):
            _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    except (OSError, ValueError):  # TLS that fails, and a timeout, are OSErrors
        return False
    writer.transport.abort()
    return True
