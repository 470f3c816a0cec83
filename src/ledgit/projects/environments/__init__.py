"""The environment that a project runs in: made from what it declares, or from what a run recorded."""
