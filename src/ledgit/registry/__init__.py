"""The registry as people use it: versions, stages, who may do what, and whether it is genuine."""
