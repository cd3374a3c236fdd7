"""`Screener`: a model on a device, and everything that can be judged with it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias, cast, overload

from edge_all.api.arguments import require_pixel_size, require_screener_arguments
from edge_all.classification.classifier import Classifier, load_classifier
from edge_all.errors import EdgeAllError, SourcesEndedError, UsageError
from edge_all.imaging.sources import HeldImage, ImageLike, NamedImage, ReadableImage, hold_image, is_one_image
from edge_all.results import FieldResult, FieldSummary, ModelIdentity, ProviderReport, SegmentationWay, SlideResult
from edge_all.screening.field_screening import ScreenedField, judge_prepared, prepare_field, screen_fields
from edge_all.segmentation import checked_segmentation
from edge_all.segmentation.learned_outlines import Outlines
from edge_all.segmentation.outline_network import OpenedOutlines, open_outlines
from edge_all.slides.verdict import judge_slide

if TYPE_CHECKING:
    from edge_all.screening.single_cells import CropResult

__all__ = ["OnError", "Screener", "Source"]

Source: TypeAlias = "ImageLike | NamedImage | ReadableImage"
"""One image, with its names where it has some."""
OnError = Literal["result", "raise"]
"""What becomes of an image that cannot be read: a result that says so, or an error when its turn has come."""


class Screener:
    """A model on a device: loads once, judges as often as asked, and may be shared between threads.

    ::

        screener = edge_all.Screener()
        field = screener.screen("field.jpg")
        for field in screener.screen_many(camera()):
            print(field.image, len(field.candidates))

    Attributes:
        classifier: crops in, judgements out; with the model's card.
        segmentation: what decides where a cell ends: ``learned`` for the network of outlines in the model package.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        variant: str | None = None,
        device: str = "auto",
        threads: int | None = None,
        segmentation: SegmentationWay = "learned",
    ) -> None:
        """Load a model.

        Args:
            model: name of an installed package (``name`` or ``name@version``), or the folder of one; the embedded
                package where None.
            variant: ``fp32``, ``fp16`` or ``int8``; the best for the device where None.
            device: ``auto``, ``cpu``, ``cuda``, ``tensorrt``, ``openvino``, ``directml`` or ``coreml``. A device that
                is named is obtained or is an error; ``auto`` may measure, once on a machine, which is fastest.
            threads: that compute the network; as many as the process has cores where None.
            segmentation: what decides where a cell ends: ``learned`` for the network that the package has for it (the
                embedded package's, where it has none), ``colour`` for colours and necks alone.

        Raises:
            UsageError: no such variant, device or segmentation, or an argument of another kind.
            ModelError: no such package, or one that is not what its card says.
            RuntimeSetupError: what is installed cannot do what was asked.
        """
        require_screener_arguments(model, device, threads)
        name = None if model is None else os.fspath(model)
        self.segmentation = checked_segmentation(segmentation)
        self.classifier = load_classifier(name, variant=variant, device=device, threads=threads)

    @classmethod
    def of(cls, classifier: Classifier) -> Screener:
        """A screener around a classifier that is open already."""
        screener = cls.__new__(cls)
        screener.classifier, screener.segmentation = classifier, "learned"
        return screener

    def __repr__(self) -> str:
        """One line: what judges, on what, and by what cells are cut."""
        model = self.model
        named = f"{model.name} {model.version} {model.variant}"
        return f"<{type(self).__name__} {named} on {self.provider.obtained}, outlines: {self.segmentation}>"

    @property
    def model(self) -> ModelIdentity:
        """Which network judges."""
        return self.classifier.identity

    @property
    def outlines(self) -> str | None:
        """SHA-256 of the network that decides where a cell ends; None where colour does."""
        return None if self._network is None else self._network.sha256

    @cached_property
    def _network(self) -> OpenedOutlines | None:
        """The model package's network of outlines, opened when the first image is looked at."""
        return None if self.segmentation == "colour" else open_outlines(self.classifier.outlines_folder)

    @property
    def _decides_outlines(self) -> Outlines:
        return "colour" if self._network is None else self._network

    @property
    def provider(self) -> ProviderReport:
        """On which execution provider, and why."""
        return self.classifier.provider

    def screen(
        self, source: Source, *, slide: str | None = None, microns_per_pixel: float | None = None
    ) -> FieldResult:
        """Judge one field.

        Args:
            source: a path, the bytes of an image file, a file opened in binary mode, an array ``uint8 [height, width,
                3]`` in RGB order, or a PIL image. OpenCV gives arrays in BGR order, which is **not detected
                reliably**: cells may be judged wrongly. A `NamedImage` gives it other names than its path.
            slide: the slide that it belongs to; where None, a path belongs to the slide named after its folder.
            microns_per_pixel: physical size of a pixel, where it is known.

        Returns:
            What was found. A field that is not fit to be judged has the status ``unusable`` and says why.

        Raises:
            ImageError, InputNotFoundError: the image cannot be read, or is not one that can be judged.
            UsageError: the source is no image, or several; there are no pixels of that size.
            InternalError: a fault of ours that the image brought out.
            ModelError: the network failed.
        """
        require_pixel_size(microns_per_pixel)
        image = _hold_one(source, slide, "screen_many")
        prepared = prepare_field(
            image, self.classifier.spec, microns_per_pixel=microns_per_pixel, outlines=self._decides_outlines
        )
        if prepared.failure is not None:
            raise prepared.failure
        (screened,) = judge_prepared([prepared], self.classifier)
        return self._with_pictures(screened.result, image)

    def screen_many(
        self,
        sources: Iterable[Source],
        *,
        on_error: OnError = "result",
        slide: str | None = None,
        microns_per_pixel: float | None = None,
    ) -> Generator[FieldResult, None, None]:
        """Judge fields in their order, each as soon as it is there.

        The next images are read and segmented while earlier ones are judged, and fields that are there together share
        the network's batches; no field waits for the next to arrive. The results are those of `screen`, to the bit.

        Args:
            sources: anything iterable, also endless, of what `screen` takes. It is gone through on a thread of its own,
                a few images ahead; an array may be overwritten and a file closed as soon as the next one is asked for.
                Images without a name are called ``image 1``, ``image 2`` and so on.
            on_error: ``result`` gives an image that cannot be judged a result of status ``error``, ``raise`` raises its
                error when its turn has come.
            slide: that all of them belong to, as for `screen`.
            microns_per_pixel: of all of them, as for `screen`.

        Yields:
            The result of each image. Stop whenever you like; what is under way is dropped.

        Raises:
            UsageError: this is one image, no iterable of images; no such `on_error` or size of a pixel.
            SourcesEndedError: going through the sources raised an error, from which this one is raised; an error of
                edge-all itself is raised as it is. The fields before it are all handed out first.
            ModelError: the network failed.
        """
        _refuse_unless_many(sources, on_error)
        require_pixel_size(microns_per_pixel)
        return self._screen_many(sources, on_error, slide, microns_per_pixel)

    def _screen_many(
        self, sources: Iterable[Source], on_error: OnError, slide: str | None, microns_per_pixel: float | None
    ) -> Generator[FieldResult, None, None]:
        held: deque[HeldImage] = deque()
        screened = screen_fields(
            _holding(sources, slide, held),
            self.classifier,
            microns_per_pixel=microns_per_pixel,
            outlines=self._decides_outlines,
        )
        with closing(screened):
            for field in screened:
                yield self._taken(field, held.popleft(), on_error)

    def _taken(self, field: ScreenedField, image: HeldImage, on_error: OnError) -> FieldResult:
        if field.failure is not None and on_error == "raise":
            raise field.failure
        return self._with_pictures(field.result, image)

    def _with_pictures(self, result: FieldResult, image: HeldImage) -> FieldResult:
        from edge_all.api.field_pictures import PicturesFromImage  # with what draws, which a run loads meanwhile

        return replace(result, pictures=PicturesFromImage(image, self.classifier.spec, self._decides_outlines))

    def screen_with_pictures(
        self, sources: Iterable[ReadableImage], *, microns_per_pixel: float | None = None, activations: bool = False
    ) -> Generator[ScreenedField, None, None]:
        """`screen_many` for those who write or show each field at once: with the pictures that it was judged by.

        Args:
            sources: images that can be read, such as those of `edge_all.inputs.find_images`; gone through as in
                `screen_many`.
            microns_per_pixel: as for `screen`.
            activations: whether class activation maps are wanted too.

        Yields:
            Each field with its picture and the squares around its cells, which are not kept; an image that cannot be
            judged has a result of status ``error``.

        Raises:
            UsageError: activation maps are wanted of a package that computes none; there are no pixels of that size.
            ModelError: the network failed.
        """
        require_pixel_size(microns_per_pixel)
        return screen_fields(
            sources,
            self.classifier,
            microns_per_pixel=microns_per_pixel,
            activations=activations,
            outlines=self._decides_outlines,
        )

    @overload
    def classify(self, source: Source) -> CropResult: ...  # type: ignore[overload-overlap]  # a str is iterable, too
    @overload
    def classify(self, source: Iterable[Source], *, on_error: OnError = ...) -> Generator[CropResult, None, None]: ...
    def classify(
        self, source: Source | Iterable[Source], *, on_error: OnError = "result"
    ) -> CropResult | Generator[CropResult, None, None]:
        """Judge images that show one cell each; the cell in the middle is the one that is judged.

        Args:
            source: one image, as for `screen`, or an iterable of them, as for `screen_many`.
            on_error: as for `screen_many`; one image that cannot be read is always an error.

        Returns:
            The judgement of one image, or a generator of judgements.

        Raises:
            ImageError, InputNotFoundError, InternalError, UsageError, SourcesEndedError, ModelError: as for `screen`
                and `screen_many`.
        """
        if not is_one_image(source) and isinstance(source, Iterable):
            _refuse_unless_many(source, on_error)
            return self._classify_many(cast("Iterable[Source]", source), on_error)
        from edge_all.screening.single_cells import judge_crops, prepare_crop

        prepared = prepare_crop(hold_image(source), self.classifier.spec, self._decides_outlines)
        if prepared.failure is not None:
            raise prepared.failure
        (judged,) = judge_crops([prepared], self.classifier)
        return judged.result

    def _classify_many(self, sources: Iterable[Source], on_error: OnError) -> Generator[CropResult, None, None]:
        from edge_all.screening.single_cells import classify_crops

        judged = classify_crops(_holding(sources, None, None), self.classifier, self._decides_outlines)
        with closing(judged):
            for crop in judged:
                if crop.failure is not None and on_error == "raise":
                    raise crop.failure
                yield crop.result

    def judge_slide(
        self, fields: Iterable[FieldSummary], *, slide: str | None = None, not_looked_at: int = 0
    ) -> SlideResult:
        """Take the fields of one slide together.

        Args:
            fields: all its fields, those that could not be judged included.
            slide: its name; that of its fields where None.
            not_looked_at: number of its images that were left out because the verdict was settled before.

        Returns:
            Counts, the ALL fraction with its 95 % interval, and a verdict with its reason.

        Raises:
            UsageError: there is no field, or something else than fields; they belong to several slides and none is
                named; another model judged them; fewer images than none were left out.
        """
        if not isinstance(fields, Iterable):
            raise UsageError(
                f"A slide is judged from its fields, and this is one {type(fields).__name__}.",
                "Hand over a list of them.",
            )
        taken = tuple(fields)
        strange = next((one for one in taken if not isinstance(one, FieldSummary)), None)
        if strange is not None:
            raise UsageError(
                f"There was a {type(strange).__name__} among the fields.",
                "Hand over what screen and screen_many return.",
            )
        if not_looked_at < 0:
            raise UsageError(f"{not_looked_at} images cannot have been left out.", "Give their number, 0 for none.")
        names = dict.fromkeys(field.slide for field in taken)
        if not taken:
            raise UsageError("A slide without fields cannot be judged.", "Hand over the fields of one slide.")
        if slide is None and len(names) > 1:
            raise UsageError(
                f"These fields belong to {len(names)} slides ({', '.join(list(names)[:3])} ...).",
                "Judge each slide by itself, or name the one slide that all belong to: slide='...'.",
            )
        for field in taken:
            if field.model is not None and field.model != self.model:
                raise UsageError(
                    f"{field.image} was judged by {field.model.name} {field.model.version} ({field.model.variant}), "
                    f"not by this screener's {self.model.name} {self.model.version} ({self.model.variant}).",
                    "Judge the slide with the model that judged its fields.",
                )
        return judge_slide(slide or next(iter(names)), taken, self.classifier.thresholds, not_looked_at=not_looked_at)


