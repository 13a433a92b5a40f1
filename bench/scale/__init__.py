"""How cost grows with what there is: `python -m bench.scale`, and `docs/scale.md` says what was found."""
