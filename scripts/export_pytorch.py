"""Exports an official PyTorch checkpoint for `stein convert`: python export_pytorch.py CHECKPOINT.pth OUT.safetensors

Reads what NCSN, NCSNv2 and score_sde_pytorch save, or a bare state_dict, and writes every tensor of it: the network
under its own names, the running averages as ema.NAME (NCSNv2) or as ema.0, ema.1, ... in the order of the network's
trainable parameters (score_sde_pytorch). Needs torch >= 1.13 and safetensors. docs/convert.md says how to go on.
"""

import sys

import torch
from safetensors.torch import save_file

saved = torch.load(sys.argv[1], map_location="cpu", weights_only=True)
network, averages = saved, {}
if isinstance(saved, list):  # NCSN: [network, optimizer]; NCSNv2: [network, optimizer, epoch, step, averages]
    network, averages = saved[0], saved[4] if len(saved) > 4 else {}
elif "model" in saved and "ema" in saved:  # score_sde_pytorch
    network, averages = saved["model"], dict(enumerate(saved["ema"]["shadow_params"]))
tensors = {**network, **{f"ema.{name}": tensor for name, tensor in averages.items()}}
save_file({name: t.clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}, sys.argv[2])
print(f"wrote {sys.argv[2]}: {len(network)} tensors, {len(averages)} running averages")
