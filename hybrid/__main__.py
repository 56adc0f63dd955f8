"""``python -m hybrid`` is the command ``hybrid``."""

from hybrid.cli.launcher import main

main()
