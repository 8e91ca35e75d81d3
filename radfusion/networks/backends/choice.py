"""Choosing what a network is computed with."""

from __future__ import annotations

from radfusion.errors import UserError
from radfusion.networks.backends.base import BACKENDS, Computing, Precision
from radfusion.networks.devices import choose_device, devices_here

__all__ = ["choose_computing", "others"]


def choose_computing(
    device: str = "auto",
    backend: str = "auto",
    precision: Precision = "float32",
    *,
    batch_size: int | None = None,
) -> Computing:
    """Device, backend and batch size; whatever is not asked for is the fastest that is there and fits the rest.

    Parameters
    ----------
    device : str
        ``auto`` (a GPU when there is one), ``cpu``, ``cuda`` (all GPUs), ``cuda:1`` (one of them) or ``mps``.
    backend : str
        ``auto``, or a name of :data:`radfusion.networks.backends.BACKENDS`.
    precision : {"float32", "float16", "bfloat16"}
        Numbers that the network computes in.
    batch_size : int, optional
        Pictures computed together; by default what was measured to be best.

    Raises
    ------
    UserError
        When something asked for is not there or does not fit together; says what there is and what to install.

    Examples
    --------
    >>> computing = choose_computing("cpu", "torch", batch_size=4)
    >>> computing.backend, computing.precision, computing.batch_size
    ('torch', 'float32', 4)
    """
    if backend != "auto":
        BACKENDS[backend]  # an unknown name is answered with the known ones
    devices = devices_here() if device == "auto" else (choose_device(device),)
    names = [*BACKENDS] if backend == "auto" else [backend]
    fits = [
        Computing(each, name, precision, batch_size or BACKENDS[name].batch_sizes[_place(each)], backend == "auto")
        for each in devices
        for name in names
        if precision in BACKENDS[name].precisions.get(_place(each), ())
    ]
    if not fits:
        raise UserError(_misfit(device, backend, precision))
    reasons = []
    for each in fits:
        reason = BACKENDS[each.backend].missing()
        if reason is None:
            return each
        reasons.append(reason)
    here = [name for name, each in BACKENDS.items().items() if each.missing() is None]
    raise UserError(f"backend {backend!r}: {reasons[0]}; here: auto, {', '.join(here)}")


def others(computing: Computing) -> list[Computing]:
    """What takes the place of a choice whose features are not equal to torch's: the next backends on that device."""
    names = [*BACKENDS]
    if not computing.automatic:
        return []
    later = names[names.index(computing.backend) + 1 :]
    return [
        Computing(computing.device, name, computing.precision, computing.batch_size)
        for name in later
        if computing.precision in BACKENDS[name].precisions.get(computing.place, ())
        and BACKENDS[name].missing() is None
    ]


def _place(device: str) -> str:
    return device.partition(":")[0]


def _misfit(device: str, backend: str, precision: str) -> str:
    names = [*BACKENDS] if backend == "auto" else [backend]
    offers = [
        f"{name} on {place} in {' or '.join(precisions)}"
        for name in names
        for place, precisions in BACKENDS[name].precisions.items()
    ]
    return f"device {device!r}, backend {backend!r}, precision {precision!r} do not go together: {'; '.join(offers)}"
