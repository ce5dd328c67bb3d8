"""The message-passing modules, one operator a file."""

from graphrouter.nn.dense_mean_conv import DenseMeanConv
from graphrouter.nn.edge_decoder import EdgeDecoder, EdgeInputs
from graphrouter.nn.edge_messages import EdgeMessages, OutcomeMessages
from graphrouter.nn.kernel_conv import KernelConv
from graphrouter.nn.task_mean_conv import TaskMeanConv

__all__ = [
    "DenseMeanConv",
    "EdgeDecoder",
    "EdgeInputs",
    "EdgeMessages",
    "KernelConv",
    "OutcomeMessages",
    "TaskMeanConv",
]
