"""The papers' trainings are tested on the small networks and images of the model's tests."""

from tests.model.conftest import mnist, small, tiny

__all__ = ["mnist", "small", "tiny"]
