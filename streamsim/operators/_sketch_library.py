"""Apache DataSketches, in servers without the numpy that it imports and our sketches never use.

Of the library one sketch alone, the density sketch, works on numpy's arrays. For its sake the extension module loads
numpy whenever it is loaded, 15 MiB and 40 ms, and goes on without where there is none: it reports that by
``sys.excepthook`` (PyErr_Print) and is complete but for that sketch, which would then end the process.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from typing import Any


def load() -> Any:
    """Return the library; without numpy in a process that runs no code but ours, as our servers do (``python -S``).

    >>> load().hll_sketch(12).is_empty()
    True
    """
    if "site" in sys.modules or "numpy" in sys.modules:  # somebody else's code may want the density sketch
        import datasketches

        return datasketches
    reported = sys.excepthook
    sys.modules["numpy"] = None  # type: ignore[assignment]  # importing it fails
    sys.excepthook = lambda *error: None
    try:
        import _datasketches
    finally:
        sys.excepthook = reported
        del sys.modules["numpy"]
    return _datasketches
