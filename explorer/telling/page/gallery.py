"""The surest mistakes of the best configurations, with their images."""

from collections.abc import Callable

import numpy as np

from explorer.config import Config
from explorer.judging.study import Study
from explorer.running.predictions import Predictions
from explorer.telling.names import class_names
from explorer.telling.page import facts
from explorer.telling.plots.confusion import judged
from explorer.telling.words import short_name

MOST = 150
Predict = Callable[[Config], Predictions | None]


def galleries(study: Study, predict: Predict, most: int = MOST) -> list[facts.Gallery]:
    """Of each data set and model whose best configuration left what it says of the test images, and whose images are at
    hand."""
    found = []
    for dataset, model in study.pairs:
        ranked = study.runs.ranked(model, dataset)
        predicted = predict(ranked[0].config) if ranked else None
        if predicted is None:
            continue
        logits, labels, images = predicted
        guesses, confidence, wrong = judged(logits, labels)
        surest = wrong[:most]
        found.append(
            facts.Gallery(
                dataset=dataset,
                model=model,
                name=short_name(ranked[0].config),
                classes=class_names(dataset, logits.shape[1]),
                height=int(images.shape[1]),
                width=int(images.shape[2]),
                tested=len(labels),
                wrong=len(wrong),
                mistakes=[
                    facts.Mistake(int(i), int(labels[i]), int(guesses[i]), round(float(confidence[i]), 4))
                    for i in surest
                ],
                pixels=np.ascontiguousarray(images[surest]).tobytes(),
            )
        )
    return found
