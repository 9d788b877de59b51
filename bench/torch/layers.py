"""Layers and blocks of NCSN++ under the parameter names of score_sde (Song et al. 2021), in plain PyTorch ops."""

import math

import torch
import torch.nn.functional as F
from torch import nn

TAPS = (1.0, 3.0, 3.0, 1.0)


def group_norm(channels):
    return nn.GroupNorm(min(channels // 4, 32), channels, eps=1e-6)


class Fir(nn.Module):
    """Doubles or halves images through the smoothing filter [1,3,3,1]; paddings of up_or_down_sampling.py."""

    def __init__(self):
        super().__init__()
        taps = torch.tensor(TAPS)
        self.register_buffer("filter", torch.outer(taps, taps) / taps.sum() ** 2, persistent=False)

    def _of(self, x):
        return self.filter.to(x.dtype).expand(x.shape[1], 1, 4, 4)

    def smooth(self, x, padding):
        return F.conv2d(x, self._of(x), padding=padding, groups=x.shape[1])

    def down(self, x):
        return F.conv2d(x, self._of(x), stride=2, padding=1, groups=x.shape[1])

    def up(self, x):
        return F.conv_transpose2d(x, 4 * self._of(x), stride=2, padding=1, groups=x.shape[1])


class GaussianFourierProjection(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.W = nn.Parameter(torch.zeros(size), requires_grad=False)

    def forward(self, x):
        angle = x[:, None] * self.W[None, :] * 2 * math.pi
        return torch.cat([angle.sin(), angle.cos()], dim=-1)


class NIN(nn.Module):
    """The same linear layer at every pixel; W is [in, out]."""

    def __init__(self, channels):
        super().__init__()
        self.W = nn.Parameter(torch.zeros(channels, channels))
        self.b = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        return F.conv2d(x, self.W.t()[:, :, None, None], self.b)


class AttnBlockpp(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.GroupNorm_0 = group_norm(channels)
        self.NIN_0 = NIN(channels)
        self.NIN_1 = NIN(channels)
        self.NIN_2 = NIN(channels)
        self.NIN_3 = NIN(channels)

    def forward(self, x, _embedding):
        n, c, height, width = x.shape
        h = self.GroupNorm_0(x)
        q, k, v = (nin(h).reshape(n, c, height * width) for nin in (self.NIN_0, self.NIN_1, self.NIN_2))
        weights = F.softmax(torch.bmm(q.transpose(1, 2), k) * c**-0.5, dim=-1)  # [n, query, key]
        h = torch.bmm(v, weights.transpose(1, 2)).reshape(n, c, height, width)
        return (x + self.NIN_3(h)) / math.sqrt(2)


class ResnetBlockBigGANpp(nn.Module):
    def __init__(self, in_channels, out_channels, embedding, resample=None):
        super().__init__()
        self.resample = resample
        self.GroupNorm_0 = group_norm(in_channels)
        self.Conv_0 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.Dense_0 = nn.Linear(embedding, out_channels)
        self.GroupNorm_1 = group_norm(out_channels)
        self.Conv_1 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        if resample or in_channels != out_channels:
            self.Conv_2 = nn.Conv2d(in_channels, out_channels, 1)
        if resample:
            self.fir = Fir()

    def forward(self, x, embedding):
        h = F.silu(self.GroupNorm_0(x))
        if self.resample:
            change = self.fir.up if self.resample == "up" else self.fir.down
            h, x = change(h), change(x)
        h = self.Conv_0(h) + self.Dense_0(F.silu(embedding))[:, :, None, None]
        h = self.Conv_1(F.silu(self.GroupNorm_1(h)))
        if hasattr(self, "Conv_2"):
            x = self.Conv_2(x)
        return (x + h) / math.sqrt(2)


class FirConv(nn.Module):
    """conv_downsample_2d: the filter, then a 3x3 convolution of stride 2."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.fir = Fir()

    def forward(self, x):
        return F.conv2d(self.fir.smooth(x, 2), self.weight, self.bias, stride=2)


class Downsample(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.Conv2d_0 = FirConv(in_channels, out_channels)

    def forward(self, x):
        return self.Conv2d_0(x)
