"""Ways in which public code prepares pictures for pretrained networks, right ones and known mistakes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from radfusion.core.registry import Registry
from radfusion.networks.sources import WEIGHTS, InputFormat

__all__ = ["PROFILES", "Profile", "profiles_for"]


@dataclass(frozen=True)
class Profile:
    """One way to prepare pictures.

    Attributes
    ----------
    title : str
        Words for a table.
    input : InputFormat
        Numbers that reach the network.
    known_mistake : bool
        Right for no public network, but met in published code.
    """

    title: str
    input: InputFormat
    known_mistake: bool = False


PROFILES: Registry[Profile] = Registry("preprocessing profile")

_PLAIN = InputFormat(1.0, "RGB", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
_TORCHVISION, _CAFFE = WEIGHTS["imagenet"].input, WEIGHTS["imagenet-caffe"].input

for _name, _profile in {
    "torchvision": Profile("0 to 1, ImageNet mean and SD (torchvision)", _TORCHVISION),
    "half": Profile("-1 to 1 (RadImageNet, PyTorch)", WEIGHTS["radimagenet"].input),
    "caffe": Profile("0 to 255, ImageNet mean, BGR (Caffe)", _CAFFE),
    "keras": Profile("0 to 1, ImageNet mean, BGR (RadImageNet, Keras)", WEIGHTS["radimagenet-keras"].input),
    "xray": Profile("-1024 to 1024 (TorchXRayVision)", WEIGHTS["chest-xray"].input),
    "unit": Profile("0 to 1 as it is", _PLAIN),
    "bytes": Profile("0 to 255 as it is", replace(_PLAIN, white=255.0), known_mistake=True),
    "bytes-torchvision": Profile(
        "0 to 255, then ImageNet mean and SD of 0 to 1", replace(_TORCHVISION, white=255.0), known_mistake=True
    ),
}.items():
    PROFILES.add(_name, _profile)


def profiles_for(expected: InputFormat) -> dict[str, Profile]:
    """Profiles that a network's own is held against.

    Parameters
    ----------
    expected : InputFormat
        What the source says; when no profile has it, it stands first as ``"contract"``.

    Returns
    -------
    dict
        All of :data:`PROFILES` and, where the channels differ, the own one with red and blue exchanged.

    Examples
    --------
    >>> list(profiles_for(WEIGHTS["imagenet"].input))[-1], len(profiles_for(WEIGHTS["radimagenet"].input))
    ('exchanged', 8)
    """
    known = PROFILES.items()
    own = {} if expected in [each.input for each in known.values()] else {"contract": Profile("as stated", expected)}
    other = replace(expected, mean=expected.mean[::-1], std=expected.std[::-1])
    exchanged = {"exchanged": Profile("the own one, red and blue exchanged", other, known_mistake=True)}
    return {**own, **known, **({} if _same(other, expected) else exchanged)}


def _same(a: InputFormat, b: InputFormat) -> bool:
    return (a.mean, a.std) == (b.mean, b.std)
