"""An evaluation as a person reads it, and as rows for a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ncselect.graphs.prediction.classes import Population
from ncselect.graphs.prediction.judging import ClassifierScore
from ncselect.graphs.prediction.published import published_error
from ncselect.graphs.prediction.regression import Regression, RegressionScore
from ncselect.graphs.prediction.resampling import Determination, Measure

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from ncselect.graph_evaluation.evaluation import Evaluation
    from ncselect.graphs.prediction.classification import Classification
    from ncselect.graphs.prediction.transfer import Transfer

WINDOWS = (
    "A window a-b is epochs a, a+1, … b, both included; epoch 0 is before training. The paper's "
    "a-b is “a concatenation of two consecutive feature vectors”: one epoch fewer, it does not say "
    "which."
)
PAIRED = (
    "† Controls: what any training shows, without a graph. Less the control: less the best of them "
    "in that column, on the same folds; * where the 95% interval leaves out 0."
)


def best_control(
    score: ClassifierScore, scores: Sequence[ClassifierScore]
) -> tuple[str, Measure] | None:
    """Return the control on which the same classifier is right most often, and the difference.

    The best is chosen by the figures themselves, which flatters the controls; None for a control.
    """
    rivals = {one.inputs: one.accuracy.value for one in scores
              if one.control and one.classifier == score.classifier}  # fmt: skip
    if score.control or not rivals:
        return None
    best = max(rivals, key=lambda name: rivals[name])
    return best, score.over[best]


def best_regression(
    score: RegressionScore, scores: Sequence[RegressionScore]
) -> tuple[str, Measure] | None:
    """Return the control with the least mean absolute error, and the difference to it."""
    rivals = {one.inputs: one.mae.value for one in scores if one.control}
    if score.control or not rivals:
        return None
    best = min(rivals, key=lambda name: rivals[name])
    return best, score.over[best]


def rows(found: Evaluation) -> list[dict[str, Any]]:
    """Return a row per measure: accuracy of a classifier, error or R² of a regression."""
    made = []
    for one in found.classifications:
        about = _about("classification", one, one.population)
        made += [{**about, **row} for row in _classifier_rows(one.scores)]
    for moved in found.transfers:
        about = _about("transfer", moved, moved.judged)
        made += [{**about, **row} for row in _classifier_rows(moved.scores)]
    for regressed in found.regressions:
        about = _about("regression", regressed, regressed.population)
        for score in regressed.scores:
            who = {**about, **_who("linear-regression", score)}
            best = best_regression(score, regressed.scores)
            made.append({**who, "measure": "mae", **_measured(score.mae, best)})
            made.append({**who, "measure": "r2", **_measured(score.r2, None)})
    return made


def _about(
    part: str, of: Classification | Transfer | Regression, people: Population
) -> dict[str, Any]:
    return {
        "part": part,
        "judged": ", ".join(people.architectures),
        "first": of.first,
        "last": of.last,
        "networks": people.networks,
        "sampled": of.sampled,
    }


def _who(learner: str, score: ClassifierScore | RegressionScore) -> dict[str, Any]:
    return {"learner": learner, "inputs": score.inputs, "control": score.control}


def _classifier_rows(scores: Sequence[ClassifierScore]) -> Iterator[dict[str, Any]]:
    for score in scores:
        best = best_control(score, scores)
        measured = _measured(score.accuracy, best)
        yield {**_who(score.classifier, score), "measure": "accuracy", **measured}


def _measured(value: Measure | Determination, best: tuple[str, Measure] | None) -> dict[str, Any]:
    control, less = best or (None, None)
    return {
        "value": value.value,
        "low": value.low,
        "high": value.high,
        "best_control": control,
        "difference": less and less.value,
        "difference_low": less and less.low,
        "difference_high": less and less.high,
    }


def tables(found: Evaluation) -> RenderableType:
    """Return the tables for a terminal."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for line in _people(found):
        parts.append(Text(line))
    for name in found.question.classifiers:
        scored = [(one.last, one.scores) for one in found.classifications]
        title = f"Classification by {_named(name)}: share right, by last epoch from 0 on"
        parts += [Text(), _classified(title, name, scored)]
    for architecture in _judged(found):
        moved = [one for one in found.transfers if architecture in one.judged.architectures]
        scored = [(one.last, one.scores) for one in moved]
        for name in found.question.classifiers:
            title = (
                f"{architecture} by {_named(name)} taught by "
                f"{', '.join(moved[0].learnt.architectures)} ({moved[0].sampled} in a repeat)"
            )
            parts += [Text(), _classified(title, name, scored), Text(_described(moved[0].judged))]
    parts += [Text(f"{name} was not judged: {why}", style="red")
              for name, why in found.unjudged.items()]  # fmt: skip
    if found.regressions:
        for table in _regressed(found):
            parts += [Text(), table]
    parts += [Text(), Text(PAIRED, style="dim"), Text(WINDOWS, style="dim")]
    parts += [Text(note, style="yellow") for note in found.notes]
    return Group(*parts)


