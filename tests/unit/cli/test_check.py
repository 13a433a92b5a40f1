"""Does `baton agents check` know what to do about every way in which a model can fail?"""

from baton.agents import errors
from baton.domain.remedies import WHAT_TO_DO


def test_every_code_has_its_advice() -> None:
    codes = {value for name, value in vars(errors).items() if name.isupper() and isinstance(value, str)}
    assert len(codes) > 20
    assert codes == WHAT_TO_DO.keys()
