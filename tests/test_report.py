"""The page of a ranking: complete, self-contained, safe, readable, and honest about the truth."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import json
import math
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from made_kept import HORIZON, NAMES, made_kept, question, runs, stored

from ncselect.lost_runs import lost_runs
from ncselect.methods.combined import Combined
from ncselect.predicted_courses import STEPS
from ncselect.ranking_figures import KINDS, OUTER
from ncselect.report.agreement import verdict
from ncselect.report.asked import protocol_tables, python_call
from ncselect.report.file import check_page, write_page
from ncselect.report.inline_svg import VARIABLES
from ncselect.report.page import report_page
from ncselect.spec import Settings
from ncselect.store import RunStore
from ncselect.types import RunRecord
from zoo.errors import InputError

CSS = (Path(__file__).parents[1] / "ncselect/report/page.css").read_text()
HOSTILE = ("<script>alert(1)</script>", '" onload="alert(2)', "a&b <b>", "$x_{$", "网络-\x00")
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Elements of a page in order, and the text in each."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.texts = [], [], {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.elements[self.open.pop()][0] == tag

    def handle_data(self, data):
        for place in self.open:
            self.texts[place] = self.texts.get(place, "") + data

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    def text(self, tag=None, **wanted):
        return [
            self.texts.get(place, "").strip()
            for place, (name, attrs) in enumerate(self.elements)
            if tag in (None, name) and wanted.items() <= attrs.items()
        ]

    def table(self, name):
        """Return a table's rows as heading → cell, by their order in the page."""
        rows, here = [], False
        for place, (tag, attrs) in enumerate(self.elements):
            if tag == "table":
                here = attrs.get("id") == f"table-{name}"
            if here and tag == "tr":
                rows.append([])
            if here and tag in ("th", "td"):
                rows[-1].append(self.texts.get(place, "").strip())
        head, *body = rows
        return [dict(zip(head, row, strict=True)) for row in body]


