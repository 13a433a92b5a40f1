"""Does what others wrote reach the terminal as text, whatever command prints it?"""

import json
from pathlib import Path

from baton.runtime.terminal import harmless
from tests.cli.conftest import Command
from tests.support.fake_baton import FakeBaton
from tests.support.hostile_text import COMMANDS, MARKUP
from tests.support.plans import plan


async def test_titles_are_text_in_every_command(baton: Command, fake: FakeBaton, tmp_path: Path) -> None:
    given = plan("!ask Well?", title=MARKUP + COMMANDS)
    given["tasks"][0]["title"] = MARKUP + COMMANDS
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(given))
    started = await baton("run", str(file), "--no-input")
    assert started.code == 3, started.err
    execution = next(iter(fake.executions))
    asked, sent = await baton("inbox"), await baton("send", f"{execution}/1", "yes")
    for ran in (started, asked, sent, await baton("watch", execution)):
        assert ran.err == ""
        assert harmless(ran.out) == ran.out
    assert MARKUP in (await baton("watch", execution)).out
