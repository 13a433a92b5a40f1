"""Let the Temporal SDK download the server it was made for: `python -m baton.localstack.sdk_download DIRECTORY`.

Its only way to do so is to start it, in memory, for a moment. A process of its own, so that it can be given a deadline.
"""

import asyncio
import sys
from datetime import timedelta

from temporalio.testing import WorkflowEnvironment

from baton.runtime.process import leave
from baton.runtime.terminal import say


async def download(directory: str) -> None:
    """Leave the program in ``directory`` as `temporal-sdk-python-<version>`."""
    environment = await WorkflowEnvironment.start_local(  # pyright: ignore[reportUnknownMemberType]
        download_dest_dir=directory, dev_server_startup_timeout=timedelta(seconds=30)
    )
    await environment.shutdown()


if __name__ == "__main__":
    try:
        asyncio.run(download(sys.argv[1]))
    except RuntimeError as error:
        say(str(error))
        leave(1)
    leave(0)
