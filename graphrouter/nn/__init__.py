"""The message-passing modules, one operator a file."""

from graphrouter.nn.conv_network import ConvNetwork
from graphrouter.nn.dense_mean_conv import DenseMeanConv
from graphrouter.nn.edge_decoder import EdgeDecoder, EdgeInputs
from graphrouter.nn.edge_messages import EdgeMessages, OutcomeMessages
from graphrouter.nn.kernel_conv import KernelConv
from graphrouter.nn.relation_layer import RelationLayer
from graphrouter.nn.task_mean_conv import TaskMeanConv

__all__ = [
    "ConvNetwork",
    "DenseMeanConv",
    "EdgeDecoder",
    "EdgeInputs",
    "EdgeMessages",
    "KernelConv",
    "OutcomeMessages",
    "RelationLayer",
    "TaskMeanConv",
]
