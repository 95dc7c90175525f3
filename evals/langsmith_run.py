"""The same suites as experiments of LangSmith, for teams that look at their runs there. Only where a key is there and somebody asked."""

import asyncio
import os
from collections.abc import Callable
from typing import Any, cast

from langsmith import Client, aevaluate  # pyright: ignore[reportUnknownVariableType] - its mappings say not what of
from langsmith.evaluation import EvaluationResult
from langsmith.schemas import Example, Run

from evals.dataset import Dataset
from evals.run import answered
from evals.sample import Sample
from evals.scorer import Broken, Scorer, judged, name_of
from evals.solver import Answer
from evals.subject import Subject
from evals.suite import Suite
from recoup.errors import Misconfigured

KEY = "LANGSMITH_API_KEY"


async def evaluate_with_langsmith(suite: Suite, dataset: Dataset, subject: Subject, client: Client | None = None) -> str:
    """Runs the suite as an experiment and gives its name. Raises Misconfigured without a key.

    Inputs and outputs go to LangSmith: shipped datasets are made up, and those from decisions hold nothing that tells who it was about.
    """
    if client is None and not os.environ.get(KEY):
        raise Misconfigured(f"{KEY} is not set; without it `recoup evals run` does the same here")
    client = client or Client()
    name = f"recoup-{suite.name}-v{dataset.header.version}-{dataset.fingerprint[:8]}"
    if not client.has_dataset(dataset_name=name):
        made = client.create_dataset(name, description=dataset.header.provenance)
        client.create_examples(dataset_id=made.id, examples=[_example(sample) for sample in dataset.samples])
    solver = suite.solver(subject)

    async def target(inputs: dict[str, Any]) -> dict[str, Any]:
        sample = Sample.model_validate(inputs["sample"])
        return (await answered(solver, sample)).model_dump(mode="json")

    results = await aevaluate(
        target,
        data=name,
        evaluators=[evaluator_of(scorer) for scorer in suite.scorers],
        experiment_prefix=f"{suite.name}-{subject.name}",
        client=client,
    )
    # What is still on its way to LangSmith would be lost with the process.
    await asyncio.to_thread(client.flush)
    return results.experiment_name


def evaluator_of(scorer: Scorer) -> Callable[[Run, Example | None], EvaluationResult]:
    """Our scorer as LangSmith calls one. What was not answered, or does not ask this, has no score."""

    def evaluate(run: Run, example: Example | None = None) -> EvaluationResult:
        outputs = cast("dict[str, Any]", run.outputs or {})
        if example is None or outputs.get("kind") != "answer":
            return EvaluationResult(key=name_of(scorer), comment=str(outputs.get("why") or outputs.get("error") or "not run"))
        score = judged(scorer, Sample.model_validate((example.inputs or {})["sample"]), Answer.model_validate(outputs))
        if isinstance(score, Broken):
            return EvaluationResult(key=name_of(scorer), comment=score.broken)
        if isinstance(score, str):
            return EvaluationResult(key=name_of(scorer), value=score)
        return EvaluationResult(key=name_of(scorer), score=score)

    # LangSmith lists evaluators by their functions' names.
    evaluate.__name__ = name_of(scorer)
    return evaluate


def _example(sample: Sample) -> dict[str, Any]:
    return {
        "inputs": {"sample": sample.model_dump(mode="json")},
        "reference_outputs": sample.expected,
        "metadata": {"split": sample.split.value},
    }
