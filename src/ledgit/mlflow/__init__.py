"""The MLflow plugin (extra ``mlflow``): MLflow's client and UI on a Ledgit repository.

``MLFLOW_TRACKING_URI=ledgit:`` (this repository) or ``ledgit:///path``. MLflow finds `TrackingStore`, `RegistryStore`
and `ArtifactStore` by entry points; of Ledgit only `ledgit ui --mlflow` imports from this package, as importing
MLflow costs a second. See docs/design/mlflow-plugin.md.
"""
