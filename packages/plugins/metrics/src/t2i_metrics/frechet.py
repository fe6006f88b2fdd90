"""The Fréchet distance of two Gaussians; arithmetic on means and covariances only."""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64
from torch import Tensor


def frechet_distance(
    mean1: Float64[Tensor, d],
    covariance1: Float64[Tensor, "d d"],
    mean2: Float64[Tensor, d],
    covariance2: Float64[Tensor, "d d"],
) -> float:
    """‖μ1 - μ2‖² + tr(C1 + C2 - 2 (C1 C2)^½), the squared 2-Wasserstein distance (Dowson and Landau 1982)."""
    apart = (mean1 - mean2).square().sum() + covariance1.trace() + covariance2.trace()
    return float(apart) - 2 * trace_of_root(covariance1, covariance2)


def frechet_distance_of(x: Float[Tensor, "m d"], y: Float[Tensor, "n d"]) -> float:
    """The distance of the Gaussians that fit two sets of at least two vectors; fast if the sets are smaller than d."""
    x, y = x.double(), y.double()
    one, two = ((each - each.mean(dim=0)) / (len(each) - 1) ** 0.5 for each in (x, y))  # C = one.T @ one
    apart = (x.mean(dim=0) - y.mean(dim=0)).square().sum() + one.square().sum() + two.square().sum()
    return float(apart - 2 * torch.linalg.svdvals(one @ two.T).sum())


def trace_of_root(covariance1: Float64[Tensor, "d d"], covariance2: Float64[Tensor, "d d"]) -> float:
    """tr((C1 C2)^½) of two symmetric matrices without negative eigenvalues.

    With C1 = R Rᵀ, C1 C2 has the eigenvalues of Rᵀ C2 R. That matrix is symmetric, so its eigenvalues are real and no
    square root of a non-symmetric matrix is needed.
    """
    root, other = _cholesky(covariance1), covariance2
    if root is None:
        root, other = _cholesky(covariance2), covariance1
    if root is None:
        root = _eigen_root(covariance2)
    values = torch.linalg.eigvalsh(root.T @ other @ root)
    return float(values.where(values > _rounding(values), 0).sqrt().sum())


def _cholesky(covariance: Float64[Tensor, "d d"]) -> Float64[Tensor, "d d"] | None:
    """R with C = R Rᵀ, or None if C is singular."""
    factor, failed = torch.linalg.cholesky_ex(covariance)
    return None if failed else factor


def _eigen_root(covariance: Float64[Tensor, "d d"]) -> Float64[Tensor, "d r"]:
    """R with C = R Rᵀ, with as many columns as C has rank."""
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > _rounding(values)
    return vectors[:, kept] * values[kept].sqrt()


def _rounding(values: Float64[Tensor, d]) -> float:
    """The size below which an eigenvalue is a rounding error; `values` are in ascending order."""
    return len(values) * torch.finfo(values.dtype).eps * max(0.0, float(values[-1])) if len(values) else 0.0
