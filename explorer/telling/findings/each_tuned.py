"""What the studies answer: which value is best when each is at its own best setting."""

from explorer.judging.certainty import Certainty, of_all
from explorer.judging.studies import StudyResult
from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import listed, setting, with_n


def find(study: Study) -> list[Sentence]:
    return [_sentence(judged) for judged in study.studies if judged.question.scientific and judged.winner]


def _sentence(judged: StudyResult) -> Sentence:
    won = judged.winner
    assert won is not None
    one = judged.by_label[won.label]
    figures = with_n(one.fresh.fresh_validation) if one.fresh else ""
    aside = [*won.likely_worse, *won.worse]
    title = f"**{judged.question.title}, {name_of(judged.model, judged.dataset)}**"
    parts = [f"{title}: {won.label} ({setting(one.setting)}), {figures} on fresh seeds"]
    parts += [f"as good as far as they can tell: {listed(won.ties)}"] if won.ties else []
    parts += [f"not settled: {listed(won.unknown)}"] if won.unknown else []
    if aside:
        certainty = of_all(judged.relations.of(label, won.label).certainty for label in aside)
        parts.append(f"{'worse' if certainty is Certainty.SURE else 'likely worse'}: {listed(aside)}")
    unfinished = "" if judged.complete else " Unfinished."
    return f"{'; '.join(parts)}.{unfinished}"


FINDING = Finding("each-tuned", "Which value is best, when each is at its own best setting?", find=find)
