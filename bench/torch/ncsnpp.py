"""NCSN++ as in score_sde's ve/cifar10_ncsnpp_continuous (Song et al. 2021), in plain PyTorch ops."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from layers import AttnBlockpp, Downsample, GaussianFourierProjection, ResnetBlockBigGANpp, group_norm

FIXED = {
    "conditional": True,
    "fir": True,
    "fir_kernel": [1, 3, 3, 1],
    "skip_rescale": True,
    "resblock_type": "biggan",
    "progressive": "none",
    "progressive_input": "residual",
    "progressive_combine": "sum",
    "embedding_type": "fourier",
    "scale_by_sigma": True,
    "nonlinearity": "swish",
}


class NCSNpp(nn.Module):
    """x [n,channels,s,s] and sigma [n] -> the score, x's shape. `config`: score_sde's names, see FIXED for what must hold."""

    def __init__(self, config):
        super().__init__()
        for name, value in FIXED.items():
            if config[name] != value:
                raise SystemExit(f"ncsnpp: got {name} {config[name]}, expected {value}, all that this network has")
        nf, blocks = config["nf"], config["num_res_blocks"]
        widths = [nf * mult for mult in config["ch_mult"]]
        sizes = [config["size"] >> level for level in range(len(widths))]
        attends = [size in config["attn"] for size in sizes]
        last = len(widths) - 1
        self.centered = config["centered"]
        self.register_buffer("sigmas", torch.zeros(config["num_scales"]))

        modules = [GaussianFourierProjection(nf), nn.Linear(2 * nf, 4 * nf), nn.Linear(4 * nf, 4 * nf)]
        modules.append(nn.Conv2d(config["channels"], nf, 3, padding=1))

        def place(module):
            modules.append(module)
            return len(modules) - 1

        def resnet(i, o, resample=None):
            return place(ResnetBlockBigGANpp(i, o, 4 * nf, resample))

        # Numbers of the modules, in the order in which they run.
        self.down, self.middle, self.up = [], [], []
        channels, pyramid, kept = nf, config["channels"], [nf]
        for level, width in enumerate(widths):
            steps = []
            for _ in range(blocks):
                steps.append([resnet(channels, width)] + ([place(AttnBlockpp(width))] if attends[level] else []))
                channels = width
                kept.append(channels)
            change = None
            if level < last:
                change = (resnet(channels, channels, "down"), place(Downsample(pyramid, channels)))
                pyramid = channels
                kept.append(channels)
            self.down.append((steps, change))
        self.middle = [resnet(channels, channels), place(AttnBlockpp(channels)), resnet(channels, channels)]
        for level in range(last, -1, -1):
            steps = []
            for _ in range(blocks + 1):
                steps.append(resnet(channels + kept.pop(), widths[level]))
                channels = widths[level]
            attention = place(AttnBlockpp(channels)) if attends[level] else None
            self.up.append((steps, attention, resnet(channels, channels, "up") if level > 0 else None))
        self.end = (place(group_norm(channels)), place(nn.Conv2d(channels, config["channels"], 3, padding=1)))
        self.all_modules = nn.ModuleList(modules)

    def forward(self, x, sigma):
        m = self.all_modules
        embedding = m[2](F.silu(m[1](m[0](torch.log(sigma)))))
        pyramid = x if self.centered else 2 * x - 1
        h = m[3](pyramid)
        kept = [h]
        for steps, change in self.down:
            for numbers in steps:
                for number in numbers:
                    h = m[number](h, embedding)
                kept.append(h)
            if change:
                down, beside = change
                h = pyramid = (m[beside](pyramid) + m[down](h, embedding)) / math.sqrt(2)
                kept.append(h)
        for number in self.middle:
            h = m[number](h, embedding)
        for steps, attention, up in self.up:
            for number in steps:
                h = m[number](torch.cat([h, kept.pop()], dim=1), embedding)
            for number in (attention, up):
                if number is not None:
                    h = m[number](h, embedding)
        norm, conv = self.end
        h = m[conv](F.silu(m[norm](h)))
        return h / sigma[:, None, None, None]
