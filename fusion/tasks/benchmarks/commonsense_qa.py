"""CommonsenseQA: five options, everyday knowledge (Talmor et al. 2019, arXiv:1811.00937). Its test split has no answers."""

from fusion.tasks.base import HubData, Task
from fusion.tasks.build import CHOICE_PROMPTS, SHORT_TOKENS, labelled_choice
from fusion.tasks.graders.choice import option_letter

TASK = Task(
    name="commonsense_qa",
    domain="commonsense",
    metric="em_mc",
    description="Questions on everyday concepts and how they relate, with five options.",
    hub=HubData("tau/commonsense_qa", "default", "validation"),
    read=labelled_choice,
    grade=option_letter,
    prompts=CHOICE_PROMPTS,
    max_tokens=SHORT_TOKENS,
)
