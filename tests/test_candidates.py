"""What a user writes becomes candidates, without Keras, or one clear error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.errors import InputError, UnknownNameError
from zoo.models import GROUPS, MODELS, Candidate, candidates


def pool_file(folder: Path, text: str) -> Path:
    path = folder / "pool.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_naming_candidates_imports_no_backend(tmp_path: Path) -> None:
    path = pool_file(tmp_path, '[[model]]\nname = "a"\napplication = "MobileNet"\n')
    code = (
        "import json, sys; from zoo.models import candidates\n"
        f"found = [one.identity()['source'] for one in candidates('all,{path}')]\n"
        "loaded = [name for name in ('keras', 'tensorflow', 'jax') if name in sys.modules]\n"
        "print(json.dumps([len(found), loaded]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [42, []]


def test_names_ignore_case_and_keep_the_order() -> None:
    found = candidates("vgg16, MOBILENETV2,resnet50")
    assert [one.name for one in found] == ["VGG16", "MobileNetV2", "ResNet50"]
    assert {one.weights for one in found} == {"imagenet"}
    assert found == candidates(["vgg16", "MobileNetV2", MODELS["ResNet50"]])


def test_groups_are_those_of_paper_and_slides() -> None:
    paper, slides = ([one.name for one in candidates(name)] for name in ("paper", "Slides"))
    assert len(paper) == len(slides) == 17
    assert set(paper) ^ set(slides) == {"AlexNet", "NASNetMobile"}
    assert len(candidates("all")) == 41
    assert set(GROUPS["all"]) ^ set(GROUPS["scratch"]) == set(MODELS)
    assert all(name in MODELS for group in GROUPS.values() for name in group)
    assert max(MODELS[name].parameters for name in GROUPS["small"]) < 8e6


def test_networks_that_groups_share_come_once() -> None:
    assert len(candidates("paper,slides")) == 18
    assert len(candidates("MobileNet,paper")) == 17


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown model 'mobilnetv2'.*MobileNetV2"):
        candidates("mobilnetv2")
    with pytest.raises(UnknownNameError, match=r"unknown model 'smal'.*small"):
        candidates("smal")
    with pytest.raises(UnknownNameError, match=r"unknown weights 'imagnet'.*imagenet"):
        candidates("VGG16", weights="imagnet")


@pytest.mark.parametrize(
    ("models", "text"),
    [
        ("MobileNet,mobilenet", "'MobileNet' twice"),
        ([], "no candidate"),
        (" , ", "no candidate"),
        (7, "of type int"),
        ("./net.h5", "neither a pool file"),
        (Path("absent.toml"), "cannot be read"),
    ],
)
def test_what_names_no_candidate_is_refused(models: object, text: str) -> None:
    with pytest.raises(InputError, match=text):
        candidates(models)


def test_the_shipped_format_of_pools(real_data: Path) -> None:
    found = candidates(real_data / "mobilenets.toml")
    assert len(found) == 8
    assert found[0].to_json() == {
        "name": "mobilenet-v1-0.25-keras",
        "kind": "application",
        "source": "MobileNet",
        "arguments": {"alpha": 0.25},
        "weights": str(real_data.absolute() / "weights/mobilenet_v1_0.25_224_keras.weights.h5"),
        "preprocessing": None,
        "smallest_size": None,
    }
    digests = dict(
        reversed(line.split()) for line in (real_data / "SHA256SUMS").read_text().splitlines()
    )
    [listed] = [
        digest for name, digest in digests.items() if name.endswith("v1_0.25_224_keras.weights.h5")
    ]
    assert found[0].identity()["weights"] == f"sha256:{listed}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[model", "is not TOML"),
        ("", "lists no model"),
        ("model = []", "lists no model"),
        ("model = [3]", "model 1 is 3"),
        ("[[models]]\nname='a'", "unknown key 'models' at the top"),
        ("[[model]]\napplication='VGG16'", "model 1 has no name"),
        ("[[model]]\nname='a'", r"model 1 \('a'\) states no source"),
        ("[[model]]\nname='a'\napplication='VGG16'\nfile='b'", "application and file"),
        ("[[model]]\nname='a'\naplication='VGG16'", "unknown key 'aplication'.*application"),
        ("[[model]]\nname='a'\napplication='VGG61'", "unknown application 'VGG61'.*VGG16"),
        ("[[model]]\nname='a'\napplication=16", "application is 16. Give a string"),
        ("[[model]]\nname='a'\napplication='VGG16'\nweights=1", "weights is 1. Give a string"),
        ("[[model]]\nname='a'\napplication='VGG16'\narguments=1", "arguments is 1. Give a table"),
        (
            "[[model]]\nname='a'\napplication='MobileNet'\narguments={alhpa=1}",
            "MobileNet takes no argument 'alhpa' here.*alpha, depth_multiplier",
        ),
        (
            "[[model]]\nname='a'\napplication='MobileNet'\narguments={alpha='x'}",
            "argument 'alpha' of MobileNet is 'x'. Give a number",
        ),
        (
            "[[model]]\nname='a'\napplication='VGG16'\npreprocessing='tensorflow'",
            "preprocessing is 'tensorflow'. Give one of tf, torch, caffe, included",
        ),
        (
            "[[model]]\nname='a'\nfile='b.keras'\nsmallest_size=0",
            "smallest_size is 0. Give a whole number of pixels a side",
        ),
        (
            "[[model]]\nname='a'\napplication='VGG16'\nsmallest_size=true",
            "smallest_size is True. Give a whole number",
        ),
        (
            "[[model]]\nname='a'\napplication='InceptionV3'\nsmallest_size=74",
            "smallest_size is 74, and InceptionV3 cannot be built for less than 75 pixels a side",
        ),
        ("[[model]]\nname='a'\nfile='b.keras'\nweights='random'", "a file brings its own weights"),
        (
            "[[model]]\nname='a'\napplication='VGG16'\n[[model]]\nname='a'\napplication='VGG19'",
            "'a' twice",
        ),
    ],
)
def test_a_wrong_pool_file_is_named_with_the_remedy(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        candidates(pool_file(tmp_path, text))
    assert "twice" in str(caught.value) or str(tmp_path / "pool.toml") in str(caught.value)


def test_a_pool_file_may_name_files_beside_it(tmp_path: Path) -> None:
    text = "[[model]]\nname='mine'\nfile='nets/a.keras'\npreprocessing='tf'"
    [found] = candidates(str(pool_file(tmp_path, text)))
    source = str(tmp_path.absolute() / "nets/a.keras")
    assert found == Candidate("mine", "file", source, {}, "included", "tf")


def test_a_pool_file_may_state_the_smallest_size(tmp_path: Path) -> None:
    text = "[[model]]\nname='{}'\napplication='InceptionV3'\n{}\n"
    stated = ("", "smallest_size=75", "smallest_size=96")
    plain, same, larger = candidates(
        pool_file(tmp_path, "".join(text.format(f"n{n}", s) for n, s in enumerate(stated)))
    )
    assert plain.smallest_size is same.smallest_size is None  # the card's: the same candidate
    assert plain.identity() == same.identity()
    assert larger.smallest_size == 96
    assert larger.identity() == {**plain.identity(), "smallest_size": 96}
    assert Candidate.from_json(json.loads(json.dumps(larger.to_json()))) == larger
    older = {name: value for name, value in plain.to_json().items() if name != "smallest_size"}
    assert Candidate.from_json(older) == plain


def test_a_path_may_hold_a_comma(tmp_path: Path) -> None:
    folder = tmp_path / "a,b"
    folder.mkdir()
    path = pool_file(folder, "[[model]]\nname='one'\napplication='VGG16'")
    assert [one.name for one in candidates(str(path))] == ["one"]
    assert [one.name for one in candidates(["VGG19", str(path)])] == ["VGG19", "one"]
    (folder / "net.keras").write_bytes(b"")
    [found] = candidates(str(folder / "net.keras"))
    assert found.source == str(folder / "net.keras")


def test_weights_fill_what_states_none(tmp_path: Path) -> None:
    (tmp_path / "VGG16.h5").touch()
    chosen = candidates("VGG16,VGG19", weights=tmp_path)
    assert [Path(one.weights).name for one in chosen] == ["VGG16.h5", "VGG19.weights.h5"]
    [one] = candidates("VGG16", weights=tmp_path / "VGG16.h5")
    assert one.weights == str(tmp_path.absolute() / "VGG16.h5")
    pool = pool_file(tmp_path, "[[model]]\nname='a'\napplication='VGG16'")
    assert candidates(pool, weights="random")[0].weights == "random"
    with pytest.raises(InputError, match=r"one file, .* for 2 networks"):
        candidates("VGG16,VGG19", weights=tmp_path / "VGG16.h5")


def test_weights_never_override_what_a_candidate_brings(tmp_path: Path) -> None:
    pool = pool_file(tmp_path, "[[model]]\nname='a'\napplication='VGG16'\nweights='w.h5'")
    for models in (pool, tmp_path / "net.keras"):
        with pytest.raises(InputError, match=r"brings its own .*of the other networks in a pool"):
            candidates(models, weights="random")


def test_a_preset_needs_keras_hub() -> None:
    try:
        import keras_hub  # noqa: F401
    except ImportError:
        with pytest.raises(InputError, match=r"pip install 'ncselect\[hub\]'"):
            candidates("hub:resnet_18_imagenet")
    else:
        [found] = candidates("hub:resnet_18_imagenet")
        assert found == Candidate(
            "resnet_18_imagenet", "preset", "resnet_18_imagenet", {}, "included"
        )


def test_json_round_trip_and_identity(tmp_path: Path) -> None:
    weights = tmp_path / "w.weights.h5"
    one = Candidate("a", "application", "MobileNet", {"alpha": 0.5}, str(weights))
    assert Candidate.from_json(json.loads(json.dumps(one.to_json()))) == one
    assert one.identity()["weights"] == f"missing:{weights}"
    weights.write_bytes(b"abc")
    first = one.identity()
    # FIPS 180-4's example: SHA-256 of "abc".
    assert first["weights"].startswith("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9c")
    moved = Candidate("b", "application", "MobileNet", {"alpha": 0.5}, str(tmp_path / "v.h5"))
    weights.rename(moved.weights)
    assert moved.identity() == first
    Path(moved.weights).write_bytes(b"abd")
    os.utime(moved.weights, ns=(1, 1))
    assert moved.identity() != first
    override = Candidate("b", "application", "MobileNet", {"alpha": 0.5}, moved.weights, "torch")
    assert override.identity() != moved.identity()


def test_what_cannot_be_read_has_an_identity_that_says_so(tmp_path: Path) -> None:
    # Reading the first page of a process's memory fails, for root too.
    unreadable = Path("/proc/self/mem")
    if not unreadable.is_file():
        pytest.skip("no /proc/self/mem, whose reading fails, on this system")
    network = tmp_path / "net.keras"
    network.symlink_to(unreadable)
    [found] = candidates(network)
    assert found.identity()["source"] == f"unreadable:{network}"
    preset = Candidate("p", "preset", str(tmp_path), {}, "included")
    assert preset.identity()["source"] == f"unreadable:{network}"
    weighted = Candidate("a", "application", "VGG16", {}, str(unreadable))
    assert weighted.identity()["weights"] == f"unreadable:{unreadable}"
    folder = Candidate("a", "application", "VGG16", {}, str(tmp_path))
    assert folder.identity()["weights"] == f"missing:{tmp_path}"


def test_a_preset_folder_is_known_by_its_content(tmp_path: Path) -> None:
    def preset(name: str, content: str) -> dict[str, object]:
        folder = tmp_path / name
        (folder / "assets").mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        (folder / "assets" / "words").write_text(content)
        return Candidate("p", "preset", str(folder), {}, "included").identity()

    first = preset("a", "x")
    assert str(first["source"]).startswith("sha256:")
    assert preset("b", "x") == first
    assert preset("c", "y") != first
    (tmp_path / "b" / "assets" / "words").rename(tmp_path / "b" / "words")
    assert Candidate("p", "preset", str(tmp_path / "b"), {}, "included").identity() != first
    named = Candidate("p", "preset", "resnet_18_imagenet", {}, "included")
    assert named.identity()["source"] == "resnet_18_imagenet"
    gone = Candidate("p", "preset", str(tmp_path / "gone"), {}, "included")
    assert gone.identity()["source"] == f"missing:{tmp_path / 'gone'}"
