"""Features of Keras' ResNet-50 with made-up weights, as the tests expect them of ours: ``python keras_resnet50.py``.

Needs Keras 3 with its torch backend, which radfusion does not use itself. Weights and images are a closed formula of
name and index, so that the tests can write the very same ones into files of every form.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

STAGES = {
    "layer1": "conv2_block3_out",
    "layer2": "conv3_block4_out",
    "layer3": "conv4_block6_out",
    "layer4": "conv5_block3_out",
}
SHAPE = (2, 96, 96, 3)


def uniform(name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Numbers from -1 to 1 that follow from a name and the index alone (Steele's SplitMix64)."""
    count = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64)
    mixed = (count + np.uint64(zlib.crc32(name.encode())) * np.uint64(1 << 24)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64).reshape(shape) / 2.0**52 - 1


def made_up(layer: str, weight: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """One array of a layer: kernels that keep the scale, biases and batch statistics that nobody can overlook."""
    numbers = uniform(f"{layer}/{weight}", shape)
    if weight == "kernel":
        numbers = numbers * np.sqrt(6 / np.prod(shape[:-1]))
    elif weight in ("gamma", "moving_variance"):
        numbers = (1 + 0.5 * numbers) * (0.5 if layer.endswith("_3_bn") and weight == "gamma" else 1)
    else:
        numbers = 0.3 * numbers
    return numbers.astype(np.float32)


def images() -> NDArray[np.float32]:
    """Two pictures as the network takes them, (2, 96, 96, 3): noise on a ramp, and noise beside a bright square."""
    pictures = 0.3 * uniform("images", SHAPE)
    pictures[0] += np.linspace(-1, 1, SHAPE[1])[:, None, None]
    pictures[1, 20:60, 30:80] += (2, 1, -1)
    return pictures.astype(np.float32)


def main() -> None:
    """Write the features of every stage, averaged over the grid, beside this script."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    import torch

    keras.config.set_floatx("float64")
    network = keras.applications.ResNet50(include_top=False, weights=None)
    weights = {}
    for layer in network.layers:
        for variable in layer.weights:
            variable.assign(made_up(layer.name, variable.name, tuple(variable.shape)).astype(np.float64))
            weights[f"{layer.name}/{variable.name}"] = list(variable.shape)
    stages = keras.Model(network.input, [network.get_layer(name).output for name in STAGES.values()])
    with torch.no_grad():
        found = [keras.ops.convert_to_numpy(each).mean(axis=(1, 2)) for each in stages(images().astype(np.float64))]
    content = {
        "generator": f"keras {keras.__version__}, torch {torch.__version__}, float64",
        "weights": weights,
        "features": {
            stage: [[float(f"{number:.8g}") for number in row] for row in rows.tolist()]
            for stage, rows in zip(STAGES, found, strict=True)
        },
    }
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
