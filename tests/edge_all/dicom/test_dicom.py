"""Fields come out of DICOM without their patient, and results go back as objects that the library takes for valid."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_all.api.screener import Screener
from edge_all.dicom.dicom_fields import read_dicom_fields
from edge_all.dicom.dicom_results import write_dicom_results
from edge_all.errors import InputError, InputNotFoundError, OutputError
from edge_all.imaging import open_image
from edge_all.inputs import find_images
from edge_all.rendering import SmearSpec, render_field
from edge_all.runs.screening_run import screen_to_folder

pydicom = pytest.importorskip("pydicom")
hd = pytest.importorskip("highdicom")
pytestmark = pytest.mark.filterwarnings("default")

MICROSCOPIC = "1.2.840.10008.5.1.4.1.1.77.1.2"
PATIENT = "Doe^Jane"


def image(path: Path, pixels: np.ndarray, *, series: str, kind: str = MICROSCOPIC, **changes: Any) -> Path:  # noqa: ANN401
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = kind
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.4", series
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "GM", 1, 1
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = (
        PATIENT,
        "4711-SECRET",
        "19700101",
        "F",
    )
    dataset.StudyDate, dataset.StudyTime, dataset.AccessionNumber = "20260101", "120000", "A-SECRET"
    dataset.StudyID, dataset.ReferringPhysicianName, dataset.Manufacturer = "S-SECRET", "Dr^Secret", "Camera"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.PixelSpacing = [0.0001, 0.0001]
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = pixels.tobytes()
    for name, value in changes.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture(scope="module")
def smear() -> np.ndarray:
    return render_field(4, width=480, height=400, spec=SmearSpec(blasts=1, lymphocytes=1)).pixels


def test_there_and_back(tmp_path: Path, smear: np.ndarray, tiny_package: Path) -> None:
    (tmp_path / "in").mkdir()
    image(tmp_path / "in" / "a.dcm", smear, series="1.2.3.5")
    image(tmp_path / "in" / "b.dcm", np.ascontiguousarray(smear[::-1]), series="1.2.3.6")
    image(tmp_path / "in" / "b2.dcm", np.ascontiguousarray(smear[:, ::-1]), series="1.2.3.6")
    (tmp_path / "in" / "c.dcm").write_bytes(b"no DICOM")
    read = read_dicom_fields([tmp_path / "in"], tmp_path / "fields")
    assert [failure.problem.split()[0] for failure in read.failures] == [str(tmp_path / "in" / "c.dcm")]
    assert len({path.parent for path in read.fields}) == 2
    decoded = open_image(read.fields[0]).decode()
    assert np.array_equal(decoded.pixels, smear)
    assert decoded.pixel_size is not None
    assert decoded.pixel_size.microns == pytest.approx(0.1, rel=1e-3)
    for path in read.fields:
        assert b"SECRET" not in path.read_bytes()
        assert b"Doe" not in path.read_bytes()

    run = tmp_path / "run"
    summary = screen_to_folder(find_images([tmp_path / "fields" / "*"]), Screener(tiny_package), run)
    cells = sum(len(field.candidates) for field in summary.fields)
    assert cells > 2
    written = write_dicom_results(run, tmp_path / "fields", tmp_path / "out")
    reports = [path for path in written if path.name.endswith(".sr.dcm")]
    assert len(reports) == 3
    found = 0
    for path in written:
        content = path.read_bytes()
        assert b"SECRET" not in content
        assert b"Doe" not in content
        dataset = pydicom.dcmread(path)
        assert dataset.SeriesDescription == "For Research Use Only. Not for use in diagnostic procedures."
        assert dataset.StudyInstanceUID == "1.2.3.4"
    for path in reports:
        report = hd.sr.srread(path)
        groups = report.content.get_planar_roi_measurement_groups()
        found += len(groups)
        field = next(one for one in summary.fields if Path(one.image).stem == path.name.split(".")[0])
        assert [group.get_measurements()[0].value for group in groups] == [
            pytest.approx(round(cell.probability or 0.0, 6)) for cell in field.candidates
        ]
        labels = [group.get_qualitative_evaluations()[-1].value.value for group in groups]
        assert labels == [str(cell.label).upper() for cell in field.candidates]
    assert found == cells
    for path in written:
        if path.name.endswith(".seg.dcm"):
            segmentation = hd.seg.segread(path)
            assert segmentation.number_of_segments >= 1
            masks = segmentation.pixel_array
            assert masks.any()
            assert masks.shape[-2:] == (400, 480)


def test_without_the_size_of_a_pixel_there_is_a_report_alone(
    tmp_path: Path, smear: np.ndarray, tiny_package: Path
) -> None:
    file = image(tmp_path / "a.dcm", smear, series="1.2.3", PixelSpacing=None)
    read_dicom_fields([file], tmp_path / "fields")
    screen_to_folder(find_images([tmp_path / "fields" / "*"]), Screener(tiny_package), tmp_path / "run")
    (written,) = write_dicom_results(tmp_path / "run", tmp_path / "fields", tmp_path / "out")
    assert hd.sr.srread(written).content.get_planar_roi_measurement_groups()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "1.2.840.10008.5.1.4.1.1.2"}, "another kind"),
        ({"PhotometricInterpretation": "MONOCHROME2"}, "MONOCHROME2"),
        ({"NumberOfFrames": 2}, "2 frames"),
        ({"PixelData": b"\0" * 10}, "cannot be decoded"),
        ({"Rows": 60000, "Columns": 60000}, "megapixels"),
    ],
)
def test_what_is_no_field_is_refused_in_words(
    tmp_path: Path, smear: np.ndarray, changes: dict[str, Any], words: str
) -> None:
    read = read_dicom_fields([image(tmp_path / "a.dcm", smear, series="1.2.3", **changes)], tmp_path / "fields")
    assert read.fields == ()
    assert words in read.failures[0].problem


def test_fields_and_run_have_to_belong_together(tmp_path: Path, smear: np.ndarray, tiny_package: Path) -> None:
    file = image(tmp_path / "a.dcm", smear, series="1.2.3")
    read_dicom_fields([file], tmp_path / "fields")
    with pytest.raises(OutputError, match="already holds"):
        read_dicom_fields([file], tmp_path / "fields")
    screen_to_folder(find_images([tmp_path / "fields" / "*"]), Screener(tiny_package), tmp_path / "run")
    with pytest.raises(InputNotFoundError, match="holds no fields"):
        write_dicom_results(tmp_path / "run", tmp_path, tmp_path / "out")
    image(file, smear, series="1.2.3")
    with pytest.raises(InputError, match="is not the image"):
        write_dicom_results(tmp_path / "run", tmp_path / "fields", tmp_path / "out2")
    index = json.loads((tmp_path / "fields" / "dicom.json").read_text())
    assert set(index["fields"]) == {
        path.relative_to(tmp_path / "fields").as_posix() for path in (tmp_path / "fields").rglob("*.png")
    }


def test_the_commands(tmp_path: Path, smear: np.ndarray) -> None:
    image(tmp_path / "a.dcm", smear, series="1.2.3")
    command = [sys.executable, "-m", "edge_all", "dicom"]
    done = subprocess.run(
        [*command, "fields", "a.dcm", "-o", "fields"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Fields: 1" in done.stdout
    done = subprocess.run(
        [*command, "fields", "gone.dcm", "-o", "more"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "does not exist" in done.stderr
    done = subprocess.run(
        [*command, "results", "run", "--fields", "fields", "-o", "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
