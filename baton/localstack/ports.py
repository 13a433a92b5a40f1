"""Free TCP ports on this machine."""

import socket


def free_port(preferred: int, host: str = "127.0.0.1") -> int:
    """``preferred`` if nobody has it, else any free one. It is not reserved: whoever wants it takes it soon."""
    for port in (preferred, 0):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError(f"no free port on {host}")
