"""A fine-tuned network: where it is, how good it is, how it is used."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ncselect.exporting import asked_export
from ncselect.model_card import model_card
from ncselect.pretrained import PretrainedNetwork, card_file
from ncselect.run import replace_text

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class FineTuned:
    """A network that was trained to the end and saved.

    Attributes
    ----------
    network
        What was saved, with all that decided it.
    """

    network: PretrainedNetwork

    @property
    def file(self) -> Path:
        """The ``.keras`` file."""
        return self.network.file

    @property
    def card(self) -> Path:
        """The model card."""
        return card_file(self.file)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the outputs."""
        return self.network.classes

    @property
    def test_accuracy(self) -> float:
        """On the test images, in [0, 1], with the weights that were saved."""
        return self.network.test_accuracy

    @property
    def test_interval(self) -> tuple[float, float]:
        """The 95% interval of the test accuracy (Wilson)."""
        return self.network.test_interval

    def load(self) -> Any:
        """Return the network.

        Returns
        -------
        keras.Model
            From images (n, height, width, 3) of any size, values 0 to 255, to probabilities.
        """
        from zoo.saved import load_safely

        return load_safely(self.file, self.network.spec.model)

    def export(self, format: str, folder: str | Path) -> Path:
        """Write the network in another format; nothing, if that has been done.

        Parameters
        ----------
        format
            ``saved-model`` or ``onnx``.
        folder
            Where to: one that is not there, is empty, or has this very export.

        Returns
        -------
        Path
            The folder: the network, and ``classes.json`` with the names of its classes.

        Raises
        ------
        InputError
            If the format or the folder cannot be used.
        ncselect.exporting.ExportError
            If the format cannot hold the network.
        """
        export = asked_export(format, folder, self.file)
        export.write(self.network)
        return export.folder

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the images, and of the card if it was edited."""
        if not self.card.exists() or self.card.read_bytes() == model_card(self.network).encode():
            return self.network.notes
        return (
            *self.network.notes,
            f"'{self.card.name}' is not as it was written, and is left as it is; delete it to have "
            "it written again.",
        )

    def keep_card(self) -> None:
        """Write the model card beside the file, if there is none."""
        if not self.card.exists():
            replace_text(self.card, model_card(self.network))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        network = self.network
        return {
            **network.row(),
            "card": str(self.card),
            "head": "ncp" if network.spec.settings.unit == "probe" else "fresh",
            "best_epoch": network.best_epoch or network.epochs,
            "test_interval": list(self.test_interval),
            "test_images": network.test_images,
            "classes": list(self.classes),
            "ranking": dict(network.ranking),
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """Return the same as text."""
        return json.dumps(self.to_dict(), indent=1)

    def __rich__(self) -> RenderableType:
        """Return what a terminal shows."""
        from rich.console import Group
        from rich.text import Text

        network = self.network
        low, high = self.test_interval
        epoch = f"epoch {network.best_epoch or network.epochs}"
        if network.has_stopped:
            epoch += f", stopped early at {network.epochs}"
        return Group(
            Text(f"{network.spec.model}, fine-tuned on {network.spec.dataset} ({epoch})"),
            Text(
                f"test accuracy {self.test_accuracy:.3f}, 95% interval {low:.3f} to {high:.3f} "
                f"({network.test_images:,} images); validation {network.validation_accuracy:.3f}"
            ),
            *(Text(note, style="dim") for note in self.notes),
            Text(f"Saved as {self.file}, its card as {self.card.name}.", style="bold"),
            Text(f"Next: keras.models.load_model({str(self.file)!r}).predict(images)"),
        )
