import pytest

pytest.register_assert_rewrite("graphrouter.testing")
