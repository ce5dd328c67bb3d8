"""A fitted encoder and a fitted router as one thing: made of a log, saved, loaded, and asked where queries should go."""

from graphrouter.pipeline.routing import Decision, RoutingPipeline
from graphrouter.pipeline.training import train

__all__ = ["Decision", "RoutingPipeline", "train"]
