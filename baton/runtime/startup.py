"""What a process needs before it starts: its own modules and its settings, or a line that says what is wrong."""

import errno
import re
import socket
import sys
from typing import NoReturn

from pydantic import ValidationError
from pydantic_settings import SettingsError

from baton.domain.faults import FAULTS, exit_code
from baton.runtime.installation import missing, shadowed
from baton.runtime.listener import listen
from baton.settings import Settings, load_settings


def settings_or_exit() -> Settings:
    """The settings; ends the process with one line that names each variable that cannot be read. Values are not shown:
    some are secret."""
    try:
        return load_settings()
    except ValidationError as error:
        wrong = [f"{_variable(str(problem['loc'][0]))}: {problem['msg']}" for problem in error.errors()]
    except SettingsError as error:
        named = re.search(r'field "(\w+)"', str(error))
        wrong = [f"{_variable(named[1]) if named else 'a variable'}: it is not JSON"]
    return exit_for("setting_invalid", f"settings that cannot be read: {'; '.join(wrong)}")


def listen_or_exit(host: str, port: int) -> socket.socket:
    """A listening socket; ends the process with one line where there can be none."""
    try:
        return listen(host, port)
    except socket.gaierror:
        exit_for("host_invalid", f"there is no host {host}")
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                exit_for("port_taken", f"port {port} of {host} is taken")
            case errno.EACCES:
                exit_for("port_denied", f"this user may not listen on port {port}")
            case _:
                exit_for("host_invalid", f"{host} is no address of this machine")


def exit_for(fault: str, reason: str) -> NoReturn:
    """End the process with one line, the reason and its remedy, and the code of the fault."""
    print(f"baton: {reason}: {FAULTS[fault].remedy}", file=sys.stderr)
    raise SystemExit(exit_code(fault))


def _variable(field: str) -> str:
    """The environment variable of a setting; its aliases come as they are."""
    return field.upper() if field.upper() == "DATABASE_URL" else f"BATON_{field.upper()}"


def exit_if_shadowed() -> None:
    """End the process with code 2 if Python would import somebody else's modules for Baton's."""
    if line := shadowed():
        print(f"baton: {line}", file=sys.stderr)
        raise SystemExit(2)


def exit_if_missing(extra: str, *modules: str) -> None:
    """End the process with code 2 if not all ``modules`` of an extra of the package are installed."""
    if line := missing(extra, *modules):
        print(f"baton: {line}", file=sys.stderr)
        raise SystemExit(2)
