"""Checkpoints that benchmarks make for themselves, as folders of Hugging Face repositories. Needs numpy."""
import json
import math
import os

import numpy as np


def write_safetensors(path, tensors):
    """tensors: name to (dtype, shape, values or their bytes). Wider numbers stand first, so that all are aligned."""
    sizes = {"I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2}
    header, at = {}, 0
    names = sorted(tensors, key=lambda name: -sizes.get(tensors[name][0], 1))
    for name in names:
        dtype, shape, values = tensors[name]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + values.nbytes]}
        at += values.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            out.write(np.ascontiguousarray(tensors[name][2]).tobytes())


def read_float32(path):
    """The float32 tensors of a file: name to array."""
    with open(path, "rb") as f:
        size = int.from_bytes(f.read(8), "little")
        header = json.loads(f.read(size))
        data = f.read()
    return {name: np.frombuffer(data, np.float32, math.prod(t["shape"]), t["data_offsets"][0]).reshape(t["shape"])
            for name, t in header.items() if name != "__metadata__"}


def as_float32(tensors):
    return {name: ("F32", t.shape, np.asarray(t, np.float32)) for name, t in tensors.items()}


def write_folder(folder, config, tensors):
    os.makedirs(folder, exist_ok=True)
    write_safetensors(os.path.join(folder, "model.safetensors"), tensors)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f)
    return folder
