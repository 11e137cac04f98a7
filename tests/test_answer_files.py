"""Answers on disk."""

from __future__ import annotations

import json
import math

import pytest

from ncselect.answer_files import check_folder, write_answer
from ncselect.plots.courses import CourseFigure, CoursePanel, CourseSeries
from zoo.errors import InputError


def test_a_folder_that_cannot_be_written_to_is_refused_by_its_argument(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"output: nothing can be written to .*file.*\(File exi"):
        check_folder(tmp_path / "file", argument="output")
    with pytest.raises(InputError, match=r"out: nothing can be written to .*a folder of your own"):
        write_answer(tmp_path / "file", {"answer": {}}, {})
    check_folder(tmp_path / "new" / "one")
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "one"]
    assert not list((tmp_path / "new" / "one").iterdir())


def test_documents_and_figures_are_written_by_their_names(tmp_path):
    series = CourseSeries("net", (1.0, 2.0), (0.5, 0.75))
    figure = CourseFigure((CoursePanel("", "accuracy", (series,), (0, math.inf)),), "epoch", "One.")
    paths = write_answer(tmp_path / "a" / "b", {"answer": {"β": [1, None]}}, {"course": figure})
    assert [path.name for path in paths] == ["answer.json", "course.svg", "course.png"]
    assert json.loads(paths[0].read_text(encoding="utf-8")) == {"β": [1, None]}
    assert "β" in paths[0].read_text(encoding="utf-8")
    assert b"<svg" in paths[1].read_bytes()
    assert paths[2].read_bytes().startswith(b"\x89PNG")
