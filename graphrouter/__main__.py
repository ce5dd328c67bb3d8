"""``python -m graphrouter`` is the command ``graphrouter``."""

import sys

from graphrouter.cli import main

sys.exit(main())