def _hold_one(source: object, slide: str | None, of_many: str) -> HeldImage:
    """Take one image.

    Raises:
        UsageError: there are several.
    """
    if isinstance(source, Iterable) and not is_one_image(source):
        raise UsageError(
            f"This is a {type(source).__name__} of images, and one was expected.", f"Use {of_many} for several."
        )
    return hold_image(source, slide=slide)


def _refuse_unless_many(sources: object, on_error: str) -> None:
    """Say at once what would fail, or go wrong, at the first image.

    Raises:
        UsageError: it would.
    """
    if is_one_image(sources) or not isinstance(sources, Iterable):
        raise UsageError(
            f"An iterable of images was expected, and this is one {type(sources).__name__}.",
            "Use screen for one image, or put it into a list.",
        )
    if on_error not in ("result", "raise"):
        raise UsageError(f"There is no on_error={on_error!r}.", "Choose 'result' or 'raise'.")


def _holding(sources: Iterable[Source], slide: str | None, held: deque[HeldImage] | None) -> Iterator[HeldImage]:
    """Take each image before the next is asked for, and note it.

    Raises:
        SourcesEndedError: going through the sources raised an error that is not ours.
    """
    number = 0
    try:
        for number, source in enumerate(sources, start=1):
            image = hold_image(source, number=number, slide=slide)
            if held is not None:
                held.append(image)
            yield image
    except EdgeAllError:
        raise
    except Exception as error:
        raise SourcesEndedError(
            f"The images that were handed over ended after {number} with an error ({type(error).__name__}: {error}).",
            "Look at what they come from; those before it were judged.",
        ) from error
