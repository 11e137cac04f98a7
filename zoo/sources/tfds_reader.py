"""The child process of :mod:`zoo.sources.tfds`: the only code that loads tensorflow-datasets.

``download NAME`` answers ``{"folder": …}``; ``read FOLDER`` the facts about a prepared data set,
in a line, then its images: a header (see ``RECORD``) and the encoded file each. What cannot be done
is answered by ``{"error": …}``. Nothing else is written to the standard output, whatever libraries
print.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any

from zoo.sources.source import split_named
from zoo.sources.tfds import RECORD

_CONNECT_SECONDS = 5
_NO_NETWORK = (
    "prepare it where there is a network and set TFDS_DATA_DIR to that folder, "
    "or give the path of a folder, tar or npz of the images"
)


def main(arguments: Sequence[str]) -> None:
    """Answer one command."""
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with answer:
        command, subject = arguments
        try:
            reply = download(subject) if command == "download" else describe(subject)
        except ImportError as error:
            reply = {"error": f"its reader cannot be loaded ({_first_line(error)}); install it"}
        answer.write(json.dumps(reply).encode() + b"\n")
        answer.flush()
        if command == "read" and "error" not in reply:
            read(answer, subject, reply["image"], reply["label"], list(reply["splits"]))


def download(name: str) -> dict[str, Any]:
    """Download and prepare a data set; the first of its addresses is tried first, once.

    tensorflow-datasets itself repeats a failing download for minutes.
    """
    import tensorflow_datasets as tfds

    tfds.display_progress_bar(False)
    try:
        builder = tfds.builder(name)
    except tfds.core.DatasetNotFoundError:
        return {"unknown": name, "known": tfds.list_builders(with_community_datasets=False)}
    except (ValueError, AssertionError) as error:
        return {"error": f"{_first_line(error)}; check its name, configuration and version"}
    unreachable = _unreachable(list(getattr(builder, "url_infos", {})))
    if unreachable is not None:
        return {
            "error": f"no prepared copy in '{builder.data_dir}' and {unreachable}; {_NO_NETWORK}"
        }
    try:
        builder.download_and_prepare()
    except Exception as error:  # whatever a data set's own code raises is for the user to read
        return {"error": f"cannot be downloaded: {_first_line(error)}; {_NO_NETWORK}"}
    return {"folder": str(builder.data_dir)}


def describe(folder: str) -> dict[str, Any]:
    """Return features' names, classes, splits, counts and the images' shape if it is fixed."""
    import tensorflow_datasets as tfds

    info = tfds.builder_from_directory(folder).info
    found = {}
    for what, kind in (("image", tfds.features.Image), ("label", tfds.features.ClassLabel)):
        names = _features(info.features, kind)
        if what not in names and len(names) != 1:
            have = f"has several: {', '.join(names)}" if names else "has none"
            return {
                "error": f"a data set of images with one {what} each is needed, but this {have}; "
                "give another one"
            }
        found[what] = what if what in names else names[0]
    image = info.features[found["image"]]
    if image.np_dtype.kind == "f":
        return {"error": "its images hold floating-point numbers; give one of 8-bit images"}
    counts = {name: split.num_examples for name, split in info.splits.items()}
    splits = used_splits(list(counts))
    if not splits:
        have = ", ".join(counts)
        return {"error": f"it has the splits {have} but none called train; give one that has"}
    import tensorflow as _tensorflow  # noqa: F401  # needed for reading: say so if it is not there

    height, width = image.shape[:2]
    return {
        **found,
        "classes": info.features[found["label"]].names,
        "counts": counts,
        "splits": splits,
        "shape": None if height is None or width is None else [height, width],
    }


def used_splits(names: Sequence[str]) -> dict[str, str | None]:
    """Return a data set's splits → ours; none if it cannot be told which is for training."""
    known: dict[str, str | None] = {}
    for name in names:
        split = split_named(name)
        if split is not None and split not in known.values():
            known[name] = split
    if "train" in known.values():
        return known
    return {names[0]: None} if len(names) == 1 else {}


def read(answer: IO[bytes], folder: str, image: str, label: str, splits: Sequence[str]) -> None:
    """Write every image as it is stored, in the order of the files; nothing is kept."""
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(folder)
    wanted = tfds.decode.PartialDecoding(
        {image: True, label: True}, decoders={image: tfds.decode.SkipDecoding()}
    )
    one_after_another = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    for number, split in enumerate(splits):
        examples = builder.as_dataset(
            split=split, decoders=wanted, read_config=one_after_another, shuffle_files=False
        )
        for example in tfds.as_numpy(examples):
            data = example[image]
            answer.write(RECORD.pack(number, int(example[label]), len(data)))
            answer.write(data)


def _features(features: Mapping[str, Any], kind: type) -> list[str]:
    """Return the names of the features of a kind."""
    return [name for name, feature in features.items() if type(feature) is kind]


def _unreachable(urls: Sequence[str]) -> str | None:
    """Say why the first address cannot be reached, if it cannot."""
    import requests

    addresses = [url for url in urls if url.startswith("http")]
    if not addresses:
        return None
    try:
        with requests.get(addresses[0], stream=True, timeout=_CONNECT_SECONDS) as response:
            response.raise_for_status()
    except requests.RequestException as error:
        code = error.response.status_code if error.response is not None else type(error).__name__
        return f"its source {addresses[0]} cannot be reached ({code})"
    return None


def _first_line(error: Exception) -> str:
    """Return an error's first line, or its kind if it has no text."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".;: ")


if __name__ == "__main__":
    main(sys.argv[1:])
