"""`python -m dlcli`."""

from dlcli.cli import main

main()
