"""`python -m routing_engine.cli`: the command line, where the script is not installed."""

import sys

from routing_engine.cli import main

sys.exit(main())
