"""``python -m ncselect``: the command line."""

from ncselect.cli import main

main()