@pytest.fixture(scope="module")
def kept():
    return made_kept(
        command="ncselect rank --models small --dataset digits",
        failed={"NASNetLarge": "needs 331 pixels"},
        decisions=(
            {"epochs": 1, "spent": 9.0, "what": "round", "models": ["VGG16"],
             "reason": "up to epoch 2"},
            {"epochs": 2, "spent": 12.5, "what": "dropped", "models": ["VGG16"],
             "reason": "improbable"},
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def text(kept):
    return report_page(kept, store="my runs")


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_the_page_says_everything(kept, page):
    (whole,) = page.text("html")
    assert page.text("p", **{"class": "answer"}) == [kept.ranking.advice]
    for told in (*kept.ranking.notes, "needs 331 pixels", "improbable", "up to epoch 2"):
        assert told in whole
    rows = page.table("ranking")
    assert [row["model"] for row in rows] == [row.model for row in kept.ranking]
    for shown, row in zip(rows, kept.ranking, strict=True):
        assert shown["predicted accuracy"] == f"{row.accuracy:.3f} ± {row.sd:.3f}"
        assert shown["P(best)"] == f"{row.p_best:.2f}"
        assert shown["tie"] == str(row.tie)
        assert shown["ms for an image"] == f"{row.latency_ms:.2f}"
        assert shown["test accuracy"] == f"{kept.ranking.records[row.model].truth[HORIZON]:.3f}"
        assert shown["rank by best\N{NON-BREAKING HYPHEN}value"] == str(
            kept.ranking.place("best-value", row.model)
        )
    assert {f"settings.{row['name']}" for row in page.table("protocol")} == {
        name for name in kept.specs["VGG16"].flat() if name.startswith("settings.")
    }
    assert {row["key"] for row in page.table("candidates")} == {
        spec.key for spec in kept.specs.values()
    }
    assert page.text("code") == [
        "ncselect rank --models small --dataset digits",
        "ncselect report digits-0123abcd --store 'my runs' --out report.html",
    ]
    assert len(page.all("svg")) == 2 * len(KINDS)


def test_what_a_reader_can_take_along_is_the_ranking(kept, page):
    taken = {link["download"]: unquote(link["href"].partition(",")[2])
             for link in page.all("a") if "download" in link}  # fmt: skip
    assert taken["digits-0123abcd.csv"] == kept.ranking.to_csv()
    assert json.loads(taken["digits-0123abcd.json"]) == json.loads(kept.ranking.to_json())


def test_the_page_asks_for_nothing_outside(page):
    for tag, attrs in page.elements:
        for name in ("src", "href", "srcset", "action", "data"):
            if name in attrs:
                assert re.match(r"#|data:text/csv|data:application/json", attrs[name]), (tag, attrs)
    assert not re.findall(r"url\((?!#)|@import", CSS)
    (policy,) = [one["content"] for one in page.all("meta") if "http-equiv" in one]
    assert policy.startswith("default-src 'none';")


def test_headings_tables_and_figures_have_their_words(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= before + 1 for before, later in itertools.pairwise(levels))
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for tag, attrs in page.elements:
        for name in ("aria-labelledby", "aria-describedby"):
            assert set(attrs.get(name, "").split()) <= set(ids)
        if attrs.get("href", "").startswith("#"):
            assert attrs["href"][1:] in ids
        if tag == "svg":
            assert attrs["role"] == "img"
            for name in ("aria-labelledby", "aria-describedby"):
                assert page.text(id=attrs[name]) != [""]
        if tag == "th":
            assert attrs["scope"] in ("col", "row")
    assert len(page.all("caption")) == len(page.all("table"))
    assert page.all("html")[0]["lang"] == "en"
    first = next(attrs for tag, attrs in page.elements if tag in ("a", "button"))
    assert first["href"] == "#main"


def test_names_and_reasons_are_text_whatever_they_hold():
    *records, last = runs((*HOSTILE, "odd"))
    odd = dataclasses.replace(last.spec, model="odd-\udc80")  # a file's name that is not UTF-8
    records.append(dataclasses.replace(last, spec=odd))
    hostile = made_kept(records, failed={"<img src=x>": "</style><script>alert(3)</script>"},
                        command="rank '</code><script>'")  # fmt: skip
    page = Page(report_page(hostile, store="</code>"))
    assert len(page.all("script")) == 1
    assert len(page.all("style")) == 1
    assert not page.all("img")
    for _, attrs in page.elements:
        assert not [name for name in attrs if name.startswith("on")]
    shown = [row["model"] for row in page.table("ranking")]
    assert {re.sub("[\x00\udc80]", "�", name) for name in (*HOSTILE, odd.model)} == {
        name.replace("\x00", "�") for name in shown
    }
    assert page.table("failed") == [
        {"model": "<img src=x>", "reason": "</style><script>alert(3)</script>"}
    ]


def test_the_verdict_is_that_of_spearman_and_of_the_pick():
    from scipy.stats import spearmanr

    kept = made_kept(methods=("combined", "best-value", "parameters"))
    truth = {model: record.truth[HORIZON] for model, record in kept.ranking.records.items()}
    judged = verdict(kept, OUTER)
    assert (judged.known, judged.candidates, judged.best) == (
        len(NAMES),
        len(NAMES),
        max(truth, key=truth.get),
    )
    rows = {cells[0].text: cells for cells in judged.table.rows}
    scores = {
        "combined": {row.model: row.score for row in kept.ranking},
        **{
            name: {row.model: row.beside[name] for row in kept.ranking}
            for name in ("best-value", "parameters")
        },
    }
    assert set(rows) == set(scores)
    for name, score in scores.items():
        rho = spearmanr([truth[one] for one in NAMES], [score[one] for one in NAMES]).statistic
        assert float(rows[name][2].order) == pytest.approx(rho)
        pick = max(score, key=score.get)
        regret = 100 * (max(truth.values()) - truth[pick])
        assert float(rows[name][4].order) == pytest.approx(regret)
        assert rows[name][5].text == pick
    inside = [abs(row.accuracy - truth[row.model]) <= 1.2816 * row.sd for row in kept.ranking]
    assert judged.inside == (sum(inside), len(NAMES))


def test_where_nothing_has_come_true_the_page_says_how_it_would():
    kept = made_kept(runs(NAMES[:2], epochs=5, truth=False), latency=False)
    judged = verdict(kept, OUTER)
    assert (judged.known, judged.table) == (0, None)
    page = Page(report_page(kept, store="runs"))
    (told,) = page.text("section", id="agreement")
    assert f"No run has reached epoch {HORIZON} yet" in told
    assert f"--epochs {HORIZON}" in told
    assert "test accuracy" not in page.table("ranking")[0]
    assert not page.text(id="figure-agreement")
    assert not page.text("section", id="latency")


def test_a_ranking_without_training_says_what_it_lacks():
    kept = made_kept(
        runs(NAMES[:2], epochs=0, truth=False), epochs=0, methods=("imagenet-top1", "knn")
    )
    page = Page(report_page(kept, store="runs"))
    (curves,) = page.text("section", id="curves")
    assert "No epoch was observed; rank with --epochs 1 or more." in curves
    (beta,) = page.text("section", id="capacitance")
    assert "rank with --unit probe" in beta
    rows = page.table("ranking")
    assert "predicted accuracy" not in rows[0]
    assert rows[0]["score by imagenet-top1"] == f"{kept.ranking[0].score:.4g}"


def test_an_empty_ranking_has_a_page_too():
    kept = made_kept(failed={"a": "no weights"})
    empty = dataclasses.replace(
        kept, ranking=dataclasses.replace(kept.ranking, rows=(), outlook={}, notes=())
    )
    page = Page(report_page(empty, store="runs"))
    assert page.text("p", **{"class": "answer"}) == ["No candidate could be ranked."]
    assert page.table("failed") == [{"model": "a", "reason": "no weights"}]
    assert not [one for one in page.all("table") if one["id"] == "table-ranking"]
    (told,) = page.text("section", id="ranking")
    assert "No candidate could be ranked." in told


def test_a_pool_is_asked_once_an_epoch(monkeypatch):
    kept = made_kept(runs([f"network-{place}" for place in range(14)]), methods=("combined",))
    asked, answer = [], Combined.estimate

    def counted(self, records):
        asked.append((self.horizon, len(records)))
        return answer(self, records)

    monkeypatch.setattr(Combined, "estimate", counted)
    page = Page(report_page(kept, store="runs"))
    assert len(asked) == len(set(asked)) <= STEPS
    assert {count for _, count in asked} == {14}
    assert len(page.table("ranking")) == 14
    assert "The best 12 of 14." in page.text("figure", id="figure-curves")[0]


def test_runs_that_the_store_has_lost_are_named_and_nothing_else_is_blamed(page):
    records = runs(truth=False)
    kept = made_kept(records, methods=("combined", "capacitance"))
    lost = {one.spec.model: RunRecord(one.spec) for one in records}
    for whom in (NAMES[:1], NAMES):
        now = {**kept.ranking.records, **{name: lost[name] for name in whom}}
        gone = dataclasses.replace(kept.ranking, records=now)
        holed = Page(report_page(dataclasses.replace(kept, ranking=gone), store="runs"))
        (told,) = holed.text("section", id="warnings")
        listed = [row.model for row in kept.ranking if row.model in whom]
        assert f"no longer holds the runs of {', '.join(listed)}; their curves and truth" in told
    for name in ("curves", "capacitance", "agreement"):
        (said,) = holed.text("section", id=name)
        assert "The store no longer holds" in said
        assert "--epochs" not in said
    (whole,) = page.text("main")  # of a store that has lost nothing
    assert "no longer" not in whole


def test_runs_that_early_stopping_has_ended_are_not_lost():
    first, second = runs(NAMES[:2], settings=Settings(patience=1), truth=False)
    falling = [
        dataclasses.replace(
            seen, signals={**seen.signals, "validation-accuracy": 0.3 - 0.1 * seen.epoch}
        )
        for seen in first.observations[:3]
    ]
    stopped = dataclasses.replace(first, observations=tuple(falling))
    assert stopped.has_stopped
    ranking = made_kept([stopped, second], methods=("best-value",)).ranking
    assert {row.epochs for row in ranking} == {5}
    assert lost_runs(ranking) == []


@pytest.mark.parametrize(("off", "doubted"), [(0.0, False), (0.3, True)])
def test_what_it_came_to_is_said_beside_what_was_predicted(off, doubted):
    kept = made_kept(methods=("combined",))
    truth = {row.model: min(1.0, row.accuracy + off) for row in kept.ranking}
    records = {
        name: dataclasses.replace(one, truth={HORIZON: truth[name]})
        for name, one in kept.ranking.records.items()
    }
    rows = tuple(dataclasses.replace(row, sd=0.01) for row in kept.ranking)
    came = dataclasses.replace(kept.ranking, records=records, rows=rows)
    page = Page(report_page(dataclasses.replace(kept, ranking=came), store="runs"))
    facts = dict(zip(page.text("dt"), page.text("dd"), strict=True))
    assert facts["came to"] == f"{truth[came.best]:.3f}"
    told = "".join(page.text("section", id="warnings"))
    sentence = "Of 4 predicted accuracies 0 are within their 80% interval, where 3.2 were to be"
    assert (sentence in told) == doubted
    assert ("intervals are too narrow" in told) == doubted


def test_coverage_is_doubted_where_chance_would_hardly_give_it():
    from scipy.stats import binom

    kept = made_kept(methods=("combined",))
    for inside in range(len(NAMES) + 1):
        truth = {
            row.model: row.accuracy if place < inside else row.accuracy - 5 * row.sd
            for place, row in enumerate(kept.ranking)
        }
        records = {
            name: dataclasses.replace(one, truth={HORIZON: truth[name]})
            for name, one in kept.ranking.records.items()
        }
        ranking = dataclasses.replace(kept.ranking, records=records)
        judged = verdict(dataclasses.replace(kept, ranking=ranking), OUTER)
        assert judged.inside == (inside, 4)
        assert judged.implausible == (binom.cdf(inside, 4, 0.8) < 0.05)


def test_a_method_that_only_orders_is_judged_by_its_order():
    kept = made_kept(methods=("imagenet-top1", "best-value"))
    rows = list(kept.ranking)
    beside = {"best-value": math.nan}
    rows[0] = dataclasses.replace(rows[0], beside=beside)
    ranking = dataclasses.replace(kept.ranking, rows=tuple(rows))
    page = Page(report_page(dataclasses.replace(kept, ranking=ranking), store="runs"))
    (told,) = page.text("section", id="agreement")
    assert "Imagenet-top1 gives an order, no accuracies." in told
    assert "larger --epochs" not in told
    judged = {row["method"]: row["candidates"] for row in page.table("verdict")}
    assert judged == {"imagenet-top1": "4", "best-value": "3"}


def test_the_page_names_the_threads_that_the_runs_had(text):
    assert "number of threads (1) give the same numbers" in text


def test_a_question_without_methods_has_a_page_too(kept):
    unnamed = dataclasses.replace(kept, question={**kept.question, "method": None})
    assert "β_eff by epoch" in report_page(unnamed, store="runs")


def test_settings_that_differ_are_all_named():
    first, second = runs(NAMES[:2])
    other = dataclasses.replace(second.spec, settings=Settings(batch_size=32))
    protocol, *_ = protocol_tables({"a": first.spec, "b": other})
    (cells,) = [row for row in protocol.rows if row[0].text == "batch_size"]
    assert cells[1].text == "various: 64, 32"


def test_without_a_command_the_call_asks_the_same():
    records = runs(settings=Settings(batch_size=32, probe_units=(64, 32)))
    kept = made_kept(records, epochs=4)
    kept = dataclasses.replace(
        kept, question={**question(records, ("combined",), 4), "budget": 60.0, "epochs": 0}
    )
    imported, call = ast.parse(python_call(kept)).body
    assert imported.names[0].name == "ncselect"
    assert ast.unparse(call.value.func) == "ncselect.select"
    assert [ast.literal_eval(one) for one in call.value.args] == [list(NAMES), "digits"]
    given = {one.arg: one.value for one in call.value.keywords}
    settings = given.pop("settings")
    assert {name: ast.literal_eval(value) for name, value in given.items()} == {
        "method": ["combined"], "epochs": 0, "horizon": HORIZON, "seed": 0, "weights": "imagenet",
        "budget": 60.0,
    }  # fmt: skip
    assert eval(ast.unparse(settings), {"ncselect": __import__("ncselect")}) == Settings(
        batch_size=32, probe_units=(64, 32)
    )


def relative_luminance(colour):
    """Return the relative luminance of ``#rrggbb``, WCAG 2.2."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def contrast(one, other):
    low, high = sorted(map(relative_luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_measured_as_wcag_does():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    assert contrast("#0000ff", "#ffffff") == pytest.approx(8.59, abs=0.005)


THEMES = [
    dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", block))
    for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
]


@pytest.mark.parametrize("theme", range(3), ids=["light", "dark", "print"])
def test_contrast_is_enough(theme):
    colours = THEMES[0] | THEMES[theme]
    papers = ("page", "paper", "accent-paper", "notice-paper")
    for ink in ("ink", "soft", "accent"):
        for paper in papers:
            assert contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper)
    for name, look in colours.items():
        if name.startswith("series") or name == "notice-edge":
            assert contrast(look, colours["paper"]) >= 3, name


def test_every_colour_has_a_value_in_every_theme():
    assert len(THEMES) == 3
    used = set(re.findall(r"var\(--([a-z0-9-]+)\)", CSS)) | set(VARIABLES.values())
    assert used <= set(THEMES[0])
    assert set(THEMES[0]) == set(THEMES[1]) == set(THEMES[2])


def test_a_page_replaces_only_a_page(tmp_path, text):
    path = tmp_path / "report.html"
    write_page(path, text)
    write_page(path, text)
    assert path.read_text() == text
    path.write_text("<html>my thesis</html>")
    with pytest.raises(InputError, match=r"was not made by 'ncselect report'; name another"):
        check_page(path)
    assert path.read_text() == "<html>my thesis</html>"
    with pytest.raises(InputError, match="is a folder"):
        check_page(tmp_path)
    path.write_bytes(b"x" * 5000 + b'<meta name="generator" content="ncselect')
    with pytest.raises(InputError, match="was not made by"):
        check_page(path)
    with pytest.raises(InputError, match="there is no folder"):
        check_page(tmp_path / "nowhere" / "report.html")


def ncselect(*arguments, cwd):
    """Run the command line where no Keras backend may be imported."""
    program = (
        "import sys\nfrom ncselect.cli import main\n"
        f"sys.argv = ['ncselect', *{[*map(str, arguments)]!r}]\n"
        "try:\n    main()\n"
        "finally:\n    assert not {'keras', 'tensorflow', 'jax'} & set(sys.modules)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program], cwd=cwd, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip


def test_the_command_writes_the_newest_ranking_and_reaches_no_backend(tmp_path):
    named = stored(RunStore(tmp_path / "runs"))
    done = ncselect("report", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"Written: report.html, {named.name}" in done.stderr
    page = Page((tmp_path / "report.html").read_text())
    assert [row["model"] for row in page.table("ranking")] == [row.model for row in named]
    assert page.table("verdict")
    wrong = ncselect("report", "other", "--out", "other.html", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "fits 0" in wrong.stderr
    assert not (tmp_path / "other.html").exists()
