"""``python -m streamsim`` is the command line."""

from streamsim.cli import main

if __name__ == "__main__":
    main()
