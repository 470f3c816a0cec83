"""The notebook cells behind a run, as an artifact of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgit.tracking import session

if TYPE_CHECKING:
    from ledgit.store import ActiveRun as StoreRun

__all__ = ["CELLS", "record_cells"]

CELLS = "notebook/cells.py"


def record_cells(run: StoreRun, since: int) -> None:
    """Log the cells executed since number *since* as an artifact of *run*.

    Args:
        run: The run that is about to end.
        since: What :func:`ledgit.tracking.session.cell_number` said when the run started.
    """
    import sys

    shell = sys.modules["IPython"].get_ipython()
    history = shell.history_manager.input_hist_raw if shell is not None else []
    cells = [(number, text) for number, text in enumerate(history) if number >= max(1, since) and text.strip()]
    if not cells:
        return
    text = "".join(f"# %% In [{number}]\n{source.rstrip()}\n\n" for number, source in cells)
    try:
        run.add_artifact_bytes(CELLS, text.encode("utf-8", "backslashreplace"))
    except session.TROUBLE as error:
        session.report(error, "the notebook's cells were not logged")
