"""The embedded model: a small latent diffusion model of product shots, with all that trains and
judges it.
"""
