"""Image tokens, and a transformer that writes them (Ramesh et al. 2021; Chang et al. 2022), as a t2i plugin."""
