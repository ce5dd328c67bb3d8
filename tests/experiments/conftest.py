"""Scripts in experiments/ are run from the checkout, and so are not installed: let tests import them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
