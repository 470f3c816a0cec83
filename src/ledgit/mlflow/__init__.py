"""The MLflow plugin (extra ``mlflow``): MLflow's client and UI on a Ledgit repository.

``MLFLOW_TRACKING_URI=ledgit:`` (this repository) or ``ledgit:///path``. MLflow finds `TrackingStore`, `RegistryStore`
and `ArtifactStore` by entry points; nothing of Ledgit's imports this package, and importing MLflow costs a second.
See docs/design/mlflow-plugin.md.
"""
