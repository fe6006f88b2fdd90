"""What t2i-metrics registers: eleven evaluators and a verb; imports no torch."""

from __future__ import annotations

from t2i.registry import CommandSpec, EvaluatorSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_evaluators() -> list[EvaluatorSpec]:
    """Declare the evaluators."""
    return [
        EvaluatorSpec(
            "fid",
            "t2i_metrics.fid:FID",
            "Fréchet distance of features (Heusel et al. 2017)",
            check_settings={"min_images": 2},
            least_pictures=1281,
        ),
        EvaluatorSpec(
            "kid", "t2i_metrics.kid:KID", "kernel distance of features (Binkowski et al. 2018)", least_pictures=3
        ),
        EvaluatorSpec(
            "is",
            "t2i_metrics.inception_score:InceptionScore",
            "Inception score, 10 folds (Salimans et al. 2016)",
            least_pictures=20,
        ),
        EvaluatorSpec(
            "prdc",
            "t2i_metrics.prdc:PRDC",
            "precision, recall, density and coverage (Naeem et al. 2020)",
            least_pictures=6,
        ),
        EvaluatorSpec(
            "memorisation",
            "t2i_metrics.memorisation:Memorisation",
            "nearest training neighbours in feature space",
            least_pictures=2,
        ),
        EvaluatorSpec(
            "diversity",
            "t2i_metrics.diversity:Diversity",
            "how different the pictures of one caption are",
            least_pictures=2,
        ),
        EvaluatorSpec(
            "r_precision",
            "t2i_metrics.r_precision:RPrecision",
            "the right caption among 100 (Xu et al. 2018)",
            check_settings={"distractors": 9},
            held_out_settings={"fewest_distractors": 3, "folds": 4},
            least_pictures=10,
            suited="t2i_metrics.own_judges:suited",
        ),
        EvaluatorSpec(
            "clip_score",
            "t2i_metrics.clip_score:CLIPScore",
            "cosine of picture and caption (Hessel et al. 2021)",
            least_pictures=2,
        ),
        EvaluatorSpec(
            "pick_score",
            "t2i_metrics.pick_score:PickScore",
            "what people would prefer (Kirstain et al. 2023)",
            least_pictures=2,
        ),
        EvaluatorSpec(
            "image_reward",
            "t2i_metrics.image_reward:ImageReward",
            "how much people would like the picture (Xu et al. 2023)",
            check_settings={"model": "untrained"},
            least_pictures=2,
        ),
        EvaluatorSpec(
            "skills",
            "t2i_metrics.skills.evaluator:Skills",
            "thing, colour, count and place as in the caption (after Ghosh et al. 2023)",
        ),
    ]


@hookimpl
def t2i_commands() -> list[CommandSpec]:
    """Declare the verb."""
    return [CommandSpec("judge", "t2i_metrics.cli:judge", "Train an evaluator's encoder on your own pictures.")]
