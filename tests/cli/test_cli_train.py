"""`t2i train`: a run folder from a folder of captioned pictures, and every kind of bad request."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest
import yaml
from PIL import Image

from fakes.command_line import T2I, contents
from fakes.distributions import FakeSite
from fakes.forked import ForkedCommand
from fakes.waiting import wait_until
from t2i.cli.main import run as run_t2i
from t2i.drawing.provenance import read_provenance

TINY = ("--recipe", "tiny", "--device", "cpu")


def test_a_run_folder_has_all_documented_files(run_folder: Path, squares: Path) -> None:
    names = {path.name for path in run_folder.iterdir()}
    assert {"run.yaml", "checkpoints", "samples", "metrics.jsonl", "losses.png"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert sorted(path.name for path in (run_folder / "checkpoints").iterdir()) == ["step-00000010", "step-00000020"]
    steps = [json.loads(line)["step"] for line in (run_folder / "metrics.jsonl").read_text().splitlines()]
    assert steps == [5, 10, 15, 20]
    for picture in (run_folder / "losses.png", run_folder / "samples" / "step-00000020.png"):
        with Image.open(picture) as image:
            assert image.format == "PNG" and len(image.convert("RGB").getcolors(2**24) or []) > 1


def test_run_yaml_has_all_settings(run_folder: Path, squares: Path) -> None:
    settings = yaml.safe_load((run_folder / "run.yaml").read_text())
    assert settings["technique"] == "cgan" and settings["data"]["source"] == str(squares)
    assert settings["model"]["resolution"] == 16 and settings["train"]["steps"] == 20
    assert settings["command"].startswith("t2i train cgan --recipe tiny")


def test_a_snapshot_records_its_training_data(run_folder: Path, squares: Path) -> None:
    facts = json.loads((run_folder / "checkpoints/step-00000020/snapshot/config.json").read_text())["facts"]
    assert facts["dataset"] == f"folder:{squares.name}"
    assert (facts["steps"], facts["images_seen"], facts["text_encoder"]["name"]) == (20, 160, "minilm")


@pytest.fixture(scope="module")
def changed_run(squares: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps with settings of a recipe, a file and the command line."""
    folder = tmp_path_factory.mktemp("changed")
    (folder / "r.yaml").write_text(
        "train: {steps: 9, batch_size: 6, sample_options: {truncation: 0.5}}\n"
        "objective: {generator: {lr: 0.5, beta1: 0.25}}\n"
    )
    settings = ("objective.generator.lr=1e-4", "train.batch_size=4", "model.noise_dim=3")
    arguments = ("--config", folder / "r.yaml", "--data", squares, "--out", folder / "run", "--steps", 2, "--seed", 5)
    assert run_t2i([*map(str, ("train", "cgan", *settings, *TINY, *arguments))]) == 0
    return folder / "run"


def test_the_command_line_overrides_a_file_and_both_override_the_recipe(changed_run: Path) -> None:
    run = yaml.safe_load((changed_run / "run.yaml").read_text())
    assert (run["train"]["batch_size"], run["train"]["steps"], run["train"]["seed"]) == (4, 2, 5)
    assert run["objective"]["generator"]["lr"] == 1e-4 and run["objective"]["generator"]["beta1"] == 0.25
    assert (run["model"]["noise_dim"], run["model"]["resolution"]) == (3, 16)
    assert run["objective"]["reconstruction"] == 1.0 and run["recipe"] == "tiny"


def test_options_of_the_samples_become_the_models_defaults(t2i: T2I, changed_run: Path, here: Path) -> None:
    asked = ("generate", "a red square", "--model", changed_run, "--seed", 1)
    assert t2i(*asked, "-o", "own.png").code == 0
    assert t2i(*asked, "--option", "truncation=0.5", "-o", "given.png").code == 0
    assert (here / "own.png").read_bytes() == (here / "given.png").read_bytes()
    assert read_provenance(here / "own.png").options["truncation"] == 0.5
    assert "truncation=0.5" in (changed_run / "checkpoints/step-00000002/snapshot/README.md").read_text()


