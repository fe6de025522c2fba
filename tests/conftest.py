"""What all tests share: hypothesis without deadlines, because the machine is shared, and without a database.

Each run of the tests draws the same examples, so that what passed once passes on every machine; others are looked for
on purpose: ``pytest --hypothesis-profile explore tests/property``.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("streamsim", deadline=None, database=None, derandomize=True)
settings.register_profile("explore", deadline=None, database=None)
settings.load_profile("streamsim")
