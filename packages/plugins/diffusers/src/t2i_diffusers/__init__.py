"""Draws with the pipelines of diffusers: Stable Diffusion, SDXL, PixArt, Sana, SD 3, FLUX and others."""
