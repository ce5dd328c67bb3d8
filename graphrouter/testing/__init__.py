"""For authors of routers: logs whose right answer is known, and the tests that every router must pass.

The test class of a router inherits the contract, and pytest runs it::

    class TestMyRouter(RouterContract):
        router = MyRouter(k=3)
"""

from graphrouter.testing.contract import RouterContract
from graphrouter.testing.logs import BEST, Parts, data_of, keep_outcomes, make_data, make_log, make_parts

__all__ = [
    "BEST",
    "Parts",
    "RouterContract",
    "data_of",
    "keep_outcomes",
    "make_data",
    "make_log",
    "make_parts",
]
