r"""Make one new record of each, by an expression.

>>> from streamsim.operators import create
>>> create("map", {"to": "upper(column(2)) + ';' + str(int(column(1)) * 2)"}).run(b"1,a\n2,b\n")
b'A;2\nB;4\n'

The language is that of `filter`, with ``lower()``, ``upper()``, ``strip()``, ``str()``, ``+ - * / // %`` and
``… if … else …``. A number is written with the fewest digits that read back as the same number.
"""

from __future__ import annotations

from streamsim.formats.parameters import Parameter
from streamsim.operators._expressive import Expressive
from streamsim.operators.base import MANY, Traits


class Map(Expressive):
    """Make one new record of each, by an expression."""

    traits = Traits(inputs=MANY, one_to_one=True)
    keeps_columns = False
    expression = "to"
    parameters = (
        Parameter("to", "text", None, "the new record, such as column(2) + ' ' + column(1)", required=True),
        *Expressive.parameters,
    )
