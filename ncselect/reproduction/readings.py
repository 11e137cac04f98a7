"""The two readings of "a learning curve of length L" that the paper's text allows.

Section 5 observes "the early stage" from a starting epoch t0, which BIC chooses, and compares
methods at a length of the learning curve. It does not say where that length begins:

- ``capacitance``: with the training. Epochs 1 to L are all that is seen, by every method; t0 is
  looked for inside them.
- ``capacitance-from-t0``: with t0. L epochs are observed from t0 on, as figures 2 and 3b have it,
  and epochs 1 to t0 + L − 1 are trained.

Whatever depends on the reading is told in both. The second sees more epochs than its length says;
``last-value-as-far`` is the last value of all epochs that it may look at, what it is to beat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ncselect.methods.extrapolation import DEFAULT_DEFINITION, DEFAULT_WINDOW
from ncselect.reproduction import paper
from ncselect.reproduction.scales import Scale

FROM_T0 = "capacitance-from-t0"
AS_FAR = "last-value-as-far"
READINGS = (paper.OURS, FROM_T0)


@dataclass(frozen=True)
class Question:
    """A method, asked for one point of a table or figure.

    Attributes
    ----------
    name
        What the table calls it.
    method
        What it is, as ``methods.parsed_method`` takes it.
    length
        Of the learning curve, in its reading.
    epochs
        Epochs 1 … that it sees.
    """

    name: str
    method: str
    length: int
    epochs: int


def questions(
    scale: Scale, names: Sequence[str], lengths: Sequence[int], *, end: int
) -> list[Question]:
    """Return what to ask for a table or figure.

    Parameters
    ----------
    scale
        Whose options methods have.
    names
        Methods; ``capacitance-from-t0`` and ``last-value-as-far`` may be among them.
    lengths
        Of the learning curve.
    end
        The last epoch that runs have.
    """
    return [_question(scale, name, length, end) for length in lengths for name in names]


def latest_start(scale: Scale, length: int, end: int) -> int:
    """Return the last t0 that BIC may choose: figure 3b's last, or the last that fits."""
    return max(1, min(max(scale.starts), end - length + 1))


def in_paper(name: str) -> str:
    """Return the method whose printed numbers stand beside a name's, if there are any."""
    return paper.OURS if name == FROM_T0 else name


def labelled(name: str) -> str:
    """Return a name with the paper's own for it."""
    printed = paper.NAMES.get(in_paper(name))
    return name if printed is None else f"{name} ({printed})"


def rival(name: str) -> str:
    """Return the reading of capacitance that a method is held against: it sees as much."""
    return FROM_T0 if name == AS_FAR else paper.OURS


def readings_note(scale: Scale, lengths: Sequence[int], *, end: int, learners: bool = False) -> str:
    """Say what each reading of capacitance sees, and what the methods that learn do.

    Parameters
    ----------
    scale, lengths, end
        As for :func:`questions`.
    learners
        Whether last-value-as-far, bgrn and cl are among the methods.
    """
    short, long = min(lengths) <= DEFAULT_WINDOW, max(lengths) > DEFAULT_WINDOW
    windows = [f"up to L = {DEFAULT_WINDOW} it fits all of them (t0 is fixed at 1)"] * short
    windows += [f"beyond it BIC chooses the {DEFAULT_WINDOW} that it fits"] * long
    starts = [latest_start(scale, length, end) for length in (min(lengths), max(lengths))]
    ends = f"1 to {starts[0]}" + (
        f" (to {starts[1]} at L = {max(lengths)}, where the runs end)" * (starts[1] < starts[0])
    )
    learn = (
        f" {AS_FAR} is the last value of all epochs that {FROM_T0} may look at: what that has to "
        "beat. bgrn and cl learn, for each candidate, from the other candidates' whole curves."
        if learners
        else ""
    )
    return (
        "The text can be read in two ways. capacitance: a learning curve of length L is epochs 1 "
        f"to L, like every other method's; {', '.join(windows)}. {FROM_T0}: it is L epochs from t0 "
        f"on, t0 of {ends} chosen by BIC (printed in figure 2: 2 to 4); it costs up to "
        f"{starts[0] - 1} epochs of training more than its length says. Both: β_eff "
        f"{DEFAULT_DEFINITION}.{learn}"
    )


def _question(scale: Scale, name: str, length: int, end: int) -> Question:
    if name not in (FROM_T0, AS_FAR):
        return Question(name, scale.method(name), length, length)
    epochs = length + latest_start(scale, length, end) - 1
    if name == AS_FAR:
        return Question(name, "last-value", length, epochs)
    whole = scale.method(paper.OURS)
    method = f"{whole}{',' if ':' in whole else ':'}window={length}"
    return Question(name, method, length, epochs)
