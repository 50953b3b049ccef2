"""Recorded against called training: random cases, each made from one number.

`python -m tests.training.capture_fuzz SEED` runs one of them and says what came of it, `python -m tests.training.capture_fuzz
--cases 5000` many. `habits.py` says what a habit is; `layers.py`, `optimizers.py` and `changes.py` are lists
of them; `cases.py` makes a case of a seed; `judgement.py` trains it both ways and compares.
"""
