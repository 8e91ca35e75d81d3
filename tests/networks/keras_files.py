"""Writers of Keras' weights in the forms that are public."""

import h5py
import numpy as np
import torch


def write_keras_2(path, arrays, *, root="", suffix=":0"):
    """Write HDF5 as `save_weights` of Keras 2 does, or, below a root, as `save` does for whole models."""
    with h5py.File(path, "w") as file:
        group = file.require_group(root) if root else file
        layers = {name.partition("/")[0]: [] for name in arrays}
        for name, array in arrays.items():
            layer, _, weight = name.partition("/")
            layers[layer].append(f"{layer}/{weight}{suffix}")
            group.create_dataset(f"{layer}/{layer}/{weight}{suffix}", data=array)
        group.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer, weights in layers.items():
            group[layer].attrs["weight_names"] = [weight.encode() for weight in weights]
        if root:
            file.create_dataset("optimizer_weights/SGD/learning_rate:0", data=np.float32(0.1))
    return path


def write_keras_3(path, arrays, *, named=True):
    """Write HDF5 as `save_weights` of Keras 3 does: numbered layers, whose names are told aside."""
    layers = {}
    for name, array in arrays.items():
        layers.setdefault(name.partition("/")[0], []).append(array)
    with h5py.File(path, "w") as file:
        for number, (layer, weights) in enumerate(layers.items()):
            group = file.create_group(f"layers/{'conv2d' if layer.endswith('conv') else 'batch'}_{number}/vars")
            if named:
                group.attrs["name"] = layer
            for place, array in enumerate(weights):
                group.create_dataset(str(place), data=array)
        file.create_group("vars")
    return path


def port_of(arrays, *, transposed=True):
    """Keras' weights under torchvision's names with the biases of the convolutions, as in the public torch port."""
    renamed = {}
    for name, array in arrays.items():
        layer, _, weight = name.partition("/")
        ours = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}.get(weight, weight)
        ours = ours.replace("moving_mean", "running_mean").replace("moving_variance", "running_var")
        module = {"conv1_conv": "conv1", "conv1_bn": "bn1"}.get(layer)
        if module is None:
            stage, block, place, kind = layer.removeprefix("conv").replace("block", "").split("_")
            inside = f"downsample.{int(kind == 'bn')}" if place == "0" else f"{kind}{place}"
            module = f"layer{int(stage) - 1}.{int(block) - 1}.{inside}"
        values = torch.from_numpy(np.array(array))
        renamed[f"{module}.{ours}"] = values.permute(3, 2, 0, 1) if weight == "kernel" and transposed else values
    return renamed
