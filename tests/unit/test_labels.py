"""Is there an end to the values of labels, and are real ones told apart whatever others make up?"""

from baton.metrics.labels import OTHER, Bounded


def test_the_first_so_many_are_told_apart() -> None:
    label = Bounded(2)
    assert [label(value) for value in ("a", "b", "a", "c", "b", "c")] == ["a", "b", "a", OTHER, "b", OTHER]


def test_who_makes_values_up_leaves_half_of_the_places() -> None:
    label = Bounded(10)
    made_up = {label(f"nonsense-{n}", is_real=False) for n in range(100)}
    assert (len(made_up), OTHER in made_up) == (6, True)
    real = [f"real-{n}" for n in range(5)]
    assert [label(value) for value in real] == real
    assert [label(value, is_real=False) for value in real] == real, "they are known by now"
    assert label("one more") == OTHER
    assert len({label(f"more-{n}") for n in range(100)}) == 1


def test_one_that_turns_out_to_be_real_makes_room() -> None:
    label = Bounded(4)
    assert [label(value, is_real=False) for value in ("a", "b", "c")] == ["a", "b", OTHER]
    assert label("a") == "a"
    assert label("c", is_real=False) == "c"


def test_what_the_deployer_chose_is_always_told() -> None:
    label = Bounded(2)
    label.know(["ours"])
    assert {label(f"{n}") for n in range(100)} == {"0", "1", OTHER}
    assert [label("ours"), label("ours", is_real=False)] == ["ours", "ours"]
