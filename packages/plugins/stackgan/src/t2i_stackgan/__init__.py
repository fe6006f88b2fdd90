"""StackGAN (Zhang et al. 2017) and StackGAN++ (Zhang et al. 2018) as a t2i plugin."""
