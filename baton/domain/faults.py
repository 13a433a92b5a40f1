"""What may be logged of an unexpected error: its message might hold what a user wrote, so only where it came from."""

import traceback


def whereabouts(error: BaseException) -> str:
    """The type of ``error`` and the frames it came through, without its message and without any value."""
    frames = traceback.format_tb(error.__traceback__)
    cause = error.__cause__
    return f"{type(error).__name__}\n{''.join(frames)}" + (f"caused by {whereabouts(cause)}" if cause else "")
