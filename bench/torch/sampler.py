"""A predictor-corrector step of the VE SDE as score_sde takes it: two calls of the network."""

import math

import torch


def sigma_at(t, config):
    return config["sigma_min"] * (config["sigma_max"] / config["sigma_min"]) ** t


def diffusion_at(t, config):
    """sqrt(sigma_i^2 - sigma_(i-1)^2) of the chain's step at time t: ReverseDiffusionPredictor."""
    count = config["num_scales"]
    i = math.floor(t * (count - 1))
    grid = lambda k: sigma_at(k / (count - 1), config) if k >= 0 else 0.0  # noqa: E731
    return math.sqrt(grid(i) ** 2 - grid(i - 1) ** 2)


def step(score, x, sigma, diffusion, snr, noise=torch.randn_like):
    """Langevin's corrector, then the reverse diffusion's predictor: x and sigma [n] -> x a step later."""
    grad, z = score(x, sigma), noise(x)
    norm = lambda t: torch.linalg.vector_norm(t.flatten(1), dim=1).mean()  # noqa: E731
    size = 2 * (snr * norm(z) / norm(grad)) ** 2
    x = x + size * grad + torch.sqrt(2 * size) * z
    return x + diffusion**2 * score(x, sigma) + diffusion * noise(x)
