"""Which axis of an activation holds features, where the kind of module says it."""

from __future__ import annotations

from typing import Final

from torch import nn
from torch.nn.modules import batchnorm, conv, padding, pooling

LAST: Final = -1
CHANNELS: Final = 1  # the axis after the rows

_LAST = (
    *(nn.Linear, nn.Bilinear, nn.Embedding, nn.EmbeddingBag, nn.RNNBase, nn.MultiheadAttention),
    *(nn.TransformerEncoderLayer, nn.TransformerDecoderLayer, nn.TransformerEncoder, nn.TransformerDecoder),
)
_CHANNELS: tuple[type[nn.Module], ...] = (
    *(conv._ConvNd, batchnorm._NormBase, nn.GroupNorm, nn.LocalResponseNorm, nn.CrossMapLRN2d, nn.Softmax2d),
    *(pooling._MaxPoolNd, pooling._MaxUnpoolNd, pooling._AvgPoolNd, pooling._LPPoolNd),
    *(pooling._AdaptiveMaxPoolNd, pooling._AdaptiveAvgPoolNd, nn.FractionalMaxPool2d, nn.FractionalMaxPool3d),
    *(nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout, nn.Upsample, nn.PixelShuffle),
    *(nn.PixelUnshuffle, nn.ChannelShuffle, padding._ConstantPadNd, padding._ReflectionPadNd),
    *(padding._ReplicationPadNd, padding._CircularPadNd),
)
ELEMENTWISE: tuple[type[nn.Module], ...] = (
    *(nn.Identity, nn.Dropout, nn.AlphaDropout, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU),
    *(nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid, nn.Tanh, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Hardshrink),
    *(nn.Softplus, nn.Softshrink, nn.Softsign, nn.Tanhshrink, nn.Threshold, nn.LogSigmoid, nn.PReLU),
)


def axis_of(module: nn.Module) -> int | None:
    """Return the axis of features of what a module reads and gives, rows included; None where its kind does not say.

    Examples
    --------
    >>> axis_of(nn.Linear(3, 4)), axis_of(nn.Conv2d(3, 4, 3)), axis_of(nn.ReLU())
    (-1, 1, None)
    """
    if isinstance(module, _CHANNELS):
        return CHANNELS
    if isinstance(module, _LAST):
        return LAST
    # Classes made of these norms, such as those of ConvNeXt, may put channels first.
    if type(module) in (nn.LayerNorm, nn.RMSNorm):
        return LAST if len(module.normalized_shape) == 1 else None  # type: ignore[arg-type]
    if getattr(module, "nf", None) is not None and type(module).__module__.split(".")[0] == "transformers":
        return LAST  # Conv1D, a linear map
    return None


def declared_width(module: nn.Module, io: str) -> int | None:
    """Return the number of features of one side of a module, if it says so.

    Examples
    --------
    >>> declared_width(nn.Conv2d(3, 4, 3), "output"), declared_width(nn.ReLU(), "output")
    (4, None)
    """
    sides = ("out_features", "out_channels") if io == "output" else ("in_features", "in_channels")
    for name in (*sides, "num_features", "num_channels", *(("embedding_dim",) if io == "output" else ())):
        found = getattr(module, name, None)
        if isinstance(found, int):
            return found
    if type(module) in (nn.LayerNorm, nn.RMSNorm):
        return int(module.normalized_shape[-1])  # type: ignore[index]
    return None
