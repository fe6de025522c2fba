"""The pipe of the simulation holds what the kernel's pipe holds."""

from __future__ import annotations

import fcntl
import os
import random
import struct
import termios
from collections.abc import Callable

import pytest

from streamsim.models.pipe import PAGE, Channel, ReaderGone, SlotPipe

SIZES: dict[str, Callable[[random.Random], int]] = {
    "small": lambda rng: rng.randint(1, 300),
    "about a page": lambda rng: rng.randint(1, 6000),
    "large": lambda rng: rng.randint(3000, 70000),
    "all": lambda rng: int(10 ** rng.uniform(0, 5)),
}


class KernelPipe:
    """A pipe of the operating system that never blocks."""

    def __init__(self, slots: int) -> None:
        self.out, self.into = os.pipe()
        os.set_blocking(self.out, False)
        os.set_blocking(self.into, False)
        fcntl.fcntl(self.into, 1031, slots * PAGE)  # F_SETPIPE_SZ

    def write(self, size: int) -> int:
        try:
            return os.write(self.into, bytes(size))
        except BlockingIOError:
            return 0

    def read(self, size: int) -> int:
        try:
            return len(os.read(self.out, size))
        except BlockingIOError:
            return 0

    @property
    def level(self) -> int:
        holder = bytearray(4)
        fcntl.ioctl(self.out, termios.FIONREAD, holder)
        return int(struct.unpack("i", holder)[0])

    def close(self) -> None:
        os.close(self.out)
        os.close(self.into)


@pytest.mark.parametrize("seed", range(100))
def test_the_model_holds_what_the_kernel_holds(seed: int) -> None:
    rng = random.Random(seed)
    slots = rng.choice([1, 2, 16, 16, 64])
    size_of = SIZES[rng.choice(sorted(SIZES))]
    kernel, model = KernelPipe(slots), SlotPipe(slots)
    try:
        for _ in range(300):
            size = size_of(rng)
            act = "write" if rng.random() < 0.55 else "read"
            assert getattr(kernel, act)(size) == getattr(model, act)(size)
            assert kernel.level == model.level
    finally:
        kernel.close()


@pytest.mark.parametrize(("size", "count"), [(1, 65536), (100, 640), (2048, 32), (2049, 16), (4097, 10)])
def test_a_default_pipe_takes_as_many_writes_as_the_kernels(size: int, count: int) -> None:
    pipe = SlotPipe(16)
    whole = 0
    while pipe.write(size) == size:
        whole += 1
    assert whole == count  # measured on Linux 6.18


@pytest.mark.parametrize("seed", range(40))
def test_many_writes_of_one_size_are_what_each_of_them_would_be(seed: int) -> None:
    rng = random.Random(seed)
    one_by_one, together = SlotPipe(slots := rng.choice([1, 2, 16])), SlotPipe(slots)
    for _ in range(60):
        size, count = rng.choice([rng.randint(1, 200), rng.randint(1, PAGE), PAGE]), rng.randint(1, 300)
        done = 0
        while done < count and one_by_one.write(size):
            done += 1
        assert together.write_many(size, count) == done
        take = rng.randint(1, 20_000)
        assert together.read(take) == one_by_one.read(take)
        assert (together.level, together.free_slots) == (one_by_one.level, one_by_one.free_slots)


class Sleeper:
    """Stands for a server that waits at a pipe."""

    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


def full_channel() -> Channel:
    channel = Channel("a->b", 2 * PAGE)
    channel.put(2 * PAGE)
    return channel


def test_a_writer_is_woken_only_when_a_whole_slot_comes_free() -> None:
    channel, writer = full_channel(), Sleeper()
    channel.writer = writer  # type: ignore[assignment]
    channel.get(PAGE - 1)
    assert writer.woken == 0
    channel.get(1)
    assert writer.woken == 1
    assert channel.free_slots == 1


def test_a_reader_is_woken_by_the_first_byte_and_by_the_end() -> None:
    for event in (lambda pipe: pipe.put(1), lambda pipe: pipe.end()):
        channel, reader = Channel("a->b", PAGE), Sleeper()
        channel.reader = reader  # type: ignore[assignment]
        event(channel)
        assert reader.woken == 1


def test_writing_to_a_pipe_without_reader_is_an_error_and_wakes_who_was_blocked() -> None:
    channel, writer = full_channel(), Sleeper()
    channel.writer = writer  # type: ignore[assignment]
    channel.leave()
    assert writer.woken == 1
    with pytest.raises(ReaderGone):
        channel.put(1)
