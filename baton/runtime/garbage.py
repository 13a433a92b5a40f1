"""Python's garbage collector in a process that serves for long."""

import gc

#: Allocations that set off the collection of the youngest objects (Python's own: 700), then of the older ones.
_THRESHOLDS = (2_000, 10, 5)


def freeze_start() -> None:
    """Leave out of all collections what the start has made: call it once everything is imported and built.

    Modules, classes and models never become garbage, but a full collection looks at each of their objects: 0.1 s and
    more at a time in which nothing else runs, and a tenth of the processor's time in all.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
