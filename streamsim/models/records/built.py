"""Which kernel runs here: the compiled one where it was built from this very text, else the text itself."""

from __future__ import annotations

import importlib.util
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType
from zlib import crc32

from streamsim.models.records import kernel as imported

NOT_BUILT = (
    "streamsim's simulation kernel was not compiled on this machine and runs about 100 times slower; "
    "install a C compiler and Python's headers (Debian: gcc python3-dev), then reinstall streamsim"
)
OF_ANOTHER_VERSION = (
    "streamsim's simulation kernel was compiled from another version of its text and is not used; simulations run "
    "about 100 times slower until streamsim is reinstalled (from a checkout: pip install -e .)"
)


def signature_of(folder: Path) -> int:
    """Return what tells one version of the kernel's text from another; `setup.py` compiles it in.

    >>> signature_of(Path(__file__).parent) > 0
    True
    """
    return crc32((folder / "layout.py").read_bytes() + (folder / "kernel.py").read_bytes())


@cache
def kernel_module() -> ModuleType:
    """Return the kernel to run; the first call says in one warning if it is not compiled."""
    if not imported.COMPILED:
        warnings.warn(NOT_BUILT, RuntimeWarning, stacklevel=4)
        return imported
    folder = Path(str(imported.__file__)).parent
    if imported.signature() == signature_of(folder):
        return imported
    warnings.warn(OF_ANOTHER_VERSION, RuntimeWarning, stacklevel=4)
    return plain_kernel(folder)


def plain_kernel(folder: Path) -> ModuleType:
    """Load the text of the kernel as plain Python, as it runs where it was not built."""
    spec = importlib.util.spec_from_file_location("streamsim.models.records.plain_kernel", folder / "kernel.py")
    assert spec is not None and spec.loader is not None, "the text lies beside what was built from it"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
