"""`t2i evaluate`, `t2i leaderboard` and `t2i compare`, run as commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from PIL import Image

from fakes.command_line import T2I
from fakes.forked import ForkedCommand
from fakes.ports import free_port
from fakes.processes import in_child
from t2i.evaluation.card import read_card_scores
from t2i.evaluation.keep import evaluate_and_keep
from t2i.evaluation.scores import read_scores
from t2i.runs.checkpoints import latest_checkpoint
from t2i.snapshots.resolve import resolve

FEW = ("-n", 24, "--metrics", "r_precision", "--device", "cpu", "--setting", "r_precision.distractors=5")
SCORES = ["r_precision", "r_precision_ceiling", "r_precision_chance"]


@pytest.fixture(scope="module", autouse=True)
def light_encoder() -> Iterator[None]:
    """The bundled image-text encoder is loaded once for all tests."""
    from t2i_metrics import encoders

    real, made = encoders.create_image_text_encoder, {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "t2i_metrics.caption_evaluator.create_image_text_encoder",
            lambda name: made[name] if name in made else made.setdefault(name, real(name)),
        )
        yield


@pytest.fixture
def model(run_folder: Path, here: Path) -> Path:
    """A copy of the tiny run that a test may change."""
    return Path(shutil.copytree(run_folder, here / "run"))


@pytest.mark.parametrize("where", ["run.yaml", "snapshot"])
def test_real_pictures_become_squares_as_in_the_models_training(
    where: str, t2i: T2I, model: Path, squares: Path, here: Path
):
    """And the protocol says so, unless they are cropped."""
    tall = Path(shutil.copytree(squares, here / "tall"))
    for path in tall.glob("*.png"):
        Image.open(path).resize((16, 40)).save(path)
    assert t2i("evaluate", "run", "--data", tall, *FEW, "-o", "crop.jsonl").code == 0
    record = model / "run.yaml" if where == "run.yaml" else latest_checkpoint(model).snapshot / "config.json"
    text = record.read_text()
    assert text.count("fit: crop") + text.count('"fit": "crop"') == 1
    record.write_text(text.replace("fit: crop", "fit: pad").replace('"fit": "crop"', '"fit": "pad"'))
    result = t2i("evaluate", "run", "--data", tall, *FEW, "-o", "pad.jsonl")
    assert result.code == 0 and "are fitted as in the model's training: pad" in result.err
    crop, pad = (read_scores(here / f"{fit}.jsonl")[0].score.protocol for fit in ("crop", "pad"))
    assert "fit" not in crop and pad["fit"] == "pad" and pad["data_sha256"] != crop["data_sha256"]
    assert t2i("data", "pack", tall, "-o", "packed", "--resolution", 16, "--text-encoder", "none").code == 0
    assert t2i("evaluate", "run", "--data", "packed", *FEW, "-o", "pack.jsonl").code == 0
    assert "fit" not in read_scores(here / "pack.jsonl")[0].score.protocol  # its pictures are cropped already


def test_models_are_compared_on_the_same_squares(t2i: T2I, model: Path, squares: Path, here: Path):
    """Those of the models that were padded; cropped, if trainings differ."""
    tall = Path(shutil.copytree(squares, here / "tall"))
    for path in tall.glob("*.png"):
        Image.open(path).resize((16, 40)).save(path)
    for name, fit in (("padded", "pad"), ("squashed", "squash")):
        run = Path(shutil.copytree(model, here / name))
        (run / "run.yaml").write_text((run / "run.yaml").read_text().replace("fit: crop", f"fit: {fit}"))
    result = t2i("leaderboard", "run", "padded", "--data", tall, *FEW, "-o", "board")
    assert result.code == 0 and "are fitted as in the model's training: pad" in result.err
    fits = [row.score.protocol["fit"] for row in read_scores(here / "board" / "scores.jsonl")]
    assert fits == ["pad"] * len(SCORES) * 2
    result = t2i("compare", "squashed", "padded", "--data", tall, *FEW, "-p", "a red square", "-o", "sheet.png")
    assert result.code == 0 and "are cropped, since the models' trainings differ: squash (squashed)" in result.err


def test_a_table_of_scores_is_printed_and_stored_in_run_and_card(t2i: T2I, model: Path, squares: Path, here: Path):
    result = t2i("evaluate", "run", "--data", squares, *FEW, "-o", "all.jsonl", "--verbose")
    assert result.code == 0, result
    head, line, *protocols = result.out.splitlines()
    assert [each for each in protocols if each[0] != " "] == [f"{name}:" for name in SCORES]
    assert any(each.startswith("  encoder_sha256: ") for each in protocols)
    assert re.split(r"  +", head) == ["score", "value", "95 % interval", "ceiling", "chance", "better"]
    cells = re.split(r"  +", line)
    assert (cells[0], cells[-1]) == ("r_precision", "higher")
    rows = read_scores(model / "scores.jsonl")
    assert [row.metric for row in rows] == SCORES and rows == read_scores(here / "all.jsonl")
    shown = [float(cell.split()[0]) for cell in (cells[1], *cells[3:5])]
    assert shown == pytest.approx([row.score.value for row in rows], rel=1e-2)
    snapshot = latest_checkpoint(model).snapshot
    assert rows[0].weights_sha256 == resolve("run").config.weights_sha256
    assert read_card_scores(snapshot / "README.md") == rows
    assert ModelCard.load(snapshot / "README.md").data.library_name == "t2i"
    protocol = rows[0].score.protocol
    assert (
        protocol["data"] == f"folder:{squares.name}" and protocol["n_fake"] == "24" and "torch" in protocol["versions"]
    )


def test_json_has_the_same_rows(t2i: T2I, model: Path, squares: Path):
    result = t2i("evaluate", "run", "--data", squares, *FEW, "--json")
    rows = json.loads(result.out)
    assert [row["metric"] for row in rows] == SCORES
    assert rows == [json.loads(line) for line in (model / "scores.jsonl").read_text().splitlines()]


def test_a_caution_is_shown_wherever_its_score_is_shown(
    t2i: T2I, model: Path, squares: Path, here: Path, monkeypatch: pytest.MonkeyPatch
):
    caution = "The ceiling is near chance."
    monkeypatch.setattr("t2i_metrics.r_precision.caution", lambda *_: caution)
    result = t2i("evaluate", "run", "--data", squares, *FEW)
    assert result.code == 0 and f"warning: r_precision: {caution}" in result.err.splitlines()
    assert caution in ModelCard.load(latest_checkpoint(model).snapshot / "README.md").text
    assert f"- r_precision of run: {caution}" in t2i("compare", "run", "-p", "a red square", "--device", "cpu").out
    assert f"- r_precision of run: {caution}" in t2i("leaderboard", "run", "--data", squares, *FEW).out
    assert f"<p>r_precision of run: {caution}</p>" in (here / "leaderboard" / "index.html").read_text()


def test_two_processes_give_the_scores_of_one(t2i: T2I, model: Path, squares: Path, here: Path):
    arguments = ["evaluate", "run", "--data", str(squares), *map(str, FEW), "--batch-size", "4", "--json"]
    alone = json.loads(t2i(*arguments).out)
    port = free_port()
    launched = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "ACCELERATE_USE_CPU": "true"}
    with ExitStack() as stack:
        environments = [launched | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2)]
        commands = [stack.enter_context(ForkedCommand(*arguments, environment=own)) for own in environments]
        assert [command.wait() for command in commands] == [0, 0], [command.err for command in commands]
        first, second = (command.out for command in commands)
    assert second == ""
    together = json.loads(first)
    assert [row["score"] for row in together] == [row["score"] for row in alone]


def test_an_evaluator_without_a_score_is_an_error(t2i: T2I, model: Path, squares: Path):
    result = t2i("evaluate", "run", "--data", squares, "-n", 24, "--metrics", "r_precision", "--device", "cpu")
    assert "needs 99 captions of other groups" in result.error
    assert not result.out and not (model / "scores.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--metrics", "r_precison"], "Did you mean 'r_precision'"),
        (["run", "--metrics", ","], "needs a metric"),
        (["cgna"], "Did you mean 'cgan'"),
        (["run/none"], "There is no folder run/none"),
        (["run", "--setting", "fid.protocol=clean", "--metrics", "r_precision"], "with one of r_precision"),
        (["run", "--setting", "r_precision.distractors"], "must be metric.name=value"),
        (["run", "--setting", "r_precision"], "must be metric.name=value"),
        (["run", "--setting", "r_precision.distractors=["], "--setting r_precision.distractors"),
        (["run", "--setting", "r_precision.distractor=3", "--metrics", "r_precision"], "Did you mean 'distractors'"),
        (["run", "-n", "0", "--data", "."], "must be a whole number of 1 or more, got 0"),
        (["run", "-n", "1", "--data", "."], "'r_precision' needs at least 10 pictures, but 1 would be drawn"),
        (["run", "--batch-size", "0", "--data", "."], "batch size must be a whole number of 1 or more, got 0"),
        (["run", "-o", "run/run.yaml/x", "--data", "."], "Cannot write run/run.yaml/x"),
        (["run", "-o", "/proc/x", "--data", "."], "Cannot write /proc/x"),
        (["run", "--data", "openmojy"], "Did you mean 'openmoji'"),
        (["run", "--option", "truncate=1"], "Did you mean 'truncation'"),
        (["run", "--setting", "r_precision.encoder=clip:no/such", "--metrics", "r_precision"], "HF_HUB_OFFLINE"),
        (["run", "--setting", "r_precision.encoder=clp", "--metrics", "r_precision"], "'judge', 'judge:DATA' (see"),
    ],
)
def test_bad_input(t2i: T2I, model: Path, squares: Path, arguments, says):
    data = [] if "--data" in arguments else ["--data", squares]
    metrics = [] if "--metrics" in arguments else ["--metrics", "r_precision"]
    assert says in t2i("evaluate", *arguments, *data, *metrics, "--device", "cpu").error
    assert not (model / "scores.jsonl").exists()


def test_a_leaderboard_writes_a_table_a_chart_and_a_page(t2i: T2I, model: Path, squares: Path, here: Path):
    shutil.copytree(model, here / "other")
    result = t2i("leaderboard", "run", "other", "--data", squares, "--samples", 3, *FEW)
    assert result.code == 0, result
    board = here / "leaderboard"
    written = (board / "leaderboard.md").read_text()
    assert (
        result.out.partition("\n\n- ")[0] in written
    )  # the terminal shows short protocols, and the file has complete ones
    assert "sha256" not in result.out and "encoder_sha256: " in written and "id: " in result.out
    assert t2i("leaderboard", "run", "other", "--data", squares, "--samples", 3, *FEW, "--verbose").out in written
    assert "| run | " in result.out and "| other | " in result.out and "ceiling" in result.out
    with Image.open(board / "leaderboard.png") as picture:
        assert picture.width > 400
    page = (board / "index.html").read_text()
    assert page.count("data:image/png;base64,") == 1 + 3 * 2 and "http" not in page
    assert [row.model for row in read_scores(board / "scores.jsonl")] == ["run"] * 3 + ["other"] * 3


@pytest.mark.parametrize("how", ["ctrl-c", "kill -9"])
def test_an_interrupted_leaderboard_evaluates_only_what_is_missing(
    t2i: T2I, model: Path, squares: Path, here: Path, monkeypatch: pytest.MonkeyPatch, how: str
):
    shutil.copytree(model, here / "other")
    evaluated: list[str] = []
    stops = True

    def watched(artist, *arguments, **passed):
        if stops and evaluated:
            if how == "ctrl-c":
                raise KeyboardInterrupt
            os.kill(os.getpid(), signal.SIGKILL)
        evaluated.append(artist.name)
        return evaluate_and_keep(artist, *arguments, **passed)

    monkeypatch.setattr("t2i.evaluation.leaderboard.evaluate_and_keep", watched)
    command = ("leaderboard", "run", "other", "--data", squares, "--samples", 1, *FEW)
    if how == "ctrl-c":
        assert t2i(*command).code == 130 and evaluated == ["run"]
    else:
        assert os.waitstatus_to_exitcode(in_child(lambda: t2i(*command))) == -signal.SIGKILL
    board = here / "leaderboard"
    (kept,) = (board / "evaluations").iterdir()
    first = json.loads(kept.read_text())
    stops = False
    evaluated.clear()
    whole = t2i(*command)
    assert whole.code == 0 and evaluated == ["other"]
    assert f"| {first['seconds_per_image']:.3g} |" in next(row for row in whole.out.splitlines() if "| run |" in row)
    assert [row.model for row in read_scores(board / "scores.jsonl")] == ["run"] * 3 + ["other"] * 3
    evaluated.clear()
    assert t2i(*command).out == whole.out and not evaluated
    assert t2i(*command, "--seed", 1).code == 0 and evaluated == ["run", "other"]


def test_compare_draws_a_sheet_with_the_scores_the_cards_share(t2i: T2I, model: Path, squares: Path, here: Path):
    shutil.copytree(model, here / "other")
    (here / "p.txt").write_text("a red square\na blue square\n")
    bare = t2i("compare", "run", "other", "--prompts", "p.txt", "--device", "cpu")
    assert bare.code == 0 and "no scores" in bare.err, bare
    with Image.open("compare.png") as sheet:
        height = sheet.height
    for name in ("run", "other"):
        assert t2i("evaluate", name, "--data", squares, *FEW).code == 0
    scored = t2i("compare", "run", "other", "--prompts", "p.txt", "-o", "scored.png", "--device", "cpu")
    assert scored.code == 0 and "| model | r_precision, higher is better |" in scored.out, scored
    with Image.open("scored.png") as sheet:
        assert sheet.height > height


def test_scores_of_other_protocols_are_left_out_and_reported(t2i: T2I, model: Path, squares: Path, here: Path):
    shutil.copytree(model, here / "other")
    t2i("evaluate", "run", "--data", squares, *FEW)
    t2i("evaluate", "other", "--data", squares, *FEW, "--seed", 9)
    result = t2i("compare", "run", "other", "-p", "a red square", "--device", "cpu")
    assert result.code == 0 and "r_precision, higher" not in result.out
    assert "r_precision is left out" in result.err and "seed: 0 and 9" in result.err


def test_compare_can_evaluate_first(t2i: T2I, model: Path, squares: Path, here: Path):
    shutil.copytree(model, here / "other")
    result = t2i("compare", "run", "other", "-p", "a red square", "--data", squares, *FEW)
    assert result.code == 0 and "| run | " in result.out and "r_precision, higher" in result.out
    assert (here / "compare.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], "needs a prompt, got none"),
        (["run", "run", "-p", "a heart"], "got run twice"),
        (["run", "cgna", "-p", "a heart"], "Did you mean 'cgan'"),
        (["run", "-p", "a heart", "-o", "sheet.jpg"], "Try sheet.png"),
        (["run", "--prompts", "none.txt"], "Cannot read the prompts"),
        (["run", *["-p", "x"] * 401], "at most 400 pictures"),
    ],
)
def test_bad_requests_to_compare(t2i: T2I, model: Path, here: Path, arguments, says):
    assert says in t2i("compare", *arguments, "--device", "cpu").error
    assert not list(here.glob("*.png"))


def test_a_leaderboard_without_models_is_an_error(t2i: T2I, squares: Path, here: Path, monkeypatch):
    monkeypatch.setattr("t2i.cli.leaderboard.list_models", lambda pretrained: [])
    assert "pip install t2i-starter" in t2i("leaderboard", "--data", squares).error
    (here / "file").write_text("")
    assert "not a folder" in t2i("leaderboard", "cgan", "-o", "file").error
