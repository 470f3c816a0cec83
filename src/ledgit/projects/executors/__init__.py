"""Where trials run: this machine, Dask, Slurm, Ray."""
