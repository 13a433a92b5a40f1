"""How many files, and so connections, a process may have open."""

import resource


def raise_file_limit() -> int:
    """Raise the limit of open files to what this process may have; the limit then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # macOS: less than its hard limit says
            return soft
    return hard if hard != resource.RLIM_INFINITY else 2**31
