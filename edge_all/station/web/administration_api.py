"""The HTTP API of what only an administrator may do: settings, accounts, forgetting, cells for training."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from edge_all.model.store import find_package
from edge_all.station.reports.labelled_cells import labelled_cells
from edge_all.station.review.kinds import CountsAs, Kind
from edge_all.station.review.settings import StationSettings
from edge_all.station.web.accounts import AccountBook, AccountHolders, first_account
from edge_all.station.web.page_desk import Administering, OpenDesk, PageDesk
from edge_all.station.web.problems import PROBLEMS, WebError

__all__ = ["AccountsDocument", "SettingsDocument", "accounts_of", "administration_router", "settings_document"]

administration_router = APIRouter(prefix="/api/v1", responses=PROBLEMS)
_CELL_SET: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}
AccountName = Annotated[str, Path(min_length=1, max_length=80, description="Under which decisions stand.")]


class KindSetting(BaseModel):
    """A kind of cell as an administrator sets it."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=60)]
    counts_as: CountsAs
    key: Annotated[str, Field(min_length=1, max_length=1)]


class SettingsDocument(BaseModel):
    """How the laboratory wants its station; see `edge_all.station.review.settings.StationSettings`."""

    model_config = ConfigDict(extra="forbid")

    kinds: Annotated[list[KindSetting], Field(min_length=1, max_length=60)]
    second_reader: bool
    forget_names_after_days: Annotated[int | None, Field(ge=1, le=36_500)]


class AccountDocument(BaseModel):
    """Somebody who may work with the station."""

    name: str
    role: Literal["reviewer", "administrator"]


class AccountsDocument(BaseModel):
    """Who has an account."""

    accounts: list[AccountDocument]


class Admitting(BaseModel):
    """Give somebody an account, or another password or role."""

    model_config = ConfigDict(extra="forbid")

    password: Annotated[str, Field(max_length=1000)]
    role: Literal["reviewer", "administrator"] = "reviewer"


class ForgottenDocument(BaseModel):
    """Codes of the slides whose names were forgotten."""

    slides: list[str]


def settings_document(settings: StationSettings) -> SettingsDocument:
    """Settings as the API says them."""
    return SettingsDocument.model_validate(
        settings.to_json() | {"kinds": list(map(dataclasses.asdict, settings.kinds))}
    )


def accounts_of(desk: PageDesk) -> AccountsDocument:
    """Who has an account; nobody where people are taken at their word."""
    people = desk.visitors.book.people() if isinstance(desk.visitors, AccountHolders) else []
    return AccountsDocument(accounts=[AccountDocument(name=one.name, role=one.role) for one in people])


@administration_router.get("/settings")
async def settings(desk: OpenDesk, person: Administering) -> SettingsDocument:  # noqa: ARG001
    """How the station is set."""
    return settings_document(await desk.threads.run(desk.station.settings))


@administration_router.put("/settings")
async def change_settings(desk: OpenDesk, person: Administering, said: SettingsDocument) -> SettingsDocument:
    """Set the station; what was decided under earlier settings stays as it was decided."""
    after = StationSettings(
        tuple(Kind(one.name, one.counts_as, one.key) for one in said.kinds),
        said.second_reader,
        said.forget_names_after_days,
    )

    def change() -> None:
        if after != desk.station.settings():
            desk.station.change_settings(after, person.name)

    await desk.threads.run(change)
    return settings_document(after)


@administration_router.post("/forget")
async def forget(desk: OpenDesk, person: Administering) -> ForgottenDocument:  # noqa: ARG001
    """Forget what slides were called and where their images lie, where the settings say so."""
    return ForgottenDocument(slides=list(await desk.threads.run(desk.station.forget_old_names, datetime.now(UTC))))


@administration_router.get("/accounts")
async def accounts(desk: OpenDesk, person: Administering) -> AccountsDocument:  # noqa: ARG001
    """Who has an account; nobody where people are taken at their word."""
    return await desk.threads.run(accounts_of, desk)


@administration_router.put("/accounts/{name}")
async def put_account(desk: OpenDesk, person: Administering, name: AccountName, said: Admitting) -> AccountsDocument:
    """Give somebody an account, or another password or role; their sessions end."""
    book = _book(desk)
    _require_other(person.name, name, becomes=said.role)
    await desk.threads.run(book.put, name, said.password, said.role)
    return await desk.threads.run(accounts_of, desk)


@administration_router.delete("/accounts/{name}")
async def remove_account(desk: OpenDesk, person: Administering, name: AccountName) -> AccountsDocument:
    """Take an account away, whose sessions end; what was decided under it stays."""
    book = _book(desk)
    _require_other(person.name, name, becomes=None)
    await desk.threads.run(book.remove, name)
    return await desk.threads.run(accounts_of, desk)


@administration_router.get("/labelled-cells", response_class=Response, responses=_CELL_SET)
async def cells_for_training(
    desk: OpenDesk,
    person: Administering,  # noqa: ARG001
    laboratory: Annotated[str, Query(max_length=200, description="Name of the laboratory that they are from.")] = "",
) -> Response:
    """The confirmed cells of signed slides as a cell set (npz), cut as the station's model sees them."""

    def make() -> bytes:
        spec = find_package(None).card.preprocessing if desk.classifier is None else desk.classifier.spec
        return labelled_cells(desk.station, spec, laboratory)[0]

    headers = {"Content-Disposition": 'attachment; filename="cells.npz"'}
    return Response(await desk.threads.run(make), media_type="application/octet-stream", headers=headers)


def _book(desk: PageDesk) -> AccountBook:
    if not isinstance(desk.visitors, AccountHolders):
        folder = desk.station.database.folder.absolute()
        raise WebError(
            409,
            "This station takes everybody on its machine at their word.",
            f"Make the first account by command ({first_account(folder)}), and start the station again.",
        )
    return desk.visitors.book


def _require_other(own: str, name: str, *, becomes: str | None) -> None:
    """See to it that an administrator is left: nobody takes that role from themselves."""
    if own == name and becomes != "administrator":
        raise WebError(409, "That is your own account.", "Let another administrator do that.")