def test_a_recipe_may_be_a_file(t2i: T2I, squares: Path, here: Path, run_folder: Path) -> None:
    recipe = yaml.safe_load((run_folder / "run.yaml").read_text())
    kept = {name: recipe[name] for name in ("model", "objective", "train")}
    (here / "mine.yaml").write_text(yaml.safe_dump(kept | {"data": str(squares)}))
    assert t2i("train", "cgan", "--recipe", "mine.yaml", "--out", "run", "--steps", 2, "--device", "cpu").code == 0
    assert (here / "run" / "checkpoints" / "step-00000002").is_dir()


def test_the_page_shows_the_run(run_folder: Path) -> None:
    page = (run_folder / "index.html").read_text()
    assert "samples/step-00000020.png" in page and "technique: cgan" in page and "a red square" in page


def test_a_run_is_compared_with_its_recipes_reference(
    t2i: T2I, run_folder: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(run_folder, here / "run"))
    monkeypatch.setattr("t2i.training.report.reference.recipe_path", lambda spec, name: here / f"{name}.yaml")
    assert "'tiny' of cgan ships no reference curve" in t2i("reference", "compare", run).error
    assert t2i("reference", "write", run, here / "tiny.reference.jsonl").code == 0
    result = t2i("reference", "compare", run)
    assert result.code == 0 and (run / "reference.png").is_file()
    rows = [line.split() for line in result.out.splitlines()[1:]]
    assert ["1.000"] * len(rows) == [row[-1] for row in rows] and "generator/adversarial" in {row[0] for row in rows}


def test_the_same_command_trains_the_same_weights(t2i: T2I, squares: Path, here: Path, run_folder: Path) -> None:
    assert t2i("train", "cgan", *TINY, "--data", squares, "--out", "run").code == 0
    weights = "checkpoints/step-00000020/snapshot/model.safetensors"
    assert (here / "run" / weights).read_bytes() == (run_folder / weights).read_bytes()


def test_without_out_runs_are_named_after_technique_and_data(t2i: T2I, squares: Path, here: Path) -> None:
    shutil.copytree(squares, here / "my pictures")
    for folder in ("runs/cgan-my-pictures", "runs/cgan-my-pictures-2"):
        result = t2i("train", "cgan", *TINY, "--data", "my pictures", "--steps", 1)
        assert result.code == 0 and f"The run's folder: {folder}\n" in result.err + result.out, result
        assert (here / folder / "checkpoints" / "step-00000001").is_dir()


