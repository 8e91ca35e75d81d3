"""Self-check of preprocessing by batch normalisation: does the network meet the numbers of its training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from radfusion.core.selftest import ChannelRange, ProfileFit
from radfusion.networks.backbones import load_network
from radfusion.networks.devices import repeatable
from radfusion.networks.graphs import empty_network
from radfusion.networks.opened import file_stamp
from radfusion.networks.preprocessing import network_input
from radfusion.networks.profiles import Profile, profiles_for
from radfusion.networks.sources import InputFormat, Pretrained

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["CLEARLY", "clearly_better", "profile_fits", "ranges", "without_statistics"]

#: Factor between two distances from which on one profile fits clearly better. With it nothing was said of the right
#: profile, and every wrong scale was named, on real crops with a real network (see docs/self-test.md).
CLEARLY = 1.25


def without_statistics(chosen: Pretrained) -> str | None:
    """Why a network has no learned statistics to compare with, or None."""
    from torch import nn

    if chosen.source.drawn:
        return "drawn weights hold no learned statistics"
    if not any(isinstance(module, nn.BatchNorm2d) for module in empty_network(chosen).modules()):
        return "this network has no batch normalisation, so no statistics of its training are stored with it"
    return None


def profile_fits(pictures: NDArray[np.float32], chosen: Pretrained) -> tuple[ProfileFit, ...]:
    r"""How far the statistics of some pictures lie from those stored with the weights, for every known profile.

    Each batch normalisation stores mean :math:`\mu` and variance :math:`\sigma^2` per channel of what entered it in
    training. With mean `m` and variance :math:`s^2` of the given pictures, the squared Hellinger distance of the two
    normal distributions is :math:`1 - \sqrt{2 s \sigma / (s^2 + \sigma^2)} \exp(-(m - \mu)^2 / 4(s^2 + \sigma^2))`
    [1]_; its root, between 0 and 1, is averaged over all channels of all layers. It needs no labels. A wrong scale
    shows at once; the order of the channels hardly does on grey pictures, nor does the stride.

    Parameters
    ----------
    pictures : (n, rows, columns) array of float32
        Grey levels from 0 (black) to 1 (white); 8 are enough.
    chosen : Pretrained
        Weights with learned statistics.

    Returns
    -------
    tuple of ProfileFit
        The nearest first.

    References
    ----------
    .. [1] Pardo L. Statistical inference based on divergence measures. Chapman & Hall 2006.
       doi:10.1201/9781420034813
    """
    return _fits(np.ascontiguousarray(pictures).tobytes(), pictures.shape, chosen, file_stamp(chosen.file))


def clearly_better(fits: Sequence[ProfileFit]) -> str | None:
    """Profile that fits clearly better than the own one, or None.

    It must be nearer in distance and in shift of the means, and in one of them by the factor :data:`CLEARLY`. An
    exchange of red and blue is never named: grey pictures cannot tell.
    """
    own = next((fit for fit in fits if fit.own), None)
    for fit in fits:
        if own is None or fit.own or fit.profile == "exchanged":
            continue
        nearer = own.distance > fit.distance and own.mean_shift > fit.mean_shift
        if nearer and (own.distance > CLEARLY * fit.distance or own.mean_shift > CLEARLY * fit.mean_shift):
            return fit.profile
    return None


def ranges(pictures: NDArray[np.float32], expected: InputFormat) -> tuple[ChannelRange, ...]:
    """Numbers of each channel as they reach the network.

    Parameters
    ----------
    pictures : (n, rows, columns) array of float32
        Grey levels from 0 to 1.
    expected : InputFormat
        Numbers that the network expects.
    """
    ends = network_input(np.array([[0.0, 1.0]], dtype=np.float32), expected).astype(np.float64)
    pixels = network_input(pictures, expected)
    return tuple(
        ChannelRange(
            channel=channel,
            minimum=float(pixels[:, at].min()),
            maximum=float(pixels[:, at].max()),
            mean=float(pixels[:, at].mean(dtype=np.float64)),
            sd=float(pixels[:, at].std(dtype=np.float64)),
            black=float(ends[at, 0, 0]),
            white=float(ends[at, 0, 1]),
        )
        for at, channel in enumerate(expected.order)
    )


@lru_cache(maxsize=8)
def _fits(
    pictures: bytes, shape: tuple[int, ...], chosen: Pretrained, _stamp: tuple[int, int]
) -> tuple[ProfileFit, ...]:
    """Computed once for weights and pictures that serve several layers."""
    import torch

    greys = np.frombuffer(pictures, dtype=np.float32).reshape(shape)
    network = load_network(chosen).to(memory_format=torch.channels_last)
    fits = []
    with repeatable(), torch.inference_mode():
        for name, profile in profiles_for(chosen.source.input).items():
            pixels = torch.from_numpy(network_input(greys, profile.input))
            own = profile.input == chosen.source.input
            fits.append(_fit(name, profile, _statistics(network, pixels), own=own))
    return tuple(sorted(fits, key=lambda fit: (fit.distance, not fit.own)))


def _statistics(network: nn.Module, pixels: torch.Tensor) -> list[torch.Tensor]:
    """Mean and variance, measured and stored, of every channel of every batch normalisation, in float64."""
    import torch
    from torch import nn

    found: list[torch.Tensor] = []

    def measure(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        assert isinstance(layer, nn.BatchNorm2d)
        assert layer.running_mean is not None
        assert layer.running_var is not None
        # Of each picture in float32, as it was computed; over the pictures in float64.
        variances, means = (each.double() for each in torch.var_mean(inputs[0], dim=(2, 3), correction=0))
        mean, variance = means.mean(dim=0), variances.mean(dim=0) + means.var(dim=0, correction=0) + layer.eps
        stored = layer.running_mean.double(), layer.running_var.double() + layer.eps
        found.append(torch.stack([mean, variance, *stored]))

    hooks = [
        module.register_forward_pre_hook(measure) for module in network.modules() if isinstance(module, nn.BatchNorm2d)
    ]
    try:
        network(pixels.contiguous(memory_format=torch.channels_last))
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _fit(name: str, profile: Profile, statistics: list[torch.Tensor], *, own: bool) -> ProfileFit:
    m, s2, mu, sigma2 = np.concatenate([each.numpy() for each in statistics], axis=1)
    overlap = np.sqrt(2 * np.sqrt(s2 * sigma2) / (s2 + sigma2)) * np.exp(-((m - mu) ** 2) / (4 * (s2 + sigma2)))
    return ProfileFit(
        profile=name,
        title=profile.title,
        distance=float(np.sqrt(np.clip(1 - overlap, 0, None)).mean()),
        mean_shift=float((np.abs(m - mu) / np.sqrt(sigma2)).mean()),
        spread_ratio=float(np.exp(np.abs(np.log(s2 / sigma2)).mean() / 2)),
        own=own,
        known_mistake=profile.known_mistake,
    )
