"""What a person decides: gestures, conflicts, undo, signatures, two readers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge_all.errors import (
    ReviewConflictError,
    ReviewError,
    SlideSignedError,
    UnreviewedCellsError,
    UsageError,
)
from edge_all.station.desk import Station
from edge_all.station.reports.report_words import sections
from edge_all.station.reports.slide_report import report_of
from edge_all.station.review.cells import ReviewedCell, in_order
from edge_all.station.review.kinds import CountsAs
from edge_all.station.review.settings import StationSettings
from edge_all.station.review.slide_review import Review
from edge_all.station.review.tally import agreement_of
from edge_all.station.storage.slide_records import SlideRecord
from edge_all.station.web.documents import slide_document
from edge_all.wording.language import Language


def called(review: Review, *counts: str) -> dict[str, int]:
    """The cells that count as these, with their versions."""
    return {cell.id: cell.version for cell in review.view().cells if cell.counts_as in counts}


def look_at_all(review: Review) -> int:
    return review.mark_seen({cell.id: cell.version for cell in review.view().cells}).view.last_seq


def test_a_slide_stands_as_the_software_found_it(station: Station, slide: SlideRecord) -> None:
    view = station.review(slide.code, "Curie").view()
    assert [cell.counts_as for cell in view.cells] == ["ALL"] * 2 + ["non-ALL"] * 6 + ["indeterminate", "left out"]
    assert view.tally.result.cells == {"ALL": 2, "non-ALL": 6, "indeterminate": 1, "rejected": 1}
    assert view.state.stage == "pending"
    assert view.tally.to_look_at == 3
    assert not view.can_undo


def test_the_name_stands_in_no_event(station: Station, slide: SlideRecord) -> None:
    assert slide.name == "Smith, J."
    assert not any("Smith" in str(event) or "/images" in str(event) for event in station.events_after(0))
    assert "Smith" not in slide.code


def test_reclassifying_changes_counts_and_verdict_at_once(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    before = review.view().tally.result
    done = review.reclassify(called(review, "ALL"), "lymphocyte")
    assert [cell.kind for cell in done.cells] == ["lymphocyte"] * 2
    assert done.view.tally.result.cells["ALL"] == 0
    assert done.view.tally.kinds["lymphocyte"] == 2
    assert done.view.tally.result.reason != before.reason
    assert done.view.state.stage == "in review"
    assert done.view.state.reader == "Curie"
    assert review.view() == done.view


def test_one_gesture_is_one_event(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    last = station.events_after(0)[-1].seq
    review.reclassify(called(review, "ALL", "non-ALL"), "monocyte")
    (event,) = station.events_after(last)
    assert len(event.payload["cells"]) == 8
    assert event.actor == "Curie"


def test_a_confirmed_blast_is_no_false_positive(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    assert review.view().tally.result.verdict == "indeterminate"
    everything = {cell.id: 0 for cell in review.view().cells if cell.counts_as == "non-ALL"}
    review.reclassify(everything, "lymphocyte")
    (one, *_) = called(review, "ALL").items()
    result = review.reclassify(dict([one]), "ALL").view.tally.result
    assert result.verdict == "suspicious"
    assert "people have confirmed 1 of them" in result.reason
    assert "und 1 davon wurde von Menschen bestätigt" in Language("de").sentences(result.reason)
    two = review.reclassify(called(review, "ALL"), "ALL").view.tally.result.reason
    assert "confirmed 2 of them" in two
    assert "und 2 davon wurden von Menschen bestätigt" in Language("de").sentences(two)
    assert "confirmed" not in review.exclude(called(review, "ALL")).view.tally.result.reason


@pytest.mark.parametrize("unlike", [0.1, 0.9])
def test_a_blast_that_a_person_confirmed_among_undecided_cells_is_not_explained_away(
    station: Station, add_field: Callable[..., int], unlike: float
) -> None:
    add_field(station, ["non-ALL"] * 51, unlike=unlike)
    review = station.review(station.slides("Curie")[0].slide.code, "Curie")
    before = review.view().tally.result
    assert before.verdict == ("not detected" if unlike < 0.5 else "indeterminate")
    (one, *_) = called(review, "non-ALL").items()
    result = review.reclassify(dict([one]), "ALL").view.tally.result
    assert result.verdict == "suspicious"
    assert "people have confirmed 1 of them: a confirmed cell is no false positive." in result.reason
    assert "bestätigt" in Language("de").sentences(result.reason)
    assert any("stain or camera" in warning for warning in result.warnings) == (unlike > 0.5), "a stain stays unknown"


def test_a_blast_confirmed_in_the_second_copy_of_a_picture_counts_too(
    station: Station, add_field: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_all.slides.verdict.repeated_fields", lambda fields: {fields[1].image: fields[0].image})
    add_field(station, ["non-ALL"] * 51)
    add_field(station, ["non-ALL"] * 51, path="/images/2.jpg")
    review = station.review(station.slides("Curie")[0].slide.code, "Curie")
    assert review.view().tally.result.verdict == "not detected"
    one = next(cell.id for cell in review.view().cells if cell.field == 2)
    result = review.reclassify({one: 0}, "ALL").view.tally.result
    assert (result.verdict, result.cells["ALL"], result.cells["non-ALL"]) == ("suspicious", 1, 50)
    assert result.repeated_fields == {"field 1": "field 2"}
    assert station.slides("Curie")[0].repeated == 1
    report = report_of(station, station.slides("Curie")[0].slide.code, "Curie")
    cells = next(dict(one.rows) for one in sections(report, Language("en")) if one.title == "Cells")
    assert cells["of these in fields that repeat another, in no figure of the result"] == "51"
    field = slide_document(review.view(), Language("en")).fields
    assert [one.repeats for one in field] == [2, None]


def test_what_a_person_decides_no_longer_speaks_for_an_unknown_stain(
    station: Station, add_field: Callable[..., int]
) -> None:
    add_field(station, ["non-ALL"] * 30, unlike=0.9)
    review = station.review(station.slides("Curie")[0].slide.code, "Curie")
    assert "stain or camera" in review.view().tally.result.reason
    assert review.view().tally.to_look_at == 30, "what the network may well have wrong is looked at before signing"
    done = review.reclassify(called(review, "non-ALL"), "lymphocyte")
    assert done.view.tally.result.verdict == "not detected"


def test_kinds_that_are_left_out_do_not_count(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    done = review.reclassify(called(review, "indeterminate"), "smudge")
    assert done.view.tally.result.cells == {"ALL": 2, "non-ALL": 6, "indeterminate": 0, "rejected": 2}


def test_a_rejected_object_can_be_called_a_cell(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    assert review.reclassify(called(review, "left out"), "ALL").view.tally.result.cells["ALL"] == 3


def test_an_excluded_cell_does_not_count_until_it_is_taken_in_again(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    done = review.exclude(called(review, "ALL"))
    assert done.view.tally.result.cells["ALL"] == 0
    assert done.view.tally.excluded == 2
    again = review.exclude({cell.id: cell.version for cell in done.cells}, excluded=False)
    assert again.view.tally.result.cells["ALL"] == 2


def test_undo_and_redo_lead_there_and_back(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    stood = [[cell.counts_as for cell in review.view().cells]]
    for kind in ("smudge", "ALL", "cannot tell"):
        cells = called(review, "ALL", "non-ALL", "indeterminate", "left out")
        stood.append([cell.counts_as for cell in review.reclassify(cells, kind).view.cells])
    for before in reversed(stood[:-1]):
        assert [cell.counts_as for cell in review.undo().view.cells] == before
    with pytest.raises(ReviewError, match="nothing to undo"):
        review.undo()
    for after in stood[1:]:
        assert [cell.counts_as for cell in review.redo().view.cells] == after
    with pytest.raises(ReviewError, match="nothing to redo"):
        review.redo()


def test_a_new_gesture_ends_redoing(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    review.reclassify(called(review, "ALL"), "smudge")
    review.undo()
    review.reclassify(called(review, "indeterminate"), "ALL")
    with pytest.raises(ReviewError, match="nothing to redo"):
        review.redo()


def test_undoing_leaves_what_others_decided_since(station: Station, slide: SlideRecord) -> None:
    curie, hess = station.review(slide.code, "Curie"), station.review(slide.code, "Hess")
    curie.reclassify(called(curie, "ALL"), "smudge")
    decided = hess.reclassify(dict.fromkeys(called(curie, "left out"), 10**6), "monocyte")
    assert [cell.kind for cell in curie.undo().cells] == ["monocyte"] * 2
    assert hess.view().cells == decided.view.cells or all(cell.kind == "monocyte" for cell in hess.view().cells[:2])


def test_a_gesture_that_was_overtaken_names_the_other_and_what_they_decided(
    station: Station, slide: SlideRecord
) -> None:
    curie, hess = station.review(slide.code, "Curie"), station.review(slide.code, "Hess")
    seen = called(curie, "ALL")
    hess.reclassify(called(hess, "ALL"), "monocyte")
    with pytest.raises(ReviewConflictError, match=r"Hess decided on cell \S+ meanwhile \(monocyte") as caught:
        curie.reclassify(seen, "smudge")
    assert {one.cell for one in caught.value.conflicts} == set(seen)
    assert curie.view().cells[0].kind == "monocyte"
    assert curie.reclassify(seen, "smudge", anyway=True).cells[0].kind == "smudge"
    assert curie.reclassify(called(curie, "left out"), "ALL").cells[0].kind == "ALL"


def test_own_gestures_do_not_overtake_each_other(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    seen = called(review, "ALL")
    review.reclassify(seen, "smudge")
    assert review.reclassify(seen, "ALL").cells[0].kind == "ALL"


def test_a_comment_and_a_look_overtake_nobody(station: Station, slide: SlideRecord) -> None:
    curie, hess = station.review(slide.code, "Curie"), station.review(slide.code, "Hess")
    seen = called(curie, "ALL")
    hess.mark_seen(seen)
    hess.comment("odd nucleus", next(iter(seen)))
    done = curie.reclassify(seen, "ALL")
    assert [comment.text for comment in done.cells[0].comments] == ["odd nucleus"]


def test_a_comment_on_the_slide_can_be_taken_back(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    assert [one.text for one in review.comment(" thick smear ").view.comments] == ["thick smear"]
    assert review.undo().view.comments == ()
    with pytest.raises(UsageError, match="empty"):
        review.comment(" ")


def test_a_gesture_sent_again_is_done_once(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    cells = called(review, "ALL")
    first = review.reclassify(cells, "smudge", gesture="g1")
    second = review.reclassify(cells, "smudge", gesture="g1")
    assert first == second
    assert sum(event.kind == "cells.reclassified" for event in station.events_after(0)) == 1
    with pytest.raises(UsageError, match="g1"):
        review.exclude(cells, gesture="g1")


def test_a_missed_cell_can_be_added_and_taken_back(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    done = review.draw(1, (100.0, 200.0, 20.0), "ALL")
    (cell,) = done.cells
    assert (cell.bbox, cell.counts_as, cell.seen, cell.found) == ((80, 180, 40, 40), "ALL", True, None)
    assert done.view.tally.result.cells["ALL"] == 3
    assert done.view.tally.drawn == 1
    undone = review.undo()
    assert undone.gone == (cell.id,)
    assert undone.view.tally.result.cells["ALL"] == 2
    assert review.redo().view.cell[cell.id] == review.view().cell[cell.id]


@pytest.mark.parametrize("circle", [(0.0, 0.0, 0.0), (5.0, 5.0, -3.0), (9000.0, 5.0, 10.0), (float("nan"), 1.0, 5.0)])
def test_a_circle_lies_in_the_image(station: Station, slide: SlideRecord, circle: tuple[float, float, float]) -> None:
    with pytest.raises(UsageError):
        station.review(slide.code, "Curie").draw(1, circle, "ALL")


def test_a_merged_cell_is_split(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    merged = review.view().cells[0]
    done = review.split(merged.id, merged.version, ((50.0, 10.0, 9.0), (60.0, 20.0, 9.0)))
    assert done.gone == (merged.id,)
    assert [cell.counts_as for cell in done.cells] == ["indeterminate"] * 2
    assert done.view.tally.result.cells == {"ALL": 1, "non-ALL": 6, "indeterminate": 3, "rejected": 1}
    with pytest.raises(ReviewError, match="no longer"):
        review.reclassify({merged.id: merged.version}, "ALL")
    assert review.reclassify({cell.id: cell.version for cell in done.cells}, "ALL").view.tally.result.cells["ALL"] == 3


def test_an_outline_is_replaced_by_a_circle(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    cell = review.view().cells[0]
    assert review.outline(cell.id, cell.version, (55.0, 15.0, 10.0)).cells[0].bbox == (45, 5, 20, 20)
    assert review.undo().cells[0].bbox == cell.bbox


def test_signing_is_refused_until_what_matters_was_looked_at(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    with pytest.raises(UnreviewedCellsError, match="3 cells") as caught:
        review.sign("reviewed", "routine", review.view().last_seq)
    done = review.mark_seen(dict.fromkeys(caught.value.cells, 0))
    signed = review.sign("reviewed", "routine", done.view.last_seq)
    signature = signed.view.state.signature
    assert signature is not None
    assert (signature.name, signature.meaning, signature.reason) == ("Curie", "reviewed", "routine")
    assert signature.verdict == signed.view.tally.result.verdict
    assert signed.view.state.stage == "signed"


def test_a_signature_has_one_of_the_meanings_that_there_are_and_a_reason(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    last = look_at_all(review)
    for meaning in ("", "whatever", "Reviewed", " reviewed"):
        with pytest.raises(UsageError, match="second opinion"):
            review.sign(meaning, "routine", last)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="reason"):
        review.sign("reviewed", " ", last)
    assert review.view().state.signature is None
    assert review.sign("second opinion", "routine", last).view.state.signature.meaning == "second opinion"  # type: ignore[union-attr]


def test_a_signed_slide_is_locked_until_it_is_amended_for_a_reason(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    review.reclassify(called(review, "ALL"), "ALL")
    review.sign("reviewed", "routine", look_at_all(review))
    for gesture in (
        lambda: review.reclassify(dict.fromkeys(called(review, "ALL"), 9**9), "smudge"),
        lambda: review.mark_seen(dict.fromkeys(called(review, "ALL"), 0)),
        lambda: review.comment("late"),
        review.undo,
        lambda: review.sign("reviewed", "again", review.view().last_seq),
    ):
        with pytest.raises(SlideSignedError, match="signed by Curie"):
            gesture()
    with pytest.raises(UsageError):
        review.amend(" ")
    view = review.amend("second smear came").view
    assert (view.state.stage, view.state.amended_because) == ("amended", "second smear came")
    with pytest.raises(ReviewError, match="nothing to undo"):
        review.undo()
    review.reclassify(called(review, "ALL"), "smudge")
    again = review.sign("reviewed", "second smear", review.view().last_seq).view.state.signature
    assert again is not None
    assert again.labels_sha256 != (view.state.signature and view.state.signature.labels_sha256)
    assert [event.kind for event in review.history()].count("slide.signed") == 2


def test_who_signs_has_seen_the_slide_as_it_stands(station: Station, slide: SlideRecord) -> None:
    curie, hess = station.review(slide.code, "Curie"), station.review(slide.code, "Hess")
    last = look_at_all(curie)
    hess.reclassify(called(hess, "ALL"), "smudge")
    with pytest.raises(ReviewConflictError, match="Hess"):
        curie.sign("reviewed", "routine", last)


def test_a_field_that_comes_after_the_signature_is_not_covered(
    station: Station, slide: SlideRecord, add_field: Callable[..., int]
) -> None:
    review = station.review(slide.code, "Curie")
    review.sign("reviewed", "routine", look_at_all(review))
    add_field(station, ["ALL"] * 4, path="/images/2.jpg")
    assert review.view().state.fields_since == 1
    review.amend("another field")
    with pytest.raises(UnreviewedCellsError, match="4 cells"):
        review.sign("reviewed", "routine", review.view().last_seq)


def test_a_field_taken_again_takes_the_place_of_the_old_one(
    station: Station, slide: SlideRecord, add_field: Callable[..., int]
) -> None:
    review = station.review(slide.code, "Curie")
    old = called(review, "ALL")
    add_field(station, ["non-ALL"] * 5, content="taken again")
    view = review.view()
    assert view.tally.result.cells["non-ALL"] == 5
    assert [(field.place, field.retaken) for field, _ in view.fields] == [(1, 1)]
    with pytest.raises(ReviewError, match="taken again"):
        review.reclassify(old, "smudge")


def test_the_second_reader_sees_nothing_of_the_first_until_both_have_signed(
    station: Station, slide: SlideRecord
) -> None:
    station.change_settings(StationSettings(second_reader=True), "Administrator")
    curie, hess = station.review(slide.code, "Curie"), station.review(slide.code, "Hess")
    curie.reclassify(called(curie, "ALL"), "lymphocyte")
    curie.comment("looks reactive")
    assert (hess.view().reading, hess.view().state.stage) == (2, "pending")
    assert hess.view().tally.result.cells["ALL"] == 2
    assert not any(event.actor == "Curie" for event in hess.history())
    hess.reclassify(called(hess, "ALL"), "ALL")
    curie.sign("reviewed", "first", look_at_all(curie))
    with pytest.raises(ReviewError, match="two readers"):
        hess.disagreements()
    with pytest.raises(ReviewError, match="two others"):
        station.review(slide.code, "Third").view()
    hess.sign("reviewed", "second", look_at_all(hess))
    differing = hess.disagreements()
    assert [(one.first.counts_as, one.second.counts_as) for one in differing if one.first and one.second] == [
        ("non-ALL", "ALL")
    ] * 2
    agreement = curie.agreement_of_readers()
    assert (agreement.compared, agreement.same) == (10, 8)
    assert any(event.actor == "Curie" for event in hess.history())


def test_a_slide_signed_under_one_reader_stays_signed_when_a_second_one_is_set(
    station: Station, slide: SlideRecord, add_field: Callable[..., int]
) -> None:
    add_field(station, ["ALL", "non-ALL"], slide="open", path="/images/o.jpg")
    (open_code,) = (one.slide.code for one in station.slides("Curie") if one.slide.id != slide.id)
    curie, hess = station.review(slide.code, "Curie"), station.review(slide.code, "Hess")
    curie.sign("reviewed", "routine", look_at_all(curie))
    station.change_settings(StationSettings(second_reader=True), "Administrator")
    for reader in ("Curie", "Hess", "Third"):
        stages = {one.slide.code: one.state.stage for one in station.slides(reader) if one.state}
        assert stages == {slide.code: "signed", open_code: "pending"}
    assert curie.signed_view() is not None
    hess.amend("another smear")
    assert (hess.view().reading, curie.view().state.stage) == (1, "amended"), "it keeps its one reading"
    hess.sign("reviewed", "again", hess.view().last_seq)
    assert curie.signed_view() is not None
    first, second = station.review(open_code, "Curie"), station.review(open_code, "Hess")
    first.sign("reviewed", "routine", look_at_all(first))
    assert (first.signed_view(), second.view().reading) == (None, 2)
    second.sign("reviewed", "routine", look_at_all(second))
    station.change_settings(StationSettings(), "Administrator")
    assert [(one.view().reading, one.view().two_readers) for one in (first, second)] == [(1, True), (2, True)]
    assert [review.slide.code for review, _ in station.signed_reviews()] == [slide.code, open_code]


def test_agreement_is_over_what_was_decided_and_a_look_is_no_decision(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    look_at_all(review)
    assert (review.view().tally.agreement.compared, review.view().tally.seen_only) == (0, 9)
    review.reclassify(called(review, "indeterminate"), "ALL")
    first, *others = called(review, "ALL").items()
    review.exclude(dict([first]))
    tally = review.view().tally
    assert (tally.agreement.compared, tally.agreement.same, tally.settled, tally.seen_only) == (1, 0, 1, 7)
    review.exclude({first[0]: review.view().cell[first[0]].version}, excluded=False)
    review.reclassify(dict(others[:1]), "ALL")
    review.reclassify({first[0]: review.view().cell[first[0]].version}, "ALL")
    tally = review.reclassify(called(review, "non-ALL"), "lymphocyte").view.tally
    agreement = tally.agreement
    assert (agreement.compared, agreement.same, tally.settled, tally.seen_only) == (8, 8, 1, 0)
    assert agreement.kappa is None, "eight cells are too few"


def test_kappa_is_given_where_it_says_something() -> None:
    both: list[tuple[CountsAs, CountsAs]] = [*[("ALL", "ALL")] * 3, *[("non-ALL", "non-ALL")] * 6, ("ALL", "non-ALL")]
    # By hand: chance (4 * 3 + 6 * 7) / 100.
    assert agreement_of(both).kappa == pytest.approx((0.9 - 0.54) / (1 - 0.54))
    assert agreement_of(both[1:]).kappa is None, "nine cells"
    constant: list[tuple[CountsAs, CountsAs]] = [*[("ALL", "ALL")] * 19, ("ALL", "non-ALL")]
    assert agreement_of(constant).kappa is None, "it would be 0, though 19 of 20 are called the same"


def test_unsure_cells_come_first(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    cells = in_order(review.view().cells, "attention")
    assert [cell.counts_as for cell in cells[:3]] == ["indeterminate", "ALL", "ALL"]
    review.mark_seen({cells[0].id: 0})
    assert [cell.counts_as for cell in in_order(review.view().cells, "attention")[:3]] == [
        "ALL",
        "ALL",
        "indeterminate",
    ]


def test_kinds_are_the_laboratorys_own(station: Station, slide: SlideRecord) -> None:
    from edge_all.station.review.kinds import DEFAULT_KINDS, Kind

    review = station.review(slide.code, "Curie")
    cells = called(review, "ALL")
    with pytest.raises(UsageError, match="no kind 'prolymphocyte'"):
        review.reclassify(cells, "prolymphocyte")
    kinds = (*DEFAULT_KINDS, Kind("prolymphocyte", "non-ALL", "p"))
    station.change_settings(StationSettings(kinds), "Administrator")
    review.reclassify(cells, "prolymphocyte")
    station.change_settings(StationSettings(), "Administrator")
    assert [cell.kind for cell in review.view().cells[:2]] == ["prolymphocyte"] * 2
    with pytest.raises(UsageError, match="same key"):
        StationSettings((*DEFAULT_KINDS, Kind("other", "ALL", "a")))


def test_slides_are_listed_suspicious_first(station: Station, add_field: Callable[..., int]) -> None:
    add_field(station, ["non-ALL"] * 60, slide="healthy", path="/h")
    add_field(station, ["ALL"] * 20, slide="ill", path="/i")
    add_field(station, [], slide="empty", path="/e")
    assert [one.slide.name for one in station.slides("Curie")] == ["ill", "empty", "healthy"]


def test_what_is_not_signed_stands_before_what_is(
    station: Station, slide: SlideRecord, add_field: Callable[..., int]
) -> None:
    add_field(station, ["ALL"] * 30, slide="blasts", path="/images/2.jpg")
    add_field(station, ["non-ALL"] * 60, slide="none", path="/images/3.jpg")
    assert [one.slide.name for one in station.slides("Curie")] == ["blasts", slide.name, "none"]
    look_at_all(station.review(station.slides("Curie")[0].slide.code, "Curie"))
    review = station.review(station.slides("Curie")[0].slide.code, "Curie")
    review.sign("reviewed", "routine", review.view().last_seq)
    assert [one.slide.name for one in station.slides("Curie")] == [slide.name, "none", "blasts"]
    add_field(station, ["ALL"], slide="blasts", path="/images/4.jpg")
    assert [one.slide.name for one in station.slides("Curie")] == ["blasts", slide.name, "none"], "not as it was signed"


def test_the_list_of_slides_follows_what_happens(station: Station, slide: SlideRecord) -> None:
    def listed() -> tuple[int, int, str]:
        (one,) = station.slides("Curie")
        assert one.state is not None
        return one.all_cells, one.to_look_at, one.state.stage

    assert listed() == (2, 3, "pending")
    review = station.review(slide.code, "Hess")
    review.reclassify(called(review, "ALL"), "smudge")
    assert listed() == (0, 1, "in review")
    review.undo()
    assert listed() == (2, 1, "in review")
    station.change_settings(StationSettings(second_reader=True), "Administrator")
    assert listed() == (2, 3, "pending")
    station.review(slide.code, "Curie").mark_seen(called(review, "ALL"))
    (third,) = station.slides("Virchow")
    assert (third.state, third.all_cells) == (None, 0)


def test_a_cell_that_is_not_on_the_slide_is_refused(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    for name in ("1-99", "d5", "nonsense", "'; DROP TABLE events; --"):
        with pytest.raises(ReviewError, match="not on slide"):
            review.reclassify({name: 0}, "ALL")
    with pytest.raises(UsageError, match="No cell"):
        review.reclassify({}, "ALL")
    with pytest.raises(UsageError, match="who you are"):
        station.review(slide.code, " ")


def decided(cells: tuple[ReviewedCell, ...]) -> list[str | None]:
    return [cell.kind for cell in cells]


def test_everything_is_there_after_a_restart(station: Station, slide: SlideRecord) -> None:
    review = station.review(slide.code, "Curie")
    review.reclassify(called(review, "ALL"), "smudge")
    review.exclude(called(review, "indeterminate"))
    view = review.view()
    station.close()
    with Station(station.database.folder) as again:
        assert again.review(slide.code, "Curie").view() == view
