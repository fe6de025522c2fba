"""What all tests share: hypothesis without deadlines, because the machine is shared, and without a database."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("streamsim", deadline=None, database=None)
settings.load_profile("streamsim")
