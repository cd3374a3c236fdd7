"""Whatever people do in whatever order: the index is what the events say, and no gesture is lost."""

# ruff: noqa: PT017 - whether a step raises depends on the steps before
from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge_all.errors import ReviewConflictError, ReviewError
from edge_all.station.desk import Station
from edge_all.station.review.decisions import UNDOABLE, decisions_of_slide, replayed
from edge_all.station.review.kinds import DEFAULT_KINDS
from edge_all.station.review.slide_review import Done, Review
from edge_all.station.storage.backup import examine_store
from edge_all.station.storage.chain import events_of_slide
from edge_all.station.storage.found_fields import ImageFile, JudgingModel, record_finding
from edge_all.station.storage.slide_records import find_or_add_slide

PEOPLE = st.sampled_from(["Curie", "Hess", "Virchow"])
KINDS = st.sampled_from([kind.name for kind in DEFAULT_KINDS])
CELLS = st.sets(st.integers(0, 11), min_size=1, max_size=5)


def _made_up() -> Any:  # noqa: ANN401 - the module beside this one, which tests cannot import
    spec = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("conftest.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class People(RuleBasedStateMachine):
    """Three people at one slide, each with what they saw last, which may be old."""

    def __init__(self) -> None:
        super().__init__()
        made_up = _made_up()
        self.folder = tempfile.TemporaryDirectory()
        self.station = Station(Path(self.folder.name))
        labels = ["ALL", "non-ALL", "indeterminate", None, "non-ALL", "ALL"]
        with self.station.database.write() as connection:
            self.slide = find_or_add_slide(connection, "/x", "y")
            for name in ("1", "2"):
                file = ImageFile(self.slide.id, f"/x/{name}.jpg", 0, name * 64)
                model: JudgingModel = made_up.MODEL
                record_finding(connection, file, made_up.a_field(labels), model)
        self.seen: dict[str, dict[str, int]] = {}
        self.gestures = 0
        self.kinds: dict[str, list[tuple[int, str]]] = {}
        self.undone: set[int] = set()

    def teardown(self) -> None:
        self.station.close()
        self.folder.cleanup()

    def review(self, person: str) -> Review:
        return self.station.review(self.slide.code, person)

    def chosen(self, person: str, numbers: set[int]) -> dict[str, int]:
        """Of the cells that the person knows, some."""
        known = self.seen.setdefault(person, {cell.id: cell.version for cell in self.review(person).view().cells})
        names = sorted(known)
        return {names[number % len(names)]: known[names[number % len(names)]] for number in numbers}

    def took(self, done: Done) -> Done:
        self.gestures += 1
        return done

    @rule(person=PEOPLE)
    def look(self, person: str) -> None:
        self.seen[person] = {cell.id: cell.version for cell in self.review(person).view().cells}

    @rule(person=PEOPLE, numbers=CELLS, kind=KINDS, anyway=st.booleans())
    def reclassify(self, person: str, numbers: set[int], kind: str, anyway: bool) -> None:
        cells = self.chosen(person, numbers)
        before = {cell.id: cell for cell in self.review(person).view().cells}
        try:
            done = self.took(self.review(person).reclassify(cells, kind, anyway=anyway))
        except ReviewConflictError as error:
            assert not anyway
            for one in error.conflicts:
                assert one.version > cells[one.cell]  # type: ignore[attr-defined]
                assert one.actor != person  # type: ignore[attr-defined]
        except ReviewError as error:
            assert "no longer" in str(error)
            assert any(name not in before for name in cells)
        else:
            assert {cell.id: cell.kind for cell in done.cells} == dict.fromkeys(cells, kind)
            for name in cells:
                self.kinds.setdefault(name, []).append((done.seq, kind))

    @rule(person=PEOPLE, numbers=CELLS)
    def mark_seen(self, person: str, numbers: set[int]) -> None:
        try:
            self.review(person).mark_seen(self.chosen(person, numbers))
        except ReviewError as error:
            assert "no longer" in str(error)

    @rule(person=PEOPLE, numbers=CELLS, excluded=st.booleans())
    def exclude(self, person: str, numbers: set[int], excluded: bool) -> None:
        try:
            self.took(self.review(person).exclude(self.chosen(person, numbers), excluded=excluded, anyway=True))
        except ReviewError as error:
            assert "no longer" in str(error)

    @rule(person=PEOPLE, kind=KINDS, at=st.integers(20, 900))
    def draw(self, person: str, kind: str, at: int) -> None:
        done = self.took(self.review(person).draw(1, (float(at), float(at), 12.0), kind))
        self.kinds.setdefault(done.cells[0].id, []).append((done.seq, kind))

    @rule(person=PEOPLE, number=st.integers(0, 11))
    def split(self, person: str, number: int) -> None:
        ((cell, version),) = self.chosen(person, {number}).items()
        try:
            self.took(self.review(person).split(cell, version, ((10.0, 10.0, 5.0), (20.0, 20.0, 5.0)), anyway=True))
        except ReviewError as error:
            assert "no longer" in str(error)

    @rule(person=PEOPLE)
    def undo(self, person: str) -> None:
        try:
            self.took(self.review(person).undo())
        except ReviewError as error:
            assert "nothing to undo" in str(error)
            return
        self.undone.add(self.review(person).history()[-1].payload["of"])

    @rule(person=PEOPLE)
    def redo(self, person: str) -> None:
        try:
            self.took(self.review(person).redo())
        except ReviewError as error:
            assert "nothing to redo" in str(error)
            return
        self.undone.remove(self.review(person).history()[-1].payload["of"])

    @precondition(lambda self: self.gestures > 3)
    @rule()
    def restart(self) -> None:
        self.station.close()
        self.station = Station(Path(self.folder.name))

    @invariant()
    def the_index_is_what_the_events_say(self) -> None:
        with self.station.database.read() as connection:
            events = events_of_slide(connection, self.slide.id)
            assert decisions_of_slide(connection, self.slide.id) == replayed(events)

    @invariant()
    def a_cell_is_seen_where_an_event_is_about_it(self) -> None:
        with self.station.database.read() as connection:
            touched = {one.cell for one in replayed(events_of_slide(connection, self.slide.id))}
        assert {cell.id for cell in self.review("Curie").view().cells if cell.seen} <= touched
        assert all(cell.seen for cell in self.review("Curie").view().cells if cell.id in touched)

    @invariant()
    def no_gesture_is_lost(self) -> None:
        events = self.review("Curie").history()
        assert sum(event.kind in UNDOABLE or event.kind.startswith("gesture.") for event in events) == self.gestures

    @invariant()
    def each_cell_is_called_by_the_last_gesture_that_stands(self) -> None:
        for cell in self.review("Curie").view().cells:
            standing = [kind for seq, kind in self.kinds.get(cell.id, ()) if seq not in self.undone]
            assert cell.kind == (standing[-1] if standing else None)

    @invariant()
    def the_chain_holds(self) -> None:
        assert examine_store(self.station.database.file).problem is None


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
class TestPeople(People.TestCase):  # type: ignore[misc]
    settings = settings(
        max_examples=15,
        stateful_step_count=20,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