def _people(found: Evaluation) -> Iterator[str]:
    first = found.classifications[0]
    yield f"{found.dataset}: {_described(first.population)}"
    yield (
        f"High: a final accuracy above {first.threshold:.3f}. Classified were balanced samples of "
        f"{first.sampled}, in {first.folds} folds, {len(first.scores[0].repeats)} times."
    )


def _described(people: Population) -> str:
    """Say how many networks there are, of what, and which were left out."""
    kinds = ", ".join(f"{n} {name}" for name, n in people.architectures.items())
    judged_by = ", ".join(f"{name} ({n})" for name, n in people.judged_by.items())
    text = (
        f"{people.networks} networks ({kinds}), {people.high} high and {people.low} low, "
        f"{people.seeds} seeds, judged by {judged_by}."
    )
    if people.left_out:
        reasons = Counter(reason.split(" at ")[0] for reason in people.left_out.values())
        text += " Left out: " + "; ".join(f"{n}: {reason}" for reason, n in reasons.items()) + "."
    return text


def _classified(
    title: str, name: str, scored: Sequence[tuple[int, Sequence[ClassifierScore]]]
) -> Table:
    table = _table(title, [str(last) for last, _ in scored])
    for place, first in enumerate(scored[0][1]):
        if first.classifier != name:
            continue
        shown = [(scores[place], scores) for _, scores in scored]
        table.add_row(_told(first), *(_short(score.accuracy.value) for score, _ in shown))
        if not first.control:
            less = [_difference(best_control(score, scores)) for score, scores in shown]
            table.add_row("  less the control", *less, style="dim")
    return table


def _regressed(found: Evaluation) -> Iterator[Table]:
    """Yield a table of R² and one of errors, with the paper's own beside them."""
    windows = [f"{one.first}-{one.last}" for one in found.regressions]
    printed = {
        name: [published_error(found.dataset, name, window) for window in windows]
        for name in found.regressions[0].population.architectures
    }
    fit = _table("Linear regression: R², by window", windows)
    errors = _table("Linear regression: mean absolute error in points, by window", windows)
    for place, first in enumerate(found.regressions[0].scores):
        shown = [(one.scores[place], one.scores) for one in found.regressions]
        fit.add_row(_told(first), *(_short(score.r2.value) for score, _ in shown))
        errors.add_row(_told(first), *(f"{score.mae.value:.2f}" for score, _ in shown))
        if not first.control:
            less = [_difference(best_regression(score, scores)) for score, scores in shown]
            errors.add_row("  less the control", *less, style="dim")
    for name, cells in printed.items():
        if any(cells):
            label = f"the paper's {name}, rolled degree"
            fit.add_row(label, *(_short(cell.r2) if cell else "–" for cell in cells))
            errors.add_row(label, *(f"{cell.mae:.2f}" if cell else "–" for cell in cells))
    yield fit
    yield errors


def _table(title: str, headings: Sequence[str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title, style="bold"), title_justify="left", box=None, padding=(0, 1, 0, 0)
    )
    table.add_column("told")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True, min_width=4)
    return table


def _judged(found: Evaluation) -> list[str]:
    return list(dict.fromkeys(name for one in found.transfers for name in one.judged.architectures))


def _difference(best: tuple[str, Measure] | None) -> str:
    if best is None:
        return "–"
    less = best[1]
    star = "" if less.low <= 0 <= less.high else "*"
    sign = "+" if round(less.value, 2) >= 0 else "−"
    return f"{sign}{_short(abs(less.value))}{star}"


def _short(value: float) -> str:
    """Return a number with two digits, without a leading 0."""
    text = f"{value:.2f}".replace("-", "−")
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def _told(score: ClassifierScore | RegressionScore) -> str:
    return f"{score.inputs} †" if score.control else score.inputs


def _named(classifier: str) -> str:
    return classifier.replace("-", " ").replace("svm", "SVM").replace("mlp", "MLP")
