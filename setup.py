"""Builds the simulation kernel and the recursions; all else stands in pyproject.toml.

Cython compiles `kernel.py` as it is. Its constants live in `layout.py`, which Python reads too; they become C here.
A machine without a compiler installs all the same and runs the kernel as plain Python (the extension is optional).
"""

from __future__ import annotations

import ast
from pathlib import Path
from zlib import crc32

from Cython.Build import cythonize
from setuptools import Extension, setup

RECORDS = Path("streamsim/models/records")
PYTHON = "0x030B0000"  # the stable ABI of the oldest Python that streamsim runs on: one wheel serves all later ones
FLAGS = ["-O3", "-ffp-contract=off", "-fno-fast-math"]  # the same departures as in Python, bit for bit: no fused steps


def write_declarations(name: str, texts: tuple[str, ...], constants: str = "") -> None:
    """Write what an extension has as C constants: those of its layout, and which version of its text it is.

    So one that was compiled from another version is noticed, and not run on what it does not know (built.py).
    """
    signature = crc32(b"".join((RECORDS / text).read_bytes() for text in texts))
    extern = (
        f'cdef extern from *:\n    """\n    #define SIGNATURE {signature}LL\n    """\n    const long long SIGNATURE\n'
    )
    (RECORDS / f"{name}.pxd").write_text(constants + extern)


def constants_of(text: str) -> str:
    """Return the constants of a module as a C enum."""
    found = [
        f"    {target.id} = {node.value.value}"
        for node in ast.parse((RECORDS / text).read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    return "cdef enum:\n" + "\n".join(found) + "\n\n"


write_declarations("kernel", ("layout.py", "kernel.py"), constants_of("layout.py"))
write_declarations("recursions", ("recursions.py",))
extensions = cythonize(
    [
        Extension(
            f"streamsim.models.records.{name}",
            [str(RECORDS / f"{name}.py")],
            define_macros=[("Py_LIMITED_API", PYTHON)],
            py_limited_api=True,
            extra_compile_args=FLAGS,
        )
        for name in ("kernel", "recursions")
    ],
    compiler_directives={
        "language_level": 3,
        "boundscheck": False,
        "wraparound": False,
        "cdivision": True,
        "initializedcheck": False,
    },
)
for extension in extensions:
    extension.optional = True  # cythonize forgets that it was
setup(ext_modules=extensions, options={"bdist_wheel": {"py_limited_api": "cp311"}})
