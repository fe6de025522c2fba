"""Which kernel and recursions run here: the compiled ones where they were built from this very text, else the text."""

from __future__ import annotations

import importlib.util
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType
from zlib import crc32

from streamsim.models.records import kernel as imported
from streamsim.models.records import recursions as imported_recursions

TEXTS = {"kernel": ("layout.py", "kernel.py"), "recursions": ("recursions.py",)}
"""What each of the compiled modules is compiled from."""

NOT_BUILT = (
    "streamsim's simulation code ({name}) was not compiled on this machine and runs about 100 times slower; "
    "install a C compiler and Python's headers (Debian: gcc python3-dev), then reinstall streamsim"
)
OF_ANOTHER_VERSION = (
    "streamsim's simulation code ({name}) was compiled from another version of its text and is not used; simulations "
    "run about 100 times slower until streamsim is reinstalled (from a checkout: pip install -e .)"
)


def signature_of(folder: Path, name: str = "kernel") -> int:
    """Return what tells one version of a module's text from another; `setup.py` compiles it in.

    >>> signature_of(Path(__file__).parent) > 0
    True
    """
    return crc32(b"".join((folder / text).read_bytes() for text in TEXTS[name]))


@cache
def kernel_module() -> ModuleType:
    """Return the kernel to run; the first call says in one warning if it is not compiled."""
    return _current("kernel", imported)


@cache
def recursions_module() -> ModuleType:
    """Return the max-plus recursions to run; the first call says in one warning if they are not compiled."""
    return _current("recursions", imported_recursions)


def _current(name: str, module: ModuleType) -> ModuleType:
    """Return the compiled module where it was built from this very text, else the text itself."""
    if not module.COMPILED:
        warnings.warn(NOT_BUILT.format(name=name), RuntimeWarning, stacklevel=5)
        return module
    folder = Path(str(module.__file__)).parent
    if module.signature() == signature_of(folder, name):
        return module
    warnings.warn(OF_ANOTHER_VERSION.format(name=name), RuntimeWarning, stacklevel=5)
    return _plain(folder, name)


def plain_kernel(folder: Path) -> ModuleType:
    """Load the text of the kernel as plain Python, as it runs where it was not built."""
    return _plain(folder, "kernel")


def _plain(folder: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"streamsim.models.records.plain_{name}", folder / f"{name}.py")
    assert spec is not None and spec.loader is not None, "the text lies beside what was built from it"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
