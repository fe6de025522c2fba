"""Runs circuits for real: processes on OS pipes, joined directly, watched from outside.

- `run`: a plain pipeline, as a shell would run it.
- `measure`, `Session`: the same, several times, and what each station did with its time.
- `make_plan`: what would be started.
"""
