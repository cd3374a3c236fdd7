"""Everything that can go wrong, as one tree.

Each error names the input it is about and says what to do next::

    EdgeAllError
    ├── InputError              something the user pointed at
    │   ├── InputNotFoundError      no such file, an empty folder, a glob without a match
    │   ├── ImageError              a file that is not a usable image
    │   │   ├── UnreadableImageError    permissions, I/O
    │   │   ├── CorruptImageError       truncated, damaged, or not an image at all
    │   │   ├── UnsupportedImageError   a real image in a form that is not supported
    │   │   └── ImageTooLargeError      more pixels than the limit (decompression bombs)
    │   ├── SourcesEndedError       going through the images that were handed over raised an error
    │   └── UsageError              options that do not go together
    ├── OutputError             a folder or file that cannot be written, or is in use
    ├── ModelError              a model package
    │   ├── ModelNotFoundError      no package there
    │   ├── ModelIntegrityError     a hash, a missing file, a damaged card
    │   ├── ModelIncompatibleError  a schema, preprocessing or network that this runtime does not match
    │   └── ModelUntrustedError     not signed by anyone whom this station trusts
    ├── InternalError           a fault of edge-all itself, which one image brought out
    ├── StoreError              what a station knows: its store cannot be read or written
    │   ├── StoreInUseError         another station process holds it
    │   ├── StoreDamagedError       no store, or a damaged one
    │   └── StoreTooNewError        written by a newer edge-all
    ├── ReviewError             a decision that cannot be taken as it is meant
    │   ├── ReviewConflictError     somebody else has decided on the same cell meanwhile
    │   ├── SlideSignedError        the slide is signed, and so locked
    │   └── UnreviewedCellsError    cells that must be looked at before signing have not been
    └── RuntimeSetupError       what is installed on this machine
        ├── OnnxRuntimeMissingError no ONNX Runtime, or a broken one
        ├── OnnxRuntimeConflictError two ONNX Runtimes that overwrite each other
        ├── DeviceError             the device asked for is not the device obtained
        └── MissingPackageError     a verb or feature whose package is not installed
"""

from __future__ import annotations

__all__ = [
    "CorruptImageError",
    "DeviceError",
    "EdgeAllError",
    "ImageError",
    "ImageTooLargeError",
    "InputError",
    "InputNotFoundError",
    "InternalError",
    "MissingPackageError",
    "ModelError",
    "ModelIncompatibleError",
    "ModelIntegrityError",
    "ModelNotFoundError",
    "ModelUntrustedError",
    "OnnxRuntimeConflictError",
    "OnnxRuntimeMissingError",
    "OutputError",
    "ReviewConflictError",
    "ReviewError",
    "RuntimeSetupError",
    "SlideSignedError",
    "SourcesEndedError",
    "StoreDamagedError",
    "StoreError",
    "StoreInUseError",
    "StoreTooNewError",
    "UnreadableImageError",
    "UnreviewedCellsError",
    "UnsupportedImageError",
    "UsageError",
    "internal_error",
]


class EdgeAllError(Exception):
    """Base of every error that edge-all raises on purpose.

    Args:
        problem: what happened, naming the input.
        remedy: what the reader can do about it, in words for programs and the command line alike.
        settings: names of the arguments that the remedy is about (``out``, ``device`` ...). The command line says which
            options they are; see `edge_all.cli.options.OPTION_NAMES`.
    """

    def __init__(self, problem: str, remedy: str, *, settings: tuple[str, ...] = ()) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy
        self.settings = settings

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}"


class InputError(EdgeAllError):
    """Something that the user pointed at cannot be used."""


class InputNotFoundError(InputError):
    """No such file, a folder without images, or a glob that matches nothing."""


class UsageError(InputError):
    """Options or values that do not go together."""


class SourcesEndedError(InputError):
    """Going through the images that were handed over raised an error, which this one is raised from."""


class ImageError(InputError):
    """A file that is not a usable image; one such file never stops a run."""


class UnreadableImageError(ImageError):
    """The file exists and cannot be read (permissions, I/O)."""


class CorruptImageError(ImageError):
    """The file is truncated, damaged, or no image at all."""


class UnsupportedImageError(ImageError):
    """A real image in a form that is not supported."""


class ImageTooLargeError(ImageError):
    """More pixels than the limit that guards against decompression bombs."""


class OutputError(EdgeAllError):
    """A result cannot be written: no permission, a full disk, a folder in use."""


class ModelError(EdgeAllError):
    """A model package cannot be used."""


class ModelNotFoundError(ModelError):
    """There is no model package at that place."""


class ModelIntegrityError(ModelError):
    """A file of the package is missing or is not the one that the card describes."""


class ModelIncompatibleError(ModelError):
    """The package's schema, preprocessing or network is not one that this runtime knows."""


class ModelUntrustedError(ModelError):
    """The station accepts signed packages only, and this one is not signed by a key that it trusts."""


class InternalError(EdgeAllError):
    """A fault of edge-all itself, which one image brought out; it is raised from what happened."""


def internal_error(image: str, cause: Exception) -> InternalError:
    """What is said of an image that brought out a fault of ours."""
    error = InternalError(
        f"{image} could not be judged ({type(cause).__name__}: {cause}).", "Please report this image."
    )
    error.__cause__ = cause
    return error


class StoreError(EdgeAllError):
    """What a station knows cannot be read or written; nothing was changed."""


class StoreInUseError(StoreError):
    """Another station process holds the store, or watches the same folder."""


class StoreDamagedError(StoreError):
    """The file is no store, or a damaged one."""


class StoreTooNewError(StoreError):
    """A newer edge-all wrote the store; it is left as it is."""


class ReviewError(EdgeAllError):
    """A decision about a slide or its cells that cannot be taken as it is meant."""


class ReviewConflictError(ReviewError):
    """Somebody else has decided on the same cells since the person who decides now looked at them.

    Args:
        problem, remedy: as of every error.
        conflicts: of each such cell, who decided what; `edge_all.station.review.decisions.Conflict`.
    """

    def __init__(self, problem: str, remedy: str, conflicts: tuple[object, ...] = ()) -> None:
        super().__init__(problem, remedy)
        self.conflicts = conflicts


class SlideSignedError(ReviewError):
    """The slide is signed, and so locked."""


class UnreviewedCellsError(ReviewError):
    """Cells that must be looked at before signing have not been.

    Args:
        problem, remedy: as of every error.
        cells: their names.
    """

    def __init__(self, problem: str, remedy: str, cells: tuple[str, ...] = ()) -> None:
        super().__init__(problem, remedy)
        self.cells = cells


class RuntimeSetupError(EdgeAllError):
    """What is installed on this machine cannot do what was asked."""


class OnnxRuntimeMissingError(RuntimeSetupError):
    """No ONNX Runtime is installed, or the installed one does not import."""


class OnnxRuntimeConflictError(RuntimeSetupError):
    """Two ONNX Runtime distributions are installed and overwrite each other."""


class DeviceError(RuntimeSetupError):
    """The device that was asked for is not the one that the session got."""


class MissingPackageError(RuntimeSetupError):
    """A verb or feature belongs to a package that is not installed."""
