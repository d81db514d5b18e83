"""What the studies answer: which value is best when each is at its own best setting."""

from explorer.judging.studies import StudyResult
from explorer.judging.study import Study
from explorer.telling.findings.finding import Finding, Sentence
from explorer.telling.names import name_of
from explorer.telling.words import setting, standing, with_n


def find(study: Study) -> list[Sentence]:
    return [_sentence(judged) for judged in study.studies if judged.question.scientific and judged.winner]


def _sentence(judged: StudyResult) -> Sentence:
    won = judged.winner
    assert won is not None
    one = judged.by_label[won.label]
    figures = with_n(one.fresh.fresh_validation) if one.fresh else ""
    title = f"**{judged.question.title}, {name_of(judged.model, judged.dataset)}**"
    beside = f"; {standing(won)}" if len(judged.fresh) > 1 else ""
    unfinished = "" if judged.complete else " Unfinished."
    return f"{title}: {won.label} ({setting(one.setting)}), {figures} on fresh seeds{beside}.{unfinished}"


FINDING = Finding("each-tuned", "Which value is best, when each is at its own best setting?", find=find)
