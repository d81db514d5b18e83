"""The notebook runs from its first cell to its last, and is committed without what it printed."""

import nbformat
from nbclient import NotebookClient

from tests.conftest import PATIENCE, PROJECT

NOTEBOOK = PROJECT / "notebooks" / "explore.ipynb"


def test_the_notebook_runs_and_says_what_it_should():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert len(notebook.cells) == 11
    assert not any(cell.get("outputs") for cell in notebook.cells)
    NotebookClient(notebook, timeout=3 * PATIENCE, resources={"metadata": {"path": str(PROJECT)}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    printed = ["".join(output.get("text", "") for output in cell.outputs) for cell in cells]
    assert printed[1].startswith("ok validation ")
    assert "best on validation: lr" in printed[3]
    assert "(n=3), p = " in printed[4]
    assert any("image/png" in output.get("data", {}) for output in cells[5].outputs)
    assert "hypothesis:" in printed[6]
    assert printed[7].startswith("leads: activation ")
    assert printed[9].count("said") == 5
