r"""Keep the records for which an expression holds.

>>> from streamsim.operators import create
>>> create("filter", {"where": "column(1) != '' and int(column(2)) >= 10"}).run(b"a,9\nb,10\n,11\n")
b'b,10\n'

The language is that of streamsim/operators/_expression.py: ``record``, ``column(1)``, texts, numbers, comparisons,
``and``, ``or``, ``not``, ``in``, ``len()``, ``int()``, ``float()``, ``startswith()``, ``endswith()``, ``contains()``.
"""

from __future__ import annotations

from streamsim.formats.parameters import Parameter
from streamsim.operators._expressive import Expressive


class Filter(Expressive):
    """Keep the records for which an expression holds."""

    expression = "where"
    parameters = (
        Parameter("where", "text", None, "such as column(2) == 'JFK' and len(record) > 9", required=True),
        *Expressive.parameters,
    )
