"""The settings of a command, or a line that says what is wrong with them."""

from pydantic import ValidationError

from settings import Settings, load_settings


def settings_or_exit() -> Settings:
    """The settings; ends the command with code 2 and one line per variable that cannot be read. Values are not shown:
    some are secret."""
    try:
        return load_settings()
    except ValidationError as error:
        wrong = [f"  {'.'.join(map(str, problem['loc'])).upper()}: {problem['msg']}" for problem in error.errors()]
        raise SystemExit("baton: settings that cannot be read (names without BATON_):\n" + "\n".join(wrong)) from None
