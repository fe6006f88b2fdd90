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
    """The same of the Gaussians that fit two sets of at least two vectors; quick where they are fewer than d."""
    x, y = x.double(), y.double()
    one, two = ((each - each.mean(dim=0)) / (len(each) - 1) ** 0.5 for each in (x, y))  # C = one.T @ one
    apart = (x.mean(dim=0) - y.mean(dim=0)).square().sum() + one.square().sum() + two.square().sum()
    return float(apart - 2 * torch.linalg.svdvals(one @ two.T).sum())


def trace_of_root(covariance1: Float64[Tensor, "d d"], covariance2: Float64[Tensor, "d d"]) -> float:
    """tr((C1 C2)^½) of two symmetric matrices without negative eigenvalues.

    With C = R Rᵀ, the eigenvalues of C1 C2 are the squared singular values of R1ᵀ R2: no square root of a
    non-symmetric matrix is taken, nothing turns complex, and a singular C costs no precision.
    """
    return float(torch.linalg.svdvals(_root(covariance1).T @ _root(covariance2)).sum())


def _root(covariance: Float64[Tensor, "d d"]) -> Float64[Tensor, "d r"]:
    """R with C = R Rᵀ: Cholesky's, or where C is singular its eigenvectors by the roots of their eigenvalues."""
    factor, failed = torch.linalg.cholesky_ex(covariance)
    if not failed:
        return factor
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > len(values) * torch.finfo(values.dtype).eps * values[-1].clamp(min=0)
    return vectors[:, kept] * values[kept].sqrt()
