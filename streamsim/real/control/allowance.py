"""How much of its time a server gives to whoever asks: a fortieth while data flows, all while there is none.

>>> allowance = Allowance(now=0.0)
>>> allowance.take(0.0, 0.005)  # a burst is allowed
>>> allowance.patience_s(0.0, since=0.0), allowance.patience_s(0.003, since=0.0)
(0.001, None)
>>> round(allowance.wait_s(allowance.left(0.0)), 6)
0.0
>>> allowance.take(0.0, 0.001)
>>> round(allowance.wait_s(allowance.left(0.0)), 6)
0.04
"""

from __future__ import annotations

from time import monotonic

_SHARE = 40.0
_MOST_CREDIT_S = 5e-3
"""So much may be saved up: two hundred plain questions are answered at once."""
_MOST_DEBT_S = 1e-3
"""So much a slice may cost at most: the first one loads libraries, which nobody is to be punished for."""
_SILENT_S = 2e-3
_STEP_S = 1e-3


class Allowance:
    """A bucket of time (s) that fills up by a fortieth of what passes."""

    def __init__(self, now: float | None = None) -> None:
        self._credit_s, self._at = _MOST_CREDIT_S, monotonic() if now is None else now

    def left(self, now: float) -> float:
        """Return how long commands may take now; none where that is not positive."""
        self._credit_s = min(_MOST_CREDIT_S, self._credit_s + (now - self._at) / _SHARE)
        self._at = now
        return self._credit_s

    def take(self, now: float, spent_s: float, *, plain: bool = True) -> None:
        """Charge what commands have taken; what is more than a plain question slows the data behind it as much."""
        self._credit_s = max(-_MOST_DEBT_S, self.left(now) - (spent_s if plain else 2 * spent_s))

    @staticmethod
    def wait_s(left: float) -> float:
        """Return after how long there is time again, with so much left."""
        return max(0.0, -left * _SHARE)

    def patience_s(self, now: float, since: float) -> float | None:
        """Return how long to wait for data alone, which nobody has seen move `since` then; None: commands may come."""
        if now - since >= _SILENT_S or self.left(now) > 0:
            return None
        return _STEP_S
