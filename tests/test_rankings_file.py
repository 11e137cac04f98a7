"""Kept rankings as a file to commit."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import markdown
import numpy as np
import pytest
from made_kept import HORIZON, made_kept, runs, stored

from ncselect.cli.listings import rankings
from ncselect.execute import Job, complete
from ncselect.listing import Format
from ncselect.rankings_file import CANDIDATE, write_rankings
from ncselect.store import RunStore
from zoo.errors import InputError

SUFFIXES = (".md", ".csv", ".json")
FAILED = {
    "Wide|*Net*": "diverged at epoch 2\n<b>loss</b> [nan](x) `~`",
    **dict.fromkeys(("# one", "- two", "+ three", "4. four", "5) five"), "_it_ costs $1 or $2"),
}
ODD = ("a|b", "c*d*e", "<i>f</i>", "g `h` &amp; ~~i~~", "__init__", "_net_", "$j$", "# k", "1. l")


@pytest.fixture(scope="module")
def kept():
    """Rankings by accuracy, by an order alone, and of runs that have not reached the horizon."""
    sure = made_kept(failed=FAILED)
    ordered = dataclasses.replace(made_kept(methods=("parameters",)), name="digits-89abcdef")
    short = made_kept(runs(ODD, epochs=6, truth=False))
    return sure, ordered, dataclasses.replace(short, name="digits-00000000")


def test_the_same_rankings_in_any_order_give_the_same_text(kept, tmp_path):
    for suffix in SUFFIXES:
        first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
        write_rankings(first, kept)
        later = [dataclasses.replace(one, made="2030-01-01T00:00:00+00:00") for one in kept]
        write_rankings(second, later[::-1])
        assert first.read_bytes() == second.read_bytes()
        write_rankings(first, kept[:1])
        assert len(first.read_bytes()) < len(second.read_bytes())
    assert {path.suffix for path in tmp_path.iterdir()} == set(SUFFIXES)  # nothing half-written


def test_json_and_csv_hold_what_the_rankings_say(kept, tmp_path):
    for suffix in (".json", ".csv"):
        write_rankings(tmp_path / f"board{suffix}", kept)
    told = json.loads((tmp_path / "board.json").read_text())["rankings"]
    assert [one["ranking"] for one in told] == [
        "digits-00000000", "digits-0123abcd", "digits-89abcdef",
    ]  # fmt: skip
    for one, source in zip(told, (kept[2], kept[0], kept[1]), strict=True):
        assert (one["dataset"], one["horizon"]) == ("digits", HORIZON)
        assert one["method"] == source.ranking.method
        assert one["advice"] == source.ranking.advice
        assert [row["rank"] for row in one["candidates"]][:4] == [1, 2, 3, 4]
        for row, candidate in zip(source.ranking, one["candidates"], strict=False):
            truth = source.ranking.records[row.model].truth.get(HORIZON)
            assert candidate["test_accuracy"] == (truth and pytest.approx(truth, abs=5e-5))
            assert candidate["last"] == pytest.approx(row.last, abs=5e-5)
            assert candidate["score"] == pytest.approx(row.score, rel=1e-5)
            if math.isnan(row.accuracy):
                assert candidate["accuracy"] is candidate["low"] is candidate["p_best"] is None
            else:
                assert candidate["p_best"] == pytest.approx(row.p_best, abs=5e-5)
                ends = (row.accuracy - 1.96 * row.sd, row.accuracy + 1.96 * row.sd)
                assert candidate["low"] == pytest.approx(max(0, ends[0]), abs=1e-4)
                assert candidate["high"] == pytest.approx(min(1, ends[1]), abs=1e-4)
    assert told[1]["candidates"][4:] == [
        {**dict.fromkeys(CANDIDATE), "model": model, "failed": reason}
        for model, reason in FAILED.items()
    ]
    flat = [
        {"ranking": one["ranking"], "method": one["method"], **row}
        for one in told
        for row in one["candidates"]
    ]
    with (tmp_path / "board.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    for row, expected in zip(rows, flat, strict=True):
        texts = {name: "" if value is None else str(value) for name, value in expected.items()}
        assert row == {**texts, "dataset": "digits", "horizon": str(HORIZON)}


def test_markdown_is_a_table_whose_cells_are_the_names_and_figures(kept, tmp_path):
    write_rankings(tmp_path / "board.md", kept)
    html = markdown.markdown((tmp_path / "board.md").read_text(), extensions=["tables"])
    page = ElementTree.fromstring(f"<page>{html}</page>")
    assert [one.text for one in page.iter("h2")] == [
        "digits, ranked by combined: digits-00000000",
        "digits, ranked by combined: digits-0123abcd",
        "digits, ranked by parameters: digits-89abcdef",
    ]
    for table, source in zip(page.iter("table"), (kept[2], kept[0], kept[1]), strict=True):
        heads = [one.text for one in table.iter("th")]
        cells = [[one.text for one in row.iter("td")] for row in table.iter("tr")][1:]
        for row, shown in zip(source.ranking, cells, strict=True):
            found = dict(zip(heads, shown, strict=True))
            assert (found["#"], found["model"]) == (str(row.rank), row.model)
            truth = source.ranking.records[row.model].truth.get(HORIZON)
            known = "–" if truth is None else f"{truth:.3f}"
            assert found[f"test accuracy, epoch {HORIZON}"] == known
            if math.isnan(row.accuracy):
                assert float(found["score"]) == pytest.approx(row.score, rel=1e-5)
            else:
                assert float(found["predicted"]) == pytest.approx(row.accuracy, abs=6e-4)
    assert [item.text for item in page.iter("li")] == [
        f"{model} has no rank: {' '.join(reason.split())}" for model, reason in FAILED.items()
    ]


def test_the_accuracy_that_early_stopping_ended_with_is_the_final_one(tmp_path):
    kept = made_kept()
    model = kept.ranking.best
    record = kept.ranking.records[model]
    settings = dataclasses.replace(record.spec.settings, patience=1)
    dull = [
        dataclasses.replace(one, signals={**one.signals, "validation-accuracy": 0.5})
        for one in record.observations[:3]
    ]
    stopped = dataclasses.replace(
        record, spec=dataclasses.replace(record.spec, settings=settings),
        observations=tuple(dull), truth={2: 0.4567},
    )  # fmt: skip
    records = {**kept.ranking.records, model: stopped}
    changed = dataclasses.replace(kept, ranking=dataclasses.replace(kept.ranking, records=records))
    write_rankings(tmp_path / "board.json", [changed])
    (told,) = json.loads((tmp_path / "board.json").read_text())["rankings"]
    assert told["candidates"][0]["test_accuracy"] == 0.4567


def test_a_reason_names_the_store_and_not_where_it_lies(tmp_path):
    store = RunStore(tmp_path / "runs")
    made = runs(("ended", "damaged"), epochs=3)
    for one in made:
        with store.run(one.spec).writer() as writer:
            for observation in one.observations:
                writer.append(observation, [np.zeros(1)])
            writer.complete(keep_checkpoint=False)
    (store.find(made[1].spec).folder / "observations.jsonl").write_text("{]\n")
    jobs = [Job(one.spec, {}, {}, epochs=9, horizon=9) for one in made]
    reasons = {record.spec.model: record.error for record in complete(jobs, store)}
    assert all(str(tmp_path) in reason for reason in reasons.values())
    kept = made_kept(methods=("parameters",), failed=reasons, store=str(store.folder))
    for suffix in SUFFIXES:
        file = tmp_path / f"board{suffix}"
        write_rankings(file, [kept])
        assert str(tmp_path) not in file.read_text()
    told = json.loads((tmp_path / "board.json").read_text())["rankings"][0]["candidates"][4:]
    ended, damaged = (one["failed"] for one in told)
    assert f"'ncselect runs --store runs --delete {made[0].spec.key}'" in ended
    assert "its files in 'runs/damaged-digits-s0-" in damaged


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_ours_is_known_whatever_was_done_to_its_lines(kept, tmp_path, suffix):
    board = tmp_path / f"board{suffix}"
    write_rankings(board, kept)
    written = board.read_bytes()
    others = [written.replace(b"\n", b"\r\n")]
    if suffix == ".json":
        others.append(json.dumps(json.loads(written), sort_keys=True).encode())
    for other in others:
        board.write_bytes(other)
        write_rankings(board, kept)
        assert board.read_bytes() == written


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_another_file_is_never_overwritten(kept, tmp_path, suffix):
    other = tmp_path / f"other{suffix}"
    texts = (b"", b"# Mine\n", b"{}", b"[]", b'{"written_by": "me"}', b"ranking,mine\n", b"\xff")
    for text in texts:
        other.write_bytes(text)
        with pytest.raises(InputError, match=r"was not made by .*; name another file"):
            write_rankings(other, kept)
        assert other.read_bytes() == text


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("board.txt", r"ends in \.md, \.csv, \.json"),
        ("none/board.md", "make it first"),
        ("folder.md", "name another file"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused(kept, tmp_path, name, remedy):
    (tmp_path / "folder.md").mkdir()
    with pytest.raises(InputError, match=remedy):
        write_rankings(tmp_path / name, kept)


def test_on_the_command_line(tmp_path, monkeypatch, capsys):
    def command(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "ncselect", "rankings", *arguments],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip

    monkeypatch.chdir(tmp_path)
    store = RunStore("runs")
    store.make()
    with pytest.raises(InputError, match="make one with 'ncselect rank'"):
        rankings(store=store.folder, file=Path("board.md"))
    names = [stored(store).name, "digits-another"]
    Path("runs/rankings/digits-another.json").write_bytes(
        Path(f"runs/rankings/{names[0]}.json").read_bytes()
    )
    done = command("--out", "board.json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "Written: board.json\n")
    told = json.loads(Path("board.json").read_text())["rankings"]
    assert {one["ranking"] for one in told} == set(names)
    rankings([names[0], names[0]], store=store.folder, file=Path("board.json"))
    (one,) = json.loads(Path("board.json").read_text())["rankings"]
    assert one["ranking"] == names[0]
    capsys.readouterr()
    rankings([names[1]], store=store.folder, output=Format.json)
    assert [row["ranking"] for row in json.loads(capsys.readouterr().out)] == names[1:]
    unread = command("other", "--out", "board.json")
    assert (unread.returncode, unread.stdout) == (2, "")
    assert "'other' fits 0" in unread.stderr


def test_a_place_is_checked_before_anything_is_read(tmp_path):
    nowhere = tmp_path / "no-store"
    with pytest.raises(InputError, match=r"--format json .*leave --format out"):
        rankings(store=nowhere, file=tmp_path / "board.json", output=Format.json)
    with pytest.raises(InputError, match="make it first"):
        rankings(store=nowhere, file=tmp_path / "none" / "board.json")
