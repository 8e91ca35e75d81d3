"""Results of the self-test of deep features: was the network shown what it knows, do its features say anything."""

from __future__ import annotations

from radfusion.core.estimates import Noun

__all__ = ["ChannelRange", "ProfileFit", "SelfTest"]


class ProfileFit(Noun):
    """How one way to prepare pictures agrees with the statistics that the weights were learned with.

    ``distance`` is the mean Hellinger distance over all channels of all batch normalisations, ``mean_shift`` the mean
    absolute z of the means, ``spread_ratio`` the mean factor between the standard deviations. ``own`` is the profile
    that was used; ``known_mistake`` one that is right for no public network.
    """

    profile: str
    title: str
    distance: float
    mean_shift: float
    spread_ratio: float
    own: bool = False
    known_mistake: bool = False


class ChannelRange(Noun):
    """Numbers of one channel as they reached the network, and what black and white are for it."""

    channel: str
    minimum: float
    maximum: float
    mean: float
    sd: float
    black: float
    white: float


class SelfTest(Noun):
    """Self-test of one deep source on some training cases.

    ``profiles`` are ranked, the nearest first; ``profiles_reason`` says why there are none, and ``better`` names a
    profile that fits clearly better than the one used. ``control_similarity`` is the debiased linear CKA between the
    features and those of the same network with random weights. ``black`` and ``white`` are shares of pixels at either
    end of the grey levels.
    """

    n_cases: int
    n_pictures: int
    profiles: tuple[ProfileFit, ...] = ()
    profiles_reason: str | None = None
    better: str | None = None
    channels: tuple[ChannelRange, ...]
    black: float
    white: float
    control_similarity: float | None = None
    control_reason: str | None = None

    @property
    def own(self) -> ProfileFit | None:
        """The profile that was used."""
        return next((each for each in self.profiles if each.own), None)
