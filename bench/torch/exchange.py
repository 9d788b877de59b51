"""The file that both sides read: weights, inputs and what Stein made of them."""

import json

import torch
from ncsnpp import NCSNpp
from safetensors import safe_open


def read(path):
    """Tensors by name, and the `case` of the metadata: the configuration under score_sde's names, and the step."""
    try:
        with safe_open(path, framework="pt") as file:
            case = (file.metadata() or {}).get("case")
            if case is None:
                raise SystemExit(f"step: got {path} without a case in its metadata, expected a file of bench/torch/step.ts")
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(case)
    except FileNotFoundError:
        raise SystemExit(f"step: no file {path}; write it with: npx tsx bench/torch/step.ts FOLDER") from None


def network(tensors, config):
    """The network with the file's weights, every one of which must be there."""
    net = NCSNpp(config)
    state = {name.removeprefix("param."): t for name, t in tensors.items() if name.startswith("param.")}
    net.load_state_dict(state, strict=True)
    return net.eval().requires_grad_(False)


def relative(got, truth):
    """|got - truth| / |truth| in the L2 norm."""
    truth = truth.double()
    return (torch.linalg.vector_norm(got.double() - truth) / torch.linalg.vector_norm(truth)).item()
