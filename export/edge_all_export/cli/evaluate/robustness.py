"""``edge-all evaluate robustness``: what light, cameras and software do to the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_all.cli.json_output import JsonOption, print_json
from edge_all_export.cli.evaluate.options import DataOption

__all__ = ["evaluate_robustness"]

ROBUSTNESS_FILE = "robustness.md"


def evaluate_robustness(
    data: DataOption,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="New folder for the table as Markdown.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Model package (name or folder); the embedded one if left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Change twelve real fields as cameras, light and software do, and say which cells, labels and verdicts survive."""
    from rich.console import Console
    from rich.progress import Progress

    from edge_all.api.screener import Screener
    from edge_all.cli.tables import ReadableTable
    from edge_all.files.atomic import write_atomically
    from edge_all.results import INTENDED_USE
    from edge_all_export.robustness.changes import CHANGES
    from edge_all_export.robustness.measuring import measure_robustness, reference_fields
    from edge_all_export.robustness.table import HEADINGS, PATIENT_HEADINGS, markdown_table, patient_row, row_of

    fields = reference_fields(data)
    if output is not None:
        from edge_all_export.evaluation.document import claim_folder

        claim_folder(output, (ROBUSTNESS_FILE,))
    screener = Screener(model=model)
    with Progress(transient=True, console=Console(stderr=True)) as progress:
        task = progress.add_task("Changed fields", total=len(fields) * len(CHANGES))
        unchanged, changed = measure_robustness(
            fields, screener, CHANGES, lambda done: progress.update(task, completed=done)
        )
    outcomes = [unchanged, *changed]
    if output is not None:
        patients = markdown_table(outcomes, PATIENT_HEADINGS, patient_row)
        text = f"{INTENDED_USE}\n\n{markdown_table(outcomes)}\nOf these, the patients' fields:\n\n{patients}"
        write_atomically(output / ROBUSTNESS_FILE, text.encode())
    if as_json:
        print_json({"kind": "robustness", "intended_use": INTENDED_USE, "changes": [one.to_json() for one in outcomes]})
        return
    table = ReadableTable(*HEADINGS, fold=("change", "patients", "healthy"), caption=INTENDED_USE)
    for outcome in outcomes:
        table.add_row(*row_of(outcome))
    table.print()
    of_patients = ReadableTable(*PATIENT_HEADINGS, fold=("change",), caption="The patients' fields.")
    for outcome in outcomes:
        of_patients.add_row(*patient_row(outcome))
    of_patients.print()