def test_several_processes_without_out_are_asked_for_it(
    t2i: T2I, squares: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "process 1: A run of several" in t2i("train", "cgan", *TINY, "--data", squares).err
    assert not (here / "runs").exists()


def test_resuming_a_finished_run_changes_nothing(t2i: T2I, run_folder: Path, here: Path) -> None:
    run = Path(shutil.copytree(run_folder, here / "run"))
    before = contents(run)
    result = t2i("train", "--resume", run, "--device", "cpu")
    assert result.code == 0 and "Done." in result.err
    after = contents(run)
    kept = [name for name in before if not name.startswith("events.")]
    assert {name: before[name][0] for name in kept} == {name: after[name][0] for name in kept}
    assert {name for name in after.keys() - before.keys() if not name.startswith("events.")} == set()


def test_more_steps_continue_from_the_end(t2i: T2I, run_folder: Path, here: Path) -> None:
    run = Path(shutil.copytree(run_folder, here / "run"))
    assert t2i("train", "--resume", run, "--steps", 22, "--device", "cpu").code == 0
    assert (run / "checkpoints" / "step-00000022").is_dir()
    first = (run_folder / "metrics.jsonl").read_text()
    assert (run / "metrics.jsonl").read_text().startswith(first)


def test_flawed_pictures_are_counted_and_left_out(t2i: T2I, squares: Path, here: Path) -> None:
    data = Path(shutil.copytree(squares, here / "data"))
    (data / "red.png").write_bytes(b"")
    (data / "blue.txt").unlink()
    result = t2i("train", "cgan", *TINY, "--data", data, "--out", "run", "--steps", 1)
    assert result.code == 0
    assert "2 left out" in result.err and "red.png" in result.err and "blue.png" in result.err
    error = t2i("train", "cgan", *TINY, "--data", data, "--out", "strict", "--strict").error
    assert "but has 2: " in error and not (here / "strict").exists()


BAD = {
    "nothing said": ([], "t2i train cgan"),
    "no technique": ([*TINY, "--data", "{squares}"], "needs a technique"),
    "no data": (["cgan", *TINY, "--out", "run"], "--data"),
    "unknown technique": (["cgna", "--data", "{squares}", "--out", "run"], "Did you mean 'cgan'"),
    "unknown technique with a recipe": (["cgna", *TINY, "--data", "{squares}", "--out", "run"], "'cgan'"),
    "tag for a technique": (["cgan.world64", *TINY, "--data", "{squares}", "--out", "run"], "cgan.world64"),
    "data missing": (["cgan", *TINY, "--data", "./none", "--out", "run"], "no file or folder ./none"),
    "data unknown": (["cgan", *TINY, "--data", "openmojii", "--out", "run"], "Did you mean 'openmoji'"),
    "unknown split": (["cgan", *TINY, "--data", "openmoji:test", "--out", "run"], "compose"),
    "data empty": (["cgan", *TINY, "--data", "empty", "--out", "run"], "No captioned picture"),
    "data without captions": (["cgan", *TINY, "--data", "bare", "--out", "run"], "no caption file"),
    "data a file": (["cgan", *TINY, "--data", "./file", "--out", "run"], "none of these"),
    "no usable picture": (["cgan", *TINY, "--data", "broken", "--out", "run"], "None of the 2 pictures"),
    "out not empty": (["cgan", *TINY, "--data", "{squares}", "--out", "bare"], "bare already exists"),
    "out a file": (["cgan", *TINY, "--data", "{squares}", "--out", "file"], "file already exists"),
    "out under a file": (["cgan", *TINY, "--data", "{squares}", "--out", "file/run"], "file"),
    "unknown recipe": (["cgan", "--recipe", "tinny", "--data", "{squares}", "--out", "run"], "Did you mean 'tiny'"),
    "recipe not YAML": (["cgan", "--recipe", "bad.yaml", "--data", "{squares}", "--out", "run"], "not YAML"),
    "recipe a list": (["cgan", "--recipe", "list.yaml", "--data", "{squares}", "--out", "run"], "mapping"),
    "recipe not text": (["cgan", "--recipe", "bytes.yaml", "--data", "{squares}", "--out", "run"], "bytes.yaml"),
    "recipe with an unknown section": (
        ["cgan", "--recipe", "section.yaml", "--data", "{squares}", "--out", "run"],
        "Did you mean 'train'",
    ),
    "recipe with a flat section": (
        ["cgan", "--recipe", "flat.yaml", "--data", "{squares}", "--out", "run", "--steps", "1"],
        "'train'",
    ),
    "resume of nothing": (["--resume", "none"], "not a run folder"),
    "resume of another folder": (["--resume", "bare"], "not a run folder"),
    "resume of a damaged run": (["--resume", "damaged"], "run.yaml"),
    "resume with more": (["cgan", "--resume", "bare", "--out", "run"], "TECHNIQUE, --out"),
    "config missing": (
        ["cgan", "--config", "none.yaml", "--data", "{squares}", "--out", "run"],
        "none.yaml must be a readable text file",
    ),
    "config not YAML": (["cgan", "--config", "bad.yaml", "--data", "{squares}", "--out", "run"], "not YAML"),
    "resume with a config": (["--resume", "bare", "--config", "bad.yaml"], "--config"),
    "no process": (["cgan", *TINY, "--data", "{squares}", "--out", "run", "--processes", "0"], "--processes"),
    "too many processes": (
        ["cgan", *TINY, "--data", "{squares}", "--out", "run", "--processes", "9"],
        "'train.batch_size': 9 processes",
    ),
    "processes, wrong setting": (
        ["cgan", "objective.los=bce", *TINY, "--data", "{squares}", "--out", "run", "--processes", "2"],
        "Did you mean 'loss'",
    ),
    "processes, out not empty": (
        ["cgan", *TINY, "--data", "{squares}", "--out", "bare", "--processes", "2"],
        "bare already exists",
    ),
    "processes, resume of nothing": (["--resume", "none", "--processes", "2"], "not a run folder"),
    "no such device": (
        ["cgan", "--recipe", "tiny", "--data", "{squares}", "--out", "run", "--device", "toaster"],
        "toaster",
    ),
}
SETTINGS = {
    "no such field": ("train.batch_sizes=4", "Did you mean 'batch_size'"),
    "no such model field": ("model.resolutoin=32", "Did you mean 'resolution'"),
    "no such objective field": ("objective.los=bce", "Did you mean 'loss'"),
    "no such option of the samples": ("train.sample_options.truncate=1", "Did you mean 'truncation'"),
    "no section": ("batch_size=4", "train.field=value"),
    "unknown section": ("trian.batch_size=4", "train.field=value"),
    "no value": ("train.batch_size", "train.field=value"),
    "no field": ("train.=4", "train.field=value"),
    "no YAML": ("train.batch_size=[", "got '['"),
    "no number": ("train.batch_size=many", "got 'many'"),
    "out of range": ("train.batch_size=1", "batch_size"),
    "not a multiple": ("train.accumulate=3", "multiple"),
    "not a number": ("objective.r1_gamma=.nan", "r1_gamma"),
    "part of a list": ("model.widths.first=1", "'widths'"),
    "no such tracker": ("train.tracker=tensorbored", "one of aim, "),
    "no such precision": ("train.precision=fp8", "'auto', 'no', 'bf16' or 'fp16', got 'fp8'"),
    "no such schedule": ("objective.generator.schedule=linear", "'constant', 'halving' or 'cosine'"),
    "no such flag": ("train.compile=maybe", "train.compile"),
    "resolution not a power of two": ("model.resolution=17", "17"),
}


@pytest.fixture
def obstacles(here: Path) -> None:
    """Folders and files that make requests fail."""
    for name in ("empty", "bare", "broken", "damaged"):
        (here / name).mkdir()
    (here / "file").write_text("mine")
    Image.new("RGB", (8, 8)).save(here / "bare" / "picture.png")
    for name in ("one", "two"):
        (here / "broken" / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
        (here / "broken" / f"{name}.txt").write_text("a picture\n")
    (here / "bad.yaml").write_text("train: [")
    (here / "list.yaml").write_text("- train")
    (here / "bytes.yaml").write_bytes(b"train: \xff")
    (here / "section.yaml").write_text("trian: {steps: 1}")
    (here / "flat.yaml").write_text("train: 5")
    (here / "damaged" / "run.yaml").write_bytes(b"technique: cgan\n\xff")


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_requests_are_one_line_errors_and_write_nothing(
    t2i: T2I, here: Path, squares: Path, obstacles: None, arguments: list[str], message: str
) -> None:
    before = contents(here)
    assert message in t2i("train", *(argument.format(squares=squares) for argument in arguments)).error
    assert contents(here) == before


@pytest.mark.parametrize(("setting", "message"), SETTINGS.values(), ids=SETTINGS)
def test_an_invalid_setting_is_a_one_line_error_and_writes_nothing(
    t2i: T2I, here: Path, squares: Path, monkeypatch: pytest.MonkeyPatch, setting: str, message: str
) -> None:
    """Before a picture is decoded."""
    monkeypatch.setattr(
        "t2i.training.run_data.prepare", lambda *arguments, **options: pytest.fail("it decodes pictures")
    )
    assert message in t2i("train", "cgan", setting, *TINY, "--data", squares, "--out", "run").error
    assert list(here.iterdir()) == []


def test_a_technique_that_cannot_be_trained_is_an_error(t2i: T2I, site: FakeSite, squares: Path, here: Path) -> None:
    site.install_plugin("zoo", models='[model("zoo-ant")]')
    assert "cannot be trained" in t2i("train", "zoo-ant", "--data", squares, "--out", "run").error
    assert list(here.iterdir()) == []


def test_a_run_with_only_damaged_checkpoints_is_an_error(t2i: T2I, run_folder: Path, here: Path) -> None:
    run = Path(shutil.copytree(run_folder, here / "run"))
    for state in run.glob("checkpoints/*/state.safetensors"):
        state.write_bytes(state.read_bytes()[:100])
    assert "no complete checkpoint" in t2i("train", "--resume", run, "--device", "cpu").error


def test_a_resume_may_change_settings(t2i: T2I, run_folder: Path, here: Path) -> None:
    run = Path(shutil.copytree(run_folder, here / "run"))
    settings = ["objective.generator.lr=1e-5", "train.log_every=1"]
    result = t2i("train", "--resume", run, *settings, "--steps", 22, "--device", "cpu")
    assert result.code == 0 and "From step 20 on: " in result.err, result
    written = yaml.safe_load((run / "run.yaml").read_text())
    assert written["train"]["steps"] == 22 and written["objective"]["generator"]["lr"] == 1e-5
    error = t2i("train", "--resume", run, "train.batch_size=4", "--device", "cpu").error
    assert "train.batch_size cannot change within a run" in error


def test_a_model_is_fine_tuned(t2i: T2I, run_folder: Path, squares: Path, here: Path) -> None:
    arguments = ["--from", run_folder, "--data", squares, "--out", "tuned", "--steps", 2, "--device", "cpu"]
    result = t2i("train", "train.sample_every=0", *arguments)
    assert result.code == 0, result
    written = yaml.safe_load((here / "tuned" / "run.yaml").read_text())
    assert (written["technique"], written["parent"]) == ("cgan", str(run_folder))
    assert written["train"]["lr_factor"] == 0.3 and written["train"]["sample_every"] == 0
    assert t2i("train", "--resume", "tuned", "--steps", 3, "--device", "cpu").code == 0
    assert t2i("generate", "a red square", "--model", "tuned", "-o", "x.png").code == 0
    assert "is a cgan, so it cannot be trained as a cvae" in t2i("train", "cvae", *arguments).error
    assert "There is no folder" in t2i("train", "--from", "./nobody", *arguments[2:]).error


def test_ctrl_c_saves_a_checkpoint_and_says_how_to_continue(t2i: T2I, squares: Path, here: Path) -> None:
    arguments = ["train", "cgan", *TINY, "--data", str(squares), "--out", "run", "--steps", "1000000"]
    metrics = here / "run" / "metrics.jsonl"
    with ForkedCommand(*arguments, "train.checkpoint_every=1000000", "train.log_every=1") as command:
        wait_until(lambda: metrics.exists() and metrics.stat().st_size, command)
        for _ in range(3):  # a runner such as `uv run` sends the terminal's signal again
            command.send_signal(signal.SIGINT)
            time.sleep(0.02)
        assert command.wait() == 130, command.err
        assert "t2i train --resume run" in command.err and "Traceback" not in command.err
        assert (here / "run" / "index.html").is_file() and (here / "run" / "losses.png").is_file()
        assert list((here / "run" / "samples").iterdir()), "what it draws so far"
    (checkpoint,) = (here / "run" / "checkpoints").iterdir()
    step = int(checkpoint.name.removeprefix("step-"))
    assert 0 < step < 1_000_000
    result = t2i("train", "--resume", "run", "--steps", step + 1, "--device", "cpu")
    assert result.code == 0
    assert t2i("generate", "a red square", "--model", "run", "-o", "x.png").code == 0


@pytest.mark.parametrize("ended", ["by Ctrl-C", pytest.param("by kill -9 of one", marks=pytest.mark.slow)])
def test_two_processes_end_together(t2i: T2I, squares: Path, here: Path, ended: str) -> None:
    """Only the launcher gets the signal, as from a terminal, and passes it on to the processes. All of them write to
    the folder that the launcher chose."""
    arguments = ["train", "cgan", *TINY, "--data", str(squares), "--steps", "1000000"]
    run = Path("runs", f"cgan-{squares.name}")
    settings = ["train.checkpoint_every=5", "train.log_every=5", "train.sample_every=1000000", "train.tracker=none"]
    one_thread = {"OMP_NUM_THREADS": "1"}
    with ForkedCommand(*arguments, *settings, "--processes", 2, environment=one_thread) as process:
        wait_until(lambda: list((here / run).glob("checkpoints/step-*")), process, seconds=600)
        children = psutil.Process(process.pid).children(recursive=True)
        if ended == "by Ctrl-C":
            process.send_signal(signal.SIGINT)
        else:
            next(child for child in children if child.environ().get("RANK") == "1").kill()
        process.wait()
        err = process.err
    assert "Traceback" not in err and not any(child.is_running() for child in children), err
    if ended == "by Ctrl-C":
        assert process.returncode == 130 and err.count(f"Continue with: t2i train --resume {run}") == 1, err
    else:
        assert process.returncode == 1 and "Another process of this run ended" in err, err
    newest = max(int(path.name.removeprefix("step-")) for path in (here / run / "checkpoints").iterdir())
    assert t2i("train", "--resume", run, "--steps", newest + 1, "--device", "cpu").code == 0


def test_a_reference_without_a_run_is_a_one_line_error(t2i: T2I, here: Path) -> None:
    assert "not a run folder" in t2i("reference", "compare", "none").error
    assert "not a run folder" in t2i("reference", "write", "none", "x.reference.jsonl").error
    assert list(here.iterdir()) == []
