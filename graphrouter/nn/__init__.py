"""The message-passing modules, one operator a file."""

from graphrouter.nn.contrast_conv import ContrastConv
from graphrouter.nn.dense_mean_conv import DenseMeanConv
from graphrouter.nn.edge_decoder import EdgeDecoder
from graphrouter.nn.edge_head import EdgeHead, EdgeInputs
from graphrouter.nn.kernel_conv import KernelConv
from graphrouter.nn.messages import EdgeMessages, OutcomeMessages
from graphrouter.nn.task_mean_conv import TaskMeanConv

__all__ = [
    "ContrastConv",
    "DenseMeanConv",
    "EdgeDecoder",
    "EdgeHead",
    "EdgeInputs",
    "EdgeMessages",
    "KernelConv",
    "OutcomeMessages",
    "TaskMeanConv",
]
