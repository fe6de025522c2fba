"""Keys that move from server to server of a station: offered, taken, and settled by one file for all of them.

Whoever moves them (rescale.py) may be killed at any moment. So nothing changes before all has been offered and taken:
each server keeps what it gives and what it gets apart, and lets nobody resume it or exchange its program. Then the one
who moves them makes the file `DONE`; on `settle` every server looks for it, and does its part of the move or forgets
it. So either all of them do it, or none.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import Any
from zlib import crc32

import msgspec

from streamsim.errors import ControlError
from streamsim.real.control.basics import among_servers
from streamsim.real.control.own_files import read_own, write_new

DONE = "done"
"""In the directory of a move: it is to be done."""


class Move(msgspec.Struct):
    """The part of one server in a move: the keys that it gives, those that it gets, its new parameters."""

    directory: str
    gone: list[bytes] = []
    come: dict[bytes, Any] = {}
    parameters: dict[str, Any] = {}


class Keys(ABC):
    """The methods of a server (see faculties.py) that have to do with keys that move."""

    station: str
    _spec: dict[str, Any]
    _holder: Any
    _move: Move | None = None
    loading_s: float
    """How long it took (core-seconds) to load what commands need, until that is written down with one."""

    @among_servers
    def get_ready(self, keys: bool) -> float:
        """Load what a move needs while data flows; returns how long that took (core-seconds), 0 where it was there.

        With ``keys`` only where the operator is one from which keys can move.
        """
        if keys:
            self._keys()
        return self._loaded()

    def _loaded(self) -> float:
        loading_s, self.loading_s = self.loading_s, 0.0
        return loading_s

    @among_servers
    def hand_over(self, place: int, among: int, directory: str) -> list[int]:
        """Offer the keys that another of so many servers is to have: one file for each of them, named by its place.

        A key belongs to the place that its CRC-32 modulo their number says, as for the operator ``partition``. The
        files are in the directory named ``place`` in ``directory``. Returns how many keys each place gets. Only for
        operators that keep their state by keys, or have none that matters to other records.
        """
        from pickle import dumps

        parts: list[dict[bytes, Any]] = [{} for _ in range(among)]
        for key, value in self._keys().items():
            parts[crc32(key) % among][key] = value
        if place < among:
            parts[place] = {}
        os.mkdir(f"{directory}/{place}", 0o700)  # noqa: PTH102  # a text from outside
        for owner, part in enumerate(parts):
            if part:
                write_new(f"{directory}/{place}/{owner}", dumps(part))
        self._move = Move(directory, [key for part in parts for key in part])
        return [len(part) for part in parts]

    @among_servers
    def take_over(self, file: str) -> int:
        """Take the keys that another server offers in a file; returns how many."""
        from pickle import loads

        if self._move is None:
            raise ControlError("no keys are being moved")
        part = loads(read_own(file))
        if common := self._keys().keys() & part.keys():
            raise ControlError(f"{len(common)} keys of {file} are here already, such as {min(common)!r}")
        self._move.come.update(part)
        return len(part)

    @among_servers
    def agree(self, directory: str, parameters: dict[str, Any]) -> bool:
        """Set these parameters together with a move of keys, when it is done."""
        self._move = Move(directory, parameters=parameters)
        return True

    @among_servers
    def settle(self) -> bool:
        """Do this server's part of a move that is to be done, forget that of one that is not; returns which it was."""
        move, self._move = self._move, None
        if move is None or not os.path.exists(f"{move.directory}/{DONE}"):  # noqa: PTH110  # a text from outside
            return False
        operator = self._holder.operator
        if move.gone or move.come:
            operator.exchange_keys(move.gone, move.come)
        if move.parameters:
            self._exchange(self._spec["operator"], {**operator.values, **move.parameters}, alone=False)
        return True

    def _stay(self) -> None:
        """Raise ControlError while keys move: what they were counted for would not be there any more."""
        if self._move is not None:
            raise ControlError("its keys are on their way to other servers: it goes on by itself, ask again then")

    @abstractmethod
    def _exchange(self, name: str, parameters: dict[str, Any], *, keep: bool = True, alone: bool = True) -> None:
        """Put another operator in the place of the one that is there."""

    def _keys(self) -> dict[bytes, Any]:
        found: dict[bytes, Any] | None = self._holder.operator.by_key()
        if found is None:
            raise ControlError(
                f"operator '{self._spec['operator']}' of {self.station!r} does not keep its state by keys: what it "
                "knows cannot be parted"
            )
        return found
