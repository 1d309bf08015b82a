"""Every picture that a document shows is there, can be made again, and is told to those who do not see it."""

import re
from pathlib import Path

import pytest

from tests.integration.evidence.pictures import MOST_BYTES, PICTURES

PROJECT = Path(__file__).parents[3]
IMAGES = PROJECT / "docs" / "images"
SHOWN = re.compile(r"!\[(?P<told>[^\]]*)\]\((?P<path>[^)\s]+)[^)]*\)|<img\s[^>]*src=\"(?P<source>[^\"]+)\"")
"""A picture in Markdown, and in the HTML that Markdown lets through."""


def shown(project):
    """Document, alternative text and file of each picture."""
    documents = [project / "README.md", *sorted((project / "docs").rglob("*.md"))]
    documents += sorted((project / "examples").rglob("*.md"))
    for document in documents:
        for found in SHOWN.finditer(document.read_text(encoding="utf-8")):
            yield document, found["told"] or "", document.parent / (found["path"] or found["source"])


def faults(project, made):
    """What is wrong with the pictures, in sentences."""
    images = project / "docs" / "images"
    pictures = list(shown(project))
    for document, told, file in pictures:
        where = f"{document.relative_to(project)} shows {file.name}"
        if not file.is_file():
            yield f"{where}, which is not there"
        elif file.resolve().parent != images.resolve() or file.name not in made:
            yield f"{where}, which nothing makes"
        if len(told.split()) < 5:
            yield f"{where}, and does not tell what is on it"
    used = {file.resolve() for _, _, file in pictures}
    for file in sorted(images.iterdir()):
        if file.resolve() not in used:
            yield f"{file.name} is shown nowhere"
        if file.stat().st_size > MOST_BYTES:
            yield f"{file.name} is larger than {MOST_BYTES} bytes"


def test_every_picture_in_the_documents_is_there_and_can_be_made_again():
    made = {picture.name for picture in PICTURES}

    assert list(faults(PROJECT, made)) == []
    assert {file.name for _, _, file in shown(PROJECT)} == made


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("![A report with all that is in it](docs/images/lost.png)", "README.md shows lost.png, which is not there"),
        ("![A report with all that is in it](docs/images/old.png)", "README.md shows old.png, which nothing makes"),
        ("![](docs/images/made.png)", "README.md shows made.png, and does not tell what is on it"),
        ('<img src="docs/images/lost.png">', "README.md shows lost.png, which is not there"),
        ("Nothing.", "made.png is shown nowhere"),
        ("Nothing.", f"old.png is larger than {MOST_BYTES} bytes"),
    ],
)
def test_a_fault_is_noticed(tmp_path, text, fault):
    images = tmp_path / "docs" / "images"
    images.mkdir(parents=True)
    (images / "made.png").write_bytes(b"png")
    (images / "old.png").write_bytes(bytes(MOST_BYTES + 1))
    (tmp_path / "README.md").write_text(text)

    assert fault in list(faults(tmp_path, {"made.png"}))
